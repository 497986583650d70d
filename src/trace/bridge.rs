//! Sends events as spans and records to the crate `tracing`.

use std::{collections::HashMap, sync::Arc, time::Duration};

use tracing::{
    Level, Span, event,
    field::{DisplayValue, Empty, display},
    info_span, warn,
};

use crate::model::{
    commit::{Commit, CommitId},
    deployment::Deployment,
    event::{Event, EventKind, EventMeta},
    executor::Stream,
    outcome::Outcome,
    pipeline::StepName,
    record::{Record, StepRecord},
};

/// The target of all records except output.
const TARGET: &str = "tinyci";

/// The target of output lines, so that a host can filter them separately.
const OUTPUT_TARGET: &str = "tinyci::output";

/// Logs the events of one call, in the order in which the observer gets them.
///
/// It runs on the thread that called the engine. So the caller's current span becomes the parent,
/// and a subscriber of only that thread works too.
#[derive(Default)]
pub(crate) struct EventTracer {
    /// The open spans, by the id of the job or deployment.
    open: HashMap<Arc<str>, OpenSpans>,
}

/// The spans of a job or deployment in progress.
struct OpenSpans {
    root: Span,
    step: Option<Span>,
}

/// The span of a record, and fields that no enabled span already has.
struct Place<'a> {
    span: Span,
    job_id: Option<&'a str>,
    commit: Option<DisplayValue<CommitId>>,
    step: Option<DisplayValue<StepName>>,
    label: Option<&'a str>,
}

/// Logs a record in its span. Evaluates the fields only if a subscriber wants the record.
macro_rules! log_at {
    ($place:expr, $target:expr, $level:expr, $($fields:tt)+) => {{
        let Place { span, job_id, commit, step, label } = $place;
        span.in_scope(|| {
            event!(target: $target, $level, job_id, commit, step, label, $($fields)+);
        });
    }};
}

impl EventTracer {
    /// Logs one event.
    pub(crate) fn event(&mut self, event: &Event) {
        let meta = &event.meta;
        self.open_spans(event);
        let place = &self.place(meta);
        match &event.kind {
            EventKind::JobStarted { retest_reason, .. } => {
                log_at!(
                    place,
                    TARGET,
                    Level::INFO,
                    again = retest_reason.as_deref(),
                    "job started"
                );
            }
            EventKind::JobFinished { record, .. } => job_finished(place, record),
            EventKind::StepStarted { .. } => log_at!(place, TARGET, Level::DEBUG, "step started"),
            EventKind::StepFinished { record, .. } => step_finished(place, record),
            EventKind::Output { stream, bytes, .. } => output(place, *stream, bytes),
            EventKind::Warning { message, .. } => {
                log_at!(place, TARGET, Level::WARN, "{message}");
            }
            EventKind::Waiting { message, .. } => {
                log_at!(place, TARGET, Level::INFO, "{message}");
            }
            EventKind::Planned { jobs, .. } => {
                log_at!(place, TARGET, Level::DEBUG, jobs = jobs.len(), "jobs planned");
            }
            EventKind::Exported { dir, .. } => {
                log_at!(place, TARGET, Level::DEBUG, dir = %dir.display(), "commit exported");
            }
            EventKind::DeployStarted { .. } => {
                log_at!(place, TARGET, Level::INFO, "deployment started");
            }
            EventKind::DeployFinished { deployment, .. } => deployment_finished(place, deployment),
            EventKind::Finished { outcome, .. } => {
                log_at!(place, TARGET, Level::DEBUG, outcome = outcome.name(), "run finished");
            }
        }
        self.close_spans(event);
    }

