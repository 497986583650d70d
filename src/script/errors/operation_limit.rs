//! The error of a step with too many operations.

use rhai::EvalAltResult;

pub(in crate::script) const TOO_MANY: &str =
    "the script ran too many operations; it may be in an endless loop";

/// The value that is thrown when all operations are used up.
#[derive(Clone)]
pub(in crate::script) struct OperationLimit;

/// Returns true if the error says that all operations are used up.
pub(in crate::script) fn is_operation_limit(error: &EvalAltResult) -> bool {
    matches!(error.unwrap_inner(), EvalAltResult::ErrorRuntime(value, _) if value.is::<OperationLimit>())
}
