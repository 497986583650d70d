//! [`CommandError`]: a failed command, as `catch` gets it.

use rhai::{Dynamic, EvalAltResult};

use super::place::Place;
use crate::model::{
    outcome::Exit,
    step::{FailedCommand, command_failure},
};

/// A failed command, as `catch` gets it.
#[derive(Clone, Debug)]
pub(in crate::script) struct CommandError {
    /// The command in one line.
    pub(in crate::script) command: String,
    pub(in crate::script) failed: FailedCommand,
    pub(in crate::script) at: Place,
}

impl CommandError {
    pub(in crate::script) fn is_timeout(&self) -> bool {
        self.failed.exit == Exit::TimedOut
    }

    pub(in crate::script) fn code(&self) -> Dynamic {
        match self.failed.exit {
            Exit::Code(code) => i64::from(code).into(),
            _ => Dynamic::UNIT,
        }
    }

    /// Returns the error message.
    pub(in crate::script) fn message(&self) -> String {
        command_failure(&self.command, self.failed.exit)
    }
}

/// Returns the failed command in an error, if there is one.
pub(in crate::script) fn command_error(error: &EvalAltResult) -> Option<CommandError> {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast(),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => command_error(inner),
        _ => None,
    }
}
