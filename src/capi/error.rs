//! [`tinyci_error`]: what went wrong, owned by the host, and where it is stored.

use std::{
    error::Error as StdError,
    ffi::{CString, c_char},
    fmt::Display,
    mem::MaybeUninit,
    ptr,
};

use super::{
    status::{status_of, tinyci_code},
    text::{borrowed, c_path, c_text},
};
use crate::{Error, ErrorKind};

/// Why a call could not do what it was asked to do. Owned by the host, and plain data: it belongs
/// to no other object, and can be read in any thread and in a forked child.
pub struct tinyci_error {
    status: tinyci_code,
    message: CString,
    causes: Vec<CString>,
    file: Option<CString>,
    line: u32,
    column: u32,
    host_code: i32,
}

/// An error on its way out.
#[derive(Debug)]
pub(super) struct Failure(pub(super) Error);

impl Failure {
    /// An argument that must be there is NULL.
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
            status: status_of(error.kind()),
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

/// Where the host wants an error: the last parameter of every function that returns a status.
#[repr(transparent)]
pub struct ErrorOut<'call>(Option<&'call mut MaybeUninit<*mut tinyci_error>>);

impl ErrorOut<'_> {
    /// Stores what came of a call: the error, or NULL where there is none.
    pub(super) fn store(self, result: Result<tinyci_code, Failure>) -> tinyci_code {
        let (status, error) = match result {
            Ok(status) => (status, None),
            Err(failure) => (status_of(failure.0.kind()), Some(failure)),
        };
        if let Some(place) = self.0 {
            let error = error.map(|failure| Box::into_raw(Box::new(tinyci_error::from(failure))));
            place.write(error.unwrap_or(ptr::null_mut()));
        }
        status
    }
}

/// What kind of error it is: what the call returned.
///
/// @param error  The error, or NULL.
/// @return A negative status; `TINYCI_OK` for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_code(error: Option<&tinyci_error>) -> tinyci_code {
    error.map_or(0, |error| error.status)
}

/// The whole of it for a person: file, line and column as far as they are known, what went wrong,
/// and the causes, joined by `: `. An error in a script has the lines that show its place below.
///
/// @param error  The error, or NULL.
/// @return The text, which lives as long as the error; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_message(error: Option<&tinyci_error>) -> *const c_char {
    borrowed(error.map(|error| &error.message))
}

/// One of the causes, which the message ends with.
///
/// @param error  The error, or NULL.
/// @param depth  0 for the nearest cause, then further down.
/// @return The text, which lives as long as the error; NULL where there is none at that depth.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_cause(error: Option<&tinyci_error>, depth: usize) -> *const c_char {
    borrowed(error.and_then(|error| error.causes.get(depth)))
}

/// The file or repository that the error met.
///
/// @param error  The error, or NULL.
/// @return The path, which lives as long as the error; NULL where no file was met.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_file(error: Option<&tinyci_error>) -> *const c_char {
    borrowed(error.and_then(|error| error.file.as_ref()))
}

/// The line of the config, script or template that the error met.
///
/// @param error  The error, or NULL.
/// @return The line, from 1; 0 where there is no position.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_line(error: Option<&tinyci_error>) -> u32 {
    error.map_or(0, |error| error.line)
}

/// The column in that line.
///
/// @param error  The error, or NULL.
/// @return The column in characters, from 1; 0 where there is no position.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_column(error: Option<&tinyci_error>) -> u32 {
    error.map_or(0, |error| error.column)
}

/// The number that the host gave when it failed a request, where that is what went wrong.
///
/// @param error  The error, or NULL.
/// @return The number; 0 where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_host_code(error: Option<&tinyci_error>) -> i32 {
    error.map_or(0, |error| error.host_code)
}

/// Frees an error.
///
/// @param error  The error, which is gone then with all its texts, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_error_free(error: Option<Box<tinyci_error>>) {
    drop(error);
}

#[cfg(test)]
impl<'call> ErrorOut<'call> {
    /// A place as C has it.
    pub(super) fn at(place: &'call mut MaybeUninit<*mut tinyci_error>) -> Self {
        Self(Some(place))
    }

    /// The message that a call stored there, if it stored an error.
    pub(super) fn taken(place: MaybeUninit<*mut tinyci_error>) -> Option<String> {
        // SAFETY: every call stores NULL or what came from a box.
        let error = unsafe { place.assume_init() };
        // SAFETY: as above, and the box is taken once.
        let error = (!error.is_null()).then(|| unsafe { Box::from_raw(error) });
        error.map(|error| error.message.to_string_lossy().into_owned())
    }
}
