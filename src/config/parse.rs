//! Parses YAML to a pipeline.

use super::steps;
use super::{document::Document, source::Source};
use crate::model::{error::Error, pipeline::Pipeline};

/// Parses a config in YAML, as described at [`Pipeline::parse`].
pub(crate) fn parse_yaml(text: &[u8], name: &str) -> Result<Pipeline, Error> {
    let source = Source::new(text, name)?;
    steps::pipeline(&Document::new(source)?)
}

/// Parses only `after_all` of an invalid config, so that it can still clean up. Returns `None` if
/// `after_all` is invalid too.
pub(crate) fn parse_after_all(text: &[u8], name: &str) -> Option<Pipeline> {
    let source = Source::new(text, name).ok()?;
    steps::after_all(&Document::new(source).ok()?)
}

#[cfg(test)]
mod tests;
