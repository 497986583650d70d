//! Waiting for processes and conditions in tests.

use std::{
    fmt::Display,
    fs, thread,
    time::{Duration, Instant},
};

/// Long enough for slow machines, short enough to notice a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until the condition is true.
#[track_caller]
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Returns true if the process with this id is running. A zombie does not count.
pub(crate) fn is_alive(process: impl Display) -> bool {
    let stat = fs::read(format!("/proc/{}/stat", process.to_string().trim()));
    stat.is_ok_and(|stat| {
        let stat = String::from_utf8_lossy(&stat);
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with(['Z', 'X']));
        state == Some(false)
    })
}
