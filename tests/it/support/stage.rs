//! A repository with an engine on it, and the one way in which these tests look at a run.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

use tinyci::{
    CancelToken, CommitId, Engine, EngineBuilder, Event, EventKind, Outcome, Record, Selection,
    Summary,
};

use crate::support::{PATIENCE, TestRepo, eventually};

/// A loop for a command that waits until the test calls [`Stage::open_gate`].
pub(crate) const GATE: &str = "touch @/waiting; until [ -e @/open ]; do sleep 0.01; done";

/// A repository, and a folder around it in which commands leave traces.
pub(crate) struct Stage {
    pub(crate) repo: TestRepo,
}

impl Stage {
    /// A repository with a work tree.
    pub(crate) fn new() -> Self {
        Self { repo: TestRepo::new() }
    }

    /// The same, with this config committed.
    pub(crate) fn with(config: &str) -> Self {
        let stage = Self::new();
        stage.commit(config);
        stage
    }

    /// Commits a config, in which `@` stands for the folder around the repository.
    pub(crate) fn commit(&self, config: &str) -> CommitId {
        self.write(".tinyci.yml", config);
        self.commit_more("config")
    }

    /// Writes a file of the work tree; `@` stands for the folder around the repository.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let around = self.repo.outside();
        self.repo.write(name, text.replace('@', around.to_str().expect("a path of this test's")));
    }

    /// A commit without another file, by its message.
    pub(crate) fn commit_more(&self, message: &str) -> CommitId {
        self.repo.commit(message).parse().expect("git's id")
    }

    pub(crate) fn head(&self) -> CommitId {
        self.repo.git(&["rev-parse", "HEAD"]).parse().expect("git's id")
    }

    /// An engine to be, whose runs end some day whatever a test gets wrong. Its process has no
    /// variables that would be kept back from commands.
    pub(crate) fn builder(&self) -> EngineBuilder {
        let passing = |name: &OsString| ["PATH", "HOME"].iter().any(|passing| name == passing);
        let env = std::env::vars_os().filter(|(name, _)| passing(name));
        Engine::builder(self.repo.path()).job_timeout(PATIENCE).process_env(env)
    }

    pub(crate) fn engine(&self) -> Engine {
        self.builder().open().expect("the repository opens")
    }

    /// Runs all that is pending.
    pub(crate) fn run(&self) -> Ran {
        Ran::of(&self.engine(), &Selection::pending())
    }

    /// A file in the folder around the repository.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.repo.outside().join(name)
    }

    /// What commands wrote to `@/name`; nothing where there is no such file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// The lines that commands appended to `@/trace`.
    pub(crate) fn trace(&self) -> Vec<String> {
        self.read("trace").lines().map(str::to_owned).collect()
    }

    pub(crate) fn touch(&self, name: &str) {
        fs::write(self.path(name), "").expect("a file beside the repository");
    }

    /// Waits until a command has made `@/name`.
    #[track_caller]
    pub(crate) fn await_file(&self, name: &str) {
        eventually(name, || self.path(name).exists());
    }

    /// Waits until a command stands at the [`GATE`].
    #[track_caller]
    pub(crate) fn await_gate(&self) {
        self.await_file("waiting");
    }

    pub(crate) fn open_gate(&self) {
        self.touch("open");
    }

    /// As before anything came to it.
    pub(crate) fn close_gate(&self) {
        for name in ["waiting", "open"] {
            fs::remove_file(self.path(name)).expect("a gate that was opened");
        }
    }

    /// The word in a commit's note, as git reads it.
    pub(crate) fn word(&self, id: CommitId) -> Option<String> {
        self.repo.verdict(&id.to_string())
    }

    /// The folder of a commit's build.
    pub(crate) fn build_dir(&self, id: CommitId) -> PathBuf {
        let time = self.repo.git(&["show", "-s", "--format=%ct", &id.to_string()]);
        self.repo.path().join(format!("builds/{time}_{id}"))
    }

    /// The lines of a commit's own log, without their times.
    pub(crate) fn log_of(&self, id: CommitId) -> Vec<String> {
        lines_of(&self.build_dir(id).join("tinyci.log"))
    }

    /// The lines of the log of all runs, without their times.
    pub(crate) fn log(&self) -> Vec<String> {
        lines_of(&self.repo.path().join("builds/tinyci.log"))
    }
}

fn lines_of(log: &Path) -> Vec<String> {
    let text = fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().map(|line| without_time(line).to_owned()).collect()
}

/// The text of a log's line; panics where it does not begin with a time.
#[track_caller]
pub(crate) fn without_time(line: &str) -> &str {
    let (time, text) = line.split_at_checked(11).unwrap_or((line, ""));
    let form: String = time.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
    assert_eq!(form, "[00:00:00] ", "{line:?} has no time in front");
    text
}

/// What one run did, and told.
pub(crate) struct Ran {
    pub(crate) summary: Summary,
    pub(crate) events: Vec<Event>,
}

impl Ran {
    #[track_caller]
    pub(crate) fn of(engine: &Engine, selection: &Selection) -> Self {
        Self::canceled_by(engine, selection, &CancelToken::new())
    }

    #[track_caller]
    pub(crate) fn canceled_by(
        engine: &Engine,
        selection: &Selection,
        cancel: &CancelToken,
    ) -> Self {
        let mut events = Vec::new();
        let summary = engine.run(selection, cancel, &mut |event: &Event| {
            events.push(event.clone());
        });
        Self { summary: summary.expect("the run begins"), events }
    }

    /// The only attempt.
    #[track_caller]
    pub(crate) fn record(&self) -> &Record {
        let [record] = self.summary.records.as_slice() else {
            panic!("not one attempt: {:#?}", self.summary)
        };
        record
    }

    #[track_caller]
    pub(crate) fn outcome(&self) -> Outcome {
        self.record().outcome
    }

    /// The commits that were attempted, in that order.
    pub(crate) fn commits(&self) -> Vec<CommitId> {
        self.summary.records.iter().map(|record| record.commit).collect()
    }

    /// The steps of the only attempt: `name outcome`.
    #[track_caller]
    pub(crate) fn steps(&self) -> Vec<String> {
        let steps = self.record().steps.iter();
        steps.map(|step| format!("{} {}", step.name, step.outcome)).collect()
    }

    /// The error that the step of this name has on record.
    #[track_caller]
    pub(crate) fn step_error(&self, name: &str) -> &str {
        let step =
            self.record().step(name.parse::<tinyci::pipeline::StepName>().expect("a step's name"));
        let error = step.and_then(|step| step.error.as_deref());
        error.unwrap_or_else(|| panic!("{name} has no error: {:#?}", self.record()))
    }

    /// All output, in the order in which it came.
    pub(crate) fn output(&self) -> Vec<u8> {
        let bytes = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Output { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        });
        bytes.collect::<Vec<_>>().concat()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.output()).into_owned()
    }

    pub(crate) fn warnings(&self) -> Vec<String> {
        let messages = self.events.iter().filter_map(|event| match &event.kind {
            EventKind::Warning { message, .. } => Some(message.clone()),
            _ => None,
        });
        messages.collect()
    }
}
