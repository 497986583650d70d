//! The run lock, the counter of scan requests, and the handover of the lock.
//!
//! The lock is an `flock`, which the kernel releases with its last owner. So tinyci never checks
//! whether a process id is alive. The protocol:
//!
//! 1. A caller increments the counter `wake`, then tries the lock. If the lock is busy, the caller
//!    may leave, because the owner will scan.
//! 2. A process that takes the lock must scan: it reads `wake`, then scans until nothing is
//!    pending. It writes the count that it read to `looked`. If `looked` shows that no request came
//!    since then, an owner with other work may leave the scan out.
//! 3. The owner releases the lock and reads `wake` again. If the count changed, a caller may have
//!    found the lock busy after the last scan. So the owner tries the lock again. If the lock is
//!    busy, its new owner took it after that request and will scan.
//!
//! The count is the length of `wake`: a request appends one byte, which any number of processes can
//! do at once. The owner truncates a long file when it takes the lock. The requests that this drops
//! came before the scan that this owner must do, because `looked` is larger than the new count.
//! Counts are only compared for equality. So a former owner that compares them meanwhile either
//! sees a change, or has nothing left to do.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    sync::Mutex,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::util::state_file;
use crate::{
    model::{commit::CommitId, error::Error, stored_names::state},
    util::lock::lock,
    workspace::{layout::Workspace, lock_file},
};

/// The length in bytes at which `wake` is truncated.
const WAKE_BYTES_MAX: u64 = 64 << 10;

/// The interval at which a former owner checks whether a waiter took the lock.
const HAND_OVER_PAUSE: Duration = Duration::from_millis(20);

impl Workspace {
    /// Asks the owner of the lock, if there is one, to scan again before it ends. Call this before
    /// [`lock`](Self::lock).
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the counter cannot be written.
    pub(crate) fn request_scan(&self) -> Result<(), Error> {
        self.prepare_state()?;
        let path = self.state_path(state::WAKE);
        let file = state_file::append(&path);
        let written = file.and_then(|mut file| {
            self.sharing().adjust_open(&file)?;
            file.write_all(b"\n")
        });
        written.map_err(|source| Error::io("request a scan in", &path, source))
    }

    /// Returns the count of [`request_scan`](Self::request_scan). Only changes of it have a
    /// meaning.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if it cannot be read.
    pub(crate) fn wake_count(&self) -> Result<u64, Error> {
        let path = self.state_path(state::WAKE);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(Error::io("read", &path, error)),
            Ok(metadata) => Ok(metadata.len()),
        }
    }

    /// Takes the run lock, or returns `None` if this or another process has it.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the lock file cannot be opened, or the file system does not
    /// support locks.
    pub(crate) fn lock(&self) -> Result<Option<RunLock>, Error> {
        self.prepare_state()?;
        let path = self.state_path(state::LOCK);
        let failed = |source| Error::io("lock", &path, source);
        let Some(file) = lock_file::try_take(&path, self.sharing())? else { return Ok(None) };
        let count = self.wake_count()?;
        if count > WAKE_BYTES_MAX {
            // If this fails, the file only stays longer than necessary.
            let scanned = self.replace_state(state::LOOKED, count.to_string().as_bytes());
            let _ = scanned
                .and_then(|()| state_file::open_to_write(&self.state_path(state::WAKE)))
                .and_then(|wake| wake.set_len(0));
        }
        self.remove_abandoned();
        // A killed owner has left its description.
        let _ = fs::remove_file(self.state_path(state::HOLDER));
        let running = lock_file::hold(&self.state_path(state::RUNNING), self.sharing());
        let running = running.map_err(failed)?;
        let holder = Holder {
            pid: std::process::id(),
            machine: String::new(),
            id: String::new(),
            since: now(),
            commits: Vec::new(),
        };
        Ok(Some(RunLock { workspace: self.clone(), file, running, holder: Mutex::new(holder) }))
    }

    /// Returns true if a run has the lock. Never takes the lock itself, because a caller that finds
    /// it busy relies on its owner to scan.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be opened or locked.
    pub(crate) fn is_running(&self) -> Result<bool, Error> {
        lock_file::is_taken(&self.state_path(state::RUNNING), "a run", File::try_lock_shared)
    }

    /// Returns the owner of the lock, for messages. It may be missing or briefly out of date.
    pub(crate) fn holder(&self) -> Option<Holder> {
        Holder::parse(&state_file::read_text(&self.state_path(state::HOLDER)).ok()?)
    }

    /// Registers this caller as the next owner of the lock, until the value is dropped.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be opened or locked.
    pub(crate) fn register_waiter(&self) -> Result<Waiter, Error> {
        self.register_in(state::WAITING)
    }

    fn register_in(&self, name: &str) -> Result<Waiter, Error> {
        self.prepare_state()?;
        let path = self.state_path(name);
        let file = lock_file::open(&path, self.sharing()).and_then(|file| {
            // Blocks only while the owner checks for waiters.
            file.lock_shared()?;
            Ok(file)
        });
        Ok(Waiter {
            file: file.map_err(|source| Error::io("wait for the lock in", &path, source))?,
        })
    }

    /// Returns true if a process waits for the lock. Only the owner of the lock may call this.
    ///
    /// All waiters share a lock on one file, so only live waiters count.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be opened or locked.
    pub(crate) fn has_waiters(&self) -> Result<bool, Error> {
        // Waiters have a shared lock, so only an exclusive lock conflicts with them.
        lock_file::is_taken(&self.state_path(state::WAITING), "waiters", File::try_lock)
    }
}

