//! The repository: the only room that knows git2. No type of git2 leaves it.
//!
//! Absent here: child processes, build folders, network. Everything is read through one handle
//! that belongs to one thread at a time; nothing process-wide of libgit2 is ever set.

mod approvals;
mod attributes;
mod backoff;
mod baseline;
mod branch;
mod branches;
mod changes;
mod deploys;
mod description;
mod empty_section;
mod exchange;
mod forget;
mod git_config;
mod head;
mod history;
mod intent;
mod judged;
mod noted;
mod notes;
mod notes_tree;
mod objects;
mod open;
mod own_ref;
mod pipeline_file;
mod process_wide;
mod reach;
mod recent;
mod records;
mod ref_memory;
mod refs;
mod refspecs;
mod restore;
mod revision;
mod scan;
mod settings;
mod settings_list;
mod shared_write;
mod tips;
mod tracked;
mod tree;
mod tree_file;
mod verdicts;

use std::{
    cell::RefCell,
    collections::HashMap,
    fmt,
    path::{Path, PathBuf},
};

#[cfg(feature = "rhai")]
pub(crate) use self::tree_file::CommitFile;
pub(crate) use self::{
    approvals::{CommitSignature, Signers, StoredApproval},
    attributes::{AutoCrlf, Conversions},
    branches::Branch,
    deploys::DeployHistory,
    description::{CommitText, Decoration},
    exchange::{Said, word_that_holds},
    objects::{Objects, TreeEntry},
    records::Line,
    refs::Reachable,
    refspecs::TakingRefspec,
    scan::{DueCommit, ScanRequest},
    settings::{Given, Settings},
    verdicts::{Replace, Written},
};
pub use self::{exchange::MergedResults, forget::Forgotten, process_wide::tune_process};
use crate::{
    commit::CommitId,
    error::{Error, ErrorKind},
};

/// The notes ref that holds one word a commit: its verdict. The ancestor kept it there too, and its
/// users' scripts read it.
pub(crate) const VERDICTS: &str = "refs/notes/tinyci-result";

/// The notes ref that holds the records: a line of JSON for each attempt.
pub(crate) const RECORDS: &str = "refs/notes/runs/tinyci";

/// The ref of the history that is not run.
pub(crate) const BASELINE: &str = "refs/tinyci/baseline";

/// An open repository. `Send`, not `Sync`: every run and every worker opens its own.
pub(crate) struct Repo {
    git: git2::Repository,
    root: PathBuf,
    common_dir: PathBuf,
    bare: bool,
    /// What was found out of tips that no ref names: whether all that they need is there.
    whole: RefCell<HashMap<git2::Oid, bool>>,
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

/// git2's error as ours.
fn git_error(what: impl Into<String>, source: git2::Error) -> Error {
    Error::new(ErrorKind::Git, what).with_source(source.message().to_owned())
}

/// The same error with git2's reason, without the numbers that it prints behind it. That something
/// was not found the error says already.
fn because(error: Error, source: &git2::Error) -> Error {
    match source.code() {
        git2::ErrorCode::NotFound => error,
        _ => error.with_source(source.message().to_owned()),
    }
}

/// An id as git2 has it.
fn oid(id: CommitId) -> Result<git2::Oid, Error> {
    git2::Oid::from_bytes(id.as_bytes())
        .map_err(|source| git_error(format!("`{id}` is no id that git knows"), source))
}

/// The twenty bytes of an id of git2.
fn id_bytes(oid: git2::Oid) -> Result<[u8; 20], Error> {
    oid.as_bytes().try_into().map_err(|_| {
        Error::new(ErrorKind::Unsupported, format!("`{oid}` is not a SHA-1 id of twenty bytes"))
    })
}

/// An id of git2 as ours.
fn commit_id(oid: git2::Oid) -> Result<CommitId, Error> {
    id_bytes(oid).map(CommitId::from_bytes)
}
