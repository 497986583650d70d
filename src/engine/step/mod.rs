//! The steps of a job: one implementation for real runs, dry runs and pipeline tests.
//!
//! | file | contents |
//! |---|---|
//! | `context` | what a step sees: environment, placeholders, facts, deadline |
//! | `host` | the requests of a step: every check, and the masks |
//! | `end` | the results of the parts of a step |
//! | `output` | masks, labels and keeps the output of a command |
//! | `paths` | which paths stay inside the export |
//! | `files` | `exists` and `read` |
//! | `conditions` | `when` |
//! | `lookups` | facts from the repository and the machine |
//! | `real` | the effects of runs and deployments |
//! | `dry` | the effects of dry runs |
//! | `unknown` | values that a plan does not know |
//! | `walk` | [`Steps`]: runs the steps in order |
//! | `scripts` | loads and runs the scripts of a commit |
//!
//! The effects of a pipeline test are in `script/testing`.

mod conditions;
mod context;
mod dry;
mod end;
mod files;
mod host;
mod lookups;
mod output;
mod paths;
mod real;
pub(in crate::engine) mod scripts;
mod unknown;
mod walk;

pub(super) use self::{
    conditions::{
        Unmet, all_left_out, left_out_sentence, tag_condition, unmet, whole_commit_unmet,
    },
    context::{ChangeCheck, JobInfo, JobLimits, StepContext},
    dry::DryEffects,
    end::StepEnd,
    host::{Memory, StepHost},
    lookups::RepoLookups,
    real::{RealEffects, StepReporter},
};

pub(super) use self::walk::{Steps, WalkResult, left_out_of};
