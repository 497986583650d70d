//! The engine runs jobs and deployments, and reports their progress.
//!
//! Each directory imports only those above it in this table.
//!
//! | directory | contents |
//! |---|---|
//! | `context` | state and services that all directories share |
//! | `step` | the steps of a job: their contexts, requests and results |
//! | `run` | a run, from its selection to records and verdicts |
//! | `deploy` | deployments |
//! | `api` | the public calls of an engine |

mod api;
mod context;
mod deploy;
mod run;
mod step;

pub use self::{
    api::{
        builder::EngineBuilder,
        checker::Checker,
        definitions::DefinitionsFormat,
        handle::{Engine, Export},
        run_step::StepOptions,
    },
    context::{approval_gate::ApprovalCall, host::HookCall},
    run::reports::{LogOptions, RecordFilter},
};
