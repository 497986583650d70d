//! Reports: what the command line prints for `--json`, to the byte.

use std::{ffi::c_char, mem::MaybeUninit};

use super::{
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard,
    handle::optional,
    outcome::outcome_of,
    pipeline::format_of,
    selection::{filter_of, tinyci_selection},
    status::{TINYCI_OK, tinyci_code},
    text::{CText, c_text, lines},
};
use crate::{Deployment, Engine, Error, ErrorKind, Record, Selection, Setting};
use crate::{DryRun, Plan, Selector};

/// Tells what a run would do, without doing it: what `tinyci plan --json` prints. Of commits that
/// are named it tells what each step of their own configs would do, too. Nothing is asked: a script that calls a function
/// of the host which computes (not `TINYCI_EFFECT_EXTERNAL`) fails there.
///
/// @param engine     The engine.
/// @param selection  Which commits to look at; NULL for all that is pending.
/// @param out        Where the JSON is stored, one line without its end, to be freed with
///                   `tinyci_string_free`; NULL on an error.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_GIT` where
///         the repository cannot be read.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_plan_json(
    engine: Option<&tinyci_engine>,
    selection: Option<&tinyci_selection>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let pending = Selection::pending();
        let selection = optional(selection)?.unwrap_or(&pending);
        Ok(c_text(&plan_json(&opened.engine, selection)?))
    })
}

/// The plan, with what the steps of named commits would do.
fn plan_json(engine: &Engine, selection: &Selection) -> Result<String, Error> {
    let plan = engine.plan(selection)?;
    if selection.pipeline.is_some() {
        return Ok(plan.to_json());
    }
    let named = selection.selectors.iter().filter_map(|target| match target {
        Selector::Revision(revision) => Some(forecast(engine, &plan, revision)),
        _ => None,
    });
    let forecasts: Vec<DryRun> = named.collect::<Result<_, _>>()?;
    Ok(if forecasts.is_empty() { plan.to_json() } else { plan.to_json_with(&forecasts) })
}

/// What a named commit would come to: as the plan has it, or as a first job if it is not due.
fn forecast(engine: &Engine, plan: &Plan, revision: &str) -> Result<DryRun, Error> {
    let commit = engine.resolve(revision)?;
    match plan.jobs.iter().find(|job| job.commit.id == commit) {
        Some(job) => engine.dry_run_job(job, &[]),
        None => engine.dry_run(revision, &[]),
    }
}

/// Tells what is wrong with the config of a commit: what `tinyci check --commit REV --json` prints.
/// Each of its `problems` has a `severity`: `error`, or `warning` for what is valid and perhaps not
/// meant.
///
/// @param engine  The engine.
/// @param rev     The commit, in any of git's revision syntax.
/// @param out     Where the JSON is stored, one line without its end, to be freed with
///                `tinyci_string_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, whatever the config is like: its `valid` tells; `TINYCI_NOT_FOUND` for a
///         revision that names no commit or one without a config; `TINYCI_UNSUPPORTED` for scripts
///         where the library was built without.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_check_json(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        Ok(c_text(&opened.engine.check(rev.required("rev")?)?.to_json()))
    })
}

/// Tells what is wrong with a config that is not committed yet: what `tinyci check FILE --json`
/// prints, as `tinyci_check_json` does for a commit.
///
/// @param engine  Where a script imports from, the engine's path as it was opened, and which
///                functions it can call.
/// @param text    The config.
/// @param len     Its length in bytes.
/// @param format  One of `TINYCI_FORMAT_*`.
/// @param name    What the report calls it, such as `.tinyci.yml`.
/// @param out     Where the JSON is stored, one line without its end, to be freed with
///                `tinyci_string_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, whatever the config is like: its `valid` tells; `TINYCI_UNSUPPORTED` for
///         scripts where the library was built without; `TINYCI_INVALID_ARG`.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_check_text_json(
    engine: Option<&tinyci_engine>,
    text: CText<'_>,
    len: usize,
    format: i32,
    name: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let (format, name) = (format_of(format)?, name.required("name")?);
        let text = text.of_length(len, "text")?;
        let builder = opened.builder_with_functions();
        Ok(c_text(&builder.check_config(text, format, name)?.to_json()))
    })
}

/// Every attempt of a commit, not only the one that its verdict rests on.
pub const TINYCI_RESULTS_ALL_ATTEMPTS: u32 = 1;

