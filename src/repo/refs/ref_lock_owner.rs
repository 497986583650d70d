//! Replaces files that git locks (refs, the packed refs, the configuration), and recognizes the lock
//! files of killed writers.
//!
//! git locks a file by creating `<file>.lock`. If the process is killed, the lock file remains and
//! blocks every later writer. So each writer of tinyci first locks `tinyci/intent` in the shared git
//! directory. The kernel releases this lock when the process ends. The writer then writes the new
//! contents to a file in `tinyci/locking/`, which is named after the file to replace. The lock file is
//! a hard link to it. If the next writer finds a file in that directory, the previous writer was
//! killed. A lock file that is the same file was created by that writer. This does not depend on
//! contents, which a power failure can destroy. It also serializes the writers of tinyci, so only
//! other programs cause retries.

use std::{
    fs::{self, DirBuilder, File, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use super::backoff::Backoff;
use crate::util::state_file;
use crate::{
    model::{
        error::{Error, ErrorKind},
        stored_names::state,
    },
    repo::repository::Repo,
    util::{flush::Flush, sharing::Sharing, unfinished},
};

/// The time to wait for other writers of tinyci. Each takes milliseconds.
const WRITERS_WAIT: Duration = Duration::from_secs(30);

/// The file in `tinyci/locking/` that marks a write of objects.
const OBJECTS: &str = "objects";

/// The name of the directory of the scratch file. No file of git has this name.
const SCRATCH: &str = "edited.tmp";

/// The mode of that directory.
const PRIVATE_DIR: u32 = 0o700;

/// The prefix of unfinished object files. Not `tmp_`, because `git prune --expire=now` removes such
/// files, even while they are being written.
pub(in crate::repo) const UNFINISHED: &str = "tinyci-new-";

/// The number of tries if another program keeps removing an empty directory.
const DIRECTORY_TRIES: usize = 5;

/// The right to replace files that git locks, until this value is dropped.
pub(in crate::repo) struct RefLockOwner {
    common_dir: PathBuf,
    sharing: Sharing,
    flush: Flush,
    _lock: File,
}

/// A file that is locked in git's way, with its new contents.
pub(in crate::repo) struct FileLock<'owner> {
    owner: &'owner RefLockOwner,
    path: PathBuf,
    lock: PathBuf,
    staged: PathBuf,
    file: File,
}

impl Repo {
    /// Acquires the right to replace files of this repository.
    pub(in crate::repo) fn acquire_ref_lock(&self) -> Result<RefLockOwner, Error> {
        let owner = RefLockOwner::acquire(self.common_dir(), self.sharing()?, self.flush_rule()?)?;
        // Check while holding the lock, because a newer version changes the format only under it.
        self.check_writable()?;
        Ok(owner)
    }

    /// Waits for other installs and uninstalls in this repository, each of which changes several lines
    /// of the configuration and records them. Others wait until the file is dropped.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) with the path if the file cannot be locked.
    pub(crate) fn acquire_install_lock(&self) -> Result<File, Error> {
        let (sharing, dir) = (self.sharing()?, self.common_dir().join(state::DIR));
        let made = sharing.create_dir_below(self.common_dir(), &dir);
        made.map_err(|source| Error::io("create", &dir, source))?;
        open_locked(&dir.join(state::INSTALLING), sharing)
    }
}

impl RefLockOwner {
    /// Waits for other writers, then removes the files that a killed writer left.
    fn acquire(common_dir: &Path, sharing: Sharing, flush: Flush) -> Result<Self, Error> {
        let dir = common_dir.join(state::DIR);
        let made = sharing.create_dir_below(common_dir, &dir.join(state::LOCKING));
        made.map_err(|source| Error::io("create", &dir.join(state::LOCKING), source))?;
        let file = open_locked(&dir.join(state::INTENT), sharing)?;
        unfinished::remove_abandoned(&dir);
        let owner = Self { common_dir: common_dir.to_path_buf(), sharing, flush, _lock: file };
        owner.remove_leftovers().map_err(|source| {
            Error::io("remove the files of a killed process in", &owner.locking_dir(), source)
        })?;
        Ok(owner)
    }

    /// Calls `write`, which writes objects. If this process is killed, the next owner removes the
    /// unfinished files.
    pub(in crate::repo) fn writing_objects<T>(
        &self,
        write: impl FnOnce() -> Result<T, git2::Error>,
    ) -> Result<T, git2::Error> {
        let mark = self.locking_dir().join(OBJECTS);
        let failed = |error: io::Error| {
            git2::Error::from_str(&format!("cannot write `{}`: {error}", mark.display()))
        };
        state_file::create(&mark).map_err(failed)?;
        let written = write();
        if written.is_err() {
            // The first error is the one to report.
            let _ = self.remove_unfinished();
        }
        fs::remove_file(&mark).map_err(failed)?;
        written
    }

    /// Locks a file in git's way, to replace it with these contents. A relative path is relative to
    /// the shared git directory. Follows links, as git does.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](io::ErrorKind::AlreadyExists) if another program has locked it.
    pub(in crate::repo) fn lock_file(
        &self,
        path: &Path,
        contents: &[u8],
    ) -> io::Result<FileLock<'_>> {
        self.lock_with(path, state_file::create, |file| {
            self.sharing.adjust_open(&*file)?;
            file.write_all(contents)?;
            self.flush.state(file)
        })
    }

    /// Locks a file whose mode must be kept. Only this account may read the new file until the caller
    /// has written its contents and then calls [`set_permissions`](FileLock::set_permissions).
    ///
    /// # Errors
    ///
    /// As [`lock_file`](Self::lock_file).
    pub(in crate::repo) fn lock_private(&self, path: &Path) -> io::Result<FileLock<'_>> {
        self.lock_with(path, state_file::create_private, |_| Ok(()))
    }

    fn lock_with(
        &self,
        path: &Path,
        create: fn(&Path) -> io::Result<File>,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> io::Result<FileLock<'_>> {
        let path = self.common_dir.join(path);
        let path = if path.is_symlink() { path.canonicalize()? } else { path };
        let lock = lock_of(&path);
        let staged = self.locking_dir().join(self.staged_name(&path));
        let mut file = create(&staged)?;
        let written = write(&mut file).and_then(|()| self.link(&staged, &lock));
        if let Err(error) = written {
            let _ = fs::remove_file(&staged);
            return Err(error);
        }
        Ok(FileLock { owner: self, path, lock, staged, file })
    }

    /// Lets `edit` change a copy of these contents by its path, and returns the changed contents.
    ///
    /// The copy is in a directory that only this account may enter, because libgit2 writes beside it,
    /// with any mode. If this process is killed, the next owner removes the directory.
    ///
    /// # Errors
    ///
    /// Those of the system and of `edit`.
    pub(in crate::repo) fn in_scratch_file(
        &self,
        contents: &[u8],
        edit: impl FnOnce(&Path) -> io::Result<()>,
    ) -> io::Result<Vec<u8>> {
        let dir = self.locking_dir().join(SCRATCH);
        DirBuilder::new().mode(PRIVATE_DIR).create(&dir)?;
        let copy = dir.join("copy");
        let written = state_file::create_private(&copy).and_then(|mut file| {
            file.write_all(contents)?;
            edit(&copy)?;
            state_file::read(&copy)
        });
        let removed = fs::remove_dir_all(&dir);
        written.and_then(|edited| removed.map(|()| edited))
    }

    /// Creates the lock file. Creates its directory if it is missing, and again if another program
    /// removes the empty directory.
    fn link(&self, staged: &Path, lock: &Path) -> io::Result<()> {
        let dir = lock.parent().unwrap_or(lock);
        for _ in 1..DIRECTORY_TRIES {
            match fs::hard_link(staged, lock) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.sharing.create_dir_all(dir)?;
                }
                linked => return linked,
            }
        }
        fs::hard_link(staged, lock)
    }

    /// Removes everything in `tinyci/locking/`. It belongs to killed writers, because this process is
    /// the only owner. Other directories are not of tinyci, and stay.
    fn remove_leftovers(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.locking_dir())? {
            let entry = entry?;
            let (name, staged) = (entry.file_name().to_string_lossy().into_owned(), entry.path());
            if entry.file_type()?.is_dir() {
                if name == SCRATCH {
                    fs::remove_dir_all(&staged)?;
                }
                continue;
            }
            if name == OBJECTS {
                self.remove_unfinished()?;
            } else if let Some(path) = path_of(&name) {
                let lock = lock_of(&self.common_dir.join(path));
                if is_same_file(&staged, &lock)? {
                    fs::remove_file(&lock)?;
                }
            }
            fs::remove_file(&staged)?;
        }
        Ok(())
    }

    fn remove_unfinished(&self) -> io::Result<()> {
        for entry in fs::read_dir(self.common_dir.join(OBJECTS))? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(UNFINISHED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn locking_dir(&self) -> PathBuf {
        self.common_dir.join(state::DIR).join(state::LOCKING)
    }

    /// Returns the name of the staged file: the path of the file to replace, with `%` and `/` escaped.
    fn staged_name(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.common_dir).unwrap_or(path);
        inside.to_string_lossy().replace('%', "%25").replace('/', "%2F")
    }
}

