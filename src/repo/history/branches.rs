//! Lists branches and compares their tips.

use crate::model::{
    commit::{CommitId, GitString},
    error::Error,
};
use crate::repo::{
    history::walk,
    repository::{Repo, commit_id, oid},
};

const BRANCHES: &[u8] = b"refs/heads/";

/// A branch and the commit that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Branch {
    /// The name without `refs/heads/`.
    pub(crate) name: GitString,
    pub(crate) tip: CommitId,
    /// True if HEAD names this branch.
    pub(crate) is_head: bool,
}

impl Repo {
    /// Returns all branches that have a commit: HEAD's branch first, the others by name.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the refs cannot be read.
    pub(crate) fn branch_list(&self) -> Result<Vec<Branch>, Error> {
        let head = self.head_branch()?;
        let tips = self.selected(&["refs/heads/*".to_owned()])?.into_iter();
        let mut branches = Vec::new();
        for (full, tip) in tips {
            let is_head = head.as_deref() == Some(&full[..]);
            let name = GitString::new(full.strip_prefix(BRANCHES).unwrap_or(&full));
            branches.push(Branch { name, tip: commit_id(tip)?, is_head });
        }
        branches.sort_by_key(|branch| !branch.is_head);
        Ok(branches)
    }

    /// Returns true if `id` is `tip` or one of its ancestors.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if one of them cannot be read.
    pub(crate) fn reaches(&self, tip: CommitId, id: CommitId) -> Result<bool, Error> {
        walk::reaches(&self.git, oid(tip)?, oid(id)?)
    }
}
