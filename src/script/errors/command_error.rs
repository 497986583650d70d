//! A command that failed, as `catch` gets it.

use rhai::{Dynamic, EvalAltResult};

use super::place::Place;
use crate::model::{
    outcome::Exit,
    step::{FailedCommand, command_failure},
};

/// A command that failed: what `catch` gets.
#[derive(Clone, Debug)]
pub(in crate::script) struct CommandError {
    /// In one line.
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

    /// As a sentence.
    pub(in crate::script) fn message(&self) -> String {
        command_failure(&self.command, self.failed.exit)
    }
}

/// What a script threw, if it is a command that failed.
pub(in crate::script) fn command_error(error: &EvalAltResult) -> Option<CommandError> {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast(),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => command_error(inner),
        _ => None,
    }
}
