//! The output of one attempt at a command: masked and labeled on its way out, and kept as far as
//! the step asks for it.

use std::collections::VecDeque;

use super::host::StepHost;
use crate::{
    model::{
        executor::{Output, Stream},
        step::{CommandEnd, OutputUse, Shown, StepCommand},
    },
    rules::mask::MaskedStream,
};

/// A line that is longer is shown in pieces, so that none is held in memory without end.
const LINE_BYTES_MAX: usize = 16 << 10;

/// How much of the end of a command's output is kept for what comes after it.
const TAIL_BYTES_MAX: usize = 2 << 10;

/// How much of the end of what a command keeps back is shown once it has failed.
const HIDDEN_BYTES_MAX: usize = 64 << 10;

/// The output of one attempt.
pub(super) struct AttemptOutput<'a> {
    host: &'a StepHost,
    shown: Shown,
    asks: OutputUse,
    label: Option<String>,
    prefix: String,
    stdout: OneStream,
    stderr: OneStream,
    tail: Vec<u8>,
    hidden: Hidden,
}

/// One of its streams.
struct OneStream {
    masked: MaskedStream,
    /// The beginning of a labeled line.
    held: Vec<u8>,
    given: Vec<u8>,
}

/// The end of what is not shown, masked: it is, should the command fail.
#[derive(Default)]
pub(super) struct Hidden {
    pieces: VecDeque<(Stream, Vec<u8>)>,
    bytes: usize,
    /// How many bytes were let go in front of it.
    lost: usize,
}

impl Hidden {
    fn push(&mut self, stream: Stream, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        match self.pieces.back_mut() {
            Some((of, last)) if *of == stream => last.extend(bytes),
            _ => self.pieces.push_back((stream, bytes)),
        }
        while self.bytes > HIDDEN_BYTES_MAX {
            let over = self.bytes - HIDDEN_BYTES_MAX;
            let Some((_, first)) = self.pieces.front_mut() else { return };
            let gone = over.min(first.len());
            first.drain(..gone);
            (self.bytes, self.lost) = (self.bytes - gone, self.lost + gone);
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
    }

    /// Shows it as the output of a command.
    pub(super) fn show(self, host: &StepHost, command: &StepCommand) {
        let command = StepCommand { shown: Shown::All, ..command.clone() };
        let mut output = AttemptOutput::new(host, &command);
        if self.lost > 0 {
            let line = format!("… ({} earlier bytes are not shown)\n", self.lost);
            output.show(Stream::Stdout, line.into_bytes(), false);
        }
        for (stream, bytes) in self.pieces {
            output.show(stream, bytes, false);
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            output.show(stream, Vec::new(), true);
        }
    }
}

/// What is kept of it.
pub(super) struct KeptOutput {
    /// Raw.
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// Masked.
    pub(super) tail: String,
    pub(super) hidden: Hidden,
}

impl<'a> AttemptOutput<'a> {
    pub(super) fn new(host: &'a StepHost, command: &StepCommand) -> Self {
        let stream =
            || OneStream { masked: host.masks.stream(), held: Vec::new(), given: Vec::new() };
        let label = command.label.as_ref().map(|label| host.label(label));
        let prefix = label.as_ref().map(|label| format!("[{label}] "));
        Self {
            host,
            shown: command.shown,
            asks: command.output,
            label,
            prefix: prefix.unwrap_or_default(),
            stdout: stream(),
            stderr: stream(),
            tail: Vec::new(),
            hidden: Hidden::default(),
        }
    }

    pub(super) fn take(&mut self, output: Output) {
        let is_given = self.asks.is_given();
        let stream = self.stream(output.stream);
        if is_given && stream.given.len() <= CommandEnd::GIVEN_BYTES_MAX {
            stream.given.extend_from_slice(&output.bytes);
        }
        let clean = stream.masked.push(output.bytes);
        self.show(output.stream, clean, false);
    }

    /// Shows what is left.
    pub(super) fn finish(mut self) -> KeptOutput {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = self.stream(stream).masked.finish();
            self.show(stream, rest, true);
        }
        KeptOutput {
            stdout: self.stdout.given,
            stderr: self.stderr.given,
            tail: String::from_utf8_lossy(&self.tail).into_owned(),
            hidden: self.hidden,
        }
    }

    fn stream(&mut self, stream: Stream) -> &mut OneStream {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn show(&mut self, stream: Stream, bytes: Vec<u8>, last: bool) {
        self.tail.extend_from_slice(&bytes);
        let over = self.tail.len().saturating_sub(TAIL_BYTES_MAX);
        self.tail.drain(..over);
        let hidden = match self.shown {
            Shown::All => false,
            Shown::Stderr => stream == Stream::Stdout,
            Shown::Nothing => true,
        };
        if hidden {
            // A script that takes a failure into its own hands has the output for it.
            if self.asks != OutputUse::Given {
                self.hidden.push(stream, bytes);
            }
            return;
        }
        if self.prefix.is_empty() {
            return self.host.reporter.output(None, stream, bytes);
        }
        let prefix = self.prefix.clone();
        let held = &mut self.stream(stream).held;
        held.extend(bytes);
        let lines = labeled_lines(&prefix, held, last);
        if !lines.is_empty() {
            self.host.reporter.output(self.label.as_deref(), stream, lines);
        }
    }
}

/// Takes the whole lines off what is held, each with its label in front: lines of commands that
/// run at once never run into each other.
fn labeled_lines(prefix: &str, held: &mut Vec<u8>, last: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    loop {
        let within = held.get(..LINE_BYTES_MAX).unwrap_or(held);
        let end = match within.iter().position(|byte| *byte == b'\n') {
            Some(newline) => newline + 1,
            None if held.len() > LINE_BYTES_MAX => LINE_BYTES_MAX,
            None if last && !held.is_empty() => held.len(),
            None => return lines,
        };
        lines.extend_from_slice(prefix.as_bytes());
        lines.extend(held.drain(..end));
        if !lines.ends_with(b"\n") {
            lines.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_hidden_the_end_is_kept() {
        let mut hidden = Hidden::default();
        for line in 0..20_000 {
            let stream = if line % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
            hidden.push(stream, format!("{line:05}\n").into_bytes());
        }
        assert_eq!((hidden.bytes, hidden.lost), (HIDDEN_BYTES_MAX, 120_000 - HIDDEN_BYTES_MAX));
        let kept: Vec<u8> = hidden.pieces.into_iter().flat_map(|(_, bytes)| bytes).collect();
        assert_eq!(kept.len(), HIDDEN_BYTES_MAX);
        assert!(kept.ends_with(b"19998\n19999\n"));
    }

    #[test]
    fn labeled_output_comes_in_whole_lines() {
        let mut held = b"one\ntwo\nthr".to_vec();
        assert_eq!(labeled_lines("[a] ", &mut held, false), b"[a] one\n[a] two\n");
        held.extend_from_slice(b"ee");
        assert_eq!(labeled_lines("[a] ", &mut held, false), b"");
        assert_eq!(labeled_lines("[a] ", &mut held, true), b"[a] three\n");
        let mut held = vec![b'x'; LINE_BYTES_MAX + 1];
        assert_eq!(labeled_lines("", &mut held, false).len(), LINE_BYTES_MAX + 1);
        assert_eq!(held.len(), 1);
    }
}
