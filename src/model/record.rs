//! [`Record`]: the stored result of a job. [`Summary`]: the result of a run.

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

/// The result of one job, as stored in `refs/notes/runs/tinyci`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Record {
    /// The unique id of the job: `<UTC start>-<random hex>`. It is also the suffix of the job's
    /// export.
    pub job_id: String,
    /// The commit.
    pub commit: CommitId,
    /// The id of its tree.
    pub tree: TreeId,
    /// The branch that it was tested for.
    pub branch: Option<GitString>,
    /// The tags that named the commit when the job began, sorted.
    pub tags: Vec<GitString>,
    /// The trigger of the job: `pending`, `unfinished`, `named`, `retry`, `retest` or `tag`. `None`
    /// in records of older versions.
    pub trigger: Option<String>,
    /// The outcome.
    pub outcome: Outcome,
    /// The reason, if the steps do not show it: an invalid config, a broken executor, a
    /// cancellation.
    pub reason: Option<String>,
    /// The decision that ended the job or skipped the commit, if there was one.
    pub intervention: Option<Intervention>,
    /// The start time.
    pub started: SystemTime,
    /// The end time.
    pub finished: SystemTime,
    /// The duration, by the monotonic clock.
    pub duration: Duration,
    /// The name of the machine that ran it.
    pub machine: String,
    /// The language of its config, if a config could be read.
    pub config_format: Option<Format>,
    /// The steps that ran or were left out, in order.
    pub steps: Vec<StepRecord>,
    /// The builds and tests that were left out, in order. Unless `changed` left them all out, the
    /// commit is not green.
    pub left_out: Vec<LeftOut>,
    /// True if its script read the branch or the tags, so that it may act differently for another
    /// ref.
    pub asked_for_ref: bool,
    /// The values that its script stored with `remember`, by key.
    pub remembered: BTreeMap<String, Value>,
    /// The files that its script kept beyond the export.
    pub artifacts: Vec<Artifact>,
    /// The total of all kept files, if `artifacts` lists only the first ones.
    pub artifact_total: Option<ArtifactTotal>,
    /// False if the outcome is not the commit's verdict. This happens if a rebuild for a deployment
    /// does not confirm the earlier verdict.
    pub counts: bool,
    /// Fields that a newer version of tinyci wrote.
    pub(crate) unknown_fields: UnknownFields,
}

/// A build or test that a job left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct LeftOut {
    /// The phase.
    pub step: StepName,
    /// The cause.
    pub by: LeftOutBy,
}

/// The cause for leaving out a build or test.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LeftOutBy {
    /// No relevant path changed since the nearest green ancestor. The phase counts as passed.
    Changed,
    /// The condition `branch`.
    Branch,
    /// The condition `tag`: the commit has no matching tag.
    Tag,
    /// The condition `message`.
    Message,
    /// A call of `skip()` in the script.
    Skip,
    /// A secret that the commit's ref may not have.
    Secret,
    /// The push option `git push -o ci.skip`.
    PushOption,
    /// A person's `tinyci skip`.
    Person,
}

impl LeftOutBy {
    /// All causes.
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

    /// Returns the name used in JSON: `changed`, `branch`, `tag`, `message`, `skip`, `secret`,
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

    /// Returns true if the phase still counts as passed: its input is the same as that of a green
    /// ancestor.
    pub fn counts_as_passed(self) -> bool {
        self == LeftOutBy::Changed
    }
}