impl Workspace {
    /// Registers a deployment that needs the lock for one commit, between two commits of its owner.
    /// The owner continues afterwards.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be opened or locked.
    pub(crate) fn register_between(&self) -> Result<Waiter, Error> {
        self.register_in(state::BETWEEN)
    }

    /// Returns true if a deployment needs the lock between two commits. Only the owner of the lock
    /// may call this.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be opened or locked.
    pub(crate) fn is_wanted_between(&self) -> Result<bool, Error> {
        lock_file::is_taken(&self.state_path(state::BETWEEN), "waiters", File::try_lock)
    }
}

/// The right to run in this repository.
///
/// If this is dropped without [`release`](Self::release), as in a panic, only its file is closed.
/// The guard process shares the file, so the lock is held until the guard has ended all commands.
#[derive(Debug)]
pub(crate) struct RunLock {
    workspace: Workspace,
    file: File,
    /// Locked for the duration of the run. Other processes check this file, so that they never take
    /// the lock.
    running: File,
    holder: Mutex<Holder>,
}

impl RunLock {
    /// Duplicates the lock file for the guard process. The lock is held until both are closed. The
    /// descriptor is close-on-exec, so only the guard may inherit it.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the process has no free file descriptor.
    pub(crate) fn share(&self) -> Result<File, Error> {
        let path = self.workspace.state_path(state::LOCK);
        self.file.try_clone().map_err(|source| Error::io("duplicate the lock", &path, source))
    }

    /// Checks that the lock file is still the one that this run locked. If the repository was moved
    /// or replaced, the steps' results say nothing about the commit, and this run no longer has the
    /// right to write any.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) with the path if it is not.
    pub(crate) fn check_place(&self) -> Result<(), Error> {
        let path = self.workspace.state_path(state::LOCK);
        let identity = |file: &fs::Metadata| (file.dev(), file.ino());
        let held = self.file.metadata().map_err(|source| Error::io("read", &path, source))?;
        let source = match fs::metadata(&path) {
            Ok(found) if identity(&found) == identity(&held) => return Ok(()),
            Ok(_) => io::Error::other("another lock file is in its place"),
            Err(source) => source,
        };
        let error = Error::io("find the run lock", &path, source);
        Err(error.with_hint("if the repository was moved, `tinyci run` in its new place"))
    }

    /// Writes the machine and the run of this owner. Only messages and requests to stop a job use
    /// it, so errors are ignored.
    pub(crate) fn introduce(&self, host: &str, run: &str) {
        self.update_holder(|holder| {
            host.clone_into(&mut holder.machine);
            run.clone_into(&mut holder.id);
        });
    }

    /// Adds a commit that is being tested in this job.
    pub(crate) fn announce(&self, commit: CommitId, job: &str) {
        let job = job.to_owned();
        self.update_holder(|holder| {
            holder.commits.push(ActiveJob { commit, job_id: job, since: now(), step: None })
        });
    }

    /// Sets the current step of a commit.
    pub(crate) fn announce_step(&self, commit: CommitId, step: &str) {
        self.update_holder(|holder| {
            if let Some(job) = holder.commits.iter_mut().find(|it| it.commit == commit) {
                job.step = Some(step.to_owned());
            }
        });
    }

    /// Removes a commit that is finished.
    pub(crate) fn withdraw(&self, commit: CommitId) {
        self.update_holder(|holder| holder.commits.retain(|it| it.commit != commit));
    }

