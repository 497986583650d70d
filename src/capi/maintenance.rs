//! Calls that change the repository: the git hook, old builds, verdicts, jobs, remotes.

use std::{ffi::c_char, mem::MaybeUninit, time::Duration};

use super::{
    cancel::tinyci_cancel,
    code::tinyci_code,
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard::{self, Completion},
    handle::optional,
    selection::wait_of,
    text::{CText, c_text, lines},
};
use crate::{
    CancelToken, Error, ErrorKind,
    builds::{CompactOptions, PruneOptions},
    install::InstallOptions,
    intervention::{CancelRequest, SkipRequest},
};

/// How `tinyci_install` installs.
pub type InstallFlags = u32;

/// Refuse pushes to the refs that contain verdicts (`receive.hideRefs`).
pub const TINYCI_INSTALL_HIDE_REFS: InstallFlags = 1;
/// Install also into a hooks directory that other repositories use (`core.hooksPath`).
pub const TINYCI_INSTALL_SHARED_HOOKS: InstallFlags = 2;

/// Adopt the builds in `tinyci.buildsDir` of a repository that no longer exists.
pub const TINYCI_INSTALL_ADOPT_BUILDS: InstallFlags = 4;

const INSTALL_FLAGS: u32 =
    TINYCI_INSTALL_HIDE_REFS | TINYCI_INSTALL_SHARED_HOOKS | TINYCI_INSTALL_ADOPT_BUILDS;

/// Installs the git hook that tests what is pushed, in addition to existing hooks. If a fetch would
/// replace or delete tinyci's refs, as in a mirror, it also adds negative refspecs.
///
/// @param engine   The engine.
/// @param command  The command that the hook runs: a name in the `PATH` of the server, or an
///                 absolute path; NULL for `tinyci`.
/// @param flags    A sum of `TINYCI_INSTALL_*`.
/// @param notes    Where to store notes for a person, one per line, or NULL; free them with
///                 `tinyci_string_free`. They say what the hook needs, what it leaves out, and what
///                 else was added.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if it was already installed; `TINYCI_UNSUPPORTED` for a hook that
///         tinyci cannot extend, with the line to add by hand, and for builds of another repository
///         that may still exist; `TINYCI_IO`; `TINYCI_INVALID_ARG`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_install(
    engine: Option<&tinyci_engine>,
    command: CText<'_>,
    flags: InstallFlags,
    notes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, notes, err, |opened| {
        if flags & !INSTALL_FLAGS != 0 {
            let message = format!("invalid `flags` {flags}: expected a sum of TINYCI_INSTALL_*");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let mut options = InstallOptions::new().hide_refs(flags & TINYCI_INSTALL_HIDE_REFS != 0);
        options.shared_hooks = flags & TINYCI_INSTALL_SHARED_HOOKS != 0;
        options.adopt_builds = flags & TINYCI_INSTALL_ADOPT_BUILDS != 0;
        if let Some(command) = command.optional("command")? {
            options = options.command(command);
        }
        Ok(lines(&opened.engine.install(&options)?.notes))
    })
}

/// Removes the git hook and the refspecs that `tinyci_install` added. Everything else in these
/// files stays the same.
///
/// @param engine  The engine.
/// @param notes   Where to store notes for a person, one per line, or NULL; free them with
///                `tinyci_string_free`.
/// @param err     Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if it was not installed; `TINYCI_IO` if a file cannot be written.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_uninstall(
    engine: Option<&tinyci_engine>,
    notes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, notes, err, |opened| {
        Ok(lines(&opened.engine.uninstall()?.notes))
    })
}

