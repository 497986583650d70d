//! Reports: exactly what the command line prints with `--json`.

use std::{ffi::c_char, mem::MaybeUninit, path::Path};

use super::{
    code::{TINYCI_OK, tinyci_code},
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard,
    handle::optional,
    outcome::{OutcomeNumber, outcome_of},
    pipeline::{FormatNumber, format_of},
    selection::{SelectionHandle, filter_of, tinyci_selection},
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

/// Returns what a run would do, without doing it: the output of `tinyci plan --json`. For named
/// commits, it includes a dry run of their steps, unless the selection has a pipeline of its own.
///
/// Plans send no requests: a dry run fails if a script calls a function of yours, unless you
/// registered it with `TINYCI_EFFECT_EXTERNAL`.
///
/// @param engine     The engine.
/// @param selection  The commits to plan for; NULL for all pending commits.
/// @param out        Where to store the JSON, one line without a newline; free it with
///                   `tinyci_string_free`. NULL on an error.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_GIT` if the
///         repository cannot be read.
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

/// Returns the plan, with dry runs of named commits.
fn plan_json(engine: &Engine, handle: &SelectionHandle) -> Result<String, Error> {
    let SelectionHandle { selection, assumptions } = handle;
    let plan = engine.plan(selection)?;
    if selection.pipeline.is_some() {
        return Ok(plan.to_json());
    }
    let named = selection.selectors.iter().filter_map(|target| match target {
        Selector::Revision(revision) => Some(dry_run(engine, &plan, revision, assumptions)),
        _ => None,
    });
    let dry_runs: Vec<DryRun> = named.collect::<Result<_, _>>()?;
    Ok(if dry_runs.is_empty() { plan.to_json() } else { plan.to_json_with(&dry_runs) })
}

/// Returns the dry run of a named commit: of its job in the plan, or of a first job if it is not
/// pending.
fn dry_run(
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

/// Validates the config of a commit: the output of `tinyci check --commit REV --json`. Each entry
/// of `problems` has a `severity`: `error`, or `warning` for valid code that is probably a mistake.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param out       Where to store the JSON, one line without a newline; free it with
///                  `tinyci_string_free`. NULL on an error.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`, also for an invalid config: check `valid` in the JSON. `TINYCI_NOT_FOUND`
///         if there is no such commit or it has no config; `TINYCI_UNSUPPORTED` for a script if the
///         library was built without scripts.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_check_json(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        Ok(c_text(&opened.engine.check(revision.required("revision")?)?.to_json()))
    })
}

/// Validates a config that is not committed: the output of `tinyci check FILE --json`. The JSON is
/// that of `tinyci_check_json`.
///
/// @param engine    The engine, whose functions a script can call.
/// @param revision  The commit that a script imports from, in any git revision syntax; NULL to
///                  import from the path that the engine was opened with.
/// @param text      The config.
/// @param length    The length of `text` in bytes.
/// @param format    One of `TINYCI_FORMAT_*`.
/// @param name      The file name that the report shows, such as `.tinyci.yml`.
/// @param out       Where to store the JSON, one line without a newline; free it with
///                  `tinyci_string_free`. NULL on an error.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`, also for an invalid config: check `valid` in the JSON. `TINYCI_NOT_FOUND`
///         if there is no such commit; `TINYCI_UNSUPPORTED` for a script if the library was built
///         without scripts; `TINYCI_INVALID_ARG`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_check_text_json(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    text: CText<'_>,
    length: usize,
    format: FormatNumber,
    name: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let (format, name) = (format_of(format)?, name.required("name")?);
        let text = text.of_length(length, "text")?;
        let report = match revision.optional("revision")? {
            Some(revision) => opened.engine.check_text(revision, text, format, name)?,
            None => opened.checker().check(text, format, name)?,
        };
        Ok(c_text(&report.to_json()))
    })
}

/// The format of the script API reference.
pub type DefinitionsNumber = i32;

