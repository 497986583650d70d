//! Reads raw trees and blobs from the object database, for the export.
//!
//! tinyci parses trees itself. libgit2 rejects some trees that git exports, and accepts others that
//! must never reach a file system. The export checks the names; this file does not.

use std::io;

use super::{
    alternates::object_dirs,
    loose::LooseObjects,
    tree::{self, Entry},
};
use crate::model::{
    commit::{CommitId, TreeId},
    error::Error,
};
use crate::repo::{
    history::walk,
    repository::{Repo, git_error, id_bytes, not_fetched, oid},
};

/// One entry of a tree, not checked: any mode, any name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TreeEntry {
    /// The mode as written, such as `0o100644`.
    pub(crate) mode: u32,
    /// The name: any bytes except NUL, possibly with slashes.
    pub(crate) name: Vec<u8>,
    /// The id of the object.
    pub(crate) id: [u8; 20],
}

/// The object database of a repository, opened once for many reads.
pub(crate) struct Objects<'repo> {
    odb: git2::Odb<'repo>,
    loose: LooseObjects,
    is_partial: bool,
}

/// The contents of a blob, in memory.
pub(crate) struct Blob<'odb>(git2::OdbObject<'odb>);

impl Blob<'_> {
    /// Returns the contents.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.0.data()
    }
}

impl Repo {
    /// Opens the object database.
    pub(crate) fn objects(&self) -> Result<Objects<'_>, Error> {
        let odb = self.git.odb();
        let odb = odb.map_err(|source| git_error("cannot open the object database", source))?;
        let loose = LooseObjects::new(object_dirs(self.common_dir()));
        Ok(Objects { odb, loose, is_partial: self.is_partial_clone() })
    }

    /// Returns the tree of a commit.
    pub(crate) fn commit_tree(&self, id: CommitId) -> Result<TreeId, Error> {
        let commit = walk::find_commit(&self.git, oid(id)?)?;
        Ok(TreeId::from_bytes(id_bytes(commit.tree_id())?))
    }
}

impl Objects<'_> {
    /// Returns the entries of a tree, in the order in which they are stored.
    pub(crate) fn tree(&self, id: TreeId) -> Result<Vec<TreeEntry>, Error> {
        let object = self.read(id.as_bytes(), git2::ObjectType::Tree)?;
        parse_tree(object.data())
            .ok_or_else(|| tree::wrong(&object, format!("tree {id} is malformed")))
    }

    /// Returns the contents of a blob.
    pub(crate) fn blob(&self, id: [u8; 20]) -> Result<Blob<'_>, Error> {
        self.read(&id, git2::ObjectType::Blob).map(Blob)
    }

    /// A loose blob of at least this many bytes, read piece by piece, and its size. libgit2 gives
    /// packed ones only whole.
    pub(crate) fn large_blob(&self, id: [u8; 20], bytes_min: u64) -> Option<(impl io::Read, u64)> {
        let object = self.loose.open(&id).ok()??;
        let size = object.size;
        (object.kind == git2::ObjectType::Blob && size >= bytes_min).then_some((object, size))
    }

    fn read(&self, id: &[u8; 20], kind: git2::ObjectType) -> Result<git2::OdbObject<'_>, Error> {
        let object = git2::Oid::from_bytes(id).and_then(|oid| self.odb.read(oid));
        let object = object.map_err(|source| self.unreadable(id, source))?;
        if object.kind() == kind {
            return Ok(object);
        }
        let message = format!("object {} is a {}, not a {kind}", object.id(), object.kind());
        Err(tree::wrong(&object, message))
    }

    fn unreadable(&self, id: &[u8; 20], source: git2::Error) -> Error {
        let id = TreeId::from_bytes(*id);
        if source.code() == git2::ErrorCode::NotFound {
            return match self.is_partial {
                true => not_fetched(&format!("object {id}")),
                false => git_error(format!("object {id} is missing"), source),
            };
        }
        git_error(format!("cannot read object {id}"), source)
    }
}

/// Parses the bytes of a tree, or returns `None` if they are invalid.
fn parse_tree(bytes: &[u8]) -> Option<Vec<TreeEntry>> {
    let owned = |entry: Entry<'_>| {
        let id = id_bytes(entry.id).ok()?;
        Some(TreeEntry { mode: entry.mode, name: entry.name.to_vec(), id })
    };
    tree::entries(bytes).map(|entry| entry.and_then(owned)).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;
    use crate::{model::error::ErrorKind, testing::TestRepo};

    fn id(text: &str) -> [u8; 20] {
        *text.parse::<TreeId>().unwrap().as_bytes()
    }

    #[test]
    fn a_tree_is_read_as_it_is_stored() {
        let test = TestRepo::new();
        test.write("b", "bee");
        test.write("a/c", "sea");
        let commit = test.commit("two");
        let repo = Repo::open(test.path()).unwrap();
        let tree = repo.commit_tree(commit.parse().unwrap()).unwrap();
        let entries = repo.objects().unwrap().tree(tree).unwrap();
        let listing: String = entries
            .iter()
            .map(|entry| {
                let name = String::from_utf8_lossy(&entry.name);
                format!("{:06o} {} {name}\n", entry.mode, TreeId::from_bytes(entry.id))
            })
            .collect();
        let format = "--format=%(objectmode) %(objectname) %(path)";
        assert_eq!(listing.trim_end(), test.git(&["ls-tree", format, "HEAD"]));
    }

    #[test]
    fn a_blob_is_read_whole_and_in_pieces() {
        let test = TestRepo::new();
        test.write("a", "some text");
        test.commit("one");
        let blob = id(&test.git(&["rev-parse", "HEAD:a"]));
        let repo = Repo::open(test.path()).unwrap();
        let objects = repo.objects().unwrap();
        assert_eq!(objects.blob(blob).unwrap().bytes(), b"some text");
        let (mut reader, size) = objects.large_blob(blob, 9).unwrap();
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        assert_eq!((text.as_str(), size), ("some text", 9));
        assert!(objects.large_blob(blob, 10).is_none());

        test.git(&["gc", "-q"]);
        let repo = Repo::open(test.path()).unwrap();
        let objects = repo.objects().unwrap();
        assert!(objects.large_blob(blob, 9).is_none());
        assert_eq!(objects.blob(blob).unwrap().bytes(), b"some text");
    }

    #[test]
    fn what_is_missing_or_of_another_kind_is_named() {
        let test = TestRepo::new();
        test.write("a", "some text");
        test.commit("one");
        let tree = test.git(&["rev-parse", "HEAD^{tree}"]);
        let repo = Repo::open(test.path()).unwrap();
        let objects = repo.objects().unwrap();
        let error = objects.blob(id(&tree)).err().unwrap();
        assert_eq!(error.message(), format!("object {tree} is a tree, not a blob"));
        let error = objects.blob([7; 20]).err().unwrap();
        assert_eq!(error.message(), format!("object {} is missing", "07".repeat(20)));
        assert_eq!(error.kind(), ErrorKind::Git);
    }

    #[test]
    fn a_malformed_tree_is_refused() {
        let whole = [b"100644 a\0".as_slice(), &[1; 20]].concat();
        assert_eq!(parse_tree(&whole).unwrap().len(), 1);
        assert_eq!(parse_tree(b"").unwrap(), []);
        for cut in 1..whole.len() {
            assert_eq!(parse_tree(&whole[..cut]), None, "cut at {cut}");
        }
    }
}
