//! A ref of tinyci's own, moved by compare-and-swap.
//!
//! Neither `git notes add` nor libgit2's notes compare: of twenty that write at once most are
//! lost. Here the new commit is written first, which disturbs nobody; then the ref is moved if it
//! still names what the commit was made from, else all is done again on top of the newer one. A
//! full disk or a kill leaves at most objects that nothing refers to. A power cut leaves what the ref
//! named before or what it names now, since everything that it needs is on the disk by then.

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
use crate::model::error::{Error, ErrorKind};
use crate::repo::repository::{Repo, git_error};

/// How long to wait for a lock that another program holds on the ref.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Who writes what tinyci writes of its own accord.
pub(super) const OUR_NAME: &str = "tinyci";
pub(super) const OUR_ADDRESS: &str = "tinyci@localhost";

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

    /// The commit that the ref names, or will name once a run has repaired it; none if there never
    /// was such a ref.
    pub(in crate::repo) fn tip(&self) -> Result<Option<Oid>, Error> {
        let value = self.value()?;
        Ok(self.stand_in(value)?.or(named(value)))
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

    /// The commit that counts in place of what the ref says, if that is gone or damaged.
    fn stand_in(&self, value: RefValue) -> Result<Option<Oid>, Error> {
        match value {
            RefValue::Absent => Ok(self.repo.stand_in(&self.name)),
            _ => self.repo.readable_in_place_of(&self.name, value),
        }
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
            let owner = self.repo.intent()?;
            let before = self.value()?;
            self.repo.forget_new_objects();
            let (commit, value) = match self.stand_in(before)? {
                // What is written now must not begin anew what was there.
                Some(stand_in) => (stand_in, None),
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
                (Err(error), _) if is_met_by_others(&error) && backoff.pause() => {}
                (Err(source), _) => return Err(self.not_moved(source)),
            }
        }
    }

    /// Makes the ref, which must not be there.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where it is, or cannot be written.
    pub(in crate::repo) fn create(&self, commit: Oid, message: &str) -> Result<(), Error> {
        let owner = self.repo.intent()?;
        let created = self.swap(&owner, RefValue::Absent, commit, message);
        created.map_err(|source| self.not_moved(source))
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
        let _ = self.repo.write_memory(&memory);
    }

    /// Writes what the ref needs and moves it, if it still says `from`.
    fn swap(
        &self,
        owner: &RefLockOwner,
        from: RefValue,
        to: Oid,
        message: &str,
    ) -> Result<(), git2::Error> {
        self.repo.store_new_objects(owner, to)?;
        self.repo.move_ref(owner, &self.name, (from, to), message)?;
        self.repo.mark_readable(to);
        Ok(())
    }

    /// Removes the ref; says whether it was there.
    pub(in crate::repo) fn remove(&self, owner: &RefLockOwner) -> Result<bool, Error> {
        let mut backoff = Backoff::new(self.lock_wait);
        loop {
            let before = self.value()?;
            if before == RefValue::Absent {
                return Ok(false);
            }
            match self.repo.remove_ref(owner, &self.name, before) {
                Ok(()) => return Ok(true),
                Err(error) if is_met_by_others(&error) && backoff.pause() => {}
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

/// The commit that a ref names, if it names one.
pub(in crate::repo) fn named(value: RefValue) -> Option<Oid> {
    match value {
        RefValue::Commit(id) => Some(id),
        RefValue::Absent | RefValue::Symbolic | RefValue::Damaged => None,
    }
}

/// Makes a commit with these parents, which no ref names yet. Its author is always the same: a
/// server often has no identity configured, and what tinyci writes does not depend on whose hook
/// ran it. `time` is in seconds since 1970.
pub(in crate::repo) fn commit(
    repo: &Repo,
    tree: Oid,
    parents: &[Oid],
    time: i64,
    message: &str,
) -> Result<Oid, git2::Error> {
    commit_by(repo, (OUR_NAME, OUR_ADDRESS), tree, parents, time, message)
}

/// The same by somebody, whose name and address these are.
pub(in crate::repo) fn commit_by(
    repo: &Repo,
    (name, address): (&str, &str),
    tree: Oid,
    parents: &[Oid],
    time: i64,
    message: &str,
) -> Result<Oid, git2::Error> {
    // It takes out what would end a line, and refuses what is left of nothing.
    let author = Signature::new(name, address, &Time::new(time, 0))?;
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
