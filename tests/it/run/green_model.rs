//! The rule of green as a model, and random histories that are replayed on the program.
//!
//! The model knows nothing of refs that moved or of caches: after every push it works out anew what
//! each commit must have come to.

use std::collections::{BTreeMap, BTreeSet};

use tinyci::{
    CancelToken, Engine, Event, Outcome, Record, Selection, deploy::DeployRequest,
    pipeline::StepName,
};

use crate::support::TestRepo;

/// Numbers that a seed fixes.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    fn of<'a>(&mut self, items: &[&'a str]) -> &'a str {
        items[self.below(items.len())]
    }
}

/// The conditions of a phase; an empty one is not set.
#[derive(Clone, Copy, Debug, Default)]
struct When {
    branch: &'static str,
    tag: bool,
    message: bool,
    changed: bool,
}

#[derive(Debug, PartialEq)]
enum Says {
    Run,
    Passed,
    Skip,
}

impl When {
    fn of(dice: &mut Dice) -> Self {
        Self {
            branch: dice.of(&["", "", "main", "topic", "release"]),
            tag: dice.below(4) == 0,
            message: dice.below(4) == 0,
            changed: dice.below(3) == 0,
        }
    }

    fn yaml(self) -> String {
        let mut when = Vec::new();
        when.extend((!self.branch.is_empty()).then(|| format!("branch: {}", self.branch)));
        when.extend(self.tag.then(|| "tag: 'v*'".to_owned()));
        when.extend(self.message.then(|| "message: '!*skip*'".to_owned()));
        when.extend(self.changed.then(|| "changed: 'src/**'".to_owned()));
        if when.is_empty() { String::new() } else { format!(", when: {{{}}}", when.join(", ")) }
    }

    fn says(self, commit: &Commit, branch: &str, tags: bool, changed: bool, retry: bool) -> Says {
        if self.changed && !changed && !retry {
            return Says::Passed;
        }
        let skips = (!self.branch.is_empty() && self.branch != branch)
            || (self.tag && !tags)
            || (self.message && commit.skips && !retry);
        if skips { Says::Skip } else { Says::Run }
    }
}

#[derive(Clone, Debug, Default)]
struct Commit {
    id: String,
    parent: Option<usize>,
    in_src: bool,
    skips: bool,
    broken: bool,
    verdict: Option<Outcome>,
    branch: String,
    ran: BTreeSet<usize>,
    /// Those that the last job left out because nothing had changed.
    passed: BTreeSet<usize>,
    /// Jobs since the last retry, and in all but for retries.
    jobs: usize,
    all_jobs: usize,
    is_over: bool,
}

/// What the program must do.
struct Model {
    phases: [When; 2],
    commits: Vec<Commit>,
    branches: BTreeMap<&'static str, usize>,
    tags: BTreeMap<String, usize>,
}

impl Model {
    fn tagged(&self, commit: usize) -> bool {
        self.tags.iter().any(|(name, it)| name.starts_with('v') && *it == commit)
    }

    fn below(&self, tip: usize) -> Vec<usize> {
        std::iter::successors(Some(tip), |it| self.commits[*it].parent).collect()
    }

    /// Whether something below `src` changed since the nearest green ancestor.
    fn changed(&self, commit: usize) -> bool {
        for id in self.below(commit) {
            if id != commit && self.commits[id].verdict == Some(Outcome::Success) {
                return false;
            }
            if self.commits[id].in_src || self.commits[id].parent.is_none() {
                return true;
            }
        }
        true
    }

    fn job(&mut self, id: usize, branch: &str, retry: bool) {
        let (tags, changed) = (self.tagged(id), self.changed(id));
        let mut commit = self.commits[id].clone();
        if retry {
            (commit.jobs, commit.is_over) = (0, false);
        } else {
            commit.all_jobs += 1;
        }
        let known = commit.ran.len();
        let mut outcome = Outcome::Success;
        commit.passed.clear();
        for (phase, when) in self.phases.iter().enumerate() {
            match when.says(&commit, branch, tags, changed, retry) {
                Says::Passed => {
                    commit.passed.insert(phase);
                }
                Says::Skip => outcome = Outcome::Skipped,
                Says::Run => {
                    commit.ran.insert(phase);
                    if phase == 1 && commit.broken {
                        outcome = Outcome::Failure;
                    }
                }
            }
        }
        commit.is_over |= commit.jobs > 0 && commit.ran.len() == known;
        commit.jobs += 1;
        (commit.verdict, commit.branch) = (Some(outcome), branch.to_owned());
        self.commits[id] = commit;
    }