impl FileLock<'_> {
    /// Returns the path of the locked file.
    pub(in crate::repo) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends to the new contents, if they were not known before the file was locked.
    pub(in crate::repo) fn write(&mut self, contents: &[u8]) -> io::Result<()> {
        self.file.write_all(contents)?;
        self.owner.flush.state(&self.file)
    }

    /// Sets the permissions of the new file.
    pub(in crate::repo) fn set_permissions(&self, permissions: fs::Permissions) -> io::Result<()> {
        self.file.set_permissions(permissions)
    }

    /// Replaces the file and unlocks it.
    pub(in crate::repo) fn replace(self) -> io::Result<()> {
        match fs::rename(&self.lock, &self.path) {
            // git leaves the empty directories of removed refs.
            Err(_) if self.path.is_dir() => {
                remove_empty(&self.path)?;
                fs::rename(&self.lock, &self.path)?;
            }
            renamed => renamed?,
        }
        self.flush_dir()
    }

    /// Removes the file, if it exists, and unlocks it.
    pub(in crate::repo) fn remove(self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed.and_then(|()| self.flush_dir()),
        }
    }

    fn flush_dir(&self) -> io::Result<()> {
        self.owner.flush.state_dir(self.path.parent().unwrap_or(&self.path))
    }
}

