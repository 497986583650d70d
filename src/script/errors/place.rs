//! [`Place`]: the position where an error occurred.

use rhai::{NativeCallContext, Position};

/// The position where an error occurred. It stays the same if the error is thrown again.
#[derive(Clone, Debug, Default)]
pub(in crate::script) struct Place {
    pub(in crate::script) file: String,
    pub(in crate::script) position: Position,
}

impl Place {
    pub(in crate::script) fn of(context: &NativeCallContext<'_>) -> Self {
        let file = context.call_source().unwrap_or_default().to_owned();
        Self { file, position: context.call_position() }
    }
}
