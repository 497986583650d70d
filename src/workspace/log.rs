//! The logs of a run: one for each build, and one of the repository, which has the lines of all
//! builds.
//!
//! Errors while writing a log never fail a run. The first error is kept for the caller, and later
//! bytes are tried again. Both logs have a limit: a build's log by [`LogLimiter`] for each job, the
//! repository's by removing its oldest part.

use std::{
    fs::File,
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use jiff::tz::TimeZone;

use super::{log_limiter::LogLimiter, log_trim::cut_oldest};
use crate::util::state_file;
use crate::{
    model::{commit::CommitId, error::Error},
    util::{lock::lock, sharing::Sharing},
    workspace::{build::Build, layout::Workspace, line::LineFormatter},
};

/// The longest incomplete line that a worker buffers, because the repository's log gets whole
/// lines.
const LINE_BYTES_MAX: usize = 64 << 10;

/// The size limits of logs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// The bytes of output that one job adds to its build's log, in addition to the end of each
    /// step.
    pub(crate) build_bytes: u64,
    /// The size in bytes at which the repository's log loses its older half.
    pub(crate) repository_bytes: u64,
}

impl Default for LogLimits {
    /// Returns the defaults: 128 MiB and 64 MiB.
    fn default() -> Self {
        Self { build_bytes: 128 << 20, repository_bytes: 64 << 20 }
    }
}

/// Opens the logs of builds, for the engine with the run lock. Clones share the repository's log.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    limits: LogLimits,
    labelled: bool,
    zone: TimeZone,
    shared: Arc<Mutex<SharedLog>>,
}

impl Workspace {
    /// Returns the logs of a run, with times in `zone`. If `several` is true, more than one build
    /// writes at once. The repository's log then gets whole lines with the short id.
    pub(crate) fn logs(&self, limits: LogLimits, several: bool, zone: TimeZone) -> Logs {
        let shared = SharedLog {
            workspace: self.clone(),
            zone: zone.clone(),
            bytes_max: limits.repository_bytes,
            file: None,
            bytes: 0,
            stopped: false,
        };
        Logs { limits, labelled: several, zone, shared: Arc::new(Mutex::new(shared)) }
    }
}

impl Logs {
    /// Returns the writer for one job of a build, whose directory must exist. It appends to the
    /// log.
    pub(crate) fn build(&self, build: &Build, commit: &CommitId) -> LogWriter {
        let label = self.labelled.then(|| commit.short());
        let mut writer = LogWriter {
            own: None,
            shared: self.channel(Sink::Shared(self.shared.clone()), label.as_deref()),
            error: None,
            has_failed: false,
        };
        match BuildLog::open(build, self.limits.build_bytes, &self.zone) {
            Ok(log) => writer.own = Some(self.channel(Sink::Own(log), None)),
            Err(error) => writer.note_error(error),
        }
        writer
    }

    /// Adds a line to the repository's log only, for messages that belong to no build.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if it cannot be written.
    pub(crate) fn line(&self, text: &str) -> Result<(), Error> {
        let mut channel = self.channel(Sink::Shared(self.shared.clone()), None);
        channel.line(text, SystemTime::now())
    }

    fn channel(&self, sink: Sink, label: Option<&str>) -> Channel {
        Channel {
            lines: LineFormatter::new(self.zone.clone(), label),
            limiter: LogLimiter::new(self.limits.build_bytes),
            whole_lines: label.is_some(),
            formatted: Vec::new(),
            ready: Vec::new(),
            sink,
        }
    }
}

/// Writes the lines of one job to its build's log and to the repository's log.
#[derive(Debug)]
pub(crate) struct LogWriter {
    /// The build's log, or `None` if it could not be opened.
    own: Option<Channel>,
    shared: Channel,
    error: Option<Error>,
    has_failed: bool,
}

impl LogWriter {
    /// Adds a message of tinyci on a new line, in spite of the limits.
    pub(crate) fn line(&mut self, text: &str) {
        let now = SystemTime::now();
        self.each(|channel| channel.line(text, now));
    }

    /// Adds output of a command: any bytes, split anywhere. They are written before this returns.
    pub(crate) fn output(&mut self, bytes: &[u8]) {
        let now = SystemTime::now();
        self.each(|channel| channel.output(bytes, now));
    }