    fn update_holder(&self, change: impl FnOnce(&mut Holder)) {
        // Stay locked while writing, because the workers share the file and its temporary name.
        let mut holder = lock(&self.holder);
        change(&mut holder);
        let _ = self.workspace.replace_state(state::HOLDER, holder.text().as_bytes());
    }

    /// Returns true if a caller requested a scan up to this count and no scan has begun since.
    pub(crate) fn scan_requested(&self, count: u64) -> bool {
        let text = state_file::read_text(&self.workspace.state_path(state::LOOKED));
        let scanned = text.ok().and_then(|text| text.trim().parse().ok());
        scanned.unwrap_or(0) != count
    }

    /// Records that all requests up to this count have had their scan. If this cannot be written,
    /// the next owner scans once more.
    pub(crate) fn mark_scanned(&self, count: u64) {
        if self.scan_requested(count) {
            let _ = self.workspace.replace_state(state::LOOKED, count.to_string().as_bytes());
        }
    }

    /// Releases the lock at once, even if the guard shares its file. The guard must have ended
    /// before. Afterwards the caller must read the count of requests again.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the system does not unlock the file.
    pub(crate) fn release(self) -> Result<(), Error> {
        let _ = fs::remove_file(self.workspace.state_path(state::HOLDER));
        let _ = self.running.unlock();
        let path = self.workspace.state_path(state::LOCK);
        self.file.unlock().map_err(|source| Error::io("unlock", &path, source))
    }

    /// Gives the lock to a waiter: releases it and waits until another process has it. If no
    /// process takes it within `patience`, because the waiter died or was stopped, returns it.
    ///
    /// In both cases, the lock's owner at the end scans after all requests so far. So the caller
    /// need not read the count again.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the lock cannot be released or tried.
    pub(crate) fn hand_over(self, patience: Duration) -> Result<Option<RunLock>, Error> {
        let workspace = self.workspace.clone();
        self.release()?;
        let limit = Instant::now() + patience;
        loop {
            thread::sleep(HAND_OVER_PAUSE);
            match workspace.lock()? {
                None => return Ok(None),
                Some(lock) if Instant::now() >= limit => return Ok(Some(lock)),
                Some(lock) => lock.release()?,
            }
        }
    }
}

/// A registered caller that waits for the lock.
#[derive(Debug)]
pub(crate) struct Waiter {
    file: File,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Closing is not enough while a child that another thread starts has inherited the file.
        let _ = self.file.unlock();
    }
}

/// The owner of the lock, as its process described itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its process id, on its machine.
    pub(crate) pid: u32,
    /// The name of its machine.
    pub(crate) machine: String,
    /// The id of its run.
    pub(crate) id: String,
    /// When it took the lock.
    pub(crate) since: SystemTime,
    /// The commits that it is testing.
    pub(crate) commits: Vec<ActiveJob>,
}

/// A commit that is being tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActiveJob {
    pub(crate) commit: CommitId,
    /// The id of the job: [`Record::job_id`](crate::Record::job_id).
    pub(crate) job_id: String,
    pub(crate) since: SystemTime,
    /// The current step, or `None` before the first.
    pub(crate) step: Option<String>,
}

impl Holder {
    fn text(&self) -> String {
        let Holder { pid, machine, id, since, commits } = self;
        let mut text =
            format!("pid {pid}\nmachine {machine}\nid {id}\nsince {}\n", format_time(*since));
        for ActiveJob { commit, job_id, since, step } in commits {
            let step = step.as_deref().unwrap_or("-");
            text += &format!("commit {commit} {job_id} {} {step}\n", format_time(*since));
        }
        text
    }

    fn parse(text: &str) -> Option<Holder> {
        let values = |key: &'static str| {
            text.lines().filter_map(move |line| line.strip_prefix(key)?.strip_prefix(' '))
        };
        let commit = |line: &str| {
            let mut words = line.split(' ');
            Some(ActiveJob {
                commit: words.next()?.parse().ok()?,
                job_id: words.next()?.to_owned(),
                since: parse_time(words.next()?)?,
                step: words.next().filter(|step| *step != "-").map(str::to_owned),
            })
        };
        Some(Holder {
            pid: values("pid").next()?.parse().ok()?,
            machine: values("machine").next()?.to_owned(),
            id: values("id").next()?.to_owned(),
            since: parse_time(values("since").next()?)?,
            commits: values("commit").filter_map(commit).collect(),
        })
    }
}

/// Returns the current time, in whole seconds.
fn now() -> SystemTime {
    parse_time(&format_time(SystemTime::now())).unwrap_or(UNIX_EPOCH)
}

