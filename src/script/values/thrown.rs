//! Errors that scripts can throw and catch.

use rhai::{EvalAltResult, Position};

pub(in crate::script) type Thrown = Box<EvalAltResult>;

/// Returns an error with this message that a script can catch.
pub(in crate::script) fn throw(message: impl Into<String>) -> Thrown {
    EvalAltResult::ErrorRuntime(message.into().into(), Position::NONE).into()
}

/// Removes the language's wrappers from an error that scripts must not catch.
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

/// Sets the position of the call if the error has no position.
pub(in crate::script) fn placed(mut error: Thrown, position: Position) -> Thrown {
    if error.position().is_none() {
        error.set_position(position);
    }
    error
}
