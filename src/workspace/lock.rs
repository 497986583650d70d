//! One run at a time: the lock, the counter of those who asked meanwhile, and the hand-over.
//!
//! Everything here rests on `flock`, which the kernel drops with its last holder: no pid is ever
//! asked whether it lives. The protocol:
//!
//! 1. A caller bumps `request_scan`, then tries `lock`. If it is busy, the caller may leave: whoever holds
//!    it will look.
//! 2. Whoever takes the lock owes that look: it reads `request_scan`, then scans, until nothing is due. What
//!    `request_scan` was then goes into `looked`. A holder that has work of its own and no wish to scan may
//!    leave the scan out if `looked` says that nobody asked since.
//! 3. It releases the lock and reads `request_scan` once more. If the counter moved, somebody may have
//!    found the lock busy after the last scan: back to trying the lock. If that finds it busy,
//!    its new holder scans after that somebody's bump, and owes the look.
//!
//! `request_scan` counts in its length: a bump appends one byte, which any number of processes can do at
//! once. The holder empties a long file as it takes the lock. Bumps lost by that came before the
//! scan that this holder owes (`looked` is longer then), and only inequality is ever asked of the
//! counter, so a former holder that compares it meanwhile either sees it moved or has nothing left
//! to do.

use std::{
    fs::{self, File},
    io::{self, Write},
    sync::Mutex,
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use crate::{
    model::{commit::CommitId, error::Error, stored_names::state},
    util::lock::lock,
    workspace::{layout::Workspace, lock_file},
};

/// The length at which `request_scan` begins again.
const WAKE_BYTES_MAX: u64 = 64 << 10;

/// How often a holder that handed over looks whether the lock was taken.
const HAND_OVER_PAUSE: Duration = Duration::from_millis(20);

impl Workspace {
    /// Tells the holder of the lock, if there is one, to look again before it ends. To be called
    /// before [`lock`](Self::lock).
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the counter cannot be written.
    pub(crate) fn request_scan(&self) -> Result<(), Error> {
        self.prepare_state()?;
        let path = self.state_path(state::WAKE);
        let file = File::options().append(true).create(true).open(&path);
        let asked = file.and_then(|mut file| {
            self.sharing().adjust_open(&file)?;
            file.write_all(b"\n")
        });
        asked.map_err(|source| Error::io("request a scan in", &path, source))
    }

    /// The counter that [`request_scan`](Self::wake) moves. Only its moving means something.
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

    /// Takes the run lock; none if somebody else has it, in this process or another.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the lock file cannot be opened, or the file system has no
    /// locks.
    pub(crate) fn lock(&self) -> Result<Option<RunLock>, Error> {
        self.prepare_state()?;
        let path = self.state_path(state::LOCK);
        let failed = |source| Error::io("lock", &path, source);
        let Some(file) = lock_file::try_take(&path, self.sharing())? else { return Ok(None) };
        let count = self.wake_count()?;
        if count > WAKE_BYTES_MAX {
            // If this fails the file is a little longer than it need be.
            let looked = self.replace_state(state::LOOKED, count.to_string().as_bytes());
            let _ = looked
                .and_then(|()| File::options().write(true).open(self.state_path(state::WAKE)))
                .and_then(|request_scan| request_scan.set_len(0));
        }
        self.remove_abandoned();
        // One that was killed has left word of itself, which is none of this holder.
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

    /// Whether somebody holds the lock, found out without ever taking it: a caller that found it
    /// busy relies on a holder that will look.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be opened or locked.
    pub(crate) fn is_running(&self) -> Result<bool, Error> {
        lock_file::is_taken(&self.state_path(state::RUNNING), "a run", File::try_lock_shared)
    }

    /// Who holds the lock, for messages: best effort, and out of date for a moment at times.
    pub(crate) fn holder(&self) -> Option<Holder> {
        Holder::parse(&fs::read_to_string(self.state_path(state::HOLDER)).ok()?)
    }

    /// Says that this caller wants the lock next, for as long as the value lives.
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
            // Blocks at most for the instant in which the holder looks for waiters.
            file.lock_shared()?;
            Ok(file)
        });
        Ok(Waiter {
            file: file.map_err(|source| Error::io("wait for the lock in", &path, source))?,
        })
    }

    /// Whether anybody waits for the lock. To be asked by its holder alone.
    ///
    /// All waiters share a lock on one file, which so tells of live ones only.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be opened or locked.
    pub(crate) fn has_waiters(&self) -> Result<bool, Error> {
        // Waiters share it among themselves, so that only a lock of one's own is refused.
        lock_file::is_taken(&self.state_path(state::WAITING), "waiters", File::try_lock)
    }
}

