//! The baseline: the history that existed before tinyci was installed and is not tested.
//!
//! `refs/tinyci/baseline` names a commit with an empty tree. Its parents are the newest commits of
//! that history. So git treats them as reachable: `git gc` keeps them, and a fetch includes them.

use git2::Oid;

use super::walk;
use crate::model::{commit::CommitId, error::Error};
use crate::repo::{
    refs::atomic_ref::{self, AtomicRef, Edit},
    repository::{BASELINE, Repo, commit_id, git_error, oid},
};

impl Repo {
    /// Adds these commits and all their ancestors to the baseline.
    ///
    /// Compares and swaps the ref, and repeats this if another writer was faster. So no addition is
    /// lost. Commits that are already under the baseline cause no new commit.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the ref cannot be moved. The error names the lock file, if
    /// one exists.
    pub(crate) fn extend_baseline(&self, hidden: &[CommitId]) -> Result<(), Error> {
        let added: Vec<Oid> = hidden.iter().map(|id| oid(*id)).collect::<Result<_, _>>()?;
        self.baseline_ref().update("tinyci: baseline", |tip| {
            let before = self.heads_below(tip)?;
            let heads = walk::heads_of(&self.git, &[before.as_slice(), &added].concat())?;
            let mut unchanged = before;
            unchanged.sort();
            if heads == unchanged {
                return Ok(Edit::Keep(()));
            }
            Ok(Edit::Replace(self.baseline_commit(&heads)?, ()))
        })
    }

    /// Adds the commits that were under the baseline when it named this commit.
    pub(in crate::repo) fn merge_lost_baseline(&self, tip: Oid) -> Result<(), Error> {
        let heads = self.heads_below(Some(tip))?;
        let heads: Vec<CommitId> = heads.into_iter().map(commit_id).collect::<Result<_, _>>()?;
        self.extend_baseline(&heads)
    }

    /// Returns the baseline's commit and the newest commits under it.
    pub(in crate::repo) fn baseline(&self) -> Result<Option<(Oid, Vec<Oid>)>, Error> {
        let tip = self.baseline_ref().tip()?;
        tip.map(|tip| Ok((tip, self.heads_below(Some(tip))?))).transpose()
    }

    fn baseline_ref(&self) -> AtomicRef<'_> {
        AtomicRef::new(self, BASELINE)
    }

    fn heads_below(&self, tip: Option<Oid>) -> Result<Vec<Oid>, Error> {
        let commit = tip.map(|tip| walk::find_commit(&self.git, tip)).transpose()?;
        Ok(commit.map(|commit| commit.parent_ids()).unwrap_or_default())
    }

    fn baseline_commit(&self, parents: &[Oid]) -> Result<Oid, Error> {
        let unwritten = |source| git_error(format!("cannot write the baseline of {self}"), source);
        let tree = self.empty_tree().map_err(unwritten)?;
        // The time is that of the newest parent. So the same baseline is the same commit in every
        // repository.
        let mut time = 0;
        for parent in parents {
            time = time.max(walk::find_commit(&self.git, *parent)?.seconds());
        }
        let message = "tinyci: history up to here is not run";
        atomic_ref::commit(self, tree, parents, time, message).map_err(unwritten)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn extend(repo: &TestRepo, commits: &[&str]) {
        let ids: Vec<_> = commits.iter().map(|id| id.parse().unwrap()).collect();
        Repo::open(repo.path()).unwrap().extend_baseline(&ids).unwrap();
    }

    fn parents(repo: &TestRepo) -> Vec<String> {
        let parents = repo.git(&["rev-parse", &format!("{BASELINE}^@")]);
        parents.lines().map(str::to_owned).collect()
    }

    #[test]
    fn only_the_newest_commits_are_parents() {
        let repo = TestRepo::new();
        let all: Vec<_> = (0..5).map(|number| repo.commit(&number.to_string())).collect();
        repo.git(&["checkout", "-q", "--orphan", "other"]);
        let other = repo.commit("other");
        extend(&repo, &[]);
        assert!(!repo.try_git(&["rev-parse", "-q", "--verify", BASELINE]).status.success());
        extend(&repo, &[&all[1], &all[0]]);
        assert_eq!(parents(&repo), [all[1].clone()]);
        let before = repo.git(&["rev-parse", BASELINE]);
        extend(&repo, &[&all[0]]);
        assert_eq!(repo.git(&["rev-parse", BASELINE]), before, "it was under it before");
        extend(&repo, &[&other, &all[4], &all[2]]);
        let mut expected = [all[4].clone(), other];
        expected.sort();
        assert_eq!(parents(&repo), expected);
        repo.git(&["fsck", "--strict"]);
    }

    #[test]
    fn hidden_commits_survive_gc_without_their_branch() {
        let repo = TestRepo::new();
        repo.commit("one");
        repo.git(&["checkout", "-q", "-b", "side"]);
        let two = repo.commit("two");
        repo.git(&["checkout", "-q", "main"]);
        extend(&repo, &[&two]);
        repo.git(&["branch", "-D", "side"]);
        repo.git(&["reflog", "expire", "--expire=now", "--all"]);
        repo.git(&["gc", "-q", "--prune=now"]);
        assert_eq!(repo.git(&["cat-file", "-t", &two]), "commit");
    }

    #[test]
    fn writers_at_once_lose_nothing() {
        let repo = TestRepo::new();
        let roots: Vec<String> = (0..8)
            .map(|number| {
                repo.git(&["checkout", "-q", "--orphan", &format!("b{number}")]);
                repo.commit(&number.to_string())
            })
            .collect();
        std::thread::scope(|scope| {
            for root in &roots {
                let (path, id) = (repo.path(), root.parse().unwrap());
                scope.spawn(move || Repo::open(path).unwrap().extend_baseline(&[id]).unwrap());
            }
        });
        let mut expected = roots;
        expected.sort();
        assert_eq!(parents(&repo), expected);
    }
}
