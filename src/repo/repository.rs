//! [`Repo`]: an open repository.

pub(in crate::repo) use crate::model::stored_names::refs::{BASELINE, RECORDS, VERDICTS};
use crate::model::{
    commit::CommitId,
    error::{Error, ErrorKind},
};
use git2::ErrorClass;
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    path::{Path, PathBuf},
};

/// Objects that no ref needs yet.
pub(in crate::repo) type NewObjects = BTreeMap<git2::Oid, (git2::ObjectType, Vec<u8>)>;

/// An open repository. It is `Send` but not `Sync`: every run and every worker opens its own.
pub(crate) struct Repo {
    pub(super) git: git2::Repository,
    pub(super) root: PathBuf,
    pub(super) common_dir: PathBuf,
    pub(super) bare: bool,
    /// The commits without a ref that were checked: true if all objects that they need exist.
    pub(super) complete_tips: RefCell<HashMap<git2::Oid, bool>>,
    /// The commits of tinyci's refs that were checked: true if all their objects can be read.
    pub(super) readable: RefCell<HashMap<git2::Oid, bool>>,
    /// The objects that were made but not written yet.
    pub(super) new_objects: RefCell<NewObjects>,
}

impl Repo {
    /// Returns the directory that contains `builds/`, absolute and without symbolic links.
    ///
    /// This is a bare repository itself, or the root of the main working tree, even if a linked
    /// working tree was opened.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the path that opens this repository again. A linked working tree has its own HEAD,
    /// so the root does not open it.
    pub(crate) fn reopen_path(&self) -> &Path {
        if self.git.is_worktree() { self.git.path() } else { &self.root }
    }

    /// Returns the git directory that all working trees share, absolute and without symbolic links.
    pub(crate) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Returns true if objects may be missing because a remote has them. This is not damage. libgit2
    /// does not fetch them.
    pub(crate) fn is_partial_clone(&self) -> bool {
        !self.promisor_remotes().is_empty()
    }

    /// Returns the remotes that have the objects which this partial clone lacks, in the order in which
    /// git asks them: the remotes with `promisor = true`, then that of the older
    /// `extensions.partialClone`.
    pub(crate) fn promisor_remotes(&self) -> Vec<String> {
        let Ok(mut config) = self.git.config() else { return Vec::new() };
        let Ok(config) = config.snapshot() else { return Vec::new() };
        let mut remotes = Vec::new();
        if let Ok(mut entries) = config.entries(Some(r"^remote\..*\.promisor$")) {
            while let Some(Ok(entry)) = entries.next() {
                let name = entry.name().ok().and_then(|key| {
                    key.strip_prefix("remote.").and_then(|rest| rest.strip_suffix(".promisor"))
                });
                if let Some((key, name)) = entry.name().ok().zip(name)
                    && config.get_bool(key).unwrap_or(false)
                {
                    remotes.push(name.to_owned());
                }
            }
        }
        if let Ok(older) = config.get_string("extensions.partialclone") {
            remotes.retain(|name| *name != older);
            remotes.push(older);
        }
        remotes
    }

    /// An error of libgit2 about an object that this repository should have.
    pub(super) fn object_error(&self, what: &str, source: git2::Error) -> Error {
        match source.code() {
            git2::ErrorCode::NotFound if self.is_partial_clone() => not_fetched(what),
            _ => git_error(format!("{what} is missing or broken"), source),
        }
    }

    /// Whether the repository has no main working tree.
    pub(crate) fn is_bare(&self) -> bool {
        self.bare
    }
}

impl fmt::Display for Repo {
    /// Writes the root in backticks, as messages show it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.root.display())
    }
}

/// The hint for objects that are there and are not what they should be.
pub(in crate::repo) const FSCK: &str = "`git fsck` shows details";

/// The hint for objects that are missing or broken. `git fetch` stops at a damaged loose object, so
/// its file must be removed first.
const REFETCH: &str = "`git fsck` shows what is damaged; remove a damaged loose object, then `git \
                       fetch --refetch` gets it from a clone that has it";

/// The hint for objects that a partial clone lacks.
pub(crate) const REFETCH_ALL: &str = "`git fetch --refetch --no-filter` gets what is missing";

/// Converts an error of git2. The error of an object that could not be read gets a hint.
pub(super) fn git_error(what: impl Into<String>, source: git2::Error) -> Error {
    let error = Error::new(ErrorKind::Git, what).with_source(source.message().to_owned());
    match source.class() {
        ErrorClass::Odb | ErrorClass::Zlib => error.with_hint(REFETCH),
        _ => error,
    }
}

/// The error of an object that a partial clone leaves with its remote. libgit2 does not fetch it.
pub(super) fn not_fetched(what: &str) -> Error {
    let message = format!("{what} is not in this partial clone");
    Error::new(ErrorKind::Git, message).with_hint(REFETCH_ALL)
}

/// Adds git2's message to an error, unless git2 only reports that something was not found.
pub(super) fn because(error: Error, source: &git2::Error) -> Error {
    match source.code() {
        git2::ErrorCode::NotFound => error,
        _ => error.with_source(source.message().to_owned()),
    }
}

/// Converts an id for git2.
pub(super) fn oid(id: CommitId) -> Result<git2::Oid, Error> {
    git2::Oid::from_bytes(id.as_bytes())
        .map_err(|source| git_error(format!("invalid object id `{id}`"), source))
}

/// Returns the 20 bytes of an id of git2.
pub(super) fn id_bytes(oid: git2::Oid) -> Result<[u8; 20], Error> {
    oid.as_bytes().try_into().map_err(|_| {
        Error::new(
            ErrorKind::Unsupported,
            format!("unsupported object id `{oid}`: it is not SHA-1"),
        )
    })
}

/// Converts an id of git2.
pub(super) fn commit_id(oid: git2::Oid) -> Result<CommitId, Error> {
    id_bytes(oid).map(CommitId::from_bytes)
}
