//! YAML as a pipeline.

use super::steps;
use super::{document::Document, source::Source};
use crate::model::{error::Error, pipeline::Pipeline};

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
