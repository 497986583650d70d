//! The ways that a config can go: a real run, a dry run, and a test of the pipeline, each looked at
//! through public names alone.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    process::Stdio,
    sync::{Arc, Mutex},
};

use serde_json::{Value as Json, json};
use tinyci::{
    CancelToken, Engine, Error, Event, EventKind, Outcome, Selection, Value,
    callback::Effect,
    deploy::{ApprovalState, DeployOutcome, DeployRequest},
    executor::{CancelView, Command, Executor, Exit, LocalExecutor, Output, Program},
    plan::Action,
    record::StepRecord,
    script::TestOptions,
};

use crate::{
    steps::differential::cases::{Approver, Case, STEPS, literal},
    support::{PATIENCE, TestRepo},
};

/// Where deployments go.
const ENVIRONMENT: &str = "production";

/// Links of each commit: in, out, and to nothing.
const LINKS: [(&str, &str); 3] = [("in", "src"), ("out", "/etc"), ("lost", "nowhere")];

/// The step that does it.
const DEPLOY: &str = "deploy";

/// The outcome of a step whose dry run ends.
pub(crate) const UNKNOWN: &str = "unknown";

/// What a way through a config showed.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) outcome: String,
    pub(crate) steps: Vec<SeenStep>,
    /// None where the way does not tell the values.
    pub(crate) remembered: Option<Json>,
}

pub(crate) struct SeenStep {
    pub(crate) name: String,
    pub(crate) outcome: String,
    /// Why it is no success: the first line, without a place behind it.
    pub(crate) sentence: Option<String>,
    pub(crate) commands: Vec<SeenCommand>,
    pub(crate) warnings: Vec<String>,
    /// None where the way shows nothing of what is printed.
    pub(crate) facts: Option<Vec<String>>,
}

#[derive(Clone)]
pub(crate) struct SeenCommand {
    pub(crate) text: String,
    pub(crate) label: Option<String>,
    /// How it ended, where that was not decided beforehand.
    pub(crate) exit: Option<Exit>,
    /// True if what follows depends on what it writes, and nobody knows that.
    pub(crate) decides: bool,
}

/// How one ended is compared by what follows.
impl PartialEq for SeenCommand {
    fn eq(&self, other: &Self) -> bool {
        (&self.text, &self.label) == (&other.text, &other.label)
    }
}

/// A line for each thing that was seen.
impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in &self.steps {
            let reason = step.sentence.as_deref().unwrap_or_default();
            writeln!(f, "  {} {} {reason}", step.name, step.outcome)?;
            for command in &step.commands {
                let label = command.label.as_deref().map(|it| format!("[{it}] "));
                let exit = command.exit.filter(|exit| !exit.outcome().passed());
                let exit = exit.map(|exit| format!("  ({exit})"));
                let (label, exit) = (label.unwrap_or_default(), exit.unwrap_or_default());
                writeln!(f, "    {label}$ {}{exit}", command.text)?;
            }
            let told = step.warnings.iter().chain(step.facts.iter().flatten());
            told.into_iter().try_for_each(|line| writeln!(f, "    > {line}"))?;
        }
        writeln!(f, "  {} {}", self.outcome, self.remembered.clone().unwrap_or_default())
    }
}

/// A repository whose last commit holds the config. The script also stands in its work tree, for
/// the tests beside it.
pub(crate) fn repository(case: &Case) -> TestRepo {
    let repo = TestRepo::new();
    let mut import = repo.command();
    import.args(["fast-import", "--quiet"]).stdin(Stdio::piped());
    let mut import = import.spawn().unwrap();
    import.stdin.take().unwrap().write_all(history(case).as_bytes()).unwrap();
    assert!(import.wait().unwrap().success(), "{}", history(case));
    repo.write(".git/HEAD", format!("ref: refs/heads/{}\n", case.world.branch));
    repo.write(case.file(), &case.config);
    // Whoever approves has a name.
    let config = repo.path().join(".git/config");
    let known = fs::read_to_string(&config).unwrap();
    fs::write(config, known + "[user]\n\tname = Ada\n\temail = ada@example.org\n").unwrap();
    repo
}

