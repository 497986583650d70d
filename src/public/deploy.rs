//! Deployments: requesting, planning and approving them, and their records.
//!
//! The calls are methods of an engine: [`deploy`](crate::Engine::deploy),
//! [`deploy_plan`](crate::Engine::deploy_plan), [`approve`](crate::Engine::approve),
//! [`rollback`](crate::Engine::rollback), [`deployments`](crate::Engine::deployments).
//!
//! ```no_run
//! use tinyci::{CancelToken, Engine, Event, deploy::{DeployOutcome, DeployRequest}};
//!
//! let engine = Engine::open("/srv/git/app.git")?;
//! let mut quiet = |_: &Event| {};
//! let request = DeployRequest::newest();
//! let done = engine.deploy("production", request, &CancelToken::new(), &mut quiet)?;
//! assert_eq!(done.outcome, DeployOutcome::Success);
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::model::{
    deployment::{
        Approval, ApprovalProof, ApprovalState, BuildState, DeployOutcome, DeployPlan,
        DeployRequest, Deployment, DeploymentList,
    },
    pipeline::DeployRules,
};