    /// A push of one ref to a commit: first what is new, then what is tested again.
    fn push(&mut self, name: &str, tip: usize, is_tag: bool, is_new: bool) {
        let mut new = self.below(tip);
        new.retain(|id| self.commits[*id].verdict.is_none());
        for id in new.iter().rev() {
            let on_main = self.branches.get("main").is_some_and(|it| self.below(*it).contains(id));
            let branch = if on_main && (is_tag || is_new) { "main" } else { name };
            self.job(*id, branch, false);
        }
        for id in (0..self.commits.len()).filter(|id| !new.contains(id)) {
            // A run goes on until no ref requests a job, so each branch can add what it runs.
            while let Some(branch) = self.again(id, is_tag && tip == id) {
                self.job(id, &branch, false);
            }
        }
    }

    /// The branch for which a commit is tested again, if it is.
    fn again(&self, id: usize, is_tagged_now: bool) -> Option<String> {
        let commit = &self.commits[id];
        if commit.verdict != Some(Outcome::Skipped) || commit.is_over {
            return None;
        }
        let mut refs: Vec<&str> =
            self.branches.iter().filter(|(_, tip)| **tip == id).map(|(name, _)| *name).collect();
        refs.sort_by_key(|name| *name != "main");
        // A pushed tag requests a job itself, for the branch of the last job.
        let own = is_tagged_now.then_some(commit.branch.as_str());
        refs.retain(|name| Some(*name) != own);
        let runs_on = |branch: &&str| {
            let tags = self.tagged(id);
            let says = |when: &When| when.says(commit, branch, tags, true, false);
            let mut phases = self.phases.iter().enumerate();
            let lacks =
                |phase: usize| !commit.ran.contains(&phase) && !commit.passed.contains(&phase);
            phases.any(|(phase, when)| lacks(phase) && says(when) == Says::Run)
        };
        refs.into_iter().chain(own).find(runs_on).map(str::to_owned)
    }

    fn retry(&mut self, id: usize) {
        let mut names: Vec<&str> = self.branches.keys().copied().collect();
        names.sort_by_key(|name| *name != "main");
        let on = names.into_iter().find(|name| self.below(self.branches[name]).contains(&id));
        self.job(id, on.unwrap_or_default(), true);
    }
}

/// The program beside the model.
struct Replay {
    server: TestRepo,
    client: TestRepo,
    engine: Engine,
    model: Model,
}

impl Replay {
    fn new(phases: [When; 2]) -> Self {
        let (server, client) = (TestRepo::bare(), TestRepo::new());
        client.git(&["remote", "add", "origin", server.path().to_str().unwrap()]);
        let config = format!(
            "build: {{run: 'true'{}}}\ntest: {{run: test ! -e broken{}}}\n\
             deploy: {{run: 'true', branch: main}}\n",
            phases[0].yaml(),
            phases[1].yaml()
        );
        client.write(".tinyci.yml", config);
        let engine = Engine::open(server.path()).unwrap();
        let (branches, tags) = (BTreeMap::new(), BTreeMap::new());
        let model = Model { phases, commits: Vec::new(), branches, tags };
        Self { server, client, engine, model }
    }

    fn run(&self, selection: &Selection) {
        let summary = self.engine.run(selection, &CancelToken::new(), &mut |_: &Event| {});
        assert_eq!(summary.unwrap().error, None);
    }

    /// Pushes a ref by both.
    fn push(&mut self, reference: &str, tip: usize) {
        let new = self.model.commits[tip].id.clone();
        let old = self.server.try_git(&["rev-parse", "-q", "--verify", reference]);
        let old = String::from_utf8_lossy(&old.stdout).trim().to_owned();
        self.client.git(&["push", "-q", "origin", &format!("{new}:{reference}")]);
        let was = if old.is_empty() { "0".repeat(40) } else { old.clone() };
        self.run(&Selection::hook_lines(format!("{was} {new} {reference}\n")).unwrap());
        let name = reference.rsplit('/').next().unwrap();
        self.model.push(name, tip, reference.starts_with("refs/tags/"), old.is_empty());
    }

    fn commit(&mut self, dice: &mut Dice, branch: &'static str) {
        let parent = self.model.branches.get(branch).copied();
        let number = self.model.commits.len();
        let was_broken = parent.is_some_and(|it| self.model.commits[it].broken);
        if let Some(parent) = parent {
            self.client.git(&["checkout", "-q", "--detach", &self.model.commits[parent].id]);
        }
        let in_src = dice.below(2) == 0 || parent.is_none();
        let skips = dice.below(4) == 0;
        let broken = was_broken != (dice.below(5) == 0);
        self.client.write(if in_src { "src/f" } else { "doc" }, number.to_string());
        match (was_broken, broken) {
            (false, true) => self.client.write("broken", ""),
            (true, false) => std::fs::remove_file(self.client.path().join("broken")).unwrap(),
            _ => {}
        }
        let message = if skips { format!("{number} [skip ci]") } else { number.to_string() };
        let id = self.client.commit(&message);
        self.model.commits.push(Commit { id, parent, in_src, skips, broken, ..Commit::default() });
        self.model.branches.insert(branch, number);
        self.push(&format!("refs/heads/{branch}"), number);
    }

