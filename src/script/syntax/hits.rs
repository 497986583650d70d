//! The positions of a script that were executed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use crate::{model::error::Position, util::lock::lock};

/// The positions that were executed, by file.
#[derive(Debug, Default)]
pub(crate) struct Hits(Mutex<BTreeMap<String, BTreeSet<(usize, usize)>>>);

impl Hits {
    pub(in crate::script) fn add(&self, file: &str, at: Position) {
        let mut files = lock(&self.0);
        let at = (at.line, at.column);
        match files.get_mut(file) {
            Some(places) => places.insert(at),
            None => files.entry(file.to_owned()).or_default().insert(at),
        };
    }

    pub(in crate::script) fn of(&self, file: &str) -> BTreeSet<(usize, usize)> {
        let files = lock(&self.0);
        files.get(file).cloned().unwrap_or_default()
    }
}
