//! What failed in a phase, as it is put on record.

use super::{commands::command_error, report, run::PhaseCall, session::Thrown};
use crate::{error::Error, step::Failed};

/// An error that nothing caught. `error` is what is said of it, if that is known already.
pub(super) fn of(thrown: &Thrown, error: Option<&Error>, call: &PhaseCall<'_>) -> Failed {
    let mut failed = match command_error(thrown) {
        Some(command) => Failed::of_command(command.failed),
        None => Failed::of(match error {
            Some(error) => error.message().to_owned(),
            None => report::message(thrown, Some(call.script)),
        }),
    };
    failed.failure.place = report::place_of(thrown, call.script, call.phase);
    failed
}
