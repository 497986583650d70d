//! The codes that functions return, one for each [`ErrorKind`].

use std::ffi::{CStr, c_char};

use crate::ErrorKind;

/// What a call returns: `TINYCI_OK`, `TINYCI_DONE`, `TINYCI_AGAIN`, or a negative number for an
/// error. It says whether the call worked. How a build ended is an outcome.
///
/// Numbers are never reused. A later version may add errors: every negative number is one.
pub type tinyci_code = i32;

/// Success: the result is available.
pub const TINYCI_OK: tinyci_code = 0;
/// There is nothing more to read, or nothing to do. Not an error.
pub const TINYCI_DONE: tinyci_code = 1;
/// Nothing came within the given time. Not an error: call again.
pub const TINYCI_AGAIN: tinyci_code = 2;
/// An argument is not valid: NULL, not UTF-8, a bad glob, an empty name, a malformed line.
pub const TINYCI_INVALID_ARG: tinyci_code = -1;
/// The named revision, ref, build or file does not exist.
pub const TINYCI_NOT_FOUND: tinyci_code = -2;
/// The path is not a git repository, or the repository cannot be read.
pub const TINYCI_NOT_A_REPO: tinyci_code = -3;
/// A pipeline config is not valid.
pub const TINYCI_CONFIG: tinyci_code = -4;
/// A pipeline script is not valid, or it failed.
pub const TINYCI_SCRIPT: tinyci_code = -5;
/// A placeholder (`<%= name %>`) cannot be replaced.
pub const TINYCI_INTERPOLATE: tinyci_code = -6;
/// git's data could not be read or written.
pub const TINYCI_GIT: tinyci_code = -7;
/// A file operation failed.
pub const TINYCI_IO: tinyci_code = -8;
/// A command or a thread could not be started.
pub const TINYCI_SPAWN: tinyci_code = -9;
/// Other code in this process waited for a command that tinyci started, so its exit code is lost.
pub const TINYCI_CHILD_LOST: tinyci_code = -10;
/// The call was canceled, or the answer to a request is no longer needed.
pub const TINYCI_CANCELED: tinyci_code = -11;
/// Your program refused a request, or did not answer it.
pub const TINYCI_HOST_ABORT: tinyci_code = -12;
/// Another run, deployment or cleanup is active in this repository. A run checks for new commits
/// before it ends.
pub const TINYCI_BUSY: tinyci_code = -13;
/// tinyci does not support this. The message says what and where.
pub const TINYCI_UNSUPPORTED: tinyci_code = -14;
/// The object was created by another process, from which this one was forked.
pub const TINYCI_WRONG_PROCESS: tinyci_code = -15;
/// tinyci has a bug. The object that the call used is unusable: only free it.
pub const TINYCI_PANIC: tinyci_code = -16;
/// Your program aborted a request, because the program itself failed.
pub const TINYCI_HOST_FAULT: tinyci_code = -17;

/// A newer version of tinyci wrote this data in a format that this version must not read or change.
/// The message says which version is needed.
pub const TINYCI_NEWER_FORMAT: tinyci_code = -18;

/// Every code with its name.
const NAMES: [(tinyci_code, &CStr); 21] = [
    (TINYCI_OK, c"ok"),
    (TINYCI_DONE, c"done"),
    (TINYCI_AGAIN, c"again"),
    (TINYCI_INVALID_ARG, c"invalid_arg"),
    (TINYCI_NOT_FOUND, c"not_found"),
    (TINYCI_NOT_A_REPO, c"not_a_repo"),
    (TINYCI_CONFIG, c"config"),
    (TINYCI_SCRIPT, c"script"),
    (TINYCI_INTERPOLATE, c"interpolate"),
    (TINYCI_GIT, c"git"),
    (TINYCI_IO, c"io"),
    (TINYCI_SPAWN, c"spawn"),
    (TINYCI_CHILD_LOST, c"child_lost"),
    (TINYCI_CANCELED, c"canceled"),
    (TINYCI_HOST_ABORT, c"host_abort"),
    (TINYCI_BUSY, c"busy"),
    (TINYCI_UNSUPPORTED, c"unsupported"),
    (TINYCI_WRONG_PROCESS, c"wrong_process"),
    (TINYCI_PANIC, c"panic"),
    (TINYCI_HOST_FAULT, c"host_fault"),
    (TINYCI_NEWER_FORMAT, c"newer_format"),
];

