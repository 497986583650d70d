//! What a commit changes: against the nearest ancestor that is known to be good.

use git2::{Delta, Oid, Sort, TreeWalkMode, TreeWalkResult};

use super::{Repo, commit_id, git_error, history, oid, refs::tip_of};
use crate::{commit::CommitId, error::Error, outcome::Verdict};

impl Repo {
    /// The nearest ancestor whose verdict is `success`; of several the one committed last.
    pub(crate) fn green_ancestor(&self, id: CommitId) -> Result<Option<CommitId>, Error> {
        let unreadable =
            |source| git_error(format!("the history of `{id}` cannot be read"), source);
        let mut walk = self.git.revwalk().map_err(unreadable)?;
        walk.set_sorting(Sort::TIME | Sort::TOPOLOGICAL).map_err(unreadable)?;
        walk.push(oid(id)?).map_err(unreadable)?;
        for ancestor in walk.skip(1) {
            let ancestor = commit_id(ancestor.map_err(unreadable)?)?;
            let note = self.verdict(ancestor)?;
            if note.and_then(|note| note.verdict) == Some(Verdict::Success) {
                return Ok(Some(ancestor));
            }
        }
        Ok(None)
    }

    /// The paths that differ between two commits, sorted; all of the commit's without a base. A
    /// path that is not UTF-8 comes with U+FFFD.
    pub(crate) fn changed_paths(
        &self,
        base: Option<CommitId>,
        id: CommitId,
    ) -> Result<Vec<String>, Error> {
        let unreadable = |source| git_error(format!("the tree of `{id}` cannot be read"), source);
        let tree = history::find_commit(&self.git, oid(id)?)?.tree().map_err(unreadable)?;
        let mut paths = Vec::new();
        match base {
            Some(base) => {
                let old =
                    history::find_commit(&self.git, oid(base)?)?.tree().map_err(unreadable)?;
                let diff = self.git.diff_tree_to_tree(Some(&old), Some(&tree), None);
                for delta in diff.map_err(unreadable)?.deltas() {
                    let file = if delta.status() == Delta::Deleted {
                        delta.old_file()
                    } else {
                        delta.new_file()
                    };
                    paths.extend(file.path_bytes().map(lossy));
                }
            }
            None => {
                let walked = tree.walk(TreeWalkMode::PreOrder, |folder, entry| {
                    if entry.kind() != Some(git2::ObjectType::Tree) {
                        paths.push(format!("{folder}{}", lossy(entry.name_bytes())));
                    }
                    TreeWalkResult::Ok
                });
                walked.map_err(unreadable)?;
            }
        }
        paths.sort();
        paths.dedup();
        Ok(paths)
    }

    /// The tags that name this commit, annotated ones too, without `refs/tags/`.
    pub(crate) fn tags_of(&self, id: CommitId) -> Result<Vec<String>, Error> {
        let wanted: Oid = oid(id)?;
        let unlisted = |source| git_error(format!("the tags of {self} cannot be listed"), source);
        let mut names = Vec::new();
        // By their prefix: a second look asks this of many refs, of which few are tags.
        for tag in self.git.references_glob("refs/tags/*").map_err(unlisted)? {
            let tag = tag.map_err(unlisted)?;
            if tip_of(self, &tag)? == Some(wanted) {
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
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::testing::TestRepo;

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
        assert_eq!(open.changed_paths(None, id(&third)).unwrap(), ["b", "dir/c é"]);
        judge(&repo, &first, "success");
        judge(&repo, &second, "failure");
        judge(&repo, &third, "success");
        assert_eq!(open.green_ancestor(id(&third)).unwrap(), Some(id(&first)));
        let changed = open.changed_paths(Some(id(&first)), id(&third)).unwrap();
        assert_eq!(changed, ["a", "b", "dir/c é"]);
        judge(&repo, &second, "success");
        assert_eq!(open.green_ancestor(id(&third)).unwrap(), Some(id(&second)));
        assert_eq!(open.tags_of(id(&third)).unwrap(), ["light", "v1/annotated"]);
        assert!(open.tags_of(id(&first)).unwrap().is_empty());
    }
}
