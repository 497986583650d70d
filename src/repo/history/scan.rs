//! The scan: which commits are due.
//!
//! A commit is due that a selected ref reaches now, that has no note among the verdicts, is not
//! under the baseline, and has a config. Looking is O(new commits): what was found settled before
//! is hidden (see `judged`). Everything else is worked out from git itself, so that a lost or
//! stale cache costs one walk of the whole history and nothing more.

use std::collections::{BTreeSet, HashMap, HashSet};

use git2::Oid;

use super::{
    reachability::Reachability,
    tested_tips::{CacheKey, TestedTips, edges},
    walk::{Node, between, oldest_first},
};
use crate::model::stored_names::state;
use crate::model::{
    commit::{CommitId, GitString, TreeId},
    error::Error,
    selection::RefUpdate,
};
use crate::repo::{
    notes::note_index::NoteIndex,
    objects::pipeline_file,
    repository::{Repo, commit_id, git_error, id_bytes},
};

/// What to look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanRequest<'a> {
    /// Patterns of full ref names; `*` crosses slashes. `refs/notes/*` and `refs/tinyci/*` are
    /// never selected.
    pub(crate) refs: &'a [String],
    /// What the caller's push moved. It selects nothing: it only marks what the push brought.
    pub(crate) pushed: &'a [RefUpdate],
    /// Whether to look under the baseline too.
    pub(crate) all_history: bool,
    /// Whether commits are due that have no config too.
    pub(crate) unconfigured: bool,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The commits that are due, parents first; of several that could come next, the one with the
    /// earlier committer time, then the smaller id.
    pub(crate) due: Vec<DueCommit>,
    /// The commits that the selected refs name, in order of their ids.
    pub(crate) tips: Vec<CommitId>,
}

/// A commit that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DueCommit {
    /// The commit.
    pub(crate) id: CommitId,
    /// The tree it holds.
    pub(crate) tree: TreeId,
    /// The committer's time, in seconds since 1970.
    pub(crate) time: i64,
    /// Whether a selected ref names it.
    pub(crate) tip: bool,
    /// Whether a pushed ref reaches it now and did not before.
    pub(crate) pushed: bool,
    /// The branch that it is judged for, without `refs/heads/`.
    pub(crate) branch: Option<GitString>,
}

impl Repo {
    /// Finds the commits that are due.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) naming the object or ref that cannot be read;
    /// [`InvalidArg`](crate::ErrorKind::InvalidArg) for a pattern that can select nothing.
    pub(crate) fn scan(&self, request: &ScanRequest<'_>) -> Result<Scan, Error> {
        let tips: BTreeSet<Oid> = self.selected(request.refs)?.into_values().collect();
        let found = self.survey(&tips, request)?;
        let mut scan = Scan {
            due: Vec::new(),
            tips: tips.iter().copied().map(commit_id).collect::<Result<_, _>>()?,
        };
        if found.due.is_empty() {
            return Ok(scan);
        }
        let nodes = found.nodes.as_slice();
        let mut reach = Reachability::new(&self.git, tips.iter().copied(), &found.hidden, nodes);
        let mut pushed = HashSet::new();
        for update in request.pushed {
            pushed.extend(self.brought(update, &mut reach)?);
        }
        let mut branches = self.branches(&found.due, request.pushed, &mut reach)?;
        for node in nodes.iter().filter(|node| found.due.contains(&node.id)) {
            scan.due.push(DueCommit {
                id: commit_id(node.id)?,
                tree: TreeId::from_bytes(id_bytes(node.tree)?),
                time: node.time,
                tip: tips.contains(&node.id),
                pushed: pushed.contains(&node.id),
                branch: branches.remove(&node.id),
            });
        }
        Ok(scan)
    }

