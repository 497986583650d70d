//! Finds the pending commits.
//!
//! A commit is pending if a selected ref reaches it, it has no verdict, it is not under the
//! baseline, and it has a config. A scan reads only new commits: tested history is hidden (see
//! `tested_tips`). All other facts come from git itself. So a lost or stale cache costs one walk of
//! the whole history and nothing more.

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

/// The refs and options of a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ScanRequest<'a> {
    /// The patterns of full ref names; `*` also matches slashes. `refs/notes/*` and `refs/tinyci/*`
    /// are never selected.
    pub(crate) refs: &'a [String],
    /// The refs that the caller's push moved. They select nothing and only set
    /// [`PendingCommit::pushed`].
    pub(crate) pushed: &'a [RefUpdate],
    /// True if commits under the baseline count too.
    pub(crate) all_history: bool,
    /// True if commits without a config count too.
    pub(crate) unconfigured: bool,
}

/// The result of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Scan {
    /// The pending commits, parents first.
    ///
    /// Of several that could come next, the one with the earlier committer time comes first, then
    /// the one with the smaller id.
    pub(crate) pending: Vec<PendingCommit>,
    /// The commits that the selected refs name, sorted by id.
    pub(crate) tips: Vec<CommitId>,
}

/// A pending commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PendingCommit {
    /// The commit's id.
    pub(crate) id: CommitId,
    /// The commit's root tree.
    pub(crate) tree: TreeId,
    /// The committer time, in seconds since 1970.
    pub(crate) time: i64,
    /// True if a selected ref names the commit.
    pub(crate) tip: bool,
    /// True if a pushed ref reaches the commit now and did not reach it before.
    pub(crate) pushed: bool,
    /// The branch that the commit is tested for, without `refs/heads/`.
    pub(crate) branch: Option<GitString>,
}

