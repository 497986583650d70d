//! Walks history: the commits between some tips and hidden commits, oldest first.
//!
//! tinyci does not use the walk of libgit2. This one reads every commit and its tree id once, and
//! its errors name the unreadable commit. It also searches further than git before it trusts
//! committer times.

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap, HashSet, hash_map::Entry},
};

use git2::{Oid, Repository};

use crate::model::error::Error;
use crate::repo::{
    objects::commit::{self, StoredCommit},
    repository::git_error,
};

/// The data of one commit in a walk.
#[derive(Clone, Debug)]
pub(in crate::repo) struct Node {
    pub(in crate::repo) id: Oid,
    pub(in crate::repo) tree: Oid,
    /// The committer time, in seconds since 1970.
    pub(in crate::repo) time: i64,
    pub(in crate::repo) parents: Vec<Oid>,
}

/// Reads one commit.
///
/// A commit at the edge of a shallow clone has no parents.
pub(in crate::repo) fn read_node(git: &Repository, id: Oid) -> Result<Node, Error> {
    let commit = find_commit(git, id)?;
    let (tree, time) = (commit.tree_id(), commit.seconds());
    Ok(Node { id, tree, time, parents: commit.parent_ids() })
}

/// Finds one commit. The error names the commit.
pub(in crate::repo) fn find_commit(git: &Repository, id: Oid) -> Result<StoredCommit<'_>, Error> {
    commit::stored(git, id)
        .map_err(|source| git_error(format!("commit `{id}` is missing or broken"), source))
}

/// Returns the commits reachable from `tips` and not from `hidden`, unsorted.
pub(in crate::repo) fn between(
    git: &Repository,
    tips: &[Oid],
    hidden: &[Oid],
) -> Result<Vec<Node>, Error> {
    let mut walk = Walk::new(git);
    for id in hidden {
        walk.visit(*id, true)?;
    }
    for id in tips {
        walk.visit(*id, false)?;
    }
    walk.run()
}

/// Returns true if commit `id` is `tip` or an ancestor of it. As exact as [`between`].
pub(in crate::repo) fn reaches(git: &Repository, tip: Oid, id: Oid) -> Result<bool, Error> {
    Ok(tip == id || between(git, &[id], &[tip])?.is_empty())
}

/// Returns the merge bases of two commits, sorted by id.
pub(in crate::repo) fn merge_bases(
    git: &Repository,
    left: Oid,
    right: Oid,
) -> Result<Vec<Oid>, Error> {
    let (of_left, of_right) = (between(git, &[left], &[right])?, between(git, &[right], &[left])?);
    if of_left.is_empty() || of_right.is_empty() {
        return Ok(vec![if of_left.is_empty() { left } else { right }]);
    }
    let apart: HashSet<Oid> = of_left.iter().chain(&of_right).map(|node| node.id).collect();
    let below = of_left.iter().chain(&of_right).flat_map(|node| &node.parents);
    let common: HashSet<Oid> = below.filter(|id| !apart.contains(id)).copied().collect();
    heads_of(git, &common.into_iter().collect::<Vec<_>>())
}

/// Sorts these commits so that ancestors come before their descendants.
///
/// Reads the history down to the oldest of them, and a little further in case committer times are
/// wrong.
pub(in crate::repo) fn by_topology(git: &Repository, ids: &[Oid]) -> Result<Vec<Oid>, Error> {
    let wanted: HashSet<Oid> = ids.iter().copied().collect();
    let (mut left, mut slack) = (wanted.clone(), CLOCK_SLACK);
    let (mut queue, mut nodes) = (BinaryHeap::new(), HashMap::new());
    let mut next: Vec<Oid> = ids.to_vec();
    loop {
        for id in next.drain(..) {
            if let Entry::Vacant(place) = nodes.entry(id) {
                let node = place.insert(read_node(git, id)?);
                queue.push((node.time, id));
            }
        }
        let Some((_, id)) = queue.pop().filter(|_| slack > 0) else { break };
        left.remove(&id);
        slack -= usize::from(left.is_empty());
        next.extend(nodes.get(&id).iter().flat_map(|node| &node.parents));
    }
    let sorted = oldest_first(nodes.into_values().collect());
    Ok(sorted.into_iter().map(|node| node.id).filter(|id| wanted.contains(id)).collect())
}

