//! A ref of tinyci that only moves by compare-and-swap.
//!
//! Neither `git notes add` nor libgit2's notes compare before they write: if 20 processes write at
//! once, most of the notes are lost. tinyci first writes the new commit, which affects no other
//! process. It then moves the ref if the ref still names the commit's base. Otherwise it repeats
//! the edit on top of the new commit. A full disk or a kill leaves at most unreferenced objects.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use git2::{ErrorClass, ErrorCode, ObjectType, Oid, ReferenceType, Repository, Signature, Time};

use super::{
    backoff::Backoff,
    ref_lock_owner::{RefLockOwner, lock_path},
    ref_memory::{RefMemory, is_remembered},
};
use crate::model::{
    error::{Error, ErrorKind},
    identity::Identity,
};
use crate::repo::{
    objects::shared_write::{share_ref, share_removed, write_object},
    repository::{Repo, git_error},
};

/// The time to wait for a lock that another program has on the ref.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// The author of the commits that tinyci makes itself.
const OUR_NAME: &str = "tinyci";
const OUR_ADDRESS: &str = "tinyci@localhost";

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

    /// Returns the commit that the ref names, or will name after the next run restores it.
    ///
    /// Returns `None` if the ref never existed.
    pub(in crate::repo) fn tip(&self) -> Result<Option<Oid>, Error> {
        Ok(self.named()?.or_else(|| self.repo.remembered_tip(&self.name)))
    }

    /// Returns the commit that the ref names, or `None` if it does not exist.
    fn named(&self) -> Result<Option<Oid>, Error> {
        let reference = match self.git().find_reference(&self.name) {
            Ok(reference) => reference,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(source) => return Err(self.unreadable(source)),
        };
        if reference.kind() == Some(ReferenceType::Symbolic) {
            let message =
                format!("`{}` is a symbolic ref, which tinyci does not follow", self.name);
            let hint = format!("`git symbolic-ref -d {}`", self.name);
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint(hint));
        }
        Ok(reference.target())
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
            let mut owner = self.repo.acquire_ref_lock()?;
            let tip = self.named()?;
            let lost_tip = if tip.is_none() { self.repo.remembered_tip(&self.name) } else { None };
            let (commit, value) = match lost_tip {
                // Restore the lost ref first, so that the edit continues its history.
                Some(lost_tip) => (lost_tip, None),
                None => match edit(tip)? {
                    Edit::Keep(value) => return Ok(value),
                    Edit::Replace(commit, value) => (commit, Some(value)),
                },
            };
            let swap = || self.swap(tip, commit, message);
            let swapped = owner.declare(&self.name, &commit.to_string(), swap)?;
            if swapped.is_ok() {
                self.remember(tip, commit, lost_tip.is_some());
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
        let _ = self.repo.sharing().map(|sharing| memory.write(self.git().commondir(), sharing));
    }

    /// Moves the ref under its lock if it still names `from`, and signs the reflog as tinyci. The
    /// compare-and-swap of libgit2 would read the time zone from the environment, which belongs to
    /// the host.
    fn swap(&self, from: Option<Oid>, to: Oid, message: &str) -> Result<(), git2::Error> {
        let mut transaction = self.git().transaction()?;
        transaction.lock_ref(&self.name)?;
        let found = match self.git().refname_to_id(&self.name) {
            Err(error) if error.code() == ErrorCode::NotFound => None,
            found => Some(found?),
        };
        if found != from {
            let message = "another process moved the ref";
            return Err(git2::Error::new(ErrorCode::Modified, ErrorClass::Reference, message));
        }
        let signer = Signature::new(OUR_NAME, OUR_ADDRESS, &Time::new(now(), 0))?;
        transaction.set_target(&self.name, to, Some(&signer), message)?;
        transaction.commit()?;
        share_ref(self.git(), &self.name)
    }

    /// Removes the ref. Returns false if it did not exist.
    pub(in crate::repo) fn remove(&self, owner: &mut RefLockOwner) -> Result<bool, Error> {
        if self.named()?.is_none() {
            return Ok(false);
        }
        let remove = || {
            let mut transaction = self.git().transaction()?;
            transaction.lock_ref(&self.name)?;
            transaction.remove(&self.name)?;
            transaction.commit()?;
            share_removed(self.git())
        };
        let mut backoff = Backoff::new(self.lock_wait);
        loop {
            match owner.declare(&self.name, &Oid::ZERO_SHA1.to_string(), remove)? {
                Ok(()) => return Ok(true),
                Err(error) if error.code() == ErrorCode::Locked && backoff.pause() => {}
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

/// Makes a commit with these parents, without a ref. `time` is in seconds since 1970.
///
/// The author is always tinyci. Many servers have no identity configured, and the commits must not
/// depend on the account that runs the hook.
pub(in crate::repo) fn commit(
    git: &Repository,
    tree: Oid,
    parents: &[Oid],
    time: i64,
    message: &str,
) -> Result<Oid, git2::Error> {
    let author = Identity { name: OUR_NAME.to_owned(), address: OUR_ADDRESS.to_owned() };
    commit_by(git, &author, tree, parents, time, message)
}

/// Makes the same commit with another author.
pub(in crate::repo) fn commit_by(
    git: &Repository,
    author: &Identity,
    tree: Oid,
    parents: &[Oid],
    time: i64,
    message: &str,
) -> Result<Oid, git2::Error> {
    let author = Signature::new(&author.name, &author.address, &Time::new(time, 0))?;
    // Written as text, since a parent may be a commit of others that libgit2 does not read.
    let mut text = format!("tree {tree}\n").into_bytes();
    text.extend(parents.iter().flat_map(|id| format!("parent {id}\n").into_bytes()));
    for field in ["author ", "committer "] {
        let time = format!("> {time} +0000\n");
        text.extend([field.as_bytes(), author.name_bytes(), b" <", author.email_bytes()].concat());
        text.extend(time.into_bytes());
    }
    text.extend(format!("\n{message}\n").into_bytes());
    write_object(git, ObjectType::Commit, &text)
}
