//! [`ActiveJobs`]: the active jobs of a run, and the requests of other processes to stop them.

use std::{
    collections::HashSet,
    path::PathBuf,
    sync::{
        Mutex,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::Duration,
};

use crate::{
    model::{
        cancel::{CancelToken, CancelView},
        intervention::{Intervention, InterventionKind},
    },
    util::lock::lock,
    workspace::{StopRequest, Workspace, dismiss},
};

/// How often a run checks for stop requests.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The active jobs. Each has a cancel token below that of the run.
pub(in crate::engine) struct ActiveJobs<'a> {
    workspace: &'a Workspace,
    /// The id of the run, which requests refer to.
    run: &'a str,
    cancel: &'a CancelView,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: Vec<ActiveJob>,
    /// Requests that were handled, but whose files could not be deleted.
    handled: HashSet<PathBuf>,
}

struct ActiveJob {
    id: String,
    cancel: CancelToken,
    /// The first intervention that ended the job.
    intervention: Option<Intervention>,
}

impl<'a> ActiveJobs<'a> {
    pub(in crate::engine) fn new(
        workspace: &'a Workspace,
        run: &'a str,
        cancel: &'a CancelView,
    ) -> Self {
        Self { workspace, run, cancel, state: Mutex::default() }
    }

    /// Registers a job before other processes can see it. Returns its cancellation.
    pub(in crate::engine) fn begin(&self, id: &str) -> CancelView {
        let cancel = self.cancel.child();
        let view = CancelView::new(&cancel, 1);
        lock(&self.state).jobs.push(ActiveJob { id: id.to_owned(), cancel, intervention: None });
        view
    }

    /// Unregisters a job. Returns the intervention that ended it, if there was one.
    pub(in crate::engine) fn end(&self, id: &str) -> Option<Intervention> {
        let jobs = &mut lock(&self.state).jobs;
        let index = jobs.iter().position(|job| job.id == id)?;
        jobs.swap_remove(index).intervention
    }

    /// Checks for requests until the sender of the channel is dropped.
    pub(in crate::engine) fn watch(&self, work: &Receiver<()>) {
        while work.recv_timeout(POLL_INTERVAL) == Err(RecvTimeoutError::Timeout) {
            self.handle_requests();
        }
    }

    /// Handles the pending requests. Deleting a request's file confirms it to the sender.
    pub(in crate::engine) fn handle_requests(&self) {
        for (path, request) in self.workspace.stop_requests() {
            let mut state = lock(&self.state);
            if state.handled.contains(&path) {
                continue;
            }
            if request.run == self.run {
                self.apply(&mut state, request);
            }
            if dismiss(&path).is_err() {
                state.handled.insert(path);
            }
        }
    }

    fn apply(&self, state: &mut State, request: StopRequest) {
        let times = if request.kill { 2 } else { 1 };
        let Some(id) = request.job_id else {
            // If only one job is active, it counts as named, because it is what delays the end of
            // the run.
            let is_only_job = state.jobs.len() == 1;
            let kind =
                if is_only_job { request.intervention.kind } else { InterventionKind::CancelRun };
            let intervention = Intervention { kind, ..request.intervention };
            for job in &mut state.jobs {
                job.intervention.get_or_insert_with(|| intervention.clone());
            }
            (0..times).for_each(|_| self.cancel.raise());
            return;
        };
        // A job that has ended meanwhile cannot be stopped.
        if let Some(job) = state.jobs.iter_mut().find(|job| job.id == id) {
            job.intervention.get_or_insert(request.intervention);
            (0..times).for_each(|_| job.cancel.cancel());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn request(run: &str, job: Option<&str>, kill: bool) -> StopRequest {
        StopRequest {
            run: run.to_owned(),
            job_id: job.map(str::to_owned),
            kill,
            intervention: Intervention::new(InterventionKind::Cancel, "Ada", None),
        }
    }

    /// Returns the cancel levels of the run and of its jobs after these requests, and the
    /// intervention of each job.
    fn after(
        jobs: &[&str],
        requests: &[StopRequest],
    ) -> (u8, Vec<u8>, Vec<Option<InterventionKind>>) {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        let run = CancelToken::new();
        let view = CancelView::new(&run, 1);
        let active = ActiveJobs::new(&workspace, "r", &view);
        let views: Vec<CancelView> = jobs.iter().map(|job| active.begin(job)).collect();
        for (index, request) in requests.iter().enumerate() {
            let sent = workspace.request_stop(&index.to_string(), request).unwrap();
            active.handle_requests();
            assert!(sent.is_seen());
        }
        let levels = views.iter().map(CancelView::level).collect();
        let kinds = jobs.iter().map(|job| active.end(job).map(|it| it.kind)).collect();
        (run.level(), levels, kinds)
    }

    #[test]
    fn a_request_ends_what_it_names_and_nothing_else() {
        use InterventionKind::{Cancel, CancelRun};
        let two = ["a", "b"];
        assert_eq!(
            after(&two, &[request("r", Some("b"), false)]),
            (0, vec![0, 1], vec![None, Some(Cancel)])
        );
        assert_eq!(after(&two, &[request("r", Some("b"), true)]).1, [0, 2]);
        let twice = [request("r", Some("b"), false), request("r", Some("b"), false)];
        assert_eq!(after(&two, &twice).1, [0, 2], "twice is to kill");
        let stale = [
            request("q", Some("b"), true),
            request("r", Some("c"), true),
            request("q", None, true),
        ];
        assert_eq!(after(&two, &stale), (0, vec![0, 0], vec![None, None]));
        let whole = [request("r", None, false)];
        assert_eq!(after(&two, &whole), (1, vec![1, 1], vec![Some(CancelRun), Some(CancelRun)]));
        assert_eq!(after(&["a"], &whole), (1, vec![1], vec![Some(Cancel)]));
        assert_eq!(after(&[], &[request("r", None, true)]).0, 2);
    }
}
