//! Acts that are over when the call returns: the hook, old builds, verdicts, remotes.

use std::{ffi::c_char, mem::MaybeUninit, time::Duration};

use super::{
    cancel::tinyci_cancel,
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard::{self, Act},
    handle::optional,
    status::tinyci_status,
    text::{CText, c_text, lines},
};
use crate::{CancelToken, CompactOptions, Error, ErrorKind, InstallOptions, PruneOptions};

/// Have pushes to the refs that hold verdicts refused (`receive.hideRefs`).
pub const TINYCI_INSTALL_HIDE_REFS: u32 = 1;
/// Install even into a folder that other repositories use too (`core.hooksPath`).
pub const TINYCI_INSTALL_SHARED_HOOKS: u32 = 2;

const INSTALL_FLAGS: u32 = TINYCI_INSTALL_HIDE_REFS | TINYCI_INSTALL_SHARED_HOOKS;

/// Installs the git hook that runs what is pushed, beside hooks that are there. Where a remote's
/// refspecs have a fetch replace or delete tinyci's refs, as in a mirror, adds negative ones.
///
/// @param engine   The engine.
/// @param command  What the hook runs: a name to be found in `PATH` on the server, or an absolute
///                 path; NULL for `tinyci`.
/// @param flags    A sum of `TINYCI_INSTALL_*`.
/// @param notes    Where lines are stored that a person should see, to be freed with
///                 `tinyci_string_free`, or NULL: what the hook needs, what it leaves out, what
///                 else was added.
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

/// Takes the hook and the refspecs out again that an install added, and leaves every other byte as it
/// is.
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

/// Packs old builds into `.tar.gz` files, never one that a run is working on or that is pinned: what is
/// deployed, was before, would be next or waits for an approval, and what a link in a folder of
/// `tinyci.pin` leads into. A build that cannot be packed is left as it is, and the rest goes on.
///
/// @param engine  The engine.
/// @param newest  How many of the newest builds to leave as they are.
/// @param leave   More builds to leave, one a line: names, paths of or in builds, links to them,
///                commits' ids. NULL for none.
/// @param cancel  What can stop it from another thread; NULL for nothing.
/// @param report  Where is stored what was packed, what `tinyci compact --json` prints, to be freed
///                with `tinyci_string_free`, or NULL. Its `not_removed` names what could not be
///                packed, and folders that are packed and do not go.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where there was nothing to pack, or something could not be; `TINYCI_BUSY`
///         where another call packs already; `TINYCI_CANCELED`; `TINYCI_IO` where the builds cannot
///         be listed.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_compact(
    engine: Option<&tinyci_engine>,
    newest: usize,
    leave: CText<'_>,
    cancel: Option<&tinyci_cancel>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::tell(engine, report, err, |opened| {
        let never = CancelToken::new();
        let cancel = optional(cancel)?.unwrap_or(&never);
        let leave = leave.optional("leave")?.unwrap_or_default().lines();
        let leave = leave.filter(|line| !line.is_empty());
        let options = leave.fold(CompactOptions::new().newest(newest), CompactOptions::leave);
        let done = opened.engine.compact(&options, cancel)?;
        Ok(c_text(&done.to_json()))
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

/// Remove nothing, and tell what would go.
pub const TINYCI_PRUNE_DRY_RUN: u32 = 1;

/// Removes old builds, never one that a run is working on or that is pinned: what is deployed, was
/// before, would be next or waits for an approval, and what a link in a folder of `tinyci.pin` leads
/// into. Verdicts and records stay. Without any rule those of the repository's settings
/// hold, `tinyci.pruneKeep` and its like. A build that does not go is passed over.
///
/// @param engine      The engine.
/// @param keep        Removes all but so many builds, those that were run last; -1 for no such rule.
/// @param max_age_ms  Removes builds that were last run longer ago; -1 for no such rule.
/// @param max_bytes   Removes the oldest builds until the rest takes no more; -1 for no such rule.
/// @param flags       A sum of `TINYCI_PRUNE_*`.
/// @param cancel      What can stop it from another thread; NULL for nothing.
/// @param report      Where is stored what was removed, what `tinyci prune --json` prints, to be
///                    freed with `tinyci_string_free`, or NULL. Its `not_removed` names what does
///                    not go.
/// @param err         Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where there was nothing to remove, or something does not go;
///         `TINYCI_INVALID_ARG` where neither the call nor the settings have a rule; `TINYCI_BUSY`
///         where another call packs or removes builds; `TINYCI_CANCELED`; `TINYCI_IO` where the
///         builds cannot be listed.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_prune(
    engine: Option<&tinyci_engine>,
    keep: i64,
    max_age_ms: i64,
    max_bytes: i64,
    flags: u32,
    cancel: Option<&tinyci_cancel>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::tell(engine, report, err, |opened| {
        if flags & !TINYCI_PRUNE_DRY_RUN != 0 {
            let message = format!("{flags} is not a sum of TINYCI_PRUNE_*");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let mut options = PruneOptions::new().dry_run(flags & TINYCI_PRUNE_DRY_RUN != 0);
        let keep = rule("keep", keep)?.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX));
        options.keep = keep;
        options.max_age = rule("max_age_ms", max_age_ms)?.map(Duration::from_millis);
        options.max_bytes = rule("max_bytes", max_bytes)?;
        let never = CancelToken::new();
        let done = opened.engine.prune(&options, optional(cancel)?.unwrap_or(&never))?;
        Ok(c_text(&done.to_json()))
    })
}