    /// Takes the first error of this writer, for example a full disk.
    pub(crate) fn take_fault(&mut self) -> Option<Error> {
        self.error.take()
    }

    fn each(&mut self, mut write: impl FnMut(&mut Channel) -> Result<(), Error>) {
        let own = self.own.as_mut().map_or(Ok(()), &mut write);
        for result in [own, write(&mut self.shared)] {
            if let Err(error) = result {
                self.note_error(error);
            }
        }
    }

    fn note_error(&mut self, error: Error) {
        if !self.has_failed {
            self.error = Some(error);
        }
        self.has_failed = true;
    }
}

impl Drop for LogWriter {
    /// Ends the last line and writes buffered output. Errors are lost here.
    fn drop(&mut self) {
        self.each(|channel| channel.finish(SystemTime::now()));
    }
}

/// The way of one job's output to one log: formatted, then limited, then written.
#[derive(Debug)]
struct Channel {
    lines: LineFormatter,
    limiter: LogLimiter,
    whole_lines: bool,
    formatted: Vec<u8>,
    /// Limited text that is not yet written. With `whole_lines`, this is the incomplete line.
    ready: Vec<u8>,
    sink: Sink,
}

impl Channel {
    fn output(&mut self, bytes: &[u8], now: SystemTime) -> Result<(), Error> {
        self.lines.output(bytes, now, &mut self.formatted);
        self.limit(now);
        let too_long = self.ready.len() >= LINE_BYTES_MAX && !self.ready.contains(&b'\n');
        if self.whole_lines && too_long {
            self.lines.end_line(&mut self.formatted);
            self.limit(now);
        }
        self.write()
    }

    fn line(&mut self, text: &str, now: SystemTime) -> Result<(), Error> {
        self.flush(now);
        self.lines.line(text, now, &mut self.formatted);
        self.limiter.force(&self.formatted, &mut self.ready);
        self.formatted.clear();
        self.write()
    }

    fn finish(&mut self, now: SystemTime) -> Result<(), Error> {
        self.flush(now);
        self.write()
    }

    /// Ends the incomplete line and writes the tail.
    fn flush(&mut self, now: SystemTime) {
        self.lines.end_line(&mut self.formatted);
        self.limit(now);
        let prefix = self.lines.prefix(now);
        self.limiter.flush(prefix, &mut self.ready);
    }

    fn limit(&mut self, now: SystemTime) {
        let prefix = self.lines.prefix(now);
        self.limiter.output(&self.formatted, prefix, &mut self.ready);
        self.formatted.clear();
    }

    fn write(&mut self) -> Result<(), Error> {
        let last_line = self.ready.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let end = if self.whole_lines { last_line } else { self.ready.len() };
        let written = match self.ready.get(..end) {
            None | Some([]) => Ok(()),
            Some(text) => self.sink.write(text),
        };
        self.ready.drain(..end);
        written
    }
}

/// The file at the end of a channel.
#[derive(Debug)]
enum Sink {
    Own(BuildLog),
    Shared(Arc<Mutex<SharedLog>>),
}

impl Sink {
    fn write(&mut self, text: &[u8]) -> Result<(), Error> {
        match self {
            Sink::Own(log) => log.write(text),
            Sink::Shared(log) => lock(log).write(text),
        }
    }
}

/// The log of one build.
#[derive(Debug)]
struct BuildLog {
    path: PathBuf,
    file: File,
}

impl BuildLog {
    /// Opens the log for one more job. If earlier jobs have filled it, drops the older half of what
    /// one job may write. So retries do not fill the disk.
    fn open(build: &Build, bytes_max: u64, zone: &TimeZone) -> Result<BuildLog, Error> {
        let (path, sharing) = (&*build.log_path(), build.sharing());
        let failed = |source| Error::io("open the log", path, source);
        let mut file = open_log(path, sharing).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > bytes_max {
            cut_oldest(path, bytes_max / 2, zone).map_err(failed)?;
            file = open_log(path, sharing).map_err(failed)?;
        }
        Ok(BuildLog { path: path.to_path_buf(), file })
    }

