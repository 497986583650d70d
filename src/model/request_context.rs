//! [`RequestContext`]: the origin of a request to the embedding program, and its deadline.

use std::{path::PathBuf, sync::Arc, time::Instant};

use super::{cancel::CancelView, commit::Commit, pipeline::StepName};

/// The origin of a request: of a hook, a function, a secret or a command.
///
/// Before your callback is called, your observer has seen all earlier events of the same job. That
/// includes the start of the step and all output before the request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestContext {
    /// The commit that the job tests.
    pub commit: Arc<Commit>,
    /// The id of the job: [`Record::job_id`](crate::Record::job_id).
    pub job_id: Arc<str>,
    /// The phase or hook.
    pub step: StepName,
    /// The label of a script's parallel task or group.
    pub label: Option<Arc<str>>,
    /// The export directory with the commit's files.
    pub export_dir: PathBuf,
    /// The time by which an answer is needed: the earliest limit that applies. A later answer is
    /// refused.
    pub deadline: Option<Instant>,
    pub(crate) cancel: CancelView,
}

impl RequestContext {
    /// Returns true if the answer is no longer needed, so that a long call can end early.
    pub fn is_canceled(&self) -> bool {
        self.cancel.is_canceled()
    }

    /// Returns true if the deadline has passed.
    pub fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
