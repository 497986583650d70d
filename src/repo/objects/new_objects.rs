//! Makes objects: keeps them in memory until a ref needs them, then writes them together, flushes them
//! together, and renames them last.
//!
//! libgit2 renames the file of an object before its contents are on the disk. After a power failure,
//! the file can be empty. libgit2 takes it for the object, so the same verdict could never be written
//! again. tinyci therefore compares an existing object with its contents, and replaces it if it is
//! damaged.

use std::{
    collections::{BTreeSet, HashSet},
    fs::{self, File},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    time::SystemTime,
};

use flate2::{Compression, read::ZlibDecoder, write::ZlibEncoder};
use git2::{ErrorClass, ErrorCode, ObjectType, OdbLookupFlags, Oid};

use super::tree;
use crate::model::error::Error;
use crate::repo::{
    history::walk,
    refs::ref_lock_owner::{RefLockOwner, UNFINISHED},
    repository::{NewObjects, Repo},
};
use crate::util::{flush::Flush, sharing::Sharing, state_file};

/// The number of files that are flushed together. Each is open until then.
const OPEN_FILES: usize = 64;

/// The number of times to create a directory that git removes again.
const DIR_ATTEMPTS: u32 = 16;

/// The mode of an object file. Objects never change.
const MODE: u32 = 0o444;

impl Repo {
    /// Makes an object. tinyci writes it when a ref moves to a commit that needs it.
    pub(in crate::repo) fn make_object(
        &self,
        kind: ObjectType,
        data: &[u8],
    ) -> Result<Oid, git2::Error> {
        let id = Oid::hash_object(kind, data)?;
        self.new_objects.borrow_mut().insert(id, (kind, data.to_vec()));
        Ok(id)
    }

    /// Makes the empty tree.
    pub(in crate::repo) fn empty_tree(&self) -> Result<Oid, git2::Error> {
        self.make_object(ObjectType::Tree, b"")
    }

    /// Returns the contents of an object that was made but not written yet.
    pub(in crate::repo) fn new_object(&self, id: Oid) -> Option<(ObjectType, Vec<u8>)> {
        self.new_objects.borrow().get(&id).cloned()
    }

    /// Drops all objects that were made but not written yet.
    pub(in crate::repo) fn forget_new_objects(&self) {
        self.new_objects.borrow_mut().clear();
    }

    /// Drops the objects that were made but not written yet, except those that this object needs.
    pub(in crate::repo) fn forget_all_but(&self, root: Oid) {
        let mut made = self.new_objects.borrow_mut();
        let mut needed = NewObjects::new();
        let mut left = vec![root];
        while let Some(id) = left.pop() {
            let Some(object) = made.remove(&id) else { continue };
            left.extend(needed_by(&object));
            needed.insert(id, object);
        }
        *made = needed;
    }

    /// Writes the new objects that this commit needs, and flushes them by `core.fsync`. Returns them.
    ///
    /// # Errors
    ///
    /// Those of the system, with the path.
    pub(in crate::repo) fn store_new_objects(
        &self,
        owner: &RefLockOwner,
        commit: Oid,
    ) -> Result<NewObjects, git2::Error> {
        self.forget_all_but(commit);
        let made = self.new_objects.take();
        if made.is_empty() {
            return Ok(made);
        }
        let (sharing, flush) = (super::shared_write::sharing(&self.git)?, self.flush()?);
        let writer = Writer { repo: self, dir: self.objects_dir(), sharing, flush };
        owner.writing_objects(|| writer.store(&made))?;
        Ok(made)
    }

    /// Flushes objects that git wrote, before a ref of tinyci needs them: the commits that `fetched`
    /// contains and `known` does not, with their trees. By default, git flushes packs but not loose
    /// objects.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if a commit cannot be read, and those of the system.
    pub(in crate::repo) fn flush_fetched(
        &self,
        known: Option<Oid>,
        fetched: Oid,
    ) -> Result<(), Error> {
        let (flush, dir) = (self.flush_rule()?, self.objects_dir());
        let known: Vec<Oid> = known.into_iter().collect();
        let nodes = walk::between(&self.git, &[fetched], &known)?;
        let mut left: Vec<Oid> = nodes.iter().flat_map(|node| [node.id, node.tree]).collect();
        let mut seen = HashSet::new();
        while let Some(id) = left.pop() {
            let path = loose_path(&dir, id);
            let Some(file) = seen.insert(id).then(|| state_file::open(&path).ok()).flatten() else {
                continue;
            };
            let failed = |source| Error::io("flush", &path, source);
            flush.objects(&[file]).map_err(failed)?;
            flush.object_dirs(&[&dir]).map_err(|(_, source)| failed(source))?;
            if let Ok(tree) = self.git.find_tree(id) {
                left.extend(tree.iter().map(|entry| entry.id()));
            }
        }
        Ok(())
    }

