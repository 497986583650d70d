//! [`Engine::dry_run`]: what a run would do.

use super::handle::Engine;
use crate::{
    engine::{
        context::{engine_call::EngineCall, threads::on_big_thread},
        run::dry_run::{dry_run, dry_run_job},
    },
    model::{dry_run::DryRun, error::Error, job::Job},
};

impl Engine {
    /// What a run of this commit would do, step by step, if every command passed: which commands,
    /// and the questions about the commit that decided. Nothing is run, written or sent, and hooks
    /// of the embedding program are not called.
    ///
    /// `assume` gives the output of commands that the script asks for: a glob over the command, in
    /// one line, and the text; the first that matches holds.
    ///
    /// ```no_run
    /// use tinyci::Engine;
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let dry_run = engine.dry_run("main", &[("git describe*".into(), "v1.2".into())])?;
    /// for step in &dry_run.steps {
    ///     println!("{}", step.name);
    ///     step.actions.iter().for_each(|act| println!("  {act}"));
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](crate::ErrorKind::NotFound) for a revision that names no commit or one without a
    /// config, [`Config`](crate::ErrorKind::Config) and [`Script`](crate::ErrorKind::Script) where that is not
    /// valid and has no `after_all` that would run all the same, [`Git`](crate::ErrorKind::Git) where the repository cannot be read.
    pub fn dry_run(&self, revision: &str, assume: &[(String, String)]) -> Result<DryRun, Error> {
        let env = self.shared.process_env();
        on_big_thread("tinyci plan", || {
            dry_run(EngineCall { shared: &self.shared, env: &env }, revision, assume)
        })
    }

    /// The same for a job of a [`Plan`](crate::plan::Plan): for the tag that it is tested for, and as a
    /// retry if it is one.
    ///
    /// # Errors
    ///
    /// As [`dry_run`](Engine::dry_run).
    pub fn dry_run_job(&self, job: &Job, assume: &[(String, String)]) -> Result<DryRun, Error> {
        let (shared, env) = (&self.shared, self.shared.process_env());
        on_big_thread("tinyci plan", || {
            dry_run_job(EngineCall { shared, env: &env }, &shared.repo()?, job, assume)
        })
    }
}
