//! [`tinyci_run`]: a run under way, pulled by its host.

use std::{
    ffi::c_char,
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    thread::JoinHandle,
    time::{Duration, Instant, SystemTime},
};

use super::{
    callbacks::asking,
    cancel::tinyci_cancel,
    engine::{Opened, tinyci_engine},
    error::{ErrorOut, Failure},
    event::tinyci_event,
    guard::{self, Step, panicked},
    handle::{Handle, Sealed, handle, optional},
    outcome::{OutcomeNumber, number_of_deploy},
    queue::{End, Found, Next, Queue},
    records::tinyci_records,
    selection::{selection_of, tinyci_selection},
    status::tinyci_code,
    text::{CText, c_text},
};
use crate::{
    CancelToken, Engine, Error, ErrorKind, Event, EventKind, Summary, deploy::Deployment,
    event::EventMeta, executor::Stream, pipeline::StepOptions, record::LogOptions,
    util::threads::big_thread,
};

/// How much longer than its commands' grace a run that is freed may take to stop.
const STOP_TIME: Duration = Duration::from_secs(5);

/// A run, or something else that takes its time, on threads of the library's. Owned by the host,
/// who pulls what happens with `tinyci_run_next`, and must: a run whose events nobody pulls stands
/// still once a few wait.
///
/// It holds a reference to its engine, selection and token, which can be freed at any time.
pub struct tinyci_run(Sealed<Running>);

handle!(tinyci_run, Running, "run");

/// What is behind it.
pub struct Running {
    queue: Arc<Queue>,
    /// A child of the host's token, for this run alone.
    cancel: CancelToken,
    /// How long its commands may take to end.
    grace: Duration,
    thread: Option<JoinHandle<()>>,
    /// What was pulled last. Shared, because the host looks at it while it has the run.
    current: Option<Arc<tinyci_event>>,
    end: Option<Ended>,
}

/// How it ended, as often as it is asked for.
enum Ended {
    Done(Found),
    Failed(ErrorKind, String),
}

/// What a run does on its own thread.
type Work = dyn FnOnce(&CancelToken, &mut dyn FnMut(&Event)) -> End + Send;

impl Running {
    /// Starts the work on a thread of its own, stopped by the host's token or with the run.
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
                let message = format!("`timeout_ms` is {timeout_ms}: it is -1, 0 or more");
                return Err(Error::new(ErrorKind::InvalidArg, message).into());
            }
        };
        // A request that was not taken is failed by this.
        self.current = None;
        match self.queue.next(limit) {
            Next::Item(item) => {
                let event = self.current.insert(Arc::new(tinyci_event::of(item)));
                Ok(Step::Item(Arc::as_ptr(event).cast_mut()))
            }
            Next::Nothing => Ok(Step::Again),
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

    /// What remains of it.
    fn found(&self) -> Result<&Found, Failure> {
        match &self.end {
            Some(Ended::Done(found)) => Ok(found),
            Some(Ended::Failed(kind, report)) => Err(Error::new(*kind, report.as_str()).into()),
            None => {
                let message = "the run is not over: pull it until `tinyci_run_next` says \
                               TINYCI_DONE";
                Err(Error::new(ErrorKind::InvalidArg, message).into())
            }
        }
    }

    fn records(&self) -> Result<tinyci_records, Failure> {
        Ok(tinyci_records::of(match self.found()? {
            Found::Summary(summary) => summary.records.clone(),
            Found::Deployment(_) => Vec::new(),
        }))
    }

    fn summary(&self) -> Result<&Summary, Failure> {
        match self.found()? {
            Found::Summary(summary) => Ok(summary),
            Found::Deployment(_) => {
                let message = "a deployment has no summary: call `tinyci_run_deployment_json`";
                Err(Error::new(ErrorKind::InvalidArg, message).into())
            }
        }
    }

    fn deployment(&self) -> Result<&Deployment, Failure> {
        match self.found()? {
            Found::Deployment(deployment) => Ok(deployment),
            Found::Summary(_) => {
                let message =
                    "the run is no deployment: `tinyci_run_records` has what became of it";
                Err(Error::new(ErrorKind::InvalidArg, message).into())
            }
        }
    }
}

