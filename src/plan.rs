//! [`plan`]: of the commits that are due, which to run, and why. Pure.

use std::fmt;

use crate::commit::{Commit, CommitId};

/// A commit that will be run, and the reason.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Job {
    /// The commit.
    pub commit: Commit,
    /// Why it was picked.
    pub reason: Reason,
}

/// Why a commit was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It has no verdict.
    Pending,
    /// It has no verdict, but a record of an attempt that did not finish.
    Interrupted,
    /// It was named, and has no verdict.
    Named,
    /// It was named with `retry`, and has this verdict.
    Retry,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Reason::Pending => "has no verdict",
            Reason::Interrupted => "an earlier run did not finish",
            Reason::Named => "was named",
            Reason::Retry => "was named for a retry",
        })
    }
}

/// What a run is going to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// The commits to run, in this order.
    pub jobs: Vec<Job>,
    /// Commits left alone because they were tried too often without a verdict.
    pub held: Vec<CommitId>,
    /// Commits that the backlog rule leaves to the baseline.
    pub baselined: Vec<CommitId>,
}

/// A commit that is due, with what decides whether it is run.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) commit: Commit,
    pub(crate) reason: Reason,
    /// Whether a selected ref points at it.
    pub(crate) tip: bool,
    /// Attempts so far that left no verdict.
    pub(crate) attempts: u32,
}

/// The rules that a selection and the settings put on a plan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// Runs commits that were tried too often.
    pub(crate) retry: bool,
    /// Above how many due commits only the tips are run; none where that rule does not hold.
    pub(crate) backlog: Option<usize>,
    /// How many attempts without a verdict a commit gets.
    pub(crate) attempts_max: u32,
}

/// Decides over commits that are due, oldest first.
pub(crate) fn plan(due: Vec<Due>, rules: Rules) -> Plan {
    let mut plan = Plan::default();
    let too_many = rules.backlog.is_some_and(|most| due.len() > most);
    for Due { commit, reason, tip, attempts } in due {
        if too_many && !tip {
            plan.baselined.push(commit.id);
        } else if attempts >= rules.attempts_max && !rules.retry {
            plan.held.push(commit.id);
        } else {
            plan.jobs.push(Job { commit, reason });
        }
    }
    plan
}
