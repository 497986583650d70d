//! Visits commits from the newest back, one at a time. A search for the last few does not read the
//! whole history.

use std::{
    collections::{BinaryHeap, HashSet},
    ops::ControlFlow,
};

use git2::Oid;

use super::walk::{Node, read_node};
use crate::model::{commit::CommitId, error::Error};
use crate::repo::repository::{Repo, commit_id, oid};

type Visit<'a> = &'a mut dyn FnMut(CommitId) -> Result<ControlFlow<()>, Error>;

impl Repo {
    /// Visits the commits of these ranges, newest committer time first, as in `git log`.
    ///
    /// Without ranges, visits all commits that the selected refs reach. A `Break` ends the walk.
    ///
    /// # Errors
    ///
    /// The visitor's error; [`NotFound`](crate::ErrorKind::NotFound) for a range that names no
    /// commit; [`Git`](crate::ErrorKind::Git) with the name of the object that cannot be read.
    pub(crate) fn newest_first(
        &self,
        ranges: &[String],
        refs: &[String],
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        if ranges.is_empty() {
            let tips = self.selected(refs)?.into_values();
            return self.walk_back(tips, visit);
        }
        for range in ranges {
            for id in self.resolve_range(range)?.into_iter().rev() {
                if visit(id)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Visits everything that a commit reaches, newest committer time first. A `Break` ends the walk.
    ///
    /// # Errors
    ///
    /// As [`newest_first`](Repo::newest_first).
    pub(crate) fn newest_first_from(&self, tip: CommitId, visit: Visit<'_>) -> Result<(), Error> {
        self.walk_back([oid(tip)?].into_iter(), visit)
    }

    /// Visits a commit, its first parent, the first parent of that, and so on.
    ///
    /// So it visits the commits of the branch itself, without those that were merged into it.
    ///
    /// # Errors
    ///
    /// The visitor's error; [`Git`](crate::ErrorKind::Git) with the name of the object that cannot
    /// be read.
    pub(crate) fn first_parents(&self, tip: CommitId, visit: Visit<'_>) -> Result<(), Error> {
        let mut next = Some(oid(tip)?);
        while let Some(id) = next {
            if visit(commit_id(id)?)?.is_break() {
                break;
            }
            next = read_node(&self.git, id)?.parents.first().copied();
        }
        Ok(())
    }

    /// Visits all that these commits reach, the newest first, until the visitor breaks.
    pub(super) fn walk_back(
        &self,
        tips: impl Iterator<Item = Oid>,
        visit: Visit<'_>,
    ) -> Result<(), Error> {
        let mut met = HashSet::new();
        let mut queue = BinaryHeap::new();
        for tip in tips.filter(|tip| met.insert(*tip)) {
            queue.push(ByTime(read_node(&self.git, tip)?));
        }
        while let Some(ByTime(node)) = queue.pop() {
            if visit(commit_id(node.id)?)?.is_break() {
                break;
            }
            for parent in node.parents {
                if met.insert(parent) {
                    queue.push(ByTime(read_node(&self.git, parent)?));
                }
            }
        }
        Ok(())
    }
}

/// Orders commits by time, newest first; in one second, the greater id first.
struct ByTime(Node);

impl Ord for ByTime {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.0.time, self.0.id).cmp(&(other.0.time, other.0.id))
    }
}

impl PartialOrd for ByTime {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByTime {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByTime {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn visited(repo: &TestRepo, ranges: &[&str], most: usize) -> Vec<String> {
        let ranges: Vec<String> = ranges.iter().map(|range| (*range).to_owned()).collect();
        let mut seen = Vec::new();
        let mut visit = |id: CommitId| {
            seen.push(id.to_string());
            Ok(if seen.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) })
        };
        let refs = ["refs/heads/*".to_owned()];
        Repo::open(repo.path()).unwrap().newest_first(&ranges, &refs, &mut visit).unwrap();
        seen
    }

    #[test]
    fn the_order_is_that_of_git_log_over_all_branches() {
        let repo = TestRepo::new();
        let first = repo.commit("first");
        repo.commit("second");
        repo.git(&["switch", "-q", "-c", "side", &first]);
        repo.commit("third");
        repo.git(&["switch", "-q", "main"]);
        repo.commit("fourth");
        repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
        repo.commit("sixth");
        let log = repo.git(&["log", "--branches", "--format=%H"]);
        assert_eq!(visited(&repo, &[], usize::MAX), log.lines().collect::<Vec<_>>());
        assert_eq!(visited(&repo, &[], 2), log.lines().take(2).collect::<Vec<_>>());
        let range = repo.git(&["log", "--format=%H", &format!("{first}..main~1")]);
        let mut range: Vec<&str> = range.lines().collect();
        let mut seen = visited(&repo, &[&format!("{first}..main~1")], usize::MAX);
        assert_eq!(seen.first().map(String::as_str), range.first().copied());
        range.sort_unstable();
        seen.sort_unstable();
        assert_eq!(seen, range);
    }

    #[test]
    fn first_parents_pass_by_what_was_merged() {
        let repo = TestRepo::new();
        repo.commit("first");
        repo.git(&["switch", "-q", "-c", "side"]);
        repo.commit("merged");
        repo.git(&["switch", "-q", "main"]);
        repo.commit("second");
        repo.git(&["merge", "-q", "--no-ff", "-m", "merge", "side"]);
        let tip = repo.commit("last");
        let mut seen = Vec::new();
        let mut visit = |id: CommitId| {
            seen.push(id.to_string());
            Ok(ControlFlow::Continue(()))
        };
        let opened = Repo::open(repo.path()).unwrap();
        opened.first_parents(tip.parse().unwrap(), &mut visit).unwrap();
        let log = repo.git(&["log", "--first-parent", "--format=%H"]);
        assert_eq!(seen, log.lines().collect::<Vec<_>>());
    }
}