    fn write(&mut self, text: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(text);
        written.map_err(|source| Error::io("write to the log", &self.path, source))
    }
}

/// The log of all runs. Only the owner of the run lock writes to it, with any number of workers.
#[derive(Debug)]
struct SharedLog {
    workspace: Workspace,
    zone: TimeZone,
    bytes_max: u64,
    file: Option<File>,
    bytes: u64,
    /// True if the log is full and could not be trimmed, usually because the disk is full. It then
    /// does not change until the next run.
    stopped: bool,
}

impl SharedLog {
    fn write(&mut self, text: &[u8]) -> Result<(), Error> {
        if self.stopped {
            return Ok(());
        }
        let path = self.workspace.log_path();
        if self.file.is_none() {
            self.workspace.prepare()?;
        }
        let written = self.try_write(&path, text);
        written.map_err(|source| Error::io("write to the log", &path, source))
    }

    fn try_write(&mut self, path: &Path, text: &[u8]) -> io::Result<()> {
        let mut file = self.reopened(path)?;
        if self.bytes + text.len() as u64 > self.bytes_max && self.bytes > self.bytes_max / 2 {
            self.stopped = true;
            cut_oldest(path, self.bytes_max / 2, &self.zone)?;
            self.stopped = false;
            file = self.reopened(path)?;
        }
        let written = file.write_all(text);
        self.bytes += text.len() as u64;
        self.file = Some(file);
        written
    }

    /// Returns the open file. Opens it the first time, and again after trimming or an error.
    fn reopened(&mut self, path: &Path) -> io::Result<File> {
        if let Some(file) = self.file.take() {
            return Ok(file);
        }
        let file = open_log(path, self.workspace.sharing())?;
        self.bytes = file.metadata()?.len();
        Ok(file)
    }
}

