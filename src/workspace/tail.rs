//! [`LogTail`]: reads the last lines of a log, and follows it.
//!
//! A follower handles all changes of a log. It may not exist yet, it grows, it is trimmed (a new
//! file with the old name), or a program truncates or replaces it.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::ControlFlow,
    os::unix::fs::{FileExt, MetadataExt},
    path::PathBuf,
    thread,
    time::Duration,
};

use super::log_trim::Heading;
use crate::model::{cancel::CancelView, error::Error};
use crate::util::state_file;

/// The pause of a follower when there is nothing new.
const PAUSE: Duration = Duration::from_millis(50);

/// The size in bytes of the pieces into which longer lines are split.
const LINE_BYTES_MAX: usize = 1 << 20;

const CHUNK_BYTES: usize = 64 << 10;

/// Reads the lines of one log, which may not exist.
#[derive(Debug)]
pub(crate) struct LogTail {
    path: PathBuf,
    /// The number of lines to begin with, or `None` for all. The first read takes it.
    lines: Option<usize>,
    started: bool,
    open: Option<OpenLog>,
    line: Vec<u8>,
}

#[derive(Debug)]
struct OpenLog {
    file: File,
    heading: Heading,
    position: u64,
}

type Lines<'a> = &'a mut dyn FnMut(&[u8]) -> ControlFlow<()>;

impl LogTail {
    /// Starts with the last `lines` lines of a log, or with all of it for `None`. To follow only
    /// new lines, pass `Some(0)`. The position is that at this call.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the log exists but cannot be read.
    pub(crate) fn new(path: impl Into<PathBuf>, lines: Option<usize>) -> Result<LogTail, Error> {
        let mut tail =
            LogTail { path: path.into(), lines, started: false, open: None, line: Vec::new() };
        tail.reopen().map_err(|source| tail.error(source))?;
        tail.started = true;
        Ok(tail)
    }

    /// Passes the current lines to `line`, without their newlines, and the last one even if it is
    /// incomplete. A `Break` ends this early.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the log cannot be read.
    pub(crate) fn read(&mut self, line: Lines<'_>) -> Result<(), Error> {
        if self.pass_new_lines(line)?.is_continue() {
            let _ = self.pass_last_line(line);
        }
        Ok(())
    }

    /// Passes the complete lines since the last read to `line`. An incomplete line waits for its
    /// end.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the log cannot be read.
    pub(crate) fn read_new(&mut self, line: Lines<'_>) -> Result<(), Error> {
        self.pass_new_lines(line).map(drop)
    }

    /// Passes lines to `line` as they are written, until `done` returns true, the call is canceled,
    /// or a `Break`. Lines that were written before `done` returned true are included.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the log cannot be read.
    pub(crate) fn follow(
        &mut self,
        cancel: &CancelView,
        done: &mut dyn FnMut() -> bool,
        line: Lines<'_>,
    ) -> Result<(), Error> {
        loop {
            // Call it first, so that everything that was written before is still read.
            let last = done();
            if self.pass_new_lines(line)?.is_break() || cancel.is_canceled() {
                return Ok(());
            }
            if last {
                let _ = self.pass_last_line(line);
                return Ok(());
            }
            thread::sleep(PAUSE);
        }
    }

    /// Passes the current complete lines to `line`.
    fn pass_new_lines(&mut self, line: Lines<'_>) -> Result<ControlFlow<()>, Error> {
        let mut flow = self.pass_lines_of_open(line);
        while let Ok(ControlFlow::Continue(())) = flow {
            match self.reopen() {
                Ok(true) => flow = self.pass_lines_of_open(line),
                Ok(false) => break,
                Err(error) => flow = Err(error),
            }
        }
        flow.map_err(|source| self.error(source))
    }

