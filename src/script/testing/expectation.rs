//! What a test expected and did not find, and how that is told.

use rhai::{Dynamic, EvalAltResult, Position};

use super::{methods::METHODS, result, tester::Tester};
use crate::{
    script::{load::Script, registry, report, session::Thrown},
    util::suggestion::{did_you_mean, did_you_mean_or_list},
};

/// What a test expected and did not find. A script that catches it does not make the test pass.
#[derive(Clone, Debug)]
pub(super) struct Expectation {
    message: String,
    notes: Vec<String>,
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

/// Why a test failed: the sentence and its notes.
pub(super) fn explain(
    error: &EvalAltResult,
    suite: &Script,
    tester: &Tester,
) -> (String, Vec<String>) {
    let printed: Vec<String> =
        tester.printed().iter().map(|text| format!("printed: {text}")).collect();
    if let Some(Expectation { message, notes }) = Expectation::of(error) {
        return (message, [notes, printed].concat());
    }
    let message = match error {
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let message = unknown_method(signature);
            message.unwrap_or_else(|| report::message(error, Some(suite)))
        }
        EvalAltResult::ErrorDotExpr(text, _) if text.contains("'result'") => {
            let property = text.split('\'').nth(1).unwrap_or_default();
            let hint = did_you_mean_or_list(property, &result::PROPERTIES);
            format!("a result has no property `{property}`{hint}")
        }
        other => report::message(other, Some(suite)),
    };
    (message, printed)
}

/// What is said of a method of `t` or of a result that does not exist, or not with these arguments.
fn unknown_method(signature: &str) -> Option<String> {
    let (name, arguments) = signature.split_once(" (")?;
    let arguments = arguments.trim_end_matches(')');
    let owner = arguments.split(", ").next()?;
    let count = arguments.split(", ").count() - 1;
    let known: Vec<&str> = match owner {
        "t" => METHODS.iter().map(|(name, ..)| *name).chain(registry::phase_names()).collect(),
        "result" => result::METHODS.to_vec(),
        _ => return None,
    };
    if known.contains(&name) {
        return Some(format!("`{owner}.{name}` cannot be called with {count} arguments"));
    }
    let hint = did_you_mean_or_list(name, &known);
    Some(format!("`{owner}` has no `{name}`{hint}"))
}
