//! How a step ends, as a model of some sixty lines, and generated scripts that are held against it:
//! run, planned, tested, and deployed.
//!
//! The model takes tasks one after the other, as plans and tests do. In a real run they run at once:
//! if one of them ends the step, how far the others came is a matter of time. Then the run has to lie
//! between the task that ended it alone, and all of them.

use std::{
    collections::BTreeSet,
    fmt::Write,
    fs,
    os::unix::fs::PermissionsExt,
    sync::{Arc, Mutex},
};

use tinyci::{
    CancelToken, Engine, Error, Event, EventKind, Outcome, Selection,
    deploy::DeployRequest,
    executor::{CancelView, Command, Executor, Exit, LocalExecutor, Output, Program},
    plan::Action,
    record::StepRecord,
    script::TestOptions,
};

use crate::support::{PATIENCE, TestRepo};

const SEEDS: u64 = 250;
const SEEDS_OF_PROCESSES: u64 = 25;
const SEEDS_LONG: u64 = 4_000;

#[test]
fn generated_scripts_end_as_the_model_says() {
    (0..SEEDS).for_each(|seed| Case::new(seed, false).agrees());
}

#[test]
fn they_do_with_real_processes() {
    (0..SEEDS_OF_PROCESSES).for_each(|seed| Case::new(seed, true).agrees());
}

#[test]
#[ignore = "takes minutes: see .ci/long"]
fn many_generated_scripts_end_as_the_model_says() {
    (SEEDS..SEEDS_LONG).for_each(|seed| Case::new(seed, seed.is_multiple_of(10)).agrees());
}