    /// Looks below the tips, as far as the cache does not spare it, and renews the cache.
    fn survey(&self, tips: &BTreeSet<Oid>, request: &ScanRequest<'_>) -> Result<ScanResult, Error> {
        let notes = self.verdict_notes();
        let noted = notes.tip()?;
        if request.all_history {
            return self.look(tips, &[], noted, request.unconfigured);
        }
        let baseline = self.baseline()?;
        if request.unconfigured {
            // The cache hides what has no config, which is what is looked for here.
            let hidden = baseline.map(|(_, newest)| newest).unwrap_or_default();
            return self.look(tips, &hidden, noted, true);
        }
        let edges = edges(&self.git).map_err(|source| {
            git_error(format!("cannot read the edges of the shallow clone {self}"), source)
        })?;
        let ground =
            CacheKey { notes: noted, baseline: baseline.as_ref().map(|(id, _)| *id), edges };
        let baseline = baseline.map(|(_, newest)| newest).unwrap_or_default();

        let path = self.common_dir().join(state::DIR).join(state::TESTED_TIPS);
        let before = TestedTips::read(&path);
        let known = before.as_ref().filter(|judged| judged.holds(&self.git, &notes, &ground));
        // An object that is missing below a judged tip is no reason not to look without it.
        let spared = known.and_then(|judged| {
            self.look(tips, &[judged.tips.as_slice(), &baseline].concat(), noted, false).ok()
        });
        let found = spared.map_or_else(|| self.look(tips, &baseline, noted, false), Ok)?;
        let after = TestedTips { ground, tips: found.clean_frontier(tips) };
        if before.as_ref() != Some(&after) && self.may_cache() {
            // A repository that cannot be written to can still be looked at.
            let _ = after.write(&path, self.sharing()?);
        }
        Ok(found)
    }

    /// Looks at all below the tips that is not hidden; `noted` is the commit with the verdicts.
    fn look(
        &self,
        tips: &BTreeSet<Oid>,
        hidden: &[Oid],
        noted: Option<Oid>,
        unconfigured: bool,
    ) -> Result<ScanResult, Error> {
        let known: HashSet<Oid> = hidden.iter().copied().collect();
        let new: Vec<Oid> = tips.iter().filter(|tip| !known.contains(tip)).copied().collect();
        if new.is_empty() {
            return Ok(ScanResult::default());
        }
        let nodes = oldest_first(between(&self.git, &new, hidden)?);
        let mut noted = NoteIndex::new(self.verdict_notes().tree_at(noted)?);
        // Most commits of a history share their root tree with none, but reverts, merges and
        // empty commits do.
        let mut configured: HashMap<Oid, bool> = HashMap::new();
        let mut due = HashSet::new();
        for node in &nodes {
            if noted.contains(commit_id(node.id)?)? {
                continue;
            }
            let has_config = match configured.get(&node.tree) {
                _ if unconfigured => true,
                Some(known) => *known,
                None => pipeline_file::has_config(&self.git, node.tree)?,
            };
            configured.insert(node.tree, has_config);
            if has_config {
                due.insert(node.id);
            }
        }
        Ok(ScanResult { nodes, due, hidden: hidden.to_vec() })
    }
}

/// The commits looked at, oldest first, and which of them are due.
#[derive(Default)]
struct ScanResult {
    nodes: Vec<Node>,
    due: HashSet<Oid>,
    /// What was not looked at, nor anything below.
    hidden: Vec<Oid>,
}

impl ScanResult {
    /// The newest commits, below and at the tips, that are not due and have no ancestor that is.
    ///
    /// To hide them spares the next scan all that this one need not see again, and it stays as
    /// few as there are refs and commits waiting.
    fn clean_frontier(&self, tips: &BTreeSet<Oid>) -> Vec<Oid> {
        let mut unclean: HashSet<Oid> = HashSet::new();
        let mut frontier: BTreeSet<Oid> = BTreeSet::new();
        for node in &self.nodes {
            let below = node.parents.iter().any(|parent| unclean.contains(parent));
            if below || self.due.contains(&node.id) {
                unclean.insert(node.id);
            }
        }
        for node in self.nodes.iter().filter(|node| unclean.contains(&node.id)) {
            frontier.extend(node.parents.iter().filter(|parent| !unclean.contains(parent)));
        }
        frontier.extend(tips.iter().filter(|tip| !unclean.contains(tip)));
        frontier.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
