//! [`LogLimiter`]: limits the size of a log.
//!
//! It keeps the beginning of the log and the end of each step, because users look for these. The
//! rest is only counted.

use std::collections::VecDeque;

/// The bytes of the end of each step that are kept beyond the limit.
const TAIL_BYTES: usize = 64 << 10;

/// Passes on the first bytes of a log, and buffers the last of the following bytes until `flush`.
#[derive(Debug)]
pub(super) struct LogLimiter {
    limit: u64,
    remaining: u64,
    tail: VecDeque<u8>,
    /// The number of bytes since the last `flush` that were dropped.
    dropped: u64,
    /// True if the log already has the message that the limit is reached.
    is_reported: bool,
    inside_line: bool,
}

impl LogLimiter {
    pub(super) fn new(limit: u64) -> LogLimiter {
        let tail = VecDeque::new();
        LogLimiter {
            limit,
            remaining: limit,
            tail,
            dropped: 0,
            is_reported: false,
            inside_line: false,
        }
    }

    /// Adds formatted output; writes to `to` what is kept at once. `prefix` starts a message of the
    /// limiter.
    pub(super) fn output(&mut self, bytes: &[u8], prefix: &str, to: &mut Vec<u8>) {
        let accepted = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(bytes.len());
        let (head, rest) = bytes.split_at(accepted);
        self.force(head, to);
        self.keep_tail(rest);
        if self.dropped > 0 && !self.is_reported {
            self.is_reported = true;
            let message = format!(
                "{prefix}the log reached its limit of {} bytes; from here it keeps the last \
                 {TAIL_BYTES} bytes of each step\n",
                self.limit
            );
            self.end_line(to);
            self.force(message.as_bytes(), to);
        }
    }

    /// Writes the tail, after a message about the dropped bytes. The next output must start a new
    /// line.
    pub(super) fn flush(&mut self, prefix: &str, to: &mut Vec<u8>) {
        if self.dropped > 0 {
            // Start at a new line, unless that would drop most of a tail with long lines.
            let start = self.tail.iter().take(TAIL_BYTES / 2).position(|byte| *byte == b'\n');
            if let Some(end) = start {
                self.tail.drain(..=end);
                self.dropped += end as u64 + 1;
            }
            let message = format!("{prefix}({} bytes are omitted here)\n", self.dropped);
            self.end_line(to);
            self.force(message.as_bytes(), to);
        }
        self.dropped = 0;
        let tail = std::mem::take(&mut self.tail);
        let (first, second) = tail.as_slices();
        self.force(first, to);
        self.force(second, to);
    }

    /// Adds a line of tinyci in spite of the limit, because there are few of them.
    pub(super) fn force(&mut self, bytes: &[u8], to: &mut Vec<u8>) {
        self.remaining = self.remaining.saturating_sub(bytes.len() as u64);
        if let Some(last) = bytes.last() {
            self.inside_line = *last != b'\n';
        }
        to.extend_from_slice(bytes);
    }

    fn keep_tail(&mut self, bytes: &[u8]) {
        let surplus = (self.tail.len() + bytes.len()).saturating_sub(TAIL_BYTES);
        self.dropped += surplus as u64;
        let old = surplus.min(self.tail.len());
        self.tail.drain(..old);
        self.tail.extend(&bytes[surplus - old..]);
    }

    fn end_line(&mut self, to: &mut Vec<u8>) {
        if self.inside_line {
            to.push(b'\n');
        }
        self.inside_line = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(limit: u64, pieces: &[&[u8]]) -> Vec<u8> {
        let (mut limiter, mut to) = (LogLimiter::new(limit), Vec::new());
        for piece in pieces {
            limiter.output(piece, "> ", &mut to);
        }
        limiter.flush("> ", &mut to);
        to
    }

    #[test]
    fn what_fits_passes_unchanged_cut_anywhere() {
        let text: Vec<u8> = (0..=255).cycle().take(TAIL_BYTES + 100).collect();
        for limit in [100, 101, 1 << 20] {
            for size in [1, 7, 4096, text.len()] {
                let pieces: Vec<&[u8]> = text.chunks(size).collect();
                assert!(run(limit, &pieces) == text, "limit {limit}, pieces of {size}");
            }
        }
    }

    #[test]
    fn head_and_tail_are_kept_and_the_gap_is_counted() {
        let lines: String = (0..100_000).map(|number| format!("line {number}\n")).collect();
        let text = String::from_utf8(run(1000, &[lines.as_bytes()])).unwrap_or_default();
        assert!(text.starts_with(&lines[..1000]), "the head");
        assert!(text.ends_with("line 99998\nline 99999\n"), "the tail");
        assert!(text.len() < 1000 + TAIL_BYTES + 300, "{}", text.len());
        let gap = text.lines().find(|line| line.contains("are omitted")).unwrap_or_default();
        let dropped: usize = gap[3..].split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let kept: usize =
            text.lines().filter(|line| line.starts_with("> ")).map(|line| line.len() + 1).sum();
        // The message that the limit is reached begins on a new line.
        assert_eq!(text.len() - kept - 1 + dropped, lines.len());
    }

    #[test]
    fn gigabytes_without_a_newline_keep_their_last_bytes() {
        let piece = vec![b'x'; 1 << 16];
        let (mut limiter, mut to) = (LogLimiter::new(1 << 10), Vec::new());
        for _ in 0..1000 {
            limiter.output(&piece, "> ", &mut to);
        }
        limiter.output(b"the end", "> ", &mut to);
        limiter.flush("> ", &mut to);
        assert!(to.ends_with(b"xthe end") && to.len() < (1 << 10) + TAIL_BYTES + 300);
        limiter.output(b"\nmore\n", "> ", &mut to);
        limiter.flush("> ", &mut to);
        assert!(to.ends_with(b"xthe end\nmore\n"), "a short step after it is kept whole");
        limiter.output(&piece, "> ", &mut to);
        limiter.output(b"\n", "> ", &mut to);
        limiter.flush("> ", &mut to);
        assert!(to.ends_with(b"xxx\n"), "one long line is not given up for its own end");
    }
}