/// A rule's number; none for -1.
fn rule(name: &str, number: i64) -> Result<Option<u64>, Failure> {
    match u64::try_from(number) {
        Ok(number) => Ok(Some(number)),
        Err(_) if number == -1 => Ok(None),
        Err(_) => {
            let message = format!("`{name}` is {number}: it is -1, 0 or more");
            Err(Error::new(ErrorKind::InvalidArg, message).into())
        }
    }
}

/// Forgets the verdicts and records of all commits, so that all are due again that the baseline does
/// not hide. What others deleted of tinyci's refs, which each run restores, is given up for good.
/// Deployments, approvals and the baseline that are there stay, and so does what was fetched.
///
/// @param engine  The engine.
/// @param report  Where is stored what was removed and given up, what `tinyci results --forget-all
///                --json` prints, to be freed with `tinyci_string_free`, or NULL.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where there was nothing to forget; `TINYCI_GIT` where the refs cannot be
///         removed; `TINYCI_IO` where the repository's state cannot be written.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_forget_all(
    engine: Option<&tinyci_engine>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::tell(engine, report, err, |opened| Ok(c_text(&opened.engine.forget_all()?.to_json())))
}

/// Has `git fetch` bring a remote's verdicts, records and deployments, and `git log` show the
/// verdicts, by lines in the repository's own git configuration.
///
/// @param engine   The engine.
/// @param remote   The remote's name; NULL for `origin`.
/// @param changes  Where the lines are stored that are new, to be freed with `tinyci_string_free`,
///                 or NULL.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where it was set up already; `TINYCI_NOT_FOUND` where there is no such
///         remote; `TINYCI_GIT` where the configuration cannot be written.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_setup_remote(
    engine: Option<&tinyci_engine>,
    remote: CText<'_>,
    changes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::tell(engine, changes, err, |opened| {
        Ok(lines(&opened.engine.setup_remote(remote_of(remote)?)?.changes))
    })
}

/// Takes the lines of `tinyci_setup_remote` out again. What was fetched stays.
///
/// @param engine   The engine.
/// @param remote   The remote's name, which need not be there any more; NULL for `origin`.
/// @param changes  Where the lines are stored that are gone, to be freed with `tinyci_string_free`,
///                 or NULL.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where nothing was set up; `TINYCI_NOT_FOUND` where nothing was, and
///         there is no such remote either; `TINYCI_GIT` where the configuration cannot be written.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_undo_setup_remote(
    engine: Option<&tinyci_engine>,
    remote: CText<'_>,
    changes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::tell(engine, changes, err, |opened| {
        Ok(lines(&opened.engine.undo_setup_remote(remote_of(remote)?)?.changes))
    })
}

/// Merges the verdicts and records that were last fetched of a remote into the repository's own: all
/// records are kept, and of two verdicts the one holds whose run finished last.
///
/// @param engine  The engine.
/// @param remote  The remote's name; NULL for `origin`.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` where nothing was new; `TINYCI_NOT_FOUND` where there is no
///         such remote, or nothing of it was fetched; `TINYCI_GIT` where notes cannot be read or
///         written.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_merge_results(
    engine: Option<&tinyci_engine>,
    remote: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_status {
    guard::act(engine, err, |opened| {
        let merged = opened.engine.merge_results(remote_of(remote)?)?;
        let verdicts = merged.settled.len() + merged.overruled.len();
        Ok(if merged.records + verdicts > 0 { Act::Done } else { Act::Nothing })
    })
}

fn remote_of(remote: CText<'_>) -> Result<&str, Failure> {
    Ok(remote.optional("remote")?.unwrap_or("origin"))
}
