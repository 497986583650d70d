//! Reads a commit as data, and finds the branch that it is tested for.

use std::collections::{HashMap, HashSet};

use git2::Oid;

use super::{reachability::Reachability, walk};
use crate::model::{
    commit::{Commit, CommitId, GitString, TreeId},
    error::Error,
    selection::RefUpdate,
};
use crate::repo::repository::{Repo, commit_id, git_error, id_bytes, oid};

const BRANCHES: &[u8] = b"refs/heads/";

impl Repo {
    /// Returns the data of a commit.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) with the commit's id if it is missing or broken.
    pub(crate) fn commit(&self, id: CommitId) -> Result<Commit, Error> {
        let branch = self.branches_of(&[oid(id)?], &[])?.remove(&oid(id)?);
        self.commit_for(id, branch)
    }

    /// Returns the data of these commits, in their order, with one walk for all of them.
    ///
    /// # Errors
    ///
    /// As [`commit`](Repo::commit).
    pub(crate) fn commits(&self, ids: &[CommitId]) -> Result<Vec<Commit>, Error> {
        let all: Vec<Oid> = ids.iter().map(|id| oid(*id)).collect::<Result<_, _>>()?;
        let mut branches = self.branches_of(&all, &[])?;
        ids.iter().zip(all).map(|(id, oid)| self.commit_for(*id, branches.remove(&oid))).collect()
    }

    /// Returns the data of a commit whose branch is already known.
    ///
    /// # Errors
    ///
    /// As [`commit`](Repo::commit).
    pub(crate) fn commit_for(
        &self,
        id: CommitId,
        branch: Option<GitString>,
    ) -> Result<Commit, Error> {
        let commit = walk::find_commit(&self.git, oid(id)?)?;
        let author = commit.author();
        let author = match author.is_empty() {
            true => Vec::new(),
            false => [&author.name, b" <".as_slice(), &author.email, b">"].concat(),
        };
        Ok(Commit {
            id,
            tree: TreeId::from_bytes(id_bytes(commit.tree_id())?),
            parents: commit.parent_ids().into_iter().map(commit_id).collect::<Result<_, _>>()?,
            time: commit.seconds(),
            author: GitString::new(author),
            subject: GitString::new(commit.subject()),
            message: GitString::new(commit.message()),
            branch,
        })
    }

    /// Finds the branches of commits that do not come from a scan.
    ///
    /// The parents of the oldest commit are hidden, so that no walk goes deeper than necessary. If
    /// committer times are wrong, this can hide some of the commits. These are then walked one by
    /// one.
    fn branches_of(
        &self,
        ids: &[Oid],
        pushed: &[RefUpdate],
    ) -> Result<HashMap<Oid, GitString>, Error> {
        let mut hidden = None;
        for id in ids {
            let node = walk::read_node(&self.git, *id)?;
            if hidden.as_ref().is_none_or(|(time, _)| node.time < *time) {
                hidden = Some((node.time, node.parents));
            }
        }
        let hidden = hidden.map(|(_, parents)| parents).unwrap_or_default();
        let nodes = walk::between(&self.git, ids, &hidden)?;
        let (found, not_in_walk): (HashSet<Oid>, HashSet<Oid>) = {
            let in_walk: HashSet<Oid> = nodes.iter().map(|node| node.id).collect();
            ids.iter().copied().partition(|id| in_walk.contains(id))
        };
        let mut reachability = Reachability::new(&self.git, ids.iter().copied(), &hidden, &nodes);
        let mut branches = self.branches(&found, pushed, &mut reachability)?;
        for id in not_in_walk {
            branches.extend(self.branches_of(&[id], pushed)?);
        }
        Ok(branches)
    }

    /// Returns a branch for each of these commits.
    ///
    /// The pushed branch that added the commit comes first, then HEAD's branch if it contains the
    /// commit, then the first other branch by name. A branch that the push created comes after
    /// HEAD's branch, because tinyci cannot tell which of its commits are older.
    pub(in crate::repo) fn branches(
        &self,
        commits: &HashSet<Oid>,
        pushed: &[RefUpdate],
        reachability: &mut Reachability<'_>,
    ) -> Result<HashMap<Oid, GitString>, Error> {
        let mut assignment =
            BranchAssignment { unassigned: commits.clone(), branches: HashMap::new() };
        let (moved, created): (Vec<_>, Vec<_>) = pushed
            .iter()
            .filter(|update| short(&update.reference).is_some())
            .partition(|update| update.old.is_some());
        for update in moved {
            assignment.assign(&self.added_by_push(update, reachability)?, &update.reference);
        }
        if let Some((name, tip)) = self.head_branch_tip()?.filter(|_| assignment.has_unassigned()) {
            assignment.assign(&reachability.reached_from(tip, &mut HashSet::new())?, &name);
        }
        let mut visited = HashSet::new();
        for update in created {
            if let Some(tip) = self.peel_update(update.new)? {
                assignment
                    .assign(&reachability.reached_from(tip, &mut visited)?, &update.reference);
            }
        }
        if assignment.has_unassigned() {
            let all = self.selected(&["refs/heads/*".to_owned()])?;
            reachability.walk_from(all.values().copied())?;
            let mut visited = HashSet::new();
            for (name, tip) in all {
                assignment
                    .assign(&reachability.reached_from(tip, &mut visited)?, &GitString::new(name));
            }
        }
        Ok(assignment.branches)
    }

