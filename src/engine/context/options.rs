//! [`Options`]: what an embedding program set.

use super::{approval_gate::ApprovalFn, host::Hooks, secrets::SecretFn};
use crate::{
    model::{
        error::Error,
        executor::{EnvChange, Executor},
        function::HostFunction,
    },
    repo::Given,
    rules::{environment::Variables, interpolate::Vars},
};
use std::sync::Arc;

/// What was set, and what was not.
#[derive(Default)]
pub(in crate::engine) struct Options {
    /// In the order in which they were set, over what the repository has.
    pub(in crate::engine) settings: Vec<Given>,
    pub(in crate::engine) env: Vec<EnvChange>,
    /// What stands for the process's environment, where the host gave it.
    pub(in crate::engine) process_env: Option<Variables>,
    pub(in crate::engine) vars: Vars,
    pub(in crate::engine) hooks: Hooks,
    pub(in crate::engine) functions: Vec<HostFunction>,
    pub(in crate::engine) secrets: Option<Arc<SecretFn>>,
    pub(in crate::engine) approvals: Option<Arc<ApprovalFn>>,
    /// Who acts, by name and address.
    pub(in crate::engine) by: Option<(String, String)>,
    pub(in crate::engine) executor: Option<Arc<dyn Executor>>,
    /// The first mistake, reported when the engine is opened.
    pub(in crate::engine) mistake: Option<Error>,
}
