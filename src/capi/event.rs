//! [`tinyci_event`]: an event or a request.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    sync::{Arc, Mutex, OnceLock},
    time::SystemTime,
};

use super::{
    guard,
    handle::{Handle, Sealed, handle},
    outcome::{OutcomeNumber, number_of, number_of_deploy},
    pending_request::{PendingRequest, Subject},
    queue::Item,
    record::tinyci_record,
    request::tinyci_request,
    text::{borrowed, bytes_out, c_text},
    time::unix_ms,
};
use crate::{
    Event, EventKind,
    executor::Stream,
    pipeline::StepName,
    util::lock::lock,
    wire::{RequestBody, RequestJson},
};

/// The kind of an event. Requests have numbers from 32.
pub type EventNumber = i32;

/// The run has found its pending commits and their order. Comes again if there are new ones.
pub const TINYCI_EVENT_PLANNED: EventNumber = 1;
/// A job begins: tinyci tests a commit.
pub const TINYCI_EVENT_JOB_STARTED: EventNumber = 2;
/// The commit's files are in the export directory.
pub const TINYCI_EVENT_EXPORTED: EventNumber = 3;
/// A step begins.
pub const TINYCI_EVENT_STEP_STARTED: EventNumber = 4;
/// A command wrote output: `tinyci_event_data` returns the bytes.
pub const TINYCI_EVENT_OUTPUT: EventNumber = 5;
/// A step ended: `tinyci_event_outcome` returns its outcome.
pub const TINYCI_EVENT_STEP_FINISHED: EventNumber = 6;
/// A job ended: `tinyci_event_record` returns its record.
pub const TINYCI_EVENT_JOB_FINISHED: EventNumber = 7;
/// The last event of a run. `tinyci_event_outcome` returns the worst outcome of its jobs, or the
/// outcome of its deployment; a deployment that awaits approval counts as `TINYCI_OUTCOME_ERROR`.
pub const TINYCI_EVENT_FINISHED: EventNumber = 8;
/// A warning that does not affect a verdict: `tinyci_event_data` returns the message.
pub const TINYCI_EVENT_WARNING: EventNumber = 9;
/// The run waits for another process: `tinyci_event_data` returns the message.
pub const TINYCI_EVENT_WAITING: EventNumber = 10;
/// A deployment begins and has been recorded: `tinyci_event_json` contains it as `deployment`.
pub const TINYCI_EVENT_DEPLOY_STARTED: EventNumber = 11;
/// A deployment ended or awaits approval. `tinyci_event_outcome` returns its outcome, and
/// `tinyci_event_json` contains it as `deployment`.
pub const TINYCI_EVENT_DEPLOY_FINISHED: EventNumber = 12;
/// Request: a hook that was added with `tinyci_options_add_hook`. Answer with `tinyci_request_ok`,
/// `tinyci_request_skip` or `tinyci_request_fail`. If your program itself fails, answer this and
/// every other request with `tinyci_request_abort`.
pub const TINYCI_EVENT_HOOK: EventNumber = 32;
/// Request: a script calls a function that was added with `tinyci_options_add_function`. Answer
/// with one of `tinyci_request_return_*` or with `tinyci_request_fail`.
pub const TINYCI_EVENT_FUNCTION: EventNumber = 33;
/// Request: the value of a secret. Answer with `tinyci_request_return_string`,
/// `tinyci_request_return_bytes` or `tinyci_request_fail`. If you do not have it, answer with
/// `tinyci_request_return_null`: tinyci then looks in the directory `tinyci.secretsDir`.
pub const TINYCI_EVENT_SECRET: EventNumber = 34;
/// Request: the approval of a deployment that has none in the repository. To approve, answer with
/// `tinyci_request_return_string` and the approver, or with `tinyci_request_ok`. To let it wait,
/// answer with `tinyci_request_return_null`; to refuse, with `tinyci_request_fail`.
pub const TINYCI_EVENT_APPROVAL: EventNumber = 35;
/// Request: a command to run. Pass on its output with `tinyci_request_command_output`. When it
/// ends, answer with `tinyci_request_command_finish` or `tinyci_request_fail`.
pub const TINYCI_EVENT_COMMAND: EventNumber = 36;

/// The stream that a command wrote to.
pub type StreamNumber = i32;

