//! [`Repo`]: an open repository.

pub(in crate::repo) use crate::model::stored_names::refs::{BASELINE, RECORDS, VERDICTS};
use crate::model::{
    commit::CommitId,
    error::{Error, ErrorKind},
};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
};

/// Objects that no ref needs yet.
pub(in crate::repo) type NewObjects = BTreeMap<git2::Oid, (git2::ObjectType, Vec<u8>)>;

/// An open repository. `Send`, not `Sync`: every run and every worker opens its own.
pub(crate) struct Repo {
    pub(super) git: git2::Repository,
    pub(super) root: PathBuf,
    pub(super) common_dir: PathBuf,
    pub(super) bare: bool,
    /// What was found out of tips that no ref names: whether all that they need is there.
    pub(super) whole: RefCell<HashMap<git2::Oid, bool>>,
    /// Of states of tinyci's refs, whether they can be read.
    pub(super) readable: RefCell<HashMap<git2::Oid, bool>>,
    /// What was made and not written yet.
    pub(super) new_objects: RefCell<NewObjects>,
}

impl Repo {
    /// The folder that holds `builds/`: a bare repository itself, else the top of the main work
    /// tree, also where a linked work tree was opened. Absolute, without symbolic links.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// What opens this repository again: a linked work tree, which has a HEAD of its own, is not
    /// found through the root.
    pub(crate) fn entrance(&self) -> &Path {
        if self.git.is_worktree() { self.git.path() } else { &self.root }
    }

    /// The git directory that all work trees share. Absolute, without symbolic links.
    pub(crate) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Whether the repository has no main work tree.
    pub(crate) fn is_bare(&self) -> bool {
        self.bare
    }
}

impl fmt::Display for Repo {
    /// The root in back-quotes, as messages show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.root.display())
    }
}

/// The hint for objects that are missing or broken.
pub(in crate::repo) const FSCK: &str = "`git fsck` shows details";

/// git2's error as ours.
pub(super) fn git_error(what: impl Into<String>, source: git2::Error) -> Error {
    Error::new(ErrorKind::Git, what).with_source(source.message().to_owned())
}

/// The same error with git2's reason, without the numbers that it prints behind it. That something
/// was not found the error says already.
pub(super) fn because(error: Error, source: &git2::Error) -> Error {
    match source.code() {
        git2::ErrorCode::NotFound => error,
        _ => error.with_source(source.message().to_owned()),
    }
}

/// An id as git2 has it.
pub(super) fn oid(id: CommitId) -> Result<git2::Oid, Error> {
    git2::Oid::from_bytes(id.as_bytes())
        .map_err(|source| git_error(format!("invalid object id `{id}`"), source))
}

/// The twenty bytes of an id of git2.
pub(super) fn id_bytes(oid: git2::Oid) -> Result<[u8; 20], Error> {
    oid.as_bytes().try_into().map_err(|_| {
        Error::new(
            ErrorKind::Unsupported,
            format!("unsupported object id `{oid}`: it is not SHA-1"),
        )
    })
}

/// An id of git2 as ours.
pub(super) fn commit_id(oid: git2::Oid) -> Result<CommitId, Error> {
    id_bytes(oid).map(CommitId::from_bytes)
}
