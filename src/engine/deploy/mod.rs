//! Deployments of green commits.
//!
//! | file | contents |
//! |---|---|
//! | `approve` | gives approvals, and finds those of a plan |
//! | `candidate` | the commit to deploy, and the checks whether it may be deployed |
//! | `newest` | chooses the commit if the caller names none |
//! | `attempt` | one deployment: lock, first entry, phase, last entry |
//! | `build` | finds the build to deploy |
//! | `rebuild` | makes a missing build again |
//! | `identity` | the person who deploys |
//! | `retire` | retires an environment |
//! | `kept` | the builds that are neither packed nor removed |
//! | `deploy_plan` | plans of deployments |
//! | `auto_deploy` | automatic deployments after a push |
//!
//! The rules for an environment's history are in `ledger`; `repo` stores the history.

pub(in crate::engine) mod approve;
pub(in crate::engine) mod attempt;
pub(in crate::engine) mod auto_deploy;
pub(in crate::engine) mod build;
pub(in crate::engine) mod candidate;
mod deploy_plan;
pub(in crate::engine) mod identity;
pub(in crate::engine) mod kept;
pub(in crate::engine) mod newest;
mod rebuild;
pub(in crate::engine) mod retire;

pub(super) use self::identity::Identity;

pub(super) use self::deploy_plan::next;
pub(in crate::engine) use self::deploy_plan::{PlanParts, check_environment, dry_run, plan};
