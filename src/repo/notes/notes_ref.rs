//! Reads and edits one notes ref.

use std::borrow::Cow;

use git2::Oid;

use super::notes_tree::NotesTree;
use crate::model::error::Error;
use crate::repo::{
    objects::commit::stored,
    refs::atomic_ref::{self, AtomicRef, Edit},
    repository::{Repo, git_error},
};

/// A notes ref of a repository.
pub(in crate::repo) struct Notes<'repo> {
    reference: AtomicRef<'repo>,
    name: Cow<'static, str>,
}

impl<'repo> Notes<'repo> {
    pub(in crate::repo) fn new(repo: &'repo Repo, reference: impl Into<Cow<'static, str>>) -> Self {
        let name = reference.into();
        Self { reference: AtomicRef::new(repo, name.clone()), name }
    }

    /// Returns the current notes.
    pub(in crate::repo) fn tree(&self) -> Result<NotesTree<'repo>, Error> {
        self.tree_at(self.tip()?)
    }

    /// Returns the notes at a commit of the ref, or an empty tree for `None`.
    pub(in crate::repo) fn tree_at(&self, commit: Option<Oid>) -> Result<NotesTree<'repo>, Error> {
        let (git, name) = (self.reference.git(), self.name.clone());
        let read = || {
            let root = commit.map(|id| stored(git, id)).transpose()?;
            Ok(root.map(|commit| commit.tree_id()))
        };
        let root = read().map_err(|source: git2::Error| self.reference.unreadable(source))?;
        NotesTree::new(self.reference.repo, name, root)
            .map_err(|source| self.reference.unreadable(source))
    }

    /// Returns the commit that the ref names.
    pub(in crate::repo) fn tip(&self) -> Result<Option<Oid>, Error> {
        self.reference.tip()
    }

    /// Moves the ref to the commit that an edit makes from the current one.
    pub(in crate::repo) fn move_by<T>(
        &self,
        message: &str,
        edit: impl Fn(Option<Oid>) -> Result<Edit<T>, Error>,
    ) -> Result<T, Error> {
        self.reference.update(message, edit)
    }

    /// Makes one commit from an edit, which returns a new tree for the current notes.
    ///
    /// Repeats the edit if another writer was faster.
    pub(in crate::repo) fn update<T>(
        &self,
        message: &str,
        edit: impl Fn(&NotesTree) -> Result<Edit<T>, Error>,
    ) -> Result<T, Error> {
        let (repo, name) = (self.reference.repo, &self.name);
        self.reference.update(message, |tip| match edit(&self.tree_at(tip)?)? {
            Edit::Keep(value) => Ok(Edit::Keep(value)),
            Edit::Replace(tree, value) => {
                let parents: Vec<Oid> = tip.into_iter().collect();
                let commit = atomic_ref::commit(repo, tree, &parents, atomic_ref::now(), message);
                let commit = commit
                    .map_err(|source| git_error(format!("cannot extend `{name}`"), source))?;
                Ok(Edit::Replace(commit, value))
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write, process::Stdio, thread, time::Duration};

    use super::*;
    use crate::{
        model::{commit::CommitId, error::ErrorKind, outcome::Verdict},
        repo::{
            notes::verdicts::{Replace, Written},
            refs::ref_lock_owner::lock_path,
            repository::VERDICTS,
        },
        testing::{TestRepo, succeed},
    };

    /// Returns an id that no object has. git also accepts such ids for notes.
    fn id(number: u8) -> CommitId {
        CommitId::from_bytes(std::array::from_fn(|_| number))
    }

    fn write(repo: &Repo, number: u8) -> Result<Written, Error> {
        repo.write_verdict(id(number), Verdict::Success, Replace::Nothing)
    }

    /// Returns what git lists: a line for each note.
    fn listed(test: &TestRepo) -> String {
        test.git(&["notes", "--ref", VERDICTS, "list"])
    }

    #[test]
    fn a_lock_that_is_let_go_is_waited_for() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        write(&repo, 1).unwrap();
        let lock = lock_path(&test.path().canonicalize().unwrap(), VERDICTS);
        fs::write(&lock, "").unwrap();
        let path = test.path();
        thread::scope(|scope| {
            let writer = scope.spawn(|| write(&Repo::open(path).unwrap(), 2));
            // The writer stages its file before it meets the lock.
            let staged = path.join("tinyci/locking");
            while fs::read_dir(&staged).unwrap().next().is_none() {
                thread::yield_now();
            }
            fs::remove_file(&lock).unwrap();
            assert_eq!(writer.join().unwrap().unwrap(), Written::Stored);
        });
        assert_eq!(listed(&test).lines().count(), 2);
    }

    #[test]
    fn a_lock_that_stays_is_named() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        write(&repo, 1).unwrap();
        let lock = lock_path(repo.common_dir(), VERDICTS);
        fs::write(&lock, "").unwrap();
        let before = test.git(&["rev-parse", VERDICTS]);
        let patient = AtomicRef::new(&repo, VERDICTS);
        let reference = AtomicRef { lock_wait: Duration::from_millis(20), ..patient };
        let notes = Notes { reference, name: VERDICTS.into() };
        let edit = |tree: &NotesTree| Ok(Edit::Replace(tree.with(id(2), b"success\n")?, ()));
        let error = notes.update("Notes added by 'tinyci'", edit).unwrap_err();
        assert_eq!((error.kind(), error.path()), (ErrorKind::Git, Some(lock.as_path())));
        assert!(error.report().contains("tinyci-result.lock`\nhint: if no git process"), "{error}");
        assert_eq!(test.git(&["rev-parse", VERDICTS]), before);
        assert!(lock.exists(), "nobody declared to have made it");
        assert_eq!(fs::read(test.path().join("tinyci/intent")).unwrap(), b"");
    }

    #[test]
    fn a_lock_of_a_killed_writer_is_removed_by_the_next_one() {
        let test = TestRepo::new();
        let repo = Repo::open(test.path()).unwrap();
        write(&repo, 1).unwrap();
        let tip = test.git(&["rev-parse", VERDICTS]);
        let lock = lock_path(repo.common_dir(), VERDICTS);
        let staged = repo.common_dir().join("tinyci/locking/refs%2Fnotes%2Ftinyci-result");
        for clear in
            [|repo: &Repo| write(repo, 2).map(drop), |repo: &Repo| repo.restore_refs().map(drop)]
        {
            fs::write(&staged, format!("{tip}\n")).unwrap();
            fs::hard_link(&staged, &lock).unwrap();
            clear(&repo).unwrap();
            assert!(!lock.exists() && !staged.exists());
        }
        assert_eq!(test.git(&["rev-list", "--count", VERDICTS]), "2");
    }

    /// A script that moves the ref by compare-and-swap with git's own programs, 20 times.
    const STRANGER: &str = r"
        for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
            until tip=$(git rev-parse -q --verify $REF) &&
                new=$(git commit-tree $tip^{tree} -p $tip -m stranger) &&
                git update-ref $REF $new $tip 2>/dev/null
            do :; done
        done";

    #[test]
    fn writers_at_once_lose_nothing() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        write(&repo, 255).unwrap();
        let strangers: Vec<_> = (0..2)
            .map(|_| {
                let mut shell = std::process::Command::new("sh");
                for (name, value) in test.command().get_envs() {
                    match value {
                        Some(value) => shell.env(name, value),
                        None => shell.env_remove(name),
                    };
                }
                shell.env("REF", VERDICTS).current_dir(test.path()).args(["-c", STRANGER]);
                shell.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
            })
            .collect();
        thread::scope(|scope| {
            for writer in 0..20 {
                let path = test.path();
                scope.spawn(move || {
                    let repo = Repo::open(path).unwrap();
                    for number in 0..5 {
                        assert_eq!(write(&repo, writer * 5 + number).unwrap(), Written::Stored);
                    }
                });
            }
        });
        for stranger in strangers {
            succeed("the stranger", &stranger.wait_with_output().unwrap());
        }
        let blob = test.git(&["rev-parse", &format!("{VERDICTS}:{}", id(1))]);
        assert_eq!(test.git(&["cat-file", "blob", &blob]), "success");
        assert_eq!(listed(&test).lines().filter(|line| line.starts_with(&blob)).count(), 101);
        // Each write of any writer is one commit on top of the previous one.
        assert_eq!(test.git(&["rev-list", "--count", "--first-parent", VERDICTS]), "141");
        test.git(&["fsck", "--strict"]);
    }

    #[test]
    fn commits_are_ours_whatever_the_machine_says() {
        let test = TestRepo::bare();
        test.git(&["config", "user.useConfigOnly", "true"]);
        test.git(&["config", "commit.gpgSign", "true"]);
        let repo = Repo::open(test.path()).unwrap();
        write(&repo, 1).unwrap();
        repo.remove_verdict(id(1)).unwrap();
        let log = test.git(&["log", "--format=%an <%ae>|%cn <%ce>|%ai|%B", VERDICTS]);
        let us = "tinyci <tinyci@localhost>";
        for line in log.lines().filter(|line| !line.is_empty()) {
            assert!(line.starts_with(&format!("{us}|{us}|")) && line.contains(" +0000|"), "{line}");
        }
        assert!(log.contains("Notes added by 'tinyci'") && log.contains("Notes removed by"));
        assert_eq!(test.git(&["ls-tree", VERDICTS]), "");
    }

    #[test]
    fn a_damaged_ref_is_an_error_that_names_it_and_stays_as_it_is() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        let id = id(1);
        for garbage in [&b"100644 abc"[..], b"100644 a\0short", b"no tree"] {
            let mut command = test.command();
            command.args(["hash-object", "-t", "tree", "--literally", "-w", "--stdin"]);
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
            child.stdin.take().unwrap().write_all(garbage).unwrap();
            let tree = succeed("hash-object", &child.wait_with_output().unwrap());
            let commit = test.git(&["commit-tree", &tree, "-m", "damaged"]);
            test.git(&["update-ref", VERDICTS, &commit]);
            let errors = [
                repo.verdict(id).unwrap_err(),
                write(&repo, 1).unwrap_err(),
                repo.remove_verdict(id).unwrap_err(),
            ];
            for error in errors {
                assert_eq!(error.kind(), ErrorKind::Git);
                assert!(error.to_string().contains(VERDICTS), "{error}");
            }
            assert_eq!(test.git(&["rev-parse", VERDICTS]), commit);
        }
    }

    #[test]
    fn a_symbolic_or_missing_target_is_refused() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        test.git(&["symbolic-ref", VERDICTS, "refs/notes/elsewhere"]);
        assert_eq!(write(&repo, 1).unwrap_err().kind(), ErrorKind::Unsupported);
        test.git(&["symbolic-ref", "-d", VERDICTS]);
        let path = test.path().join(VERDICTS);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{}\n", "1".repeat(40))).unwrap();
        assert_eq!(write(&repo, 1).unwrap_err().kind(), ErrorKind::Git);
        assert_eq!(repo.verdict(id(1)).unwrap_err().kind(), ErrorKind::Git);
    }

    #[test]
    fn a_packed_ref_is_read_and_extended() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        write(&repo, 1).unwrap();
        test.git(&["gc", "-q", "--prune=now"]);
        test.git(&["pack-refs", "--all", "--prune"]);
        assert!(!test.path().join(VERDICTS).exists());
        write(&repo, 2).unwrap();
        assert_eq!(listed(&test).lines().count(), 2);
        assert_eq!(test.git(&["rev-list", "--count", VERDICTS]), "2");
    }
}