    fn pass_lines_of_open(&mut self, line: Lines<'_>) -> io::Result<ControlFlow<()>> {
        let Some(open) = &mut self.open else { return Ok(ControlFlow::Continue(())) };
        let mut chunk = vec![0; CHUNK_BYTES];
        open.file.seek(SeekFrom::Start(open.position))?;
        loop {
            let read = open.file.read(&mut chunk)?;
            let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else {
                return Ok(ControlFlow::Continue(()));
            };
            for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
                open.position += piece.len() as u64;
                self.line.extend_from_slice(piece);
                let whole = self.line.ends_with(b"\n");
                if whole || self.line.len() >= LINE_BYTES_MAX {
                    let text = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
                    let flow = line(text);
                    self.line.clear();
                    if flow.is_break() {
                        return Ok(flow);
                    }
                }
            }
        }
    }

    /// Passes a last line without a newline to `line`.
    fn pass_last_line(&mut self, line: Lines<'_>) -> ControlFlow<()> {
        let text = std::mem::take(&mut self.line);
        if text.is_empty() { ControlFlow::Continue(()) } else { line(&text) }
    }

    /// Checks which file the name means now. Returns true if the log continues in another place.
    /// The caller has read the old file to its end, and reads it once more before it is closed.
    fn reopen(&mut self) -> io::Result<bool> {
        let mut file = match state_file::open(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            file => file?,
        };
        let now = file.metadata()?;
        let Some(open) = &mut self.open else {
            let heading = Heading::read(&mut file)?;
            // If the log is created while it is followed, all its lines are new.
            let lines = if self.started { None } else { self.lines };
            let position = lines.map_or(Ok(0), |lines| last_lines(&file, now.len(), lines))?;
            self.open = Some(OpenLog { file, heading, position });
            return Ok(true);
        };
        let old = open.file.metadata()?;
        if (old.dev(), old.ino()) == (now.dev(), now.ino()) {
            if now.len() >= open.position {
                return Ok(false);
            }
            // A program truncated it.
            *open = OpenLog { file, heading: Heading::default(), position: 0 };
            self.line.clear();
            return Ok(true);
        }
        if old.len() > open.position {
            // The last bytes were written to it before the files changed.
            return Ok(true);
        }
        let heading = Heading::read(&mut file)?;
        let position = open.position_after(heading, now.len());
        if position.is_none() {
            self.line.clear();
        }
        *open = OpenLog { file, heading, position: position.unwrap_or(heading.bytes) };
        Ok(true)
    }

    fn error(&self, source: io::Error) -> Error {
        Error::io("read the log", &self.path, source)
    }
}

impl OpenLog {
    /// Returns the position of the same text in the file that replaced this one, or `None` if the
    /// text is missing.
    fn position_after(&self, new: Heading, length: u64) -> Option<u64> {
        let read = self.heading.cut + self.position.checked_sub(self.heading.bytes)?;
        let position = new.bytes + read.checked_sub(new.cut)?;
        (new.bytes > 0 && position <= length).then_some(position)
    }
}

