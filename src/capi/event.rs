//! [`tinyci_event`]: one thing that happened, or that the host is asked for.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    sync::{Arc, Mutex, OnceLock},
    time::SystemTime,
};

use super::{
    ask::{PendingRequest, Subject},
    guard,
    handle::{Handle, Sealed, handle},
    outcome::{OutcomeNumber, number_of, number_of_deploy},
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

/// The kind of an event. From 32 on it is a request.
pub type EventNumber = i32;

/// It is known which commits are due, and in which order. Comes again when more became due.
pub const TINYCI_EVENT_PLANNED: EventNumber = 1;
/// A commit is being worked on.
pub const TINYCI_EVENT_JOB_STARTED: EventNumber = 2;
/// Its tree stands in the export folder.
pub const TINYCI_EVENT_EXPORTED: EventNumber = 3;
/// A phase or hook begins.
pub const TINYCI_EVENT_STEP_STARTED: EventNumber = 4;
/// A command wrote: `tinyci_event_data` has the bytes.
pub const TINYCI_EVENT_OUTPUT: EventNumber = 5;
/// A phase or hook ended: `tinyci_event_outcome` says how.
pub const TINYCI_EVENT_STEP_FINISHED: EventNumber = 6;
/// A commit's attempt is over: `tinyci_event_record` is what remains of it.
pub const TINYCI_EVENT_JOB_FINISHED: EventNumber = 7;
/// The last event of a run: `tinyci_event_outcome` is the worst of its commits, or what its
/// deployment is worth as one: one that waits is no verdict.
pub const TINYCI_EVENT_FINISHED: EventNumber = 8;
/// Something that changes no verdict and should be seen: `tinyci_event_data` has the message.
pub const TINYCI_EVENT_WARNING: EventNumber = 9;
/// The run waits for another process: `tinyci_event_data` has the message.
pub const TINYCI_EVENT_WAITING: EventNumber = 10;
/// A deployment begins, and is on record: `tinyci_event_json` has it as `deployment`.
pub const TINYCI_EVENT_DEPLOY_STARTED: EventNumber = 11;
/// A deployment is over, or waits for a person: `tinyci_event_outcome` says how, and
/// `tinyci_event_json` has it as `deployment`.
pub const TINYCI_EVENT_DEPLOY_FINISHED: EventNumber = 12;
/// Request: a hook that was added with `tinyci_options_add_hook`. Answer with `tinyci_request_ok`,
/// `tinyci_request_skip` or `tinyci_request_fail`; and this and every other request with
/// `tinyci_request_abort` where the host itself failed.
pub const TINYCI_EVENT_HOOK: EventNumber = 32;
/// Request: a script calls a function that was added with `tinyci_options_add_function`. Answer
/// with one of `tinyci_request_return_*`, or with `tinyci_request_fail`.
pub const TINYCI_EVENT_FUNCTION: EventNumber = 33;
/// Request: the value of a secret. Answer with `tinyci_request_return_string` or
/// `tinyci_request_return_bytes`; with `tinyci_request_return_null`, which has the folder of
/// `tinyci.secretsDir` looked into; or with `tinyci_request_fail`.
pub const TINYCI_EVENT_SECRET: EventNumber = 34;
/// Request: whether a deployment may go on, which nobody approved of in the repository. Answer with
/// `tinyci_request_return_string`, saying who approves, or `tinyci_request_ok`; with
/// `tinyci_request_return_null`, so that it waits; or with `tinyci_request_fail`.
pub const TINYCI_EVENT_APPROVAL: EventNumber = 35;
/// Request: a command to run. Answer with `tinyci_request_command_output` as it writes, and with
/// `tinyci_request_command_finish` or `tinyci_request_fail` at the end.
pub const TINYCI_EVENT_COMMAND: EventNumber = 36;

/// The stream that a command wrote to.
pub type StreamNumber = i32;

/// Standard output, or both streams where they are merged.
pub const TINYCI_STREAM_STDOUT: StreamNumber = 1;
/// Standard error, where it is kept apart.
pub const TINYCI_STREAM_STDERR: StreamNumber = 2;

/// One thing that happened in a run, or that the run asks the host for. It belongs to its run and
/// lives, with all pointers taken from it, until the next `tinyci_run_next` or `tinyci_run_free`.
pub struct tinyci_event(Sealed<EventHandle>);

handle!(tinyci_event, EventHandle, "event");

/// What is behind it. Texts are made when they are asked for.
pub struct EventHandle {
    what: What,
    commit: OnceLock<Option<CString>>,
    job: OnceLock<Option<CString>>,
    step: OnceLock<Option<CString>>,
    label: OnceLock<Option<CString>>,
    json: OnceLock<Option<CString>>,
    lines: OnceLock<Option<CString>>,
}

enum What {
    Event {
        event: Box<Event>,
        record: Option<Box<tinyci_record>>,
    },
    Request {
        sequence: u64,
        asked: Arc<PendingRequest>,
        untaken: Mutex<Option<Box<tinyci_request>>>,
    },
}

impl tinyci_event {
    pub(super) fn of(item: Item) -> Self {
        let what = match item {
            Item::Event(event) => {
                let record = match &event.kind {
                    EventKind::JobFinished { record, .. } => {
                        Some(Box::new(tinyci_record::of((**record).clone())))
                    }
                    _ => None,
                };
                What::Event { event, record }
            }
            Item::Request { sequence, asked } => {
                let request = Box::new(tinyci_request::of(asked.clone()));
                What::Request { sequence, asked, untaken: Mutex::new(Some(request)) }
            }
        };
        tinyci_event::new(EventHandle {
            what,
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
        match &self.what {
            What::Event { event, .. } => Some(event),
            What::Request { .. } => None,
        }
    }

    fn kind(&self) -> i32 {
        match &self.what {
            What::Event { event, .. } => event_kind(&event.kind),
            What::Request { asked, .. } => request_kind(&asked.subject),
        }
    }

    fn time(&self) -> SystemTime {
        match &self.what {
            What::Event { event, .. } => event.meta.time,
            What::Request { asked, .. } => asked.time,
        }
    }

    fn commit(&self) -> Option<String> {
        match &self.what {
            What::Event { event, .. } => event.meta.commit.map(|id| id.to_string()),
            What::Request { asked, .. } => Some(asked.context.commit.id.to_string()),
        }
    }

    fn job(&self) -> Option<&str> {
        match &self.what {
            What::Event { event, .. } => event.meta.job_id.as_deref(),
            What::Request { asked, .. } => Some(&asked.context.job_id),
        }
    }

    fn step(&self) -> Option<StepName> {
        match &self.what {
            What::Event { event, .. } => event.meta.step,
            What::Request { asked, .. } => Some(asked.context.step),
        }
    }

    fn label(&self) -> Option<&str> {
        match &self.what {
            What::Event { event, .. } => event.meta.label.as_deref(),
            What::Request { asked, .. } => asked.context.label.as_deref(),
        }
    }

    fn json(&self) -> String {
        match &self.what {
            What::Event { event, .. } => event.to_json(),
            What::Request { sequence, asked, .. } => {
                let (kind, body) = request_body(&asked.subject);
                RequestJson::of(kind, *sequence, asked.time, &asked.context, body).to_json()
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
        match &self.what {
            What::Event { event, .. } => match &event.kind {
                EventKind::StepFinished { record, .. } => number_of(record.outcome),
                EventKind::JobFinished { record, .. } => number_of(record.outcome),
                EventKind::Finished { outcome, .. } => number_of(*outcome),
                EventKind::DeployFinished { deployment, .. } => {
                    number_of_deploy(deployment.outcome)
                }
                _ => 0,
            },
            What::Request { asked, .. } => match asked.subject {
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

/// A text that is made once.
fn made(cell: &OnceLock<Option<CString>>, text: impl FnOnce() -> Option<String>) -> *const c_char {
    borrowed(cell.get_or_init(|| text().map(|text| c_text(&text))).as_ref())
}

/// Which kind of event it is.
///
/// @param event  The event, or NULL.
/// @return One of the `TINYCI_EVENT_*` numbers, or one that a later version knows: pass over those
///         that you do not. From 32 on it is a request. 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_kind(event: Option<&tinyci_event>) -> EventNumber {
    guard::peek(event, EventHandle::kind)
}

/// Its place among the events and requests of its run.
///
/// @param event  The event, or NULL.
/// @return 1 for the first, and so on without gaps; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_sequence(event: Option<&tinyci_event>) -> u64 {
    guard::peek(event, |happened| match &happened.what {
        What::Event { event, .. } => event.meta.sequence,
        What::Request { sequence, .. } => *sequence,
    })
}

/// When it happened.
///
/// @param event  The event, or NULL.
/// @return Milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_time_ms(event: Option<&tinyci_event>) -> u64 {
    guard::peek(event, |happened| unix_ms(happened.time()))
}

/// The commit that it is about.
///
/// @param event  The event, or NULL.
/// @return The full id in hexadecimal digits, which lives as long as the event; NULL where the event
///         is about none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_commit(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |happened| made(&happened.commit, || happened.commit()))
}

/// The attempt at that commit: what its record and JSON call `run`. Where several jobs work at
/// once it tells their events apart.
///
/// @param event  The event, or NULL.
/// @return The name of the attempt, which lives as long as the event; NULL where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_job_id(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |happened| made(&happened.job, || happened.job().map(str::to_owned)))
}

/// The phase or hook that it belongs to.
///
/// @param event  The event, or NULL.
/// @return Its name, such as `build` or `after_test`, which lives as long as the event; NULL where
///         the event belongs to none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_step(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |happened| {
        made(&happened.step, || happened.step().map(|step| step.to_string()))
    })
}

/// The branch of a script's `parallel`, or its group, that it comes from.
///
/// @param event  The event, or NULL.
/// @return The label, which lives as long as the event; NULL where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_label(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |happened| made(&happened.label, || happened.label().map(str::to_owned)))
}

