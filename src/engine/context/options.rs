//! [`Options`]: the options of an embedding program.

use super::{
    approval_gate::ApprovalFn, host::Hooks, registrations::Registrations, secrets::SecretFn,
};
use crate::{model::executor::Executor, repo::Given, rules::environment::Variables};
use std::sync::Arc;

/// The options of an engine, as its builder set them.
#[derive(Default)]
pub(in crate::engine) struct Options {
    /// Settings in the order in which they were set. They override those of the repository.
    pub(in crate::engine) settings: Vec<Given>,
    /// The environment that the host passed in place of the process's own.
    pub(in crate::engine) process_env: Option<Variables>,
    pub(in crate::engine) hooks: Hooks,
    pub(in crate::engine) registrations: Registrations,
    pub(in crate::engine) secrets: Option<Arc<SecretFn>>,
    pub(in crate::engine) approvals: Option<Arc<ApprovalFn>>,
    /// Name and address of the person on whose behalf the engine acts.
    pub(in crate::engine) by: Option<(String, String)>,
    pub(in crate::engine) executor: Option<Arc<dyn Executor>>,
}