impl Repo {
    /// Finds the pending commits.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) with the name of the object or ref that cannot be read;
    /// [`InvalidArg`](crate::ErrorKind::InvalidArg) for a pattern that can select nothing.
    pub(crate) fn scan(&self, request: &ScanRequest<'_>) -> Result<Scan, Error> {
        let tips: BTreeSet<Oid> = self.selected(request.refs)?.into_values().collect();
        let found = self.scan_with_cache(&tips, request)?;
        let mut scan = Scan {
            pending: Vec::new(),
            tips: tips.iter().copied().map(commit_id).collect::<Result<_, _>>()?,
        };
        if found.pending.is_empty() {
            return Ok(scan);
        }
        let nodes = found.nodes.as_slice();
        let mut reachability =
            Reachability::new(&self.git, tips.iter().copied(), &found.hidden, nodes);
        let mut pushed = HashSet::new();
        for update in request.pushed {
            pushed.extend(self.added_by_push(update, &mut reachability)?);
        }
        let mut branches = self.branches(&found.pending, request.pushed, &mut reachability)?;
        for node in nodes.iter().filter(|node| found.pending.contains(&node.id)) {
            scan.pending.push(PendingCommit {
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

    /// Walks down from the tips, as far as the cache does not hide commits, and updates the cache.
    fn scan_with_cache(
        &self,
        tips: &BTreeSet<Oid>,
        request: &ScanRequest<'_>,
    ) -> Result<ScanResult, Error> {
        let notes = self.verdict_notes();
        let verdicts = notes.tip()?;
        if request.all_history {
            return self.walk_pending(tips, &[], verdicts, request.unconfigured);
        }
        let baseline = self.baseline()?;
        if request.unconfigured {
            // The cache hides commits without a config, and this scan asks for them.
            let hidden = baseline.map(|(_, newest)| newest).unwrap_or_default();
            return self.walk_pending(tips, &hidden, verdicts, true);
        }
        let edges = edges(&self.git).map_err(|source| {
            git_error(format!("cannot read the edges of the shallow clone {self}"), source)
        })?;
        let cache_key =
            CacheKey { notes: verdicts, baseline: baseline.as_ref().map(|(id, _)| *id), edges };
        let baseline = baseline.map(|(_, newest)| newest).unwrap_or_default();

        let path = self.common_dir().join(state::DIR).join(state::TESTED_TIPS);
        let before = TestedTips::read(&path);
        let usable =
            before.as_ref().filter(|cached| cached.is_valid(&self.git, &notes, &cache_key));
        // If the scan fails below a cached tip, it starts again without the cache.
        let with_cache = usable.and_then(|cached| {
            self.walk_pending(tips, &[cached.tips.as_slice(), &baseline].concat(), verdicts, false)
                .ok()
        });
        let found =
            with_cache.map_or_else(|| self.walk_pending(tips, &baseline, verdicts, false), Ok)?;
        let after = TestedTips { cache_key, tips: found.clean_frontier(tips) };
        if before.as_ref() != Some(&after) && self.may_cache() {
            // A scan also works in a repository that is not writable. It then has no cache.
            let _ = after.write(&path, self.sharing()?);
        }
        Ok(found)
    }

    /// Walks all commits below the tips that are not hidden. `verdicts` is the tip of the verdicts' ref.
    fn walk_pending(
        &self,
        tips: &BTreeSet<Oid>,
        hidden: &[Oid],
        verdicts: Option<Oid>,
        unconfigured: bool,
    ) -> Result<ScanResult, Error> {
        let hidden_set: HashSet<Oid> = hidden.iter().copied().collect();
        let new: Vec<Oid> = tips.iter().filter(|tip| !hidden_set.contains(tip)).copied().collect();
        if new.is_empty() {
            return Ok(ScanResult::default());
        }
        let nodes = oldest_first(between(&self.git, &new, hidden)?);
        let mut verdicts = NoteIndex::new(self.verdict_notes().tree_at(verdicts)?);
        // Few commits share their root tree with another, but reverts, merges and empty commits do.
        let mut configured: HashMap<Oid, bool> = HashMap::new();
        let mut pending = HashSet::new();
        for node in &nodes {
            if verdicts.contains(commit_id(node.id)?)? {
                continue;
            }
            let has_config = match configured.get(&node.tree) {
                _ if unconfigured => true,
                Some(known) => *known,
                None => pipeline_file::has_config(&self.git, node.tree)?,
            };
            configured.insert(node.tree, has_config);
            if has_config {
                pending.insert(node.id);
            }
        }
        Ok(ScanResult { nodes, pending, hidden: hidden.to_vec() })
    }
}

/// The commits of a walk, oldest first, and which of them are pending.
#[derive(Default)]
struct ScanResult {
    nodes: Vec<Node>,
    pending: HashSet<Oid>,
    /// Commits that the walk left out with all their ancestors.
    hidden: Vec<Oid>,
}

impl ScanResult {
    /// Returns the newest commits that are not pending and have no pending ancestor.
    ///
    /// The next scan hides them and so does not walk their history. Their number is bounded by the
    /// number of refs and pending commits.
    fn clean_frontier(&self, tips: &BTreeSet<Oid>) -> Vec<Oid> {
        let mut above_pending: HashSet<Oid> = HashSet::new();
        let mut frontier: BTreeSet<Oid> = BTreeSet::new();
        for node in &self.nodes {
            let below = node.parents.iter().any(|parent| above_pending.contains(parent));
            if below || self.pending.contains(&node.id) {
                above_pending.insert(node.id);
            }
        }
        for node in self.nodes.iter().filter(|node| above_pending.contains(&node.id)) {
            frontier.extend(node.parents.iter().filter(|parent| !above_pending.contains(parent)));
        }
        frontier.extend(tips.iter().filter(|tip| !above_pending.contains(tip)));
        frontier.into_iter().collect()
    }
}

#[cfg(test)]
mod tests;
