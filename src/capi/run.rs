//! [`tinyci_run`]: a run whose events the host program reads.

use std::{
    ffi::c_char,
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use super::{
    callbacks::register_callbacks,
    cancel::tinyci_cancel,
    code::tinyci_code,
    engine::{Opened, tinyci_engine},
    error::{ErrorOut, Failure},
    event::tinyci_event,
    guard::{self, Step, panicked},
    handle::{Handle, Sealed, handle, optional},
    outcome::{OutcomeNumber, number_of_deploy},
    queue::{End, Next, Queue, RunResult},
    records::tinyci_records,
    selection::{selection_of, tinyci_selection},
    text::{CText, c_text},
};
use crate::{
    CancelToken, Engine, Error, ErrorKind, Event, EventKind, Summary, deploy::Deployment,
    event::EventMeta, executor::Stream, pipeline::StepOptions, record::LogOptions,
    util::threads::big_thread,
};

/// How long a freed run may take to stop, in addition to the grace period of its commands.
const STOP_TIME: Duration = Duration::from_secs(5);

/// A run, a deployment, or another long operation, in threads of the library. You own it, and you
/// must keep calling `tinyci_run_next`: when the event buffer is full, the run waits.
///
/// It keeps its engine, selection and cancel token alive. You may free them at any time.
pub struct tinyci_run(Sealed<Running>);

handle!(tinyci_run, Running, "run");

/// The contents of a [`tinyci_run`].
pub struct Running {
    queue: Arc<Queue>,
    /// A child of the caller's token, only for this run.
    cancel: CancelToken,
    /// The grace period of its commands.
    grace: Duration,
    thread: Option<JoinHandle<()>>,
    /// The current event. Shared, because the host program uses it together with the run.
    current: Option<Arc<tinyci_event>>,
    end: Option<Ended>,
}

/// The result of the run, kept for repeated calls.
enum Ended {
    Done(RunResult),
    Failed(ErrorKind, String),
}

/// The work that a run does in its thread.
type Work = dyn FnOnce(&CancelToken, &mut dyn FnMut(&Event)) -> End + Send;

impl Running {
    /// Starts the work in a new thread. The caller's token stops it, and so does freeing the run.
    fn start(
        host: Option<&CancelToken>,
        grace: Duration,
        queue: Arc<Queue>,
        work: Box<Work>,
    ) -> Result<Self, Failure> {
        let cancel = host.map(CancelToken::child).unwrap_or_default();
        let (filled, token) = (queue.clone(), cancel.clone());
        let thread = big_thread("tinyci run").spawn(move || {
            let mut observer = |event: &Event| filled.push_event(event.clone());
            let ended = catch_unwind(AssertUnwindSafe(|| work(&token, &mut observer)));
            filled.end(ended.unwrap_or_else(|panic| Err(panicked(&*panic).0)));
        });
        let thread = thread.map_err(|source| {
            Error::new(ErrorKind::Spawn, "cannot start a thread for the run").with_source(source)
        })?;
        Ok(Self { queue, cancel, grace, thread: Some(thread), current: None, end: None })
    }

    fn next(&mut self, timeout_ms: i32) -> Result<Step<*mut tinyci_event>, Failure> {
        let limit = match u64::try_from(timeout_ms) {
            Ok(timeout) => Some(Instant::now() + Duration::from_millis(timeout)),
            Err(_) if timeout_ms == -1 => None,
            Err(_) => {
                let message = format!("invalid `timeout_ms` {timeout_ms}: expected -1 or more");
                return Err(Error::new(ErrorKind::InvalidArg, message).into());
            }
        };
        // This fails a request that was not taken.
        self.current = None;
        match self.queue.next(limit) {
            Next::Item(item) => {
                let event = self.current.insert(Arc::new(tinyci_event::of(item)));
                Ok(Step::Item(Arc::as_ptr(event).cast_mut()))
            }
            Next::TimedOut => Ok(Step::Again),
            Next::Ended => self.ended(),
        }
    }

    fn ended(&mut self) -> Result<Step<*mut tinyci_event>, Failure> {
        match self.queue.take_end() {
            Some(Ok(found)) => self.end = Some(Ended::Done(found)),
            Some(Err(error)) => {
                self.end = Some(Ended::Failed(error.kind(), error.report()));
                return Err(error.into());
            }
            None => {}
        }
        match &self.end {
            Some(Ended::Failed(kind, report)) => Err(Error::new(*kind, report.as_str()).into()),
            _ => Ok(Step::Done),
        }
    }

    /// Returns the result, if the run has ended.
    fn found(&self) -> Result<&RunResult, Failure> {
        match &self.end {
            Some(Ended::Done(found)) => Ok(found),
            Some(Ended::Failed(kind, report)) => Err(Error::new(*kind, report.as_str()).into()),
            None => {
                let message = "the run has not ended: call `tinyci_run_next` until it returns \
                               TINYCI_DONE";
                Err(Error::new(ErrorKind::InvalidArg, message).into())
            }
        }
    }

    fn records(&self) -> Result<tinyci_records, Failure> {
        Ok(tinyci_records::of(match self.found()? {
            RunResult::Summary(summary) => summary.records.clone(),
            RunResult::Deployment(_) => Vec::new(),
        }))
    }

    fn summary(&self) -> Result<&Summary, Failure> {
        match self.found()? {
            RunResult::Summary(summary) => Ok(summary),
            RunResult::Deployment(_) => {
                let message =
                    "a deployment has no summary: call `tinyci_run_deployment_json` instead";
                Err(Error::new(ErrorKind::InvalidArg, message).into())
            }
        }
    }

    fn deployment(&self) -> Result<&Deployment, Failure> {
        match self.found()? {
            RunResult::Deployment(deployment) => Ok(deployment),
            RunResult::Summary(_) => {
                let message = "the run is not a deployment: call `tinyci_run_records` instead";
                Err(Error::new(ErrorKind::InvalidArg, message).into())
            }
        }
    }
}

impl Drop for Running {
    /// Stops the run if it has not ended, and waits for it for a limited time.
    fn drop(&mut self) {
        self.current = None;
        if self.end.is_none() {
            self.cancel.cancel();
            self.cancel.cancel();
        }
        self.queue.close();
        let stopped = self.queue.await_end(self.grace.saturating_add(STOP_TIME));
        // A thread that does not stop is left behind, so that freeing a run always returns.
        if let Some(thread) = self.thread.take().filter(|_| stopped) {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

/// Starts a run of the pending commits in threads of the library. Read its events with
/// `tinyci_run_next`.
///
/// @param engine     The engine.
/// @param selection  The commits to test; NULL for all pending commits.
/// @param cancel     A token that stops the run, which keeps it alive; NULL for none.
/// @param out        Where to store the run; free it with `tinyci_run_free`. NULL on an error.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_UNSUPPORTED` if this process ignores SIGCHLD, because tinyci could
///         not learn how commands end: set it to SIG_DFL first. Other errors that prevent the run
///         from beginning, such as `TINYCI_BUSY`, are returned by `tinyci_run_next`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_start(
    engine: Option<&tinyci_engine>,
    selection: Option<&tinyci_selection>,
    cancel: Option<&tinyci_cancel>,
    out: Option<&mut MaybeUninit<*mut tinyci_run>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let selection = selection_of(selection)?;
        started(opened, optional(cancel)?, move |engine, cancel, observer| {
            let mut observer = |event: &Event| observer(event);
            let summary = engine.run(&selection, cancel, &mut observer)?;
            Ok(RunResult::Summary(Box::new(summary)))
        })
    })
}

/// Starts work that runs commands. It gets an engine whose callbacks send requests to the run's
/// queue, the run's token, and an observer.
pub(super) fn started(
    opened: &Opened,
    cancel: Option<&CancelToken>,
    work: impl FnOnce(&Engine, &CancelToken, &mut dyn FnMut(&Event)) -> End + Send + 'static,
) -> Result<tinyci_run, Failure> {
    let queue = Arc::new(Queue::new()?);
    // Read now, because the host program may change it as soon as this call returns.
    let answers = register_callbacks(&opened.options, &queue, opened.builder());
    let engine = opened.engine.answered_by(answers.process_env(std::env::vars_os()))?;
    engine.check_statuses()?;
    let grace = engine.grace();
    let work = move |cancel: &CancelToken, observer: &mut dyn FnMut(&Event)| {
        work(&engine, cancel, observer)
    };
    Ok(tinyci_run::new(Running::start(cancel, grace, queue, Box::new(work))?))
}

/// How `tinyci_steps_start` runs steps.
pub type StepsFlags = u32;

/// Keep the export directory for one day.
pub const TINYCI_STEPS_KEEP: StepsFlags = 1;

/// Starts some steps of one commit, like `tinyci run --step`. The steps run in an export directory
/// of their own, until one fails.
///
/// Each command line comes as an OUTPUT event before the command runs. Conditions of steps are
/// ignored. Nothing is written to the repository: the results are only in the one record of this
/// run.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param steps     The names of the steps, one per line, in the order in which to run them.
///                  `deploy` is not allowed.
/// @param flags     0 or `TINYCI_STEPS_KEEP`.
/// @param cancel    A token that stops the run, which keeps it alive; NULL for none.
/// @param out       Where to store the run; free it with `tinyci_run_free`. NULL on an error.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for an unknown flag; `TINYCI_UNSUPPORTED` if this
///         process ignores SIGCHLD, because tinyci could not learn how commands end: set it to
///         SIG_DFL first. Other errors are returned by `tinyci_run_next`: `TINYCI_NOT_FOUND` if
///         there is no such commit or it has no config; `TINYCI_INVALID_ARG` for `deploy` and for a
///         step that the config does not have; `TINYCI_IO` if the files cannot be written;
///         `TINYCI_CANCELED`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_steps_start(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    steps: CText<'_>,
    flags: StepsFlags,
    cancel: Option<&tinyci_cancel>,
    out: Option<&mut MaybeUninit<*mut tinyci_run>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        if flags & !TINYCI_STEPS_KEEP != 0 {
            let message = format!("invalid `flags` {flags}: expected 0 or TINYCI_STEPS_KEEP");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let options =
            StepOptions::new(revision.required("revision")?).keep(flags & TINYCI_STEPS_KEEP != 0);
        let names = steps.required("steps")?.lines().filter(|name| !name.is_empty());
        let options = names.fold(options, StepOptions::step);
        started(opened, optional(cancel)?, move |engine, cancel, observer| {
            let mut observer = |event: &Event| observer(event);
            let summary = engine.run_step(&options, cancel, &mut observer)?;
            Ok(RunResult::Summary(Box::new(summary)))
        })
    })
}

