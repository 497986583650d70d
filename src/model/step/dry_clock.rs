//! The clock of what is not done: it stands still but for the waits that a step asks for.

use crate::util::lock::lock;
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// A clock that only waits move.
#[derive(Debug)]
pub(crate) struct DryClock {
    begun: Instant,
    waited: Mutex<Duration>,
}

impl DryClock {
    pub(crate) fn new() -> Self {
        Self { begun: Instant::now(), waited: Mutex::default() }
    }

    pub(crate) fn now(&self) -> Instant {
        // Who waits for longer than a clock can tell waits beyond every limit that there is.
        let far = || self.begun + Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.begun.checked_add(self.waited()).unwrap_or_else(far)
    }

    pub(crate) fn waited(&self) -> Duration {
        *lock(&self.waited)
    }

    /// Lets time pass.
    pub(crate) fn wait(&self, time: Duration) {
        let mut waited = lock(&self.waited);
        *waited = waited.saturating_add(time);
    }

    /// Sets how much time has passed: tasks wait at once.
    pub(crate) fn set_waited(&self, waited: Duration) {
        *lock(&self.waited) = waited;
    }

    /// How long this clock has been there, by the clock on the wall.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }
}
