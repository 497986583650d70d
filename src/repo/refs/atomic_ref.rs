//! A ref of tinyci that only moves by compare-and-swap.
//!
//! Neither `git notes add` nor libgit2's notes compare before they write: if 20 processes write at
//! once, most of the notes are lost. tinyci first writes the new commit, which affects no other
//! process. It then moves the ref if the ref still names the commit's base. Otherwise it repeats
//! the edit on top of the new commit. A full disk or a kill leaves at most unreferenced objects.
//! After a power failure, the ref names its old or its new commit, because tinyci flushes
//! everything that the new commit needs before it moves the ref.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use git2::{ErrorCode, ObjectType, Oid, Repository, Signature, Time};

use super::{
    backoff::Backoff,
    damage::remedy,
    ref_file::RefValue,
    ref_lock_owner::{RefLockOwner, lock_path},
    ref_memory::{RefMemory, is_remembered},
};
use crate::model::{
    error::{Error, ErrorKind},
    identity::Identity,
};
use crate::repo::repository::{Repo, git_error};

/// The time to wait for a lock that another program has on the ref.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The author of the commits that tinyci makes itself.
pub(super) const OUR_NAME: &str = "tinyci";
pub(super) const OUR_ADDRESS: &str = "tinyci@localhost";

/// A ref of tinyci in a repository.
pub(in crate::repo) struct AtomicRef<'repo> {
    pub(in crate::repo) repo: &'repo Repo,
    pub(in crate::repo) name: Cow<'static, str>,
    pub(in crate::repo) lock_wait: Duration,
}

/// The result of an edit.
pub(in crate::repo) enum Edit<T> {
    /// The ref does not move.
    Keep(T),
    /// The ref moves to this commit.
    Replace(Oid, T),
}

impl<'repo> AtomicRef<'repo> {
    pub(in crate::repo) fn new(repo: &'repo Repo, name: impl Into<Cow<'static, str>>) -> Self {
        Self { repo, name: name.into(), lock_wait: LOCK_WAIT }
    }

    pub(in crate::repo) fn git(&self) -> &'repo Repository {
        &self.repo.git
    }

    /// Returns the commit that the ref names, or will name after the next run restores or repairs
    /// it.
    ///
    /// Returns `None` if the ref never existed.
    pub(in crate::repo) fn tip(&self) -> Result<Option<Oid>, Error> {
        let value = self.value()?;
        Ok(self.fallback(value)?.or(named(value)))
    }

    fn value(&self) -> Result<RefValue, Error> {
        let value = self.repo.ref_value(&self.name).map_err(|source| self.unreadable(source))?;
        if value == RefValue::Symbolic {
            let message =
                format!("`{}` is a symbolic ref, which tinyci does not follow", self.name);
            let hint = format!("`git symbolic-ref -d {}`", self.name);
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint(hint));
        }
        if value == RefValue::Damaged && !is_remembered(&self.name) {
            let message = format!("cannot read `{}`: its file is damaged", self.name);
            return Err(Error::new(ErrorKind::Git, message).with_hint(remedy(&self.name)));
        }
        Ok(value)
    }

    /// Returns the commit that replaces the value of the ref if the ref is missing or damaged.
    fn fallback(&self, value: RefValue) -> Result<Option<Oid>, Error> {
        match value {
            RefValue::Absent => Ok(self.repo.remembered_tip(&self.name)),
            _ => self.repo.readable_in_place_of(&self.name, value),
        }
    }

    /// Moves the ref to the commit that an edit makes from the current one. Repeats the edit if
    /// another writer was faster.
    ///
    /// # Errors
    ///
    /// Those of the edit; [`Git`](ErrorKind::Git) if the ref cannot be moved, with the path of the
    /// lock file if one exists.
    pub(in crate::repo) fn update<T>(
        &self,
        message: &str,
        edit: impl Fn(Option<Oid>) -> Result<Edit<T>, Error>,
    ) -> Result<T, Error> {
        let mut backoff = Backoff::new(self.lock_wait);
        loop {
            let owner = self.repo.acquire_ref_lock()?;
            let before = self.value()?;
            self.repo.forget_new_objects();
            let (commit, value) = match self.fallback(before)? {
                // Restore the lost ref first, so that the edit continues its history.
                Some(fallback) => (fallback, None),
                None => match edit(named(before))? {
                    Edit::Keep(value) => return Ok(value),
                    Edit::Replace(commit, value) => (commit, Some(value)),
                },
            };
            let swapped = self.swap(&owner, before, commit, message);
            if swapped.is_ok() {
                let is_restored = before == RefValue::Absent && value.is_none();
                self.remember(named(before), commit, is_restored);
            }
            drop(owner);
            match (swapped, value) {
                (Ok(()), Some(value)) => return Ok(value),
                (Ok(()), None) => {}
                (Err(error), _) if is_conflict(&error) && backoff.pause() => {}
                (Err(source), _) => return Err(self.not_moved(source)),
            }
        }
    }

    /// Creates the ref.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if it exists or cannot be written.
    pub(in crate::repo) fn create(&self, commit: Oid, message: &str) -> Result<(), Error> {
        let owner = self.repo.acquire_ref_lock()?;
        let created = self.swap(&owner, RefValue::Absent, commit, message);
        created.map_err(|source| self.not_moved(source))
    }

    /// Remembers what the ref names now, and whether it was just restored. `before` is the commit
    /// that the edit replaced.
    ///
    /// If the memory cannot be written, the old one remains, which is harmless.
    fn remember(&self, before: Option<Oid>, tip: Oid, is_restored: bool) {
        if !is_remembered(&self.name) {
            return;
        }
        let mut memory = RefMemory::read(self.git().commondir());
        // A lost commit that the new tip does not contain remains in the memory.
        let kept = |known| before.is_none_or(|before| self.repo.contains(before, known));
        memory.learn(&self.name, tip, kept);
        if let Some(known) = memory.refs.get_mut(&*self.name) {
            known.is_restored |= is_restored;
        }
        let _ = self.repo.write_memory(&memory);
    }

    /// Writes the objects that the ref needs, then moves the ref if its value is still `from`.
    fn swap(
        &self,
        owner: &RefLockOwner,
        from: RefValue,
        to: Oid,
        message: &str,
    ) -> Result<(), git2::Error> {
        let made = self.repo.store_new_objects(owner, to)?;
        let guard = self.repo.guard_from_prune(made)?;
        self.repo.move_ref(owner, &self.name, (from, to), message)?;
        guard.finish(self.repo)?;
        self.repo.mark_readable(to);
        Ok(())
    }

    /// Removes the ref. Returns false if it did not exist.
    pub(in crate::repo) fn remove(&self, owner: &RefLockOwner) -> Result<bool, Error> {
        let mut backoff = Backoff::new(self.lock_wait);
        loop {
            let before = self.value()?;
            if before == RefValue::Absent {
                return Ok(false);
            }
            match self.repo.remove_ref(owner, &self.name, before) {
                Ok(()) => return Ok(true),
                Err(error) if is_conflict(&error) && backoff.pause() => {}
                Err(source) => return Err(self.not_moved(source)),
            }
        }
    }

    fn not_moved(&self, source: git2::Error) -> Error {
        let (name, seconds) = (&self.name, self.lock_wait.as_secs());
        match source.code() {
            ErrorCode::Locked => {
                let lock = lock_path(self.git().commondir(), name);
                let shown = lock.display();
                let message = format!("`{name}` has been locked for {seconds} s by `{shown}`");
                let hint = format!("if no git process uses this repository, `rm '{shown}'`");
                Error::new(ErrorKind::Git, message).with_hint(hint).with_path(lock)
            }
            ErrorCode::Modified => {
                let message = format!(
                    "cannot move `{name}`: other processes kept moving it for {seconds} s; try \
                     again"
                );
                Error::new(ErrorKind::Git, message)
            }
            _ => git_error(format!("cannot move `{name}`"), source),
        }
    }

    /// Returns an error that this ref cannot be read.
    pub(in crate::repo) fn unreadable(&self, source: git2::Error) -> Error {
        git_error(format!("cannot read `{}`", self.name), source)
    }
}

