//! Exporting a commit: writes its tree to a directory.

use super::{directory::Target, walk::Walk};
use crate::{
    model::{commit::CommitId, error::Error, work_limits::WorkLimits},
    repo::Repo,
    util::sharing::Sharing,
};
use std::path::Path;

/// The options of an export.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ExportOptions {
    /// True to leave out paths with the attribute `export-ignore`, as `git archive` does.
    pub(crate) export_ignore: bool,
    /// The permissions for other accounts.
    pub(crate) sharing: Sharing,
}

/// The result of an export.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Exported {
    /// The number of files and symbolic links.
    pub(crate) files: u64,
    /// The total size of all files in bytes.
    pub(crate) bytes: u64,
    /// Attributes that the export ignored, one sentence each.
    pub(crate) warnings: Vec<String>,
}

/// Writes a commit's tree to `target`, a directory that is empty or does not exist.
///
/// After an error, or if `limits` end the export, the target is as it was before.
///
/// # Errors
///
/// Returns `InvalidArg` if `target` is not empty, and `Git` if an object cannot be read or the tree
/// contains a forbidden name. Returns `Io` if the file system fails, and `Canceled`.
pub(crate) fn export(
    repo: &Repo,
    commit: CommitId,
    target: &Path,
    options: &ExportOptions,
    limits: &WorkLimits,
) -> Result<Exported, Error> {
    let (prepared, directory) = Target::prepare(target, options.sharing)?;
    let walk = Walk::new(repo, commit, target, directory, options, limits);
    walk.and_then(Walk::run).map_err(|error| match prepared.discard() {
        Ok(()) => error,
        Err(left) => Error::new(error.kind(), format!("{}; {}", error.report(), left.report())),
    })
}

#[cfg(test)]
mod tests;