impl Drop for Running {
    /// Stops what still runs, and waits for it within bounds.
    fn drop(&mut self) {
        self.current = None;
        if self.end.is_none() {
            self.cancel.cancel();
            self.cancel.cancel();
        }
        self.queue.close();
        let stopped = self.queue.await_end(self.grace.saturating_add(STOP_TIME));
        // A thread that does not stop is left behind: a host that frees a run goes on.
        if let Some(thread) = self.thread.take().filter(|_| stopped) {
            // It catches its own panics.
            let _ = thread.join();
        }
    }
}

/// Starts a run of the commits that are due. It goes on in threads of the library's, and its events
/// wait to be pulled.
///
/// @param engine     The engine.
/// @param selection  Which commits; NULL for all that is pending.
/// @param cancel     What stops it from outside, of which it keeps a reference; NULL for nothing.
/// @param out        Where the run is stored, to be freed with `tinyci_run_free`; NULL on an error.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_UNSUPPORTED` if this process ignores SIGCHLD, so that no command's
///         end could be known: set it to SIG_DFL before. What keeps the run from beginning, such as
///         `TINYCI_BUSY`, comes out of `tinyci_run_next`.
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
            Ok(Found::Summary(Box::new(summary)))
        })
    })
}

/// Starts what runs commands, and asks the host through the run's queue. It is given an engine for
/// that, the run's token, and whom to tell.
pub(super) fn started(
    opened: &Opened,
    cancel: Option<&CancelToken>,
    work: impl FnOnce(&Engine, &CancelToken, &mut dyn FnMut(&Event)) -> End + Send + 'static,
) -> Result<tinyci_run, Failure> {
    let queue = Arc::new(Queue::new()?);
    // Now: the host may change it as soon as this call has returned.
    let answers = asking(&opened.options, &queue, opened.builder());
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

/// Leave the export for a day.
pub const TINYCI_STEPS_KEEP: StepsFlags = 1;

/// Starts steps of one commit by hand, in an export of their own, until one fails, as
/// `tinyci run --step` does. Each command comes as OUTPUT before it runs. Conditions leave nothing
/// out. Nothing is recorded: what the steps came to is in the one record of the run alone.
///
/// @param engine  The engine.
/// @param rev     The commit, in any of git's revision syntax.
/// @param steps   The names of the steps, one a line, in the order in which they run: phases and
///                hooks, but not `deploy`.
/// @param flags   0 or `TINYCI_STEPS_KEEP`.
/// @param cancel  What stops it from outside, of which it keeps a reference; NULL for nothing.
/// @param out     Where the run is stored, to be freed with `tinyci_run_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for other flags; `TINYCI_UNSUPPORTED` if this process
///         ignores SIGCHLD, as `tinyci_run_start`. What keeps the steps from beginning comes out of
///         `tinyci_run_next`: `TINYCI_NOT_FOUND` for a revision that names no commit, or one without
///         a config; `TINYCI_INVALID_ARG` for a step that its config does not have, and for `deploy`;
///         `TINYCI_IO` if the export cannot be written; `TINYCI_CANCELED`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_steps_start(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    steps: CText<'_>,
    flags: StepsFlags,
    cancel: Option<&tinyci_cancel>,
    out: Option<&mut MaybeUninit<*mut tinyci_run>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        if flags & !TINYCI_STEPS_KEEP != 0 {
            let message = format!("{flags} is neither 0 nor TINYCI_STEPS_KEEP");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let options = StepOptions::new(rev.required("rev")?).keep(flags & TINYCI_STEPS_KEEP != 0);
        let names = steps.required("steps")?.lines().filter(|name| !name.is_empty());
        let options = names.fold(options, StepOptions::step);
        started(opened, optional(cancel)?, move |engine, cancel, observer| {
            let mut observer = |event: &Event| observer(event);
            let summary = engine.run_step(&options, cancel, &mut observer)?;
            Ok(Found::Summary(Box::new(summary)))
        })
    })
}

