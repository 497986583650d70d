//! Reports: what the command line prints for `--json`, to the byte.

use std::{ffi::c_char, mem::MaybeUninit, path::Path};

use super::{
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard,
    handle::optional,
    outcome::{OutcomeNumber, outcome_of},
    pipeline::{FormatNumber, format_of},
    selection::{SelectionHandle, filter_of, tinyci_selection},
    status::{TINYCI_OK, tinyci_code},
    text::{CText, c_text, environment_of, lines},
};
use crate::{
    Engine, Error, ErrorKind, Record,
    check::{Checker, DefinitionsFormat},
    deploy::Deployment,
    plan::{DryRun, Plan},
    script::TestOptions,
    selection::Selector,
    settings::Setting,
};

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
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_plan_json(
    engine: Option<&tinyci_engine>,
    selection: Option<&tinyci_selection>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let handle = optional(selection)?.cloned().unwrap_or_default();
        Ok(c_text(&plan_json(&opened.engine, &handle)?))
    })
}

/// The plan, with what the steps of named commits would do.
fn plan_json(engine: &Engine, handle: &SelectionHandle) -> Result<String, Error> {
    let SelectionHandle { selection, assumptions } = handle;
    let plan = engine.plan(selection)?;
    if selection.pipeline.is_some() {
        return Ok(plan.to_json());
    }
    let named = selection.selectors.iter().filter_map(|target| match target {
        Selector::Revision(revision) => Some(forecast(engine, &plan, revision, assumptions)),
        _ => None,
    });
    let forecasts: Vec<DryRun> = named.collect::<Result<_, _>>()?;
    Ok(if forecasts.is_empty() { plan.to_json() } else { plan.to_json_with(&forecasts) })
}

/// What a named commit would come to: as the plan has it, or as a first job if it is not due.
fn forecast(
    engine: &Engine,
    plan: &Plan,
    revision: &str,
    assumptions: &[(String, String)],
) -> Result<DryRun, Error> {
    let commit = engine.resolve(revision)?;
    match plan.jobs.iter().find(|job| job.commit.id == commit) {
        Some(job) => engine.dry_run_job(job, assumptions),
        None => engine.dry_run(revision, assumptions),
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
/// Any thread. Since 0.1.0.
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
/// @param engine  The engine, with the functions that a script can call.
/// @param rev     The commit that a script imports from, in any of git's revision syntax; NULL for
///                the files below the path that the engine was opened with.
/// @param text    The config.
/// @param len     Its length in bytes.
/// @param format  One of `TINYCI_FORMAT_*`.
/// @param name    What the report calls it, such as `.tinyci.yml`.
/// @param out     Where the JSON is stored, one line without its end, to be freed with
///                `tinyci_string_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, whatever the config is like: its `valid` tells; `TINYCI_NOT_FOUND` for a
///         revision that names no commit; `TINYCI_UNSUPPORTED` for scripts where the library was
///         built without; `TINYCI_INVALID_ARG`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_check_text_json(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    text: CText<'_>,
    len: usize,
    format: FormatNumber,
    name: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let (format, name) = (format_of(format)?, name.required("name")?);
        let text = text.of_length(len, "text")?;
        let report = match rev.optional("rev")? {
            Some(rev) => opened.engine.check_text(rev, text, format, name)?,
            None => opened.checker().check(text, format, name)?,
        };
        Ok(c_text(&report.to_json()))
    })
}

/// The form of the script API reference.
pub type DefinitionsNumber = i32;

/// One line of JSON, for editors and other programs.
pub const TINYCI_DEFINITIONS_JSON: DefinitionsNumber = 1;
/// A page of Markdown, for people.
pub const TINYCI_DEFINITIONS_MARKDOWN: DefinitionsNumber = 2;
/// A file of definitions, `.d.rhai`, for the language server of Rhai.
pub const TINYCI_DEFINITIONS_RHAI: DefinitionsNumber = 3;

/// Gives the reference of the script API: what `tinyci defs` prints, with the functions that the host
/// registers.
///
/// @param engine  The engine whose functions are in it; NULL for no functions of a host.
/// @param format  One of `TINYCI_DEFINITIONS_*`.
/// @param out     Where the reference is stored, to be freed with `tinyci_string_free`; NULL on an
///                error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for another format; `TINYCI_UNSUPPORTED` if the library
///         was built without scripts.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_definitions(
    engine: Option<&tinyci_engine>,
    format: DefinitionsNumber,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make_alone(out, err, || {
        let format = match format {
            TINYCI_DEFINITIONS_JSON => DefinitionsFormat::Json,
            TINYCI_DEFINITIONS_MARKDOWN => DefinitionsFormat::Markdown,
            TINYCI_DEFINITIONS_RHAI => DefinitionsFormat::Rhai,
            _ => {
                let message = format!("{format} is not one of TINYCI_DEFINITIONS_*");
                return Err(Error::new(ErrorKind::InvalidArg, message).into());
            }
        };
        let checker = match optional(engine)? {
            Some(opened) => opened.checker(),
            None => Checker::new(""),
        };
        Ok(c_text(&checker.definitions(format)?))
    })
}

