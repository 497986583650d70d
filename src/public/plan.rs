//! What a run would do: its jobs, and the actions of their steps.
//!
//! [`Engine::plan`](crate::Engine::plan) returns a [`Plan`], and
//! [`Engine::dry_run`](crate::Engine::dry_run) returns the actions of the steps of one commit.
//! Neither runs a command.
//!
//! ```no_run
//! use tinyci::{Engine, Selection, plan::Plan};
//!
//! let plan: Plan = Engine::open("/srv/git/app.git")?.plan(&Selection::pending())?;
//! for job in &plan.jobs {
//!     println!("{} {}", job.commit.id, job.trigger.name());
//! }
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::model::{
    dry_run::{Action, Assumption, DryRun, StepDryRun},
    job::{Job, Plan, Trigger},
};
