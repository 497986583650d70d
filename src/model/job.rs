//! What is going to be run, and why.

use std::fmt;

use super::commit::{Commit, CommitId, GitString};

/// A commit that will be run, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// The commit.
    pub commit: Commit,
    /// Why it was picked.
    pub trigger: Trigger,
    /// The tag that it is tested for, without `refs/tags/`: one that was pushed or named.
    pub tag: Option<GitString>,
    /// Of a commit that is tested again: for which ref, and what was left out before.
    pub retest_reason: Option<String>,
}

impl Job {
    /// A job that no tag asks for.
    pub(crate) fn new(commit: Commit, reason: Trigger) -> Self {
        Self { commit, trigger: reason, tag: None, retest_reason: None }
    }
}

/// Why a commit was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trigger {
    /// It has no verdict.
    Pending,
    /// It has no verdict, though an attempt is on record: that one did not finish, was canceled, or
    /// its verdict was taken away.
    Unfinished,
    /// It was named, and has no verdict.
    Named,
    /// It was named for a retry.
    Retry,
    /// Its verdict is `skipped`, and a ref names it for which a build or test would run that never
    /// ran.
    Retest,
    /// It has no verdict, and a tag was pushed that names it.
    Tag,
    /// It is to be deployed, and its build is gone or of another branch. Its verdict stays as it is.
    Rebuild,
}

impl Trigger {
    /// The name used in JSON and in `ctx.trigger`: `pending`, `unfinished`, `named`, `retry`,
    /// `retest`, `tag` or `rebuild`.
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

/// What a run is going to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The commits to run, in this order.
    pub jobs: Vec<Job>,
    /// Commits left alone because they are out of attempts: tried too often without a
    /// verdict, or canceled by name.
    pub out_of_attempts: Vec<CommitId>,
    /// Commits that the backlog rule leaves to the baseline.
    pub baselined: Vec<CommitId>,
}
