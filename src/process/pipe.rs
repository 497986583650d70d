//! What a command writes, on its way from its pipes to a sink.
//!
//! Nothing is kept here but one chunk: a slow sink slows the command down.

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

/// The most that one piece of output holds: what a pipe holds by default.
const CHUNK_LEN: usize = 64 * 1024;

/// For how long all must be silent after a command's end before nobody is listened to any more.
pub(super) const QUIET: Duration = Duration::from_millis(100);

/// For how long whoever talks on after a command's end is listened to.
const DRAIN_TIME_MAX: Duration = Duration::from_secs(1);

/// The reading ends of a command's output.
pub(super) struct Pipes {
    /// Those that have not come to their end.
    open: Vec<(Stream, PipeReader)>,
}

impl Pipes {
    /// Makes the pipes, and what a command is to have as standard output and error.
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

    /// Passes on what comes until the command is over, which the end of the pipe `over` tells, and
    /// then what is left. Whether somebody holds the pipes even then.
    pub(super) fn carry(
        mut self,
        over: &PipeReader,
        output: &mut dyn FnMut(Output),
    ) -> io::Result<bool> {
        let mut chunk = vec![0; CHUNK_LEN];
        loop {
            let ready = self.poll(Some(over), None)?;
            if ready.over {
                return self.drain(&mut chunk, output);
            }
            self.read(&ready, &mut chunk, output)?;
        }
    }

    /// What the command wrote is in the pipes by now and is passed on whole. A process that it
    /// left behind may hold them open for ever: that one is heard while it talks without a pause,
    /// for a while.
    fn drain(mut self, chunk: &mut [u8], output: &mut dyn FnMut(Output)) -> io::Result<bool> {
        let begun = Instant::now();
        let mut left = self.len();
        while !self.open.is_empty() && (left > 0 || begun.elapsed() < DRAIN_TIME_MAX) {
            let ready = self.poll(None, Some(QUIET))?;
            if !ready.streams.contains(&true) {
                break;
            }
            left = left.saturating_sub(self.read(&ready, chunk, output)?);
        }
        Ok(!self.open.is_empty())
    }

    /// How many bytes wait in the pipes.
    fn len(&self) -> u64 {
        self.open.iter().filter_map(|(_, reader)| ioctl_fionread(reader).ok()).sum()
    }

    /// Waits until there is something to read.
    fn poll(&self, over: Option<&PipeReader>, timeout: Option<Duration>) -> io::Result<Ready> {
        let readers = self.open.iter().map(|(_, reader)| reader).chain(over);
        let mut polled: Vec<_> = readers.map(|reader| PollFd::new(reader, PollFlags::IN)).collect();
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        while let Err(error) = poll(&mut polled, timeout.as_ref()) {
            if error != Errno::INTR {
                return Err(error.into());
            }
        }
        // Its end makes a pipe ready too.
        let mut streams: Vec<_> = polled.iter().map(|fd| !fd.revents().is_empty()).collect();
        let over = over.is_some() && streams.pop() == Some(true);
        Ok(Ready { streams, over })
    }

    /// Reads once from each pipe that is ready, and forgets those that are at their end.
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

/// Which of the pipes can be read without waiting.
struct Ready {
    /// In the order of [`Pipes::open`].
    streams: Vec<bool>,
    over: bool,
}