impl Record {
    /// Creates the record of a job that starts at this time, without any results yet.
    pub(crate) fn begun(job_id: String, commit: &Commit, started: SystemTime) -> Self {
        Self {
            job_id,
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

    /// Returns true if the job was green and its outcome is the commit's verdict.
    pub fn passed(&self) -> bool {
        self.counts && self.outcome.passed()
    }

    /// Returns the verdict that this record justifies. `None` if the job did not finish or does not
    /// count.
    pub fn verdict(&self) -> Option<Verdict> {
        self.outcome.verdict().filter(|_| self.counts)
    }

    /// Returns true if a request canceled this job by its commit. tinyci does not test the commit
    /// again by itself.
    pub(crate) fn is_canceled_by_commit(&self) -> bool {
        let by_commit = self.intervention.as_ref().is_some_and(|by| by.kind.is_about_commit());
        self.outcome == Outcome::Canceled && by_commit
    }

    /// Returns the record of this step, if it ran.
    pub fn step(&self, name: impl Into<StepName>) -> Option<&StepRecord> {
        let name = name.into();
        self.steps.iter().find(|step| step.name == name)
    }
}

/// The most failures of a step to show in one line.
const SHOWN_FAILURES_MAX: usize = 3;

impl Record {
    /// Returns why it is not green, in one line: its reason, else the failures of its steps. `None`
    /// if neither is known.
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

    /// Returns true if a parallel task failed, or several things did. The line of the failed step
    /// then does not show all failures.
    pub fn failed_in_parts(&self) -> bool {
        let mut failures = self.steps.iter().flat_map(|step| &step.failures);
        let first = failures.next();
        first.is_some_and(|first| first.label.is_some()) || failures.next().is_some()
    }
}

/// The result of one step.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StepRecord {
    /// The phase or hook.
    pub name: StepName,
    /// The outcome. `Skipped` means that the step decided not to run.
    pub outcome: Outcome,
    /// The error, if no command shows it: a fault of the host, or a placeholder that could not be
    /// filled in.
    pub error: Option<String>,
    /// The duration.
    pub duration: Duration,
    /// The commands that ran or were refused, in order. A long step keeps only some of them.
    pub commands: Vec<CommandRecord>,
    /// All failures, the most severe first; in a script, those of each task. Empty if the step
    /// succeeded. Failures that the script caught are not included.
    pub failures: Vec<StepFailure>,
    /// The number of commands that are not in `commands`. A record keeps the first, the last, and
    /// those between that failed.
    pub omitted_commands: usize,
    /// The number of failures that are not in `failures`.
    pub omitted_failures: usize,
}

impl StepRecord {
    /// Returns the command that ended the step and its exit, if no more needs to be said. A script
    /// may continue after a failed command.
    pub(crate) fn failed_command(&self) -> Option<String> {
        let last = self.commands.last()?;
        let exit = last.exit?;
        let failed = self.failures.first().filter(|failure| failure.place.is_none());
        let ended_it = failed.map_or(exit == Exit::Canceled, |failure| failure.exit == Some(exit));
        ended_it.then(|| format!("`{}` {exit}", last.command))
    }

    /// Returns the failures in one line.
    pub(crate) fn why(&self) -> Option<String> {
        let shown = self.failures.iter().take(SHOWN_FAILURES_MAX).map(StepFailure::brief);
        let shown = shown.collect::<Vec<_>>().join("; ");
        match self.failures.len() + self.omitted_failures {
            0 => None,
            1 => Some(format!("{}: {shown}", self.name)),
            count if count <= SHOWN_FAILURES_MAX => {
                Some(format!("{}: {count} failures: {shown}", self.name))
            }
            count => {
                let more = count - SHOWN_FAILURES_MAX;
                Some(format!("{}: {count} failures: {shown}; and {more} more", self.name))
            }
        }
    }
}

/// The result of one command.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct CommandRecord {
    /// The command as run, with its placeholders filled in.
    pub command: String,
    /// The exit. `None` if the command could not be started.
    pub exit: Option<Exit>,
    /// True if its exit code is not 0 but the script allows it.
    pub allowed: bool,
    /// The duration.
    pub duration: Duration,
}

/// The result of one call of [`Engine::run`](crate::Engine::run).
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The jobs of this call, in the order in which they ended.
    pub records: Vec<Record>,
    /// Commits that were named or pushed and already had a verdict, with its outcome.
    pub already_tested: Vec<(CommitId, Outcome)>,
    /// Commits that were named but have no config. Nothing was run or recorded.
    pub unconfigured: Vec<CommitId>,
    /// Commits that are out of attempts and need `--retry`: they failed too often to get a verdict,
    /// or their job was canceled.
    pub out_of_attempts: Vec<CommitId>,
    /// The number of commits that became part of the baseline and are not tested.
    pub baselined: usize,
    /// True if the run was canceled before it had tested all pending commits.
    pub canceled: bool,
    /// The deployments that the run made because a config says `auto`.
    pub deployments: Vec<Deployment>,
    /// The reason why the run stopped early, if it could not store anything more.
    pub error: Option<String>,
}

impl Summary {
    /// Returns the worst outcome: the first of canceled, error, failure and success that occurred.
    pub fn worst(&self) -> Outcome {
        match self.exit_code() {
            130 => Outcome::Canceled,
            4 => Outcome::Error,
            1 => Outcome::Failure,
            _ => Outcome::Success,
        }
    }

    /// Returns the exit code for a program: the first of 130, 4, 1 and 0 that applies. Commits that
    /// are out of attempts give 4, because they have no verdict and must not pass as green.
    pub fn exit_code(&self) -> i32 {
        let records = self.records.iter().map(|record| record.outcome);
        let tested = self.already_tested.iter().map(|(_, outcome)| *outcome);
        let mut codes: Vec<i32> = records.chain(tested).map(Outcome::exit_code).collect();
        // A deployment that awaits approval is not a failure.
        let deployments = self.deployments.iter().map(|it| it.outcome);
        let failed = deployments.filter(|it| *it != DeployOutcome::AwaitingApproval);
        codes.extend(failed.map(DeployOutcome::exit_code));
        codes.extend(self.canceled.then_some(130));
        codes.extend((self.error.is_some() || !self.out_of_attempts.is_empty()).then_some(4));
        [130, 4, 1].into_iter().find(|code| codes.contains(code)).unwrap_or(0)
    }
}