/// The commits, the parent's verdict and the tag, as git imports them.
fn history(case: &Case) -> String {
    let world = &case.world;
    let mut all = String::new();
    let files = ["src/a", "docs/b", "README"];
    if let Some(verdict) = world.parent {
        all += &imported_commit("refs/heads/main", 1, 1_500_000_000, "parent");
        all.extend(files.map(|name| imported_file(name, "before")));
        all.extend(LINKS.map(|(name, target)| imported_link(name, target)));
        if let Some(word) = verdict {
            all += &imported_commit("refs/notes/tinyci-result", 2, 1_500_000_030, "a verdict");
            all += &format!("N inline :1\n{}", data(word));
        }
    }
    let branch = format!("refs/heads/{}", world.branch);
    all += &imported_commit(&branch, 3, 1_500_000_060, world.message);
    match world.parent {
        Some(_) => all += "from :1\n",
        None => {
            all.extend(files.map(|name| imported_file(name, "before")));
            all.extend(LINKS.map(|(name, target)| imported_link(name, target)));
        }
    }
    all.extend(world.changed.iter().map(|name| imported_file(name, "after")));
    all += &imported_file(case.file(), &case.config);
    if let Some(tag) = world.tag {
        all += &format!("reset refs/tags/{tag}\nfrom :3\n");
    }
    all
}

fn imported_commit(reference: &str, mark: u8, time: i64, message: &str) -> String {
    let person = format!("Ada <ada@example.org> {time} +0000\n");
    let message = data(&format!("{message}\n"));
    format!("commit {reference}\nmark :{mark}\nauthor {person}committer {person}{message}")
}

fn imported_file(name: &str, text: &str) -> String {
    format!("M 100644 inline {name}\n{}", data(text))
}

fn imported_link(name: &str, target: &str) -> String {
    format!("M 120000 inline {name}\n{}", data(target))
}

fn data(text: &str) -> String {
    format!("data {}\n{text}\n", text.len())
}

/// An engine on it, whose commands end as their texts say.
pub(crate) fn engine(case: &Case, repo: &TestRepo, executor: Scripted) -> Engine {
    let secrets = repo.outside().join("secrets");
    fs::create_dir(&secrets).unwrap();
    fs::set_permissions(&secrets, fs::Permissions::from_mode(0o700)).unwrap();
    if case.world.has_secret {
        let token = secrets.join("TOKEN");
        fs::write(&token, "a token of some length").unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let refs = if case.world.may_have_secrets { "refs/heads/*" } else { "refs/heads/other" };
    let programs = executor.programs(repo);
    let mut builder = Engine::builder(repo.path());
    if case.approver == Approver::Program {
        builder = builder.approvals(|_| Ok(Some("the program".to_owned())));
    }
    if !case.is_script {
        builder = builder.var("release", "42").var("odd", "a b");
    }
    builder
        .job_timeout(PATIENCE)
        .function("same", 1..=2, Effect::Pure, "", |call| match &call[..] {
            [Value::String(text)] if text == "refused" => Err("as it was asked to".into()),
            [value, ..] => Ok(value.clone()),
            [] => Ok(Value::Null),
        })
        .function("told", 1..=1, Effect::External, "", |_| Ok(Value::Null))
        .env("DIFF_SET", "yes")
        .env("PATH", programs)
        .setting("secretsDir", secrets.to_str().unwrap())
        .setting("secretRefs", refs)
        .executor(executor)
        .open()
        .unwrap()
}

/// Runs commands as they say themselves, here or as real processes, and notes each.
#[derive(Clone, Default)]
pub(crate) struct Scripted {
    noted: Arc<Mutex<Vec<(String, SeenCommand)>>>,
    local: Option<Arc<LocalExecutor>>,
}

impl Scripted {
    /// One that starts real processes.
    pub(crate) fn real() -> Self {
        Self { local: Some(Arc::default()), ..Self::default() }
    }

    /// The `PATH` of commands, with a program for each word that they begin with.
    fn programs(&self, repo: &TestRepo) -> String {
        let dir = repo.outside().join("programs");
        fs::create_dir(&dir).unwrap();
        let (dir, state) = (dir.display(), repo.outside());
        let programs = [
            ("ok", "exit 0".to_owned()),
            ("bad", "echo \"out of $2\"; exit \"$1\"".to_owned()),
            ("say", "echo \"$1\"".to_owned()),
            ("slow", "exec sleep 60".to_owned()),
            (
                "flaky",
                format!(
                    "[ -e '{0}/$2' ] && exit 0; touch '{0}/$2'; echo \"out of $2\"; exit 1",
                    state.display()
                )
                .replace("$2'", "'\"$2\""),
            ),
        ];
        for (name, body) in programs {
            let file = format!("{dir}/{name}");
            fs::write(&file, format!("#!/bin/sh\n{body}\n")).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        }
        format!("{dir}:{}", std::env::var("PATH").unwrap())
    }

    /// How a command ends, and what it writes to standard output.
    fn ending(&self, text: &str) -> (Exit, String) {
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["ok", ..] => (Exit::Code(0), String::new()),
            ["bad", code, id, ..] => (Exit::Code(code.parse().unwrap()), format!("out of {id}\n")),
            ["say", word, ..] => (Exit::Code(0), format!("{word}\n")),
            ["slow", ..] => (Exit::TimedOut, String::new()),
            ["flaky", _, id, ..] => {
                let noted = self.noted.lock().unwrap();
                let begin = format!("flaky 2 {id}");
                match noted.iter().any(|(_, command)| command.text.starts_with(&begin)) {
                    true => (Exit::Code(0), String::new()),
                    false => (Exit::Code(1), format!("out of {id}\n")),
                }
            }
            _ => panic!("a command that no case has: {text}"),
        }
    }
}