/// Returns the start of the last `lines` lines, searching from the end of the file.
fn last_lines(file: &File, length: u64, lines: usize) -> io::Result<u64> {
    let Some(mut end) = length.checked_sub(1).filter(|_| lines > 0) else { return Ok(length) };
    // The last byte ends the last line or belongs to it, and begins no other.
    let mut left = lines;
    let mut chunk = vec![0; CHUNK_BYTES];
    while end > 0 {
        let start = end.saturating_sub(CHUNK_BYTES as u64);
        let size = usize::try_from(end - start).map_err(io::Error::other)?;
        let Some(bytes) = chunk.get_mut(..size) else { break };
        file.read_exact_at(bytes, start)?;
        for (place, byte) in bytes.iter().enumerate().rev() {
            if *byte == b'\n' {
                left -= 1;
                if left == 0 {
                    return Ok(start + place as u64 + 1);
                }
            }
        }
        end = start;
    }
    Ok(0)
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        io::Write,
        sync::{
            atomic::{AtomicBool, Ordering},
            mpsc,
        },
    };

    use jiff::tz::TimeZone;

    use super::*;
    use crate::{
        model::cancel::CancelToken,
        workspace::{layout::Workspace, log::LogLimits, log_trim::cut_oldest},
    };

    fn read(tail: &mut LogTail) -> Vec<String> {
        let mut lines = Vec::new();
        tail.read(&mut |line: &[u8]| {
            lines.push(String::from_utf8_lossy(line).into_owned());
            ControlFlow::Continue(())
        })
        .unwrap();
        lines
    }

    #[test]
    fn the_last_lines_are_found_from_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let long = "x".repeat(CHUNK_BYTES + 3);
        for (text, all) in [
            ("", vec![]),
            ("\n", vec![""]),
            ("a", vec!["a"]),
            ("a\nb\n\nc\n", vec!["a", "b", "", "c"]),
            ("a\nb", vec!["a", "b"]),
            (&format!("a\n{long}\nb\n{long}"), vec!["a", &long, "b", &long]),
        ] {
            fs::write(&path, text).unwrap();
            for lines in [None, Some(0), Some(1), Some(2), Some(3), Some(4), Some(usize::MAX)] {
                let mut tail = LogTail::new(&path, lines).unwrap();
                let expected = &all[all.len() - lines.unwrap_or(usize::MAX).min(all.len())..];
                assert!(read(&mut tail) == expected, "{lines:?} of {text:?}");
            }
        }
    }

    #[test]
    fn a_log_that_is_not_there_has_no_lines() {
        let dir = tempfile::tempdir().unwrap();
        let mut tail = LogTail::new(dir.path().join("no/log"), Some(3)).unwrap();
        assert!(read(&mut tail).is_empty());
    }

    #[test]
    fn a_line_without_end_comes_in_pieces() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, vec![b'x'; 5 << 20]).unwrap();
        let mut bytes = 0;
        let mut tail = LogTail::new(&path, Some(1)).unwrap();
        tail.read(&mut |line: &[u8]| {
            assert!(line.len() <= LINE_BYTES_MAX + CHUNK_BYTES);
            bytes += line.len();
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(bytes, 5 << 20);
    }

    #[test]
    fn what_happens_to_a_log_between_two_looks() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let append = |text: &str| {
            let mut file = File::options().append(true).create(true).open(&path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        };
        let mut lines = Vec::new();
        let mut tail = LogTail::new(&path, Some(0)).unwrap();
        let mut look = |expected: &[&str]| {
            lines.clear();
            let _ = tail.pass_new_lines(&mut |line: &[u8]| {
                lines.push(String::from_utf8_lossy(line).into_owned());
                ControlFlow::Continue(())
            });
            assert_eq!(lines, expected);
        };
        look(&[]);
        append("it appears\nand gr");
        look(&["it appears"]);
        append("ows\n");
        look(&["and grows"]);
        append("before a cut\n");
        cut_oldest(&path, 20, &TimeZone::UTC).unwrap();
        append("after a cut\n");
        look(&["before a cut", "after a cut"]);
        append("one\n");
        cut_oldest(&path, 20, &TimeZone::UTC).unwrap();
        append("two\n");
        cut_oldest(&path, 10, &TimeZone::UTC).unwrap();
        append("three\n");
        look(&["one", "two", "three"]);
        append("read in pa");
        look(&[]);
        cut_oldest(&path, 5, &TimeZone::UTC).unwrap();
        append("rts\n");
        look(&["read in parts"]);
        fs::write(&path, "emptied\n").unwrap();
        look(&["emptied"]);
        fs::remove_file(&path).unwrap();
        look(&[]);
        append("made anew, and longer than before\n");
        look(&["made anew, and longer than before"]);
    }

    #[test]
    fn a_follower_misses_nothing_of_a_log_that_is_cut_again_and_again() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = Workspace::new(dir.path(), None, dir.path());
        let logs = workspace.logs(
            LogLimits { build_bytes: 1 << 20, repository_bytes: 40_000 },
            false,
            TimeZone::UTC,
        );
        let over = AtomicBool::new(false);
        let cancel = CancelView::new(&CancelToken::new(), 1);
        let mut tail = LogTail::new(workspace.log_path(), Some(0)).unwrap();
        let mut numbers = Vec::new();
        let (seen, wait) = mpsc::channel();
        thread::scope(|scope| {
            let (logs, over) = (&logs, &over);
            scope.spawn(move || {
                for number in 0..4000 {
                    logs.line(&format!("number {number}")).unwrap();
                    if number % 500 == 499 {
                        // Wait for the reader, because lines that are trimmed before it reads them
                        // are lost.
                        while wait.recv().unwrap() != number {}
                    }
                }
                over.store(true, Ordering::SeqCst);
            });
            tail.follow(&cancel, &mut || over.load(Ordering::SeqCst), &mut |line: &[u8]| {
                let text = String::from_utf8_lossy(line);
                if let Some((_, number)) = text.split_once("number ") {
                    numbers.push(number.parse::<u32>().unwrap());
                    seen.send(numbers[numbers.len() - 1]).unwrap();
                }
                ControlFlow::Continue(())
            })
            .unwrap();
        });
        assert!(numbers.into_iter().eq(0..4000));
    }

    #[test]
    fn a_cancel_or_a_break_ends_the_following() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, "one\ntwo\n").unwrap();
        let token = CancelToken::new();
        let cancel = CancelView::new(&token, 1);
        let mut count = 0;
        let mut tail = LogTail::new(&path, None).unwrap();
        tail.follow(&cancel, &mut || false, &mut |_: &[u8]| {
            count += 1;
            ControlFlow::Break(())
        })
        .unwrap();
        tail.follow(&cancel, &mut || false, &mut |_: &[u8]| {
            count += 1;
            token.cancel();
            ControlFlow::Continue(())
        })
        .unwrap();
        assert_eq!(count, 2);
    }
}
