//! What a run tells its host while it happens.

use std::{ops::ControlFlow, sync::Arc, time::SystemTime};

use crate::{
    commit::{Commit, CommitId},
    executor::Stream,
    outcome::Outcome,
    pipeline::StepName,
    plan::Job,
    record::{Record, StepRecord},
};

/// Where and when an event happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Meta {
    /// Counts the events of one run from 1, without gaps.
    pub sequence: u64,
    /// When.
    pub time: SystemTime,
    /// The commit it is about.
    pub commit: Option<CommitId>,
    /// The attempt it belongs to: [`Record::run`].
    pub run: Option<Arc<str>>,
    /// The step it belongs to.
    pub step: Option<StepName>,
}

/// One thing that happened. Owned: it can be kept, cloned and sent to another thread.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "`meta` is the same everywhere: when and where it happened")]
pub enum Event {
    /// It is known what is due: these commits, in this order. Comes again when more became due.
    Planned { meta: Meta, jobs: Vec<Job> },
    /// A commit is being worked on.
    JobStarted { meta: Meta, commit: Box<Commit> },
    /// Its old build is being removed and its tree written.
    Exporting { meta: Meta },
    /// Its tree stands in the folder.
    Exported { meta: Meta, dir: std::path::PathBuf },
    /// A phase or hook begins.
    StepStarted { meta: Meta },
    /// A command wrote: whole lines where it writes lines, at most 64 KiB.
    Output { meta: Meta, stream: Stream, bytes: Vec<u8> },
    /// A phase or hook ended.
    StepFinished { meta: Meta, record: StepRecord },
    /// A commit's attempt is over, and kept as far as it can be.
    JobFinished { meta: Meta, record: Box<Record> },
    /// Something that changes no verdict and should be seen.
    Warning { meta: Meta, message: String },
    /// The run waits, and for whom: another process that holds the repository.
    Waiting { meta: Meta, message: String },
    /// A line of the log that another process is writing, as [`Engine::follow`] and a waiting run
    /// pass it on, without its newline.
    ///
    /// [`Engine::follow`]: crate::Engine::follow
    Followed { meta: Meta, line: Vec<u8> },
    /// The last event of a run: the worst outcome of its commits.
    Finished { meta: Meta, outcome: Outcome },
}

impl Event {
    /// Where and when it happened.
    pub fn meta(&self) -> &Meta {
        match self {
            Event::Planned { meta, .. }
            | Event::JobStarted { meta, .. }
            | Event::Exporting { meta }
            | Event::Exported { meta, .. }
            | Event::StepStarted { meta }
            | Event::Output { meta, .. }
            | Event::StepFinished { meta, .. }
            | Event::JobFinished { meta, .. }
            | Event::Warning { meta, .. }
            | Event::Waiting { meta, .. }
            | Event::Followed { meta, .. }
            | Event::Finished { meta, .. } => meta,
        }
    }

    pub(crate) fn meta_mut(&mut self) -> &mut Meta {
        match self {
            Event::Planned { meta, .. }
            | Event::JobStarted { meta, .. }
            | Event::Exporting { meta }
            | Event::Exported { meta, .. }
            | Event::StepStarted { meta }
            | Event::Output { meta, .. }
            | Event::StepFinished { meta, .. }
            | Event::JobFinished { meta, .. }
            | Event::Warning { meta, .. }
            | Event::Waiting { meta, .. }
            | Event::Followed { meta, .. }
            | Event::Finished { meta, .. } => meta,
        }
    }
}

/// Receives the events of a run, on the thread that called [`Engine::run`](crate::Engine::run).
///
/// Closures over `&Event` are observers too, whether they return `ControlFlow<()>` or nothing.
/// [`ControlFlow::Break`] raises one cancel; events go on coming until the run has ended.
pub trait Observer {
    /// One event. A slow observer slows the build's output down; it costs no memory.
    fn event(&mut self, event: &Event) -> ControlFlow<()>;
}

/// What a closure that observes may return.
pub trait Flow {
    /// As a [`ControlFlow`].
    fn flow(self) -> ControlFlow<()>;
}

impl Flow for () {
    fn flow(self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl Flow for ControlFlow<()> {
    fn flow(self) -> ControlFlow<()> {
        self
    }
}

impl<R: Flow, F: FnMut(&Event) -> R> Observer for F {
    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        self(event).flow()
    }
}
