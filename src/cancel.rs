//! Stopping a run: a level that only rises, shared by clones.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// A level that any thread, or a signal handler, may raise: 1 stops what is running and still
/// runs `after_all`; 2 kills and stops.
///
/// Clones share the level. It never falls, so one token serves any number of runs, each of which
/// stops; a program that wants to go on makes a new one.
///
/// ```
/// let cancel = tinyci::CancelToken::new();
/// let elsewhere = cancel.clone();
/// elsewhere.cancel();
/// assert_eq!(cancel.level(), 1);
/// ```
#[derive(Clone, Default)]
pub struct CancelToken {
    level: Arc<AtomicU8>,
}

impl CancelToken {
    /// A token at level 0.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the level by one, up to 2. Async-signal-safe: one atomic instruction loop, no lock.
    pub fn cancel(&self) {
        let raise = |level: u8| (level < 2).then_some(level + 1);
        // An error means that the level is 2 already.
        let _ = self.level.fetch_update(Ordering::SeqCst, Ordering::SeqCst, raise);
    }

    /// The level now: 0, 1 or 2.
    pub fn level(&self) -> u8 {
        self.level.load(Ordering::SeqCst)
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("level", &self.level()).finish()
    }
}

/// What an [`Executor`](crate::Executor) sees of the tokens that can stop it.
///
/// A step is canceled at level 1, `after_all` only at level 2. An executor looks at it at least
/// every 50 ms.
#[derive(Clone, Debug)]
pub struct CancelView {
    host: CancelToken,
    run: CancelToken,
    threshold: u8,
}

impl CancelView {
    /// A view of one token: canceled once its level reaches `threshold`.
    pub fn new(token: &CancelToken, threshold: u8) -> Self {
        Self { host: token.clone(), run: CancelToken::new(), threshold }
    }

    /// A view of the host's token and of the run's own, whichever is higher.
    pub(crate) fn of_run(host: &CancelToken, run: &CancelToken, threshold: u8) -> Self {
        Self { host: host.clone(), run: run.clone(), threshold }
    }

    /// The same tokens with another threshold.
    pub(crate) fn with_threshold(&self, threshold: u8) -> Self {
        Self { threshold, ..self.clone() }
    }

    /// Whether the work that holds this view must stop now.
    pub fn is_canceled(&self) -> bool {
        self.level() >= self.threshold
    }

    /// Whether there is no time for a grace period: the level is 2.
    pub fn is_killed(&self) -> bool {
        self.level() >= 2
    }

    /// The higher of the levels seen.
    pub fn level(&self) -> u8 {
        self.host.level().max(self.run.level())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_level_is_shared_and_never_exceeds_two() {
        let token = CancelToken::new();
        let clone = token.clone();
        for expected in [1, 2, 2] {
            clone.cancel();
            assert_eq!(token.level(), expected);
        }
    }

    #[test]
    fn a_view_takes_the_higher_level_and_its_own_threshold() {
        let (host, run) = (CancelToken::new(), CancelToken::new());
        let step = CancelView::of_run(&host, &run, 1);
        let after_all = step.with_threshold(2);
        run.cancel();
        assert!(step.is_canceled() && !after_all.is_canceled() && !step.is_killed());
        host.cancel();
        host.cancel();
        assert!(after_all.is_canceled() && step.is_killed());
    }
}
