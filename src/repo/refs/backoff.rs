//! Waits for another process that cannot signal that it is done: with random, growing pauses.

use std::{
    hash::{BuildHasher, RandomState},
    thread,
    time::{Duration, Instant},
};

const PAUSE_FIRST: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(32);

/// Pauses that grow until a deadline.
pub(in crate::repo) struct Backoff {
    deadline: Instant,
    pause: Duration,
}

impl Backoff {
    /// Starts a series of pauses of at most this total length.
    pub(in crate::repo) fn new(limit: Duration) -> Self {
        Self { deadline: Instant::now() + limit, pause: PAUSE_FIRST }
    }

    /// Sleeps before the next attempt. Returns false at once if the time is up.
    pub(in crate::repo) fn pause(&mut self) -> bool {
        if Instant::now() >= self.deadline {
            return false;
        }
        thread::sleep(random_share(self.pause));
        self.pause = (self.pause * 2).min(PAUSE_MAX);
        true
    }
}

/// Returns a random duration from half of the pause to all of it, so that two writers that met do
/// not meet again.
fn random_share(pause: Duration) -> Duration {
    // The standard library seeds its hash tables randomly, which is random enough for jitter.
    let random = RandomState::new().hash_one(()) % 1024;
    let share = 512 + u32::try_from(random / 2).unwrap_or(0);
    pause * share / 1024
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_between_half_and_all() {
        let pause = Duration::from_millis(8);
        for _ in 0..1000 {
            let share = random_share(pause);
            assert!(share >= pause / 2 && share < pause, "{share:?}");
        }
    }

    #[test]
    fn no_pause_after_the_deadline() {
        assert!(!Backoff::new(Duration::ZERO).pause());
    }
}
