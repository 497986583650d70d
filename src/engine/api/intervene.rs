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
    /// Ends the job of a commit, or a whole run, in whatever process it is, and waits until it has
    /// ended.
    ///
    /// A job that ends so runs its `after_all`, and the run goes on with the next commit. The commit
    /// has no verdict and is out of attempts: only a retry tests it again. The commits of a run that
    /// is ended as a whole are due again, unless there is just one in progress, which counts as
    /// named. A second cancel kills, as [`CancelRequest::kill`] does. A deployment is no job, and is
    /// never ended by this.
    ///
    /// The observer of a run keeps it from ending as long as it waits here: there, do not wait
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
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit, and where nothing of
    /// the kind is in progress; [`Io`](ErrorKind::Io) where this account may not ask for it;
    /// [`Busy`](ErrorKind::Busy) where the run does not see the request;
    /// [`Canceled`](ErrorKind::Canceled) where `cancel` ended the wait.
    pub fn cancel(
        &self,
        request: &CancelRequest,
        cancel: &CancelToken,
    ) -> Result<Cancellation, Error> {
        let repo = self.shared.writable_repo()?;
        let named = request.revision.as_deref().map(|it| repo.resolve(it)).transpose()?;
        let (kind, reason) = (InterventionKind::Cancel, request.reason.as_deref());
        let intervention = self.decided_by(&repo, request.by.as_ref(), kind, reason);
        let Some(active) = CancelTarget::find(&self.shared, named)? else {
            return Err(not_in_progress(&self.shared, &repo, named)?);
        };
        let view = CancelView::new(cancel, 1);
        active.cancel(&intervention, request.kill, request.wait, &view)?;
        let jobs =
            active.jobs.iter().map(|job| canceled_job(&repo, job)).collect::<Result<_, _>>()?;
        Ok(Cancellation { whole_run: named.is_none(), jobs })
    }

    /// Gives a commit the verdict `skipped`, so that it is not tested; gives back the record of it.
    /// A job of it that is in progress is ended first.
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
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit,
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a commit that has a verdict, which
    /// [`forget`](Engine::forget) takes away; [`Git`](ErrorKind::Git) where notes cannot be written;
    /// and those of [`cancel`](Engine::cancel) where a job is in progress.
    pub fn skip(&self, request: &SkipRequest, cancel: &CancelToken) -> Result<Record, Error> {
        let repo = self.shared.writable_repo()?;
        let commit = repo.commit(repo.resolve(&request.revision)?)?;
        let (kind, reason) = (InterventionKind::Skip, request.reason.as_deref());
        let intervention = self.decided_by(&repo, request.by.as_ref(), kind, reason);
        let view = CancelView::new(cancel, 1);
        refuse_if_verdict(&repo, commit.id)?;
        self.end_job_of(commit.id, &intervention, &view)?;
        let Some(record) = write_skip(&self.shared, &repo, &commit, &intervention)? else {
            refuse_if_verdict(&repo, commit.id)?;
            let message =
                format!("another process is changing the verdict of {}; try again", commit.id);
            return Err(Error::new(ErrorKind::Busy, message));
        };
        // A run may have taken it up before the word stood, which its end leaves as it is.
        self.end_job_of(commit.id, &intervention, &view)?;
        Ok(record)
    }

    fn end_job_of(
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

    /// What is decided, and by whom: whom the request names, else the engine, else git's
    /// configuration, else the account.
    fn decided_by(
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