/// How `tinyci_test_pipeline_json` runs tests.
pub type TestFlags = u32;

/// Find out which lines of the script no test runs.
pub const TINYCI_TEST_COVERAGE: TestFlags = 1;

/// Runs the tests of a pipeline: what `tinyci test-pipeline --json` prints. Nothing of the pipeline is run,
/// written or sent.
///
/// @param engine   The engine.
/// @param rev      The commit whose script and tests are meant, in any of git's revision syntax; NULL
///                 for the files of a directory.
/// @param dir      The directory, if there is no `rev`; NULL for the path that the engine was opened
///                 with.
/// @param filters  Parts of the names of the tests to run, one a line; NULL for all tests.
/// @param flags    0 or `TINYCI_TEST_COVERAGE`.
/// @param out      Where the JSON is stored, one line without its end, to be freed with
///                 `tinyci_string_free`; NULL on an error.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also if tests fail: each has its `failure`; `TINYCI_NOT_FOUND` for a revision
///         that names no commit, if there is no script or no test, and if no name matches a filter;
///         `TINYCI_SCRIPT` for a file that is not valid; `TINYCI_UNSUPPORTED` for a pipeline in YAML,
///         and if the library was built without scripts; `TINYCI_INVALID_ARG` for other flags, and for
///         both `rev` and `dir`; `TINYCI_IO` for files that cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_test_pipeline_json(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    dir: CText<'_>,
    filters: CText<'_>,
    flags: TestFlags,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        if flags & !TINYCI_TEST_COVERAGE != 0 {
            let message = format!("{flags} is neither 0 nor TINYCI_TEST_COVERAGE");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let (rev, has_dir) = (rev.optional("rev")?, dir.bytes().is_some());
        if rev.is_some() && has_dir {
            let message = "`rev` and `dir` exclude each other";
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let dir = if has_dir { dir.path("dir")? } else { &opened.path };
        let filters = filters.optional("filters")?.unwrap_or_default().lines();
        let filters: Vec<&str> = filters.filter(|filter| !filter.is_empty()).collect();
        let coverage = flags & TINYCI_TEST_COVERAGE != 0;
        Ok(c_text(&test_pipeline(&opened.engine, rev, dir, &filters, coverage)?))
    })
}

fn test_pipeline(
    engine: &Engine,
    rev: Option<&str>,
    dir: &Path,
    filters: &[&str],
    coverage: bool,
) -> Result<String, Error> {
    let options = rev.map_or_else(|| TestOptions::directory(dir), TestOptions::revision);
    let options = filters.iter().copied().fold(options.coverage(coverage), TestOptions::filter);
    Ok(engine.test_pipeline(&options)?.to_json())
}

/// Which results `tinyci_results_json` gives.
pub type ResultsFlags = u32;

/// Every attempt of a commit, not only the one that its verdict rests on.
pub const TINYCI_RESULTS_ALL_ATTEMPTS: ResultsFlags = 1;

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
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_results_json(
    engine: Option<&tinyci_engine>,
    selection: Option<&tinyci_selection>,
    outcome: OutcomeNumber,
    limit: usize,
    flags: ResultsFlags,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let mut filter = filter_of(optional(selection)?.map(|it| &it.selection))
            .all_attempts(all_attempts(flags)?);
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
/// Any thread. Since 0.1.0.
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

/// Tells what is deployed to an environment now.
///
/// @param engine       The engine.
/// @param environment  Which environment; NULL for `production`.
/// @param out          Where the deployment is stored, as a line of `tinyci_deployments_json` without its
///                     end, to be freed with `tinyci_string_free`; NULL if nothing is deployed, and on
///                     an error.
/// @param err          Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` if nothing is deployed there; `TINYCI_INVALID_ARG` for what
///         cannot be an environment's name; `TINYCI_GIT` if the refs cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_deployed_json(
    engine: Option<&tinyci_engine>,
    environment: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::find(engine, out, err, |opened| {
        let deployed = opened.engine.deployed(environment_of(environment)?)?;
        Ok(deployed.map(|deployment| c_text(&deployment.to_json())))
    })
}

/// Gives the lines among a commit's records that tinyci cannot read: damaged ones, another program's,
/// or forged ones. tinyci keeps them, and they count for nothing.
///
/// @param engine  The engine.
/// @param rev     The commit, in any of git's revision syntax.
/// @param out     Where the lines are stored, each with its end, to be freed with
///                `tinyci_string_free`; the text is empty without such lines, NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit; `TINYCI_GIT` if the
///         notes cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_unrecognized_lines(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let unread = opened.engine.unrecognized_lines(rev.required("rev")?)?;
        Ok(lines(&unread.iter().map(|line| line.to_string()).collect::<Vec<_>>()))
    })
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
/// Any thread. Since 0.1.0.
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
/// Any thread. Since 0.1.0.
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