    fn objects_dir(&self) -> PathBuf {
        self.git.commondir().join("objects")
    }
}

/// Returns the objects that this one names: the entries of a tree, or the tree and parents of a commit.
fn needed_by((kind, data): &(ObjectType, Vec<u8>)) -> Vec<Oid> {
    let id = |text: &[u8]| std::str::from_utf8(text).ok()?.parse().ok();
    match kind {
        ObjectType::Tree => tree::entries(data).flatten().map(|entry| entry.id).collect(),
        ObjectType::Commit => {
            let lines = data.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
            let named = |line: &[u8]| {
                id(line.strip_prefix(b"tree ").or_else(|| line.strip_prefix(b"parent "))?)
            };
            lines.filter_map(named).collect()
        }
        _ => Vec::new(),
    }
}

/// Returns the path of an object's own file.
pub(super) fn loose_path(dir: &Path, id: Oid) -> PathBuf {
    let id = id.to_string();
    let (fan_out, name) = id.split_at(2);
    dir.join(fan_out).join(name)
}

struct Writer<'repo> {
    repo: &'repo Repo,
    dir: PathBuf,
    sharing: Sharing,
    flush: Flush,
}

impl Writer<'_> {
    fn store(&self, made: &NewObjects) -> Result<(), git2::Error> {
        let mut names = Vec::new();
        let made: Vec<_> = made.iter().collect();
        for batch in made.chunks(OPEN_FILES) {
            let mut files = Vec::new();
            for (id, (kind, data)) in batch {
                let path = loose_path(&self.dir, **id);
                let failed = |error: io::Error| unwritten(&path, &error);
                if let Some(file) = self.intact(&path, *kind, data) {
                    files.push(file);
                } else if path.exists() || !self.is_packed(**id, *kind, data) {
                    let unfinished = self.dir.join(format!("{UNFINISHED}{}", names.len()));
                    files.push(write(&unfinished, *kind, data).map_err(failed)?);
                    names.push((unfinished, path));
                } else {
                    self.repo.renew_object(**id);
                }
            }
            self.flush.objects(&files).map_err(|error| unwritten(&self.dir, &error))?;
        }
        self.rename(&names)
    }

    /// Renames the written files to the names of their objects.
    fn rename(&self, names: &[(PathBuf, PathBuf)]) -> Result<(), git2::Error> {
        let mut dirs = BTreeSet::new();
        for (unfinished, path) in names {
            let failed = |error: io::Error| unwritten(path, &error);
            let dir = path.parent().unwrap_or(path);
            self.sharing.adjust(unfinished).map_err(failed)?;
            if self.rename_below(dir, unfinished, path).map_err(failed)? {
                dirs.insert(self.dir.as_path());
            }
            dirs.insert(dir);
        }
        // git may have packed the objects meanwhile, and removed an empty directory.
        let dirs: Vec<&Path> = dirs.into_iter().collect();
        self.flush.object_dirs(&dirs).map_err(|(dir, error)| unwritten(dir, &error))
    }

    /// Renames a file into a directory that may not exist. Returns true if it created the directory.
    ///
    /// `git gc` removes empty directories at any time, also between the two steps.
    fn rename_below(&self, dir: &Path, unfinished: &Path, path: &Path) -> io::Result<bool> {
        let mut is_new = false;
        for _ in 0..DIR_ATTEMPTS {
            if !dir.is_dir() {
                self.sharing.create_dir_all(dir)?;
                is_new = true;
            }
            match fs::rename(unfinished, path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && unfinished.exists() => {}
                renamed => return renamed.map(|()| is_new),
            }
        }
        fs::rename(unfinished, path).map(|()| is_new)
    }

    /// Returns true if a pack or an alternate repository contains the object, undamaged. Does not look
    /// for new packs.
    fn is_packed(&self, id: Oid, kind: ObjectType, data: &[u8]) -> bool {
        let Ok(odb) = self.repo.git.odb() else { return false };
        let is_intact =
            || odb.read(id).is_ok_and(|object| object.kind() == kind && object.data() == data);
        odb.exists_ext(id, OdbLookupFlags::NO_REFRESH) && is_intact()
    }

    /// Opens the file of an object if it exists and is not damaged. The file may not be flushed yet.
    fn intact(&self, path: &Path, kind: ObjectType, data: &[u8]) -> Option<File> {
        let file = state_file::open(path).ok()?;
        let expected = [header(kind, data).as_bytes(), data].concat();
        let mut found = Vec::with_capacity(expected.len() + 1);
        let most = u64::try_from(expected.len()).unwrap_or(u64::MAX).saturating_add(1);
        ZlibDecoder::new(&file).take(most).read_to_end(&mut found).ok()?;
        // git keeps recent objects. An error here is not a reason to fail.
        let _ = file.set_modified(SystemTime::now());
        (found == expected).then_some(file)
    }
}

