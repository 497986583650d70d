//! What a run tells its host while it happens.

use std::{ops::ControlFlow, path::PathBuf, sync::Arc, time::SystemTime};

use super::{
    commit::{Commit, CommitId},
    deployment::{DeployOutcome, Deployment},
    executor::Stream,
    job::Job,
    outcome::Outcome,
    pipeline::{Hook, Phase, StepName},
    record::{Record, StepRecord},
};

/// One thing that happened in a run: where and when, and what.
///
/// An event owns its data: you can keep it, clone it and send it to another thread.
///
/// ```
/// use std::io::Write;
/// use tinyci::{Event, EventKind};
///
/// fn show(event: &Event) {
///     match &event.kind {
///         EventKind::Output { bytes, .. } => drop(std::io::stdout().write_all(bytes)),
///         EventKind::JobFinished { record, .. } => println!("{}", record.outcome),
///         _ => {}
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Event {
    /// Where and when it happened.
    pub meta: EventMeta,
    /// What happened.
    pub kind: EventKind,
}

/// Where and when an event happened.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct EventMeta {
    /// The event's number in its run: 1, 2, 3 and so on, without gaps.
    pub sequence: u64,
    /// The time at which tinyci made the event.
    pub time: SystemTime,
    /// The commit that the event is about. None for events of the whole run.
    pub commit: Option<CommitId>,
    /// The job that the event belongs to: [`Record::job_id`]. None for events of the whole run.
    pub job_id: Option<Arc<str>>,
    /// The step that the event belongs to. None between steps.
    pub step: Option<StepName>,
    /// The label of a script's `parallel` task or `group`. None outside of these.
    pub label: Option<Arc<str>>,
}

impl EventMeta {
    /// Of an event that has no number yet and belongs to no commit.
    pub(crate) fn at(time: SystemTime) -> Self {
        Self { sequence: 0, time, commit: None, job_id: None, step: None, label: None }
    }
}

/// What happened. New kinds, and new fields of a kind, may come: match with `..` and `_`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// The run knows which commits are pending. Comes again when it finds more.
    #[non_exhaustive]
    Planned {
        /// The jobs, in the order in which they start.
        jobs: Vec<Job>,
    },
    /// A job starts. tinyci removes the commit's old export and writes its tree.
    #[non_exhaustive]
    JobStarted {
        /// The commit that the job tests.
        commit: Box<Commit>,
        /// If the commit is tested again: for which ref, and why.
        retest_reason: Option<String>,
    },
    /// The commit's files are in its export directory.
    #[non_exhaustive]
    Exported {
        /// The export directory.
        dir: PathBuf,
    },
    /// A step (a phase or a hook) starts.
    #[non_exhaustive]
    StepStarted {
        /// The phase whose first step this is. A phase starts with its `before_*` hook, if it has
        /// one.
        opens: Option<Phase>,
    },
    /// A command wrote output. Output without a step in [`EventMeta`] is a part of another
    /// process's log, as a waiting run and [`Engine::follow`](crate::Engine::follow) pass it on.
    #[non_exhaustive]
    Output {
        /// The stream that the command wrote to.
        stream: Stream,
        /// The bytes as written, at most 64 KiB. If the command writes lines, these are whole lines.
        bytes: Vec<u8>,
    },
    /// A step ended.
    #[non_exhaustive]
    StepFinished {
        /// The result of the step.
        record: StepRecord,
    },
    /// A job ended, and its record is written unless writing failed.
    #[non_exhaustive]
    JobFinished {
        /// The result of the job.
        record: Box<Record>,
    },
    /// A problem that changes no verdict.
    #[non_exhaustive]
    Warning {
        /// One sentence, for people.
        message: String,
    },
    /// The run waits for another process that works in the repository.
    #[non_exhaustive]
    Waiting {
        /// One sentence, for people, that says what the run waits for.
        message: String,
    },
    /// A deployment starts. It is on record by now.
    #[non_exhaustive]
    DeployStarted {
        /// The deployment as recorded.
        deployment: Box<Deployment>,
    },
    /// A deployment ended, or waits for a person's approval. It is on record by now.
    #[non_exhaustive]
    DeployFinished {
        /// The deployment as recorded.
        deployment: Box<Deployment>,
    },
    /// The last event of a run.
    #[non_exhaustive]
    Finished {
        /// The worst outcome of the run's jobs.
        outcome: Outcome,
    },
}

impl Event {
    pub(crate) fn new(meta: EventMeta, kind: EventKind) -> Self {
        Self { meta, kind }
    }

