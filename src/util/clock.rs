//! The current time, and times as the log shows them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

/// Returns the prefix of a log line: the local time of day, such as `[12:56:39] `.
///
/// ```
/// let prefix = tinyci::format::log_prefix(std::time::SystemTime::now());
/// assert_eq!((prefix.len(), &prefix[..1], &prefix[9..]), (11, "[", "] "));
/// ```
pub fn log_prefix(time: SystemTime) -> String {
    log_prefix_in(&TimeZone::system(), time)
}

/// Returns the current time in whole milliseconds, because JSON has no finer times.
pub(crate) fn now_ms() -> SystemTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let whole = Duration::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    UNIX_EPOCH.checked_add(whole).unwrap_or(UNIX_EPOCH)
}

/// Returns the same as [`log_prefix`], for a given time zone.
pub(crate) fn log_prefix_in(zone: &TimeZone, time: SystemTime) -> String {
    // jiff only supports years up to 9999. A wrong clock must not make logging fail.
    let time = Timestamp::try_from(time).unwrap_or_default();
    zone.to_datetime(time).strftime("[%H:%M:%S] ").to_string()
}