/// Packs old builds into `.tar.gz` files. Builds in use by a run stay as they are, and so do
/// protected ones: builds that are deployed, were deployed before, would be deployed next or await
/// approval, and those that a link in a directory of `tinyci.pin` points into. If a build cannot be
/// packed, it stays, and the call continues with the next one.
///
/// @param engine       The engine.
/// @param keep         How many of the newest builds to keep unpacked.
/// @param keep_builds  More builds to keep unpacked, one per line: names, paths of or in builds,
///                     links to them, or commit ids. NULL for none.
/// @param cancel       A token that stops the call from another thread; NULL for none.
/// @param report       Where to store the report, the output of `tinyci compact --json`, or NULL;
///                     free it with `tinyci_string_free`. Its `not_removed` lists the builds that
///                     could not be packed, and the packed ones whose directory could not be
///                     removed.
/// @param err          Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if there was nothing to pack or some builds could not be packed;
///         `TINYCI_BUSY` if another call is packing builds; `TINYCI_UNSUPPORTED` if the builds
///         belong to another repository; `TINYCI_CANCELED`; `TINYCI_IO` if the builds cannot be
///         listed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_compact(
    engine: Option<&tinyci_engine>,
    keep: usize,
    keep_builds: CText<'_>,
    cancel: Option<&tinyci_cancel>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, report, err, |opened| {
        let never = CancelToken::new();
        let cancel = optional(cancel)?.unwrap_or(&never);
        let keep_builds = keep_builds.optional("keep_builds")?.unwrap_or_default().lines();
        let keep_builds = keep_builds.filter(|line| !line.is_empty());
        let options =
            keep_builds.fold(CompactOptions::new().keep(keep), CompactOptions::keep_build);
        let done = opened.engine.compact(&options, cancel)?;
        Ok(c_text(&done.to_json()))
    })
}

/// Deletes a commit's verdict, so that it is pending again. Its records stay.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` if it had no verdict; `TINYCI_NOT_FOUND` if there is no such
///         commit; `TINYCI_GIT` if the notes cannot be written.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_forget(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act(engine, err, |opened| {
        let had_one = opened.engine.forget(revision.required("revision")?)?;
        Ok(if had_one { Completion::Done } else { Completion::NothingToDo })
    })
}

/// How `tinyci_job_cancel` stops commands.
pub type JobCancelFlags = u32;

/// Kill commands at once, without a grace period and without `after_all`.
pub const TINYCI_JOB_CANCEL_KILL: JobCancelFlags = 1;

/// Cancels the job of a commit, or a whole run, in any process, and waits until it has ended. If
/// you call it again, it kills. It never ends a deployment.
///
/// A canceled job leaves its commit without a verdict and out of attempts: only a retry tests it
/// again. If you cancel a whole run, its commits are pending again. Exception: if only one job is
/// in progress, it is treated as if you had named its commit.
///
/// If your program reads the events of that run, it must keep calling `tinyci_run_next` during this
/// call. Call this function in another thread, or with `wait_ms` 0.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax; NULL for the whole run.
/// @param reason    The reason, for the record; NULL for none.
/// @param name      The name of the person who acts; NULL for the person in git's configuration,
///                  else the account.
/// @param address   The person's email address; NULL if `name` is NULL.
/// @param flags     A sum of `TINYCI_JOB_CANCEL_*`.
/// @param wait_ms   How long to wait for the end, in milliseconds; 0 does not wait, -1 waits
///                  without a limit.
/// @param cancel    A token that stops waiting from another thread; NULL for none.
/// @param report    Where to store the report, the output of `tinyci cancel --json`, or NULL; free
///                  it with `tinyci_string_free`. A job that ended before it was canceled has its
///                  own `outcome`; a job that has not ended yet has none.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit, or no such job or run is in
///         progress; `TINYCI_BUSY` if the run does not respond; `TINYCI_CANCELED` if the wait was
///         stopped; `TINYCI_IO` if this account has no permission; `TINYCI_INVALID_ARG`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_job_cancel(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    reason: CText<'_>,
    name: CText<'_>,
    address: CText<'_>,
    flags: JobCancelFlags,
    wait_ms: i64,
    cancel: Option<&tinyci_cancel>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, report, err, |opened| {
        if flags & !TINYCI_JOB_CANCEL_KILL != 0 {
            let message = format!("invalid `flags` {flags}: expected a sum of TINYCI_JOB_CANCEL_*");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let mut request = CancelRequest::run().kill(flags != 0).wait(wait_of(wait_ms)?);
        request.revision = revision.optional("revision")?.map(str::to_owned);
        request.reason = reason.optional("reason")?.map(str::to_owned);
        request.by = person(name, address)?;
        let never = CancelToken::new();
        let done = opened.engine.cancel(&request, optional(cancel)?.unwrap_or(&never))?;
        Ok(c_text(&done.to_json()))
    })
}

