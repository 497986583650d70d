//! Finds the commits that a tip reaches, for thousands of commits and many tips at once.
//!
//! To ask git for each pair alone takes quadratic time. The first scan of twenty thousand commits
//! would take half an hour.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use git2::{Oid, Repository};

use super::walk::{Node, between};
use crate::model::error::Error;

/// The commits in question, and the commits between them and the tips.
pub(in crate::repo) struct Reachability<'a> {
    git: &'a Repository,
    /// Commits that are never found, and neither are their ancestors.
    hidden: &'a [Oid],
    nodes: &'a [Node],
    /// Commits reachable from further tips that are not in `nodes`.
    extra_nodes: Vec<Node>,
    /// The index of each commit in `nodes`; larger indexes continue in `extra_nodes`.
    indexes: HashMap<Oid, usize>,
    /// The tips whose ancestors are all in `nodes` or `extra_nodes`.
    walked_tips: HashSet<Oid>,
}

impl<'a> Reachability<'a> {
    /// Starts with the `nodes` that a walk from `tips` has found while `hidden` were hidden.
    pub(in crate::repo) fn new(
        git: &'a Repository,
        tips: impl IntoIterator<Item = Oid>,
        hidden: &'a [Oid],
        nodes: &'a [Node],
    ) -> Self {
        let indexes = nodes.iter().enumerate().map(|(index, node)| (node.id, index)).collect();
        let walked_tips = tips.into_iter().collect();
        Self { git, hidden, nodes, extra_nodes: Vec::new(), indexes, walked_tips }
    }

    /// Walks from several tips at once. Without this, [`reached_from`](Self::reached_from) needs one
    /// walk for each tip.
    pub(in crate::repo) fn walk_from(
        &mut self,
        tips: impl IntoIterator<Item = Oid>,
    ) -> Result<(), Error> {
        let new: Vec<Oid> = tips.into_iter().filter(|tip| self.walked_tips.insert(*tip)).collect();
        let nodes = if new.is_empty() { vec![] } else { between(self.git, &new, self.hidden)? };
        for node in nodes {
            let end = self.nodes.len() + self.extra_nodes.len();
            if let Entry::Vacant(index) = self.indexes.entry(node.id) {
                index.insert(end);
                self.extra_nodes.push(node);
            }
        }
        Ok(())
    }

    /// Returns the commits that this tip reaches, itself included, except those in `visited`.
    ///
    /// Adds them to `visited`. So the next call does not visit them again.
    pub(in crate::repo) fn reached_from(
        &mut self,
        tip: Oid,
        visited: &mut HashSet<Oid>,
    ) -> Result<Vec<Oid>, Error> {
        self.walk_from([tip])?;
        let mut found = Vec::new();
        let mut stack = vec![tip];
        while let Some(id) = stack.pop() {
            if let Some(node) = self.node(id)
                && visited.insert(id)
            {
                found.push(id);
                stack.extend(&node.parents);
            }
        }
        Ok(found)
    }

    fn node(&self, id: Oid) -> Option<&Node> {
        let index = *self.indexes.get(&id)?;
        let in_extra = || self.extra_nodes.get(index.checked_sub(self.nodes.len())?);
        self.nodes.get(index).or_else(in_extra)
    }
}