    /// Returns the lines that the log has for this event, without the time in front. Output has
    /// none, since the log has the command's own bytes.
    ///
    /// A terminal that shows these lines and the output shows what the Ruby gem showed.
    pub fn log_lines(&self) -> Vec<String> {
        match &self.kind {
            EventKind::JobStarted { commit, retest_reason: again, .. } => {
                let again = again.iter().map(|why| format!("{} again {why}", commit.id.short()));
                let fixed = ["Cleaning...", "Exporting..."].map(str::to_owned);
                again.chain([format!("Commit: {}", commit.id)]).chain(fixed).collect()
            }
            EventKind::StepStarted { opens } => step_started_lines(self.meta.step, *opens),
            EventKind::StepFinished { record, .. } => step_finished_lines(record),
            EventKind::JobFinished { record, .. } => lines(job_finished_line(record)),
            EventKind::Warning { message, .. } => lines(Some(format!("warning: {message}"))),
            EventKind::Waiting { message, .. } => lines(Some(message.clone())),
            EventKind::DeployStarted { deployment, .. } => {
                vec![format!("Deploying {} to {}", deployment.commit, deployment.environment)]
            }
            EventKind::DeployFinished { deployment, .. } => vec![deploy_finished_line(deployment)],
            EventKind::Planned { .. }
            | EventKind::Exported { .. }
            | EventKind::Output { .. }
            | EventKind::Finished { .. } => Vec::new(),
        }
    }
}

/// An error in a script comes with the lines that show its place, other texts with their hint.
fn lines(text: Option<String>) -> Vec<String> {
    text.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

fn step_started_lines(step: Option<StepName>, opens: Option<Phase>) -> Vec<String> {
    let phase = match opens {
        Some(Phase::Build) => Some("Building...".to_owned()),
        Some(Phase::Test) => Some("Testing...".to_owned()),
        // That it begins is said already, with where to.
        Some(Phase::Deploy) | None => None,
    };
    let hook = match step {
        Some(StepName::Hook(hook)) => Some(format!("executing {} hook...", StepName::Hook(hook))),
        _ => None,
    };
    phase.into_iter().chain(hook).collect()
}

/// What became of it, and what that leaves.
fn deploy_finished_line(deployment: &Deployment) -> String {
    let sentence = deployment.sentence();
    match (deployment.outcome, deployment.previous) {
        (DeployOutcome::Success | DeployOutcome::AwaitingApproval, _) => sentence,
        (_, Some(from)) => format!("{sentence}: {} is still deployed", from.short()),
        (_, None) => format!("{sentence}: nothing is deployed there"),
    }
}

/// What failed in a step, each failure once, with its label and its place.
fn step_finished_lines(record: &StepRecord) -> Vec<String> {
    let (name, first) = (record.name, record.failures.first());
    let label = first.and_then(|it| it.label.as_ref()).map(|label| format!("{label}: "));
    let report = record.error.as_ref().map(|error| {
        let label = label.as_deref().filter(|label| !says_label(error, label)).unwrap_or_default();
        format!("{name}: {label}{error}")
    });
    let told = report.or_else(|| Some(format!("{name}: {}", record.failed_command()?)));
    let rest = record.failures.iter().skip(usize::from(told.is_some()));
    let rest: Vec<String> = rest.map(|failure| format!("{name}: {failure}")).collect();
    let omitted = record.omitted_failures;
    let more = (omitted > 0).then(|| format!("{name}: and {omitted} more failures"));
    lines(told).into_iter().chain(rest).chain(more).collect()
}

/// Whether an error begins with the label, also where it says first how many tasks failed. The lines of
/// the script below may hold anything.
fn says_label(error: &str, label: &str) -> bool {
    let sentence = error.lines().next().unwrap_or_default();
    sentence.starts_with(label) || sentence.contains(&format!("tasks failed: {label}"))
}

fn job_finished_line(record: &Record) -> Option<String> {
    let reason = record.reason.as_deref();
    match (record.outcome, reason) {
        (Outcome::Success, _) => Some(format!("Finished {}", record.commit)),
        (Outcome::Failure | Outcome::TimedOut, Some(reason)) => Some(reason.to_owned()),
        (Outcome::Failure | Outcome::TimedOut, None) if record.failed_in_parts() => {
            Some(with_reason("Failed", record.commit, record.why().as_deref()))
        }
        (Outcome::Failure | Outcome::TimedOut, None) => {
            buried(record).then(|| format!("Failed {}", record.commit))
        }
        (Outcome::Skipped, reason) => Some(with_reason("Skipped", record.commit, reason)),
        (Outcome::Canceled, reason) => Some(with_reason("Canceled", record.commit, reason)),
        (Outcome::Error, reason) => Some(with_reason("No verdict for", record.commit, reason)),
    }
}

/// Whether other steps have spoken since the one that failed the commit. Where none has, its own
/// line is the verdict, as the ancestor had it.
fn buried(record: &Record) -> bool {
    let decides = |name| match name {
        StepName::Phase(_) => true,
        StepName::Hook(hook) => [Hook::BeforeBuild, Hook::BeforeTest].contains(&hook),
    };
    !record.steps.last().is_some_and(|last| decides(last.name) && !last.outcome.passed())
}

fn with_reason(what: &str, commit: CommitId, reason: Option<&str>) -> String {
    match reason {
        Some(reason) => format!("{what} {commit}: {reason}"),
        None => format!("{what} {commit}"),
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
pub trait IntoControlFlow {
    /// As a [`ControlFlow`].
    fn flow(self) -> ControlFlow<()>;
}

impl IntoControlFlow for () {
    fn flow(self) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl IntoControlFlow for ControlFlow<()> {
    fn flow(self) -> ControlFlow<()> {
        self
    }
}

impl<R: IntoControlFlow, F: FnMut(&Event) -> R> Observer for F {
    fn event(&mut self, event: &Event) -> ControlFlow<()> {
        self(event).flow()
    }
}