/// Starts following the run of another process or thread. Its log comes as OUTPUT events, until
/// that run ends or the selected commits have a verdict. Runs nothing itself.
///
/// @param engine     The engine.
/// @param selection  The commits to wait for; NULL for all pending commits.
/// @param cancel     A token that stops the run, which keeps it alive; NULL for none.
/// @param out        Where to store the run; free it with `tinyci_run_free`. NULL on an error. It
///                   has no records.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`. Later errors are returned by `tinyci_run_next`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_follow_start(
    engine: Option<&tinyci_engine>,
    selection: Option<&tinyci_selection>,
    cancel: Option<&tinyci_cancel>,
    out: Option<&mut MaybeUninit<*mut tinyci_run>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let selection = selection_of(selection)?;
        reading(opened, optional(cancel)?, move |engine, cancel, observer| {
            let mut observer = |event: &Event| observer(event);
            let summary = engine.follow(&selection, cancel, &mut observer)?;
            Ok(RunResult::Summary(Box::new(summary)))
        })
    })
}

/// Starts work that only reads, and sends no requests.
fn reading(
    opened: &Opened,
    cancel: Option<&CancelToken>,
    work: impl FnOnce(&Engine, &CancelToken, &mut dyn FnMut(&Event)) -> End + Send + 'static,
) -> Result<tinyci_run, Failure> {
    let (queue, engine) = (Arc::new(Queue::new()?), opened.engine.clone());
    let grace = engine.grace();
    let work = move |cancel: &CancelToken, observer: &mut dyn FnMut(&Event)| {
        work(&engine, cancel, observer)
    };
    Ok(tinyci_run::new(Running::start(cancel, grace, queue, Box::new(work))?))
}

