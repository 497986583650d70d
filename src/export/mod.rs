//! A commit's tree as a folder, equal to `git archive <commit> | tar -x`.
//!
//! | file | holds |
//! |---|---|
//! | `walk` | the walk down the tree, which writes as it goes |
//! | `entry` | which names and modes may be written |
//! | `folder` | one open folder, and taking back what was written |
//! | `attributes` | which attributes a path has |
//! | `conversion` | line ends, `ident`; `encoding` has the encodings |
//! | `placeholder` | what `export-subst` fills in |
//! | `warning` | what is left undone, said once |
//!
//! Absent on purpose: the machine's own attributes, external filters, and `export-ignore`, which
//! hides the tests of many a project and is heeded only on request. Nothing in a tree is ever
//! followed, and no path is resolved below the target.

mod attributes;
mod conversion;
mod encoding;
mod entry;
mod folder;
mod placeholder;
mod walk;
mod warning;

use std::path::Path;

use self::{folder::Target, walk::Walk};
use crate::{cancel::CancelView, commit::CommitId, error::Error, repo::Repo, sharing::Sharing};

/// How an export is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExportOptions {
    /// Leaves out what has the attribute `export-ignore`, as an archive does.
    pub(crate) honour_export_ignore: bool,
    /// Which other accounts may use it, and take it away.
    pub(crate) sharing: Sharing,
}

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exported {
    /// The number of files and links.
    pub(crate) files: u64,
    /// The length of all files together.
    pub(crate) bytes: u64,
    /// What attributes ask for and was not done, one sentence each.
    pub(crate) warnings: Vec<String>,
}

/// Writes a commit's tree to `target`, a folder that is empty or does not exist yet.
///
/// After an error or a cancel the target is as it was before.
///
/// # Errors
///
/// `InvalidArg` if something is at `target`; `Git` if an object cannot be read or the tree holds
/// what must not be written; `Io` if the file system refuses; `Canceled`.
pub(crate) fn export(
    repo: &Repo,
    commit: CommitId,
    target: &Path,
    options: &ExportOptions,
    cancel: &CancelView,
) -> Result<Exported, Error> {
    let (prepared, folder) = Target::prepare(target, options.sharing)?;
    let walk = Walk::new(repo, commit, (target, folder), options, cancel);
    walk.and_then(Walk::run).map_err(|error| match prepared.discard() {
        Ok(()) => error,
        Err(left) => Error::new(error.kind(), format!("{}; {}", error.report(), left.report())),
    })
}

#[cfg(test)]
mod tests;