fn format_time(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn parse_time(text: &str) -> Option<SystemTime> {
    text.parse::<jiff::Timestamp>().ok().and_then(|time| time.try_into().ok())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;
    use crate::testing::TestRepo;

    fn workspace(repo: &TestRepo) -> Workspace {
        Workspace::new(repo.path(), None, repo.path())
    }

    /// Takes the lock when it is free. A child that another test is starting briefly inherits every
    /// file of this process.
    fn lock_soon(workspace: &Workspace) -> RunLock {
        let limit = Instant::now() + Duration::from_secs(60);
        loop {
            match workspace.lock().unwrap() {
                Some(lock) => return lock,
                None => assert!(Instant::now() < limit, "the lock does not come free"),
            }
            thread::yield_now();
        }
    }

    #[test]
    fn the_lock_is_one_and_comes_back_on_release() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let lock = workspace.lock().unwrap().unwrap();
        assert!(workspace.lock().unwrap().is_none(), "another opening in the same process");
        let path = repo.path().join("tinyci/lock");
        let other = Command::new("flock").arg("-n").arg(path).arg("true").status().unwrap();
        assert_eq!(other.code(), Some(1), "another process");
        lock.release().unwrap();
        assert!(workspace.lock().unwrap().is_some());
    }

    #[test]
    fn a_guard_that_shares_the_file_holds_the_lock_unless_it_is_released() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let lock = workspace.lock().unwrap().unwrap();
        let shared = lock.share().unwrap();
        let mut guard = Command::new("cat").stdin(Stdio::piped()).stdout(shared).spawn().unwrap();
        drop(lock);
        assert!(workspace.lock().unwrap().is_none(), "the engine is gone, the guard is not");
        drop(guard.stdin.take());
        guard.wait().unwrap();
        let lock = lock_soon(&workspace);

        let kept = lock.share().unwrap();
        lock.release().unwrap();
        assert!(workspace.lock().unwrap().is_some(), "released, though the file is open");
        drop(kept);
    }

    #[test]
    fn a_lock_counts_only_while_its_file_is_in_its_place() {
        let repo = TestRepo::bare();
        let lock = workspace(&repo).lock().unwrap().unwrap();
        lock.check_place().unwrap();
        let (path, aside) = (repo.path().join("tinyci/lock"), repo.path().join("aside"));
        fs::rename(&path, &aside).unwrap();
        let missing = lock.check_place().unwrap_err().report();
        assert!(missing.contains("tinyci/lock"), "{missing}");
        fs::write(&path, "").unwrap();
        let replaced = lock.check_place().unwrap_err().report();
        assert!(replaced.contains("another lock file"), "{replaced}");
        fs::rename(&aside, &path).unwrap();
        lock.check_place().unwrap();
    }

    #[test]
    fn children_do_not_inherit_the_lock() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let lock = workspace.lock().unwrap().unwrap();
        let mut child = Command::new("cat").stdin(Stdio::piped()).spawn().unwrap();
        drop(lock);
        lock_soon(&workspace);
        drop(child.stdin.take());
        child.wait().unwrap();
    }

    #[test]
    fn every_bump_of_many_writers_counts() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        assert_eq!(workspace.wake_count().unwrap(), 0);
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..50).for_each(|_| workspace.request_scan().unwrap()));
            }
        });
        assert_eq!(workspace.wake_count().unwrap(), 400);
    }

    #[test]
    fn a_long_counter_begins_again_only_with_a_new_holder() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let lock = workspace.lock().unwrap().unwrap();
        fs::write(repo.path().join("tinyci/wake"), vec![b'\n'; 70_000]).unwrap();
        assert!(workspace.lock().unwrap().is_none());
        workspace.request_scan().unwrap();
        assert_eq!(workspace.wake_count().unwrap(), 70_001);
        lock.mark_scanned(70_001);
        lock.release().unwrap();
        let lock = workspace.lock().unwrap().unwrap();
        assert_eq!(workspace.wake_count().unwrap(), 0);
        assert!(lock.scan_requested(0), "whoever asked while it was emptied");
    }

    #[test]
    fn a_look_is_owed_to_whoever_asked_since_the_last_one() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let lock = workspace.lock().unwrap().unwrap();
        assert!(!lock.scan_requested(workspace.wake_count().unwrap()));
        workspace.request_scan().unwrap();
        let count = workspace.wake_count().unwrap();
        assert!(lock.scan_requested(count));
        workspace.request_scan().unwrap();
        lock.mark_scanned(count);
        lock.release().unwrap();
        let lock = workspace.lock().unwrap().unwrap();
        assert!(lock.scan_requested(workspace.wake_count().unwrap()), "asked after the look began");
        lock.mark_scanned(workspace.wake_count().unwrap());
        assert!(!lock.scan_requested(workspace.wake_count().unwrap()));
        fs::write(repo.path().join("tinyci/looked"), "gibberish").unwrap();
        assert!(lock.scan_requested(workspace.wake_count().unwrap()));
    }

    /// Tests the protocol at the top of this file with many threads: a scan sees every request,
    /// although most callers leave at once.
    #[test]
    fn nothing_asked_for_is_missed() {
        use std::sync::atomic::{AtomicU32, Ordering};

        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let (requested, seen) = (AtomicU32::new(0), AtomicU32::new(0));
        let push = || {
            requested.fetch_add(1, Ordering::SeqCst);
            workspace.request_scan().unwrap();
            loop {
                let Some(lock) = workspace.lock().unwrap() else { return };
                let before = workspace.wake_count().unwrap();
                seen.store(requested.load(Ordering::SeqCst), Ordering::SeqCst);
                lock.release().unwrap();
                if workspace.wake_count().unwrap() == before {
                    return;
                }
            }
        };
        for _ in 0..100 {
            thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(push))));
            assert_eq!(seen.load(Ordering::SeqCst), requested.load(Ordering::SeqCst));
        }
    }

    #[test]
    fn waiters_are_seen_as_long_as_they_live() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        assert!(!workspace.has_waiters().unwrap());
        let (first, second) =
            (workspace.register_waiter().unwrap(), workspace.register_waiter().unwrap());
        drop(first);
        assert!(workspace.has_waiters().unwrap());
        drop(second);
        assert!(!workspace.has_waiters().unwrap());

        let waiting = repo.path().join("tinyci/waiting");
        let mut other = Command::new("flock")
            .args(["-s".as_ref(), waiting.as_os_str(), "cat".as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // The other process answers only when it has the lock.
        io::Write::write_all(other.stdin.as_mut().unwrap(), b"x").unwrap();
        io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        assert!(workspace.has_waiters().unwrap());
        drop(other.stdin.take());
        other.wait().unwrap();
        assert!(!workspace.has_waiters().unwrap(), "its lock went with it");
    }

    #[test]
    fn the_lock_goes_to_a_waiter_and_comes_back_without_one() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let lock = workspace.lock().unwrap().unwrap();
        let lock = lock.hand_over(Duration::from_millis(1)).unwrap().unwrap();

        let _waiter = workspace.register_waiter().unwrap();
        let taken = thread::scope(|scope| {
            let waiting = scope.spawn(|| {
                loop {
                    match workspace.lock().unwrap() {
                        Some(lock) => return lock,
                        None => thread::sleep(Duration::from_millis(5)),
                    }
                }
            });
            assert!(lock.hand_over(Duration::from_secs(60)).unwrap().is_none());
            waiting.join().unwrap()
        });
        taken.release().unwrap();
    }

    #[test]
    fn the_holder_is_named_while_it_holds() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let lock = workspace.lock().unwrap().unwrap();
        assert_eq!(workspace.holder(), None);
        lock.introduce("ci.example.org", "r1");
        let commit = "f40785cbc4422f39c36118fbae071932774cb5b6".parse().unwrap();
        lock.announce(commit, "j1");
        let other = "a40785cbc4422f39c36118fbae071932774cb5b6".parse().unwrap();
        lock.announce(other, "j2");
        lock.announce_step(commit, "before_build");
        let holder = workspace.holder().unwrap();
        assert_eq!((holder.pid, holder.machine.as_str()), (std::process::id(), "ci.example.org"));
        assert_eq!(holder.id, "r1");
        let steps: Vec<_> = holder
            .commits
            .iter()
            .map(|it| (it.commit, it.job_id.as_str(), it.step.as_deref()))
            .collect();
        assert_eq!(steps, [(commit, "j1", Some("before_build")), (other, "j2", None)]);
        assert!(holder.since <= holder.commits[0].since);
        lock.withdraw(commit);
        assert_eq!(workspace.holder().unwrap().commits[0].commit, other);
        lock.release().unwrap();
        assert_eq!(workspace.holder(), None);
        fs::write(repo.path().join("tinyci/holder"), "gibberish\0\n").unwrap();
        assert_eq!(workspace.holder(), None);
    }
}
