//! The logs of a run: each build's own, and the repository's, which holds all of them.
//!
//! Writing a log never fails a run: the first fault is kept for whoever asks, and later bytes are
//! tried again. Both logs are bounded, a build's by [`LogLimiter`] per run and the repository's by
//! cutting its oldest part off.

use std::{
    fs::File,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use jiff::tz::TimeZone;
use rustix::fs::OFlags;

use super::{log_limiter::LogLimiter, log_trim::cut_oldest};
use crate::{
    model::{commit::CommitId, error::Error},
    util::{lock::lock, sharing::Sharing},
    workspace::{build::Build, layout::Workspace, line::LineFormatter},
};

/// The longest line that a worker holds back from the repository's log, which gets whole lines.
const LINE_BYTES_MAX: usize = 64 << 10;

/// How large logs become.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LogLimits {
    /// Bytes of output that one run adds to its build's log, beside the end of each step.
    pub(crate) build_bytes: u64,
    /// Bytes at which the repository's log loses its older half.
    pub(crate) repository_bytes: u64,
}

impl Default for LogLimits {
    /// 128 MiB and 64 MiB.
    fn default() -> Self {
        Self { build_bytes: 128 << 20, repository_bytes: 64 << 20 }
    }
}

/// Opens the logs of builds, for one engine that holds the lock. Clones share the repository's.
#[derive(Clone, Debug)]
pub(crate) struct Logs {
    limits: LogLimits,
    labelled: bool,
    zone: TimeZone,
    shared: Arc<Mutex<SharedLog>>,
}

impl Workspace {
    /// The logs of a run. `several` says that more than one build writes at once: then lines of
    /// the repository's log carry the short id, and reach it whole. Times are those of `zone`.
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
    /// The writer for one run of a build, whose folder is there. It adds to what older runs left.
    pub(crate) fn build(&self, build: &Build, commit: &CommitId) -> LogWriter {
        let label = self.labelled.then(|| commit.short());
        let mut writer = LogWriter {
            own: None,
            shared: self.channel(Sink::Shared(self.shared.clone()), label.as_deref()),
            fault: None,
            faulty: false,
        };
        match OwnLog::open(build, self.limits.build_bytes, &self.zone) {
            Ok(log) => writer.own = Some(self.channel(Sink::Own(log), None)),
            Err(error) => writer.note(error),
        }
        writer
    }

    /// Adds a line to the repository's log alone, for what belongs to no build.
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
            bound: LogLimiter::new(self.limits.build_bytes),
            whole_lines: label.is_some(),
            formatted: Vec::new(),
            ready: Vec::new(),
            sink,
        }
    }
}

/// Writes one run's lines to its build's log and to the repository's.
#[derive(Debug)]
pub(crate) struct LogWriter {
    /// None if it could not be opened.
    own: Option<Channel>,
    shared: Channel,
    fault: Option<Error>,
    faulty: bool,
}

impl LogWriter {
    /// Adds a message of tinyci's own, on a line of its own, whatever the limits say.
    pub(crate) fn line(&mut self, text: &str) {
        let now = SystemTime::now();
        self.each(|channel| channel.line(text, now));
    }

    /// Adds output of a command: any bytes, cut anywhere, written before this returns.
    pub(crate) fn output(&mut self, bytes: &[u8]) {
        let now = SystemTime::now();
        self.each(|channel| channel.output(bytes, now));
    }

    /// The first fault of this writer, once: the disk is full, a log cannot be opened.
    pub(crate) fn take_fault(&mut self) -> Option<Error> {
        self.fault.take()
    }

    fn each(&mut self, mut write: impl FnMut(&mut Channel) -> Result<(), Error>) {
        let own = self.own.as_mut().map_or(Ok(()), &mut write);
        for result in [own, write(&mut self.shared)] {
            if let Err(error) = result {
                self.note(error);
            }
        }
    }

    fn note(&mut self, error: Error) {
        if !self.faulty {
            self.fault = Some(error);
        }
        self.faulty = true;
    }
}