/// A statement of a generated script.
#[derive(Clone, Debug)]
enum Node {
    /// A command by the word that says how it ends, and its number.
    Command(&'static str, u32),
    Fail,
    Throw,
    Skip,
    Approve,
    /// A limit of the language.
    Deep,
    Try(Vec<Node>, Vec<Node>),
    Retry(u32, Vec<Node>),
    Group(u32, Vec<Node>),
    With(Vec<Node>),
    Timeout(Vec<Node>),
    Defer(Vec<Node>),
    Parallel(Vec<Vec<Node>>),
    /// A function that the language calls: in these positions it swallows errors of its own accord.
    Called(&'static str, Vec<Node>),
}

/// What the model does with the statements: rank, label and whether a command says it.
type Failure = (Outcome, String, bool);

#[derive(Debug)]
enum End {
    Passed,
    /// What a script can catch.
    Failed(Vec<Failure>),
    /// What it cannot.
    Stopped,
}

#[derive(Clone, Default)]
struct Place {
    label: String,
    in_task: bool,
    in_defer: bool,
}

#[derive(Default)]
struct Model {
    deploys: bool,
    approved: bool,
    /// As a plan takes it.
    all_pass: bool,
    /// Whether tasks go on when one has ended the step.
    all_run: bool,
    commands: Vec<String>,
    failures: Vec<Failure>,
    stop: Option<Outcome>,
    waits: bool,
    deferred: Vec<Vec<(Place, Vec<Node>)>>,
    /// Whether a task ended the step.
    raced: bool,
}

impl Model {
    fn end(mut self, nodes: &[Node]) -> Self {
        if let End::Failed(failures) = self.scope(nodes, &Place::default()) {
            self.failures.extend(failures);
        }
        if self.deploys && !self.waits && !self.commands.is_empty() {
            // What a deployment did stands.
            let skipped = self.stop.filter(|stop| *stop == Outcome::Skipped);
            self.failures.extend(skipped.map(|_| (Outcome::Failure, String::new(), false)));
        }
        self
    }

    fn outcome(&self) -> Outcome {
        let all = self.failures.iter().map(|it| it.0).chain(self.stop);
        all.max_by_key(|it| rank(*it)).unwrap_or(Outcome::Success)
    }

    fn stops(&mut self, with: Outcome) -> End {
        self.stop = self.stop.into_iter().chain([with]).max_by_key(|it| rank(*it));
        End::Stopped
    }

    fn fails(&mut self, place: &Place) -> End {
        self.failures.push((Outcome::Failure, place.label.clone(), false));
        self.stops(Outcome::Failure)
    }

    fn scope(&mut self, nodes: &[Node], place: &Place) -> End {
        self.deferred.push(Vec::new());
        let end = self.block(nodes, place);
        let (mut more, mut deferred) = (Vec::new(), self.deferred.pop().unwrap());
        while let Some((place, nodes)) = deferred.pop().filter(|_| !self.waits) {
            let outer = self.stop.take();
            if let End::Failed(failures) = self.scope(&nodes, &place) {
                more.extend(failures);
            }
            outer.map(|outer| self.stops(outer));
        }
        let failed = match end {
            End::Failed(failures) => [failures, more].concat(),
            End::Passed | End::Stopped => more,
        };
        match self.stop {
            Some(_) => self.failures.extend(failed),
            None if failed.is_empty() => return End::Passed,
            None => return End::Failed(failed),
        }
        End::Stopped
    }

    fn block(&mut self, nodes: &[Node], place: &Place) -> End {
        for node in nodes {
            let end = if self.stop.is_some() { End::Stopped } else { self.node(node, place) };
            if !matches!(end, End::Passed) {
                return end;
            }
        }
        End::Passed
    }

    fn node(&mut self, node: &Node, place: &Place) -> End {
        let inside = place.in_task || place.in_defer;
        match node {
            Node::Command(word, number) => self.command(word, *number, place),
            Node::Skip if !inside => self.stops(Outcome::Skipped),
            Node::Approve if self.deploys && !inside && self.commands.is_empty() => {
                self.waits = !self.approved;
                if self.approved { End::Passed } else { self.stops(Outcome::Skipped) }
            }
            Node::Fail | Node::Skip | Node::Approve | Node::Deep => self.fails(place),
            Node::Throw => End::Failed(vec![(Outcome::Failure, String::new(), false)]),
            Node::Try(body, handler) => match self.block(body, place) {
                End::Failed(_) => self.block(handler, place),
                end => end,
            },
            Node::Retry(attempts, body) => {
                let mut end = End::Passed;
                for _ in 0..*attempts {
                    end = self.scope(body, place);
                    if !matches!(end, End::Failed(_)) {
                        break;
                    }
                }
                end
            }
            Node::Group(number, body) => self.scope(body, &place.within(&format!("g{number}"))),
            Node::With(body) => self.scope(body, place),
            Node::Timeout(body) | Node::Called(_, body) => self.block(body, place),
            Node::Defer(body) => {
                let place = Place { in_task: false, in_defer: true, label: place.label.clone() };
                self.deferred.last_mut().unwrap().push((place, body.clone()));
                End::Passed
            }
            Node::Parallel(tasks) => self.parallel(tasks, place),
        }
    }

    fn parallel(&mut self, tasks: &[Vec<Node>], place: &Place) -> End {
        let (mut failed, mut stop) = (Vec::new(), None::<Outcome>);
        for (index, task) in tasks.iter().enumerate() {
            let place = Place { in_task: true, ..place.within(&format!("t{index}")) };
            if let End::Failed(failures) = self.scope(task, &place) {
                failed.extend(failures);
            }
            self.raced |= self.stop.is_some();
            if self.all_run {
                stop = self.stop.take().into_iter().chain(stop).max_by_key(|it| rank(*it));
            }
        }
        stop.map(|stop| self.stops(stop));
        match self.stop {
            Some(_) => self.failures.extend(failed),
            None if failed.is_empty() => return End::Passed,
            None => return End::Failed(failed),
        }
        End::Stopped
    }

    fn command(&mut self, word: &str, number: u32, place: &Place) -> End {
        self.commands.push(format!("{word} {number}"));
        let outcome = match word {
            "red" if !self.all_pass => Outcome::Failure,
            "slow" if !self.all_pass => Outcome::TimedOut,
            "stop" => return self.stops(Outcome::Canceled),
            _ => return End::Passed,
        };
        End::Failed(vec![(outcome, place.label.clone(), true)])
    }
}

impl Place {
    fn within(&self, label: &str) -> Self {
        let label = match &*self.label {
            "" => label.to_owned(),
            outer => format!("{outer}/{label}"),
        };
        Self { label, ..self.clone() }
    }
}

fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Success => 0,
        Outcome::Skipped => 1,
        Outcome::Failure => 2,
        Outcome::TimedOut => 3,
        Outcome::Error => 4,
        Outcome::Canceled => 5,
        other => panic!("an outcome that the model does not know: {other}"),
    }
}

