//! The effect of Ctrl-C, a closed terminal and a closed pipe on this process.
//!
//! To survive a signal, tinyci installs a handler that does nothing. It does not ignore the signal,
//! because child processes inherit ignored signals, but not handlers.

use std::sync::{Arc, atomic::AtomicBool};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM},
    flag, low_level,
};
use tinyci::CancelToken;

use crate::console::failure::Failure;

/// Makes a write to a closed pipe return an error instead of ending the process.
pub(crate) fn survive_broken_pipe() -> Result<(), Failure> {
    survive(SIGPIPE)
}

/// Keeps the process running when its terminal or connection is closed.
pub(crate) fn survive_hangup() -> Result<(), Failure> {
    survive(SIGHUP)
}

/// Returns a token that Ctrl-C and SIGTERM trigger: the first cancels, the second kills.
pub(crate) fn cancel_on_interrupt() -> Result<CancelToken, Failure> {
    cancel_on(&[SIGINT, SIGTERM])
}

/// Returns a token that only SIGTERM triggers. After a push over a local path, the git hook is in
/// the process group of the pusher's terminal. There, Ctrl-C must end the push, but not the run.
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
    let unused = Arc::new(AtomicBool::new(false));
    flag::register(signal, unused).map_err(|error| cannot_handle(&error))?;
    Ok(())
}

fn cannot_handle(error: &std::io::Error) -> Failure {
    Failure::broken(format!("cannot install a signal handler: {error}"))
}
