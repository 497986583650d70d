//! The events that a run reports while it happens.

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

/// One event of a run: time, place and kind.
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
    /// The time, and the commit, job and step.
    pub meta: EventMeta,
    /// The kind of event, with its data.
    pub kind: EventKind,
}

/// The time of an event, and the commit, job and step that it belongs to.
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
    /// Creates the meta of an event without a number, commit or job.
    pub(crate) fn at(time: SystemTime) -> Self {
        Self { sequence: 0, time, commit: None, job_id: None, step: None, label: None }
    }
}

/// The kind of an event, with its data. Later versions may add kinds and fields: match with `..`
/// and `_`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum EventKind {
    /// The run knows which commits are pending. It repeats this event when it finds more.
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
    /// A deployment starts. Its record is already written.
    #[non_exhaustive]
    DeployStarted {
        /// The deployment as recorded.
        deployment: Box<Deployment>,
    },
    /// A deployment ended, or awaits a person's approval. Its record is already written.
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

    /// Returns the log lines of this event, without the time prefix. Output has none, because the
    /// log contains the command's bytes.
    ///
    /// If you show these lines and the output, your terminal looks as with TinyCI 0.5, the Ruby
    /// gem.
    pub fn log_lines(&self) -> Vec<String> {
        match &self.kind {
            EventKind::JobStarted { commit, retest_reason, .. } => {
                let again =
                    retest_reason.iter().map(|why| format!("{} again {why}", commit.id.short()));
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

/// Splits a text into lines, because an error may have an excerpt or a hint below its sentence.
fn lines(text: Option<String>) -> Vec<String> {
    text.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

fn step_started_lines(step: Option<StepName>, opens: Option<Phase>) -> Vec<String> {
    let phase = match opens {
        Some(Phase::Build) => Some("Building...".to_owned()),
        Some(Phase::Test) => Some("Testing...".to_owned()),
        // The event of the deployment has already announced it, with the environment.
        Some(Phase::Deploy) | None => None,
    };
    let hook = match step {
        Some(StepName::Hook(hook)) => Some(format!("executing {} hook...", StepName::Hook(hook))),
        _ => None,
    };
    phase.into_iter().chain(hook).collect()
}

/// Returns the outcome, and what is deployed now.
fn deploy_finished_line(deployment: &Deployment) -> String {
    let sentence = deployment.sentence();
    match (deployment.outcome, deployment.previous) {
        (DeployOutcome::Success | DeployOutcome::AwaitingApproval, _) => sentence,
        (_, Some(from)) => format!("{sentence}: {} is still deployed", from.short()),
        (_, None) => format!("{sentence}: nothing is deployed there"),
    }
}

/// Returns one line for each failure of a step, with its label and position.
fn step_finished_lines(record: &StepRecord) -> Vec<String> {
    let (name, first) = (record.name, record.failures.first());
    let label = first.and_then(|it| it.label.as_ref()).map(|label| format!("{label}: "));
    let report = record.error.as_ref().map(|error| {
        let label =
            label.as_deref().filter(|label| !contains_label(error, label)).unwrap_or_default();
        format!("{name}: {label}{error}")
    });
    let main = report.or_else(|| Some(format!("{name}: {}", record.failed_command()?)));
    let rest = record.failures.iter().skip(usize::from(main.is_some()));
    let rest: Vec<String> = rest.map(|failure| format!("{name}: {failure}")).collect();
    let omitted = record.omitted_failures;
    let more = (omitted > 0).then(|| format!("{name}: and {omitted} more failures"));
    lines(main).into_iter().chain(rest).chain(more).collect()
}

/// Returns true if the error already contains the label at its start, or after the number of failed
/// tasks. Only the first line counts, because the lines below it quote the script.
fn contains_label(error: &str, label: &str) -> bool {
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
            has_later_steps(record).then(|| format!("Failed {}", record.commit))
        }
        (Outcome::Skipped, reason) => Some(with_reason("Skipped", record.commit, reason)),
        (Outcome::Canceled, reason) => Some(with_reason("Canceled", record.commit, reason)),
        (Outcome::Error, reason) => Some(with_reason("No verdict for", record.commit, reason)),
    }
}

/// Returns true if other steps ran after the one that failed the commit. If none did, the line of
/// the failed step already shows the verdict, as in TinyCI 0.5.
fn has_later_steps(record: &Record) -> bool {
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
/// Closures over `&Event` are observers too, and may return `ControlFlow<()>` or nothing.
/// [`ControlFlow::Break`] cancels the run once; events continue until the run has ended.
pub trait Observer {
    /// Handles one event. A slow observer slows down the commands, but tinyci does not buffer more
    /// events in memory.
    fn event(&mut self, event: &Event) -> ControlFlow<()>;
}

/// The return types of an observer closure.
pub trait IntoControlFlow {
    /// Converts to a [`ControlFlow`].
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
