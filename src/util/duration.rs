//! Durations as people write them: in configs, in settings and on the command line.

use std::time::Duration;

/// One year. A longer duration is probably a mistake, and much longer ones overflow the system's
/// clocks.
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Parses a duration such as `500ms`, `90s`, `10m`, `1h` or `2d`, or a plain number of seconds.
///
/// Returns `None` for any other string and for durations over one year. Zero is valid; the caller
/// decides what it means.
///
/// ```
/// use std::time::Duration;
/// assert_eq!(tinyci::format::parse_duration("10m"), Some(Duration::from_secs(600)));
/// assert_eq!(tinyci::format::parse_duration("soon"), None);
/// ```
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim();
    let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let milliseconds: u64 = match unit.trim_start() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    let number: u64 = number.parse().ok()?;
    let duration = Duration::from_millis(number.checked_mul(milliseconds)?);
    (duration <= DURATION_MAX).then_some(duration)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_read_and_nonsense_is_not() {
        let cases = [
            ("90", Some(90_000)),
            ("90s", Some(90_000)),
            ("10m", Some(600_000)),
            ("1h", Some(3_600_000)),
            ("365d", Some(365 * 86_400_000)),
            ("500ms", Some(500)),
            (" 5 s ", Some(5_000)),
            ("0", Some(0)),
            ("366d", None),
            ("99999999999999999999s", None),
            ("18446744073709551615h", None),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("+1s", None),
            ("1.5h", None),
            ("1:30", None),
            ("5 minutes", None),
            ("٣s", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration(text), expected.map(Duration::from_millis), "{text:?}");
        }
    }
}