/// Standard output, or both streams if they are merged.
pub const TINYCI_STREAM_STDOUT: StreamNumber = 1;
/// Standard error, if the streams are separate.
pub const TINYCI_STREAM_STDERR: StreamNumber = 2;

/// An event of a run, or a request. It belongs to its run: it is valid, with all pointers taken
/// from it, until the next `tinyci_run_next` or `tinyci_run_free`.
pub struct tinyci_event(Sealed<EventHandle>);

handle!(tinyci_event, EventHandle, "event");

/// The contents of a [`tinyci_event`]. Strings are created on first use.
pub struct EventHandle {
    content: Content,
    commit: OnceLock<Option<CString>>,
    job: OnceLock<Option<CString>>,
    step: OnceLock<Option<CString>>,
    label: OnceLock<Option<CString>>,
    json: OnceLock<Option<CString>>,
    lines: OnceLock<Option<CString>>,
}

enum Content {
    Event {
        event: Box<Event>,
        record: Option<Box<tinyci_record>>,
    },
    Request {
        sequence: u64,
        pending: Arc<PendingRequest>,
        untaken: Mutex<Option<Box<tinyci_request>>>,
    },
}

impl tinyci_event {
    pub(super) fn of(item: Item) -> Self {
        let content = match item {
            Item::Event(event) => {
                let record = match &event.kind {
                    EventKind::JobFinished { record, .. } => {
                        Some(Box::new(tinyci_record::of((**record).clone())))
                    }
                    _ => None,
                };
                Content::Event { event, record }
            }
            Item::Request { sequence, pending } => {
                let request = Box::new(tinyci_request::of(pending.clone()));
                Content::Request { sequence, pending, untaken: Mutex::new(Some(request)) }
            }
        };
        tinyci_event::new(EventHandle {
            content,
            commit: OnceLock::new(),
            job: OnceLock::new(),
            step: OnceLock::new(),
            label: OnceLock::new(),
            json: OnceLock::new(),
            lines: OnceLock::new(),
        })
    }
}

impl EventHandle {
    fn event(&self) -> Option<&Event> {
        match &self.content {
            Content::Event { event, .. } => Some(event),
            Content::Request { .. } => None,
        }
    }

    fn kind(&self) -> i32 {
        match &self.content {
            Content::Event { event, .. } => event_kind(&event.kind),
            Content::Request { pending, .. } => request_kind(&pending.subject),
        }
    }

    fn time(&self) -> SystemTime {
        match &self.content {
            Content::Event { event, .. } => event.meta.time,
            Content::Request { pending, .. } => pending.time,
        }
    }

    fn commit(&self) -> Option<String> {
        match &self.content {
            Content::Event { event, .. } => event.meta.commit.map(|id| id.to_string()),
            Content::Request { pending, .. } => Some(pending.context.commit.id.to_string()),
        }
    }

    fn job(&self) -> Option<&str> {
        match &self.content {
            Content::Event { event, .. } => event.meta.job_id.as_deref(),
            Content::Request { pending, .. } => Some(&pending.context.job_id),
        }
    }

    fn step(&self) -> Option<StepName> {
        match &self.content {
            Content::Event { event, .. } => event.meta.step,
            Content::Request { pending, .. } => Some(pending.context.step),
        }
    }

    fn label(&self) -> Option<&str> {
        match &self.content {
            Content::Event { event, .. } => event.meta.label.as_deref(),
            Content::Request { pending, .. } => pending.context.label.as_deref(),
        }
    }

    fn json(&self) -> String {
        match &self.content {
            Content::Event { event, .. } => event.to_json(),
            Content::Request { sequence, pending, .. } => {
                let (kind, body) = request_body(&pending.subject);
                RequestJson::of(kind, *sequence, pending.time, &pending.context, body).to_json()
            }
        }
    }

    fn data(&self) -> Option<&[u8]> {
        match &self.event()?.kind {
            EventKind::Output { bytes, .. } => Some(bytes),
            EventKind::Warning { message, .. } | EventKind::Waiting { message, .. } => {
                Some(message.as_bytes())
            }
            _ => None,
        }
    }

    fn lines(&self) -> Option<String> {
        let lines = self.event()?.log_lines();
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        (!lines.is_empty()).then_some(lines)
    }

