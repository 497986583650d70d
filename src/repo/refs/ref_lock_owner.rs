//! Declares each move of a ref before it happens, so that tinyci can recognize the lock file of a
//! killed writer.
//!
//! git locks a ref by creating `<ref>.lock`. If the process is killed, the file remains and blocks
//! every later writer. So each writer of tinyci first locks `tinyci/intent` in the shared git
//! directory. The kernel releases this lock when the process ends. The writer then writes the ref
//! and its new value into the file. If the next writer finds the file not empty, the previous
//! writer was killed, and the file says what its lock file contains. This also serializes the
//! writers of tinyci, so only other programs cause retries.

use std::{
    fs::{self, File, Metadata, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use super::backoff::Backoff;
use crate::{
    model::{
        error::{Error, ErrorKind},
        stored_names::state,
    },
    repo::repository::Repo,
    util::sharing::Sharing,
};

/// The time to wait for other writers of tinyci. Each takes milliseconds.
const WRITERS_WAIT: Duration = Duration::from_secs(30);

/// The time limits for an empty lock file. A killed writer's file appeared at most this long after
/// the declaration, and it is abandoned once it is this old.
const EMPTY_LOCK_AGE: Duration = Duration::from_secs(1);

/// The right to move refs, until this value is dropped.
pub(in crate::repo) struct RefLockOwner {
    common_dir: PathBuf,
    path: PathBuf,
    file: File,
}

impl Repo {
    /// Acquires the right to move refs of this repository.
    pub(in crate::repo) fn acquire_ref_lock(&self) -> Result<RefLockOwner, Error> {
        let owner = RefLockOwner::acquire(self.common_dir(), self.sharing()?)?;
        // Check while holding the lock, because a newer version changes the format only under it.
        self.check_writable()?;
        Ok(owner)
    }
}

impl RefLockOwner {
    /// Waits for the lock, then removes the lock file of a killed writer.
    fn acquire(common_dir: &Path, sharing: Sharing) -> Result<Self, Error> {
        let dir = common_dir.join(state::DIR);
        let made = sharing.create_dir_below(common_dir, &dir);
        made.map_err(|source| Error::io("create", &dir, source))?;
        let path = dir.join(state::INTENT);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .and_then(|file| sharing.adjust_open(&file).map(|()| file))
            .map_err(|source| Error::io("open", &path, source))?;
        lock(&file, &path)?;
        let mut owner = Self { common_dir: common_dir.to_path_buf(), path, file };
        owner.clear_leftover()?;
        Ok(owner)
    }

    /// Declares that `reference` will get the value `id`, calls `act`, and clears the declaration.
    pub(in crate::repo) fn declare<T>(
        &mut self,
        reference: &str,
        id: &str,
        act: impl FnOnce() -> T,
    ) -> Result<T, Error> {
        let declared = self.rewrite(&format!("{reference} {id}\n"));
        let value = declared.map(|()| act()).map_err(|source| self.failed(source))?;
        self.rewrite("").map_err(|source| self.failed(source))?;
        Ok(value)
    }

    /// Handles a declaration that a killed writer left in the file.
    fn clear_leftover(&mut self) -> Result<(), Error> {
        let mut bytes = Vec::new();
        self.file.read_to_end(&mut bytes).map_err(|source| self.failed(source))?;
        if bytes.is_empty() {
            return Ok(());
        }
        // A text that a power failure or another program damaged identifies no lock file.
        let text = std::str::from_utf8(&bytes).ok();
        if let Some((reference, id)) = text.and_then(|text| text.trim_end().split_once(' '))
            && git2::Reference::is_valid_name(reference)
        {
            self.remove_abandoned(reference, id)?;
        }
        self.rewrite("").map_err(|source| self.failed(source))
    }

    fn remove_abandoned(&self, reference: &str, id: &str) -> Result<(), Error> {
        let lock = lock_path(&self.common_dir, reference);
        let remove = || -> io::Result<()> {
            let declared_at = self.file.metadata()?.modified()?;
            if is_abandoned(&lock, &format!("{id}\n"), declared_at)? {
                fs::remove_file(&lock)?;
            }
            Ok(())
        };
        match remove() {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(Error::io("remove the lock of a killed writer,", &lock, source))
            }
            _ => Ok(()),
        }
    }

    fn rewrite(&mut self, text: &str) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(text.as_bytes())
    }

    fn failed(&self, source: io::Error) -> Error {
        Error::io("write", &self.path, source)
    }
}

/// Returns the file with which git and libgit2 lock this ref.
pub(in crate::repo) fn lock_path(common_dir: &Path, reference: &str) -> PathBuf {
    common_dir.join(format!("{reference}.lock"))
}

fn lock(file: &File, path: &Path) -> Result<(), Error> {
    let mut backoff = Backoff::new(WRITERS_WAIT);
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(TryLockError::WouldBlock) if backoff.pause() => {}
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "another tinyci process has held `{}` for {} s",
                    path.display(),
                    WRITERS_WAIT.as_secs()
                );
                let hint = format!("`fuser '{}'` finds it", path.display());
                return Err(Error::new(ErrorKind::Io, message).with_path(path).with_hint(hint));
            }
            Err(TryLockError::Error(source)) => return Err(Error::io("lock", path, source)),
        }
    }
}

