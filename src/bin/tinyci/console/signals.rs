//! What Ctrl-C, a lost terminal and a reader that hangs up do to this process.
//!
//! Signals to be survived get handlers that do nothing, and are not set to "ignored": a child
//! process inherits what is ignored, and starts with the default in place of a handler.

use std::sync::{Arc, atomic::AtomicBool};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM},
    flag, low_level,
};
use tinyci::CancelToken;

use crate::console::failure::Failure;

/// Lets a write to a reader that hung up return an error instead of ending the process.
pub(crate) fn survive_broken_pipe() -> Result<(), Failure> {
    survive(SIGPIPE)
}

/// Lets the process outlive the terminal, or the connection, that started it.
pub(crate) fn survive_hangup() -> Result<(), Failure> {
    survive(SIGHUP)
}

/// A token that Ctrl-C and SIGTERM raise: the first stops what runs, the second kills it.
pub(crate) fn cancel_on_interrupt() -> Result<CancelToken, Failure> {
    cancel_on(&[SIGINT, SIGTERM])
}

/// A token that SIGTERM alone raises. A hook that is pushed to over a local path is in the group
/// that the pusher's keyboard signals: Ctrl-C ends the push, and the run is not the pusher's to end.
pub(crate) fn cancel_on_terminate() -> Result<CancelToken, Failure> {
    survive(SIGINT)?;
    survive(SIGQUIT)?;
    cancel_on(&[SIGTERM])
}

fn cancel_on(signals: &[i32]) -> Result<CancelToken, Failure> {
    let cancel = CancelToken::new();
    for signal in signals {
        let cancel = cancel.clone();
        // SAFETY: `CancelToken::cancel` is async-signal-safe by its contract: atomic instructions,
        // no lock, no allocation. The token it holds lives as long as the process.
        let registered = unsafe { low_level::register(*signal, move || cancel.cancel()) };
        registered.map_err(|error| cannot_handle(&error))?;
    }
    Ok(cancel)
}

fn survive(signal: i32) -> Result<(), Failure> {
    let nobody_reads_it = Arc::new(AtomicBool::new(false));
    flag::register(signal, nobody_reads_it).map_err(|error| cannot_handle(&error))?;
    Ok(())
}

fn cannot_handle(error: &std::io::Error) -> Failure {
    Failure::broken(format!("cannot install a signal handler: {error}"))
}
