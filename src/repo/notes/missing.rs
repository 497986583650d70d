//! Finds the notes that a partial clone has not fetched. git fetches such objects when it reads them,
//! but libgit2 does not.

use std::collections::HashSet;

use git2::Oid;

use crate::model::{error::Error, stored_names::refs::FETCHED_NOTES};
use crate::repo::{
    objects::{commit::stored, tree::each_entry},
    repository::{RECORDS, Repo, VERDICTS, git_error},
};

/// The missing notes, and the remotes that may have them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct MissingNotes {
    pub(crate) remotes: Vec<String>,
    /// The ids of blobs.
    pub(crate) blobs: Vec<String>,
}

impl Repo {
    /// Returns the verdicts and records that this partial clone has not fetched. Returns `None` in
    /// other repositories.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the refs or trees of the notes cannot be read.
    pub(crate) fn missing_notes(&self) -> Result<Option<MissingNotes>, Error> {
        let remotes = self.promisor_remotes();
        if remotes.is_empty() {
            return Ok(None);
        }
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let odb = self.git.odb().map_err(unlisted)?;
        let (mut met, mut left, mut blobs) = (HashSet::new(), Vec::new(), Vec::new());
        for glob in [VERDICTS, RECORDS, &format!("{FETCHED_NOTES}*")] {
            for reference in self.git.references_glob(glob).map_err(unlisted)? {
                let tip = reference.map_err(unlisted)?.target();
                let commit = tip.and_then(|tip| stored(&self.git, tip).ok());
                left.extend(commit.map(|commit| commit.tree_id()));
            }
        }
        while let Some(tree) = left.pop() {
            each_entry(&self.git, tree, |entry| {
                match () {
                    () if !met.insert(entry.id) => {}
                    () if entry.is_tree() => left.push(entry.id),
                    () if !odb.exists(entry.id) => blobs.push(entry.id),
                    () => {}
                }
                true
            })?;
        }
        let blobs: Vec<String> = blobs.iter().map(Oid::to_string).collect();
        Ok((!blobs.is_empty()).then_some(MissingNotes { remotes, blobs }))
    }
}