impl Executor for Scripted {
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error> {
        let text = match &command.program {
            Program::Shell(text) => text.clone(),
            Program::Argv(words) => words.join(" "),
            other => other.to_string(),
        };
        let exit = match &self.local {
            Some(local) => local.execute(command, output, cancel)?,
            // As the local one does where there is no such folder.
            None if !command.cwd.is_dir() => Exit::Code(127),
            None => {
                let (exit, written) = self.ending(&text);
                output(Output::stdout(written));
                exit
            }
        };
        let context = command.context.as_ref().expect("where the command comes from");
        let label = context.label.as_deref().map(str::to_owned);
        let seen = SeenCommand { text: shown(&text), label, exit: Some(exit), decides: false };
        self.noted.lock().unwrap().push((context.step.to_string(), seen));
        Ok(exit)
    }
}

/// A command as dry runs and tests show it: its first line.
fn shown(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default();
    if lines.next().is_some() { format!("{first} …") } else { first.to_owned() }
}

/// The first line of a reason, without the place that tests put behind it.
fn sentence(reason: &str) -> String {
    let first = reason.lines().next().unwrap_or_default();
    let intros = ["skipped: ", "awaiting approval: "];
    let first = intros.iter().find_map(|intro| first.strip_prefix(intro)).unwrap_or(first);
    match first.rsplit_once(" (.tinyci.rhai:") {
        Some((sentence, place)) if place.ends_with(')') => sentence.to_owned(),
        _ => first.to_owned(),
    }
}

/// What an observer was told, by step.
#[derive(Default)]
struct Watch {
    printed: BTreeMap<String, Vec<u8>>,
    warnings: BTreeMap<String, Vec<String>>,
    records: Vec<StepRecord>,
}

impl Watch {
    fn event(&mut self, event: &Event) {
        let step = event.meta.step.map(|step| step.to_string()).unwrap_or_default();
        match &event.kind {
            EventKind::Output { bytes, .. } => self.printed.entry(step).or_default().extend(bytes),
            EventKind::Warning { message, .. } if message.starts_with("w n") => {
                self.warnings.entry(step).or_default().push(message.clone());
            }
            EventKind::StepFinished { record, .. } => self.records.push(record.clone()),
            _ => {}
        }
    }

    fn steps(mut self, scripted: &Scripted) -> Vec<SeenStep> {
        let noted = scripted.noted.lock().unwrap();
        let steps = self.records.iter().map(|step| {
            let name = step.name.to_string();
            let commands = noted.iter().filter(|(of, _)| *of == name).map(|(_, it)| it.clone());
            let text = self.printed.remove(&name).unwrap_or_default();
            SeenStep {
                outcome: step.outcome.to_string(),
                sentence: step.error.as_deref().map(sentence),
                commands: last_attempts(commands),
                warnings: self.warnings.remove(&name).unwrap_or_default(),
                facts: Some(facts(String::from_utf8_lossy(&text).lines())),
                name,
            }
        });
        steps.collect()
    }
}

