//! The error that says that a phase has taken all its steps.

use rhai::EvalAltResult;

pub(in crate::script) const TOO_MANY: &str =
    "the script ran too many operations; it may be in an endless loop";

/// What is thrown at the place where all steps are spent.
#[derive(Clone)]
pub(in crate::script) struct Spent;

/// True of the error that says that all steps are spent.
pub(in crate::script) fn are_spent(error: &EvalAltResult) -> bool {
    matches!(error.unwrap_inner(), EvalAltResult::ErrorRuntime(value, _) if value.is::<Spent>())
}
