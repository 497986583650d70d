//! [`plan`]: decides which of the pending commits to test, and why.

use crate::model::job::{Job, Plan, Trigger};

/// A pending commit, and the facts that decide whether it is tested.
#[derive(Clone, Debug)]
pub(crate) struct Due {
    pub(crate) job: Job,
    /// True if a selected ref names it.
    pub(crate) tip: bool,
    /// True if the caller asked for it.
    pub(crate) own: bool,
    /// The number of attempts so far that ended without a verdict.
    pub(crate) attempts: u32,
    /// True if a person canceled this commit's job.
    pub(crate) canceled: bool,
    /// True if it came with a push of no more commits than the backlog limit.
    pub(crate) from_small_push: bool,
}

/// The limits of a plan, from the selection and the settings.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rules {
    /// True if commits that are out of attempts are tested too.
    pub(crate) retry: bool,
    /// The number of pending commits above which only the tips are tested, or `None` for no limit.
    /// Commits that came with small pushes are not counted, and always tested: the limit is for a long
    /// history that is pushed at once.
    pub(crate) backlog: Option<usize>,
    /// The maximum number of attempts without a verdict.
    pub(crate) attempts_max: u32,
}

/// Makes the plan for the pending commits, oldest first.
pub(crate) fn plan(due: Vec<Due>, rules: Rules) -> Plan {
    let mut plan = Plan::default();
    // Retests have their own limit.
    let is_retest = |due: &Due| matches!(due.job.trigger, Trigger::Retest | Trigger::Tag);
    let first = due.iter().filter(|due| !is_retest(due) && !due.from_small_push).count();
    let too_many = rules.backlog.is_some_and(|most| first > most);
    for Due { job, tip, attempts, canceled, from_small_push, .. } in due {
        let is_out = canceled || attempts >= rules.attempts_max;
        if too_many && !tip && !from_small_push {
            plan.baselined.push(job.commit.id);
        } else if is_out && !rules.retry {
            plan.out_of_attempts.push(job.commit.id);
        } else {
            plan.jobs.push(job);
        }
    }
    plan
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::commit::{Commit, CommitId, GitString, TreeId};

    fn due(number: u8, tip: bool, attempts: u32) -> Due {
        let commit = Commit {
            id: CommitId::from_bytes([number; 20]),
            tree: TreeId::from_bytes([0; 20]),
            parents: Vec::new(),
            time: 0,
            author: GitString::default(),
            subject: GitString::default(),
            message: GitString::default(),
            branch: None,
        };
        let job = Job::new(commit, Trigger::Pending);
        Due { job, tip, own: true, attempts, canceled: false, from_small_push: false }
    }

    fn numbers(ids: impl IntoIterator<Item = CommitId>) -> Vec<u8> {
        ids.into_iter().map(|id| id.as_bytes()[0]).collect()
    }

    fn parts(plan: &Plan) -> [Vec<u8>; 3] {
        let jobs = plan.jobs.iter().map(|job| job.commit.id);
        [numbers(jobs), numbers(plan.out_of_attempts.clone()), numbers(plan.baselined.clone())]
    }

    const RULES: Rules = Rules { retry: false, backlog: None, attempts_max: 3 };

    #[test]
    fn a_commit_that_was_tried_too_often_waits_for_a_retry() {
        let all = || vec![due(1, false, 2), due(2, false, 3), due(3, true, 9)];
        assert_eq!(parts(&plan(all(), RULES)), [vec![1], vec![2, 3], vec![]]);
        let retry = Rules { retry: true, ..RULES };
        assert_eq!(parts(&plan(all(), retry)), [vec![1, 2, 3], vec![], vec![]]);
    }

    #[test]
    fn a_commit_that_was_canceled_by_name_waits_for_a_retry_too() {
        let all = || vec![due(1, true, 0), Due { canceled: true, ..due(2, true, 0) }];
        assert_eq!(parts(&plan(all(), RULES)), [vec![1], vec![2], vec![]]);
        let retry = Rules { retry: true, ..RULES };
        assert_eq!(parts(&plan(all(), retry)), [vec![1, 2], vec![], vec![]]);
    }

    #[test]
    fn a_backlog_above_the_limit_leaves_only_the_tips() {
        let all = || vec![due(1, false, 0), due(2, true, 0), due(3, false, 0), due(4, true, 0)];
        let limit = |backlog| Rules { backlog: Some(backlog), ..RULES };
        assert_eq!(parts(&plan(all(), limit(4))), [vec![1, 2, 3, 4], vec![], vec![]]);
        assert_eq!(parts(&plan(all(), limit(3))), [vec![2, 4], vec![], vec![1, 3]]);
        assert_eq!(parts(&plan(all(), RULES)), [vec![1, 2, 3, 4], vec![], vec![]]);
    }

    #[test]
    fn commits_of_small_pushes_are_no_backlog() {
        let small = |number| Due { from_small_push: true, ..due(number, false, 0) };
        let all = || vec![small(1), small(2), due(3, false, 0), due(4, true, 0)];
        let limit = |backlog| Rules { backlog: Some(backlog), ..RULES };
        assert_eq!(parts(&plan(all(), limit(2))), [vec![1, 2, 3, 4], vec![], vec![]]);
        assert_eq!(parts(&plan(all(), limit(1))), [vec![1, 2, 4], vec![], vec![3]]);
    }
}
