//! Configs: from the text of `.tinyci.yml` to a [`Pipeline`].
//!
//! Three rooms, each knowing only the ones before it: `source` (bytes to text with positions),
//! `document` (text to a tree of bounded size), `steps` (the tree to a pipeline). Nothing is read
//! from disk here, nothing is run, and no tag is filled in. `convert` goes the other way, from a
//! pipeline to the text of a script.

mod convert;
mod deploy;
mod document;
mod source;
mod steps;
mod when;

use self::{document::Document, source::Source};
use crate::{error::Error, pipeline::Pipeline};

/// Reads a config in YAML: what [`Pipeline::parse`] says of it.
pub(crate) fn parse_yaml(text: &[u8], name: &str) -> Result<Pipeline, Error> {
    let source = Source::new(text, name)?;
    steps::pipeline(&Document::new(source)?)
}

/// Of a config that is not valid, what cleans up all the same: its `after_all`, if that is.
pub(crate) fn parse_after_all(text: &[u8], name: &str) -> Option<Pipeline> {
    let source = Source::new(text, name).ok()?;
    steps::after_all(&Document::new(source).ok()?)
}

#[cfg(test)]
mod tests;
