//! A commit's tree, written to a directory.

use super::{folder::Target, walk::Walk};
use crate::{
    model::{commit::CommitId, error::Error, work_limits::WorkLimits},
    repo::Repo,
    util::sharing::Sharing,
};
use std::path::Path;

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
/// After an error, or if `limits` end it, the target is as it was before.
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
    limits: &WorkLimits,
) -> Result<Exported, Error> {
    let (prepared, folder) = Target::prepare(target, options.sharing)?;
    let walk = Walk::new(repo, commit, (target, folder), options, limits);
    walk.and_then(Walk::run).map_err(|error| match prepared.discard() {
        Ok(()) => error,
        Err(left) => Error::new(error.kind(), format!("{}; {}", error.report(), left.report())),
    })
}

#[cfg(test)]
mod tests;