/// How `tinyci_log_start` reads a log.
pub type LogFlags = u32;

/// Continue with new lines, until the job of the commit ends or the run is canceled.
pub const TINYCI_LOG_FOLLOW: LogFlags = 1;

/// Starts reading a log. Its lines come as OUTPUT events, each with its newline. Runs nothing.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax, to read the log of its last job; NULL
///                  for the log of all runs.
/// @param lines     How many of the last lines to begin with; -1 for all.
/// @param flags     0 or `TINYCI_LOG_FOLLOW`.
/// @param cancel    A token that stops the run, which keeps it alive; NULL for none.
/// @param out       Where to store the run; free it with `tinyci_run_free`. NULL on an error. It
///                  has no records.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for an unknown flag, and for `lines` below -1. Later
///         errors are returned by `tinyci_run_next`: `TINYCI_NOT_FOUND` if there is no such commit
///         or it has no log; `TINYCI_IO` if the log cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_log_start(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    lines: i64,
    flags: LogFlags,
    cancel: Option<&tinyci_cancel>,
    out: Option<&mut MaybeUninit<*mut tinyci_run>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let options = log_options(revision, lines, flags)?;
        reading(opened, optional(cancel)?, move |engine, cancel, observer| {
            engine.log(&options, cancel, &mut |line| observer(&log_line(line)))?;
            Ok(RunResult::Summary(Box::default()))
        })
    })
}

