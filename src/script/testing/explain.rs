//! Explains why a test failed: a message and notes.

use rhai::EvalAltResult;

use super::{expectation::Expectation, methods::METHODS, result, tester::Tester};
use crate::{
    script::{api::registry, errors::message, syntax::script::Script},
    util::suggestion::did_you_mean_or_list,
};

/// Returns the message and the notes for the error of a test.
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
            message.unwrap_or_else(|| message::message(error, Some(suite)))
        }
        EvalAltResult::ErrorDotExpr(text, _) if text.contains("'result'") => {
            let property = text.split('\'').nth(1).unwrap_or_default();
            let hint = did_you_mean_or_list(property, &result::PROPERTIES);
            format!("a result has no property `{property}`{hint}")
        }
        other => message::message(other, Some(suite)),
    };
    (message, printed)
}

/// Returns the message for an unknown method of `t` or of a result, or for a wrong number of
/// arguments.
fn unknown_method(signature: &str) -> Option<String> {
    let (name, arguments) = signature.split_once(" (")?;
    let arguments = arguments.trim_end_matches(')');
    let owner = arguments.split(", ").next()?;
    let count = arguments.split(", ").count() - 1;
    let known: Vec<&str> = match owner {
        "t" => METHODS.iter().map(|(name, ..)| *name).chain(registry::step_names()).collect(),
        "result" => result::METHODS.to_vec(),
        _ => return None,
    };
    if known.contains(&name) {
        return Some(format!("`{owner}.{name}` cannot be called with {count} arguments"));
    }
    let hint = did_you_mean_or_list(name, &known);
    Some(format!("`{owner}` has no `{name}`{hint}"))
}