/// Writes an object under a temporary name.
fn write(path: &Path, kind: ObjectType, data: &[u8]) -> io::Result<File> {
    let create = || File::options().write(true).create_new(true).mode(MODE).open(path);
    let file = match create() {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(path).and_then(|()| create())
        }
        file => file,
    };
    let mut encoder = ZlibEncoder::new(file?, Compression::fast());
    encoder.write_all(header(kind, data).as_bytes())?;
    encoder.write_all(data)?;
    encoder.finish()
}

/// Returns the header that git writes before the contents.
fn header(kind: ObjectType, data: &[u8]) -> String {
    format!("{} {}\0", kind.str(), data.len())
}

fn unwritten(path: &Path, error: &io::Error) -> git2::Error {
    let message = format!("cannot write `{}`: {error}", path.display());
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Os, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::outcome::Verdict, repo::notes::verdicts::Replace, testing::TestRepo};

    fn stored(repo: &Repo, kind: ObjectType, data: &[u8]) -> Oid {
        let id = repo.make_object(kind, data).unwrap();
        repo.store_new_objects(&repo.acquire_ref_lock().unwrap(), id).unwrap();
        id
    }

    #[test]
    fn git_reads_every_kind_of_object() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        for data in [&b""[..], b"success\n", &[0; 100_000]] {
            let id = stored(&repo, ObjectType::Blob, data).to_string();
            assert_eq!(test.git(&["cat-file", "-t", &id]), "blob");
            assert_eq!(test.git(&["cat-file", "-s", &id]), data.len().to_string());
        }
        let tree = stored(&repo, ObjectType::Tree, b"").to_string();
        assert_eq!(test.git(&["cat-file", "-t", &tree]), "tree");
        test.git(&["fsck", "--strict"]);
        let left = fs::read_dir(test.path().join("objects")).unwrap().flatten();
        let left: Vec<_> = left.map(|it| it.file_name().into_string().unwrap()).collect();
        assert!(!left.iter().any(|name| name.starts_with("tmp_")), "{left:?}");
    }

    #[test]
    fn an_object_that_is_damaged_in_its_pack_gets_a_file_of_its_own() {
        let test = TestRepo::bare();
        let id =
            stored(&Repo::open(test.path()).unwrap(), ObjectType::Blob, b"a note of a commit\n");
        test.git(&["update-ref", "refs/keep", &id.to_string()]);
        test.git(&["repack", "-q", "-a", "-d"]);
        test.damage_pack();
        let repo = Repo::open(test.path()).unwrap();
        assert_eq!(stored(&repo, ObjectType::Blob, b"a note of a commit\n"), id);
        let text = test.git(&["cat-file", "blob", &id.to_string()]);
        assert_eq!(text, "a note of a commit");
        assert!(repo.git.find_blob(id).is_ok());
    }

    #[test]
    fn a_damaged_object_is_replaced_by_the_next_write() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        let id = stored(&repo, ObjectType::Blob, b"success\n");
        let text = id.to_string();
        let path = test.path().join("objects").join(&text[..2]).join(&text[2..]);
        let whole = fs::read(&path).unwrap();
        for damaged in [&b""[..], &whole[..whole.len() / 2], b"garbage", &[0; 40]] {
            fs::remove_file(&path).unwrap();
            fs::write(&path, damaged).unwrap();
            stored(&repo, ObjectType::Blob, b"success\n");
            assert_eq!(test.git(&["cat-file", "blob", &text]), "success");
        }
        test.git(&["fsck", "--strict"]);
    }

    #[test]
    fn what_is_packed_is_not_written_again() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        let commit = "1".repeat(40).parse().unwrap();
        repo.write_verdict(commit, Verdict::Success, Replace::Nothing).unwrap();
        test.git(&["gc", "-q"]);
        let repo = Repo::open(test.path()).unwrap();
        // Only what a ref needs is packed, and this blob is.
        stored(&repo, ObjectType::Blob, b"success\n");
        assert!(test.git(&["count-objects"]).starts_with("0 objects"));
    }

    #[test]
    fn what_a_killed_writer_left_goes_with_the_next_one() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        let dir = test.path().join("objects");
        let owner = repo.acquire_ref_lock().unwrap();
        // A killed writer leaves its mark and its files.
        fs::write(dir.join("tinyci-new-3"), "x").unwrap();
        fs::create_dir_all(test.path().join("tinyci/locking")).unwrap();
        fs::write(test.path().join("tinyci/locking/objects"), "").unwrap();
        drop(owner);
        drop(repo.acquire_ref_lock().unwrap());
        assert!(!dir.join("tinyci-new-3").exists());
    }
}
