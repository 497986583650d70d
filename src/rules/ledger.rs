//! [`DeploymentHistory`]: the state of an environment, computed from its entries.
//!
//! A deployment that runs commands has two entries: one before its first command, one after its
//! end. So a killed deployment is visible.

use std::collections::HashSet;

use crate::model::{
    commit::CommitId,
    deployment::{DeployOutcome, Deployment},
};

/// The deployments of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct DeploymentHistory {
    /// The deployments, newest first, each once. One without an end is `Interrupted`.
    pub(crate) deployments: Vec<Deployment>,
}

impl DeploymentHistory {
    /// Makes the history from its entries, newest first. Of several consecutive ones that are
    /// awaiting approval, only the newest remains, because each push adds another.
    pub(crate) fn new(entries: Vec<Deployment>) -> Self {
        let mut known = HashSet::new();
        let mut deployments: Vec<Deployment> = Vec::new();
        for mut entry in entries.into_iter().filter(|entry| known.insert(entry.id.clone())) {
            if entry.outcome == DeployOutcome::Running {
                entry.outcome = DeployOutcome::Interrupted;
            }
            let waits =
                |deployment: &Deployment| deployment.outcome == DeployOutcome::AwaitingApproval;
            if !(waits(&entry) && deployments.last().is_some_and(waits)) {
                deployments.push(entry);
            }
        }
        Self { deployments }
    }

    /// Returns what is deployed: the newest successful deployment, unless the environment was
    /// retired since.
    pub(crate) fn running(&self) -> Option<&Deployment> {
        self.since_retired().iter().find(|deployment| deployment.passed())
    }

    /// Returns true if the environment was retired and nothing was deployed since.
    pub(crate) fn is_retired(&self) -> bool {
        !self.deployments.is_empty() && self.since_retired().is_empty()
    }

    /// Returns the deployments since the environment was last retired.
    fn since_retired(&self) -> &[Deployment] {
        let is_end = |deployment: &Deployment| deployment.outcome == DeployOutcome::Retired;
        let end = self.deployments.iter().position(is_end).unwrap_or(self.deployments.len());
        self.deployments.get(..end).unwrap_or_default()
    }

    /// Returns the newest deployment if it has no end. No later deployment has replaced it.
    pub(crate) fn interrupted(&self) -> Option<&Deployment> {
        self.deployments.first().filter(|newest| {
            newest.outcome == DeployOutcome::Interrupted && newest.finished.is_none()
        })
    }

    /// Returns the deployments that were tried since the deployed one, newest first. Their partial
    /// effects may remain, for example a changed link.
    pub(crate) fn tried_since_running(&self) -> impl Iterator<Item = &Deployment> {
        let since = self.since_retired().iter().take_while(|deployment| !deployment.passed());
        since.filter(|it| {
            !matches!(it.outcome, DeployOutcome::AwaitingApproval | DeployOutcome::Skipped)
        })
    }

    /// Returns the deployment before the deployed one.
    pub(crate) fn before_running(&self) -> Option<&Deployment> {
        let mut stack = self.releases();
        stack.pop()?;
        stack.pop()
    }

    /// Returns up to `most` different releases before the deployed one, in the order of rollbacks.
    pub(crate) fn releases_before_running(&self, most: usize) -> Vec<&Deployment> {
        let mut stack = self.releases();
        let mut known: HashSet<CommitId> = stack.pop().map(|it| it.commit).into_iter().collect();
        let before = stack.into_iter().rev();
        before.filter(|deployment| known.insert(deployment.commit)).take(most).collect()
    }

    /// Returns the newest deployment that is awaiting approval, if nothing was deployed since.
    pub(crate) fn waiting(&self) -> Option<&Deployment> {
        let mut since = self.since_retired().iter().take_while(|deployment| !deployment.passed());
        since.find(|deployment| deployment.outcome == DeployOutcome::AwaitingApproval)
    }

    /// Returns the releases that led to the deployed one, which is the last. A rollback removes the
    /// release that it leaves. So the next rollback goes further back.
    fn releases(&self) -> Vec<&Deployment> {
        let mut stack: Vec<&Deployment> = Vec::new();
        for deployment in self.since_retired().iter().rev().filter(|it| it.passed()) {
            if deployment.rollback
                && let Some(at) = stack.iter().rposition(|it| it.commit == deployment.commit)
            {
                stack.truncate(at);
            }
            if stack.last().is_some_and(|last| last.commit == deployment.commit) {
                stack.pop();
            }
            stack.push(deployment);
        }
        stack
    }