/// Gives a commit the verdict `skipped`, so that it is not tested. If a job of the commit is in
/// progress, it is canceled first.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param reason    The reason, for the record; NULL for none.
/// @param name      The name of the person who acts; NULL for the person in git's configuration,
///                  else the account.
/// @param address   The person's email address; NULL if `name` is NULL.
/// @param cancel    A token that stops waiting for a job from another thread; NULL for none.
/// @param record    Where to store the record, the output of `tinyci skip --json`, or NULL; free it
///                  with `tinyci_string_free`.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_INVALID_ARG` for a
///         commit that has a verdict, which `tinyci_forget` deletes; `TINYCI_GIT` if the notes
///         cannot be written. If a job is in progress, also the errors of `tinyci_job_cancel`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_skip(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    reason: CText<'_>,
    name: CText<'_>,
    address: CText<'_>,
    cancel: Option<&tinyci_cancel>,
    record: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, record, err, |opened| {
        let mut request = SkipRequest::revision(revision.required("revision")?);
        request.reason = reason.optional("reason")?.map(str::to_owned);
        request.by = person(name, address)?;
        let never = CancelToken::new();
        let skipped = opened.engine.skip(&request, optional(cancel)?.unwrap_or(&never))?;
        Ok(c_text(&skipped.to_json()))
    })
}

/// Returns a person by name and address, or none if the name is NULL.
fn person(name: CText<'_>, address: CText<'_>) -> Result<Option<(String, String)>, Failure> {
    match (name.optional("name")?, address.optional("address")?) {
        (None, _) => Ok(None),
        (Some(name), Some(address)) => Ok(Some((name.to_owned(), address.to_owned()))),
        (Some(_), None) => Err(Failure::null("address")),
    }
}

/// How `tinyci_prune` removes builds.
pub type PruneFlags = u32;

/// Remove nothing, and report what would be removed.
pub const TINYCI_PRUNE_DRY_RUN: PruneFlags = 1;

