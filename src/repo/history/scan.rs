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
    /// [`DueCommit::pushed`].
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
    pub(crate) due: Vec<DueCommit>,
    /// The commits that the selected refs name, sorted by id.
    pub(crate) tips: Vec<CommitId>,
}

/// A pending commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DueCommit {
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

    /// Walks down from the tips, as far as the cache does not hide commits, and updates the cache.
    fn survey(&self, tips: &BTreeSet<Oid>, request: &ScanRequest<'_>) -> Result<ScanResult, Error> {
        let notes = self.verdict_notes();
        let noted = notes.tip()?;
        if request.all_history {
            return self.look(tips, &[], noted, request.unconfigured);
        }
        let baseline = self.baseline()?;
        if request.unconfigured {
            // The cache hides commits without a config, and this scan asks for them.
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
        // If the scan fails below a cached tip, it starts again without the cache.
        let spared = known.and_then(|judged| {
            self.look(tips, &[judged.tips.as_slice(), &baseline].concat(), noted, false).ok()
        });
        let found = spared.map_or_else(|| self.look(tips, &baseline, noted, false), Ok)?;
        let after = TestedTips { ground, tips: found.clean_frontier(tips) };
        if before.as_ref() != Some(&after) && self.may_cache() {
            // A scan also works in a repository that is not writable. It then has no cache.
            let _ = after.write(&path, self.sharing()?);
        }
        Ok(found)
    }

    /// Walks all commits below the tips that are not hidden. `noted` is the commit of the verdicts.
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
        // Few commits share their root tree with another, but reverts, merges and empty commits do.
        let mut configured: HashMap<Oid, bool> = HashMap::new();
        let mut due = HashSet::new();
        for node in &nodes {
            if noted.contains(commit_id(node.id)?)? {
                continue;
            }
            let has_config = match configured.get(&node.tree) {
                _ if unconfigured => true,
                Some(known) => *known,
                None => !pipeline_file::find(&self.git, node.tree)?.is_empty(),
            };
            configured.insert(node.tree, has_config);
            if has_config {
                due.insert(node.id);
            }
        }
        Ok(ScanResult { nodes, due, hidden: hidden.to_vec() })
    }
}

/// The commits of a walk, oldest first, and which of them are pending.
#[derive(Default)]
struct ScanResult {
    nodes: Vec<Node>,
    due: HashSet<Oid>,
    /// Commits that the walk left out with all their ancestors.
    hidden: Vec<Oid>,
}

impl ScanResult {
    /// Returns the newest commits that are not pending and have no pending ancestor.
    ///
    /// The next scan hides them and so does not walk their history. Their number is bounded by the
    /// number of refs and pending commits.
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
