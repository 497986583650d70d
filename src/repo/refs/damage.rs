//! Finds refs of tinyci whose newest state cannot be read, after a power failure without flushes or on
//! a faulty disk. The newest readable state replaces it. This needs no person, because git refuses
//! pushes to a repository with such a ref.
//!
//! The usual check reads only what the newest commit added, because a power failure destroys new
//! objects. The search for an earlier state reads everything.

use std::collections::{HashMap, HashSet};

use git2::{Commit, ObjectType, Oid};

use super::{
    ref_file::RefValue,
    ref_memory::{RefMemory, is_remembered},
};
use crate::model::{
    error::{Error, ErrorKind},
    outcome::Verdict,
};
use crate::repo::{
    objects::tree,
    repository::{RECORDS, Repo, VERDICTS, git_error},
};
use crate::util::state_file;

/// The verdicts. The note of each is a blob that all commits with this verdict share.
const VERDICT_NOTES: [Verdict; 3] = [Verdict::Success, Verdict::Failure, Verdict::Skipped];

impl Repo {
    /// Returns the newest readable state of a ref of tinyci, or `None` if its value can be read.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if no state of the ref can be read.
    pub(in crate::repo) fn readable_in_place_of(
        &self,
        name: &str,
        value: RefValue,
    ) -> Result<Option<Oid>, Error> {
        let newest = match value {
            RefValue::Commit(id) => Some(id),
            RefValue::Damaged => None,
            RefValue::Absent | RefValue::Symbolic => return Ok(None),
        };
        if !is_remembered(name) || newest.is_some_and(|id| self.is_readable(name, id)) {
            return Ok(None);
        }
        let found = self.newest_readable(name, newest);
        found.map(Some).ok_or_else(|| irreparable(name))
    }

    /// Records that a commit is readable, because it was just written.
    pub(in crate::repo) fn mark_readable(&self, id: Oid) {
        self.readable.borrow_mut().insert(id, true);
    }