    fn outcome(&self) -> i32 {
        match &self.content {
            Content::Event { event, .. } => match &event.kind {
                EventKind::StepFinished { record, .. } => number_of(record.outcome),
                EventKind::JobFinished { record, .. } => number_of(record.outcome),
                EventKind::Finished { outcome, .. } => number_of(*outcome),
                EventKind::DeployFinished { deployment, .. } => {
                    number_of_deploy(deployment.outcome)
                }
                _ => 0,
            },
            Content::Request { pending, .. } => match pending.subject {
                Subject::Hook(_, so_far) => number_of(so_far),
                _ => 0,
            },
        }
    }
}

fn event_kind(kind: &EventKind) -> i32 {
    match kind {
        EventKind::Planned { .. } => TINYCI_EVENT_PLANNED,
        EventKind::JobStarted { .. } => TINYCI_EVENT_JOB_STARTED,
        EventKind::Exported { .. } => TINYCI_EVENT_EXPORTED,
        EventKind::StepStarted { .. } => TINYCI_EVENT_STEP_STARTED,
        EventKind::Output { .. } => TINYCI_EVENT_OUTPUT,
        EventKind::StepFinished { .. } => TINYCI_EVENT_STEP_FINISHED,
        EventKind::JobFinished { .. } => TINYCI_EVENT_JOB_FINISHED,
        EventKind::Finished { .. } => TINYCI_EVENT_FINISHED,
        EventKind::Warning { .. } => TINYCI_EVENT_WARNING,
        EventKind::Waiting { .. } => TINYCI_EVENT_WAITING,
        EventKind::DeployStarted { .. } => TINYCI_EVENT_DEPLOY_STARTED,
        EventKind::DeployFinished { .. } => TINYCI_EVENT_DEPLOY_FINISHED,
    }
}

fn request_kind(subject: &Subject) -> i32 {
    match subject {
        Subject::Hook(..) => TINYCI_EVENT_HOOK,
        Subject::Function { .. } => TINYCI_EVENT_FUNCTION,
        Subject::Secret(_) => TINYCI_EVENT_SECRET,
        Subject::Approval { .. } => TINYCI_EVENT_APPROVAL,
        Subject::Command(_) => TINYCI_EVENT_COMMAND,
    }
}

fn request_body(subject: &Subject) -> (&'static str, RequestBody<'_>) {
    match subject {
        Subject::Hook(hook, so_far) => {
            ("hook", RequestBody::hook(StepName::from(*hook).as_str(), *so_far))
        }
        Subject::Function { name, arguments } => {
            ("function", RequestBody::function(name, arguments))
        }
        Subject::Secret(name) => ("secret", RequestBody::Secret { name }),
        Subject::Approval { environment, question } => {
            ("approval", RequestBody::Approval { environment, question: question.as_deref() })
        }
        Subject::Command(command) => ("command", RequestBody::command(command)),
    }
}

/// Returns a string that is created once.
fn cached(
    cell: &OnceLock<Option<CString>>,
    text: impl FnOnce() -> Option<String>,
) -> *const c_char {
    borrowed(cell.get_or_init(|| text().map(|text| c_text(&text))).as_ref())
}

/// Returns the kind of an event.
///
/// @param event  The event, or NULL.
/// @return One of `TINYCI_EVENT_*`; requests have numbers from 32. A later version may add kinds:
///         ignore those that you do not know. 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_kind(event: Option<&tinyci_event>) -> EventNumber {
    guard::peek(event, EventHandle::kind)
}

/// Returns the number of an event among the events and requests of its run.
///
/// @param event  The event, or NULL.
/// @return 1 for the first event, and so on without gaps; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_sequence(event: Option<&tinyci_event>) -> u64 {
    guard::peek(event, |handle| match &handle.content {
        Content::Event { event, .. } => event.meta.sequence,
        Content::Request { sequence, .. } => *sequence,
    })
}

/// Returns the time of an event.
///
/// @param event  The event, or NULL.
/// @return Milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_time_ms(event: Option<&tinyci_event>) -> u64 {
    guard::peek(event, |handle| unix_ms(handle.time()))
}

/// Returns the commit that an event is about.
///
/// @param event  The event, or NULL.
/// @return The full id in hexadecimal digits, valid as long as the event; NULL if the event is not
///         about a commit.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_commit(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |handle| cached(&handle.commit, || handle.commit()))
}

