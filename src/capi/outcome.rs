//! What became of a commit or a step, as a number.

use std::ffi::{CStr, c_char};

use crate::Outcome;

/// Everything that had to pass did: green.
pub const TINYCI_OUTCOME_SUCCESS: i32 = 1;
/// A command of the commit failed, or its config is not valid.
pub const TINYCI_OUTCOME_FAILURE: i32 = 2;
/// A time limit passed. Recorded as a failure.
pub const TINYCI_OUTCOME_TIMED_OUT: i32 = 3;
/// The pipeline said that there is nothing to do. Settled, but never green.
pub const TINYCI_OUTCOME_SKIPPED: i32 = 4;
/// The machinery failed, not the commit. Nothing is settled.
pub const TINYCI_OUTCOME_NO_VERDICT: i32 = 5;
/// Somebody canceled the run. Nothing is settled.
pub const TINYCI_OUTCOME_CANCELED: i32 = 6;

/// Every outcome with its name.
const OUTCOMES: [(i32, Outcome, &CStr); 6] = [
    (TINYCI_OUTCOME_SUCCESS, Outcome::Success, c"success"),
    (TINYCI_OUTCOME_FAILURE, Outcome::Failure, c"failure"),
    (TINYCI_OUTCOME_TIMED_OUT, Outcome::TimedOut, c"timed_out"),
    (TINYCI_OUTCOME_SKIPPED, Outcome::Skipped, c"skipped"),
    (TINYCI_OUTCOME_NO_VERDICT, Outcome::NoVerdict, c"no_verdict"),
    (TINYCI_OUTCOME_CANCELED, Outcome::Canceled, c"canceled"),
];

/// The number of an outcome.
pub(super) fn outcome_number(outcome: Outcome) -> i32 {
    match outcome {
        Outcome::Success => TINYCI_OUTCOME_SUCCESS,
        Outcome::Failure => TINYCI_OUTCOME_FAILURE,
        Outcome::TimedOut => TINYCI_OUTCOME_TIMED_OUT,
        Outcome::Skipped => TINYCI_OUTCOME_SKIPPED,
        Outcome::NoVerdict => TINYCI_OUTCOME_NO_VERDICT,
        Outcome::Canceled => TINYCI_OUTCOME_CANCELED,
    }
}

/// The outcome of a number.
pub(super) fn outcome_of(number: i32) -> Option<Outcome> {
    let known = OUTCOMES.iter().find(|(known, ..)| *known == number);
    known.map(|(_, outcome, _)| *outcome)
}

/// The name of an outcome, as JSON and `tinyci results` have it.
///
/// @param outcome  One of `TINYCI_OUTCOME_*`.
/// @return The name, such as `timed_out`, which is never freed; NULL for any other number.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_outcome_name(outcome: i32) -> *const c_char {
    let known = OUTCOMES.iter().find(|(known, ..)| *known == outcome);
    known.map_or(std::ptr::null(), |(_, _, name)| name.as_ptr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_fit_and_never_change() {
        for (place, (number, outcome, name)) in OUTCOMES.into_iter().enumerate() {
            assert_eq!(usize::try_from(number), Ok(place + 1), "a published number changed");
            assert_eq!(Outcome::ALL[place], outcome);
            assert_eq!(outcome_number(outcome), number);
            assert_eq!(outcome_of(number), Some(outcome));
            assert_eq!(name.to_str(), Ok(outcome.name()));
        }
        assert!(outcome_of(0).is_none() && tinyci_outcome_name(7).is_null());
    }
}
