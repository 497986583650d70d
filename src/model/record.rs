//! What remains of a run.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use super::{
    artifact::{Artifact, ArtifactTotal},
    commit::{Commit, CommitId, GitString, TreeId},
    deployment::{DeployOutcome, Deployment},
    failure::first_line,
    function::Value,
    intervention::Intervention,
    outcome::{Exit, Outcome, Verdict},
    pipeline::{Format, StepName},
    unknown_fields::UnknownFields,
};

pub use super::failure::StepFailure;

/// One attempt at one commit, as it is kept in `refs/notes/runs/tinyci`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// Names this attempt among all others: `<UTC start>-<random hex>`, also its export's suffix.
    pub job_id: String,
    /// The commit.
    pub commit: CommitId,
    /// The tree it holds.
    pub tree: TreeId,
    /// The branch it was judged for.
    pub branch: Option<GitString>,
    /// The tags that named the commit when the job began, sorted.
    pub tags: Vec<GitString>,
    /// Why the job was started, in a word: `pending`, `unfinished`, `named`, `retry`, `retest` or
    /// `tag`. None in records of older versions.
    pub trigger: Option<String>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, where the steps do not say it: an invalid config, a broken executor, a cancel.
    pub reason: Option<String>,
    /// Who ended it, or left the commit untested, and why; none where nobody did.
    pub intervention: Option<Intervention>,
    /// When the attempt began.
    pub started: SystemTime,
    /// When it ended.
    pub finished: SystemTime,
    /// How long it took on the monotonic clock.
    pub duration: Duration,
    /// The machine it ran on.
    pub machine: String,
    /// The language of its config, where one could be read.
    pub config_format: Option<Format>,
    /// The steps that ran or were left out, in order.
    pub steps: Vec<StepRecord>,
    /// The builds and tests that were left out, in order. Unless `changed` left them out, the
    /// commit is not green.
    pub left_out: Vec<LeftOut>,
    /// True if its script asked for the branch or the tags, so that it may do something else for
    /// another ref.
    pub asked_for_ref: bool,
    /// What its script remembered, by key.
    pub remembered: BTreeMap<String, Value>,
    /// The files that its script kept beyond the export.
    pub artifacts: Vec<Artifact>,
    /// All that was kept, if `artifacts` lists only the first files.
    pub artifact_total: Option<ArtifactTotal>,
    /// False if the outcome is not the commit's verdict: of a commit that was built again for a
    /// deployment, and did not confirm what was found before.
    pub counts: bool,
    /// What a newer version wrote beside this.
    pub(crate) unknown_fields: UnknownFields,
}

/// A build or test that a job left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LeftOut {
    /// The phase.
    pub step: StepName,
    /// What left it out.
    pub by: LeftOutBy,
}

/// What leaves a build or test out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeftOutBy {
    /// Nothing that it is for changed since the nearest green ancestor: it counts as passed.
    Changed,
    /// The branch that the commit is judged for.
    Branch,
    /// The commit lacks a tag.
    Tag,
    /// The commit's message.
    Message,
    /// The script's `skip()`.
    Skip,
    /// It names a secret that the commit's ref may not have.
    Secret,
    /// `git push -o ci.skip`.
    PushOption,
    /// A person, with `tinyci skip`.
    Person,
}

impl LeftOutBy {
    /// Every cause there is.
    pub const ALL: [LeftOutBy; 8] = [
        LeftOutBy::Changed,
        LeftOutBy::Branch,
        LeftOutBy::Tag,
        LeftOutBy::Message,
        LeftOutBy::Skip,
        LeftOutBy::Secret,
        LeftOutBy::PushOption,
        LeftOutBy::Person,
    ];

    /// The name used in JSON: `changed`, `branch`, `tag`, `message`, `skip`, `secret`,
    /// `push_option` or `person`.
    pub fn name(self) -> &'static str {
        match self {
            LeftOutBy::Changed => "changed",
            LeftOutBy::Branch => "branch",
            LeftOutBy::Tag => "tag",
            LeftOutBy::Message => "message",
            LeftOutBy::Skip => "skip",
            LeftOutBy::Secret => "secret",
            LeftOutBy::PushOption => "push_option",
            LeftOutBy::Person => "person",
        }
    }

    /// True if the phase counts as passed all the same: what it would look at is what a green
    /// ancestor had.
    pub fn counts_as_passed(self) -> bool {
        self == LeftOutBy::Changed
    }
}

