//! [`LineFormatter`]: formats log lines as `[HH:MM:SS] text`, in local time.

use std::time::{SystemTime, UNIX_EPOCH};

use jiff::tz::TimeZone;

use crate::util::clock::log_prefix_in;

/// Prefixes lines with the time, without waiting for a complete line.
///
/// Passes all bytes unchanged, including NUL, carriage returns and invalid UTF-8.
#[derive(Debug)]
pub(crate) struct LineFormatter {
    zone: TimeZone,
    /// The label between the time and the text, with a trailing space.
    label: String,
    /// The second of `prefix`, since 1970.
    second: Option<u64>,
    prefix: String,
    inside_line: bool,
}

impl LineFormatter {
    /// Formats lines with the time in this zone, followed by a label if there is one.
    pub(crate) fn new(zone: TimeZone, label: Option<&str>) -> Self {
        let label = label.map(|label| format!("{label} ")).unwrap_or_default();
        Self { zone, label, second: None, prefix: String::new(), inside_line: false }
    }

    /// Adds output that arrived at `now`. A line gets its prefix with its first byte.
    pub(crate) fn output(&mut self, bytes: &[u8], now: SystemTime, to: &mut Vec<u8>) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if !self.inside_line {
                to.extend_from_slice(self.prefix(now).as_bytes());
            }
            to.extend_from_slice(line);
            self.inside_line = !line.ends_with(b"\n");
        }
    }

    /// Adds a message of tinyci on a new line. Only its first line gets a prefix.
    pub(crate) fn line(&mut self, text: &str, now: SystemTime, to: &mut Vec<u8>) {
        self.end_line(to);
        to.extend_from_slice(self.prefix(now).as_bytes());
        to.extend_from_slice(text.as_bytes());
        to.push(b'\n');
    }

    /// Ends an incomplete line of output.
    pub(crate) fn end_line(&mut self, to: &mut Vec<u8>) {
        if self.inside_line {
            to.push(b'\n');
        }
        self.inside_line = false;
    }

    /// Returns `[HH:MM:SS] ` and the label, formatted once a second.
    pub(super) fn prefix(&mut self, now: SystemTime) -> &str {
        let second = now.duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        if self.second != Some(second) {
            self.prefix = log_prefix_in(&self.zone, now) + self.label.as_str();
            self.second = Some(second);
        }
        &self.prefix
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::*;

    fn at(second: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(second)
    }

    #[test]
    fn every_line_of_output_gets_the_time_of_its_first_byte() {
        let mut lines = LineFormatter::new(TimeZone::UTC, None);
        let mut to = Vec::new();
        for (second, piece) in
            [(3661, &b"a\r\nb"[..]), (3662, b"\xff\0"), (3663, b"\n\nc"), (3664, b"")]
        {
            lines.output(piece, at(second), &mut to);
        }
        lines.line("one\ntwo", at(3665), &mut to);
        lines.end_line(&mut to);
        let expected = b"[01:01:01] a\r\n[01:01:01] b\xff\0\n[01:01:03] \n[01:01:03] c\n\
            [01:01:05] one\ntwo\n";
        assert_eq!(to.escape_ascii().to_string(), expected.escape_ascii().to_string());
    }

    #[test]
    fn the_time_is_local_and_a_label_follows_it() {
        let zone = TimeZone::get("Asia/Kolkata").unwrap_or(TimeZone::fixed(jiff::tz::offset(5)));
        let hour = zone.to_datetime(Timestamp::UNIX_EPOCH).hour();
        let mut lines = LineFormatter::new(zone, Some("f40785c"));
        let mut to = Vec::new();
        lines.line("Building...", at(0), &mut to);
        let text = String::from_utf8(to).unwrap();
        assert!(text.starts_with(&format!("[{hour:02}:")), "{text}");
        assert!(hour == 5 && text.ends_with("] f40785c Building...\n"), "{text}");
    }
}