/// The bytes of an OUTPUT, as the command wrote them: whole lines where it writes lines, at most
/// 64 KiB, any bytes. The message of a WARNING or WAITING, in UTF-8.
///
/// @param event   The event, or NULL.
/// @param length  Where the number of bytes is stored, or NULL.
/// @return The bytes, which live as long as the event; NULL, and length 0, where the kind has none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_data(
    event: Option<&tinyci_event>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    let happened = event.and_then(|event| event.sealed().get().ok());
    bytes_out(happened.and_then(EventHandle::data), length)
}

/// The stream that an OUTPUT came from.
///
/// @param event  The event, or NULL.
/// @return `TINYCI_STREAM_STDOUT` or `TINYCI_STREAM_STDERR`; 0 for other kinds and NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_stream(event: Option<&tinyci_event>) -> StreamNumber {
    guard::peek(event, |happened| match happened.event().map(|event| &event.kind) {
        Some(EventKind::Output { stream: Stream::Stdout, .. }) => TINYCI_STREAM_STDOUT,
        Some(EventKind::Output { stream: Stream::Stderr, .. }) => TINYCI_STREAM_STDERR,
        _ => 0,
    })
}

/// The outcome of a STEP_FINISHED, of a JOB_FINISHED, of a DEPLOY_FINISHED, or of FINISHED, the
/// worst of all; of a HOOK what is known of the commit so far.
///
/// @param event  The event, or NULL.
/// @return One of the `TINYCI_OUTCOME_*` numbers; 0 for other kinds and NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_outcome(event: Option<&tinyci_event>) -> OutcomeNumber {
    guard::peek(event, EventHandle::outcome)
}

