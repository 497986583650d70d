//! What a run would do: its jobs, and the actions of their steps.
//!
//! [`Engine::plan`](crate::Engine::plan) returns a [`Plan`], and
//! [`Engine::forecast`](crate::Engine::forecast) what the steps of one commit would do. Neither runs a
//! command.
//!
//! ```no_run
//! use tinyci::{Engine, Selection, plan::Plan};
//!
//! let plan: Plan = Engine::open("/srv/git/app.git")?.plan(&Selection::pending())?;
//! for job in &plan.jobs {
//!     println!("{} {}", job.commit.id, job.reason.name());
//! }
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::model::{
    forecast::{Act, Assumption, Forecast, StepForecast},
    job::{Job, Plan, Reason},
};
