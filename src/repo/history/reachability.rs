//! Which commits a tip reaches, asked for thousands of commits and many tips at once.
//!
//! To ask git of every single pair costs the square of what is new: the first scan of twenty
//! thousand commits would take half an hour.

use std::collections::{HashMap, HashSet, hash_map::Entry};

use git2::{Oid, Repository};

use super::walk::{Node, between};
use crate::model::error::Error;

/// Commits of interest, and what lies between them and the tips that were asked about.
pub(in crate::repo) struct Reachability<'a> {
    git: &'a Repository,
    /// Neither these nor what lies below them is ever found.
    hidden: &'a [Oid],
    nodes: &'a [Node],
    /// What was learned of tips that reach more than `nodes`.
    more: Vec<Node>,
    /// Places in `nodes`, and from its end on in `more`.
    places: HashMap<Oid, usize>,
    /// The tips of which all is known.
    learned: HashSet<Oid>,
}

impl<'a> Reachability<'a> {
    /// Begins with the `nodes` that a walk from `tips` has found, with these commits `hidden`.
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

    /// Learns of several tips in one walk; [`below`](Self::below) would take one for each.
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

    /// The commits that this tip reaches, itself included, less those in `met`, which then holds
    /// them too: so the next tip passes over what was found before.
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