    fn step(&mut self, dice: &mut Dice) -> String {
        let names: Vec<&'static str> = self.model.branches.keys().copied().collect();
        let known = names[dice.below(names.len())];
        let any = dice.of(&["main", "release", "topic"]);
        let any = ["main", "release", "topic"].into_iter().find(|it| *it == any).unwrap();
        let id = dice.below(self.model.commits.len());
        match dice.below(8) {
            0..3 => {
                self.commit(dice, known);
                format!("commit on {known}")
            }
            3 | 4 => {
                // A new branch, or one that is moved on to another's commit.
                let tip = self.model.branches[known];
                let old = self.model.branches.get(any).copied();
                if old.is_none_or(|old| old != tip && self.model.below(tip).contains(&old)) {
                    self.model.branches.insert(any, tip);
                    self.push(&format!("refs/heads/{any}"), tip);
                }
                format!("{any} to {known}")
            }
            5 | 6 => {
                let name = format!("{}{}", dice.of(&["v", "x"]), self.model.tags.len());
                self.model.tags.insert(name.clone(), id);
                self.push(&format!("refs/tags/{name}"), id);
                format!("tag {name} at {id}")
            }
            _ => {
                self.run(&Selection::revision(&self.model.commits[id].id).retry(true));
                self.model.retry(id);
                format!("retry {id}")
            }
        }
    }

    fn records(&self, commit: &str) -> Vec<Record> {
        let text = self.server.git(&["notes", "--ref", "runs/tinyci", "show", commit]);
        text.lines().map(|line| Record::from_json(line).unwrap()).collect()
    }

    /// What would be deployed is green, and what its branch once was.
    fn check_deployment(&self, history: &str) {
        let plan = self.engine.deploy_plan("production", DeployRequest::newest());
        let Ok(plan) = plan else { return };
        let id = plan.commit.id.to_string();
        let line = self.model.below(self.model.branches["main"]);
        let commits = line.into_iter().map(|it| &self.model.commits[it]);
        let found = commits.filter(|it| it.id == id).map(|it| it.verdict).next();
        assert_eq!(found, Some(Some(Outcome::Success)), "{id} would be deployed {history}");
    }

    fn check(&self, history: &str) {
        self.check_deployment(history);
        for (number, commit) in self.model.commits.iter().enumerate() {
            let word = self.server.verdict(&commit.id);
            let expected = commit.verdict.unwrap().verdict().unwrap().as_str();
            assert_eq!(word.as_deref(), Some(expected), "commit {number} {history}");
            let records = self.records(&commit.id);
            let of_refs = records.iter().filter(|it| it.trigger.as_deref() != Some("retry"));
            assert_eq!(of_refs.count(), commit.all_jobs, "commit {number} {history}");
            if expected == "success" {
                let last = records.last().unwrap();
                for phase in ["build", "test"].map(|it| it.parse::<StepName>().unwrap()) {
                    let ran = last.step(phase).is_some_and(|it| it.outcome == Outcome::Success);
                    let unchanged = |it: &tinyci::record::LeftOut| {
                        it.step == phase && it.by == tinyci::record::LeftOutBy::Changed
                    };
                    let counts = ran || last.left_out.iter().any(unchanged);
                    assert!(counts, "commit {number} is green without its {phase} {history}");
                }
            }
        }
    }
}

fn replay(seed: u64) {
    let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1);
    let mut replay = Replay::new([When::of(&mut dice), When::of(&mut dice)]);
    let mut history = format!("of seed {seed}: {:?}", replay.model.phases);
    replay.commit(&mut dice, "main");
    for _ in 0..8 + dice.below(6) {
        history = format!("{history}\n  {}", replay.step(&mut dice));
        replay.check(&history);
    }
    let most = replay.model.commits.iter().map(|it| it.all_jobs).max().unwrap();
    let retried = history.contains("retry");
    assert!(most <= 3 || retried, "a commit has {most} jobs {history}");
}

#[test]
fn histories_end_as_the_model_says() {
    (0..12).for_each(replay);
}

#[test]
#[ignore = "takes minutes: see .ci/long"]
fn many_histories_end_as_the_model_says() {
    std::thread::scope(|scope| {
        for part in 0..2 {
            scope.spawn(move || (0..750).for_each(|it| replay(1000 + 2 * it + part)));
        }
    });
}
