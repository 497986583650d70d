//! The engine runs jobs and deployments, and reports their progress.
//!
//! Each directory imports only those above it in this table.
//!
//! | file | holds |
//! |---|---|
//! | `context` | what all of the engine shares |
//! | `step` | the steps of a job: what each sees, may do and comes to |
//! | `run` | a run: from what was asked for to records and verdicts |
//! | `deploy` | deployments |
//! | `api` | the calls of an engine |

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
