//! Cancel tokens: a level that only rises, shared by clones and inherited by child tokens.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

/// A level that any thread or a signal handler can raise. Level 1 stops what is running and still
/// runs `after_all`; level 2 kills everything.
///
/// Clones share the level, and it never falls. A canceled token stops every run that uses it, so
/// use a new token to go on. A [`child`](CancelToken::child) token is canceled with its parent, or
/// alone.
///
/// ```
/// let cancel = tinyci::CancelToken::new();
/// let elsewhere = cancel.clone();
/// elsewhere.cancel();
/// assert_eq!(cancel.level(), 1);
/// ```
#[derive(Clone)]
pub struct CancelToken {
    level: Arc<AtomicU8>,
    /// The levels of all ancestors. A flat list, so that dropping a long line of tokens does not
    /// recurse.
    inherited: Arc<[Arc<AtomicU8>]>,
}

impl CancelToken {
    /// Creates a token at level 0.
    pub fn new() -> Self {
        Self { level: Arc::default(), inherited: Arc::default() }
    }

    /// Creates a token that is canceled when this one is, or alone. Its level is the higher of the
    /// two. Canceling the child does not change this token.
    ///
    /// Use it to stop your whole program with one token, and still stop single runs:
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
        let inherited = self.inherited.iter().chain([&self.level]).cloned().collect();
        Self { level: Arc::default(), inherited }
    }

    /// Raises the level of this token by one, up to 2. You may call it in a signal handler: it only
    /// uses an atomic operation.
    pub fn cancel(&self) {
        let raise = |level: u8| (level < 2).then_some(level + 1);
        // The update fails only if the level is already 2.
        let _ = self.level.fetch_update(Ordering::SeqCst, Ordering::SeqCst, raise);
    }

    /// Returns the current level: 0, 1 or 2.
    pub fn level(&self) -> u8 {
        let levels = self.inherited.iter().chain([&self.level]);
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

/// The read-only view of a [`CancelToken`] that an [`Executor`](crate::executor::Executor) gets.
///
/// A step is canceled at level 1, `after_all` only at level 2. An executor must check it at least
/// every 50 ms.
#[derive(Clone, Debug)]
pub struct CancelView {
    token: CancelToken,
    threshold: u8,
}

impl CancelView {
    /// Creates a view that is canceled once the level of the token reaches `threshold`.
    pub fn new(token: &CancelToken, threshold: u8) -> Self {
        Self { token: token.clone(), threshold }
    }

    /// Returns a view of the same token with another threshold.
    pub(crate) fn with_threshold(&self, threshold: u8) -> Self {
        Self { threshold, ..self.clone() }
    }

    /// Returns true if the work must stop now.
    pub fn is_canceled(&self) -> bool {
        self.level() >= self.threshold
    }

    /// Returns true if the level is 2: kill without a grace period.
    pub fn is_killed(&self) -> bool {
        self.level() >= 2
    }

    /// Creates a child of the viewed token.
    pub(crate) fn child(&self) -> CancelToken {
        self.token.child()
    }

    /// Raises the level of the viewed token by one.
    pub(crate) fn raise(&self) {
        self.token.cancel();
    }

    /// Returns the current level of the token: 0, 1 or 2.
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
