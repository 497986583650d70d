//! Passes the output of a command from its pipes to a sink.
//!
//! Only one chunk is in memory: a slow sink slows the command down.

use std::{
    io::{self, PipeReader, PipeWriter, Read, pipe},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionread},
};

use crate::model::{
    error::{Error, ErrorKind},
    executor::{Output, OutputMode, Stream},
};

/// The maximum number of bytes in one chunk, which is the default capacity of a pipe.
const CHUNK_LEN: usize = 64 * 1024;

/// The time without output after a command's end at which reading stops.
pub(super) const QUIET_TIME_MAX: Duration = Duration::from_millis(100);

/// The maximum time for reading the output of background processes after a command's end.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

/// The read ends of a command's output.
pub(super) struct Pipes {
    /// The pipes that are not at their end.
    open: Vec<(Stream, PipeReader)>,
}

impl Pipes {
    /// Makes the pipes, and returns the write ends for standard output and standard error.
    pub(super) fn new(mode: OutputMode) -> Result<(Self, [PipeWriter; 2]), Error> {
        Self::try_new(mode).map_err(|error| {
            Error::new(ErrorKind::Spawn, "cannot create a pipe for a command's output")
                .with_source(error)
        })
    }

    fn try_new(mode: OutputMode) -> io::Result<(Self, [PipeWriter; 2])> {
        let (out, write_out) = pipe()?;
        let mut open = vec![(Stream::Stdout, out)];
        let write_err = match mode {
            OutputMode::Merged => write_out.try_clone()?,
            OutputMode::Split => {
                let (err, write_err) = pipe()?;
                open.push((Stream::Stderr, err));
                write_err
            }
        };
        Ok((Self { open }, [write_out, write_err]))
    }

    /// Passes on output until the command has ended, which the end of `ended_pipe` signals, and
    /// then the remaining output. Returns true if a process still has the pipes open.
    pub(super) fn pass_output(
        mut self,
        ended_pipe: &PipeReader,
        output: &mut dyn FnMut(Output),
    ) -> io::Result<bool> {
        let mut chunk = vec![0; CHUNK_LEN];
        loop {
            let ready = self.poll(Some(ended_pipe), None)?;
            if ready.has_ended {
                return self.pass_remaining(&mut chunk, output);
            }
            self.read(&ready, &mut chunk, output)?;
        }
    }

    /// Passes on everything that the command wrote, which is in the pipes now. A background process
    /// may keep the pipes open: its output is read for a limited time, until its first pause.
    fn pass_remaining(
        mut self,
        chunk: &mut [u8],
        output: &mut dyn FnMut(Output),
    ) -> io::Result<bool> {
        let started = Instant::now();
        let mut left = self.len();
        while !self.open.is_empty() && (left > 0 || started.elapsed() < DRAIN_TIME_MAX) {
            let ready = self.poll(None, Some(QUIET_TIME_MAX))?;
            if !ready.streams.contains(&true) {
                break;
            }
            left = left.saturating_sub(self.read(&ready, chunk, output)?);
        }
        Ok(!self.open.is_empty())
    }

    /// Returns the number of bytes in the pipes.
    fn len(&self) -> u64 {
        self.open.iter().filter_map(|(_, reader)| ioctl_fionread(reader).ok()).sum()
    }

    /// Waits until a pipe is readable.
    fn poll(
        &self,
        ended_pipe: Option<&PipeReader>,
        timeout: Option<Duration>,
    ) -> io::Result<Ready> {
        let readers = self.open.iter().map(|(_, reader)| reader).chain(ended_pipe);
        let mut polled: Vec<_> = readers.map(|reader| PollFd::new(reader, PollFlags::IN)).collect();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        while let Err(error) = poll(&mut polled, timeout.as_ref()) {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        // The end of a pipe makes it readable too.
        let mut streams: Vec<_> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        let has_ended = ended_pipe.is_some() && streams.pop() == Some(true);
        Ok(Ready { streams, has_ended })
    }

    /// Reads once from each readable pipe, and removes pipes that are at their end.
    fn read(
        &mut self,
        ready: &Ready,
        chunk: &mut [u8],
        output: &mut dyn FnMut(Output),
    ) -> io::Result<u64> {
        let mut ready = ready.streams.iter();
        let mut total = 0;
        let mut result = Ok(());
        self.open.retain_mut(|(stream, reader)| {
            if ready.next() != Some(&true) {
                return true;
            }
            match reader.read(chunk) {
                Ok(0) => false,
                Ok(len) => {
                    total += len as u64;
                    let bytes = chunk.get(..len).unwrap_or_default().to_vec();
                    output(Output { stream: *stream, bytes });
                    true
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => true,
                Err(error) => {
                    result = Err(error);
                    false
                }
            }
        });
        result.map(|()| total)
    }
}

/// The pipes that can be read without waiting.
struct Ready {
    /// In the order of [`Pipes::open`].
    streams: Vec<bool>,
    /// True if the command has ended.
    has_ended: bool,
}
