//! The errors that scripts can throw and catch.

use rhai::{EvalAltResult, Position};

pub(in crate::script) type Thrown = Box<EvalAltResult>;

/// An error that a script can catch, with this text.
pub(in crate::script) fn throw(message: impl Into<String>) -> Thrown {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

/// The error without what the language puts around it, if no script may catch it.
pub(in crate::script) fn bare(error: Thrown) -> Thrown {
    if error.unwrap_inner().is_catchable() {
        return error;
    }
    match *error {
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => bare(inner),
        other => other.into(),
    }
}

/// An error without a place is at the place of the call.
pub(in crate::script) fn placed(mut error: Thrown, position: Position) -> Thrown {
    if error.position().is_none() {
        error.set_position(position);
    }
    error
}
