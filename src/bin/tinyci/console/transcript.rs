//! [`Transcript`]: the lines of a run, `[HH:MM:SS] text`, while they happen.
//!
//! Output is shown as it comes, without waiting for its newline, so a line may stand open. It is
//! ended before anything else is said, and before another commit's output.

use std::time::{SystemTime, UNIX_EPOCH};

use tinyci::{CommitId, Event, EventKind};

/// Turns events into bytes for a terminal.
#[derive(Debug, Default)]
pub(crate) struct Transcript {
    /// Whether lines carry the commit they belong to, because several run at once.
    labelled: bool,
    /// How many commits are being worked on.
    in_hand: usize,
    /// Whose output ended without a newline.
    open: Option<Option<CommitId>>,
    /// The time in front of lines, and the second it was made for.
    time: Option<(u64, String)>,
}

impl Transcript {
    /// `labelled` says from the start that several commits will run at once.
    pub(crate) fn new(labelled: bool) -> Self {
        Self { labelled, ..Self::default() }
    }

    /// What is to be shown for this event.
    pub(crate) fn event(&mut self, event: &Event) -> Vec<u8> {
        let meta = &event.meta;
        let mut shown = Vec::new();
        if matches!(event.kind, EventKind::JobStarted { .. }) {
            self.in_hand += 1;
        }
        match &event.kind {
            EventKind::Output { bytes, .. } if meta.step.is_none() => {
                self.foreign(bytes, &mut shown)
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
            self.in_hand = self.in_hand.saturating_sub(1);
        }
        shown
    }

    /// One line that tinyci itself says.
    pub(crate) fn line(
        &mut self,
        time: SystemTime,
        commit: Option<CommitId>,
        text: &str,
        shown: &mut Vec<u8>,
    ) {
        self.end_line(shown);
        self.prefix(time, commit, shown);
        shown.extend_from_slice(text.as_bytes());
        shown.push(b'\n');
    }

    /// What a command wrote.
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
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.open.is_none() {
                self.prefix(time, commit, shown);
            }
            shown.extend_from_slice(line);
            self.open = (!line.ends_with(b"\n")).then_some(commit);
        }
    }

    /// Whole lines of another process's log, which have their time already.
    fn foreign(&mut self, lines: &[u8], shown: &mut Vec<u8>) {
        self.end_line(shown);
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
        if let Some(commit) = commit.filter(|_| self.labelled || self.in_hand > 1) {
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

    /// What was shown, with `T ` in place of each time.
    fn text(shown: &[u8]) -> String {
        let time = tinyci::format::log_prefix(UNIX_EPOCH);
        String::from_utf8_lossy(shown).replace(&time, "T ")
    }

    #[test]
    fn output_is_prefixed_once_a_line_however_it_is_cut() {
        let (mut transcript, mut shown) = (Transcript::new(false), Vec::new());
        for piece in [&b"on"[..], b"e\ntw", b"o\n\nthree"] {
            transcript.output(UNIX_EPOCH, commit(1), piece, &mut shown);
        }
        transcript.line(UNIX_EPOCH, commit(1), "Testing...", &mut shown);
        transcript.foreign(b"[11:11:11] theirs\n", &mut shown);
        let expected = "T one\nT two\nT \nT three\nT Testing...\n[11:11:11] theirs\n";
        assert_eq!(text(&shown), expected);
    }

    #[test]
    fn commits_that_run_at_once_are_told_apart() {
        let (mut transcript, mut shown) = (Transcript::new(true), Vec::new());
        transcript.output(UNIX_EPOCH, commit(0xaa), b"half", &mut shown);
        transcript.output(UNIX_EPOCH, commit(0xbb), b"whole\n", &mut shown);
        transcript.output(UNIX_EPOCH, commit(0xaa), b"rest\n", &mut shown);
        assert_eq!(text(&shown), "T aaaaaaa half\nT bbbbbbb whole\nT aaaaaaa rest\n");
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
