//! The time of day, as the logs have it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::{Timestamp, tz::TimeZone};

/// What a line of the log begins with: the local time of day, `[12:56:39] `.
///
/// ```
/// let prefix = tinyci::format::log_prefix(std::time::SystemTime::now());
/// assert_eq!((prefix.len(), &prefix[..1], &prefix[9..]), (11, "[", "] "));
/// ```
pub fn log_prefix(time: SystemTime) -> String {
    log_prefix_in(&TimeZone::system(), time)
}

/// The time now in whole milliseconds, which is as exact as JSON keeps it.
pub(crate) fn now_ms() -> SystemTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let whole = Duration::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX));
    UNIX_EPOCH.checked_add(whole).unwrap_or(UNIX_EPOCH)
}

/// [`log_prefix`] in another time zone.
pub(crate) fn log_prefix_in(zone: &TimeZone, time: SystemTime) -> String {
    // A clock outside jiff's range of ten thousand years is no reason to fail.
    let time = Timestamp::try_from(time).unwrap_or_default();
    zone.to_datetime(time).strftime("[%H:%M:%S] ").to_string()
}
