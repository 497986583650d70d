//! A ref of tinyci's own, moved by compare-and-swap.
//!
//! Neither `git notes add` nor libgit2's notes compare: of twenty that write at once most are
//! lost. Here the new commit is written first, which disturbs nobody; then the ref is moved if it
//! still names what the commit was made from, else all is done again on top of the newer one. A
//! full disk or a kill leaves at most objects that nothing refers to.

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
use crate::model::error::{Error, ErrorKind};
use crate::repo::{
    objects::shared_write::{share_ref, share_removed, write_object},
    repository::{Repo, git_error},
};

/// How long to wait for a lock that another program holds on the ref.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Who writes what tinyci writes of its own accord.
const OUR_NAME: &str = "tinyci";
const OUR_ADDRESS: &str = "tinyci@localhost";

/// One such ref of a repository.
pub(in crate::repo) struct AtomicRef<'repo> {
    pub(in crate::repo) repo: &'repo Repo,
    pub(in crate::repo) name: Cow<'static, str>,
    pub(in crate::repo) lock_wait: Duration,
}

/// What an edit makes of the commit that it was shown.
pub(in crate::repo) enum Edit<T> {
    /// It may stay.
    Keep(T),
    /// This one is to replace it.
    Replace(Oid, T),
}

impl<'repo> AtomicRef<'repo> {
    pub(in crate::repo) fn new(repo: &'repo Repo, name: impl Into<Cow<'static, str>>) -> Self {
        Self { repo, name: name.into(), lock_wait: LOCK_WAIT }
    }

    pub(in crate::repo) fn git(&self) -> &'repo Repository {
        &self.repo.git
    }

    /// The commit that the ref names, or will name once a run has made it again; none if there never
    /// was such a ref.
    pub(in crate::repo) fn tip(&self) -> Result<Option<Oid>, Error> {
        Ok(self.named()?.or_else(|| self.repo.stand_in(&self.name)))
    }

    /// The commit that the ref names; none where there is no such ref.
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

    /// Moves the ref to the commit that an edit makes of the one it names. The edit is made again
    /// whenever others were faster.
    ///
    /// # Errors
    ///
    /// Those of the edit; [`Git`](ErrorKind::Git) where the ref cannot be moved, with the path of
    /// a lock that stands.
    pub(in crate::repo) fn update<T>(
        &self,
        message: &str,
        edit: impl Fn(Option<Oid>) -> Result<Edit<T>, Error>,
    ) -> Result<T, Error> {
        let mut backoff = Backoff::new(self.lock_wait);
        loop {
            let mut intent = self.repo.intent()?;
            let tip = self.named()?;
            let gone = if tip.is_none() { self.repo.stand_in(&self.name) } else { None };
            let (commit, value) = match gone {
                // What is written now must not begin anew what was there.
                Some(gone) => (gone, None),
                None => match edit(tip)? {
                    Edit::Keep(value) => return Ok(value),
                    Edit::Replace(commit, value) => (commit, Some(value)),
                },
            };
            let swap = || self.swap(tip, commit, message);
            let swapped = intent.announce(&self.name, &commit.to_string(), swap)?;
            if swapped.is_ok() {
                self.remember(tip, commit, gone.is_some());
            }
            drop(intent);
            match (swapped, value) {
                (Ok(()), Some(value)) => return Ok(value),
                (Ok(()), None) => {}
                (Err(error), _) if is_met_by_others(&error) && backoff.pause() => {}
                (Err(source), _) => return Err(self.not_moved(source)),
            }
        }
    }

    /// Keeps in mind what the ref names now, and whether it was missing. `before` is what it was made
    /// from. A memory that cannot be written is an older one, and undoes nothing.
    fn remember(&self, before: Option<Oid>, tip: Oid, is_restored: bool) {
        if !is_remembered(&self.name) {
            return;
        }
        let mut memory = RefMemory::read(self.git().commondir());
        // Only what cannot be made again is begun anew.
        let kept = |known| before.is_none_or(|before| self.repo.contains(before, known));
        memory.learn(&self.name, tip, kept);
        if let Some(known) = memory.refs.get_mut(&*self.name) {
            known.is_restored |= is_restored;
        }
        let _ = self.repo.sharing().map(|sharing| memory.write(self.git().commondir(), sharing));
    }

    /// Moves the ref, if it still names `from`: under its lock, and signed by us. libgit2's own
    /// compare-and-swap would look into the environment for the time zone to sign with, and this
    /// thread must not read what belongs to the host.
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

    /// Removes the ref; says whether it was there.
    pub(in crate::repo) fn remove(&self, intent: &mut RefLockOwner) -> Result<bool, Error> {
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
            match intent.announce(&self.name, &Oid::ZERO_SHA1.to_string(), remove)? {
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

    /// An error that names the ref as what could not be read.
    pub(in crate::repo) fn unreadable(&self, source: git2::Error) -> Error {
        git_error(format!("cannot read `{}`", self.name), source)
    }
}

/// Seconds since 1970.
pub(in crate::repo) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}

/// Whether trying again can help: the ref was moved, created, deleted or locked meanwhile.
fn is_met_by_others(error: &git2::Error) -> bool {
    let codes = [ErrorCode::Modified, ErrorCode::Locked, ErrorCode::NotFound, ErrorCode::Exists];
    codes.contains(&error.code())
}

/// Makes a commit with these parents, which no ref names yet. Its author is always the same: a
/// server often has no identity configured, and what tinyci writes does not depend on whose hook
/// ran it. `time` is in seconds since 1970.
pub(in crate::repo) fn commit(
    git: &Repository,
    tree: Oid,
    parents: &[Oid],
    time: i64,
    message: &str,
) -> Result<Oid, git2::Error> {
    commit_by(git, (OUR_NAME, OUR_ADDRESS), tree, parents, time, message)
}

/// The same by somebody, whose name and address these are.
pub(in crate::repo) fn commit_by(
    git: &Repository,
    (name, address): (&str, &str),
    tree: Oid,
    parents: &[Oid],
    time: i64,
    message: &str,
) -> Result<Oid, git2::Error> {
    let author = Signature::new(name, address, &Time::new(time, 0))?;
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
