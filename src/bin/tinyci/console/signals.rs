//! The effect of Ctrl-C, a closed terminal and a closed pipe on this process.
//!
//! To survive a signal, tinyci installs a handler that does nothing. It does not ignore the signal,
//! because child processes inherit ignored signals, but not handlers.

use std::{
    io::Read,
    os::unix::net::UnixStream,
    sync::{Arc, atomic::AtomicBool},
    thread,
    time::Duration,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGPIPE, SIGQUIT, SIGTERM, SIGXFSZ},
    flag, low_level,
};
use tinyci::CancelToken;

use crate::console::{exit_codes::CANCELED, failure::Failure};

/// How long after the second signal the process ends, whatever it is doing. Within this time a run
/// kills its commands and records that.
const LAST_GRACE: Duration = Duration::from_secs(2);

/// Makes a write return an error instead of ending the process if the reader has closed the pipe, or
/// if the file would exceed the limit of `ulimit -f`.
pub(crate) fn survive_failed_writes() -> Result<(), Failure> {
    survive(SIGPIPE)?;
    survive(SIGXFSZ)
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
    let (seen, told) = UnixStream::pair().map_err(|error| cannot_handle(&error))?;
    end_after_second_signal(seen)?;
    for signal in signals {
        let told = told.try_clone().map_err(|error| cannot_handle(&error))?;
        low_level::pipe::register(*signal, told).map_err(|error| cannot_handle(&error))?;
        let cancel = cancel.clone();
        // SAFETY: `CancelToken::cancel` is async-signal-safe by its contract: atomic instructions,
        // no lock, no allocation. The token it holds lives as long as the process.
        let registered = unsafe { low_level::register(*signal, move || cancel.cancel()) };
        registered.map_err(|error| cannot_handle(&error))?;
    }
    Ok(cancel)
}

/// Ends the process soon after the second byte: a cancel ends what looks at it, and a call of the
/// system or of a library may last for any time. The guard then ends the commands of a run.
fn end_after_second_signal(mut signals: UnixStream) -> Result<(), Failure> {
    let wait = move || {
        if signals.read_exact(&mut [0; 2]).is_ok() {
            thread::sleep(LAST_GRACE);
            low_level::exit(CANCELED.into());
        }
    };
    let thread = thread::Builder::new().name("tinyci signals".to_owned()).spawn(wait);
    thread.map(drop).map_err(|error| cannot_handle(&error))
}

fn survive(signal: i32) -> Result<(), Failure> {
    let unused = Arc::new(AtomicBool::new(false));
    flag::register(signal, unused).map_err(|error| cannot_handle(&error))?;
    Ok(())
}

fn cannot_handle(error: &std::io::Error) -> Failure {
    Failure::broken(format!("cannot install a signal handler: {error}"))
}
