//! Lengths of time as people write them: in configs, in settings, on the command line.

use std::time::Duration;

/// A year. What is longer is a slip, and deadlines far beyond it overflow the system's clocks.
const DURATION_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Reads `500ms`, `90s`, `10m`, `1h`, `2d`, or a plain number of seconds.
///
/// `None` is anything else, and what is longer than a year. Zero is a length too: the caller
/// says what it means.
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