/// A generated script, and how it is run.
struct Case {
    seed: u64,
    nodes: Vec<Node>,
    deploys: bool,
    approved: bool,
    real_processes: bool,
}

/// Numbers that a seed fixes.
struct Dice {
    state: u64,
    number: u32,
    cancels: bool,
}

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as usize % limit
    }

    fn nodes(&mut self, depth: usize) -> Vec<Node> {
        (0..=self.below(3)).map(|_| self.node(depth)).collect()
    }

    fn node(&mut self, depth: usize) -> Node {
        self.number += 1;
        let number = self.number;
        let leaf = depth == 0 || self.below(5) < 2;
        if leaf {
            return match self.below(22) {
                0..=7 => Node::Command("ok", number),
                8..=10 => Node::Command("red", number),
                11 => Node::Command("odd", number),
                12 => Node::Command("slow", number),
                13 if self.cancels => Node::Command("stop", number),
                13 | 14 => Node::Fail,
                15 => Node::Throw,
                16 | 17 => Node::Skip,
                18 | 19 => Node::Approve,
                20 => Node::Deep,
                _ => Node::Command("tried", number),
            };
        }
        match self.below(12) {
            0 | 1 => Node::Try(self.nodes(depth - 1), self.nodes(depth - 1)),
            2 => Node::Retry(2, self.nodes(depth - 1)),
            3 => Node::Group(number, self.nodes(depth - 1)),
            4 if self.below(2) == 0 => Node::With(self.nodes(depth - 1)),
            4 => Node::Timeout(self.nodes(depth - 1)),
            5..=7 => {
                // A first cancel does not stop what was deferred.
                let cancels = std::mem::take(&mut self.cancels);
                let body = self.nodes(depth - 1);
                self.cancels = cancels;
                Node::Defer(body)
            }
            8 | 9 => {
                let count = 1 + self.below(3);
                Node::Parallel((0..count).map(|_| self.nodes(depth - 1)).collect())
            }
            _ => {
                let calls =
                    ["[1].map(|x|", "[1, 2].order(|a, b|", "let l = [1, 2]; l.sort_by(|a, b|"];
                let calls = [&calls[..], &["[1].for_each(|x|", "[1].filter(|x|"]].concat();
                let call = calls[self.below(calls.len())];
                Node::Called(call, self.nodes(depth - 1))
            }
        }
    }
}

fn script(nodes: &[Node]) -> String {
    let mut text = String::new();
    for node in nodes {
        let line = match node {
            Node::Command("odd", number) => format!("sh(\"odd {number}\", #{{ allow: 3 }});"),
            Node::Command("tried", number) => format!("try_sh(\"tried {number}\");"),
            Node::Command("slow", number) => {
                format!("sh(\"slow {number}\", #{{ timeout: SLOW }});")
            }
            Node::Command(word, number) => format!("sh(\"{word} {number}\");"),
            Node::Fail => "fail(\"f\");".to_owned(),
            Node::Throw => "throw \"t\";".to_owned(),
            Node::Skip => "skip(\"s\");".to_owned(),
            Node::Approve => "approve(\"a\");".to_owned(),
            Node::Deep => "deep(0);".to_owned(),
            Node::Try(body, handler) => {
                format!("try {{ {} }} catch {{ {} }}", script(body), script(handler))
            }
            Node::Retry(attempts, body) => {
                format!("retry({attempts}, || {{ {} }}, #{{ backoff: 0 }});", script(body))
            }
            Node::Group(number, body) => {
                format!("group(\"g{number}\", || {{ {} }});", script(body))
            }
            Node::With(body) => {
                format!("with(#{{ env: #{{ A: 1 }} }}, || {{ {} }});", script(body))
            }
            Node::Timeout(body) => format!("timeout(\"1h\", || {{ {} }});", script(body)),
            Node::Defer(body) => format!("defer(|| {{ {} }});", script(body)),
            Node::Parallel(tasks) => {
                let tasks = tasks.iter().enumerate();
                let tasks = tasks.map(|(index, it)| format!("t{index}: || {{ {} }}", script(it)));
                format!("parallel(#{{ {} }});", tasks.collect::<Vec<_>>().join(", "))
            }
            Node::Called(call, body) => format!("{call} {{ {} true }});", script(body)),
        };
        writeln!(text, "{line}").unwrap();
    }
    text
}