impl Record {
    /// The record of a commit of which nothing is known yet but whose job begins at this time.
    pub(crate) fn begun(run: String, commit: &Commit, started: SystemTime) -> Self {
        Self {
            job_id: run,
            commit: commit.id,
            tree: commit.tree,
            branch: commit.branch.clone(),
            tags: Vec::new(),
            trigger: None,
            outcome: Outcome::Error,
            reason: None,
            intervention: None,
            started,
            finished: started,
            duration: Duration::ZERO,
            machine: String::new(),
            config_format: None,
            steps: Vec::new(),
            left_out: Vec::new(),
            asked_for_ref: false,
            remembered: BTreeMap::new(),
            artifacts: Vec::new(),
            artifact_total: None,
            counts: true,
            unknown_fields: UnknownFields::default(),
        }
    }

    /// Whether this run is green, and that is the commit's verdict.
    pub fn passed(&self) -> bool {
        self.counts && self.outcome.passed()
    }

    /// The verdict that rests on this record; none if it did not finish, or does not count.
    pub fn verdict(&self) -> Option<Verdict> {
        self.outcome.verdict().filter(|_| self.counts)
    }

    /// Whether somebody ended this attempt by the commit's name: it is to be left alone from then on.
    pub(crate) fn is_withdrawn(&self) -> bool {
        let by_name = self.intervention.as_ref().is_some_and(|by| by.kind.is_of_the_commit());
        self.outcome == Outcome::Canceled && by_name
    }

    /// The record of this step, if it ran.
    pub fn step(&self, name: impl Into<StepName>) -> Option<&StepRecord> {
        let name = name.into();
        self.steps.iter().find(|step| step.name == name)
    }
}

/// How many failures of a step are told in one line.
const TOLD_MAX: usize = 3;

impl Record {
    /// Why it is not green, in one line: its reason, else what failed in its steps. None if neither
    /// is known.
    ///
    /// ```
    /// let line = concat!(
    ///     r#"{"finished":"2026-11-24T19:50:00.123Z","outcome":"failure","v":1,"job_id":"r1","#,
    ///     r#""commit":"f40785cbc4422f39c36118fbae071932774cb5b6","#,
    ///     r#""tree":"4b825dc642cb6eb9a060e54bf8d69288fbee4904","#,
    ///     r#""steps":[{"name":"test","outcome":"failure","failures":["#,
    ///     r#"{"label":"db=my","message":"command exited with status 1: make"},"#,
    ///     r#"{"label":"db=lite","message":"command timed out: make"}]}]}"#,
    /// );
    /// let record = tinyci::Record::from_json(line)?;
    /// let why = "test: 2 failures: db=my: command exited with status 1: make; \
    ///            db=lite: command timed out: make";
    /// assert_eq!(record.why().as_deref(), Some(why));
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn why(&self) -> Option<String> {
        if self.outcome.passed() {
            return None;
        }
        if let Some(reason) = &self.reason {
            return Some(first_line(reason).to_owned());
        }
        let failed: Vec<String> = self.steps.iter().filter_map(StepRecord::why).collect();
        (!failed.is_empty()).then(|| failed.join("; "))
    }

