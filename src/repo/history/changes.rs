//! Compares a commit with its nearest green ancestor.

use std::ops::ControlFlow;

use git2::{Delta, DiffDelta, FileMode, Oid};

use super::walk;
use crate::model::{commit::CommitId, error::Error, outcome::Verdict, step::ChangedPath};
use crate::repo::{
    refs::lookup::tip_of,
    repository::{Repo, git_error, oid},
};

impl Repo {
    /// Returns the nearest ancestor whose verdict is `success`; of several, the one committed last.
    pub(crate) fn green_ancestor(&self, id: CommitId) -> Result<Option<CommitId>, Error> {
        let mut found = None;
        let mut is_green = |ancestor: CommitId| {
            if ancestor == id {
                return Ok(ControlFlow::Continue(()));
            }
            let note = self.verdict(ancestor)?;
            if note.and_then(|note| note.verdict) == Some(Verdict::Success) {
                found = Some(ancestor);
            }
            Ok(if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        };
        self.walk_back([oid(id)?].into_iter(), &mut is_green)?;
        Ok(found)
    }

    /// Returns the paths that differ between two commits, or all paths of `id` without a base.
    pub(crate) fn changed_paths(
        &self,
        base: Option<CommitId>,
        id: CommitId,
    ) -> Result<Vec<ChangedPath>, Error> {
        let unreadable = |source| git_error(format!("cannot read the tree of `{id}`"), source);
        let tree = |id: CommitId| {
            let tree = walk::find_commit(&self.git, oid(id)?)?.tree_id();
            self.git.find_tree(tree).map_err(unreadable)
        };
        let (old, new) = (base.map(tree).transpose()?, tree(id)?);
        let diff = self.git.diff_tree_to_tree(old.as_ref(), Some(&new), None);
        let changed = |delta: DiffDelta<'_>| {
            let (old, new) = (delta.old_file(), delta.new_file());
            let file = if delta.status() == Delta::Deleted { &old } else { &new };
            let is_directory = [&old, &new].iter().any(|it| it.mode() == FileMode::Commit);
            Some(ChangedPath { bytes: file.path_bytes()?.to_vec(), is_directory })
        };
        Ok(diff.map_err(unreadable)?.deltas().filter_map(changed).collect())
    }

    /// Returns the tags that name this commit, without `refs/tags/`; annotated tags are peeled.
    pub(crate) fn tags_of(&self, id: CommitId) -> Result<Vec<String>, Error> {
        let commit: Oid = oid(id)?;
        let unlisted = |source| git_error(format!("cannot list the tags of {self}"), source);
        let mut names = Vec::new();
        // Lists by prefix, because a retest asks for many refs and few of them are tags.
        for tag in self.git.references_glob("refs/tags/*").map_err(unlisted)? {
            let tag = tag.map_err(unlisted)?;
            if tip_of(self, &tag)? == Some(commit) {
                let name = tag.name_bytes();
                names.push(lossy(name.strip_prefix(b"refs/tags/").unwrap_or(name)));
            }
        }
        names.sort();
        Ok(names)
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{model::step::Changes, testing::TestRepo};

    fn judge(repo: &TestRepo, commit: &str, word: &str) {
        repo.git(&["notes", "--ref", "tinyci-result", "add", "-f", "-m", word, commit]);
    }

    #[test]
    fn the_base_is_the_nearest_green_ancestor() {
        let repo = TestRepo::new();
        repo.write("a", "1");
        let first = repo.commit("first");
        repo.write("b", "1");
        let second = repo.commit("second");
        repo.git(&["rm", "-q", "a"]);
        repo.write("dir/c é", "1");
        let third = repo.commit("third");
        repo.git(&["tag", "light"]);
        repo.git(&["tag", "-a", "-m", "x", "v1/annotated"]);
        let open = Repo::open(repo.path()).unwrap();
        let id = |text: &str| text.parse::<CommitId>().unwrap();
        assert_eq!(open.green_ancestor(id(&third)).unwrap(), None);
        let changed = |base: Option<&String>| {
            let base = base.map(|base| id(base));
            Changes::new(None, open.changed_paths(base, id(&third)).unwrap()).paths
        };
        assert_eq!(changed(None), ["b", "dir/c é"]);
        judge(&repo, &first, "success");
        judge(&repo, &second, "failure");
        judge(&repo, &third, "success");
        assert_eq!(open.green_ancestor(id(&third)).unwrap(), Some(id(&first)));
        assert_eq!(changed(Some(&first)), ["a", "b", "dir/c é"]);
        judge(&repo, &second, "success");
        assert_eq!(open.green_ancestor(id(&third)).unwrap(), Some(id(&second)));
        assert_eq!(open.tags_of(id(&third)).unwrap(), ["light", "v1/annotated"]);
        assert!(open.tags_of(id(&first)).unwrap().is_empty());
    }

    /// Adds, changes and removes submodules, links, and names that git quotes or that are not
    /// UTF-8.
    #[test]
    fn paths_are_those_that_git_has() {
        let repo = TestRepo::new();
        repo.write("a", "");
        let base = repo.commit("base");
        let names: [&[u8]; 4] = [b"tab\t\"q\"", b"caf\xe9.txt", b"dir\xff/x", b"link"];
        let mut command = repo.command();
        let mut git = command
            .args(["update-index", "-z", "--index-info"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let blob = repo.git(&["rev-parse", "HEAD:a"]);
        let mut input = format!("160000 {base}\tsub\0").into_bytes();
        for name in names {
            let mode = if name == b"link" { "120000" } else { "100644" };
            input.extend(format!("{mode} {blob}\t").bytes());
            input.extend(name);
            input.push(0);
        }
        std::io::Write::write_all(&mut git.stdin.take().unwrap(), &input).unwrap();
        assert!(git.wait().unwrap().success());
        repo.git(&["commit", "-q", "-m", "odd"]);
        let odd = repo.git(&["rev-parse", "HEAD"]);
        repo.git(&["commit", "-q", "-m", "gone", "--allow-empty"]);
        repo.git(&["read-tree", &base]);
        repo.git(&["commit", "-q", "-m", "gone"]);
        let gone = repo.git(&["rev-parse", "HEAD"]);
        let open = Repo::open(repo.path()).unwrap();
        let id = |text: &str| text.parse::<CommitId>().unwrap();
        let mut expected: Vec<(Vec<u8>, bool)> =
            names.iter().map(|name| (name.to_vec(), false)).collect();
        expected.push((b"sub".to_vec(), true));
        expected.sort();
        for (from, to) in [(Some(&base), &odd), (None, &odd), (Some(&odd), &gone)] {
            let found = open.changed_paths(from.map(|it| id(it)), id(to)).unwrap();
            let mut found: Vec<(Vec<u8>, bool)> =
                found.into_iter().map(|it| (it.bytes, it.is_directory)).collect();
            found.retain(|(path, _)| path != b"a");
            found.sort();
            assert_eq!(found, expected);
        }
    }
}
