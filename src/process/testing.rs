//! What the tests of this room share.

use std::{
    thread,
    time::{Duration, Instant},
};

use crate::process::group::living_member_of;

/// Whether this process runs. A zombie does not.
pub(super) fn is_alive(process: i32) -> bool {
    let stat = std::fs::read(format!("/proc/{process}/stat"));
    stat.is_ok_and(|stat| living_member_of(&stat).is_some())
}

/// Waits for what has to come.
pub(super) fn wait_until(mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(60), "waited in vain");
        thread::sleep(Duration::from_millis(5));
    }
}
