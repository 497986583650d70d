//! What a test expected and did not find, and how that is told.

use rhai::{Dynamic, EvalAltResult, Position};

use crate::{script::values::thrown::Thrown, util::suggestion::did_you_mean};

/// What a test expected and did not find. A script that catches it does not make the test pass.
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

    // Not one of the errors that no script can catch: the engine forgets where those were.
    pub(super) fn thrown(self, at: Position) -> Thrown {
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
        Err(self.thrown(Position::NONE))
    }
}

/// Where a test calls a method of `t`.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) at: Position,
}

impl Place {
    /// An error here, as the engine would tell of it: files are known only of calls.
    pub(super) fn around(&self, test: &str, expectation: Expectation) -> Thrown {
        let (file, thrown) = (self.file.clone(), expectation.thrown(self.at));
        EvalAltResult::ErrorInFunctionCall(test.to_owned(), file, thrown, Position::NONE).into()
    }
}

/// The command that was most likely meant by a glob that matches none.
pub(super) fn nearest(glob: &str, commands: &[String]) -> String {
    let word = glob.trim_matches('*');
    let length = word.chars().count();
    let begins: Vec<String> = commands.iter().map(|it| it.chars().take(length).collect()).collect();
    did_you_mean(word, begins.iter().map(String::as_str))
}
