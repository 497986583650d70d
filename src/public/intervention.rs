//! Canceling jobs and skipping commits, from any process.
//!
//! [`Engine::cancel`](crate::Engine::cancel) and [`Engine::skip`](crate::Engine::skip) take the
//! requests. Records contain the [`Intervention`]: its kind, its reason and the person.
//!
//! ```no_run
//! use tinyci::{CancelToken, Engine, intervention::SkipRequest};
//!
//! let engine = Engine::open("/srv/git/app.git")?;
//! let request = SkipRequest::revision("main").reason("only documentation");
//! engine.skip(&request, &CancelToken::new())?;
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::model::intervention::{
    CancelRequest, CanceledJob, Cancellation, Intervention, InterventionKind, SkipRequest,
};
