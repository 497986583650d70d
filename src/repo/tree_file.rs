//! One file of a commit, read from the object database: what a build does to its export cannot
//! change it.

use git2::Oid;

use super::{Repo, git_error, history, oid, tree::each_entry};
use crate::{commit::CommitId, error::Error};

/// The most bytes that are read.
const SIZE_MAX: usize = 1 << 20;

/// What a path of a commit's tree leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CommitFile {
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link, at the end of the path or on the way.
    Link,
    /// Nothing, or nothing that can be read as a file: a folder, a submodule, more than 1 MiB.
    Absent,
}

impl Repo {
    /// The file at a path whose names are separated by `/`. Nothing is resolved: a name is what
    /// stands in the tree, so that `..` is nowhere.
    pub(crate) fn commit_file(&self, id: CommitId, path: &str) -> Result<CommitFile, Error> {
        let mut tree = history::find_commit(&self.git, oid(id)?)?.tree_id();
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            let mut found = None;
            each_entry(&self.git, tree, |entry| {
                if entry.name == name.as_bytes() {
                    found = Some((entry.id, entry.is_file(), entry.is_tree(), entry.is_link()));
                }
                found.is_none()
            })?;
            match (found, names.peek().is_some()) {
                (Some((.., true)), _) => return Ok(CommitFile::Link),
                (Some((id, _, true, _)), true) => tree = id,
                (Some((id, true, ..)), false) => return self.blob_up_to(id),
                _ => return Ok(CommitFile::Absent),
            }
        }
        Ok(CommitFile::Absent)
    }

    fn blob_up_to(&self, id: Oid) -> Result<CommitFile, Error> {
        let unreadable = |source| git_error(format!("object `{id}` is missing or broken"), source);
        let odb = self.git.odb().map_err(unreadable)?;
        let (size, _) = odb.read_header(id).map_err(unreadable)?;
        if size > SIZE_MAX {
            return Ok(CommitFile::Absent);
        }
        Ok(CommitFile::File(odb.read(id).map_err(unreadable)?.data().to_vec()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn a_path_leads_to_a_file_a_link_or_nothing() {
        let repo = TestRepo::new();
        repo.write("ci/a.rhai", "fn f() {}");
        repo.write("large", "x".repeat(SIZE_MAX + 1));
        std::os::unix::fs::symlink("ci", repo.path().join("link")).unwrap();
        std::os::unix::fs::symlink("ci/a.rhai", repo.path().join("ci/l.rhai")).unwrap();
        let id = repo.commit("files").parse().unwrap();
        let open = Repo::open(repo.path()).unwrap();
        let file = |path: &str| open.commit_file(id, path).unwrap();
        assert_eq!(file("ci/a.rhai"), CommitFile::File(b"fn f() {}".to_vec()));
        for link in ["link/a.rhai", "ci/l.rhai", "link"] {
            assert_eq!(file(link), CommitFile::Link, "{link}");
        }
        for absent in ["ci", "ci/b.rhai", "ci/a.rhai/x", "../ci/a.rhai", "", "/ci", "large"] {
            assert_eq!(file(absent), CommitFile::Absent, "{absent}");
        }
    }
}