/// Starts following a run of another process or thread: what it writes to the log comes as OUTPUT,
/// until that run ends or the selected commits have a verdict. Runs nothing itself.
///
/// @param engine     The engine.
/// @param selection  Which commits to wait for; NULL for all that is pending.
/// @param cancel     What stops it from outside, of which it keeps a reference; NULL for nothing.
/// @param out        Where the run is stored, to be freed with `tinyci_run_free`; NULL on an error.
///                   It has no records.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`. What goes wrong later comes out of `tinyci_run_next`.
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
            Ok(Found::Summary(Box::new(summary)))
        })
    })
}

/// Starts what only reads, and asks the host nothing.
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

/// How a log is read.
pub type LogFlags = u32;

/// Continue with lines as they are written, until the job of the commit is over, or canceled.
pub const TINYCI_LOG_FOLLOW: LogFlags = 1;

/// Starts reading a log: its lines come as OUTPUT, each with its line end. Runs nothing.
///
/// @param engine  The engine.
/// @param rev     The commit whose last job's log is read, in any of git's revision syntax; NULL for
///                the log of all runs.
/// @param lines   How many of the last lines to begin with; -1 for all.
/// @param flags   0 or `TINYCI_LOG_FOLLOW`.
/// @param cancel  What stops it from outside, of which it keeps a reference; NULL for nothing.
/// @param out     Where the run is stored, to be freed with `tinyci_run_free`; NULL on an error. It
///                has no records.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` for other flags, and for fewer than -1 lines. What goes
///         wrong later comes out of `tinyci_run_next`: `TINYCI_NOT_FOUND` for a revision that names
///         no commit, and for a commit without a log; `TINYCI_IO` if the log cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_log_start(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    lines: i64,
    flags: LogFlags,
    cancel: Option<&tinyci_cancel>,
    out: Option<&mut MaybeUninit<*mut tinyci_run>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let options = log_options(rev, lines, flags)?;
        reading(opened, optional(cancel)?, move |engine, cancel, observer| {
            engine.log(&options, cancel, &mut |line| observer(&log_line(line)))?;
            Ok(Found::Summary(Box::default()))
        })
    })
}

