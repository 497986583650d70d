//! [`LastScript`]: a cache of one parsed script.

use std::sync::Mutex;

use crate::{
    model::{error::Error, function::HostFunction, script::Tree},
    script::syntax::script::Script,
    util::lock::lock,
};

/// The script that an engine parsed last. Most commits have the same files as the one before.
/// Parsing a long script takes longer than the rest of tinyci's work for a commit.
#[derive(Default)]
pub(crate) struct LastScript(Mutex<Option<Script>>);

impl LastScript {
    pub(crate) fn load(
        &self,
        bytes: &[u8],
        name: &str,
        tree: &dyn Tree,
        functions: &[HostFunction],
    ) -> Result<Script, Error> {
        let last = || lock(&self.0);
        let known = last().clone();
        if let Some(script) = known
            && script.is_of(bytes, name, tree)
        {
            return Ok(script);
        }
        let script = Script::load(bytes, name, tree, functions)?;
        *last() = Some(script.clone());
        Ok(script)
    }
}