/// Returns the id of the job that an event belongs to. Records and JSON contain the same id as
/// `job_id`. If several jobs run at the same time, use it to tell their events apart.
///
/// @param event  The event, or NULL.
/// @return The job id, valid as long as the event; NULL if the event does not belong to a job.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_job_id(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |handle| cached(&handle.job, || handle.job().map(str::to_owned)))
}

/// Returns the step that an event belongs to.
///
/// @param event  The event, or NULL.
/// @return The name, such as `build` or `after_test`, valid as long as the event; NULL if the event
///         does not belong to a step.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_step(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |handle| cached(&handle.step, || handle.step().map(|step| step.to_string())))
}

/// Returns the label of the `parallel` task or group of a script that an event comes from.
///
/// @param event  The event, or NULL.
/// @return The label, valid as long as the event; NULL if there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_label(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |handle| cached(&handle.label, || handle.label().map(str::to_owned)))
}

/// Returns the bytes of an OUTPUT event as the command wrote them, in any encoding: at most 64 KiB,
/// cut at the end of a line if possible. For WARNING and WAITING, returns the message in UTF-8.
///
/// @param event   The event, or NULL.
/// @param length  Where to store the number of bytes, or NULL.
/// @return The bytes, valid as long as the event; NULL, and length 0, for other kinds and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_data(
    event: Option<&tinyci_event>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    let handle = event.and_then(|event| event.sealed().get().ok());
    bytes_out(handle.and_then(EventHandle::data), length)
}

/// Returns the stream that an OUTPUT event came from.
///
/// @param event  The event, or NULL.
/// @return `TINYCI_STREAM_STDOUT` or `TINYCI_STREAM_STDERR`; 0 for other kinds and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_stream(event: Option<&tinyci_event>) -> StreamNumber {
    guard::peek(event, |handle| match handle.event().map(|event| &event.kind) {
        Some(EventKind::Output { stream: Stream::Stdout, .. }) => TINYCI_STREAM_STDOUT,
        Some(EventKind::Output { stream: Stream::Stderr, .. }) => TINYCI_STREAM_STDERR,
        _ => 0,
    })
}

/// Returns the outcome that STEP_FINISHED, JOB_FINISHED, DEPLOY_FINISHED and FINISHED report. For a
/// HOOK, returns the outcome of the job so far.
///
/// @param event  The event, or NULL.
/// @return One of `TINYCI_OUTCOME_*`; 0 for other kinds and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_outcome(event: Option<&tinyci_event>) -> OutcomeNumber {
    guard::peek(event, EventHandle::outcome)
}

/// Returns the record of a JOB_FINISHED event.
///
/// @param event  The event, or NULL.
/// @return The record, valid as long as the event; NULL for other kinds and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_record(event: Option<&tinyci_event>) -> *const tinyci_record {
    guard::peek(event, |handle| match &handle.content {
        Content::Event { record: Some(record), .. } => &raw const **record,
        _ => std::ptr::null(),
    })
}

/// Returns the lines that the log contains for an event, without timestamps. To show what
/// `tinyci run` shows, print these lines and the data of OUTPUT events.
///
/// @param event  The event, or NULL.
/// @return Lines that each end with a newline, valid as long as the event; NULL if there are none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_log_lines(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |handle| cached(&handle.lines, || handle.lines()))
}

/// Returns an event as the line of JSON that `tinyci run --json` prints. Depending on its kind, a
/// request also has `name` and `arguments`, `command`, or `environment` and `question`.
///
/// @param event  The event, or NULL.
/// @return The JSON, valid as long as the event; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_json(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |handle| cached(&handle.json, || Some(handle.json())))
}

/// Takes the request out of an event, to answer it now or later, from any thread. A request that
/// you do not take before the next `tinyci_run_next` fails.
///
/// @param event  The event, or NULL.
/// @return The request. Answer it exactly once, or free it with `tinyci_request_free`. NULL if the
///         event is not a request, or the request was already taken.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_take_request(event: Option<&tinyci_event>) -> *mut tinyci_request {
    guard::peek(event, |handle| match &handle.content {
        Content::Request { untaken, .. } => {
            let request = lock(untaken).take();
            request.map_or(std::ptr::null_mut(), Box::into_raw)
        }
        Content::Event { .. } => std::ptr::null_mut(),
    })
}
