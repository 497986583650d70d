//! Acts that are over when the call returns: the hook, old builds, verdicts, jobs, remotes.

use std::{ffi::c_char, mem::MaybeUninit, time::Duration};

use super::{
    cancel::tinyci_cancel,
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard::{self, Act},
    handle::optional,
    selection::wait_of,
    status::tinyci_code,
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

/// Have pushes to the refs that hold verdicts refused (`receive.hideRefs`).
pub const TINYCI_INSTALL_HIDE_REFS: InstallFlags = 1;
/// Install even into a folder that other repositories use too (`core.hooksPath`).
pub const TINYCI_INSTALL_SHARED_HOOKS: InstallFlags = 2;

/// Take the builds in `tinyci.buildsDir` over from a repository that is gone.
pub const TINYCI_INSTALL_ADOPT_BUILDS: InstallFlags = 4;

const INSTALL_FLAGS: u32 =
    TINYCI_INSTALL_HIDE_REFS | TINYCI_INSTALL_SHARED_HOOKS | TINYCI_INSTALL_ADOPT_BUILDS;

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
///         nothing can be added to, with the line to add by hand, and for builds whose owner is
///         not known to be gone; `TINYCI_IO`; `TINYCI_INVALID_ARG`.
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
    guard::tell(engine, notes, err, |opened| {
        if flags & !INSTALL_FLAGS != 0 {
            let message = format!("{flags} is not a sum of TINYCI_INSTALL_*");
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

/// Takes the hook and the refspecs out again that an install added, and leaves every other byte as it
/// is.
///
/// @param engine  The engine.
/// @param notes   Where lines are stored that a person should see, to be freed with
///                `tinyci_string_free`, or NULL.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where none was installed; `TINYCI_IO` where the file cannot be written.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_uninstall(
    engine: Option<&tinyci_engine>,
    notes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
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
///         where another call packs already; `TINYCI_UNSUPPORTED` where the builds are another
///         repository's; `TINYCI_CANCELED`; `TINYCI_IO` where the builds cannot be listed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_compact(
    engine: Option<&tinyci_engine>,
    newest: usize,
    leave: CText<'_>,
    cancel: Option<&tinyci_cancel>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::tell(engine, report, err, |opened| {
        let never = CancelToken::new();
        let cancel = optional(cancel)?.unwrap_or(&never);
        let leave = leave.optional("leave")?.unwrap_or_default().lines();
        let leave = leave.filter(|line| !line.is_empty());
        let options = leave.fold(CompactOptions::new().keep(newest), CompactOptions::keep_build);
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
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_forget(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act(engine, err, |opened| {
        let had_one = opened.engine.forget(rev.required("rev")?)?;
        Ok(if had_one { Act::Done } else { Act::Nothing })
    })
}

/// How `tinyci_job_cancel` stops commands.
pub type JobCancelFlags = u32;

/// Kill commands at once, without a grace period and without `after_all`.
pub const TINYCI_JOB_CANCEL_KILL: JobCancelFlags = 1;

/// Ends the job of a commit, or a whole run, in whatever process it is, and waits until it has ended.
/// The commit of a job that ends so has no verdict and is out of attempts: only a retry tests it again.
/// The commits of a run that is ended as a whole are due again, unless there is just one in progress,
/// which counts as named. A second call kills. A deployment is no job, and is never ended by this.
///
/// A run that this process pulls has to be pulled on meanwhile: its events have to go somewhere. Do so
/// on another thread, or wait for 0 milliseconds.
///
/// @param engine   The engine.
/// @param rev      The commit, in any of git's revision syntax; NULL for the whole run.
/// @param reason   Why, which the record keeps; NULL for no reason.
/// @param name     Who: a person's name; NULL for whom git's configuration names, else the account.
/// @param address  The person's mail address; NULL where `name` is.
/// @param flags    A sum of `TINYCI_JOB_CANCEL_*`.
/// @param wait_ms  How many milliseconds to wait until it has ended; -1 for as long as that takes.
/// @param cancel   What can stop the wait from another thread; NULL for nothing.
/// @param report   Where is stored what was ended, what `tinyci cancel --json` prints, to be freed
///                 with `tinyci_string_free`, or NULL. A job that was over before it met the cancel has
///                 its own `outcome`, one that has not ended yet has none.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit, and where nothing of
///         the kind is in progress; `TINYCI_BUSY` where the run does not see the request;
///         `TINYCI_CANCELED` where the wait was stopped; `TINYCI_IO` where this account may not ask
///         for it; `TINYCI_INVALID_ARG`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_job_cancel(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    reason: CText<'_>,
    name: CText<'_>,
    address: CText<'_>,
    flags: JobCancelFlags,
    wait_ms: i64,
    cancel: Option<&tinyci_cancel>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::tell(engine, report, err, |opened| {
        if flags & !TINYCI_JOB_CANCEL_KILL != 0 {
            let message = format!("{flags} is not a sum of TINYCI_JOB_CANCEL_*");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let mut request = CancelRequest::run().kill(flags != 0).wait(wait_of(wait_ms)?);
        request.revision = rev.optional("rev")?.map(str::to_owned);
        request.reason = reason.optional("reason")?.map(str::to_owned);
        request.by = person(name, address)?;
        let never = CancelToken::new();
        let done = opened.engine.cancel(&request, optional(cancel)?.unwrap_or(&never))?;
        Ok(c_text(&done.to_json()))
    })
}

/// Gives a commit the verdict `skipped`, so that it is not tested. A job of it that is in progress is
/// ended first.
///
/// @param engine   The engine.
/// @param rev      The commit, in any of git's revision syntax.
/// @param reason   Why, which the record keeps; NULL for no reason.
/// @param name     Who: a person's name; NULL for whom git's configuration names, else the account.
/// @param address  The person's mail address; NULL where `name` is.
/// @param cancel   What can stop the wait for a job from another thread; NULL for nothing.
/// @param record   Where the record is stored, what `tinyci skip --json` prints, to be freed with
///                 `tinyci_string_free`, or NULL.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_INVALID_ARG`
///         for a commit that has a verdict, which `tinyci_forget` takes away; `TINYCI_GIT` where the
///         notes cannot be written; and as `tinyci_job_cancel` where a job is in progress.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_skip(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    reason: CText<'_>,
    name: CText<'_>,
    address: CText<'_>,
    cancel: Option<&tinyci_cancel>,
    record: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::tell(engine, record, err, |opened| {
        let mut request = SkipRequest::revision(rev.required("rev")?);
        request.reason = reason.optional("reason")?.map(str::to_owned);
        request.by = person(name, address)?;
        let never = CancelToken::new();
        let skipped = opened.engine.skip(&request, optional(cancel)?.unwrap_or(&never))?;
        Ok(c_text(&skipped.to_json()))
    })
}

/// A person, by name and address; nobody where the name is NULL.
fn person(name: CText<'_>, address: CText<'_>) -> Result<Option<(String, String)>, Failure> {
    match (name.optional("name")?, address.optional("address")?) {
        (None, _) => Ok(None),
        (Some(name), Some(address)) => Ok(Some((name.to_owned(), address.to_owned()))),
        (Some(_), None) => Err(Failure::null("address")),
    }
}

/// How `tinyci_prune` removes builds.
pub type PruneFlags = u32;

/// Remove nothing, and tell what would go.
pub const TINYCI_PRUNE_DRY_RUN: PruneFlags = 1;

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
///         where another call packs or removes builds; `TINYCI_UNSUPPORTED` where they are another
///         repository's; `TINYCI_CANCELED`; `TINYCI_IO` where the builds cannot be listed.
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
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_forget_all(
    engine: Option<&tinyci_engine>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
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
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_setup_remote(
    engine: Option<&tinyci_engine>,
    remote: CText<'_>,
    changes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
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
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_undo_setup_remote(
    engine: Option<&tinyci_engine>,
    remote: CText<'_>,
    changes: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
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
        Ok(if merged.records + verdicts > 0 { Act::Done } else { Act::Nothing })
    })
}

fn remote_of(remote: CText<'_>) -> Result<&str, Failure> {
    Ok(remote.optional("remote")?.unwrap_or("origin"))
}
