//! [`Options`]: what an embedding program set.

use super::{
    approval_gate::ApprovalFn, host::Hooks, registrations::Registrations, secrets::SecretFn,
};
use crate::{model::executor::Executor, repo::Given, rules::environment::Variables};
use std::sync::Arc;

/// What was set, and what was not.
#[derive(Default)]
pub(in crate::engine) struct Options {
    /// In the order in which they were set, over what the repository has.
    pub(in crate::engine) settings: Vec<Given>,
    /// What stands for the process's environment, where the host gave it.
    pub(in crate::engine) process_env: Option<Variables>,
    pub(in crate::engine) hooks: Hooks,
    pub(in crate::engine) registrations: Registrations,
    pub(in crate::engine) secrets: Option<Arc<SecretFn>>,
    pub(in crate::engine) approvals: Option<Arc<ApprovalFn>>,
    /// Who acts, by name and address.
    pub(in crate::engine) by: Option<(String, String)>,
    pub(in crate::engine) executor: Option<Arc<dyn Executor>>,
}
