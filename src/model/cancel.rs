//! Stopping a run: a level that only rises, shared by clones and seen by children.

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
/// stops; a program that wants to go on makes a new one. A [`child`](CancelToken::child) stops with
/// its parent, or alone.
///
/// ```
/// let cancel = tinyci::CancelToken::new();
/// let elsewhere = cancel.clone();
/// elsewhere.cancel();
/// assert_eq!(cancel.level(), 1);
/// ```
#[derive(Clone)]
pub struct CancelToken {
    own: Arc<AtomicU8>,
    /// The levels of the parent and of its parents. A list, not a chain: it is dropped without
    /// recursion however many generations there are.
    inherited: Arc<[Arc<AtomicU8>]>,
}

impl CancelToken {
    /// A token at level 0.
    pub fn new() -> Self {
        Self { own: Arc::default(), inherited: Arc::default() }
    }

    /// Makes a token that is canceled when this one is, or on its own: its level is the higher of
    /// the two. Canceling it leaves this token as it is.
    ///
    /// One token can so stop everything that a program does, and each of its runs can still be
    /// stopped alone:
    ///
    /// ```
    /// let program = tinyci::CancelToken::new();
    /// let (one, other) = (program.child(), program.child());
    /// one.cancel();
    /// assert_eq!((program.level(), one.level(), other.level()), (0, 1, 0));
    /// program.cancel();
    /// assert_eq!((program.level(), one.level(), other.level()), (1, 1, 1));
    /// ```
    #[must_use]
    pub fn child(&self) -> Self {
        let inherited = self.inherited.iter().chain([&self.own]).cloned().collect();
        Self { own: Arc::default(), inherited }
    }

    /// Raises this token's own level by one, up to 2. Async-signal-safe: one atomic instruction
    /// loop, no lock.
    pub fn cancel(&self) {
        let raise = |level: u8| (level < 2).then_some(level + 1);
        // An error means that the level is 2 already.
        let _ = self.own.fetch_update(Ordering::SeqCst, Ordering::SeqCst, raise);
    }

    /// The level now: 0, 1 or 2.
    pub fn level(&self) -> u8 {
        let levels = self.inherited.iter().chain([&self.own]);
        levels.map(|level| level.load(Ordering::SeqCst)).max().unwrap_or(0)
    }
}

impl Default for CancelToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancelToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelToken").field("level", &self.level()).finish()
    }
}

/// What an [`Executor`](crate::executor::Executor) sees of the token that can stop it.
///
/// A step is canceled at level 1, `after_all` only at level 2. An executor looks at it at least
/// every 50 ms.
#[derive(Clone, Debug)]
pub struct CancelView {
    token: CancelToken,
    threshold: u8,
}

impl CancelView {
    /// A view of a token: canceled once its level reaches `threshold`.
    pub fn new(token: &CancelToken, threshold: u8) -> Self {
        Self { token: token.clone(), threshold }
    }

    /// The same token with another threshold.
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

    /// A token below the one that is seen.
    pub(crate) fn child(&self) -> CancelToken {
        self.token.child()
    }

    /// Raises the token that is seen.
    pub(crate) fn raise(&self) {
        self.token.cancel();
    }

    /// The token's level now: 0, 1 or 2.
    pub fn level(&self) -> u8 {
        self.token.level()
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
    fn a_child_has_the_highest_level_of_its_line_and_raises_only_its_own() {
        let host = CancelToken::new();
        let run = host.child();
        let (step, sibling) = (run.child(), host.child());
        run.cancel();
        assert_eq!([&host, &run, &step, &sibling].map(CancelToken::level), [0, 1, 1, 0]);
        step.cancel();
        step.cancel();
        assert_eq!([&host, &run, &step, &sibling].map(CancelToken::level), [0, 1, 2, 0]);
        host.cancel();
        assert_eq!([&host, &run, &step, &sibling].map(CancelToken::level), [1, 1, 2, 1]);
        assert_eq!(host.child().level(), 1, "made afterwards");
        drop(host);
        assert_eq!(sibling.level(), 1, "a child outlives its parent");
    }

    #[test]
    fn a_view_has_its_own_threshold() {
        let token = CancelToken::new();
        let step = CancelView::new(&token, 1);
        let after_all = step.with_threshold(2);
        token.cancel();
        assert!(step.is_canceled() && !after_all.is_canceled() && !step.is_killed());
        token.cancel();
        assert!(after_all.is_canceled() && step.is_killed());
    }
}