    /// Returns the commits that a pushed ref reaches now and did not reach before.
    pub(in crate::repo) fn added_by_push(
        &self,
        update: &RefUpdate,
        reachability: &mut Reachability<'_>,
    ) -> Result<Vec<Oid>, Error> {
        let Some(new) = self.peel_update(update.new)? else { return Ok(Vec::new()) };
        let mut visited = HashSet::new();
        // The old commit may no longer exist. Its ancestors are unknown then.
        if let Some(old) = self.peel_update(update.old)? {
            reachability.reached_from(old, &mut visited)?;
        }
        reachability.reached_from(new, &mut visited)
    }

    /// Returns the commits that only the push added.
    ///
    /// The refs of the push reach these commits now and did not reach them before. No other
    /// selected ref reaches them.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) with the name of the object or ref that cannot be read.
    pub(crate) fn new_with_push(
        &self,
        updates: &[RefUpdate],
        refs: &[String],
    ) -> Result<HashSet<CommitId>, Error> {
        let (mut tips, mut before) = (Vec::new(), Vec::new());
        for update in updates {
            tips.extend(self.peel_update(update.new)?);
            before.extend(self.peel_update(update.old)?);
        }
        let is_pushed = |name: &[u8]| updates.iter().any(|it| it.reference.as_bytes() == name);
        let selected = self.selected(refs)?.into_iter();
        before.extend(selected.filter(|(name, _)| !is_pushed(name)).map(|(_, tip)| tip));
        let new = walk::between(&self.git, &tips, &before)?;
        new.into_iter().map(|node| commit_id(node.id)).collect()
    }

    fn peel_update(&self, object: Option<CommitId>) -> Result<Option<Oid>, Error> {
        let commit = object.map(|object| self.peel(object)).transpose()?.flatten();
        commit.map(oid).transpose()
    }

    /// Returns the ref of HEAD's branch and the commit that it names.
    fn head_branch_tip(&self) -> Result<Option<(GitString, Oid)>, Error> {
        let Some(name) = self.head_branch()? else { return Ok(None) };
        let tip = match self.git.head() {
            Ok(head) => head.target(),
            // The branch has no commit yet, or its file is not a readable ref.
            Err(error) if error.code() == git2::ErrorCode::UnbornBranch => None,
            Err(source) => {
                return Err(git_error(format!("cannot read HEAD of {self}"), source));
            }
        };
        Ok(tip.map(|tip| (GitString::new(name), tip)))
    }
}

/// Assigns branches to commits, one branch after the other.
struct BranchAssignment {
    unassigned: HashSet<Oid>,
    branches: HashMap<Oid, GitString>,
}

impl BranchAssignment {
    /// Returns true if some commits still have no branch.
    fn has_unassigned(&self) -> bool {
        !self.unassigned.is_empty()
    }

    /// Assigns this ref, if it is a branch, to those of the commits that have none.
    fn assign(&mut self, commits: &[Oid], reference: &GitString) {
        let Some(branch) = short(reference) else { return };
        let assigned = commits.iter().filter(|id| self.unassigned.remove(id));
        self.branches.extend(assigned.map(|id| (*id, branch.clone())));
    }
}