impl Drop for LogWriter {
    /// Ends the last line and writes what was held back. Its faults have nobody to tell.
    fn drop(&mut self) {
        self.each(|channel| channel.finish(SystemTime::now()));
    }
}

/// What one log is going to hold of a run: formatted, then bounded, then written.
#[derive(Debug)]
struct Channel {
    lines: LineFormatter,
    bound: LogLimiter,
    whole_lines: bool,
    formatted: Vec<u8>,
    /// Bounded text that is not written yet: with `whole_lines` the line that is not whole.
    ready: Vec<u8>,
    sink: Sink,
}

impl Channel {
    fn output(&mut self, bytes: &[u8], now: SystemTime) -> Result<(), Error> {
        self.lines.output(bytes, now, &mut self.formatted);
        self.keep(now);
        let too_long = self.ready.len() >= LINE_BYTES_MAX && !self.ready.contains(&b'\n');
        if self.whole_lines && too_long {
            self.lines.end_line(&mut self.formatted);
            self.keep(now);
        }
        self.write()
    }

    fn line(&mut self, text: &str, now: SystemTime) -> Result<(), Error> {
        self.flush(now);
        self.lines.line(text, now, &mut self.formatted);
        self.bound.pass(&self.formatted, &mut self.ready);
        self.formatted.clear();
        self.write()
    }

    fn finish(&mut self, now: SystemTime) -> Result<(), Error> {
        self.flush(now);
        self.write()
    }

    /// Ends the open line and lets go of the tail.
    fn flush(&mut self, now: SystemTime) {
        self.lines.end_line(&mut self.formatted);
        self.keep(now);
        let prefix = self.lines.prefix(now);
        self.bound.flush(prefix, &mut self.ready);
    }

    fn keep(&mut self, now: SystemTime) {
        let prefix = self.lines.prefix(now);
        self.bound.output(&self.formatted, prefix, &mut self.ready);
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

/// Where a channel ends.
#[derive(Debug)]
enum Sink {
    Own(OwnLog),
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
struct OwnLog {
    path: PathBuf,
    file: File,
}

impl OwnLog {
    /// Opens it for one more run. Runs before it may have filled it: then the older half of what
    /// one run may write goes, so that no number of retries fills the disk.
    fn open(build: &Build, bytes_max: u64, zone: &TimeZone) -> Result<OwnLog, Error> {
        let (path, sharing) = (&*build.log_path(), build.sharing());
        let failed = |source| Error::io("open the log", path, source);
        let mut file = open_log(path, sharing).map_err(failed)?;
        if file.metadata().map_err(failed)?.len() > bytes_max {
            cut_oldest(path, bytes_max / 2, zone).map_err(failed)?;
            file = open_log(path, sharing).map_err(failed)?;
        }
        Ok(OwnLog { path: path.to_path_buf(), file })
    }

    fn write(&mut self, text: &[u8]) -> Result<(), Error> {
        let written = self.file.write_all(text);
        written.map_err(|source| Error::io("write to the log", &self.path, source))
    }
}

/// The log of all runs. The lock's holder alone writes to it, with any number of workers.
#[derive(Debug)]
struct SharedLog {
    workspace: Workspace,
    zone: TimeZone,
    bytes_max: u64,
    file: Option<File>,
    bytes: u64,
    /// Whether it is full and could not be cut, most likely for want of space: it then stays as
    /// it is until the next run.
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

    /// The open file, or a new one: the first time, and after a cut or another's fault.
    fn reopened(&mut self, path: &Path) -> io::Result<File> {
        if let Some(file) = self.file.take() {
            return Ok(file);
        }
        let file = open_log(path, self.workspace.sharing())?;
        self.bytes = file.metadata()?.len();
        Ok(file)
    }
}

/// A log is never written through a link that took its place.
fn open_log(path: &Path, sharing: Sharing) -> io::Result<File> {
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or_default();
    let file = File::options().append(true).create(true).custom_flags(no_follow).open(path)?;
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

    /// The text of a log, without the digits of its times.
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
        let fault = log.take_fault().unwrap().to_string();
        assert!(fault.contains("builds/tinyci.log"), "{fault}");
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
