//! [`Ledger`]: what the entries of an environment's history come to. Pure.
//!
//! A deployment that acts leaves two entries: one before its first command, one when it is over.
//! So what was killed in between shows.

use std::collections::HashSet;

use crate::{
    commit::CommitId,
    deployment::{DeployOutcome, Deployment},
};

/// The deployments of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ledger {
    /// The newest first, each once. One without an end is `Interrupted`.
    pub(crate) deployments: Vec<Deployment>,
}

impl Ledger {
    /// Takes the entries, the newest first.
    pub(crate) fn new(entries: Vec<Deployment>) -> Self {
        let mut known = HashSet::new();
        let deployments = entries.into_iter().filter(|entry| known.insert(entry.run.clone()));
        let deployments = deployments.map(|mut entry| {
            if entry.outcome == DeployOutcome::Running {
                entry.outcome = DeployOutcome::Interrupted;
            }
            entry
        });
        Self { deployments: deployments.collect() }
    }

    /// The deployment that is there now: the newest that succeeded.
    pub(crate) fn running(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|deployment| deployment.passed())
    }

    /// The newest deployment, if it began and has no end: nobody has looked since.
    pub(crate) fn interrupted(&self) -> Option<&Deployment> {
        self.deployments.first().filter(|newest| {
            newest.outcome == DeployOutcome::Interrupted && newest.finished.is_none()
        })
    }

    /// The deployment before the one that is there now. A rollback takes the one that it leaves
    /// out of the way, so that the next one goes back further and not there again.
    pub(crate) fn before_running(&self) -> Option<&Deployment> {
        let mut stack: Vec<&Deployment> = Vec::new();
        for deployment in self.deployments.iter().rev().filter(|it| it.passed()) {
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
        stack.pop()?;
        stack.pop()
    }

    /// The commits whose builds must stay: what is deployed, what a rollback would deploy, and
    /// what is being deployed.
    pub(crate) fn pinned(&self) -> impl Iterator<Item = CommitId> {
        let kept = [self.running(), self.before_running(), self.interrupted()];
        kept.into_iter().flatten().map(|deployment| deployment.commit)
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    /// `+a` deployed, `-a` failed, `<a` rolled back to, `?a` began and nothing more, `wa` waits;
    /// the oldest first.
    fn ledger(history: &str) -> Ledger {
        let mut entries = Vec::new();
        for (number, word) in history.split(' ').filter(|word| !word.is_empty()).enumerate() {
            let (kind, name) = word.split_at(1);
            let byte = name.bytes().next().unwrap_or_default();
            let outcome = match kind {
                "+" | "<" => DeployOutcome::Success,
                "-" => DeployOutcome::Failure,
                "w" => DeployOutcome::Waiting,
                _ => DeployOutcome::Running,
            };
            let begin = Deployment {
                run: number.to_string(),
                environment: "production".to_owned(),
                commit: CommitId::from_bytes([byte; 20]),
                from: None,
                outcome: DeployOutcome::Running,
                reason: None,
                forced: false,
                rollback: kind == "<",
                approved_by: None,
                approval_proof: None,
                config: String::new(),
                started: UNIX_EPOCH,
                finished: None,
                by: String::new(),
                account: None,
                remote: None,
            };
            let end = Deployment { outcome, finished: Some(UNIX_EPOCH), ..begin.clone() };
            match outcome {
                DeployOutcome::Running => entries.push(begin),
                DeployOutcome::Waiting => entries.push(end),
                _ => entries.extend([begin, end]),
            }
        }
        entries.reverse();
        Ledger::new(entries)
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
        ] {
            let ledger = ledger(history);
            let found = (name(ledger.running()), name(ledger.before_running()));
            assert_eq!(found, (running.to_owned(), before.to_owned()), "{history}");
        }
    }

    #[test]
    fn only_the_newest_without_an_end_is_in_the_way() {
        for (history, interrupted) in
            [("", "-"), ("+a", "-"), ("?a", "a"), ("+a ?b", "b"), ("?a +b", "-"), ("?a wb", "-")]
        {
            assert_eq!(name(ledger(history).interrupted()), interrupted, "{history}");
        }
        let outcomes: Vec<_> = ledger("?a +b -c").deployments.iter().map(|it| it.outcome).collect();
        use DeployOutcome::{Failure, Interrupted, Success};
        assert_eq!(outcomes, [Failure, Success, Interrupted]);
        assert_eq!(ledger("+a +b ?c").pinned().count(), 3);
    }
}