/// Tells what became of commits, newest first: what `tinyci results --json` prints.
///
/// @param engine     The engine.
/// @param selection  Whose results; NULL for those of every commit that was run.
/// @param outcome    Only this one of `TINYCI_OUTCOME_*`; 0 for any.
/// @param limit      At most so many; 0 for all.
/// @param flags      A sum of `TINYCI_RESULTS_*`.
/// @param out        Where the results are stored, each a line of JSON with its end, to be freed
///                   with `tinyci_string_free`; NULL on an error.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit;
///         `TINYCI_INVALID_ARG` for a number that stands for no outcome, or a flag for nothing.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_results_json(
    engine: Option<&tinyci_engine>,
    selection: Option<&tinyci_selection>,
    outcome: i32,
    limit: usize,
    flags: u32,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let mut filter = filter_of(optional(selection)?).all_attempts(all_attempts(flags)?);
        if outcome != 0 {
            filter = filter.outcome(outcome_of(outcome).ok_or_else(|| no_outcome(outcome))?);
        }
        if limit != 0 {
            filter = filter.limit(limit);
        }
        let records = opened.engine.records(&filter)?;
        Ok(lines(&records.iter().map(Record::to_json).collect::<Vec<_>>()))
    })
}

/// Tells what was deployed, newest first: what `tinyci deployments --json` prints.
///
/// @param engine       The engine.
/// @param environment  Only deployments to this one; NULL for those to all.
/// @param limit        At most so many; 0 for all.
/// @param warnings     Where lines are stored that a person should see, to be freed with
///                     `tinyci_string_free`, or NULL: what stands among the deployments and is none
///                     of tinyci's.
/// @param out          Where the deployments are stored, each a line of JSON with its end, to be
///                     freed with `tinyci_string_free`; NULL on an error.
/// @param err          Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where there is none; `TINYCI_INVALID_ARG` for what cannot be an
///         environment's name; `TINYCI_GIT` where the refs cannot be read.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deployments_json(
    engine: Option<&tinyci_engine>,
    environment: CText<'_>,
    limit: usize,
    warnings: Option<&mut MaybeUninit<*mut c_char>>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    let warnings = warnings.map(|place| place.write(std::ptr::null_mut()));
    let mut warned = None;
    let status = guard::make(engine, out, err, |opened| {
        let found = opened.engine.deployments(environment.optional("environment")?)?;
        warned = Some(lines(&found.warnings));
        let limit = if limit == 0 { usize::MAX } else { limit };
        let shown = found.deployments.iter().take(limit);
        Ok(lines(&shown.map(Deployment::to_json).collect::<Vec<_>>()))
    });
    if let (Some(place), Some(text)) = (warnings, warned.filter(|_| status == TINYCI_OK)) {
        *place = text.into_raw();
    }
    status
}

/// Tells how the repository stands: what runs, what is due, the last verdicts, what is deployed
/// where, and what should be looked at. What `tinyci status --json` prints.
///
/// @param engine  The engine.
/// @param out     Where the JSON is stored, one line without its end, to be freed with
///                `tinyci_string_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_GIT` where the repository cannot be read.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_status_json(
    engine: Option<&tinyci_engine>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| Ok(c_text(&opened.engine.status()?.to_json())))
}

/// Tells every setting that a repository can have, and what is set: what `tinyci settings --json`
/// prints.
///
/// @param engine  The engine.
/// @param out     Where the settings are stored, each a line of JSON with its end, to be freed with
///                `tinyci_string_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_GIT` where git's configuration cannot be read.
///
/// Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_settings_json(
    engine: Option<&tinyci_engine>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let settings = opened.engine.settings()?;
        Ok(lines(&settings.iter().map(Setting::to_json).collect::<Vec<_>>()))
    })
}

fn all_attempts(flags: u32) -> Result<bool, Failure> {
    if flags & !TINYCI_RESULTS_ALL_ATTEMPTS != 0 {
        let message = format!("{flags} is not a sum of TINYCI_RESULTS_*");
        return Err(Error::new(ErrorKind::InvalidArg, message).into());
    }
    Ok(flags & TINYCI_RESULTS_ALL_ATTEMPTS != 0)
}

fn no_outcome(number: i32) -> Failure {
    let message = format!("{number} is not one of TINYCI_OUTCOME_*");
    Error::new(ErrorKind::InvalidArg, message).into()
}
