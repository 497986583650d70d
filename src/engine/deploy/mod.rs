//! Deployments of green commits.
//!
//! | file | holds |
//! |---|---|
//! | `approve` | giving an approval, and what there is of them |
//! | `candidate` | which commit is meant, and whether it may be deployed |
//! | `newest` | which commit is deployed if nobody named one |
//! | `attempt` | one deployment: lock, entry, phase, entry |
//! | `build` | whether what a job built and tested is there |
//! | `rebuild` | a build that is gone, made again |
//! | `identity` | who deploys |
//! | `retire` | the end of an environment |
//! | `kept` | which builds are neither packed nor removed |
//! | `deploy_plan` | what a deployment would do |
//! | `auto_deploy` | what follows a push by itself |
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