fn log_options(revision: CText<'_>, lines: i64, flags: u32) -> Result<LogOptions, Failure> {
    if flags & !TINYCI_LOG_FOLLOW != 0 {
        let message = format!("invalid `flags` {flags}: expected 0 or TINYCI_LOG_FOLLOW");
        return Err(Error::new(ErrorKind::InvalidArg, message).into());
    }
    let mut options = LogOptions::new().follow(flags & TINYCI_LOG_FOLLOW != 0);
    options.revision = revision.optional("revision")?.map(str::to_owned);
    options.lines = match usize::try_from(lines) {
        Ok(lines) => Some(lines),
        Err(_) if lines == -1 => None,
        Err(_) => {
            let message = format!("invalid `lines` {lines}: expected -1 or more");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
    };
    Ok(options)
}

/// Returns a line of a log as an OUTPUT event, with its newline.
fn log_line(line: &[u8]) -> Event {
    let meta = EventMeta::at(SystemTime::now());
    let bytes = line.iter().copied().chain([b'\n']).collect();
    Event { meta, kind: EventKind::Output { stream: Stream::Stdout, bytes } }
}

/// Waits for the next event or request of a run.
///
/// This ends the previous event: do not use it, or pointers taken from it, afterwards. If it was a
/// request that you did not take, its step fails.
///
/// @param run         The run.
/// @param timeout_ms  How long to wait in milliseconds: 0 does not wait, -1 waits without a limit.
/// @param out         Where to store the event. It belongs to the run: do not free it. NULL if
///                    there is none.
/// @param err         Where to store the error, or NULL.
/// @return `TINYCI_OK` with an event; `TINYCI_AGAIN` if none came within the time; `TINYCI_DONE`
///         after the last event; or the error that kept the run from beginning, such as
///         `TINYCI_BUSY` or `TINYCI_NOT_FOUND`. A failed build is not an error.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_next(
    run: Option<&mut tinyci_run>,
    timeout_ms: i32,
    out: Option<&mut MaybeUninit<*mut tinyci_event>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::step(run, out, err, |running| running.next(timeout_ms))
}