/// One line of JSON, for editors and other programs.
pub const TINYCI_DEFINITIONS_JSON: DefinitionsNumber = 1;
/// A page of Markdown, for people.
pub const TINYCI_DEFINITIONS_MARKDOWN: DefinitionsNumber = 2;
/// A definition file, `.d.rhai`, for the language server of Rhai.
pub const TINYCI_DEFINITIONS_RHAI: DefinitionsNumber = 3;

/// Returns the script API reference: the output of `tinyci defs`, with the functions that you
/// registered.
///
/// @param engine  The engine whose functions to include; NULL for no functions.
/// @param format  One of `TINYCI_DEFINITIONS_*`.
/// @param out     Where to store the reference; free it with `tinyci_string_free`. NULL on an
///                error.
/// @param err     Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for an unknown format; `TINYCI_UNSUPPORTED` if the
///         library was built without scripts.
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
                let message =
                    format!("invalid `format` {format}: expected one of TINYCI_DEFINITIONS_*");
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

/// Find the lines of the script that no test runs.
pub const TINYCI_TEST_COVERAGE: TestFlags = 1;

/// Runs the tests of a pipeline script: the output of `tinyci test-pipeline --json`. Commands of
/// the pipeline do not run, and nothing is written or sent.
///
/// @param engine    The engine.
/// @param revision  The commit with the script and its tests, in any git revision syntax; NULL for
///                  the files of a directory.
/// @param dir       The directory, if `revision` is NULL; NULL for the path that the engine was
///                  opened with.
/// @param filters   Parts of the names of the tests to run, one per line; NULL for all tests.
/// @param flags     0 or `TINYCI_TEST_COVERAGE`.
/// @param out       Where to store the JSON, one line without a newline; free it with
///                  `tinyci_string_free`. NULL on an error.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if tests fail: check `failure` of each test. `TINYCI_NOT_FOUND` if
///         there is no such commit, no script or no test, or no name matches a filter;
///         `TINYCI_SCRIPT` for a file that is not valid; `TINYCI_UNSUPPORTED` for a YAML pipeline,
///         and if the library was built without scripts; `TINYCI_INVALID_ARG` for an unknown flag,
///         and for both `revision` and `dir`; `TINYCI_IO` for files that cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_test_pipeline_json(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    dir: CText<'_>,
    filters: CText<'_>,
    flags: TestFlags,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        if flags & !TINYCI_TEST_COVERAGE != 0 {
            let message = format!("invalid `flags` {flags}: expected 0 or TINYCI_TEST_COVERAGE");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let (revision, has_dir) = (revision.optional("revision")?, dir.bytes().is_some());
        if revision.is_some() && has_dir {
            let message = "`revision` and `dir` cannot be combined";
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let dir = if has_dir { dir.path("dir")? } else { &opened.path };
        let filters = filters.optional("filters")?.unwrap_or_default().lines();
        let filters: Vec<&str> = filters.filter(|filter| !filter.is_empty()).collect();
        let coverage = flags & TINYCI_TEST_COVERAGE != 0;
        Ok(c_text(&test_pipeline(&opened.engine, revision, dir, &filters, coverage)?))
    })
}

fn test_pipeline(
    engine: &Engine,
    revision: Option<&str>,
    dir: &Path,
    filters: &[&str],
    coverage: bool,
) -> Result<String, Error> {
    let options = revision.map_or_else(|| TestOptions::directory(dir), TestOptions::revision);
    let options = filters.iter().copied().fold(options.coverage(coverage), TestOptions::filter);
    Ok(engine.test_pipeline(&options)?.to_json())
}

/// The results that `tinyci_results_json` returns.
pub type ResultsFlags = u32;

/// Every job of a commit, not only the one that its verdict comes from.
pub const TINYCI_RESULTS_ALL_ATTEMPTS: ResultsFlags = 1;

