//! [`JobReporter`]: what happens to one commit, told to its log and to the observer.

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

/// Tells the log and the observer what happens to one commit. Clones write to the same log: the
/// commands of a script that run at once share one.
#[derive(Clone)]
pub(in crate::engine) struct JobReporter {
    events: Sender,
    meta: EventMeta,
    /// None if nothing is logged.
    logs: Option<Logs>,
    /// None as long as there is no folder for it: then the log of all runs must do.
    log: Arc<Mutex<Option<LogWriter>>>,
}

impl JobReporter {
    pub(in crate::engine) fn new(events: &Sender, logs: &Logs, commit: &Commit, run: &str) -> Self {
        Self { logs: Some(logs.clone()), ..Self::without_log(events, commit, run) }
    }

    /// Tells the observer alone.
    pub(in crate::engine) fn without_log(events: &Sender, commit: &Commit, run: &str) -> Self {
        let job_id = Some(Arc::from(run));
        let meta = EventMeta { commit: Some(commit.id), job_id, ..pump::meta() };
        Self { events: events.clone(), meta, logs: None, log: Arc::default() }
    }

    /// Opens the log of a build whose folder is there.
    pub(in crate::engine) fn open_log(&mut self, build: &Build, commit: &Commit) {
        *lock(&self.log) = self.logs.as_ref().map(|logs| logs.build(build, &commit.id));
    }

    /// Says that work on the commit begins.
    pub(in crate::engine) fn begin(&mut self, job: &Job) {
        let (commit, again) = (Box::new(job.commit.clone()), job.retest_reason.clone());
        self.say(EventKind::JobStarted { commit, retest_reason: again });
    }

    /// Says which step the events from here on belong to.
    pub(in crate::engine) fn enter(&mut self, step: Option<StepName>) {
        self.meta.step = step;
    }

    /// An event, to the log first: that must not wait for a slow observer.
    pub(in crate::engine) fn say(&mut self, kind: EventKind) {
        let event = Event::new(self.meta(), kind);
        self.log(&event);
        self.send(event);
    }

    /// The last line of an attempt, to the log alone.
    pub(in crate::engine) fn log_end(&mut self, record: &Record) {
        let event = self.job_finished(record);
        self.log(&event);
    }

    /// The last event of an attempt, whose line the log has already.
    pub(in crate::engine) fn end(&self, record: &Record) {
        self.send(self.job_finished(record));
    }

    fn job_finished(&self, record: &Record) -> Event {
        let record = Box::new(record.clone());
        Event::new(self.meta(), EventKind::JobFinished { record })
    }

    pub(in crate::engine) fn warn(&mut self, message: String) {
        self.say(EventKind::Warning { message });
    }

    /// Output of a step, or of a labeled part of it.
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

    /// A log that cannot be written does not stop a build, but is no secret.
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
                // What keeps the build's folder from being made is said anyway.
                None => drop(self.logs.as_ref().map(|logs| logs.line(&line))),
            }
        }
    }

    /// Waits until the observer has seen all that was said of this commit.
    pub(in crate::engine) fn settle(&self, context: &RequestContext) -> Result<(), Outcome> {
        self.events.settle(context)
    }

    fn send(&self, event: Event) {
        self.events.send(event);
    }
}

/// What is said of a log that could not be written.
pub(in crate::engine) fn incomplete_log(error: &Error) -> String {
    format!("the log is incomplete: {}", error.report())
}
