//! [`Transcript`]: the lines of a run, `[HH:MM:SS] text`, as they happen.
//!
//! Output is shown at once, without waiting for its newline. An incomplete line is ended before any
//! other line, and before the output of another commit.

use std::time::{SystemTime, UNIX_EPOCH};

use tinyci::{CommitId, Event, EventKind};

/// Turns events into bytes for a terminal.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// True if every line shows its commit, because several are tested at the same time.
    labeled: bool,
    /// The number of active jobs.
    active: usize,
    /// The commit of an incomplete line.
    open: Option<Option<CommitId>>,
    /// True if a command has changed the color.
    colored: bool,
    /// The time in front of lines, and the second that it shows.
    time: Option<(u64, String)>,
}

impl Transcript {
    /// With `labeled`, every line shows its commit from the start.
    pub(crate) fn new(labeled: bool) -> Self {
        Self { labeled, ..Self::default() }
    }

    /// Returns the bytes to show for this event.
    pub(crate) fn event(&mut self, event: &Event) -> Vec<u8> {
        let meta = &event.meta;
        let mut shown = Vec::new();
        if matches!(event.kind, EventKind::JobStarted { .. }) {
            self.active += 1;
        }
        match &event.kind {
            EventKind::Output { bytes, .. } if meta.step.is_none() => {
                self.followed(bytes, &mut shown)
            }
            EventKind::Output { bytes, .. } => {
                self.output(meta.time, meta.commit, bytes, &mut shown);
            }
            EventKind::Finished { .. } => self.end_line(&mut shown),
            _ => {
                for line in event.log_lines() {
                    self.line(meta.time, meta.commit, &line, &mut shown);
                }
            }
        }
        if matches!(event.kind, EventKind::JobFinished { .. }) {
            self.active = self.active.saturating_sub(1);
        }
        shown
    }

    /// Adds a line of tinyci.
    pub(crate) fn line(
        &mut self,
        time: SystemTime,
        commit: Option<CommitId>,
        text: &str,
        shown: &mut Vec<u8>,
    ) {
        self.end_line(shown);
        if std::mem::take(&mut self.colored) {
            shown.extend_from_slice(b"\x1b[0m");
        }
        self.prefix(time, commit, shown);
        // Reasons and labels are texts of others, too.
        self.colored = text.contains('\u{1b}');
        shown.extend_from_slice(text.as_bytes());
        shown.push(b'\n');
    }

    /// Adds output of a command.
    fn output(
        &mut self,
        time: SystemTime,
        commit: Option<CommitId>,
        bytes: &[u8],
        shown: &mut Vec<u8>,
    ) {
        if self.open.is_some_and(|open| open != commit) {
            self.end_line(shown);
        }
        self.colored |= bytes.contains(&0x1b);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.open.is_none() {
                self.prefix(time, commit, shown);
            }
            shown.extend_from_slice(line);
            self.open = (!line.ends_with(b"\n")).then_some(commit);
        }
    }

    /// Adds whole lines from the log of another run, which have a time already.
    fn followed(&mut self, lines: &[u8], shown: &mut Vec<u8>) {
        self.end_line(shown);
        self.colored |= lines.contains(&0x1b);
        shown.extend_from_slice(lines);
    }

    fn end_line(&mut self, shown: &mut Vec<u8>) {
        if self.open.take().is_some() {
            shown.push(b'\n');
        }
    }

    fn prefix(&mut self, time: SystemTime, commit: Option<CommitId>, shown: &mut Vec<u8>) {
        let second = time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let text = match self.time.take() {
            Some((of, text)) if of == second => text,
            _ => tinyci::format::log_prefix(time),
        };
        shown.extend_from_slice(text.as_bytes());
        self.time = Some((second, text));
        if let Some(commit) = commit.filter(|_| self.labeled || self.active > 1) {
            shown.extend_from_slice(commit.short().as_bytes());
            shown.push(b' ');
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn commit(byte: u8) -> Option<CommitId> {
        Some(CommitId::from_bytes([byte; 20]))
    }

    /// Returns the output with `T ` instead of each time.
    fn text(shown: &[u8]) -> String {
        let time = tinyci::format::log_prefix(UNIX_EPOCH);
        String::from_utf8_lossy(shown).replace(&time, "T ")
    }

    #[test]
    fn each_line_of_output_has_one_prefix() {
        let (mut transcript, mut shown) = (Transcript::new(false), Vec::new());
        for piece in [&b"on"[..], b"e\ntw", b"o\n\nthree"] {
            transcript.output(UNIX_EPOCH, commit(1), piece, &mut shown);
        }
        transcript.line(UNIX_EPOCH, commit(1), "Testing...", &mut shown);
        transcript.followed(b"[11:11:11] theirs\n", &mut shown);
        let expected = "T one\nT two\nT \nT three\nT Testing...\n[11:11:11] theirs\n";
        assert_eq!(text(&shown), expected);
    }

    #[test]
    fn lines_of_parallel_jobs_show_their_commit() {
        let (mut transcript, mut shown) = (Transcript::new(true), Vec::new());
        transcript.output(UNIX_EPOCH, commit(0xaa), b"half", &mut shown);
        transcript.output(UNIX_EPOCH, commit(0xbb), b"whole\n", &mut shown);
        transcript.output(UNIX_EPOCH, commit(0xaa), b"rest\n", &mut shown);
        assert_eq!(text(&shown), "T aaaaaaa half\nT bbbbbbb whole\nT aaaaaaa rest\n");
    }

    #[test]
    fn colors_of_a_command_end_before_lines_of_tinyci() {
        let (mut transcript, mut shown) = (Transcript::new(false), Vec::new());
        transcript.output(UNIX_EPOCH, commit(1), b"\x1b[31mred\n", &mut shown);
        transcript.line(UNIX_EPOCH, None, "a", &mut shown);
        transcript.line(UNIX_EPOCH, None, "\u{1b}[8;30;40mb", &mut shown);
        transcript.line(UNIX_EPOCH, None, "c", &mut shown);
        let expected = "T \u{1b}[31mred\n\u{1b}[0mT a\nT \u{1b}[8;30;40mb\n\u{1b}[0mT c\n";
        assert_eq!(text(&shown), expected);
    }

    #[test]
    fn the_time_moves_on() {
        let (mut transcript, mut shown) = (Transcript::new(false), Vec::new());
        let later = UNIX_EPOCH + Duration::from_secs(61);
        transcript.line(UNIX_EPOCH, None, "a", &mut shown);
        transcript.line(later, None, "b", &mut shown);
        assert_eq!(text(&shown), format!("T a\n{}b\n", tinyci::format::log_prefix(later)));
    }
}