/// The record of a JOB_FINISHED.
///
/// @param event  The event, or NULL.
/// @return The record, which lives as long as the event; NULL for other kinds.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_record(event: Option<&tinyci_event>) -> *const tinyci_record {
    guard::peek(event, |happened| match &happened.what {
        What::Event { record: Some(record), .. } => &raw const **record,
        _ => std::ptr::null(),
    })
}

/// What the log has for this event, without the time in front. A terminal that shows these lines
/// and the data of every OUTPUT shows what `tinyci run` shows.
///
/// @param event  The event, or NULL.
/// @return Lines that all end with a newline, which live as long as the event; NULL where there are
///         none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_log_lines(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |happened| made(&happened.lines, || happened.lines()))
}

/// All of it, as the line of JSON that `tinyci run --json` prints; a request has `name` and
/// `arguments`, or `command`, or `environment` and `question`, beside what every event has.
///
/// @param event  The event, or NULL.
/// @return The JSON, which lives as long as the event; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_json(event: Option<&tinyci_event>) -> *const c_char {
    guard::peek(event, |happened| made(&happened.json, || Some(happened.json())))
}

/// Makes the request the host's own, to be answered now or later and from any thread. A request
/// that was not taken by the next `tinyci_run_next` is failed.
///
/// @param event  The event, or NULL.
/// @return The request, to be answered exactly once, or else to be freed with
///         `tinyci_request_free`; NULL where the event is no request or it was taken before.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_event_take_request(event: Option<&tinyci_event>) -> *mut tinyci_request {
    guard::peek(event, |happened| match &happened.what {
        What::Request { untaken, .. } => {
            let request = lock(untaken).take();
            request.map_or(std::ptr::null_mut(), Box::into_raw)
        }
        What::Event { .. } => std::ptr::null_mut(),
    })
}
