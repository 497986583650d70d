//! What the enclosing calls of `with` say of commands.

use rhai::Map;

use crate::model::pipeline::stays_below;

/// What the enclosing calls of `with` say of commands.
#[derive(Debug, Default)]
pub(in crate::script) struct Settings {
    /// Variables over those that every command gets: texts, numbers, secrets, or `()`.
    pub(in crate::script) env: Map,
    /// A directory below the export.
    pub(in crate::script) cwd: Option<String>,
}

impl Settings {
    /// A directory that is named in the block.
    pub(in crate::script) fn below(&self, cwd: &str) -> String {
        match &self.cwd {
            // The host refuses a path that leads out, in its own words.
            Some(outer) if stays_below(cwd) => format!("{outer}/{cwd}"),
            _ => cwd.to_owned(),
        }
    }

    /// Its variables with those of one command over them.
    pub(in crate::script) fn variables(&self, own: Map) -> Map {
        let mut all = self.env.clone();
        all.extend(own);
        all
    }
}
