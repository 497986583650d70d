//! [`Job`] and [`Plan`]: the commits that a run tests, and why.

use std::fmt;

use super::commit::{Commit, CommitId, GitString};

/// A commit to test, and the trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// The commit.
    pub commit: Commit,
    /// The reason why the job is started.
    pub trigger: Trigger,
    /// The tag that the commit is tested for, without `refs/tags/`: one that was pushed or named.
    pub tag: Option<GitString>,
    /// For a commit that is tested again: the ref, and what was left out before.
    pub retest_reason: Option<String>,
}

impl Job {
    /// Creates a job without a tag.
    pub(crate) fn new(commit: Commit, trigger: Trigger) -> Self {
        Self { commit, trigger, tag: None, retest_reason: None }
    }
}

/// The reason why a job is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// The commit has no verdict.
    Pending,
    /// The commit has no verdict although it has a record. That job did not finish, was canceled,
    /// or its verdict was deleted.
    Unfinished,
    /// The caller named the commit, and it has no verdict.
    Named,
    /// The caller named the commit for a retry.
    Retry,
    /// The commit's verdict is `skipped`, and a build or test that never ran would run for a new
    /// ref.
    Retest,
    /// The commit has no verdict, and a pushed tag names it.
    Tag,
    /// The commit is about to be deployed, and its build is missing or of another branch. Its
    /// verdict does not change.
    Rebuild,
}

impl Trigger {
    /// Returns the name used in JSON and in `ctx.trigger`: `pending`, `unfinished`, `named`,
    /// `retry`, `retest`, `tag` or `rebuild`.
    pub fn name(self) -> &'static str {
        match self {
            Trigger::Pending => "pending",
            Trigger::Unfinished => "unfinished",
            Trigger::Named => "named",
            Trigger::Retry => "retry",
            Trigger::Retest => "retest",
            Trigger::Tag => "tag",
            Trigger::Rebuild => "rebuild",
        }
    }
}

impl fmt::Display for Trigger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Trigger::Pending => "has no verdict",
            Trigger::Unfinished => "has no verdict, although an earlier job was recorded",
            Trigger::Named => "was named",
            Trigger::Retry => "was named with `--retry`",
            Trigger::Rebuild => "is deployed next, and has no build",
            Trigger::Retest => "is tested again",
            Trigger::Tag => "was tagged",
        })
    }
}

/// The jobs that a run would start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The jobs, in order.
    pub jobs: Vec<Job>,
    /// Commits that are out of attempts: they failed too often to get a verdict, or their job was
    /// canceled.
    pub out_of_attempts: Vec<CommitId>,
    /// Commits that become part of the baseline because of the backlog limit.
    pub baselined: Vec<CommitId>,
}