impl Drop for FileLock<'_> {
    /// Unlocks the file, unless it was replaced: then its lock is gone, or belongs to another writer.
    fn drop(&mut self) {
        if is_same_file(&self.staged, &self.lock).unwrap_or(false) {
            let _ = fs::remove_file(&self.lock);
        }
        let _ = fs::remove_file(&self.staged);
    }
}

/// Returns the file with which git and libgit2 lock this one.
fn lock_of(path: &Path) -> PathBuf {
    let mut lock = path.as_os_str().to_owned();
    lock.push(".lock");
    lock.into()
}

/// Returns the path of the file with which git locks this ref.
pub(in crate::repo) fn lock_path(common_dir: &Path, reference: &str) -> PathBuf {
    lock_of(&common_dir.join(reference))
}

/// Returns the path for the name of a staged file, or `None` if it contains `..`.
fn path_of(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(name.replace("%2F", "/").replace("%25", "%"));
    let stays = path.components().all(|part| !matches!(part, std::path::Component::ParentDir));
    stays.then_some(path)
}

fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let identity = |path: &Path| match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        metadata => metadata.map(|metadata| Some((metadata.dev(), metadata.ino()))),
    };
    let one = identity(one)?;
    Ok(one.is_some() && one == identity(other)?)
}

/// Removes a directory that contains only empty directories.
fn remove_empty(dir: &Path) -> io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_empty(&entry.path())?;
        }
    }
    fs::remove_dir(dir)
}