/// Returns a file descriptor for `poll`, `epoll` and event loops. It is readable when
/// `tinyci_run_next` would not wait: there is an event, or the run has ended.
///
/// When it is readable, call `tinyci_run_next` with a timeout of 0 until it returns `TINYCI_AGAIN`,
/// then poll again. You need not read from the descriptor, but you may. It contains one byte while
/// events wait, and is at its end after the run has ended.
///
/// @param run  The run, or NULL.
/// @return The descriptor; -1 for NULL. It belongs to the run: do not close it, and do not use it
///         after `tinyci_run_free`. Child processes do not inherit it.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_fd(run: Option<&tinyci_run>) -> i32 {
    run.and_then(|run| run.sealed().get().ok()).map_or(-1, |running| running.queue.fd())
}

/// Returns the records of a run that has ended, in the order in which its jobs ended. A deployment
/// has none.
///
/// @param run  The run.
/// @param out  Where to store the records; free them with `tinyci_records_free`. NULL on an error.
/// @param err  Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` before `tinyci_run_next` returned `TINYCI_DONE`; the
///         run's own error if it could not begin.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_records(
    run: Option<&mut tinyci_run>,
    out: Option<&mut MaybeUninit<*mut tinyci_records>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(run.as_deref(), out, err, Running::records)
}

/// Returns the summary of a run that has ended: the last line of `tinyci run --json`. Besides the
/// records, it contains the commits that were not tested, the deployments that followed, and
/// `error` if the run had to stop.
///
/// @param run  The run.
/// @param out  Where to store the JSON, one line without a newline; free it with
///             `tinyci_string_free`. NULL on an error.
/// @param err  Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` before `tinyci_run_next` returned `TINYCI_DONE`, and
///         for deployments; the run's own error if it could not begin.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_summary_json(
    run: Option<&mut tinyci_run>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(run.as_deref(), out, err, |running| Ok(c_text(&running.summary()?.to_json())))
}

/// Returns a deployment that has ended, as a line of `tinyci deployments --json`. Its `outcome` is
/// `awaiting_approval` if a person must approve first.
///
/// @param run  The run of `tinyci_deploy_start` or `tinyci_rollback_start`.
/// @param out  Where to store the JSON, one line without a newline; free it with
///             `tinyci_string_free`. NULL on an error.
/// @param err  Where to store the error, or NULL.
/// @return `TINYCI_OK`, also for a deployment that failed; `TINYCI_INVALID_ARG` before
///         `tinyci_run_next` returned `TINYCI_DONE`, and for other runs; the run's own error if it
///         could not begin.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_deployment_json(
    run: Option<&mut tinyci_run>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(run.as_deref(), out, err, |running| Ok(c_text(&running.deployment()?.to_json())))
}

/// Returns the outcome of a deployment that has ended.
///
/// @param run  The run, or NULL.
/// @return One of `TINYCI_OUTCOME_*`: `TINYCI_OUTCOME_SUCCESS` if the commit is deployed,
///         `TINYCI_OUTCOME_AWAITING_APPROVAL` if nothing was done because a person must approve
///         first. 0 before the end, if the deployment could not begin, for other runs, and for
///         NULL.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_deploy_outcome(run: Option<&mut tinyci_run>) -> OutcomeNumber {
    guard::peek(run.as_deref(), |running| {
        running.deployment().map_or(0, |deployment| number_of_deploy(deployment.outcome))
    })
}

/// Frees a run. If the run has not ended, it is stopped first, at once and without `after_all`. The
/// cancel token that you passed does not change. You can still answer requests that you took, which
/// returns `TINYCI_CANCELED`.
///
/// This waits for the threads and commands of the run: at most for the grace period of commands
/// plus 5 seconds.
///
/// @param run  The run with its last event, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_free(run: Option<Box<tinyci_run>>) {
    guard::free(run);
}
