//! A function that is called when its scope ends.

#![expect(deprecated, reason = "rhai marks the stored context of a call so to call it volatile")]

use rhai::{Dynamic, Engine, FnPtr, NativeCallContextStore};

use crate::script::values::thrown::Thrown;

/// A function that runs when its scope ends. It keeps the context of its call, because the imports
/// of the script would be lost otherwise.
pub(in crate::script) struct Deferred {
    pub(in crate::script) function: FnPtr,
    pub(in crate::script) context: NativeCallContextStore,
    pub(in crate::script) label: Option<String>,
}

impl Deferred {
    pub(in crate::script) fn label(&self) -> Option<String> {
        self.label.clone()
    }

    pub(in crate::script) fn call(&self, engine: &Engine) -> Result<Dynamic, Thrown> {
        self.function.call_raw(&self.context.create_context(engine), None, [])
    }
}
