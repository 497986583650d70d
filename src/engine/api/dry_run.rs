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
    /// Returns what a run of this commit would do, step by step, if every command passed: the
    /// commands, and the conditions that decided about them. It runs, writes and sends nothing,
    /// and calls no hook callbacks.
    ///
    /// `assume` contains the output of commands that the script reads: pairs of a glob over the
    /// command, in one line, and its output. The first matching pair counts.
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
    /// [`NotFound`](crate::ErrorKind::NotFound) for an unknown revision or a commit without a
    /// config, [`Config`](crate::ErrorKind::Config) and [`Script`](crate::ErrorKind::Script) if
    /// the config is invalid and has no valid `after_all`, [`Git`](crate::ErrorKind::Git) if the
    /// repository cannot be read.
    pub fn dry_run(&self, revision: &str, assume: &[(String, String)]) -> Result<DryRun, Error> {
        let env = self.shared.process_env();
        on_big_thread("tinyci plan", || {
            dry_run(EngineCall { shared: &self.shared, env: &env }, revision, assume)
        })
    }

    /// Returns the same for a job of a [`Plan`](crate::plan::Plan), with its tag and its trigger.
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