fn open_locked(path: &Path, sharing: Sharing) -> Result<File, Error> {
    let file = state_file::open_or_create(path)
        .and_then(|file| sharing.adjust_open(&file).map(|()| file))
        .map_err(|source| Error::io("open", path, source))?;
    lock(&file, path)?;
    Ok(file)
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

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    const REFERENCE: &str = "refs/notes/example";

    fn acquire(dir: &TempDir) -> RefLockOwner {
        fs::create_dir_all(dir.path().join("objects")).unwrap();
        RefLockOwner::acquire(dir.path(), Sharing::default(), Flush::default()).unwrap()
    }

    fn staged_in(dir: &TempDir) -> usize {
        fs::read_dir(dir.path().join("tinyci/locking")).unwrap().count()
    }

    #[test]
    fn a_locked_file_is_replaced_whole_and_unlocked() {
        let dir = TempDir::new().unwrap();
        let owner = acquire(&dir);
        let (path, lock) = (dir.path().join(REFERENCE), lock_path(dir.path(), REFERENCE));
        for contents in ["one\n", "two\n"] {
            let locked = owner.lock_file(Path::new(REFERENCE), contents.as_bytes()).unwrap();
            assert!(lock.exists() && locked.path() == path);
            locked.replace().unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), contents);
            assert!(!lock.exists());
        }
        drop(owner.lock_file(Path::new(REFERENCE), b"three").unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), "two\n");
        owner.lock_file(Path::new(REFERENCE), b"").unwrap().remove().unwrap();
        assert!(!path.exists() && !lock.exists());
        assert_eq!(staged_in(&dir), 0);
    }

    #[test]
    fn the_lock_of_another_program_is_met_and_stays() {
        let dir = TempDir::new().unwrap();
        let owner = acquire(&dir);
        let lock = lock_path(dir.path(), REFERENCE);
        fs::create_dir_all(lock.parent().unwrap()).unwrap();
        fs::write(&lock, "theirs").unwrap();
        let error = owner.lock_file(Path::new(REFERENCE), b"ours").err().unwrap();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!((fs::read(&lock).unwrap().as_slice(), staged_in(&dir)), (&b"theirs"[..], 0));
    }

    #[test]
    fn the_lock_of_a_killed_writer_goes_and_that_of_another_program_stays() {
        for ours in [true, false] {
            let dir = TempDir::new().unwrap();
            let owner = acquire(&dir);
            let lock = lock_path(dir.path(), REFERENCE);
            std::mem::forget(owner.lock_file(Path::new(REFERENCE), b"ours").unwrap());
            if !ours {
                fs::remove_file(&lock).unwrap();
                fs::write(&lock, "ours").unwrap();
            }
            drop(owner);
            drop(acquire(&dir));
            assert_eq!((lock.exists(), staged_in(&dir)), (!ours, 0));
        }
    }

    #[test]
    fn a_writer_that_is_killed_after_it_replaced_the_file_leaves_the_file() {
        let dir = TempDir::new().unwrap();
        let owner = acquire(&dir);
        let locked = owner.lock_file(Path::new(REFERENCE), b"ours").unwrap();
        fs::rename(&locked.lock, &locked.path).unwrap();
        std::mem::forget(locked);
        drop(owner);
        drop(acquire(&dir));
        assert_eq!(fs::read(dir.path().join(REFERENCE)).unwrap(), b"ours");
        assert_eq!(staged_in(&dir), 0);
    }

    #[test]
    fn an_empty_directory_in_the_place_of_a_file_goes() {
        let dir = TempDir::new().unwrap();
        let owner = acquire(&dir);
        fs::create_dir_all(dir.path().join(REFERENCE).join("a/b")).unwrap();
        owner.lock_file(Path::new(REFERENCE), b"x").unwrap().replace().unwrap();
        assert!(dir.path().join(REFERENCE).is_file());
    }

    #[test]
    fn a_killed_writer_s_scratch_directory_goes_and_another_directory_is_passed_over() {
        let dir = TempDir::new().unwrap();
        drop(acquire(&dir));
        let locking = dir.path().join("tinyci/locking");
        for name in ["edited.tmp", "stranger"] {
            fs::create_dir(locking.join(name)).unwrap();
            fs::write(locking.join(name).join("copy"), "secret").unwrap();
        }
        drop(acquire(&dir));
        assert!(!locking.join("edited.tmp").exists());
        assert!(locking.join("stranger/copy").exists(), "tinyci did not make it");
    }

    #[test]
    fn what_is_private_is_private_before_it_has_contents() {
        let dir = TempDir::new().unwrap();
        let owner = acquire(&dir);
        let mode = |path: &Path| fs::metadata(path).unwrap().mode() & 0o777;
        let mut lock = owner.lock_private(Path::new("config")).unwrap();
        assert_eq!((mode(&lock.lock), mode(&lock.staged)), (0o600, 0o600));
        let edited = owner.in_scratch_file(b"old", |copy| {
            assert_eq!((mode(copy), mode(copy.parent().unwrap())), (0o600, 0o700));
            fs::write(copy, "new")
        });
        assert_eq!(edited.unwrap(), b"new");
        lock.write(b"new").unwrap();
        lock.replace().unwrap();
        assert_eq!((mode(&dir.path().join("config")), staged_in(&dir)), (0o600, 0));
    }

    #[test]
    fn a_name_says_which_file_is_meant() {
        let dir = TempDir::new().unwrap();
        let owner = acquire(&dir);
        for path in ["refs/tinyci/deployments/50%2Foff", "config", "/elsewhere/con%fig"] {
            let name = owner.staged_name(&dir.path().join(path));
            assert!(!name.contains('/'), "{name}");
            assert_eq!(path_of(&name).unwrap(), Path::new(path));
        }
        assert_eq!(path_of("..%2Fconfig"), None);
    }
}
