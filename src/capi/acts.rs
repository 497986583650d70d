//! Acts that are over when the call returns: the hook, old builds, verdicts.

use std::{ffi::c_char, mem::MaybeUninit};

use super::{
    cancel::tinyci_cancel,
    engine::tinyci_engine,
    error::ErrorOut,
    guard::{self, Act},
    handle::optional,
    status::tinyci_status,
    text::{CText, c_text},
};
use crate::{CancelToken, CompactOptions, Error, ErrorKind, InstallOptions};

/// Have pushes to the refs that hold verdicts refused (`receive.hideRefs`).
pub const TINYCI_INSTALL_HIDE_REFS: u32 = 1;
/// Install even into a folder that other repositories use too (`core.hooksPath`).
pub const TINYCI_INSTALL_SHARED_HOOKS: u32 = 2;

const INSTALL_FLAGS: u32 = TINYCI_INSTALL_HIDE_REFS | TINYCI_INSTALL_SHARED_HOOKS;

/// Installs the git hook that runs what is pushed, beside hooks that are there.
///
/// @param engine   The engine.
/// @param command  What the hook runs: a name to be found in `PATH` on the server, or an absolute
///                 path; NULL for `tinyci`.
/// @param flags    A sum of `TINYCI_INSTALL_*`.
/// @param notes    Where lines are stored that a person should see, to be freed with
///                 `tinyci_string_free`, or NULL: what the hook needs, what it leaves out.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where it was installed already; `TINYCI_UNSUPPORTED` for a hook that
///         nothing can be added to, with the line to add by hand; `TINYCI_IO`;
///         `TINYCI_INVALID_ARG`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_install(
    engine: Option<&tinyci_engine>,
    command: CText<'_>,
    flags: u32,
    notes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::tell(engine, notes, err, |opened| {
        if flags & !INSTALL_FLAGS != 0 {
            let message = format!("{flags} is not a sum of TINYCI_INSTALL_*");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let mut options = InstallOptions::new().hide_refs(flags & TINYCI_INSTALL_HIDE_REFS != 0);
        options.shared_hooks = flags & TINYCI_INSTALL_SHARED_HOOKS != 0;
        if let Some(command) = command.optional("command")? {
            options = options.command(command);
        }
        Ok(lines(&opened.engine.install(&options)?.notes))
    })
}

/// Takes the hook out again, and leaves every other byte as it is.
///
/// @param engine  The engine.
/// @param notes   Where lines are stored that a person should see, to be freed with
///                `tinyci_string_free`, or NULL.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where none was installed; `TINYCI_IO` where the file cannot be written.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_uninstall(
    engine: Option<&tinyci_engine>,
    notes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::tell(engine, notes, err, |opened| Ok(lines(&opened.engine.uninstall()?.notes)))
}

/// Packs old builds into `.tar.gz` files, never one that a run is working on.
///
/// @param engine    The engine.
/// @param newest    How many of the newest builds to leave as they are.
/// @param leave     More builds to leave, one a line: names, paths of or in builds, links to them,
///                  commits' ids. NULL for none.
/// @param cancel    What can stop it from another thread; NULL for nothing.
/// @param archives  Where the paths of the new archives are stored, one a line, to be freed with
///                  `tinyci_string_free`, or NULL.
/// @param err       Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where there was nothing to pack; `TINYCI_BUSY` where another call packs
///         already; `TINYCI_CANCELED`; `TINYCI_IO` naming what could not be read or written: that
///         build is left as it is.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_compact(
    engine: Option<&tinyci_engine>,
    newest: usize,
    leave: CText<'_>,
    cancel: Option<&tinyci_cancel>,
    archives: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::tell(engine, archives, err, |opened| {
        let never = CancelToken::new();
        let cancel = optional(cancel)?.unwrap_or(&never);
        let leave = leave.optional("leave")?.unwrap_or_default().lines();
        let leave = leave.filter(|line| !line.is_empty());
        let options = leave.fold(CompactOptions::new().newest(newest), CompactOptions::leave);
        let done = opened.engine.compact(&options, cancel)?;
        let archives: Vec<String> =
            done.compacted.iter().map(|it| it.archive.display().to_string()).collect();
        Ok(lines(&archives))
    })
}

/// Takes a commit's verdict away, so that it is due again. Its records stay.
///
/// @param engine  The engine.
/// @param rev     The commit, in any of git's revision syntax.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` where it had none; `TINYCI_NOT_FOUND` for a revision that
///         names no commit; `TINYCI_GIT` where the notes cannot be written.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_forget(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::act(engine, err, |opened| {
        let had_one = opened.engine.forget(rev.required("rev")?)?;
        Ok(if had_one { Act::Done } else { Act::Nothing })
    })
}

fn lines(lines: &[String]) -> std::ffi::CString {
    c_text(&lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>())
}
