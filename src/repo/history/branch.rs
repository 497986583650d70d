//! A commit as data, and the branch that it is judged for.

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
    /// What git knows of a commit.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) naming the commit, where it is missing or broken.
    pub(crate) fn commit(&self, id: CommitId) -> Result<Commit, Error> {
        let branch = self.branches_of(&[oid(id)?], &[])?.remove(&oid(id)?);
        self.commit_for(id, branch)
    }

    /// What git knows of these commits, in their order. Many cost little more than the oldest.
    ///
    /// # Errors
    ///
    /// As [`commit`](Repo::commit).
    pub(crate) fn commits(&self, ids: &[CommitId]) -> Result<Vec<Commit>, Error> {
        let all: Vec<Oid> = ids.iter().map(|id| oid(*id)).collect::<Result<_, _>>()?;
        let mut branches = self.branches_of(&all, &[])?;
        ids.iter().zip(all).map(|(id, oid)| self.commit_for(*id, branches.remove(&oid))).collect()
    }

    /// What git knows of a commit of which it is known for which branch it is judged.
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

    /// The branches of commits that no scan has found.
    ///
    /// The parents of the oldest are hidden, so that no walk goes deeper than there is need. Where
    /// clocks went wrong, that hides others with them, which are then looked at one by one.
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
        let (found, beyond): (HashSet<Oid>, HashSet<Oid>) = {
            let there: HashSet<Oid> = nodes.iter().map(|node| node.id).collect();
            ids.iter().copied().partition(|id| there.contains(id))
        };
        let mut reach = Reachability::new(&self.git, ids.iter().copied(), &hidden, &nodes);
        let mut branches = self.branches(&found, pushed, &mut reach)?;
        for id in beyond {
            branches.extend(self.branches_of(&[id], pushed)?);
        }
        Ok(branches)
    }

    /// For each of these commits the pushed branch that brought it, else HEAD's branch if that
    /// contains it, else the first branch by name that does.
    ///
    /// A branch that the push created brought what no older branch had: that is not known any
    /// more, so HEAD's branch goes before it.
    pub(in crate::repo) fn branches(
        &self,
        commits: &HashSet<Oid>,
        pushed: &[RefUpdate],
        reach: &mut Reachability<'_>,
    ) -> Result<HashMap<Oid, GitString>, Error> {
        let mut choice = Choice { left: commits.clone(), branches: HashMap::new() };
        let (moved, created): (Vec<_>, Vec<_>) = pushed
            .iter()
            .filter(|update| short(&update.reference).is_some())
            .partition(|update| update.old.is_some());
        for update in moved {
            choice.take(&self.brought(update, reach)?, &update.reference);
        }
        if let Some((name, tip)) = self.head_branch_tip()?.filter(|_| choice.is_open()) {
            choice.take(&reach.below(tip, &mut HashSet::new())?, &name);
        }
        let mut met = HashSet::new();
        for update in created {
            if let Some(tip) = self.peel_update(update.new)? {
                choice.take(&reach.below(tip, &mut met)?, &update.reference);
            }
        }
        if choice.is_open() {
            let all = self.selected(&["refs/heads/*".to_owned()])?;
            reach.learn(all.values().copied())?;
            let mut met = HashSet::new();
            for (name, tip) in all {
                choice.take(&reach.below(tip, &mut met)?, &GitString::new(name));
            }
        }
        Ok(choice.branches)
    }

    /// The commits that a pushed ref reaches now and did not before.
    pub(in crate::repo) fn brought(
        &self,
        update: &RefUpdate,
        reach: &mut Reachability<'_>,
    ) -> Result<Vec<Oid>, Error> {
        let Some(new) = self.peel_update(update.new)? else { return Ok(Vec::new()) };
        let mut met = HashSet::new();
        // An old commit that is gone by now cannot be asked.
        if let Some(old) = self.peel_update(update.old)? {
            reach.below(old, &mut met)?;
        }
        reach.below(new, &mut met)
    }

    /// The commits that came with a push alone: what its refs reach now, and neither reached before
    /// nor is reached by any other selected ref.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) naming the object or ref that cannot be read.
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

    /// The ref of HEAD's branch, and the commit that it names.
    fn head_branch_tip(&self) -> Result<Option<(GitString, Oid)>, Error> {
        let Some(name) = self.head_branch()? else { return Ok(None) };
        let tip = match self.git.head() {
            Ok(head) => head.target(),
            // The branch has no commit yet, or its file is not readable as a ref.
            Err(error) if error.code() == git2::ErrorCode::UnbornBranch => None,
            Err(source) => {
                return Err(git_error(format!("cannot read HEAD of {self}"), source));
            }
        };
        Ok(tip.map(|tip| (GitString::new(name), tip)))
    }
}

/// Commits that get branches, one branch after the other.
struct Choice {
    left: HashSet<Oid>,
    branches: HashMap<Oid, GitString>,
}

impl Choice {
    /// Whether there are commits without a branch.
    fn is_open(&self) -> bool {
        !self.left.is_empty()
    }

    /// Gives this ref to those of the commits that have none, if it is a branch.
    fn take(&mut self, commits: &[Oid], reference: &GitString) {
        let Some(branch) = short(reference) else { return };
        let taken = commits.iter().filter(|id| self.left.remove(id));
        self.branches.extend(taken.map(|id| (*id, branch.clone())));
    }
}

/// A branch's name without `refs/heads/`; none for any other ref.
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
        // With every one, and with gaps between them.
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