/// Deletes old builds. Builds in use by a run stay, and so do protected ones: builds that are
/// deployed, were deployed before, would be deployed next or await approval, and those that a link
/// in a directory of `tinyci.pin` points into. Verdicts and records stay. If a build cannot be
/// removed, the call continues with the next one.
///
/// A build is removed if one of the rules selects it. Without any rule, the repository's settings
/// apply: `tinyci.pruneKeep`, `tinyci.pruneMaxAge` and `tinyci.pruneMaxSize`.
///
/// @param engine      The engine.
/// @param keep        Remove all but this number of builds, those that ran last; -1 for no such
///                    rule.
/// @param max_age_ms  Remove builds that last ran more than this number of milliseconds ago; -1 for
///                    no such rule.
/// @param max_bytes   Remove the oldest builds until the rest uses at most this number of bytes; -1
///                    for no such rule.
/// @param flags       A sum of `TINYCI_PRUNE_*`.
/// @param cancel      A token that stops the call from another thread; NULL for none.
/// @param report      Where to store the report, the output of `tinyci prune --json`, or NULL; free
///                    it with `tinyci_string_free`. Its `not_removed` lists the builds that could
///                    not be removed.
/// @param err         Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if there was nothing to remove or some builds could not be removed;
///         `TINYCI_INVALID_ARG` if neither the call nor the settings have a rule; `TINYCI_BUSY` if
///         another call is packing or removing builds; `TINYCI_UNSUPPORTED` if the builds belong to
///         another repository; `TINYCI_CANCELED`; `TINYCI_IO` if the builds cannot be listed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_prune(
    engine: Option<&tinyci_engine>,
    keep: i64,
    max_age_ms: i64,
    max_bytes: i64,
    flags: PruneFlags,
    cancel: Option<&tinyci_cancel>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, report, err, |opened| {
        if flags & !TINYCI_PRUNE_DRY_RUN != 0 {
            let message = format!("invalid `flags` {flags}: expected a sum of TINYCI_PRUNE_*");
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

/// Returns the number of a rule, or none for -1.
fn rule(name: &str, number: i64) -> Result<Option<u64>, Failure> {
    match u64::try_from(number) {
        Ok(number) => Ok(Some(number)),
        Err(_) if number == -1 => Ok(None),
        Err(_) => {
            let message = format!("invalid `{name}` {number}: expected -1 or more");
            Err(Error::new(ErrorKind::InvalidArg, message).into())
        }
    }
}

/// Deletes the verdicts and records of all commits, so that all commits above the baseline are
/// pending again. Deployments, approvals, the baseline and fetched results stay.
///
/// Each run restores refs of tinyci that others deleted. This call also gives up those, including
/// deployments.
///
/// @param engine  The engine.
/// @param report  Where to store the report, the output of `tinyci results --forget-all --json`, or
///                NULL; free it with `tinyci_string_free`.
/// @param err     Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if there was nothing to delete; `TINYCI_GIT` if the refs cannot be
///         removed; `TINYCI_IO` if the repository's state cannot be written.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_forget_all(
    engine: Option<&tinyci_engine>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, report, err, |opened| {
        Ok(c_text(&opened.engine.forget_all()?.to_json()))
    })
}

/// Configures git in this repository: `git fetch` then also fetches a remote's verdicts, records
/// and deployments, and `git log` shows the verdicts.
///
/// @param engine   The engine.
/// @param remote   The name of the remote; NULL for `origin`.
/// @param changes  Where to store the new lines of the configuration, or NULL; free them with
///                 `tinyci_string_free`.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if it was already configured; `TINYCI_NOT_FOUND` if there is no such
///         remote; `TINYCI_GIT` if the configuration cannot be written.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_setup_remote(
    engine: Option<&tinyci_engine>,
    remote: CText<'_>,
    changes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, changes, err, |opened| {
        Ok(lines(&opened.engine.setup_remote(remote_of(remote)?)?.changes))
    })
}

/// Removes the lines that `tinyci_setup_remote` added. Fetched results stay.
///
/// @param engine   The engine.
/// @param remote   The name of the remote, which may no longer exist; NULL for `origin`.
/// @param changes  Where to store the removed lines, or NULL; free them with `tinyci_string_free`.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if there was nothing to remove; `TINYCI_NOT_FOUND` if there was
///         nothing to remove and there is no such remote; `TINYCI_GIT` if the configuration cannot
///         be written.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_undo_setup_remote(
    engine: Option<&tinyci_engine>,
    remote: CText<'_>,
    changes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, changes, err, |opened| {
        Ok(lines(&opened.engine.undo_setup_remote(remote_of(remote)?)?.changes))
    })
}

/// Merges the verdicts and records that were last fetched from a remote. All records are kept. If
/// two verdicts differ, the run that finished last wins.
///
/// @param engine  The engine.
/// @param remote  The name of the remote; NULL for `origin`.
/// @param err     Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` if there was nothing new; `TINYCI_NOT_FOUND` if there is no
///         such remote or nothing was fetched from it; `TINYCI_GIT` if notes cannot be read or
///         written.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_merge_results(
    engine: Option<&tinyci_engine>,
    remote: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act(engine, err, |opened| {
        let merged = opened.engine.merge_results(remote_of(remote)?)?;
        let verdicts = merged.added.len() + merged.replaced.len();
        Ok(if merged.records + verdicts > 0 { Completion::Done } else { Completion::NothingToDo })
    })
}

fn remote_of(remote: CText<'_>) -> Result<&str, Failure> {
    Ok(remote.optional("remote")?.unwrap_or("origin"))
}