    fn open_spans(&mut self, event: &Event) {
        let meta = &event.meta;
        let Some(id) = &meta.job_id else { return };
        match &event.kind {
            EventKind::JobStarted { commit, .. } => self.open(id, job_span(id, commit)),
            EventKind::DeployStarted { deployment, .. } => {
                self.open(id, deployment_span(deployment))
            }
            EventKind::StepStarted { .. } => {
                if let (Some(spans), Some(step)) = (self.open.get_mut(id), meta.step) {
                    spans.step = Some(step_span(&spans.root, step));
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, id: &Arc<str>, root: Span) {
        self.open.insert(id.clone(), OpenSpans { root, step: None });
    }

    /// Records the outcome of a span last, so that no record inside it repeats the outcome.
    fn close_spans(&mut self, event: &Event) {
        let Some(id) = &event.meta.job_id else { return };
        match &event.kind {
            EventKind::StepFinished { record, .. } => {
                let step = self.open.get_mut(id).and_then(|spans| spans.step.take());
                step.inspect(|span| end(span, record.outcome.name(), Some(record.duration)));
            }
            EventKind::JobFinished { record, .. } => {
                let spans = self.open.remove(id);
                spans.inspect(|it| end(&it.root, record.outcome.name(), Some(record.duration)));
            }
            EventKind::DeployFinished { deployment, .. } => {
                let spans = self.open.remove(id);
                spans.inspect(|it| {
                    end(&it.root, deployment.outcome.name(), duration_of(deployment))
                });
            }
            _ => {}
        }
    }

    fn place<'a>(&self, meta: &'a EventMeta) -> Place<'a> {
        let spans = meta.job_id.as_ref().and_then(|id| self.open.get(id));
        let is_on = |span: &&Span| !span.is_disabled();
        let root = spans.map(|spans| &spans.root).filter(is_on);
        let step = spans.and_then(|spans| spans.step.as_ref()).filter(is_on);
        Place {
            span: step.or(root).cloned().unwrap_or_else(Span::none),
            job_id: meta.job_id.as_deref().filter(|_| root.is_none()),
            commit: meta.commit.filter(|_| root.is_none()).map(display),
            step: meta.step.filter(|_| step.is_none()).map(display),
            label: meta.label.as_deref(),
        }
    }
}

fn job_span(id: &str, commit: &Commit) -> Span {
    let branch = commit.branch.as_ref().map(display);
    info_span!(
        target: TARGET, "job", job_id = id, commit = %commit.id, branch, outcome = Empty,
        duration_ms = Empty
    )
}

fn deployment_span(deployment: &Deployment) -> Span {
    info_span!(
        target: TARGET, "deployment", job_id = deployment.id, commit = %deployment.commit,
        environment = deployment.environment, outcome = Empty, duration_ms = Empty
    )
}

fn step_span(root: &Span, step: StepName) -> Span {
    let span = || info_span!(target: TARGET, "step", %step, outcome = Empty, duration_ms = Empty);
    root.in_scope(span)
}

fn end(span: &Span, outcome: &str, duration: Option<Duration>) {
    span.record("outcome", outcome);
    if let Some(duration) = duration {
        span.record("duration_ms", milliseconds(duration));
    }
}

/// Logs a failed commit as information, because failure is a normal outcome. Only a job that tinyci
/// could not run is an error.
fn job_finished(place: &Place<'_>, record: &Record) {
    let duration_ms = milliseconds(record.duration);
    let outcome = record.outcome.name();
    if record.outcome == Outcome::Error {
        let reason = record.why();
        log_at!(place, TARGET, Level::ERROR, outcome, duration_ms, reason, "job finished");
    } else {
        log_at!(
            place,
            TARGET,
            Level::INFO,
            outcome,
            duration_ms,
            reason = record.why(),
            "job finished"
        );
    }
}

fn step_finished(place: &Place<'_>, record: &StepRecord) {
    log_at!(
        place,
        TARGET,
        Level::DEBUG,
        outcome = record.outcome.name(),
        duration_ms = milliseconds(record.duration),
        reason = record.why(),
        "step finished"
    );
}

fn deployment_finished(place: &Place<'_>, deployment: &Deployment) {
    log_at!(
        place,
        TARGET,
        Level::INFO,
        environment = deployment.environment,
        outcome = deployment.outcome.name(),
        duration_ms = duration_of(deployment).map(milliseconds),
        reason = deployment.reason,
        "deployment finished"
    );
}

/// Logs each line as one record.
fn output(place: &Place<'_>, stream: Stream, bytes: &[u8]) {
    let stream = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    for line in bytes.strip_suffix(b"\n").unwrap_or(bytes).split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        log_at!(place, OUTPUT_TARGET, Level::TRACE, stream, "{}", String::from_utf8_lossy(line));
    }
}

fn duration_of(deployment: &Deployment) -> Option<Duration> {
    deployment.finished?.duration_since(deployment.started).ok()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Logs the warnings about an opened repository.
pub(crate) fn warnings(collect: impl FnOnce() -> Vec<String>) {
    for message in collect() {
        warn!(target: TARGET, "{message}");
    }
}