/// Opens a log for appending. Never follows a link in its place.
fn open_log(path: &Path, sharing: Sharing) -> io::Result<File> {
    let file = state_file::append(path)?;
    sharing.adjust_open(&file)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::testing::TestRepo;

    const ID: &str = "f40785cbc4422f39c36118fbae071932774cb5b6";

    fn build(repo: &TestRepo, id: &str) -> (Workspace, Build, CommitId) {
        let workspace = Workspace::new(repo.path(), None, repo.path());
        let build = workspace.build(&format!("1500000060_{id}"));
        build.prepare(&|| false).unwrap();
        (workspace, build, id.parse().unwrap())
    }

    /// Returns the text of a log, without the digits of its times.
    fn text(path: &Path) -> String {
        let text = String::from_utf8(fs::read(path).unwrap()).unwrap();
        let lines = text.split_inclusive('\n').map(|line| match line.get(..11) {
            Some(time) if time.starts_with('[') && time.ends_with("] ") => {
                assert!(time.bytes().all(|byte| b"[]: 0123456789".contains(&byte)), "{line}");
                format!("[] {}", &line[11..])
            }
            _ => line.to_owned(),
        });
        lines.collect()
    }

    #[test]
    fn both_logs_get_the_same_bytes_while_they_come() {
        let repo = TestRepo::bare();
        let (workspace, build, id) = build(&repo, ID);
        let logs = workspace.logs(LogLimits::default(), false, TimeZone::UTC);
        logs.line("No config found for 1234567").unwrap();
        let mut log = logs.build(&build, &id);
        log.line("Building...");
        log.output(b"half a ");
        assert_eq!(text(&build.log_path()), "[] Building...\n[] half a ");
        log.output("line\nnext \r\n\0café".as_bytes());
        log.line("Finished");
        log.output(b"open");
        drop(log);
        let expected =
            "[] Building...\n[] half a line\n[] next \r\n[] \0café\n[] Finished\n[] open\n";
        assert_eq!(text(&build.log_path()), expected);
        let all = format!("[] No config found for 1234567\n{expected}");
        assert_eq!(text(&workspace.log_path()), all);

        logs.build(&build, &id).line("again");
        assert_eq!(text(&build.log_path()), format!("{expected}[] again\n"), "a retry appends");
    }

    #[test]
    fn workers_write_whole_lines_that_say_whose_they_are() {
        let repo = TestRepo::bare();
        let ids = [ID.to_owned(), ID.replace('f', "a"), ID.replace('f', "b")];
        let builds: Vec<_> = ids.iter().map(|id| build(&repo, id)).collect();
        let workspace = &builds[0].0;
        let logs = workspace.logs(LogLimits::default(), true, TimeZone::UTC);
        std::thread::scope(|scope| {
            for (_, build, id) in &builds {
                let mut log = logs.build(build, id);
                scope.spawn(move || {
                    for number in 0..200 {
                        log.output(format!("{} ", id.short()).as_bytes());
                        log.output(format!("{number}\n").as_bytes());
                    }
                });
            }
        });
        let shared = text(&workspace.log_path());
        assert_eq!(shared.lines().count(), 600);
        for line in shared.lines() {
            let words: Vec<_> = line.split(' ').collect();
            assert!(words.len() == 4 && words[1] == words[2], "{line}");
        }
        for (_, build, id) in &builds {
            let expected: String =
                (0..200).map(|number| format!("[] {} {number}\n", id.short())).collect();
            assert_eq!(text(&build.log_path()), expected, "its own log carries no label");
        }
    }

    #[test]
    fn a_worker_without_newlines_holds_little_back() {
        let repo = TestRepo::bare();
        let (workspace, build, id) = build(&repo, ID);
        let logs = workspace.logs(LogLimits::default(), true, TimeZone::UTC);
        let mut log = logs.build(&build, &id);
        for _ in 0..20 {
            log.output(&[b'x'; 10_000]);
        }
        let shared = text(&workspace.log_path());
        assert!(shared.len() > 100_000, "{}", shared.len());
        assert!(shared.lines().all(|line| line.starts_with("[] f40785c x")));
        drop(log);
        assert_eq!(text(&workspace.log_path()).matches('x').count(), 200_000);
        assert_eq!(text(&build.log_path()).lines().count(), 1);
    }

    #[test]
    fn a_build_that_prints_without_end_fills_neither_log() {
        let repo = TestRepo::bare();
        let (workspace, build, id) = build(&repo, ID);
        let limits = LogLimits { build_bytes: 200_000, repository_bytes: 300_000 };
        let logs = workspace.logs(limits, false, TimeZone::UTC);
        for _ in 0..3 {
            let mut log = logs.build(&build, &id);
            log.line("Building...");
            for _ in 0..100 {
                log.output(&[b'x'; 10_000]);
            }
            log.line("Testing...");
            for number in 0..30_000 {
                log.output(format!("line {number}\n").as_bytes());
            }
            log.line("Finished");
            drop(log);
            let own = text(&build.log_path());
            assert!(own.len() < 200_000 + 2 * (64 << 10) + 100_000 + 2000, "{}", own.len());
            assert!(own.contains("are omitted") && own.contains("x\n[] Testing...\n"));
            assert!(own.ends_with("] line 29999\n[] Finished\n"));
            assert!(fs::metadata(workspace.log_path()).unwrap().len() <= 400_000);
        }
        assert!(text(&workspace.log_path()).contains("older lines were cut off here\n"));
    }

    #[test]
    fn a_fault_is_told_once_and_the_other_log_goes_on() {
        let repo = TestRepo::bare();
        let (workspace, build, id) = build(&repo, ID);
        let logs = workspace.logs(LogLimits::default(), false, TimeZone::UTC);
        std::os::unix::fs::symlink("/dev/full", workspace.log_path()).unwrap();
        let mut log = logs.build(&build, &id);
        assert!(log.take_fault().is_none());
        log.output(b"one\n");
        log.output(b"two\n");
        let error = log.take_fault().unwrap().to_string();
        assert!(error.contains("builds/tinyci.log"), "{error}");
        log.output(b"three\n");
        assert!(log.take_fault().is_none());
        assert_eq!(text(&build.log_path()), "[] one\n[] two\n[] three\n");
        drop(log);

        fs::remove_file(workspace.log_path()).unwrap();
        fs::remove_file(build.log_path()).unwrap();
        fs::create_dir(build.log_path()).unwrap();
        let mut log = logs.build(&build, &id);
        assert!(log.take_fault().is_some());
        log.line("goes on");
        assert_eq!(text(&workspace.log_path()), "[] goes on\n");
    }
}