fn log_options(rev: CText<'_>, lines: i64, flags: u32) -> Result<LogOptions, Failure> {
    if flags & !TINYCI_LOG_FOLLOW != 0 {
        let message = format!("{flags} is neither 0 nor TINYCI_LOG_FOLLOW");
        return Err(Error::new(ErrorKind::InvalidArg, message).into());
    }
    let mut options = LogOptions::new().follow(flags & TINYCI_LOG_FOLLOW != 0);
    options.revision = rev.optional("rev")?.map(str::to_owned);
    options.lines = match usize::try_from(lines) {
        Ok(lines) => Some(lines),
        Err(_) if lines == -1 => None,
        Err(_) => {
            let message = format!("`lines` is {lines}: expected -1, 0 or more");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
    };
    Ok(options)
}

/// A line of a log, with its end, as the event that C reads.
fn log_line(line: &[u8]) -> Event {
    let meta = EventMeta {
        sequence: 0,
        time: SystemTime::now(),
        commit: None,
        job_id: None,
        step: None,
        label: None,
    };
    let bytes = line.iter().copied().chain([b'\n']).collect();
    Event { meta, kind: EventKind::Output { stream: Stream::Stdout, bytes } }
}

/// Waits for the next thing that happens, or that the run asks for.
///
/// The event before, and every pointer taken from it, is gone then; if it was a request that was
/// not taken, its step fails.
///
/// @param run         The run.
/// @param timeout_ms  How long to wait: 0 does not wait, -1 waits for ever.
/// @param out         Where the event is stored, which belongs to the run: do not free it; NULL where
///                    there is none.
/// @param err         Where the error is to be stored, or NULL.
/// @return `TINYCI_OK` with an event; `TINYCI_AGAIN` if none came in that time; `TINYCI_DONE` after
///         the last; or why the run could not begin, such as `TINYCI_BUSY` or `TINYCI_NOT_FOUND`.
///         A build that fails is no error.
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

/// A descriptor for `poll`, `epoll` and event loops, which is readable whenever `tinyci_run_next`
/// would not wait: something happened, or the run has ended.
///
/// Call `tinyci_run_next` with 0 until it gives `TINYCI_AGAIN`, then poll again. Reading from the
/// descriptor is not needed and does no harm: it gives one byte each time that there is something
/// where there was nothing, and its end once the run has ended.
///
/// @param run  The run, or NULL.
/// @return The descriptor, which belongs to the run: do not close it, and do not use it after
///         `tinyci_run_free`. -1 for NULL. It is not inherited by programs that are started.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_fd(run: Option<&tinyci_run>) -> i32 {
    run.and_then(|run| run.sealed().get().ok()).map_or(-1, |running| running.queue.fd())
}

/// Gives the records of a run that is over, in the order in which its commits were finished. A
/// deployment has none.
///
/// @param run  The run.
/// @param out  Where the list is stored, to be freed with `tinyci_records_free`; NULL on an error.
/// @param err  Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` before `tinyci_run_next` gave `TINYCI_DONE`; the run's
///         own error if it could not begin.
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

/// Gives the summary of a run that is over as JSON: what `tinyci run --json` prints last. Beside the
/// records it has the commits that were not run, the deployments that followed, and as `fault` why
/// the run had to stop.
///
/// @param run  The run.
/// @param out  Where the JSON is stored, one line without its end, to be freed with
///             `tinyci_string_free`; NULL on an error.
/// @param err  Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG` before `tinyci_run_next` gave `TINYCI_DONE`, and for
///         deployments; the run's own error if it could not begin.
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

/// Gives what became of a deployment that is over: its line of `tinyci deployments --json`, whose
/// `outcome` is `waiting` where a person has to approve first.
///
/// @param run  The run of `tinyci_deploy_start` or `tinyci_rollback_start`.
/// @param out  Where the JSON is stored, to be freed with `tinyci_string_free`; NULL on an error.
/// @param err  Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also for a deployment that failed; `TINYCI_INVALID_ARG` before
///         `tinyci_run_next` gave `TINYCI_DONE`, and for other runs; the run's own error if it could
///         not begin.
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

/// What a deployment came to, once it is over.
///
/// @param run  The run, or NULL.
/// @return One of the `TINYCI_OUTCOME_*` numbers: `TINYCI_OUTCOME_SUCCESS` where the commit is
///         deployed, `TINYCI_OUTCOME_AWAITING_APPROVAL` where nothing was done because a person has to approve
///         first. 0 before its end, if it could not begin, for other runs and for NULL.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_deploy_outcome(run: Option<&mut tinyci_run>) -> OutcomeNumber {
    guard::peek(run.as_deref(), |running| {
        running.deployment().map_or(0, |deployment| number_of_deploy(deployment.outcome))
    })
}

/// Frees a run. One that is not over is stopped first, at once and without `after_all`; the token
/// that it was given is left as it is. Requests that were taken and not answered can still be
/// answered, which gives `TINYCI_CANCELED`.
///
/// It waits for the run's threads and commands to end: for the grace time of commands and 5 seconds
/// more at most.
///
/// @param run  The run, which is gone then with its last event, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_run_free(run: Option<Box<tinyci_run>>) {
    guard::free(run);
}