/// Returns a branch's name without `refs/heads/`, or `None` for other refs.
fn short(reference: &GitString) -> Option<GitString> {
    reference.as_bytes().strip_prefix(BRANCHES).map(GitString::new)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn update(old: Option<&str>, new: &str, branch: &str) -> RefUpdate {
        let id = |text: &str| text.parse().unwrap();
        let reference = GitString::from(format!("refs/heads/{branch}").as_str());
        RefUpdate { old: old.map(id), new: Some(id(new)), reference }
    }

    fn branch(repo: &TestRepo, id: &str, pushed: &[RefUpdate]) -> Option<String> {
        let id = id.parse().unwrap();
        let branches = Repo::open(repo.path()).unwrap().branches_of(&[id], pushed).unwrap();
        branches.get(&id).map(GitString::to_string)
    }

    #[test]
    fn a_commit_is_what_git_shows() {
        let repo = TestRepo::new();
        let one = repo.commit("one");
        repo.write("file", "x");
        let id = repo.commit("First line\nsecond\n\nBody\nof it\n");
        let commit = Repo::open(repo.path()).unwrap().commit(id.parse().unwrap()).unwrap();
        let show = |format: &str| repo.git(&["show", "-s", &format!("--format={format}"), &id]);
        assert_eq!(commit.tree.to_string(), show("%T"));
        assert_eq!(commit.parents, [one.parse().unwrap()]);
        assert_eq!(commit.time.to_string(), show("%ct"));
        assert_eq!(commit.author.to_string(), show("%an <%ae>"));
        assert_eq!(commit.subject.to_string(), show("%s"));
        assert_eq!(commit.message.to_string().trim_end(), show("%B"));
        assert_eq!(commit.branch.unwrap(), "main");
    }

    #[test]
    fn bytes_that_are_not_utf8_are_kept() {
        let repo = TestRepo::new();
        repo.write("message", b"caf\xe9");
        // Of the first, the encoding is known; the second stays as it is.
        for (encoding, subject) in [("ISO-8859-1", &b"caf\xc3\xa9"[..]), ("none", b"caf\xe9")] {
            let encoding = format!("i18n.commitEncoding={encoding}");
            let commit = ["commit", "-q", "--allow-empty", "-F", "message"];
            repo.git(&[&["-c", &encoding], &commit[..]].concat());
            let id = repo.git(&["rev-parse", "HEAD"]).parse().unwrap();
            let commit = Repo::open(repo.path()).unwrap().commit(id).unwrap();
            assert_eq!(commit.subject.as_bytes(), subject);
        }
    }

    #[test]
    fn the_branch_follows_the_rule() {
        let repo = TestRepo::new();
        let one = repo.commit("one");
        repo.git(&["checkout", "-q", "-b", "side"]);
        let two = repo.commit("two");
        repo.git(&["branch", "another"]);
        repo.git(&["checkout", "-q", "main"]);
        let three = repo.commit("three");
        assert_eq!(branch(&repo, &one, &[]).unwrap(), "main");
        assert_eq!(branch(&repo, &two, &[]).unwrap(), "another", "the first by name");
        assert_eq!(branch(&repo, &three, &[]).unwrap(), "main");

        let moved = [update(Some(&one), &two, "side")];
        assert_eq!(branch(&repo, &two, &moved).unwrap(), "side", "it brought the commit");
        assert_eq!(branch(&repo, &one, &moved).unwrap(), "main", "it had the commit before");
        let created = [update(None, &two, "side")];
        assert_eq!(branch(&repo, &one, &created).unwrap(), "main", "HEAD's branch has it");
        assert_eq!(branch(&repo, &two, &created).unwrap(), "side");
        let tag = [RefUpdate { reference: "refs/tags/v1".into(), ..update(None, &two, "x") }];
        assert_eq!(branch(&repo, &two, &tag).unwrap(), "another", "a tag is no branch");
        let gone = [RefUpdate { new: None, ..update(Some(&two), &two, "side") }];
        assert_eq!(branch(&repo, &two, &gone).unwrap(), "another");

        repo.git(&["branch", "-D", "another", "side"]);
        assert_eq!(branch(&repo, &two, &[]), None);
        repo.git(&["checkout", "-q", "--detach"]);
        assert_eq!(branch(&repo, &three, &[]).unwrap(), "main");
        repo.git(&["symbolic-ref", "HEAD", "refs/heads/unborn"]);
        assert_eq!(branch(&repo, &three, &[]).unwrap(), "main");
    }

    #[test]
    fn many_at_once_get_what_each_would_get_alone() {
        let repo = TestRepo::new();
        let mut all = vec![repo.commit("root")];
        for (from, branch, count) in
            [("main", "main", 4), ("main~2", "b", 3), ("b~1", "a", 2), ("main~1", "c/d", 3)]
        {
            repo.git(&["checkout", "-q", "-B", branch, from]);
            all.extend((0..count).map(|number| repo.commit(&format!("{branch} {number}"))));
        }
        repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "a"]);
        repo.git(&["checkout", "-q", "--orphan", "0"]);
        all.push(repo.commit("alone"));
        repo.git(&["symbolic-ref", "HEAD", "refs/heads/b"]);
        let expected = |id: &String| {
            let list = ["for-each-ref", "--format=%(refname:short)", "refs/heads", "--contains"];
            let with = repo.git(&[list.as_slice(), &[id.as_str()]].concat());
            let of_head = with.lines().find(|name| *name == "b");
            of_head.or(with.lines().next()).map(str::to_owned)
        };
        let opened = Repo::open(repo.path()).unwrap();
        // Once with every commit, then with gaps between them.
        for step in [1, 2, 3] {
            let some: Vec<&String> = all.iter().step_by(step).collect();
            let ids: Vec<CommitId> = some.iter().map(|id| id.parse().unwrap()).collect();
            let commits = opened.commits(&ids).unwrap();
            assert_eq!(commits.iter().map(|commit| commit.id).collect::<Vec<_>>(), ids);
            for (id, commit) in some.into_iter().zip(commits) {
                let branch = commit.branch.map(|branch| branch.to_string());
                assert_eq!(branch, expected(id), "{}", commit.subject);
            }
        }
    }
}