/// The number of hidden commits to visit after the walk could end if all committer times were
/// right. Git's own walk visits five.
const CLOCK_SLACK: usize = 128;

struct WalkState {
    node: Node,
    hidden: bool,
    queued: bool,
}

/// A walk from the newest commit down, through hidden and other commits at once.
///
/// It ends when only hidden commits are left that are older than every other commit.
struct Walk<'r> {
    git: &'r Repository,
    seen: HashMap<Oid, WalkState>,
    queue: BinaryHeap<(i64, Oid)>,
    visible_in_queue: usize,
    oldest_visible: i64,
}

impl<'r> Walk<'r> {
    fn new(git: &'r Repository) -> Self {
        Self {
            git,
            seen: HashMap::new(),
            queue: BinaryHeap::new(),
            visible_in_queue: 0,
            oldest_visible: i64::MAX,
        }
    }

    fn run(mut self) -> Result<Vec<Node>, Error> {
        let mut slack = CLOCK_SLACK;
        while let Some((time, id)) = self.queue.pop() {
            if self.visible_in_queue == 0 && time < self.oldest_visible {
                let none_was_visible = self.oldest_visible == i64::MAX;
                if slack == 0 || none_was_visible {
                    break;
                }
                slack -= 1;
            }
            self.expand(id)?;
        }
        let seen = self.seen.into_values().filter(|seen| !seen.hidden);
        Ok(seen.map(|seen| seen.node).collect())
    }

    /// Visits the parents of a commit that leaves the queue.
    fn expand(&mut self, id: Oid) -> Result<(), Error> {
        let Some(seen) = self.seen.get_mut(&id) else { return Ok(()) };
        seen.queued = false;
        let (hidden, parents) = (seen.hidden, seen.node.parents.clone());
        if !hidden {
            self.visible_in_queue -= 1;
            self.oldest_visible = self.oldest_visible.min(seen.node.time);
        }
        parents.into_iter().try_for_each(|parent| self.visit(parent, hidden))
    }

    fn visit(&mut self, id: Oid, hidden: bool) -> Result<(), Error> {
        if self.seen.contains_key(&id) {
            if hidden {
                self.hide(id);
            }
            return Ok(());
        }
        let node = read_node(self.git, id)?;
        self.queue.push((node.time, id));
        self.visible_in_queue += usize::from(!hidden);
        self.seen.insert(id, WalkState { node, hidden, queued: true });
        Ok(())
    }

    /// Hides a visited commit and all its visited ancestors.
    fn hide(&mut self, id: Oid) {
        let mut stack = vec![id];
        while let Some(id) = stack.pop() {
            let Some(seen) = self.seen.get_mut(&id) else { continue };
            if seen.hidden {
                continue;
            }
            seen.hidden = true;
            if seen.queued {
                self.visible_in_queue -= 1;
            } else {
                stack.extend(&seen.node.parents);
            }
        }
    }
}

/// Sorts commits so that every parent comes before its children.
///
/// Of several that could come next, the one with the earlier time comes first, then the one with
/// the smaller id.
pub(in crate::repo) fn oldest_first(nodes: Vec<Node>) -> Vec<Node> {
    let index: HashMap<Oid, usize> = nodes.iter().enumerate().map(|(at, n)| (n.id, at)).collect();
    let mut waiting = vec![0_usize; nodes.len()];
    let mut children: HashMap<usize, Vec<usize>> = HashMap::new();
    for (child, node) in nodes.iter().enumerate() {
        // A commit may name one parent twice.
        let parents: HashSet<usize> =
            node.parents.iter().filter_map(|p| index.get(p)).copied().collect();
        if let Some(count) = waiting.get_mut(child) {
            *count = parents.len();
        }
        parents.into_iter().for_each(|parent| children.entry(parent).or_default().push(child));
    }
    let mut slots: Vec<Option<Node>> = nodes.into_iter().map(Some).collect();
    let key = |node: &Node, at: usize| Reverse((node.time, node.id, at));
    let mut ready: BinaryHeap<_> = slots
        .iter()
        .zip(&waiting)
        .enumerate()
        .filter(|(_, (_, count))| **count == 0)
        .filter_map(|(at, (slot, _))| slot.as_ref().map(|node| key(node, at)))
        .collect();
    let mut sorted = Vec::with_capacity(slots.len());
    while let Some(Reverse((_, _, at))) = ready.pop() {
        sorted.extend(slots.get_mut(at).and_then(Option::take));
        for child in children.remove(&at).unwrap_or_default() {
            let Some(count) = waiting.get_mut(child) else { continue };
            *count -= 1;
            if *count == 0 {
                ready.extend(slots.get(child).and_then(Option::as_ref).map(|n| key(n, child)));
            }
        }
    }
    sorted
}