    /// Returns true if a commit's deployment was tried. Deployments with nothing to do do not
    /// count.
    pub(crate) fn has_tried(&self, id: CommitId) -> bool {
        let tried = |it: &&Deployment| it.outcome != DeployOutcome::Skipped;
        self.since_retired().iter().filter(tried).any(|it| it.commit == id)
    }

    /// Returns the commits that were rolled back and not deployed since.
    pub(crate) fn rolled_back(&self) -> HashSet<CommitId> {
        let (mut left, mut running) = (HashSet::new(), None);
        for deployment in self.since_retired().iter().rev().filter(|it| it.passed()) {
            if deployment.rollback {
                left.extend(running);
            }
            left.remove(&deployment.commit);
            running = Some(deployment.commit);
        }
        left
    }

    /// Returns the commits that a newer commit must contain to be deployed automatically. These are
    /// the ones that the latest rollbacks left, as long as only the deployed commit was deployed
    /// since.
    pub(crate) fn left_by_rollback(&self) -> Vec<CommitId> {
        let mut passed = self.since_retired().iter().filter(|it| it.passed()).peekable();
        let mut left = Vec::new();
        while let Some(newest) = passed.next() {
            let before = passed.peek().map(|it| it.commit);
            let is_again = before == Some(newest.commit);
            if !newest.rollback && !is_again {
                break;
            }
            left.extend(before.filter(|_| !is_again));
        }
        left.retain(|id| self.running().is_none_or(|running| running.commit != *id));
        left
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// Makes a history, oldest first, from `+a` deployed, `-a` failed, `<a` rolled back to, `?a`
    /// started without an end, `wa` awaiting approval, `xa` retired.
    fn ledger(history: &str) -> DeploymentHistory {
        let mut entries = Vec::new();
        for (number, word) in history.split(' ').filter(|word| !word.is_empty()).enumerate() {
            let (kind, name) = word.split_at(1);
            let byte = name.bytes().next().unwrap_or_default();
            let outcome = match kind {
                "+" | "<" => DeployOutcome::Success,
                "-" => DeployOutcome::Failure,
                "w" => DeployOutcome::AwaitingApproval,
                "x" => DeployOutcome::Retired,
                _ => DeployOutcome::Running,
            };
            let begin = Deployment {
                id: number.to_string(),
                environment: "production".to_owned(),
                commit: CommitId::from_bytes([byte; 20]),
                previous: None,
                outcome: DeployOutcome::Running,
                reason: None,
                failures: Vec::new(),
                forced: false,
                rollback: kind == "<",
                bare: false,
                export: "export".to_owned(),
                approved_by: None,
                approval_proof: None,
                signed_by: None,
                config_blob: String::new(),
                started: UNIX_EPOCH,
                finished: None,
                deployed_by: String::new(),
                account: None,
                remote: None,
                unknown_fields: Default::default(),
            };
            let end = Deployment { outcome, finished: Some(UNIX_EPOCH), ..begin.clone() };
            match outcome {
                DeployOutcome::Running => entries.push(begin),
                DeployOutcome::AwaitingApproval | DeployOutcome::Retired => entries.push(end),
                _ => entries.extend([begin, end]),
            }
        }
        entries.reverse();
        DeploymentHistory::new(entries)
    }

    fn name(deployment: Option<&Deployment>) -> String {
        let byte = deployment.and_then(|it| it.commit.as_bytes().first().copied());
        byte.map_or_else(|| "-".to_owned(), |byte| char::from(byte).to_string())
    }

    #[test]
    fn what_runs_and_what_a_rollback_reaches() {
        for (history, running, before) in [
            ("", "-", "-"),
            ("+a", "a", "-"),
            ("-a", "-", "-"),
            ("+a -b wb", "a", "-"),
            ("+a +b", "b", "a"),
            ("+a +b -c", "b", "a"),
            ("+a +a", "a", "-"),
            ("+a +b +b", "b", "a"),
            ("+a +b +c <b", "b", "a"),
            ("+a +b +c <b <a", "a", "-"),
            ("+a +b <a +c", "c", "a"),
            ("+a +b <a +b", "b", "a"),
            ("+a +b +a", "a", "b"),
            ("+a +b +a <b", "b", "a"),
            ("<a", "a", "-"),
            ("+a ?b", "a", "-"),
            ("+a +b xb", "-", "-"),
            ("+a +b xb -c wc", "-", "-"),
            ("+a +b xb +c", "c", "-"),
            ("+a +b xb +c +d xd +b +a", "a", "b"),
        ] {
            let ledger = ledger(history);
            let found = (name(ledger.running()), name(ledger.before_running()));
            assert_eq!(found, (running.to_owned(), before.to_owned()), "{history}");
        }
    }

    #[test]
    fn what_was_rolled_back_is_left_until_it_is_deployed_again() {
        for (history, rolled_back, left) in [
            ("", "", ""),
            ("+a +b", "", ""),
            ("+a +b <a", "b", "b"),
            ("+a +b +c <b <a", "bc", "bc"),
            ("+a +b <a -b wb ?b", "b", "b"),
            ("+a +b <a +b", "", ""),
            ("+a +b <a +a +a", "b", "b"),
            ("+a +b +c <b +b <a", "bc", "bc"),
            ("+a +a", "", ""),
            ("+a +b <a +c", "b", ""),
            ("+a +b <a +c <a", "bc", "c"),
            ("+a +b <a <b", "a", "a"),
            ("<a", "", ""),
        ] {
            let ledger = ledger(history);
            let letters = |ids: Vec<CommitId>| {
                let byte = |id: CommitId| id.as_bytes().first().copied().map(char::from);
                let mut letters: Vec<char> = ids.into_iter().filter_map(byte).collect();
                letters.sort_unstable();
                letters.into_iter().collect::<String>()
            };
            let found = letters(ledger.rolled_back().into_iter().collect());
            assert_eq!(found, rolled_back, "{history}");
            assert_eq!(letters(ledger.left_by_rollback()), left, "{history}");
        }
    }

    #[test]
    fn of_those_that_wait_in_a_row_the_newest_is_left() {
        for (history, expected) in
            [("wa wb wc", "c"), ("wa +a wb wc", "caa"), ("wa -b wc", "cba"), ("+a wa wa", "aa")]
        {
            let ledger = ledger(history);
            let names: String = ledger.deployments.iter().map(|it| name(Some(it))).collect();
            assert_eq!(names, expected, "{history}");
        }
    }

    #[test]
    fn only_the_newest_without_an_end_is_in_the_way() {
        for (history, interrupted) in [
            ("", "-"),
            ("+a", "-"),
            ("?a", "a"),
            ("+a ?b", "b"),
            ("?a +b", "-"),
            ("?a wb", "-"),
            ("?a xa", "-"),
        ] {
            assert_eq!(name(ledger(history).interrupted()), interrupted, "{history}");
        }
        let outcomes: Vec<_> = ledger("?a +b -c").deployments.iter().map(|it| it.outcome).collect();
        use DeployOutcome::{Failure, Interrupted, Success};
        assert_eq!(outcomes, [Failure, Success, Interrupted]);
    }

    #[test]
    fn what_was_tried_counts_until_something_is_deployed() {
        for (history, tried) in [
            ("", ""),
            ("+a", ""),
            ("-a", "a"),
            ("-a +b", ""),
            ("+a -b wc -d ?e", "edb"),
            ("+a -b +a", ""),
            ("-a xa", ""),
            ("+a xa -b", "b"),
        ] {
            let ledger = ledger(history);
            let names: String = ledger.tried_since_running().map(|it| name(Some(it))).collect();
            assert_eq!(names, tried, "{history}");
        }
    }

    #[test]
    fn the_releases_before_are_distinct_and_those_that_rollbacks_reach() {
        for (history, most, releases) in [
            ("", 2, ""),
            ("+a", 2, ""),
            ("+a +b +c +d", 2, "cb"),
            ("+a +b +c +d", 9, "cba"),
            ("+a +b +c +d", 0, ""),
            ("+a +a +b +b +b +c -d", 2, "ba"),
            ("+a +b +a +b +a", 2, "b"),
            ("+a +b +c +d <c", 2, "ba"),
            ("+a +b +c <a +d", 2, "a"),
            ("+a +b xb", 2, ""),
            ("+a +b xb +c +d", 2, "c"),
        ] {
            let ledger = ledger(history);
            let found = ledger.releases_before_running(most).into_iter();
            let found: String = found.map(|deployment| name(Some(deployment))).collect();
            assert_eq!(found, releases, "{history}, {most}");
        }
    }

    #[test]
    fn an_environment_is_retired_until_somebody_deploys_there_again() {
        for (history, retired) in
            [("", false), ("+a", false), ("+a xa", true), ("-a xa", true), ("+a xa wb", false)]
        {
            assert_eq!(ledger(history).is_retired(), retired, "{history}");
        }
    }

    #[test]
    fn one_waits_until_something_is_deployed() {
        for (history, waiting) in [
            ("", "-"),
            ("wa", "a"),
            ("+a wb wc", "c"),
            ("+a wb -b", "b"),
            ("+a wb +b", "-"),
            ("wa +b", "-"),
            ("+a wb xa", "-"),
            ("+a xa wb", "b"),
        ] {
            assert_eq!(name(ledger(history).waiting()), waiting, "{history}");
        }
    }
}