/// Returns test results, newest commit first: the output of `tinyci results --json`.
///
/// @param engine     The engine.
/// @param selection  The commits; NULL for all commits that were tested.
/// @param outcome    Only results with this outcome, one of `TINYCI_OUTCOME_*`; 0 for all.
/// @param limit      The maximum number of results; 0 for all.
/// @param flags      A sum of `TINYCI_RESULTS_*`.
/// @param out        Where to store the results, each a line of JSON that ends with a newline; free
///                   them with `tinyci_string_free`. NULL on an error.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_INVALID_ARG` for an
///         unknown outcome or flag.
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

/// Returns deployments, newest first: the output of `tinyci deployments --json`.
///
/// @param engine       The engine.
/// @param environment  Only deployments to this environment; NULL for all.
/// @param limit        The maximum number of deployments; 0 for all.
/// @param warnings     Where to store warnings for a person about refs that tinyci does not
///                     recognize as deployments, or NULL; free them with `tinyci_string_free`. A
///                     line that begins with `hint: ` belongs to the warning above it.
/// @param out          Where to store the deployments, each a line of JSON that ends with a
///                     newline; free them with `tinyci_string_free`. NULL on an error.
/// @param err          Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if there are none; `TINYCI_INVALID_ARG` for an invalid environment
///         name; `TINYCI_GIT` if the refs cannot be read.
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
    let code = guard::make(engine, out, err, |opened| {
        let found = opened.engine.deployments(environment.optional("environment")?)?;
        warned = Some(lines(&found.warnings));
        let limit = if limit == 0 { usize::MAX } else { limit };
        let shown = found.deployments.iter().take(limit);
        Ok(lines(&shown.map(Deployment::to_json).collect::<Vec<_>>()))
    });
    if let (Some(place), Some(text)) = (warnings, warned.filter(|_| code == TINYCI_OK)) {
        *place = text.into_raw();
    }
    code
}

/// Returns the deployment that is live in an environment now, as a line of
/// `tinyci_deployments_json`.
///
/// @param engine       The engine.
/// @param environment  The environment; NULL for `production`.
/// @param out          Where to store the JSON, one line without a newline; free it with
///                     `tinyci_string_free`. NULL if nothing is deployed, and on an error.
/// @param err          Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` if nothing is deployed there; `TINYCI_INVALID_ARG` for an
///         invalid environment name; `TINYCI_GIT` if the refs cannot be read.
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

/// Returns the lines among a commit's records that tinyci does not recognize: damaged or forged
/// ones, or those of another program. tinyci keeps these lines but ignores them.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param out       Where to store the lines, each with a newline; free them with
///                  `tinyci_string_free`. Empty if there are no such lines; NULL on an error.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit; `TINYCI_GIT` if the notes
///         cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_unrecognized_lines(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let unread = opened.engine.unrecognized_lines(revision.required("revision")?)?;
        Ok(lines(&unread.iter().map(|line| line.to_string()).collect::<Vec<_>>()))
    })
}

/// Returns the status of the repository: the output of `tinyci status --json`. It contains the
/// active run, the pending commits, the latest verdicts, what is deployed, and problems to check.
///
/// @param engine  The engine.
/// @param out     Where to store the JSON, one line without a newline; free it with
///                `tinyci_string_free`. NULL on an error.
/// @param err     Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_GIT` if the repository cannot be read.
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

/// Returns all settings of a repository with their values: the output of `tinyci settings --json`.
///
/// @param engine  The engine.
/// @param out     Where to store the settings, each a line of JSON that ends with a newline; free
///                them with `tinyci_string_free`. NULL on an error.
/// @param err     Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_GIT` if git's configuration cannot be read.
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
        let message = format!("invalid `flags` {flags}: expected a sum of TINYCI_RESULTS_*");
        return Err(Error::new(ErrorKind::InvalidArg, message).into());
    }
    Ok(flags & TINYCI_RESULTS_ALL_ATTEMPTS != 0)
}

fn no_outcome(number: i32) -> Failure {
    let message = format!("invalid `outcome` {number}: expected one of TINYCI_OUTCOME_*");
    Error::new(ErrorKind::InvalidArg, message).into()
}