/// A search among some tips and their ancestors that reads only as much as its answers need.
///
/// It reads from the newest commit down. A search for a commit that is there reads only newer
/// commits, and later searches do not read these again. A negative answer is exact even if
/// committer times are wrong, and reads the whole history below the tips.
pub(in crate::repo) struct AncestorSearch<'r> {
    git: &'r Repository,
    visited: HashSet<Oid>,
    queue: BinaryHeap<(i64, Oid, Vec<Oid>)>,
}

impl<'r> AncestorSearch<'r> {
    pub(in crate::repo) fn new(git: &'r Repository, tips: &[Oid]) -> Result<Self, Error> {
        let mut below = Self { git, visited: HashSet::new(), queue: BinaryHeap::new() };
        below.visit(tips)?;
        Ok(below)
    }

    /// Returns true if `id` is one of the tips or an ancestor of one.
    pub(in crate::repo) fn contains(&mut self, id: Oid) -> Result<bool, Error> {
        while !self.visited.contains(&id) {
            let Some((_, _, parents)) = self.queue.pop() else { return Ok(false) };
            self.visit(&parents)?;
        }
        Ok(true)
    }

    fn visit(&mut self, commits: &[Oid]) -> Result<(), Error> {
        for commit in commits {
            if self.visited.insert(*commit) {
                let node = read_node(self.git, *commit)?;
                self.queue.push((node.time, node.id, node.parents));
            }
        }
        Ok(())
    }
}

