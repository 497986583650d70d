//! What a run tells its host while it happens.

use std::{ops::ControlFlow, sync::Arc, time::SystemTime};

use super::{
    commit::{Commit, CommitId},
    deployment::{DeployOutcome, Deployment},
    executor::Stream,
    job::Job,
    outcome::Outcome,
    pipeline::{Hook, Phase, StepName},
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
    /// The branch of a script's `parallel`, or its group.
    pub label: Option<Arc<str>>,
}

/// One thing that happened. Owned: it can be kept, cloned and sent to another thread.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[expect(missing_docs, reason = "`meta` is the same everywhere: when and where it happened")]
pub enum Event {
    /// It is known what is due: these commits, in this order. Comes again when more became due.
    Planned { meta: Meta, jobs: Vec<Job> },
    /// A commit is being worked on: its old export is removed and its tree written. `again` says
    /// for which ref it is tested again, and why.
    JobStarted { meta: Meta, commit: Box<Commit>, again: Option<String> },
    /// Its tree stands in the folder.
    Exported { meta: Meta, dir: std::path::PathBuf },
    /// A phase or hook begins. `opens` names the phase whose first step this is: a phase begins
    /// with its `before_*` hook, where there is one.
    StepStarted { meta: Meta, opens: Option<Phase> },
    /// A command wrote: whole lines where it writes lines, at most 64 KiB. Without a step in
    /// `meta` these are lines of another process's log, as a waiting run and
    /// [`Engine::follow`](crate::Engine::follow) pass them on.
    Output { meta: Meta, stream: Stream, bytes: Vec<u8> },
    /// A phase or hook ended.
    StepFinished { meta: Meta, record: StepRecord },
    /// A commit's attempt is over, and kept as far as it can be.
    JobFinished { meta: Meta, record: Box<Record> },
    /// Something that changes no verdict and should be seen.
    Warning { meta: Meta, message: String },
    /// The run waits, and for whom: another process that holds the repository.
    Waiting { meta: Meta, message: String },
    /// A deployment begins. It is on record by now.
    DeployStarted { meta: Meta, deployment: Box<Deployment> },
    /// A deployment is over, or waits for a person. It is on record by now.
    DeployFinished { meta: Meta, deployment: Box<Deployment> },
    /// The last event of a run: the worst outcome of its commits.
    Finished { meta: Meta, outcome: Outcome },
}

impl Event {
    /// Where and when it happened.
    pub fn meta(&self) -> &Meta {
        match self {
            Event::Planned { meta, .. }
            | Event::JobStarted { meta, .. }
            | Event::Exported { meta, .. }
            | Event::StepStarted { meta, .. }
            | Event::Output { meta, .. }
            | Event::StepFinished { meta, .. }
            | Event::JobFinished { meta, .. }
            | Event::Warning { meta, .. }
            | Event::Waiting { meta, .. }
            | Event::DeployStarted { meta, .. }
            | Event::DeployFinished { meta, .. }
            | Event::Finished { meta, .. } => meta,
        }
    }

    /// The lines that the log has for this event, without the time in front; none for output,
    /// which the log has as it was written.
    ///
    /// A terminal that shows these and the output shows what the ancestor showed.
    pub fn log_lines(&self) -> Vec<String> {
        match self {
            Event::JobStarted { commit, again, .. } => {
                let again = again.iter().map(|why| format!("{} again {why}", commit.id.short()));
                let fixed = ["Cleaning...", "Exporting..."].map(str::to_owned);
                again.chain([format!("Commit: {}", commit.id)]).chain(fixed).collect()
            }
            Event::StepStarted { meta, opens } => step_started_lines(meta.step, *opens),
            Event::StepFinished { record, .. } => step_finished_lines(record),
            Event::JobFinished { record, .. } => lines(job_finished_line(record)),
            Event::Warning { message, .. } => vec![format!("warning: {message}")],
            Event::Waiting { message, .. } => vec![message.clone()],
            Event::DeployStarted { deployment, .. } => {
                vec![format!("Deploying {} to {}", deployment.commit, deployment.environment)]
            }
            Event::DeployFinished { deployment, .. } => vec![deploy_finished_line(deployment)],
            Event::Planned { .. }
            | Event::Exported { .. }
            | Event::Output { .. }
            | Event::Finished { .. } => Vec::new(),
        }
    }

    pub(crate) fn meta_mut(&mut self) -> &mut Meta {
        match self {
            Event::Planned { meta, .. }
            | Event::JobStarted { meta, .. }
            | Event::Exported { meta, .. }
            | Event::StepStarted { meta, .. }
            | Event::Output { meta, .. }
            | Event::StepFinished { meta, .. }
            | Event::JobFinished { meta, .. }
            | Event::Warning { meta, .. }
            | Event::Waiting { meta, .. }
            | Event::DeployStarted { meta, .. }
            | Event::DeployFinished { meta, .. }
            | Event::Finished { meta, .. } => meta,
        }
    }
}

/// An error in a script comes with the lines that show its place.
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
    match (deployment.outcome, deployment.from) {
        (DeployOutcome::Success | DeployOutcome::Waiting, _) => sentence,
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
        (Outcome::NoVerdict, reason) => Some(with_reason("No verdict for", record.commit, reason)),
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