/// A real run.
pub(crate) fn run(engine: &Engine, scripted: &Scripted) -> Seen {
    let mut watch = Watch::default();
    let mut observer = |event: &Event| watch.event(event);
    let summary = engine.run(&Selection::revision("HEAD"), &CancelToken::new(), &mut observer);
    let summary = summary.unwrap();
    let [record] = &summary.records[..] else { panic!("not one attempt: {summary:#?}") };
    let remembered = record.remembered.iter().map(|(key, value)| (key.clone(), json_of(value)));
    let remembered = Some(Json::Object(remembered.collect()));
    Seen { outcome: record.outcome.to_string(), steps: watch.steps(scripted), remembered }
}

/// A real deployment of the last commit, and whether it waits or somebody approved of it.
pub(crate) fn deploy(engine: &Engine, case: &Case, scripted: &Scripted) -> (Seen, bool) {
    let mut watch = Watch::default();
    let mut observer = |event: &Event| watch.event(event);
    let ended = engine.deploy(ENVIRONMENT, request(case), &CancelToken::new(), &mut observer);
    let (outcome, asked) = match ended {
        Ok(ended) => {
            let asked =
                ended.approved_by.is_some() || ended.outcome == DeployOutcome::AwaitingApproval;
            (ended.outcome.to_string(), asked)
        }
        Err(error) => (error.report(), false),
    };
    (Seen { outcome, steps: watch.steps(scripted), remembered: None }, asked)
}

/// Has somebody approve of the last commit, whatever its config says.
pub(crate) fn approve(engine: &Engine) {
    // A config that does not deploy there has nothing to be approved.
    drop(engine.approve(ENVIRONMENT, "HEAD"));
}

fn request(case: &Case) -> DeployRequest {
    DeployRequest::revision("HEAD").force(case.forced)
}

/// Commands by their last attempts, each where the first was.
fn last_attempts(commands: impl Iterator<Item = SeenCommand>) -> Vec<SeenCommand> {
    let mut all: Vec<SeenCommand> = Vec::new();
    for command in commands {
        match all.iter_mut().find(|known| known.text == command.text) {
            Some(known) => known.exit = command.exit,
            None => all.push(command),
        }
    }
    all
}

/// The lines that tell facts, without what commands wrote.
fn facts<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let fact = |line: &&str| line.starts_with("fact ") || line.contains("] fact ");
    lines.filter(fact).map(|line| line.trim_end().to_owned()).collect()
}

fn json_of(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => json!(truth),
        Value::Int(number) => json!(number),
        Value::Float(number) => json!(number),
        Value::String(text) => json!(text),
        Value::Array(list) => list.iter().map(json_of).collect(),
        Value::Map(map) => {
            Json::Object(map.iter().map(|(key, value)| (key.clone(), json_of(value))).collect())
        }
        other => panic!("a value that no case has: {other:?}"),
    }
}

/// A dry run.
pub(crate) fn plan(engine: &Engine) -> Seen {
    let said = ["alpha", "beta"].map(|word| (format!("say {word} *"), format!("{word}\n")));
    let dry_run = engine.dry_run("HEAD", &said).unwrap();
    let steps = dry_run.steps.iter().map(|step| {
        let commands = step.actions.iter().filter_map(|act| match act {
            Action::Command { command, label, .. } => Some(SeenCommand {
                text: command.clone(),
                label: label.clone(),
                exit: None,
                decides: false,
            }),
            _ => None,
        });
        SeenStep {
            name: step.name.to_string(),
            outcome: outcome_word(step.outcome),
            sentence: step.reason.as_deref().filter(|it| !is_of_command(it)).map(sentence),
            commands: last_attempts(commands),
            warnings: step.actions.iter().filter_map(|act| warning(&act.to_string())).collect(),
            facts: None,
        }
    });
    Seen { outcome: outcome_word(dry_run.outcome), steps: steps.collect(), remembered: None }
}

/// What a plan says of an outcome.
fn outcome_word(outcome: Option<Outcome>) -> String {
    outcome.map_or(UNKNOWN.to_owned(), |outcome| outcome.to_string())
}

