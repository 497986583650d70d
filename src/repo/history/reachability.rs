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
    more: Vec<Node>,
    /// The index of each commit in `nodes`; larger indexes continue in `more`.
    places: HashMap<Oid, usize>,
    /// The tips whose ancestors are all in `nodes` or `more`.
    learned: HashSet<Oid>,
}

impl<'a> Reachability<'a> {
    /// Starts with the `nodes` that a walk from `tips` has found while `hidden` were hidden.
    pub(in crate::repo) fn new(
        git: &'a Repository,
        tips: impl IntoIterator<Item = Oid>,
        hidden: &'a [Oid],
        nodes: &'a [Node],
    ) -> Self {
        let places = nodes.iter().enumerate().map(|(place, node)| (node.id, place)).collect();
        let learned = tips.into_iter().collect();
        Self { git, hidden, nodes, more: Vec::new(), places, learned }
    }

    /// Walks from several tips at once; [`below`](Self::below) would need one walk for each.
    pub(in crate::repo) fn learn(
        &mut self,
        tips: impl IntoIterator<Item = Oid>,
    ) -> Result<(), Error> {
        let new: Vec<Oid> = tips.into_iter().filter(|tip| self.learned.insert(*tip)).collect();
        let nodes = if new.is_empty() { vec![] } else { between(self.git, &new, self.hidden)? };
        for node in nodes {
            let end = self.nodes.len() + self.more.len();
            if let Entry::Vacant(place) = self.places.entry(node.id) {
                place.insert(end);
                self.more.push(node);
            }
        }
        Ok(())
    }

    /// Returns the commits that this tip reaches, itself included, except those in `met`.
    ///
    /// Adds them to `met`. So the next call does not visit them again.
    pub(in crate::repo) fn below(
        &mut self,
        tip: Oid,
        met: &mut HashSet<Oid>,
    ) -> Result<Vec<Oid>, Error> {
        self.learn([tip])?;
        let mut found = Vec::new();
        let mut stack = vec![tip];
        while let Some(id) = stack.pop() {
            if let Some(node) = self.node(id)
                && met.insert(id)
            {
                found.push(id);
                stack.extend(&node.parents);
            }
        }
        Ok(found)
    }

    fn node(&self, id: Oid) -> Option<&Node> {
        let place = *self.places.get(&id)?;
        let beyond = || self.more.get(place.checked_sub(self.nodes.len())?);
        self.nodes.get(place).or_else(beyond)
    }
}
