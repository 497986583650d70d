//! Events as spans and records of the crate `tracing`.

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

/// The target of every record but those of output.
const TARGET: &str = "tinyci";

/// The target of the lines that commands write, so that a host can filter them by themselves.
const OUTPUT_TARGET: &str = "tinyci::output";

/// Logs the events of one call, in the order in which the observer gets them.
///
/// It runs on the thread that called the engine. So the span in which the host made the call is the
/// parent of all that is logged, and a subscriber of that thread alone receives it.
#[derive(Default)]
pub(crate) struct EventTracer {
    /// By the id of the job or deployment.
    open: HashMap<Arc<str>, OpenSpans>,
}

/// The spans of a job or a deployment that is in progress.
struct OpenSpans {
    whole: Span,
    step: Option<Span>,
}

/// Where a record belongs. A field is set only if no enabled span says it, so that each record says
/// everything once.
struct Place<'a> {
    span: Span,
    job_id: Option<&'a str>,
    commit: Option<DisplayValue<CommitId>>,
    step: Option<DisplayValue<StepName>>,
    label: Option<&'a str>,
}

/// Logs a record at its place. Fields are evaluated only if a subscriber wants the record.
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
            EventKind::JobStarted { retest_reason: again, .. } => {
                log_at!(place, TARGET, Level::INFO, again = again.as_deref(), "job started");
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
                    spans.step = Some(step_span(&spans.whole, step));
                }
            }
            _ => {}
        }
    }

    fn open(&mut self, id: &Arc<str>, whole: Span) {
        self.open.insert(id.clone(), OpenSpans { whole, step: None });
    }

    /// A span gets its outcome last, so that no record inside it repeats the outcome.
    fn close_spans(&mut self, event: &Event) {
        let Some(id) = &event.meta.job_id else { return };
        match &event.kind {
            EventKind::StepFinished { record, .. } => {
                let step = self.open.get_mut(id).and_then(|spans| spans.step.take());
                step.inspect(|span| end(span, record.outcome.name(), Some(record.duration)));
            }
            EventKind::JobFinished { record, .. } => {
                let spans = self.open.remove(id);
                spans.inspect(|it| end(&it.whole, record.outcome.name(), Some(record.duration)));
            }
            EventKind::DeployFinished { deployment, .. } => {
                let spans = self.open.remove(id);
                spans.inspect(|it| end(&it.whole, deployment.outcome.name(), taken(deployment)));
            }
            _ => {}
        }
    }

    fn place<'a>(&self, meta: &'a EventMeta) -> Place<'a> {
        let spans = meta.job_id.as_ref().and_then(|id| self.open.get(id));
        let is_on = |span: &&Span| !span.is_disabled();
        let whole = spans.map(|spans| &spans.whole).filter(is_on);
        let step = spans.and_then(|spans| spans.step.as_ref()).filter(is_on);
        Place {
            span: step.or(whole).cloned().unwrap_or_else(Span::none),
            job_id: meta.job_id.as_deref().filter(|_| whole.is_none()),
            commit: meta.commit.filter(|_| whole.is_none()).map(display),
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

fn step_span(whole: &Span, step: StepName) -> Span {
    let span = || info_span!(target: TARGET, "step", %step, outcome = Empty, duration_ms = Empty);
    whole.in_scope(span)
}

fn end(span: &Span, outcome: &str, duration: Option<Duration>) {
    span.record("outcome", outcome);
    if let Some(duration) = duration {
        span.record("duration_ms", milliseconds(duration));
    }
}

/// A red commit is an outcome. Only a job that tinyci could not run is an error.
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
        duration_ms = taken(deployment).map(milliseconds),
        reason = deployment.reason,
        "deployment finished"
    );
}

/// One record a line.
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

fn taken(deployment: &Deployment) -> Option<Duration> {
    deployment.finished?.duration_since(deployment.started).ok()
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Logs what is odd about a repository that was opened.
pub(crate) fn warnings(collect: impl FnOnce() -> Vec<String>) {
    for message in collect() {
        warn!(target: TARGET, "{message}");
    }
}