    /// Writes the blobs of verdicts again if they cannot be read. Their contents are known, and all
    /// verdicts share them.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if one cannot be written.
    pub(super) fn repair_verdict_blobs(&self) -> Result<(), Error> {
        for verdict in VERDICT_NOTES {
            let text = format!("{verdict}\n");
            let repair = || {
                let id = Oid::hash_object(ObjectType::Blob, text.as_bytes())?;
                let odb = self.git.odb()?;
                Ok((id, odb.exists(id) && odb.read(id).is_err()))
            };
            let failed =
                |source: git2::Error| git_error(format!("cannot repair `{verdict}`"), source);
            let (id, is_damaged) = repair().map_err(failed)?;
            if is_damaged {
                self.make_object(ObjectType::Blob, text.as_bytes()).map_err(failed)?;
                self.store_new_objects(&self.acquire_ref_lock()?, id).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn is_readable(&self, name: &str, id: Oid) -> bool {
        if let Some(known) = self.readable.borrow().get(&id) {
            return *known;
        }
        let readable = match self.git.find_commit(id) {
            Ok(commit) => {
                let parent = commit.parent(0).ok().map(|parent| parent.tree_id());
                let mut trees = Trees::new(self);
                !has_notes(name) || trees.are_readable(commit.tree_id(), parent)
            }
            // An object of another type is not damaged: another program set the ref to it.
            Err(_) => self.git.odb().and_then(|odb| odb.read(id).map(drop)).is_ok(),
        };
        self.readable.borrow_mut().insert(id, readable);
        readable
    }

    /// Returns the newest state of this ref that can be read completely, among all known states.
    fn newest_readable(&self, name: &str, newest: Option<Oid>) -> Option<Oid> {
        let memory = RefMemory::read(self.common_dir());
        let known = memory.refs.get(name);
        let remembered = known.into_iter().flat_map(|known| {
            [known.tip]
                .into_iter()
                .chain(known.before.iter().rev().copied())
                .chain(known.lost.clone())
        });
        let mut trees = Trees::new(self);
        let mut seen = HashSet::new();
        for candidate in newest.into_iter().chain(remembered).chain(self.logged(name)) {
            let mut next = Some(candidate);
            while let Some(commit) = next.and_then(|id| self.git.find_commit(id).ok()) {
                if !seen.insert(commit.id()) {
                    break;
                }
                if trees.has_state(name, &commit) {
                    return Some(commit.id());
                }
                next = commit.parent_id(0).ok();
            }
        }
        None
    }

    /// Returns the values of this ref in git's reflog, newest first.
    fn logged(&self, name: &str) -> Vec<Oid> {
        let text = state_file::read_foreign_list(&self.log_file(name)).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let ids = text.lines().rev().filter_map(|line| line.split(' ').nth(1)?.parse().ok());
        ids.collect()
    }
}

fn has_notes(name: &str) -> bool {
    [VERDICTS, RECORDS].contains(&name)
}

fn irreparable(name: &str) -> Error {
    let message = format!("cannot read `{name}`: it is damaged, and so are all its earlier states");
    Error::new(ErrorKind::Git, message).with_hint(remedy(name))
}

/// Returns the hint for a damaged ref that tinyci cannot repair.
pub(in crate::repo) fn remedy(name: &str) -> String {
    format!(
        "`git fsck` shows what is missing; `git fetch COPY +{name}:{name}` fetches the ref from a copy \
         of this repository"
    )
}

/// An entry of a tree, without its object.
#[derive(PartialEq, Eq, Hash)]
struct EntryKey {
    name: Vec<u8>,
    is_tree: bool,
}

/// The objects that were checked: true if everything in them can be read.
struct Trees<'repo> {
    repo: &'repo Repo,
    checked: HashMap<Oid, bool>,
    is_partial: bool,
}

impl<'repo> Trees<'repo> {
    fn new(repo: &'repo Repo) -> Self {
        Self { repo, checked: HashMap::new(), is_partial: repo.is_partial_clone() }
    }

    fn has_state(&mut self, name: &str, commit: &Commit<'_>) -> bool {
        !has_notes(name) || self.are_readable(commit.tree_id(), None)
    }

    /// Returns true if a tree can be read, with everything in it that is not in the tree `before`.
    fn are_readable(&mut self, id: Oid, before: Option<Oid>) -> bool {
        if before == Some(id) {
            return true;
        }
        if let Some(known) = self.checked.get(&id) {
            return *known;
        }
        let readable = self.is_promised(id)
            || self.entries(id).is_some_and(|entries| {
                let before = before.and_then(|before| self.entries(before)).unwrap_or_default();
                entries.iter().filter(|(key, entry)| before.get(*key) != Some(*entry)).all(
                    |(key, entry)| match key.is_tree {
                        true => self.are_readable(*entry, before.get(key).copied()),
                        false => self.is_readable_blob(*entry),
                    },
                )
            });
        self.checked.insert(id, readable);
        readable
    }

    fn is_readable_blob(&mut self, id: Oid) -> bool {
        if let Some(known) = self.checked.get(&id) {
            return *known;
        }
        let odb = self.repo.git.odb();
        let readable = odb.is_ok_and(|odb| odb.read(id).is_ok())
            || is_verdict_blob(id)
            || self.is_promised(id);
        self.checked.insert(id, readable);
        readable
    }

    /// Returns true if the object is absent because this partial clone has not fetched it. That is not
    /// damage, and no reason to fall back to an older state.
    fn is_promised(&self, id: Oid) -> bool {
        let odb = self.repo.git.odb();
        self.is_partial
            && odb.is_ok_and(|odb| !odb.exists(id))
            && self.repo.new_object(id).is_none()
    }

    fn entries(&self, id: Oid) -> Option<HashMap<EntryKey, Oid>> {
        let odb = self.repo.git.odb().ok()?;
        let object = odb.read(id).ok().filter(|object| object.kind() == ObjectType::Tree)?;
        let owned = |entry: tree::Entry<'_>| {
            (EntryKey { name: entry.name.to_vec(), is_tree: entry.is_tree() }, entry.id)
        };
        tree::entries(object.data()).map(|entry| entry.map(owned)).collect()
    }
}

/// Returns true if this is the blob of a verdict, which a run writes again.
fn is_verdict_blob(id: Oid) -> bool {
    VERDICT_NOTES.iter().any(|verdict| {
        let text = format!("{verdict}\n");
        Oid::hash_object(ObjectType::Blob, text.as_bytes()).is_ok_and(|blob| blob == id)
    })
}
