//! The simulated clock of dry runs: only the waits of a step advance it.

use crate::util::lock::lock;
use std::{
    sync::Mutex,
    time::{Duration, Instant},
};

/// A simulated clock that only waits advance.
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
        // If the sum is beyond the range of the clock, any time beyond all limits will do.
        let far = || self.begun + Duration::from_secs(100 * 365 * 24 * 60 * 60);
        self.begun.checked_add(self.waited()).unwrap_or_else(far)
    }

    pub(crate) fn waited(&self) -> Duration {
        *lock(&self.waited)
    }

    /// Advances the clock.
    pub(crate) fn wait(&self, time: Duration) {
        let mut waited = lock(&self.waited);
        *waited = waited.saturating_add(time);
    }

    /// Sets the total time waited, because parallel tasks wait at the same time.
    pub(crate) fn set_waited(&self, waited: Duration) {
        *lock(&self.waited) = waited;
    }

    /// Returns the real time since this clock was created.
    pub(crate) fn age(&self) -> Duration {
        self.begun.elapsed()
    }
}
