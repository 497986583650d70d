//! What a closure of an embedding program answers: a value, a refusal, or nothing, since the program
//! itself failed.

use std::{
    error::Error as StdError,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::error::{Error, ErrorKind};
use crate::util::threads::panic_text;

/// What such a closure may fail with: anything that `?` turns into a boxed error.
///
/// An [`Error`] of the kind [`HostFault`](ErrorKind::HostFault) says that the program itself failed:
/// there is no verdict then. Everything else is a refusal, which fails the step.
pub type HookError = Box<dyn StdError + Send + Sync>;

/// Asks the program for `what`. A panic is a fault of the program's.
pub(crate) fn answered<T>(
    what: &str,
    ask: impl FnOnce() -> Result<T, HookError>,
) -> Result<T, Error> {
    let answer = catch_unwind(AssertUnwindSafe(ask)).map_err(|panic| {
        let message = format!("the host panicked in {what}: {}", panic_text(&*panic));
        Error::new(ErrorKind::Panic, message)
    })?;
    answer.map_err(host_error).map_err(|error| blamed(what, error))
}

/// Says of a fault what the program was asked for.
pub(crate) fn blamed(what: &str, error: Error) -> Error {
    match error.kind() {
        ErrorKind::HostFault => {
            let message = format!("the host aborted {what}: {}", error.report());
            error.with_message(message)
        }
        _ => error,
    }
}

/// The program's error as ours: its own text and those of its causes, which is all that is kept of
/// it.
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
    fn a_refusal_a_fault_and_a_panic_are_told_apart() {
        let fault = || Error::new(ErrorKind::HostFault, "no vault").with_source("cut").into();
        let refusal: Result<(), _> = answered("the hook", || Err("not today".into()));
        let fault: Result<(), _> = answered("the hook", || Err(fault()));
        let panic: Result<(), _> = answered("the hook", || panic!("a bug"));
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
