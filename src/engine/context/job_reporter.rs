//! [`JobReporter`]: reports the progress of one job to its log and to the observer.

use std::{
    sync::{Arc, Mutex},
    time::SystemTime,
};

use super::pump::{self, Sender};
use crate::{
    model::{
        commit::Commit,
        error::Error,
        event::{Event, EventKind, EventMeta},
        executor::Stream,
        job::Job,
        outcome::Outcome,
        pipeline::StepName,
        record::Record,
        request_context::RequestContext,
    },
    util::lock::lock,
    workspace::{Build, LogWriter, Logs},
};

/// Reports the progress of one job. Clones write to the same log, so parallel commands of a script
/// share it.
#[derive(Clone)]
pub(in crate::engine) struct JobReporter {
    events: Sender,
    meta: EventMeta,
    /// `None` if the job has no log.
    logs: Option<Logs>,
    /// `None` until the build directory exists; until then, lines go to the log of all runs.
    log: Arc<Mutex<Option<LogWriter>>>,
}

impl JobReporter {
    pub(in crate::engine) fn new(
        events: &Sender,
        logs: &Logs,
        commit: &Commit,
        job_id: &str,
    ) -> Self {
        Self { logs: Some(logs.clone()), ..Self::without_log(events, commit, job_id) }
    }

    /// Creates a reporter that only sends events to the observer.
    pub(in crate::engine) fn without_log(events: &Sender, commit: &Commit, job_id: &str) -> Self {
        let job_id = Some(Arc::from(job_id));
        let meta = EventMeta { commit: Some(commit.id), job_id, ..pump::meta() };
        Self { events: events.clone(), meta, logs: None, log: Arc::default() }
    }

    /// Opens the log in the build directory, which must exist.
    pub(in crate::engine) fn open_log(&mut self, build: &Build, commit: &Commit) {
        *lock(&self.log) = self.logs.as_ref().map(|logs| logs.build(build, &commit.id));
    }

    /// Reports that the job starts.
    pub(in crate::engine) fn begin(&mut self, job: &Job) {
        let (commit, retest_reason) = (Box::new(job.commit.clone()), job.retest_reason.clone());
        self.emit(EventKind::JobStarted { commit, retest_reason });
    }

    /// Sets the step of all later events.
    pub(in crate::engine) fn enter(&mut self, step: Option<StepName>) {
        self.meta.step = step;
    }

    /// Writes an event to the log, then sends it. The log comes first, because the observer may be
    /// slow.
    pub(in crate::engine) fn emit(&mut self, kind: EventKind) {
        let event = Event::new(self.meta(), kind);
        self.log(&event);
        self.send(event);
    }

    /// Writes the last line of a job to the log, without an event.
    pub(in crate::engine) fn log_end(&mut self, record: &Record) {
        let event = self.job_finished(record);
        self.log(&event);
    }

    /// Sends the last event of a job, without a line in the log.
    pub(in crate::engine) fn end(&self, record: &Record) {
        self.send(self.job_finished(record));
    }

    fn job_finished(&self, record: &Record) -> Event {
        let record = Box::new(record.clone());
        Event::new(self.meta(), EventKind::JobFinished { record })
    }

    pub(in crate::engine) fn warn(&mut self, message: String) {
        self.emit(EventKind::Warning { message });
    }

    /// Reports output of a step, or of a labeled task in it.
    pub(in crate::engine) fn output_of(
        &mut self,
        label: Option<&str>,
        stream: Stream,
        bytes: Vec<u8>,
    ) {
        if bytes.is_empty() {
            return;
        }
        if let Some(log) = &mut *lock(&self.log) {
            log.output(&bytes);
        }
        let meta = EventMeta { label: label.map(Arc::from), ..self.meta() };
        self.send(Event::new(meta, EventKind::Output { stream, bytes }));
    }

    /// Warns if the log could not be written. Such a fault does not fail the job.
    pub(in crate::engine) fn report_log_fault(&mut self) {
        let fault = lock(&self.log).as_mut().and_then(LogWriter::take_fault);
        if let Some(error) = fault {
            self.warn(incomplete_log(&error));
        }
    }

    fn meta(&self) -> EventMeta {
        EventMeta { time: SystemTime::now(), ..self.meta.clone() }
    }

    fn log(&self, event: &Event) {
        let mut writer = lock(&self.log);
        for line in event.log_lines() {
            match &mut *writer {
                Some(log) => log.line(&line),
                // If this write fails too, the job reports the cause itself when it creates the
                // build directory.
                None => drop(self.logs.as_ref().map(|logs| logs.line(&line))),
            }
        }
    }

    /// Waits until the observer has received all events of this job.
    pub(in crate::engine) fn flush(&self, context: &RequestContext) -> Result<(), Outcome> {
        self.events.flush(context)
    }

    fn send(&self, event: Event) {
        self.events.send(event);
    }
}

/// Returns the warning about a log that could not be written.
pub(in crate::engine) fn incomplete_log(error: &Error) -> String {
    format!("the log is incomplete: {}", error.report())
}
