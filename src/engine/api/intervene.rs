//! [`Engine::cancel`] and [`Engine::skip`].

use super::handle::Engine;
use crate::{
    engine::{
        deploy::Identity,
        run::interventions::{
            CancelTarget, canceled_job, not_in_progress, refuse_if_verdict, write_skip,
        },
    },
    model::{
        cancel::{CancelToken, CancelView},
        commit::CommitId,
        error::{Error, ErrorKind},
        intervention::{CancelRequest, Cancellation, Intervention, InterventionKind, SkipRequest},
        record::Record,
        selection::Wait,
    },
    process::{account_name, own_account},
    repo::Repo,
};

impl Engine {
    /// Cancels the job of a commit, or a whole run, in this or another process, and waits until it
    /// has ended.
    ///
    /// A canceled job runs its `after_all`, and the run continues with the next commit. The commit
    /// has no verdict and is out of attempts, so only a retry tests it again. If the whole run is
    /// canceled, its commits stay pending. If it has only one active job, that job counts as
    /// named. A second cancel kills, as [`CancelRequest::kill`] does. Deployments are not jobs and
    /// are never canceled by this.
    ///
    /// The run cannot end while its own observer waits in this call. Do not wait there
    /// ([`CancelRequest::wait`]).
    ///
    /// ```no_run
    /// use tinyci::{CancelToken, Engine, intervention::CancelRequest};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let request = CancelRequest::revision("topic").reason("its test hangs");
    /// for job in engine.cancel(&request, &CancelToken::new())?.jobs {
    ///     println!("{}: {:?}", job.commit, job.outcome);
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision, and if no such job or run is
    /// active; [`Io`](ErrorKind::Io) if this account may not request it; [`Busy`](ErrorKind::Busy)
    /// if the run does not see the request; [`Canceled`](ErrorKind::Canceled) if `cancel` ended
    /// the wait.
    pub fn cancel(
        &self,
        request: &CancelRequest,
        cancel: &CancelToken,
    ) -> Result<Cancellation, Error> {
        let repo = self.shared.writable_repo()?;
        let named = request.revision.as_deref().map(|it| repo.resolve(it)).transpose()?;
        let (kind, reason) = (InterventionKind::Cancel, request.reason.as_deref());
        let intervention = self.intervention_by(&repo, request.by.as_ref(), kind, reason);
        let Some(active) = CancelTarget::find(&self.shared, named)? else {
            return Err(not_in_progress(&self.shared, &repo, named)?);
        };
        let view = CancelView::new(cancel, 1);
        active.cancel(&intervention, request.kill, request.wait, &view)?;
        let jobs =
            active.jobs.iter().map(|job| canceled_job(&repo, job)).collect::<Result<_, _>>()?;
        Ok(Cancellation { whole_run: named.is_none(), jobs })
    }

    /// Gives a commit the verdict `skipped`, so that it is not tested, and returns its record. An
    /// active job of the commit is canceled first.
    ///
    /// ```no_run
    /// use tinyci::{CancelToken, Engine, intervention::SkipRequest};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// engine.skip(&SkipRequest::revision("topic").reason("only notes"), &CancelToken::new())?;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a commit with a verdict, which
    /// [`forget`](Engine::forget) deletes; [`Git`](ErrorKind::Git) if notes cannot be written; and
    /// those of [`cancel`](Engine::cancel) if a job is active.
    pub fn skip(&self, request: &SkipRequest, cancel: &CancelToken) -> Result<Record, Error> {
        let repo = self.shared.writable_repo()?;
        let commit = repo.commit(repo.resolve(&request.revision)?)?;
        let (kind, reason) = (InterventionKind::Skip, request.reason.as_deref());
        let intervention = self.intervention_by(&repo, request.by.as_ref(), kind, reason);
        let view = CancelView::new(cancel, 1);
        refuse_if_verdict(&repo, commit.id)?;
        self.cancel_job_of(commit.id, &intervention, &view)?;
        let Some(record) = write_skip(&self.shared, &repo, &commit, &intervention)? else {
            refuse_if_verdict(&repo, commit.id)?;
            let message =
                format!("another process is changing the verdict of {}; try again", commit.id);
            return Err(Error::new(ErrorKind::Busy, message));
        };
        // A run may have started the job before the verdict was written. Its end does not change
        // the verdict.
        self.cancel_job_of(commit.id, &intervention, &view)?;
        Ok(record)
    }

    fn cancel_job_of(
        &self,
        id: CommitId,
        intervention: &Intervention,
        cancel: &CancelView,
    ) -> Result<(), Error> {
        match CancelTarget::find(&self.shared, Some(id))? {
            Some(active) => active.cancel(intervention, false, Wait::Forever, cancel),
            None => Ok(()),
        }
    }

    /// Returns the intervention. Its author is the person in the request, else the engine's, else
    /// git's, else the account.
    fn intervention_by(
        &self,
        repo: &Repo,
        named: Option<&(String, String)>,
        kind: InterventionKind,
        reason: Option<&str>,
    ) -> Intervention {
        let env = self.shared.process_env();
        let by = Identity::of(&self.shared, repo, named, &env).to_string();
        let account = account_name(own_account(), &env.passed);
        Intervention::new(kind, &by, reason).with_account(Some(&account))
    }
}
