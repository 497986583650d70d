//! The statuses that functions return, one to one with [`ErrorKind`].

use std::ffi::{CStr, c_char};

use crate::ErrorKind;

/// Whether tinyci could do what it was asked to do: `TINYCI_OK`, `TINYCI_DONE`, `TINYCI_AGAIN`, or
/// a negative error. What became of a build is no status but an outcome.
///
/// Numbers are never used again for something else. A later version may add errors: every negative
/// number is one.
pub type tinyci_code = i32;

/// It is done; what was asked for is there.
pub const TINYCI_OK: tinyci_code = 0;
/// There is nothing more to come. Not an error.
pub const TINYCI_DONE: tinyci_code = 1;
/// Nothing has come within the time given. Not an error: ask again.
pub const TINYCI_AGAIN: tinyci_code = 2;
/// An argument cannot be used: NULL, not UTF-8, a bad glob, an empty name, a malformed hook line.
pub const TINYCI_INVALID_ARG: tinyci_code = -1;
/// A revision, ref, build or file that was named does not exist.
pub const TINYCI_NOT_FOUND: tinyci_code = -2;
/// The path is not a git repository, or not one that can be read.
pub const TINYCI_NOT_A_REPO: tinyci_code = -3;
/// A pipeline config is not valid.
pub const TINYCI_CONFIG: tinyci_code = -4;
/// A pipeline script is not valid, or failed.
pub const TINYCI_SCRIPT: tinyci_code = -5;
/// A tag (`<%= name %>`) cannot be filled in.
pub const TINYCI_INTERPOLATE: tinyci_code = -6;
/// git's own data could not be read or written.
pub const TINYCI_GIT: tinyci_code = -7;
/// The file system refused.
pub const TINYCI_IO: tinyci_code = -8;
/// A command or a thread could not be started.
pub const TINYCI_SPAWN: tinyci_code = -9;
/// A child's exit status was taken by somebody else in this process.
pub const TINYCI_CHILD_LOST: tinyci_code = -10;
/// The work was canceled before it could begin.
pub const TINYCI_CANCELED: tinyci_code = -11;
/// The host refused a request, or did not answer it.
pub const TINYCI_HOST_ABORT: tinyci_code = -12;
/// Another process or thread is running in this repository; it will look again before it ends.
pub const TINYCI_BUSY: tinyci_code = -13;
/// Something that tinyci does not do, named in the message with what asks for it.
pub const TINYCI_UNSUPPORTED: tinyci_code = -14;
/// The handle was made by another process: this one was forked from it.
pub const TINYCI_WRONG_PROCESS: tinyci_code = -15;
/// tinyci itself is at fault. The handle that was used is failed for ever: only free it.
pub const TINYCI_PANIC: tinyci_code = -16;
/// The host aborted a request, since its own machinery failed.
pub const TINYCI_HOST_FAULT: tinyci_code = -17;

/// A newer version of tinyci wrote the repository's state, or what was read, in a form that this
/// version must not read or change; the message says which version it needs.
pub const TINYCI_NEWER_FORMAT: tinyci_code = -18;

/// Every status with its name.
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

/// The name of a status in small letters, such as `not_found`, for logs.
///
/// @param status  Any status.
/// @return The name, or NULL for a number that this version does not know. Static: do not free it.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_code_name(status: tinyci_code) -> *const c_char {
    let named = NAMES.iter().find(|(known, _)| *known == status);
    named.map_or(std::ptr::null(), |(_, name)| name.as_ptr())
}

/// The status that stands for this kind of error.
pub(super) fn status_of(kind: ErrorKind) -> tinyci_code {
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

    /// In the order of [`NAMES`]. That there are no others, the match of `status_of` holds.
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
    fn kinds_and_statuses_are_one_to_one() {
        let (good, bad) = NAMES.split_at(3);
        assert!(good.iter().all(|(status, _)| *status >= 0));
        assert_eq!(bad.len(), KINDS.len());
        for (index, (kind, (status, name))) in KINDS.into_iter().zip(bad).enumerate() {
            assert_eq!(status_of(kind), *status);
            assert_eq!(*status, -(index as i32) - 1, "a published number changed");
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
