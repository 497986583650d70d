//! The options of enclosing `with` calls.

use rhai::Map;

use crate::model::pipeline::stays_below;

/// The options of the enclosing `with` calls, combined.
#[derive(Debug, Default)]
pub(in crate::script) struct Settings {
    /// Variables in addition to those of every command. Null removes a variable.
    pub(in crate::script) env: Map,
    /// The working directory, relative to the export.
    pub(in crate::script) cwd: Option<String>,
}

impl Settings {
    /// Returns a directory that a call in the block names, relative to the export.
    pub(in crate::script) fn below(&self, cwd: &str) -> String {
        match &self.cwd {
            // The host refuses paths that leave the export, with a message of its own.
            Some(outer) if stays_below(cwd) => format!("{outer}/{cwd}"),
            _ => cwd.to_owned(),
        }
    }

    /// Returns its variables, overridden by those of one command.
    pub(in crate::script) fn variables(&self, own: Map) -> Map {
        let mut all = self.env.clone();
        all.extend(own);
        all
    }
}