/// Returns true if the writer that declared `expected` at this time made the lock file.
///
/// A complete lock file contains the new value of the ref, a commit that only its writer knew. But
/// libgit2 creates the file first and fills it a moment later, as other programs do. So an empty
/// file must have appeared just after the declaration, and must stay empty far longer than a live
/// writer needs.
fn is_abandoned(lock: &Path, expected: &str, declared_at: SystemTime) -> io::Result<bool> {
    let Some(first) = read_metadata(lock)? else { return Ok(false) };
    if first.len() > 0 {
        return Ok(fs::read_to_string(lock).is_ok_and(|text| expected.starts_with(&text)));
    }
    let delay = first.modified()?.duration_since(declared_at);
    if !delay.is_ok_and(|delay| delay <= EMPTY_LOCK_AGE) {
        return Ok(false);
    }
    if first.modified()?.elapsed().is_ok_and(|age| age >= EMPTY_LOCK_AGE) {
        return Ok(true);
    }
    thread::sleep(EMPTY_LOCK_AGE);
    let identity = |file: &Metadata| (file.ino(), file.mtime(), file.mtime_nsec(), file.len());
    Ok(read_metadata(lock)?.is_some_and(|second| identity(&second) == identity(&first)))
}

/// Reads the metadata of a lock file. Returns `None` if it is not a small regular file, as those of
/// git are.
fn read_metadata(lock: &Path) -> io::Result<Option<Metadata>> {
    match fs::symlink_metadata(lock) {
        Ok(metadata) => Ok((metadata.is_file() && metadata.len() < 100).then_some(metadata)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const REFERENCE: &str = "refs/notes/example";
    const ID: &str = "f40785cbc4422f39c36118fbae071932774cb5b6";

    /// Makes a git directory in which a writer was killed after this declaration.
    fn killed_writer(declaration: &str) -> (TempDir, PathBuf) {
        let dir = TempDir::new().unwrap();
        fs::create_dir_all(dir.path().join("refs/notes")).unwrap();
        fs::create_dir(dir.path().join("tinyci")).unwrap();
        fs::write(dir.path().join("tinyci/intent"), declaration).unwrap();
        let lock = lock_path(dir.path(), REFERENCE);
        (dir, lock)
    }

    fn set_modified(path: &Path, time: SystemTime) {
        File::options().write(true).open(path).unwrap().set_modified(time).unwrap();
    }

    #[test]
    fn a_lock_that_holds_the_declared_id_goes() {
        let (dir, lock) = killed_writer(&format!("{REFERENCE} {ID}\n"));
        fs::write(&lock, format!("{ID}\n")).unwrap();
        drop(RefLockOwner::acquire(dir.path(), Sharing::default()).unwrap());
        assert!(!lock.exists());
        assert_eq!(fs::read(dir.path().join("tinyci/intent")).unwrap(), b"");
    }

    #[test]
    fn a_lock_with_another_id_or_of_another_ref_stays() {
        for declaration in [
            format!("{REFERENCE} {}\n", "0".repeat(40)),
            format!("refs/notes/other {ID}\n"),
            format!("../{REFERENCE} {ID}\n"),
            REFERENCE.to_owned(),
            String::new(),
        ] {
            let (dir, lock) = killed_writer(&declaration);
            fs::write(&lock, format!("{ID}\n")).unwrap();
            drop(RefLockOwner::acquire(dir.path(), Sharing::default()).unwrap());
            assert!(lock.exists(), "{declaration:?}");
        }
    }

    #[test]
    fn an_empty_lock_goes_only_if_it_came_with_the_declaration() {
        let declared_at = SystemTime::now() - Duration::from_secs(3600);
        let minute = Duration::from_secs(60);
        let cases =
            [(declared_at - minute, false), (declared_at, true), (declared_at + minute, false)];
        for (created, goes) in cases {
            let (dir, lock) = killed_writer(&format!("{REFERENCE} {ID}\n"));
            fs::write(&lock, "").unwrap();
            set_modified(&lock, created);
            set_modified(&dir.path().join("tinyci/intent"), declared_at);
            drop(RefLockOwner::acquire(dir.path(), Sharing::default()).unwrap());
            assert_eq!(!lock.exists(), goes, "{created:?}");
        }
    }

    #[test]
    fn a_fresh_empty_lock_that_stays_so_goes() {
        let (dir, lock) = killed_writer(&format!("{REFERENCE} {ID}\n"));
        fs::write(&lock, "").unwrap();
        drop(RefLockOwner::acquire(dir.path(), Sharing::default()).unwrap());
        assert!(!lock.exists());
    }

    #[test]
    fn a_fresh_empty_lock_of_living_writers_stays() {
        let (dir, lock) = killed_writer(&format!("{REFERENCE} {ID}\n"));
        fs::write(&lock, "").unwrap();
        thread::scope(|scope| {
            let acquire =
                scope.spawn(|| RefLockOwner::acquire(dir.path(), Sharing::default()).map(drop));
            // Replace the file all the time, as if git took the lock again and again.
            let next = dir.path().join("next");
            while !acquire.is_finished() {
                fs::write(&next, "").unwrap();
                fs::rename(&next, &lock).unwrap();
            }
            acquire.join().unwrap().unwrap();
        });
        assert!(lock.exists());
    }

    #[test]
    fn a_declaration_stands_while_the_act_lasts_and_not_after() {
        let dir = TempDir::new().unwrap();
        let mut owner = RefLockOwner::acquire(dir.path(), Sharing::default()).unwrap();
        let path = dir.path().join("tinyci/intent");
        let during = owner.declare(REFERENCE, ID, || fs::read_to_string(&path).unwrap());
        assert_eq!(during.unwrap(), format!("{REFERENCE} {ID}\n"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "");
    }
}
