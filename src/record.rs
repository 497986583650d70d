//! What remains of a run.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use crate::{
    commit::{CommitId, Text, TreeId},
    deployment::{DeployOutcome, Deployment},
    function::Value,
    intervention::Intervention,
    outcome::{Exit, Outcome, Verdict},
    pipeline::{Format, StepName},
};

/// One attempt at one commit, as it is kept in `refs/notes/runs/tinyci`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// Names this attempt among all others: `<UTC start>-<random hex>`, also its export's suffix.
    pub run: String,
    /// The commit.
    pub commit: CommitId,
    /// The tree it holds.
    pub tree: TreeId,
    /// The branch it was judged for.
    pub branch: Option<Text>,
    /// The tags that named the commit when the job began, sorted.
    pub tags: Vec<Text>,
    /// Why the job was started, in a word: `pending`, `interrupted`, `named`, `retry`, `again` or
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
    pub host: String,
    /// The language of its config, where one could be read.
    pub config: Option<Format>,
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
    /// False if the outcome is not the commit's verdict: of a commit that was built again for a
    /// deployment, and did not confirm what was found before.
    pub counts: bool,
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

/// A file that a script kept, in the build's folder `artifacts`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// Its path below `artifacts`, as below the export.
    pub path: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// The id that git gives such a file: what `git hash-object` prints.
    pub blob: String,
}

impl Record {
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
    /// Its commands that were started or refused, in order.
    pub commands: Vec<CommandRecord>,
    /// All that failed in it, the gravest first: of a script, what failed in each task. Empty if it
    /// passed; what a script caught is not here.
    pub failures: Vec<StepFailure>,
}

/// One thing that failed in a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepFailure {
    /// The task of a `parallel` or `matrix` or the group that it failed in, such as `db=my`.
    pub label: Option<String>,
    /// Where in a script, as `file:line:column`.
    pub place: Option<String>,
    /// What failed, in a sentence.
    pub message: String,
    /// The command that failed.
    pub command: Option<String>,
    /// How that command ended.
    pub exit: Option<Exit>,
}

/// What became of one command.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandRecord {
    /// The command as it was run, with its tags filled in.
    pub command: String,
    /// How it ended; none where it could not be started.
    pub exit: Option<Exit>,
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
    pub settled: Vec<(CommitId, Outcome)>,
    /// Commits that were named and have no config: nothing was run and nothing recorded.
    pub unconfigured: Vec<CommitId>,
    /// Commits left for `--retry` because they are out of attempts: tried too often without a
    /// verdict, or canceled by name.
    pub held: Vec<CommitId>,
    /// How many commits became part of the baseline, and so are not run.
    pub baselined: usize,
    /// Whether the run was canceled before it had done all that was due.
    pub canceled: bool,
    /// What followed the push by itself, because a config says `auto`.
    pub deployments: Vec<Deployment>,
    /// Why the run had to stop before it had done all that was due: nothing more could be stored.
    pub fault: Option<String>,
}

impl Summary {
    /// The worst outcome of this call: the first of canceled, no verdict, failure, success that
    /// occurred.
    pub fn worst(&self) -> Outcome {
        match self.exit_code() {
            130 => Outcome::Canceled,
            4 => Outcome::NoVerdict,
            1 => Outcome::Failure,
            _ => Outcome::Success,
        }
    }

    /// The exit code of a program that ran this: the first of 130, 4, 1, 0 that occurred. A commit
    /// that is held has no verdict, so that a program that asked for it does not go on as if it
    /// were green.
    pub fn exit_code(&self) -> i32 {
        let records = self.records.iter().map(|record| record.outcome);
        let settled = self.settled.iter().map(|(_, outcome)| *outcome);
        let mut codes: Vec<i32> = records.chain(settled).map(Outcome::exit_code).collect();
        // One that waits for a person is nothing that went wrong.
        let deployments = self.deployments.iter().map(|it| it.outcome);
        let failed = deployments.filter(|it| *it != DeployOutcome::Waiting);
        codes.extend(failed.map(DeployOutcome::exit_code));
        codes.extend(self.canceled.then_some(130));
        codes.extend((self.fault.is_some() || !self.held.is_empty()).then_some(4));
        [130, 4, 1].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
    }
}
