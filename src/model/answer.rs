//! Answers of an embedding program's callbacks: a value, a refusal or a fault.

use std::{
    error::Error as StdError,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::error::{Error, ErrorKind};
use crate::util::threads::panic_text;

/// The error type of your callbacks: `?` converts any error to it.
///
/// An [`Error`] of the kind [`HostFault`](ErrorKind::HostFault) says that your program itself
/// failed. The job then ends without a verdict. Any other error is a refusal and fails the step.
pub type HookError = Box<dyn StdError + Send + Sync>;

/// Calls the program for `what`. Turns a panic into an error of the kind `Panic`.
pub(crate) fn call_program<T>(
    what: &str,
    call: impl FnOnce() -> Result<T, HookError>,
) -> Result<T, Error> {
    let answer = catch_unwind(AssertUnwindSafe(call)).map_err(|panic| {
        let message = format!("the host panicked in {what}: {}", panic_text(&*panic));
        Error::new(ErrorKind::Panic, message)
    })?;
    answer.map_err(host_error).map_err(|error| with_request(what, error))
}

/// Adds to a fault what the program was called for.
pub(crate) fn with_request(request: &str, error: Error) -> Error {
    match error.kind() {
        ErrorKind::HostFault => {
            let message = format!("the host aborted {request}: {}", error.report());
            error.with_message(message)
        }
        _ => error,
    }
}

/// Converts the program's error. Keeps only its message and those of its causes.
pub(crate) fn host_error(error: HookError) -> Error {
    let error = match error.downcast::<Error>() {
        Ok(error) => return *error,
        Err(error) => error,
    };
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    Error::new(ErrorKind::HostAbort, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_a_fault_and_a_panic_are_distinguished() {
        let fault = || Error::new(ErrorKind::HostFault, "no vault").with_source("cut").into();
        let refusal: Result<(), _> = call_program("the hook", || Err("not today".into()));
        let fault: Result<(), _> = call_program("the hook", || Err(fault()));
        let panic: Result<(), _> = call_program("the hook", || panic!("a bug"));
        let seen = [refusal, fault, panic].map(|it| {
            let error = it.unwrap_err();
            (error.kind(), error.report(), error.is_host_fault())
        });
        assert_eq!(
            seen,
            [
                (ErrorKind::HostAbort, "not today".to_owned(), false),
                (ErrorKind::HostFault, "the host aborted the hook: no vault: cut".to_owned(), true),
                (ErrorKind::Panic, "the host panicked in the hook: a bug".to_owned(), true),
            ]
        );
    }
}