impl Case {
    fn new(seed: u64, real_processes: bool) -> Self {
        let cancels = seed.is_multiple_of(5);
        let mut dice = Dice { state: seed.wrapping_mul(77_777) + 1, number: 0, cancels };
        let nodes = dice.nodes(4);
        let deploys = seed.is_multiple_of(3);
        Self { seed, nodes, deploys, approved: seed.is_multiple_of(2), real_processes }
    }

    fn text(&self) -> String {
        // Long enough that the command has begun when it is ended.
        let limit = if self.real_processes { "\"500ms\"" } else { "\"1h\"" };
        let body = script(&self.nodes).replace("SLOW", limit);
        let build = if self.deploys { "fn build() { }\n" } else { "" };
        let phase = if self.deploys { "deploy" } else { "build" };
        format!("fn deep(n) {{ deep(n + 1) }}\n{build}fn {phase}(ctx) {{\n{body}}}\n")
    }

    fn model(&self) -> Model {
        Model { deploys: self.deploys, approved: self.approved, ..Model::default() }
    }

    fn agrees(&self) {
        let told = Model::end(self.model(), &self.nodes);
        let most = Model::end(Model { all_run: true, ..self.model() }, &self.nodes);
        let repo = TestRepo::new();
        repo.write(".tinyci.rhai", self.text());
        repo.commit("script");
        let (executor, engine) = self.engine(&repo);
        // Only a real run can be canceled.
        if !self.text().contains("\"stop ") {
            self.plan_agrees(&engine);
            self.test_agrees(&engine, &repo, &told);
        }
        self.run_agrees(&engine, &executor, &told, &most);
    }

    #[track_caller]
    fn same<T: PartialEq + std::fmt::Debug>(&self, what: &str, found: T, expected: T) {
        let (seed, text) = (self.seed, self.text());
        assert_eq!(found, expected, "{what}, seed {seed}:\n{text}");
    }