impl Workspace {
    /// Says that a deployment needs the lock for one commit, between two of its holder's. The holder
    /// goes on afterwards.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be opened or locked.
    pub(crate) fn register_between(&self) -> Result<Waiter, Error> {
        self.register_in(state::BETWEEN)
    }

    /// Whether a deployment needs the lock between two commits. To be asked by its holder alone.
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
/// Dropped without [`release`](Self::release), as in a panic, it closes its file only: while a
/// guard process shares that, the lock stays taken until the guard has ended what still runs.
#[derive(Debug)]
pub(crate) struct RunLock {
    workspace: Workspace,
    file: File,
    /// Locked for as long as the run lasts; what followers look at.
    running: File,
    holder: Mutex<Holder>,
}

impl RunLock {
    /// The same open file, for the guard process: the lock lasts until both are gone. It is
    /// close-on-exec; only the guard is to inherit it.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the process has no file descriptor left.
    pub(crate) fn share(&self) -> Result<File, Error> {
        let path = self.workspace.state_path(state::LOCK);
        self.file.try_clone().map_err(|source| Error::io("duplicate the lock", &path, source))
    }

    /// Says who holds the lock: on which machine, and in which run. Only messages are made of it,
    /// and requests to end a job, so that a failure to write it is none.
    pub(crate) fn introduce(&self, host: &str, run: &str) {
        self.tell(|holder| {
            host.clone_into(&mut holder.machine);
            run.clone_into(&mut holder.id);
        });
    }

    /// Says that a commit is worked on now, in this job.
    pub(crate) fn announce(&self, commit: CommitId, job: &str) {
        let job = job.to_owned();
        self.tell(|holder| {
            holder.commits.push(ActiveJob { commit, job_id: job, since: now(), step: None })
        });
    }

    /// Says which step of a commit is done now.
    pub(crate) fn announce_step(&self, commit: CommitId, step: &str) {
        self.tell(|holder| {
            if let Some(in_hand) = holder.commits.iter_mut().find(|it| it.commit == commit) {
                in_hand.step = Some(step.to_owned());
            }
        });
    }

    /// Says that a commit is done with.
    pub(crate) fn withdraw(&self, commit: CommitId) {
        self.tell(|holder| holder.commits.retain(|it| it.commit != commit));
    }

    fn tell(&self, change: impl FnOnce(&mut Holder)) {
        // The workers share one file, and the name that it is written under first.
        let mut holder = lock(&self.holder);
        change(&mut holder);
        let _ = self.workspace.replace_state(state::HOLDER, holder.text().as_bytes());
    }

    /// Whether somebody asked for a look, up to this count of `request_scan`, who has not had it.
    pub(crate) fn scan_requested(&self, count: u64) -> bool {
        let text = fs::read_to_string(self.workspace.state_path(state::LOOKED));
        let looked = text.ok().and_then(|text| text.trim().parse().ok());
        looked.unwrap_or(0) != count
    }

    /// Says that all who asked up to this count of `request_scan` have had their look. A failure to keep
    /// that costs a look.
    pub(crate) fn mark_scanned(&self, count: u64) {
        if self.scan_requested(count) {
            let _ = self.workspace.replace_state(state::LOOKED, count.to_string().as_bytes());
        }
    }

