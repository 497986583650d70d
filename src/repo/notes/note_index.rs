//! Looks up the notes of many commits.
//!
//! git distributes notes over directories by the digits of their object (`ab/cd/…`), to any depth
//! and mixed. A lookup loads only the few subtrees on its way. A thousand lookups load every
//! subtree once. A text that many commits share, such as that of a verdict, is read once too.

use std::collections::{BTreeSet, HashMap, HashSet};

use git2::Oid;

use super::notes_tree::NotesTree;
use crate::model::{commit::CommitId, error::Error};

/// The longest text that is kept for other commits with the same note, in bytes. Verdicts are shorter.
const SHARED_BYTES_MAX: usize = 32;

/// The most texts that are kept.
const SHARED_MAX: usize = 64;

/// The notes in one notes tree, loaded on demand.
pub(in crate::repo) struct NoteIndex<'repo> {
    notes: NotesTree<'repo>,
    /// The blobs of each note, in the order in which git joins them. Almost all notes have one.
    found: HashMap<CommitId, Vec<Oid>>,
    /// The short texts of blobs.
    texts: HashMap<Oid, Vec<u8>>,
    /// The known subtrees, by the leading bytes of the object ids in them. A value is the subtree's
    /// id until the subtree is loaded.
    subtrees: HashMap<Vec<u8>, Option<Oid>>,
}

impl<'repo> NoteIndex<'repo> {
    pub(in crate::repo) fn new(notes: NotesTree<'repo>) -> Self {
        let root = notes.root().map(|root| (Vec::new(), Some(root)));
        let subtrees = root.into_iter().collect();
        Self { notes, found: HashMap::new(), texts: HashMap::new(), subtrees }
    }

    /// Returns true if this commit has a note, with any text.
    pub(in crate::repo) fn contains(&mut self, id: CommitId) -> Result<bool, Error> {
        for depth in 0..id.as_bytes().len() {
            let (prefix, _) = id.as_bytes().split_at(depth);
            match self.subtrees.get_mut(prefix) {
                Some(unloaded) => {
                    if let Some(tree) = unloaded.take() {
                        self.load(tree, prefix)?;
                    }
                }
                None => break,
            }
        }
        Ok(self.found.contains_key(&id))
    }

    /// Returns the text of this commit's note, if it has one.
    pub(in crate::repo) fn get(&mut self, id: CommitId) -> Result<Option<Vec<u8>>, Error> {
        self.contains(id)?;
        let Some(blobs) = self.found.get(&id) else { return Ok(None) };
        let shared = blobs.first().filter(|_| blobs.len() == 1);
        if let Some(text) = shared.and_then(|blob| self.texts.get(blob)) {
            return Ok(Some(text.clone()));
        }
        let text = self.notes.text(blobs)?;
        let is_short = text.len() <= SHARED_BYTES_MAX && self.texts.len() < SHARED_MAX;
        self.texts.extend(shared.filter(|_| is_short).map(|blob| (*blob, text.clone())));
        Ok(Some(text))
    }

    fn load(&mut self, tree: Oid, prefix: &[u8]) -> Result<(), Error> {
        let level = self.notes.level(Some(tree), prefix)?;
        for (id, blob) in level.notes {
            // The deeper note of a commit comes first in git, and is loaded later here.
            self.found.entry(id).or_default().insert(0, blob);
        }
        let below = level.subtrees.into_iter();
        self.subtrees.extend(below.map(|(byte, tree)| ([prefix, &[byte]].concat(), Some(tree))));
        Ok(())
    }
}

/// Returns the commits that have a note in `before` and none in `after`, for any fan-out.
///
/// Skips equal subtrees, so the cost depends only on the changes.
pub(in crate::repo) fn notes_removed(
    before: &NotesTree<'_>,
    after: &NotesTree<'_>,
) -> Result<HashSet<CommitId>, Error> {
    let mut comparison =
        Comparison { before, after, removed: HashSet::new(), added: HashSet::new() };
    comparison.compare(before.root(), after.root(), &[])?;
    // A note whose place in the fan-out changed was both removed and added.
    Ok(comparison.removed.difference(&comparison.added).copied().collect())
}

/// Returns the commits whose note in `theirs` may differ from `ours`: all in subtrees that differ.
pub(in crate::repo) fn notes_differing(
    ours: &NotesTree<'_>,
    theirs: &NotesTree<'_>,
) -> Result<BTreeSet<CommitId>, Error> {
    let mut found = BTreeSet::new();
    let mut left = vec![(ours.root(), theirs.root(), Vec::new())];
    while let Some((our_tree, their_tree, prefix)) = left.pop() {
        if our_tree == their_tree {
            continue;
        }
        let (our_level, level) =
            (ours.level(our_tree, &prefix)?, theirs.level(their_tree, &prefix)?);
        found.extend(level.notes.into_iter().map(|(id, _)| id));
        left.extend(level.subtrees.into_iter().map(|(byte, tree)| {
            let our_subtree = our_level.subtrees.get(&byte).copied();
            (our_subtree, Some(tree), [prefix.as_slice(), &[byte]].concat())
        }));
    }
    Ok(found)
}

struct Comparison<'a, 'repo> {
    before: &'a NotesTree<'repo>,
    after: &'a NotesTree<'repo>,
    removed: HashSet<CommitId>,
    added: HashSet<CommitId>,
}

