//! [`tinyci_error`]: errors, and the output parameter `err`.

use std::{
    error::Error as StdError,
    ffi::{CString, c_char},
    fmt::Display,
    mem::MaybeUninit,
    ptr,
};

use super::{
    code::{code_of, tinyci_code},
    text::{borrowed, c_path, c_text},
};
use crate::{Error, ErrorKind};

/// The reason why a call failed. You own it. It is plain data and depends on no other object: you
/// can read it in any thread and in a forked child.
pub struct tinyci_error {
    code: tinyci_code,
    message: CString,
    causes: Vec<CString>,
    file: Option<CString>,
    line: u32,
    column: u32,
    host_code: i32,
}

/// The error of a call, before it is stored for C.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Error);

impl Failure {
    /// Returns the error for a required argument that is NULL.
    pub(super) fn null(name: &str) -> Self {
        Error::new(ErrorKind::InvalidArg, format!("`{name}` is NULL")).into()
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<Failure> for tinyci_error {
    fn from(Failure(error): Failure) -> Self {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(c_text(&error.to_string()));
            cause = error.source();
        }
        let place = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Self {
            code: code_of(error.kind()),
            message: c_text(&error.report()),
            causes,
            file: error.path().map(c_path),
            line: error.position().map_or(0, |position| place(position.line)),
            column: error.position().map_or(0, |position| place(position.column)),
            host_code: error.host_code(),
        }
    }
}

impl Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The parameter `err`: the last one of every function that returns a code.
#[repr(transparent)]
pub struct ErrorOut<'call>(Option<&'call mut MaybeUninit<*mut tinyci_error>>);

impl ErrorOut<'_> {
    /// Stores the error of a call, or NULL if there is none.
    pub(super) fn store(self, result: Result<tinyci_code, Failure>) -> tinyci_code {
        let (code, error) = match result {
            Ok(code) => (code, None),
            Err(failure) => (code_of(failure.0.kind()), Some(failure)),
        };
        if let Some(place) = self.0 {
            let error = error.map(|failure| Box::into_raw(Box::new(tinyci_error::from(failure))));
            place.write(error.unwrap_or(ptr::null_mut()));
        }
        code
    }
}

/// Returns the code of an error: the code that the failed call returned.
///
/// @param error  The error, or NULL.
/// @return A negative code; `TINYCI_OK` for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_code(error: Option<&tinyci_error>) -> tinyci_code {
    error.map_or(0, |error| error.code)
}

/// Returns the complete message for a person: file, line and column if known, what failed, and the
/// causes, joined by `: `. For an error in a script, further lines show the source.
///
/// @param error  The error, or NULL.
/// @return The message, valid as long as the error; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_message(error: Option<&tinyci_error>) -> *const c_char {
    borrowed(error.map(|error| &error.message))
}

/// Returns one of the causes of an error. The message contains them too.
///
/// @param error  The error, or NULL.
/// @param depth  The index of the cause: 0 for the direct cause, 1 for the cause of that, and so
///               on.
/// @return The message of the cause, valid as long as the error; NULL if there is no such cause.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_cause(error: Option<&tinyci_error>, depth: usize) -> *const c_char {
    borrowed(error.and_then(|error| error.causes.get(depth)))
}

/// Returns the file or repository that the error is about.
///
/// @param error  The error, or NULL.
/// @return The path, valid as long as the error; NULL if the error is not about a file.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_file(error: Option<&tinyci_error>) -> *const c_char {
    borrowed(error.and_then(|error| error.file.as_ref()))
}

/// Returns the line of the config, script or template that the error is about.
///
/// @param error  The error, or NULL.
/// @return The line, from 1; 0 if the position is unknown.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_line(error: Option<&tinyci_error>) -> u32 {
    error.map_or(0, |error| error.line)
}

/// Returns the column in the line that `tinyci_error_line` returns.
///
/// @param error  The error, or NULL.
/// @return The column in characters, from 1; 0 if the position is unknown.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_column(error: Option<&tinyci_error>) -> u32 {
    error.map_or(0, |error| error.column)
}

/// Returns the number that your program passed to `tinyci_request_fail` or `tinyci_request_abort`,
/// if that caused the error.
///
/// @param error  The error, or NULL.
/// @return The number; 0 if there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_host_code(error: Option<&tinyci_error>) -> i32 {
    error.map_or(0, |error| error.host_code)
}

/// Frees an error and all strings taken from it.
///
/// @param error  The error, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_free(error: Option<Box<tinyci_error>>) {
    drop(error);
}

#[cfg(test)]
impl<'call> ErrorOut<'call> {
    /// Returns a place as C passes it.
    pub(super) fn at(place: &'call mut MaybeUninit<*mut tinyci_error>) -> Self {
        Self(Some(place))
    }

    /// Returns the message that a call stored there, if it stored an error.
    pub(super) fn taken(place: MaybeUninit<*mut tinyci_error>) -> Option<String> {
        // SAFETY: every call stores NULL or what came from a box.
        let error = unsafe { place.assume_init() };
        // SAFETY: as above, and the box is taken once.
        let error = (!error.is_null()).then(|| unsafe { Box::from_raw(error) });
        error.map(|error| error.message.to_string_lossy().into_owned())
    }
}