/// Whether a plan says why a command in YAML fails: what a run says in the log alone.
fn is_of_command(reason: &str) -> bool {
    reason.starts_with('`') && reason.contains("` failed with status ")
}

/// The plan of a deployment of the last commit, and what becomes of approvals.
pub(crate) fn plan_deploy(engine: &Engine, case: &Case) -> (Seen, ApprovalState) {
    let plan = match engine.deploy_plan(ENVIRONMENT, request(case)) {
        Ok(plan) => plan,
        Err(error) => {
            return (Seen { outcome: error.report(), ..Seen::default() }, ApprovalState::NotNeeded);
        }
    };
    let [step] = &*plan.steps else { panic!("a deployment has one step: {:?}", plan.steps) };
    let sentence = step.outcome.and(step.reason.as_deref()).map(sentence);
    let outcome = outcome_word(step.outcome);
    let actions: Vec<String> = step.actions.iter().map(ToString::to_string).collect();
    let mut commands = last_attempts(actions.iter().filter_map(|act| command(act)));
    // No plan of a deployment assumes what they write.
    commands.iter_mut().for_each(|it| it.decides = it.text.starts_with("say "));
    let step = SeenStep {
        name: DEPLOY.to_owned(),
        outcome: outcome.clone(),
        sentence,
        commands,
        warnings: actions.iter().filter_map(|act| warning(act)).collect(),
        facts: None,
    };
    let outcome = of_deployment(&outcome);
    (Seen { outcome, steps: vec![step], remembered: None }, plan.approval)
}

/// The outcome of a deployment, of which that of its step is not all.
fn of_deployment(step: &str) -> String {
    let known = step.parse::<DeployOutcome>();
    known.unwrap_or(DeployOutcome::Failure).to_string()
}

/// The text of `warn("…")`.
fn warning(act: &str) -> Option<String> {
    Some(act.strip_prefix("warn(\"")?.strip_suffix("\")")?.to_owned())
}

/// A test of the pipeline with the same commit. It tells all that it saw by failing.
pub(crate) fn test(engine: &Engine, case: &Case, repo: &TestRepo) -> Seen {
    let commit = commit_map(case, repo, vec!["trigger: \"named\"".to_owned()]);
    tested(engine, case, repo, &format!("t.run({commit})"), "run.step(name)")
}

/// A test of the deployment of the same commit after a run.
pub(crate) fn test_deploy(engine: &Engine, case: &Case, repo: &TestRepo, run: &Seen) -> Seen {
    let results = run.steps.iter().filter(|step| matches!(&*step.name, "build" | "test"));
    let results: Vec<String> =
        results.map(|step| format!("{}: {}", step.name, literal(&step.outcome))).collect();
    let remembered = run.remembered.as_ref().map(Json::to_string).unwrap_or_default();
    let more = vec![
        "trigger: \"deploy\"".to_owned(),
        format!("environment: {}", literal(ENVIRONMENT)),
        format!("approved: {}", case.approver != Approver::Nobody),
        format!("result: #{{ {} }}", results.join(", ")),
        format!("remembered: parse_json({})", literal(&remembered)),
    ];
    let commit = commit_map(case, repo, more);
    let mut seen = tested(engine, case, repo, &format!("t.deploy({commit})"), "run");
    seen.outcome = of_deployment(&seen.outcome);
    seen.remembered = None;
    for step in &mut seen.steps {
        step.name = DEPLOY.to_owned();
        if step.outcome == DeployOutcome::AwaitingApproval.to_string() {
            step.outcome = Outcome::Skipped.to_string();
        }
    }
    seen
}