    /// True if more than one thing failed, or a task of a `parallel`: then the line of the step that
    /// failed does not say all of it.
    pub fn failed_in_parts(&self) -> bool {
        let mut failures = self.steps.iter().flat_map(|step| &step.failures);
        let first = failures.next();
        first.is_some_and(|first| first.label.is_some()) || failures.next().is_some()
    }
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepRecord {
    /// Which phase or hook.
    pub name: StepName,
    /// What became of it. `Skipped` says that it did not run because somebody said so.
    pub outcome: Outcome,
    /// Why, where no command says it: a host's error, a tag that could not be filled in.
    pub error: Option<String>,
    /// How long it took.
    pub duration: Duration,
    /// Its commands that were started or refused, in order, as far as they are kept.
    pub commands: Vec<CommandRecord>,
    /// All that failed in it, the gravest first: of a script, what failed in each task. Empty if it
    /// passed; what a script caught is not here.
    pub failures: Vec<StepFailure>,
    /// How many more commands there were. A record keeps the first, the last, and those between that
    /// failed.
    pub omitted_commands: usize,
    /// How many more failures there were.
    pub omitted_failures: usize,
}

impl StepRecord {
    /// The command that ended it, and how, if that is all there is to say. A script may go on after one
    /// that failed.
    pub(crate) fn failed_command(&self) -> Option<String> {
        let last = self.commands.last()?;
        let exit = last.exit?;
        let failed = self.failures.first().filter(|failure| failure.place.is_none());
        let ended_it = failed.map_or(exit == Exit::Canceled, |failure| failure.exit == Some(exit));
        ended_it.then(|| format!("`{}` {exit}", last.command))
    }

    /// What failed, in one line.
    pub(crate) fn why(&self) -> Option<String> {
        let told = self.failures.iter().take(TOLD_MAX).map(StepFailure::brief);
        let told = told.collect::<Vec<_>>().join("; ");
        match self.failures.len() + self.omitted_failures {
            0 => None,
            1 => Some(format!("{}: {told}", self.name)),
            count if count <= TOLD_MAX => Some(format!("{}: {count} failures: {told}", self.name)),
            count => {
                let more = count - TOLD_MAX;
                Some(format!("{}: {count} failures: {told}; and {more} more", self.name))
            }
        }
    }
}

/// What became of one command.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandRecord {
    /// The command as it was run, with its tags filled in.
    pub command: String,
    /// How it ended; none where it could not be started.
    pub exit: Option<Exit>,
    /// True if its exit code is not 0 and the script allows it.
    pub allowed: bool,
    /// How long it took.
    pub duration: Duration,
}

/// What one call of [`Engine::run`](crate::Engine::run) did.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The attempts of this call, in the order in which they ended.
    pub records: Vec<Record>,
    /// Commits that were named or pushed and have a verdict which this call did not make.
    pub already_tested: Vec<(CommitId, Outcome)>,
    /// Commits that were named and have no config: nothing was run and nothing recorded.
    pub unconfigured: Vec<CommitId>,
    /// Commits left for `--retry` because they are out of attempts: tried too often without a
    /// verdict, or canceled by name.
    pub out_of_attempts: Vec<CommitId>,
    /// How many commits became part of the baseline, and so are not run.
    pub baselined: usize,
    /// Whether the run was canceled before it had done all that was due.
    pub canceled: bool,
    /// What followed the push by itself, because a config says `auto`.
    pub deployments: Vec<Deployment>,
    /// Why the run had to stop before it had done all that was due: nothing more could be stored.
    pub error: Option<String>,
}

impl Summary {
    /// The worst outcome of this call: the first of canceled, no verdict, failure, success that
    /// occurred.
    pub fn worst(&self) -> Outcome {
        match self.exit_code() {
            130 => Outcome::Canceled,
            4 => Outcome::Error,
            1 => Outcome::Failure,
            _ => Outcome::Success,
        }
    }

    /// The exit code of a program that ran this: the first of 130, 4, 1, 0 that occurred. A commit
    /// that is held has no verdict, so that a program that asked for it does not go on as if it
    /// were green.
    pub fn exit_code(&self) -> i32 {
        let records = self.records.iter().map(|record| record.outcome);
        let settled = self.already_tested.iter().map(|(_, outcome)| *outcome);
        let mut codes: Vec<i32> = records.chain(settled).map(Outcome::exit_code).collect();
        // One that waits for a person is nothing that went wrong.
        let deployments = self.deployments.iter().map(|it| it.outcome);
        let failed = deployments.filter(|it| *it != DeployOutcome::AwaitingApproval);
        codes.extend(failed.map(DeployOutcome::exit_code));
        codes.extend(self.canceled.then_some(130));
        codes.extend((self.error.is_some() || !self.out_of_attempts.is_empty()).then_some(4));
        [130, 4, 1].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
    }
}
