//! Where a request to the embedding program comes from, and how long it waits for an answer.

use std::{path::PathBuf, sync::Arc, time::Instant};

use super::{cancel::CancelView, commit::Commit, pipeline::StepName};

/// Where a run asks its host for something: a hook, a function, a secret, a command.
///
/// Before a host is asked, its observer has seen every event of the same attempt that came
/// earlier: the step's beginning, and all output in front of the request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestContext {
    /// The commit in work.
    pub commit: Arc<Commit>,
    /// The attempt: [`Record::job_id`](crate::Record::job_id).
    pub job_id: Arc<str>,
    /// The phase or hook.
    pub step: StepName,
    /// The branch of a script's `parallel`, or its group.
    pub label: Option<Arc<str>>,
    /// The folder that holds the commit's tree.
    pub export_dir: PathBuf,
    /// When the answer has to be there: the nearest of all limits around it. A later one is
    /// refused.
    pub deadline: Option<Instant>,
    pub(crate) cancel: CancelView,
}

impl RequestContext {
    /// Whether nobody waits for the answer any more, so that a long call can end early.
    pub fn is_canceled(&self) -> bool {
        self.cancel.is_canceled()
    }

    /// Whether the deadline has passed.
    pub fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}
