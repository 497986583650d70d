//! [`ActiveJobs`]: the jobs that a run has in progress, and what ends them from another process.

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

/// How often a run looks whether it is to end, or a job of it.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// The jobs in progress, each with a token of its own below that of the run.
pub(in crate::engine) struct ActiveJobs<'a> {
    workspace: &'a Workspace,
    /// The run's id, by which requests name it.
    run: &'a str,
    cancel: &'a CancelView,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: Vec<ActiveJob>,
    /// Requests that were seen and could not be taken away.
    seen: HashSet<PathBuf>,
}

struct ActiveJob {
    id: String,
    cancel: CancelToken,
    /// Who was the first to end it, and why.
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

    /// Takes a job up, before anybody can read of it; gives back what can stop it.
    pub(in crate::engine) fn begin(&self, id: &str) -> CancelView {
        let cancel = self.cancel.child();
        let view = CancelView::new(&cancel, 1);
        lock(&self.state).jobs.push(ActiveJob { id: id.to_owned(), cancel, intervention: None });
        view
    }

    /// Lets a job go; says who ended it, if somebody did.
    pub(in crate::engine) fn end(&self, id: &str) -> Option<Intervention> {
        let jobs = &mut lock(&self.state).jobs;
        let place = jobs.iter().position(|job| job.id == id)?;
        jobs.swap_remove(place).intervention
    }

    /// Looks for requests until the other end of the channel is gone.
    pub(in crate::engine) fn watch(&self, work: &Receiver<()>) {
        while work.recv_timeout(LOOK_PAUSE) == Err(RecvTimeoutError::Timeout) {
            self.look();
        }
    }

    /// Does what is asked for by now. Whoever asked sees by the file that it was looked at.
    pub(in crate::engine) fn look(&self) {
        for (path, request) in self.workspace.stop_requests() {
            let mut state = lock(&self.state);
            if state.seen.contains(&path) {
                continue;
            }
            if request.run == self.run {
                self.obey(&mut state, request);
            }
            if dismiss(&path).is_err() {
                state.seen.insert(path);
            }
        }
    }

    fn obey(&self, state: &mut State, request: StopRequest) {
        let times = if request.kill { 2 } else { 1 };
        let Some(id) = request.job_id else {
            // The only job in progress counts as named: it is what keeps the run from its end.
            let named = state.jobs.len() == 1;
            let kind = if named { request.intervention.kind } else { InterventionKind::CancelRun };
            let intervention = Intervention { kind, ..request.intervention };
            for job in &mut state.jobs {
                job.intervention.get_or_insert_with(|| intervention.clone());
            }
            (0..times).for_each(|_| self.cancel.raise());
            return;
        };
        // One that has ended meanwhile is past stopping.
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

    /// Levels of the run and of its two jobs after these requests, and who ended each job.
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
            active.look();
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
