//! Reads one file of a commit from the object database, so that changes of a build to its export
//! have no effect.

use git2::Oid;

use super::tree::each_entry;
use crate::{
    model::{commit::CommitId, error::Error, script::TreeFile, step::TreeEntry},
    repo::{
        history::walk,
        repository::{Repo, oid},
    },
};

/// The size limit of a file that is read, in bytes.
const SIZE_MAX: usize = 1 << 20;

/// The last entry that a walk along a path found.
enum Place {
    Directory,
    File(Oid),
    Link(Oid),
    Absent,
}

impl Repo {
    /// Returns the file at a path with `/` as separator. Names are compared as they are: `..` is
    /// never a parent.
    pub(crate) fn commit_file(&self, id: CommitId, path: &str) -> Result<TreeFile, Error> {
        match self.walk_path(id, path)? {
            (Place::Link(_), _) => Ok(TreeFile::Link),
            _ => Ok(self.tree_file(id, path)?.map_or(TreeFile::Absent, TreeFile::File)),
        }
    }

    /// Returns the entry at a path of a commit's tree, or the file or link that ends the path
    /// early.
    ///
    /// A submodule is a directory, as it is in an export.
    pub(crate) fn tree_entry(&self, id: CommitId, path: &str) -> Result<TreeEntry, Error> {
        let (place, _) = self.walk_path(id, path)?;
        Ok(match place {
            Place::Directory => TreeEntry::Directory,
            Place::File(_) => TreeEntry::File,
            Place::Absent => TreeEntry::Absent,
            Place::Link(id) => self.blob_up_to(id)?.map_or(TreeEntry::File, |target| {
                TreeEntry::Link(String::from_utf8_lossy(&target).into_owned())
            }),
        })
    }

    /// Returns the paths of all files and links of a commit's tree. Names that are not UTF-8
    /// contain U+FFFD.
    pub(crate) fn tree_files(&self, id: CommitId) -> Result<Vec<String>, Error> {
        let top = walk::find_commit(&self.git, oid(id)?)?.tree_id();
        let (mut files, mut left) = (Vec::new(), vec![(String::new(), top)]);
        while let Some((above, tree)) = left.pop() {
            each_entry(&self.git, tree, |entry| {
                let path = format!("{above}{}", String::from_utf8_lossy(entry.name));
                match () {
                    () if entry.is_tree() => left.push((path + "/", entry.id)),
                    () if entry.is_file() || entry.is_link() => files.push(path),
                    () => {}
                }
                true
            })?;
        }
        Ok(files)
    }

    /// Returns the contents of a regular file of a commit's tree.
    ///
    /// Returns `None` if the path names something else or the file is larger than 1 MiB.
    pub(crate) fn tree_file(&self, id: CommitId, path: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.walk_path(id, path)? {
            (Place::File(id), true) => self.blob_up_to(id),
            _ => Ok(None),
        }
    }

    /// Follows a path through a commit's tree. Returns true if it reached the end of the path.
    fn walk_path(&self, id: CommitId, path: &str) -> Result<(Place, bool), Error> {
        let mut tree = walk::find_commit(&self.git, oid(id)?)?.tree_id();
        let mut names = path.split('/').peekable();
        while let Some(name) = names.next() {
            let (mut found, mut inner) = (Place::Absent, None);
            each_entry(&self.git, tree, |entry| {
                if entry.name != name.as_bytes() {
                    return true;
                }
                found = match entry {
                    it if it.is_link() => Place::Link(it.id),
                    it if it.is_file() => Place::File(it.id),
                    _ => Place::Directory,
                };
                inner = entry.is_tree().then_some(entry.id);
                false
            })?;
            let is_end = names.peek().is_none();
            if is_end || !matches!(found, Place::Directory) {
                return Ok((found, is_end));
            }
            // The files of a submodule are in another repository.
            let Some(inner) = inner else { return Ok((Place::Absent, false)) };
            tree = inner;
        }
        Ok((Place::Directory, true))
    }

    fn blob_up_to(&self, id: Oid) -> Result<Option<Vec<u8>>, Error> {
        let unreadable = |source| self.object_error(&format!("object `{id}`"), source);
        let odb = self.git.odb().map_err(unreadable)?;
        let (size, _) = odb.read_header(id).map_err(unreadable)?;
        if size > SIZE_MAX {
            return Ok(None);
        }
        Ok(Some(odb.read(id).map_err(unreadable)?.data().to_vec()))
    }
}

#[cfg(test)]
mod tests {
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
        let entry = |path: &str| open.tree_entry(id, path).unwrap();
        assert_eq!(entry("ci"), TreeEntry::Directory);
        assert_eq!(entry("link"), TreeEntry::Link("ci".into()));
        assert_eq!((entry("ci/a.rhai"), entry("ci/a.rhai/x")), (TreeEntry::File, TreeEntry::File));
        assert_eq!((entry("ci/b"), entry("../ci")), (TreeEntry::Absent, TreeEntry::Absent));
        as_modules(&|path| open.commit_file(id, path).unwrap());
    }

    fn as_modules(file: &dyn Fn(&str) -> TreeFile) {
        assert_eq!(file("ci/a.rhai"), TreeFile::File(b"fn f() {}".to_vec()));
        for link in ["link/a.rhai", "ci/l.rhai", "link"] {
            assert_eq!(file(link), TreeFile::Link, "{link}");
        }
        for absent in ["ci", "ci/b.rhai", "ci/a.rhai/x", "../ci/a.rhai", "", "/ci", "large"] {
            assert_eq!(file(absent), TreeFile::Absent, "{absent}");
        }
    }
}
