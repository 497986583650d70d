//! The state of a repository: active runs, pending commits, branches and environments.
//!
//! [`Engine::status`](crate::Engine::status) returns a [`Status`].
//!
//! ```no_run
//! use tinyci::{Engine, status::Status};
//!
//! let status: Status = Engine::open("/srv/git/app.git")?.status()?;
//! for branch in &status.branches {
//!     println!("{}", branch.name);
//! }
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::model::status::{
    ActiveRun, BranchStatus, EnvironmentStatus, LatestVerdict, RunningCommit, Status,
};