    fn engine(&self, repo: &TestRepo) -> (Scripted, Engine) {
        let programs = repo.outside().join("programs");
        fs::create_dir(&programs).unwrap();
        for (name, body) in [
            ("ok", "exit 0"),
            ("red", "exit 1"),
            ("odd", "exit 3"),
            ("tried", "exit 5"),
            ("slow", "exec sleep 60"),
            ("stop", "exec sleep 60"),
        ] {
            let file = programs.join(name);
            fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        let path = format!("{}:{}", programs.display(), std::env::var("PATH").unwrap());
        let local = self.real_processes.then(Arc::default);
        let executor = Scripted { local, ..Scripted::default() };
        let mut builder = Engine::builder(repo.path()).job_timeout(PATIENCE).env("PATH", path);
        if self.approved {
            builder = builder.approvals(|_| Ok(Some("the program".to_owned())));
        }
        (executor.clone(), builder.executor(executor).open().unwrap())
    }

    /// A plan takes every command to pass.
    fn plan_agrees(&self, engine: &Engine) {
        if self.deploys {
            return;
        }
        let told = Model::end(Model { all_pass: true, ..self.model() }, &self.nodes);
        let dry_run = engine.dry_run("HEAD", &[]).unwrap();
        let acts = dry_run.steps.iter().flat_map(|step| &step.actions);
        let commands = acts.filter_map(|act| match act {
            Action::Command { command, .. } => Some(command.clone()),
            _ => None,
        });
        self.same("the commands of the plan", commands.collect::<Vec<_>>(), told.commands.clone());
        let outcome = dry_run.steps.first().map(|step| step.outcome);
        self.same("the outcome of the plan", outcome, Some(Some(told.outcome())));
    }

    fn test_agrees(&self, engine: &Engine, repo: &TestRepo, told: &Model) {
        let call = match self.deploys {
            true => format!("t.deploy(#{{ approved: {} }})", self.approved),
            false => "t.build()".to_owned(),
        };
        let fakes = [("red", "1"), ("odd", "3"), ("tried", "5"), ("slow", "#{ timed_out: true }")];
        let fakes = fakes.map(|(word, ending)| format!("t.fake(\"{word} *\", {ending});"));
        let test = format!(
            "fn test_it(t) {{ {} let it = {call}; t.expect(false, \"<<<\" + \
             #{{ outcome: it.outcome, commands: it.commands }}.to_json() + \">>>\"); }}",
            fakes.join(" ")
        );
        repo.write(".tinyci.test.rhai", test);
        let report = engine.test_pipeline(&TestOptions::directory(repo.path())).unwrap();
        let message = report.tests[0].failure.as_ref().unwrap().report();
        let json = message.split_once("<<<").and_then(|(_, it)| it.split_once(">>>"));
        let Some((json, _)) = json else {
            panic!("seed {}: {message}\n{}", self.seed, self.text())
        };
        let seen: serde_json::Value = serde_json::from_str(json).unwrap();
        let commands = seen["commands"].as_array().unwrap().iter();
        let commands = commands.map(|it| it.as_str().unwrap().to_owned()).collect::<Vec<_>>();
        self.same("the commands of the test", commands, told.commands.clone());
        let outcome = if told.waits { "awaiting_approval" } else { told.outcome().name() };
        self.same("the outcome of the test", seen["outcome"].as_str().unwrap(), outcome);
    }

    fn run_agrees(&self, engine: &Engine, executor: &Scripted, told: &Model, most: &Model) {
        let mut steps: Vec<StepRecord> = Vec::new();
        let mut observer = |event: &Event| {
            if let EventKind::StepFinished { record, .. } = &event.kind {
                steps.push(record.clone());
            }
        };
        let cancel = executor.cancel.clone();
        if self.deploys {
            engine
                .run(&Selection::revision("HEAD"), &CancelToken::new(), &mut |_: &Event| {})
                .unwrap();
            let request = DeployRequest::revision("HEAD");
            engine.deploy("production", request, &cancel, &mut observer).unwrap();
        } else {
            engine.run(&Selection::revision("HEAD"), &cancel, &mut observer).unwrap();
        }
        let step = steps.first().unwrap_or_else(|| panic!("no step, seed {}", self.seed));
        let mut commands = executor.noted.lock().unwrap().clone();
        if !told.raced {
            let mut expected = told.commands.clone();
            if !self.text().contains("parallel") {
                self.same("the order of the commands", commands.clone(), expected.clone());
            }
            commands.sort();
            expected.sort();
            self.same("the commands of the run", commands, expected);
            self.same("the outcome of the run", step.outcome, told.outcome());
            self.same("the labels of what failed", labels_of(step), labels(&told.failures));
            return;
        }
        let all: BTreeSet<&String> = most.commands.iter().collect();
        let more = commands.iter().find(|it| !all.contains(it));
        self.same("a command that cannot be", more, None);
        let found = rank(step.outcome);
        let least = rank(Outcome::Failure);
        // What a `try` would have caught counts where the step has ended meanwhile.
        let is_slow = commands.iter().any(|it| it.starts_with("slow"));
        let late = if is_slow { rank(Outcome::TimedOut) } else { least };
        let fits =
            least <= found && found <= rank(most.outcome()).max(rank(told.outcome())).max(late);
        self.same(
            "whether the outcome of the run can be",
            (step.outcome, fits),
            (step.outcome, true),
        );
    }
}

fn labels(failures: &[Failure]) -> Vec<String> {
    let commands = failures.iter().filter(|it| it.2);
    let mut labels: Vec<String> = commands.map(|it| it.1.clone()).collect();
    labels.sort();
    labels
}

fn labels_of(step: &StepRecord) -> Vec<String> {
    let commands = step.failures.iter().filter(|it| it.command.is_some());
    let mut labels: Vec<String> = commands.map(|it| it.label.clone().unwrap_or_default()).collect();
    labels.sort();
    labels
}

/// Ends commands as their words say, here or as real processes, and notes each.
#[derive(Clone, Default)]
struct Scripted {
    noted: Arc<Mutex<Vec<String>>>,
    cancel: CancelToken,
    local: Option<Arc<LocalExecutor>>,
}

impl Executor for Scripted {
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error> {
        let Program::Shell(text) = &command.program else { panic!("{:?}", command.program) };
        self.noted.lock().unwrap().push(text.clone());
        let word = text.split(' ').next().unwrap_or_default();
        if word == "stop" {
            self.cancel.cancel();
        }
        if let Some(local) = &self.local {
            return local.execute(command, output, cancel);
        }
        Ok(match word {
            "red" => Exit::Code(1),
            "odd" => Exit::Code(3),
            "tried" => Exit::Code(5),
            "slow" => Exit::TimedOut,
            "stop" => Exit::Canceled,
            _ => Exit::Code(0),
        })
    }
}