/// Returns the current time in seconds since 1970.
pub(in crate::repo) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Returns true if a retry can help: the ref was moved, created, deleted or locked meanwhile.
fn is_conflict(error: &git2::Error) -> bool {
    let codes = [ErrorCode::Modified, ErrorCode::Locked, ErrorCode::NotFound, ErrorCode::Exists];
    codes.contains(&error.code())
}

/// Returns the commit that a ref names, if it names one.
pub(in crate::repo) fn named(value: RefValue) -> Option<Oid> {
    match value {
        RefValue::Commit(id) => Some(id),
        RefValue::Absent | RefValue::Symbolic | RefValue::Damaged => None,
    }
}

/// Makes a commit with these parents, without a ref. `time` is in seconds since 1970.
///
/// The author is always tinyci. Many servers have no identity configured, and the commits must not
/// depend on the account that runs the hook.
pub(in crate::repo) fn commit(
    repo: &Repo,
    tree: Oid,
    parents: &[Oid],
    time: i64,
    message: &str,
) -> Result<Oid, git2::Error> {
    let author = Identity { name: OUR_NAME.to_owned(), address: OUR_ADDRESS.to_owned() };
    commit_by(repo, &author, tree, parents, time, message)
}

/// Makes the same commit with another author.
pub(in crate::repo) fn commit_by(
    repo: &Repo,
    author: &Identity,
    tree: Oid,
    parents: &[Oid],
    time: i64,
    message: &str,
) -> Result<Oid, git2::Error> {
    // `Signature` removes characters that would end the line, and refuses empty names.
    let author = Signature::new(&author.name, &author.address, &Time::new(time, 0))?;
    let mut person = author.name_bytes().to_vec();
    person.extend([b" <", author.email_bytes(), b"> "].concat());
    person.extend(format!("{time} +0000").into_bytes());
    let mut text = format!("tree {tree}\n").into_bytes();
    for parent in parents {
        text.extend(format!("parent {parent}\n").into_bytes());
    }
    for role in ["author", "committer"] {
        text.extend([role.as_bytes(), b" ", &person, b"\n"].concat());
    }
    text.extend(format!("\n{message}\n").into_bytes());
    repo.make_object(ObjectType::Commit, &text)
}