/// What a test saw of what it calls: of each step in turn, or of the only one.
fn tested(engine: &Engine, case: &Case, repo: &TestRepo, call: &str, step: &str) -> Seen {
    repo.write(".tinyci.test.rhai", test_script(case, call, step));
    let report = engine.test_pipeline(&TestOptions::directory(repo.path())).unwrap();
    let failure = report.tests[0].failure.as_ref().expect("it always fails");
    let message = failure.message();
    let told = message.split_once("<<<").and_then(|(_, it)| it.split_once(">>>"));
    let Some((told, _)) = told else {
        return Seen { outcome: format!("no result: {}", failure.report()), ..Seen::default() };
    };
    let told: Json = serde_json::from_str(told).unwrap();
    let steps = told["steps"].as_array().unwrap().iter().map(|step| {
        let acts = texts(&step["actions"]);
        SeenStep {
            name: step["name"].as_str().unwrap().to_owned(),
            outcome: step["outcome"].as_str().unwrap().to_owned(),
            sentence: step["reason"].as_str().map(sentence),
            commands: last_attempts(acts.iter().filter_map(|act| command(act))),
            warnings: texts(&step["warnings"]),
            facts: Some(facts(texts(&step["output"]).iter().map(String::as_str))),
        }
    });
    Seen {
        outcome: told["outcome"].as_str().unwrap().to_owned(),
        steps: steps.collect(),
        remembered: Some(told["remembered"].clone()),
    }
}

fn texts(list: &Json) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// The command of a line such as `[label] $ command`.
fn command(act: &str) -> Option<SeenCommand> {
    let (label, text) = match act.strip_prefix("$ ") {
        Some(text) => (None, text),
        None => {
            let (label, text) = act.strip_prefix('[')?.split_once("] $ ")?;
            (Some(label.to_owned()), text)
        }
    };
    let text = text.split("  (assuming ").next().unwrap_or_default();
    Some(SeenCommand { text: shown(text), label, exit: None, decides: false })
}

fn test_script(case: &Case, call: &str, step: &str) -> String {
    let fakes: String = case
        .endings
        .iter()
        .map(|(begin, ending)| {
            format!("    t.fake({}, {ending});\n", literal(&format!("{begin}*")))
        })
        .collect();
    let names = if step == "run" { &["deploy"][..] } else { &STEPS };
    let steps: Vec<String> = names.iter().map(|name| literal(name)).collect();
    format!(
        "fn test_it(t) {{\n{fakes}    let run = {call};\n    let steps = [];\n    \
         for name in [{}] {{\n        try {{\n            let it = {step};\n            \
         steps.push(#{{ name: name, outcome: it.outcome, reason: it.reason, actions: it.actions, \
         output: it.output, warnings: it.warnings }});\n        }} catch {{ }}\n    }}\n    \
         let told = #{{ outcome: run.outcome, steps: steps, remembered: run.remembered }};\n    \
         t.expect(false, \"<<<\" + told.to_json() + \">>>\");\n}}\n",
        steps.join(", ")
    )
}

/// The commit of the repository, as a test makes it up.
fn commit_map(case: &Case, repo: &TestRepo, more: Vec<String>) -> String {
    let shown = repo.git(&["show", "-s", "--format=%H %T %P", "HEAD"]);
    let mut ids = shown.split(' ');
    let [id, tree, parent] = std::array::from_fn(|_| ids.next().unwrap_or_default());
    let subject = case.world.message.lines().next().unwrap_or_default();
    let list = |texts: &[&str]| {
        let texts: Vec<String> = texts.iter().map(|text| literal(text)).collect();
        format!("[{}]", texts.join(", "))
    };
    let world = &case.world;
    let mut entries = vec![
        format!("commit: {}", literal(id)),
        format!("tree: {}", literal(tree)),
        "author: \"Ada <ada@example.org>\"".to_owned(),
        "time: 1500000060".to_owned(),
        format!("parents: {}", list(&parent.split_whitespace().collect::<Vec<_>>())),
        format!("subject: {}", literal(subject)),
        format!("message: {}", literal(&format!("{}\n", world.message))),
        format!("branch: {}", literal(world.branch)),
        format!("tags: {}", list(&world.tag.into_iter().collect::<Vec<_>>())),
        "programs: []".to_owned(),
        "env: #{ DIFF_SET: \"yes\" }".to_owned(),
    ];
    entries.extend(more);
    if let Some(Some(word)) = world.parent {
        entries.push(format!("previous: {}", literal(word)));
    }
    if world.has_base() {
        let mut changed = [&world.changed[..], &[case.file()]].concat();
        changed.sort_unstable();
        entries.push(format!("base: {}", literal(parent)));
        entries.push(format!("changes: {}", list(&changed)));
    }
    format!("#{{ {} }}", entries.join(", "))
}