    /// Gives the lock up at once, whoever shares its file: the guard must be gone before. After
    /// it the caller reads `request_scan` again.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the system refuses to unlock.
    pub(crate) fn release(self) -> Result<(), Error> {
        let _ = fs::remove_file(self.workspace.state_path(state::HOLDER));
        let _ = self.running.unlock();
        let path = self.workspace.state_path(state::LOCK);
        self.file.unlock().map_err(|source| Error::io("unlock", &path, source))
    }

    /// Gives the lock to a waiter: releases it and stays until somebody else has it. Gets it back
    /// if nobody takes it within `patience`, because the waiter died or was stopped.
    ///
    /// Either way somebody holds the lock in the end who scans after every bump of `request_scan` so far,
    /// so that the caller has nothing to read again.
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

/// A caller that wants the lock next.
#[derive(Debug)]
pub(crate) struct Waiter {
    file: File,
}

impl Drop for Waiter {
    fn drop(&mut self) {
        // Closing is not enough: a child that another thread is just starting has the file open.
        let _ = self.file.unlock();
    }
}

/// Who holds the lock, as that process said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    /// Its process id, on its host.
    pub(crate) pid: u32,
    /// The machine it runs on.
    pub(crate) machine: String,
    /// The id of its run.
    pub(crate) id: String,
    /// Since when it has held the lock.
    pub(crate) since: SystemTime,
    /// The commits it works on.
    pub(crate) commits: Vec<ActiveJob>,
}

/// A commit that is being worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ActiveJob {
    pub(crate) commit: CommitId,
    /// The id of the job: [`Record::job_id`](crate::Record::job_id).
    pub(crate) job_id: String,
    pub(crate) since: SystemTime,
    /// The step that is done now; none before the first.
    pub(crate) step: Option<String>,
}

impl Holder {
    fn text(&self) -> String {
        let Holder { pid, machine, id, since, commits } = self;
        let mut text = format!("pid {pid}\nmachine {machine}\nid {id}\nsince {}\n", stamp(*since));
        for ActiveJob { commit, job_id, since, step } in commits {
            let step = step.as_deref().unwrap_or("-");
            text += &format!("commit {commit} {job_id} {} {step}\n", stamp(*since));
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
                since: moment(words.next()?)?,
                step: words.next().filter(|step| *step != "-").map(str::to_owned),
            })
        };
        Some(Holder {
            pid: values("pid").next()?.parse().ok()?,
            machine: values("machine").next()?.to_owned(),
            id: values("id").next()?.to_owned(),
            since: moment(values("since").next()?)?,
            commits: values("commit").filter_map(commit).collect(),
        })
    }
}

/// Now, to the second.
fn now() -> SystemTime {
    moment(&stamp(SystemTime::now())).unwrap_or(UNIX_EPOCH)
}

fn stamp(time: SystemTime) -> String {
    let time = jiff::Timestamp::try_from(time).unwrap_or_default();
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn moment(text: &str) -> Option<SystemTime> {
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

    /// The lock as soon as it is free. A child that another test is starting at this moment has
    /// every file of this process open until its own program begins.
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

    /// The protocol at the top of this file, by many threads at once: whatever was asked for is
    /// seen by a scan, though most callers leave at once.
    #[test]
    fn nothing_asked_for_is_missed() {
        use std::sync::atomic::{AtomicU32, Ordering};

        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let (asked, seen) = (AtomicU32::new(0), AtomicU32::new(0));
        let push = || {
            asked.fetch_add(1, Ordering::SeqCst);
            workspace.request_scan().unwrap();
            loop {
                let Some(lock) = workspace.lock().unwrap() else { return };
                let before = workspace.wake_count().unwrap();
                seen.store(asked.load(Ordering::SeqCst), Ordering::SeqCst);
                lock.release().unwrap();
                if workspace.wake_count().unwrap() == before {
                    return;
                }
            }
        };
        for _ in 0..100 {
            thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(push))));
            assert_eq!(seen.load(Ordering::SeqCst), asked.load(Ordering::SeqCst));
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
        // It answers only once it has the lock.
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
