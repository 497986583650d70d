//! The output of one attempt at a command. It is masked and labeled before it is shown, and kept
//! as far as the step needs it.

use std::collections::VecDeque;

use super::host::StepHost;
use crate::{
    model::{
        executor::{Output, Stream},
        step::{CommandEnd, OutputUse, Shown, StepCommand},
    },
    rules::mask::MaskedStream,
};

/// Maximum length of a line in bytes. A longer line is shown in pieces, so that memory use stays
/// bounded.
const LINE_BYTES_MAX: usize = 16 << 10;

/// How many bytes at the end of a command's output are kept for error messages.
const TAIL_BYTES_MAX: usize = 2 << 10;

/// How many bytes at the end of hidden output are shown if the command fails.
const HIDDEN_BYTES_MAX: usize = 64 << 10;

/// The output of one attempt.
pub(super) struct AttemptOutput<'a> {
    host: &'a StepHost,
    shown: Shown,
    output_use: OutputUse,
    label: Option<String>,
    prefix: String,
    stdout: StreamState,
    stderr: StreamState,
    tail: Vec<u8>,
    hidden: Hidden,
}

/// One of the two output streams.
struct StreamState {
    masked: MaskedStream,
    /// The beginning of an incomplete labeled line.
    buffer: Vec<u8>,
    captured: Vec<u8>,
}

/// The end of the hidden output, masked. It is shown if the command fails.
#[derive(Default)]
pub(super) struct Hidden {
    pieces: VecDeque<(Stream, Vec<u8>)>,
    bytes: usize,
    /// The number of dropped bytes before it.
    dropped: usize,
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
            let count = over.min(first.len());
            first.drain(..count);
            (self.bytes, self.dropped) = (self.bytes - count, self.dropped + count);
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
    }

    /// Shows the hidden output as output of a command.
    pub(super) fn show(self, host: &StepHost, command: &StepCommand) {
        let command = StepCommand { shown: Shown::All, ..command.clone() };
        let mut output = AttemptOutput::new(host, &command);
        if self.dropped > 0 {
            let line = format!("… ({} earlier bytes are not shown)\n", self.dropped);
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

/// The kept output of an attempt.
pub(super) struct KeptOutput {
    /// The raw bytes.
    pub(super) stdout: Vec<u8>,
    pub(super) stderr: Vec<u8>,
    /// The masked end of the output.
    pub(super) tail: String,
    pub(super) hidden: Hidden,
}

impl<'a> AttemptOutput<'a> {
    pub(super) fn new(host: &'a StepHost, command: &StepCommand) -> Self {
        let stream = || StreamState {
            masked: host.masks.stream(),
            buffer: Vec::new(),
            captured: Vec::new(),
        };
        let label = command.label.as_ref().map(|label| host.label(label));
        let prefix = label.as_ref().map(|label| format!("[{label}] "));
        Self {
            host,
            shown: command.shown,
            output_use: command.output,
            label,
            prefix: prefix.unwrap_or_default(),
            stdout: stream(),
            stderr: stream(),
            tail: Vec::new(),
            hidden: Hidden::default(),
        }
    }

    pub(super) fn write(&mut self, output: Output) {
        let is_given = self.output_use.is_given();
        let stream = self.stream(output.stream);
        if is_given && stream.captured.len() <= CommandEnd::GIVEN_BYTES_MAX {
            stream.captured.extend_from_slice(&output.bytes);
        }
        let clean = stream.masked.push(output.bytes);
        self.show(output.stream, clean, false);
    }

    /// Shows the remaining output.
    pub(super) fn finish(mut self) -> KeptOutput {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = self.stream(stream).masked.finish();
            self.show(stream, rest, true);
        }
        KeptOutput {
            stdout: self.stdout.captured,
            stderr: self.stderr.captured,
            tail: String::from_utf8_lossy(&self.tail).into_owned(),
            hidden: self.hidden,
        }
    }

    fn stream(&mut self, stream: Stream) -> &mut StreamState {
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
            // A script that handles the failure itself has the output in its error.
            if self.output_use != OutputUse::Given {
                self.hidden.push(stream, bytes);
            }
            return;
        }
        if self.prefix.is_empty() {
            return self.host.reporter.output(None, stream, bytes);
        }
        let prefix = self.prefix.clone();
        let buffer = &mut self.stream(stream).buffer;
        buffer.extend(bytes);
        let lines = labeled_lines(&prefix, buffer, last);
        if !lines.is_empty() {
            self.host.reporter.output(self.label.as_deref(), stream, lines);
        }
    }
}

/// Takes complete lines from the buffer and prefixes each. So the lines of parallel commands never
/// mix.
fn labeled_lines(prefix: &str, buffer: &mut Vec<u8>, last: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    loop {
        let within = buffer.get(..LINE_BYTES_MAX).unwrap_or(buffer);
        let end = match within.iter().position(|byte| *byte == b'\n') {
            Some(newline) => newline + 1,
            None if buffer.len() > LINE_BYTES_MAX => LINE_BYTES_MAX,
            None if last && !buffer.is_empty() => buffer.len(),
            None => return lines,
        };
        lines.extend_from_slice(prefix.as_bytes());
        lines.extend(buffer.drain(..end));
        if !lines.ends_with(b"\n") {
            lines.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_hidden_output_is_kept() {
        let mut hidden = Hidden::default();
        for line in 0..20_000 {
            let stream = if line % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
            hidden.push(stream, format!("{line:05}\n").into_bytes());
        }
        assert_eq!((hidden.bytes, hidden.dropped), (HIDDEN_BYTES_MAX, 120_000 - HIDDEN_BYTES_MAX));
        let kept: Vec<u8> = hidden.pieces.into_iter().flat_map(|(_, bytes)| bytes).collect();
        assert_eq!(kept.len(), HIDDEN_BYTES_MAX);
        assert!(kept.ends_with(b"19998\n19999\n"));
    }

    #[test]
    fn labeled_output_comes_in_whole_lines() {
        let mut buffer = b"one\ntwo\nthr".to_vec();
        assert_eq!(labeled_lines("[a] ", &mut buffer, false), b"[a] one\n[a] two\n");
        buffer.extend_from_slice(b"ee");
        assert_eq!(labeled_lines("[a] ", &mut buffer, false), b"");
        assert_eq!(labeled_lines("[a] ", &mut buffer, true), b"[a] three\n");
        let mut buffer = vec![b'x'; LINE_BYTES_MAX + 1];
        assert_eq!(labeled_lines("", &mut buffer, false).len(), LINE_BYTES_MAX + 1);
        assert_eq!(buffer.len(), 1);
    }
}