/// Returns those of these commits that are not ancestors of others, sorted by id.
///
/// Does not read commits older than the oldest of them. If committer times are wrong, the result
/// may contain a few commits too many.
pub(in crate::repo) fn heads_of(git: &Repository, ids: &[Oid]) -> Result<Vec<Oid>, Error> {
    let all: HashSet<Oid> = ids.iter().copied().collect();
    let nodes: Vec<Node> = all.iter().map(|id| read_node(git, *id)).collect::<Result<_, _>>()?;
    let oldest = nodes.iter().map(|node| node.time).min().unwrap_or(0);
    let mut below: HashSet<Oid> = nodes.iter().flat_map(|node| node.parents.clone()).collect();
    if nodes.iter().filter(|node| !below.contains(&node.id)).count() > 1 {
        // Several commits are not a parent of another, but may be an ancestor through unlisted
        // commits.
        let mut stack: Vec<Oid> = below.iter().filter(|id| !all.contains(id)).copied().collect();
        while let Some(id) = stack.pop() {
            let node = read_node(git, id)?;
            if node.time >= oldest {
                stack.extend(node.parents.into_iter().filter(|parent| below.insert(*parent)));
            }
        }
    }
    let mut heads: Vec<Oid> = all.difference(&below).copied().collect();
    heads.sort();
    Ok(heads)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn node(number: u8, time: i64, parents: &[u8]) -> Node {
        let id = |number: u8| Oid::from_bytes(&[number; 20]).unwrap();
        let parents = parents.iter().map(|parent| id(*parent)).collect();
        Node { id: id(number), tree: id(0), time, parents }
    }

    fn order(nodes: Vec<Node>) -> Vec<u8> {
        oldest_first(nodes).iter().map(|node| node.id.as_bytes()[0]).collect()
    }

    #[test]
    fn parents_come_first_then_time_then_id() {
        assert_eq!(order(vec![node(2, 5, &[]), node(1, 5, &[]), node(3, 4, &[])]), [3, 1, 2]);
        assert_eq!(order(vec![node(1, 1, &[2]), node(2, 9, &[]), node(3, 5, &[])]), [3, 2, 1]);
        let diamond = [node(4, 4, &[2, 3]), node(3, 2, &[1]), node(2, 3, &[1]), node(1, 1, &[])];
        assert_eq!(order(diamond.to_vec()), [1, 3, 2, 4]);
        assert_eq!(order(vec![node(1, 2, &[2, 2, 9]), node(2, 1, &[9])]), [2, 1]);
        assert_eq!(order(Vec::new()), [0; 0]);
    }

    /// Writes a pseudorandom history of merges, the same in every run.
    fn tangle(repo: &TestRepo) -> Vec<Oid> {
        let git = Repository::open(repo.path()).unwrap();
        let tree = git.treebuilder(None).unwrap().write().unwrap();
        let tree = git.find_tree(tree).unwrap();
        let mut state = 7_u64;
        let mut draw = |below: usize| {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(state >> 33).unwrap() % below
        };
        let mut all: Vec<Oid> = Vec::new();
        for number in 0..120_usize {
            let mut parents: Vec<_> = (0..draw(3))
                .filter(|_| number > 0)
                .map(|_| all[number - 1 - draw(number.min(9))])
                .collect();
            parents.dedup();
            let parents: Vec<_> = parents.iter().map(|id| git.find_commit(*id).unwrap()).collect();
            let time = git2::Time::new(i64::try_from(1000 + number / 3).unwrap(), 0);
            let ada = git2::Signature::new("Ada", "a@b", &time).unwrap();
            let parents: Vec<_> = parents.iter().collect();
            let message = number.to_string();
            all.push(git.commit(None, &ada, &ada, &message, &tree, &parents).unwrap());
        }
        all
    }

    #[test]
    fn the_walk_finds_what_rev_list_finds() {
        let repo = TestRepo::new();
        let all = tangle(&repo);
        let git = Repository::open(repo.path()).unwrap();
        for at in 0..40 {
            let (tips, hidden) = ([all[119 - at], all[80 + at]], [all[60 + at], all[100 - 2 * at]]);
            let mut found: Vec<String> =
                between(&git, &tips, &hidden).unwrap().iter().map(|n| n.id.to_string()).collect();
            let args = [
                tips[0].to_string(),
                tips[1].to_string(),
                format!("^{}", hidden[0]),
                format!("^{}", hidden[1]),
            ];
            let args: Vec<&str> =
                std::iter::once("rev-list").chain(args.iter().map(String::as_str)).collect();
            let listed = repo.git(&args);
            let mut expected: Vec<&str> = listed.lines().collect();
            found.sort();
            expected.sort_unstable();
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn ancestors_and_heads_are_those_of_merge_base() {
        let repo = TestRepo::new();
        let all = tangle(&repo);
        let git = Repository::open(repo.path()).unwrap();
        for at in 0..30 {
            let (tip, id) = (all[119 - at], all[80 - 2 * at]);
            let args = ["merge-base", "--is-ancestor", &id.to_string(), &tip.to_string()];
            let expected = repo.try_git(&args).status.success();
            let mut below = AncestorSearch::new(&git, &[tip]).unwrap();
            assert_eq!(below.contains(id).unwrap(), expected);
            assert!(below.contains(tip).unwrap(), "in any order");
        }
        let some: Vec<Oid> = all.iter().step_by(7).copied().collect();
        let heads: Vec<String> =
            heads_of(&git, &some).unwrap().iter().map(Oid::to_string).collect();
        let names: Vec<String> = some.iter().map(Oid::to_string).collect();
        let args: Vec<&str> = ["merge-base", "--independent"]
            .into_iter()
            .chain(names.iter().map(String::as_str))
            .collect();
        let independent = repo.git(&args);
        let mut expected: Vec<&str> = independent.lines().collect();
        expected.sort_unstable();
        assert_eq!(heads, expected);
    }
}