/// Returns the name of a code in lower case, such as `not_found`, for logs.
///
/// @param code  Any code.
/// @return The name, or NULL for a number that this version does not know. Static: do not free it.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_code_name(code: tinyci_code) -> *const c_char {
    let named = NAMES.iter().find(|(known, _)| *known == code);
    named.map_or(std::ptr::null(), |(_, name)| name.as_ptr())
}

/// Returns the code of this kind of error.
pub(super) fn code_of(kind: ErrorKind) -> tinyci_code {
    match kind {
        ErrorKind::InvalidArg => TINYCI_INVALID_ARG,
        ErrorKind::NotFound => TINYCI_NOT_FOUND,
        ErrorKind::NotARepo => TINYCI_NOT_A_REPO,
        ErrorKind::Config => TINYCI_CONFIG,
        ErrorKind::Script => TINYCI_SCRIPT,
        ErrorKind::Interpolate => TINYCI_INTERPOLATE,
        ErrorKind::Git => TINYCI_GIT,
        ErrorKind::Io => TINYCI_IO,
        ErrorKind::Spawn => TINYCI_SPAWN,
        ErrorKind::ChildLost => TINYCI_CHILD_LOST,
        ErrorKind::Canceled => TINYCI_CANCELED,
        ErrorKind::HostAbort => TINYCI_HOST_ABORT,
        ErrorKind::Busy => TINYCI_BUSY,
        ErrorKind::Unsupported => TINYCI_UNSUPPORTED,
        ErrorKind::WrongProcess => TINYCI_WRONG_PROCESS,
        ErrorKind::Panic => TINYCI_PANIC,
        ErrorKind::HostFault => TINYCI_HOST_FAULT,
        ErrorKind::NewerFormat => TINYCI_NEWER_FORMAT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In the order of [`NAMES`]. The match in `code_of` ensures that there are no others.
    const KINDS: [ErrorKind; 18] = [
        ErrorKind::InvalidArg,
        ErrorKind::NotFound,
        ErrorKind::NotARepo,
        ErrorKind::Config,
        ErrorKind::Script,
        ErrorKind::Interpolate,
        ErrorKind::Git,
        ErrorKind::Io,
        ErrorKind::Spawn,
        ErrorKind::ChildLost,
        ErrorKind::Canceled,
        ErrorKind::HostAbort,
        ErrorKind::Busy,
        ErrorKind::Unsupported,
        ErrorKind::WrongProcess,
        ErrorKind::Panic,
        ErrorKind::HostFault,
        ErrorKind::NewerFormat,
    ];

    #[test]
    fn kinds_and_codes_are_one_to_one() {
        let (good, bad) = NAMES.split_at(3);
        assert!(good.iter().all(|(code, _)| *code >= 0));
        assert_eq!(bad.len(), KINDS.len());
        for (index, (kind, (code, name))) in KINDS.into_iter().zip(bad).enumerate() {
            assert_eq!(code_of(kind), *code);
            assert_eq!(*code, -(index as i32) - 1, "a published number changed");
            let spelled = format!("{kind:?}").to_lowercase();
            assert_eq!(name.to_string_lossy().replace('_', ""), spelled);
        }
    }

    #[test]
    fn unknown_numbers_have_no_name() {
        for unknown in [3, -19, i32::MIN, i32::MAX] {
            assert!(tinyci_code_name(unknown).is_null());
        }
    }
}
