//! An expectation that a test did not meet, and its message.

use rhai::{Dynamic, EvalAltResult, Position};

use crate::{script::values::thrown::Thrown, util::suggestion::did_you_mean};

/// An expectation that a test did not meet. If the test catches it, the test still fails.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    pub(in crate::script) message: String,
    pub(in crate::script) notes: Vec<String>,
}

impl Expectation {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), notes: Vec::new() }
    }

    pub(super) fn with(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }

    // This error can be caught, because the engine drops the position of errors that cannot.
    pub(super) fn into_error(self, at: Position) -> Thrown {
        EvalAltResult::ErrorRuntime(Dynamic::from(self), at).into()
    }

    pub(super) fn of(error: &EvalAltResult) -> Option<Self> {
        match error {
            EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) => {
                value.clone().try_cast()
            }
            _ => None,
        }
    }

    pub(super) fn fail(self) -> Result<Dynamic, Thrown> {
        Err(self.into_error(Position::NONE))
    }
}

/// The position of a call of a method of `t`.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) at: Position,
}

impl Place {
    /// Returns the expectation as an error at this position. The engine stores the file only for
    /// calls, so it is wrapped in one.
    pub(super) fn error_here(&self, test: &str, expectation: Expectation) -> Thrown {
        let (file, thrown) = (self.file.clone(), expectation.into_error(self.at));
        EvalAltResult::ErrorInFunctionCall(test.to_owned(), file, thrown, Position::NONE).into()
    }
}

/// Returns a suggestion for a glob that matches no command.
pub(super) fn suggestion(glob: &str, commands: &[String]) -> String {
    let word = glob.trim_matches('*');
    let length = word.chars().count();
    let begins: Vec<String> = commands.iter().map(|it| it.chars().take(length).collect()).collect();
    did_you_mean(word, begins.iter().map(String::as_str))
}