impl Comparison<'_, '_> {
    fn compare(
        &mut self,
        before: Option<Oid>,
        after: Option<Oid>,
        prefix: &[u8],
    ) -> Result<(), Error> {
        if before == after {
            return Ok(());
        }
        let old = self.before.level(before, prefix)?;
        let new = self.after.level(after, prefix)?;
        let ids = |notes: Vec<(CommitId, Oid)>| notes.into_iter().map(|(id, _)| id).collect();
        let (old_notes, new_notes): (HashSet<_>, HashSet<_>) = (ids(old.notes), ids(new.notes));
        self.removed.extend(old_notes.difference(&new_notes));
        self.added.extend(new_notes.difference(&old_notes));
        let bytes: HashSet<u8> = old.subtrees.keys().chain(new.subtrees.keys()).copied().collect();
        for byte in bytes {
            let (old, new) = (old.subtrees.get(&byte).copied(), new.subtrees.get(&byte).copied());
            self.compare(old, new, &[prefix, &[byte]].concat())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write, process::Stdio};

    use super::*;
    use crate::{
        repo::repository::{Repo, VERDICTS},
        testing::{TestRepo, succeed},
    };

    fn id(number: usize) -> CommitId {
        // The first byte varies, so that the notes fan out.
        format!("{:02x}{number:038x}", number % 7).parse().unwrap()
    }

    /// Writes a notes tree with these paths with git; a `/` makes a directory.
    fn tree_of(repo: &TestRepo, paths: &[String]) -> Oid {
        let blob = repo.git(&["hash-object", "-w", "/dev/null"]);
        let index = repo.outside().join("index");
        let _ = std::fs::remove_file(&index);
        let mut command = repo.command();
        command.env("GIT_INDEX_FILE", &index).args(["update-index", "--add", "--index-info"]);
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        for path in paths {
            writeln!(input, "100644 {blob}\t{path}").unwrap();
        }
        drop(input);
        assert!(child.wait().unwrap().success());
        let mut command = repo.command();
        command.env("GIT_INDEX_FILE", &index).arg("write-tree");
        succeed("write-tree", &command.output().unwrap()).parse().unwrap()
    }

    fn fanned(id: CommitId, depth: usize) -> String {
        let mut text = id.to_string();
        for level in (1..=depth).rev() {
            text.insert(2 * level, '/');
        }
        text
    }

    fn git(repo: &TestRepo) -> Repo {
        Repo::open(repo.path()).unwrap()
    }

    fn notes(git: &Repo, tree: Option<Oid>) -> NotesTree<'_> {
        NotesTree::new(git, VERDICTS, tree).unwrap()
    }

    fn removed(git: &Repo, before: Oid, after: Oid) -> HashSet<CommitId> {
        notes_removed(&notes(git, Some(before)), &notes(git, Some(after))).unwrap()
    }

    #[test]
    fn lookups_work_in_every_fan_out() {
        let repo = TestRepo::new();
        let git = git(&repo);
        let mut paths: Vec<_> = (0..40).map(|number| fanned(id(number), number % 4)).collect();
        paths.extend(["README".into(), "zz/file".into(), format!("{}0", id(90))]);
        let tree = tree_of(&repo, &paths);
        let mut noted = NoteIndex::new(notes(&git, Some(tree)));
        for number in (0..80).rev() {
            assert_eq!(noted.contains(id(number)).unwrap(), number < 40, "{number}");
        }
        assert!(!noted.contains(id(90)).unwrap());
        assert!(!NoteIndex::new(notes(&git, None)).contains(id(0)).unwrap());
    }

    #[test]
    fn removals_are_found_across_fan_outs() {
        let repo = TestRepo::new();
        let git = git(&repo);
        let path = |depth: usize| move |number: usize| fanned(id(number), depth);
        let mixed = |number: usize| fanned(id(number), number % 3);
        let all: [Oid; 4] = [
            tree_of(&repo, &(0..30).map(path(0)).collect::<Vec<_>>()),
            tree_of(&repo, &(0..30).map(path(1)).collect::<Vec<_>>()),
            tree_of(&repo, &(0..30).map(path(2)).collect::<Vec<_>>()),
            tree_of(&repo, &(0..30).map(mixed).collect::<Vec<_>>()),
        ];
        for before in all {
            for after in all {
                assert!(removed(&git, before, after).is_empty());
            }
            for depth in 0..3 {
                let kept = (0..40).filter(|number| *number != 8).map(path(depth));
                let after = tree_of(&repo, &kept.collect::<Vec<_>>());
                assert_eq!(removed(&git, before, after), HashSet::from([id(8)]), "depth {depth}");
            }
        }
    }

    #[test]
    fn notes_written_by_git_are_read() {
        let repo = TestRepo::new();
        let git = git(&repo);
        let (one, two) = (repo.commit("one"), repo.commit("two"));
        repo.git(&["notes", "--ref", "x", "add", "-m", "word", &one]);
        let tree = || repo.git(&["rev-parse", "refs/notes/x^{tree}"]).parse::<Oid>().unwrap();
        let before = tree();
        let mut noted = NoteIndex::new(notes(&git, Some(before)));
        assert!(noted.contains(one.parse().unwrap()).unwrap());
        assert!(!noted.contains(two.parse().unwrap()).unwrap());
        repo.git(&["notes", "--ref", "x", "add", "-f", "-m", "another word", &one]);
        assert!(removed(&git, before, tree()).is_empty(), "a rewritten note is still there");
        repo.git(&["notes", "--ref", "x", "remove", &one]);
        assert_eq!(removed(&git, before, tree()), HashSet::from([one.parse().unwrap()]));
    }
}
