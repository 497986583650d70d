//! Outcomes as numbers.

use std::ffi::{CStr, c_char};

use crate::{Outcome, deploy::DeployOutcome};

/// How a step, job or deployment ended.
pub type OutcomeNumber = i32;

/// It passed. This is the only outcome that is green.
pub const TINYCI_OUTCOME_SUCCESS: OutcomeNumber = 1;
/// A command failed, or the config is not valid.
pub const TINYCI_OUTCOME_FAILURE: OutcomeNumber = 2;
/// A time limit was exceeded. The verdict is `failure`.
pub const TINYCI_OUTCOME_TIMED_OUT: OutcomeNumber = 3;
/// The pipeline or a person decided not to run it. Final, but not green.
pub const TINYCI_OUTCOME_SKIPPED: OutcomeNumber = 4;
/// tinyci could not run the job. The commit gets no verdict.
pub const TINYCI_OUTCOME_ERROR: OutcomeNumber = 5;
/// The job was canceled. The commit gets no verdict.
pub const TINYCI_OUTCOME_CANCELED: OutcomeNumber = 6;
/// Deployments only: nothing was done, because a person must approve first.
pub const TINYCI_OUTCOME_AWAITING_APPROVAL: OutcomeNumber = 7;
/// Deployments only: it is in progress.
pub const TINYCI_OUTCOME_RUNNING: OutcomeNumber = 8;
/// Deployments only: it began and was interrupted, so its result is unknown. Check the environment.
pub const TINYCI_OUTCOME_INTERRUPTED: OutcomeNumber = 9;
/// Deployments only: the environment was retired, and nothing is deployed there.
pub const TINYCI_OUTCOME_RETIRED: OutcomeNumber = 10;

const NAMES: [(Outcome, i32, &CStr); 6] = [
    (Outcome::Success, TINYCI_OUTCOME_SUCCESS, c"success"),
    (Outcome::Failure, TINYCI_OUTCOME_FAILURE, c"failure"),
    (Outcome::TimedOut, TINYCI_OUTCOME_TIMED_OUT, c"timed_out"),
    (Outcome::Skipped, TINYCI_OUTCOME_SKIPPED, c"skipped"),
    (Outcome::Error, TINYCI_OUTCOME_ERROR, c"error"),
    (Outcome::Canceled, TINYCI_OUTCOME_CANCELED, c"canceled"),
];

/// The outcomes that only deployments have.
const OF_DEPLOYMENTS: [(i32, &CStr); 4] = [
    (TINYCI_OUTCOME_AWAITING_APPROVAL, c"awaiting_approval"),
    (TINYCI_OUTCOME_RUNNING, c"running"),
    (TINYCI_OUTCOME_INTERRUPTED, c"interrupted"),
    (TINYCI_OUTCOME_RETIRED, c"retired"),
];

/// Returns the name of an outcome in lower case, as in JSON: `success`, `timed_out`, ...
///
/// @param outcome  One of `TINYCI_OUTCOME_*`.
/// @return The name, or NULL for a number that this version does not know: treat it as not passed.
///         Static: do not free it.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_outcome_name(outcome: OutcomeNumber) -> *const c_char {
    let names = NAMES.iter().map(|(_, number, name)| (*number, *name)).chain(OF_DEPLOYMENTS);
    let named = names.into_iter().find(|(number, _)| *number == outcome);
    named.map_or(std::ptr::null(), |(_, name)| name.as_ptr())
}

/// Returns the number of an outcome.
pub(super) fn number_of(outcome: Outcome) -> OutcomeNumber {
    match outcome {
        Outcome::Success => TINYCI_OUTCOME_SUCCESS,
        Outcome::Failure => TINYCI_OUTCOME_FAILURE,
        Outcome::TimedOut => TINYCI_OUTCOME_TIMED_OUT,
        Outcome::Skipped => TINYCI_OUTCOME_SKIPPED,
        Outcome::Error => TINYCI_OUTCOME_ERROR,
        Outcome::Canceled => TINYCI_OUTCOME_CANCELED,
    }
}

/// Returns the number of a deployment's outcome.
pub(super) fn number_of_deploy(outcome: DeployOutcome) -> OutcomeNumber {
    match outcome {
        DeployOutcome::Success => TINYCI_OUTCOME_SUCCESS,
        DeployOutcome::Failure => TINYCI_OUTCOME_FAILURE,
        DeployOutcome::Skipped => TINYCI_OUTCOME_SKIPPED,
        DeployOutcome::Canceled => TINYCI_OUTCOME_CANCELED,
        DeployOutcome::AwaitingApproval => TINYCI_OUTCOME_AWAITING_APPROVAL,
        DeployOutcome::Running => TINYCI_OUTCOME_RUNNING,
        DeployOutcome::Interrupted => TINYCI_OUTCOME_INTERRUPTED,
        DeployOutcome::Retired => TINYCI_OUTCOME_RETIRED,
    }
}

/// Returns the outcome that has this number.
pub(super) fn outcome_of(number: i32) -> Option<Outcome> {
    NAMES.iter().find(|(_, known, _)| *known == number).map(|(outcome, _, _)| *outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_numbers_and_names_are_one_to_one() {
        for (index, (outcome, (known, number, name))) in
            Outcome::ALL.into_iter().zip(NAMES).enumerate()
        {
            assert_eq!((outcome, number), (known, index as i32 + 1), "a published number changed");
            assert_eq!(number_of(outcome), number);
            assert_eq!(outcome_of(number), Some(outcome));
            assert_eq!(name.to_str(), Ok(outcome.name()));
        }
        for outcome in DeployOutcome::ALL {
            let number = number_of_deploy(outcome);
            // SAFETY: the name of a known number is static.
            let name = unsafe { CStr::from_ptr(tinyci_outcome_name(number)) };
            assert_eq!(name.to_str(), Ok(outcome.name()));
            assert_eq!(outcome.passed(), number == TINYCI_OUTCOME_SUCCESS);
        }
        for only_of_deployments in [7, 8, 9, 10] {
            assert!(outcome_of(only_of_deployments).is_none());
        }
        for unknown in [0, -1, 11, i32::MAX] {
            assert!(outcome_of(unknown).is_none() && tinyci_outcome_name(unknown).is_null());
        }
    }
}
