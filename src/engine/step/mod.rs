//! The steps of a job: one implementation for real runs, dry runs and pipeline tests.
//!
//! | file | holds |
//! |---|---|
//! | `context` | what a step sees: environment, placeholders, facts, deadline |
//! | `host` | what a step may do: every check, and the masks |
//! | `end` | how the parts of a step end |
//! | `output` | a command's output on its way out |
//! | `paths` | which paths stay in the export |
//! | `files` | what `exists` and `read` say of the commit's files |
//! | `conditions` | `when` |
//! | `lookups` | what the repository says of the commit |
//! | `real` | what acts in a run and in a deployment |
//! | `dry` | what stands in its place in a plan |
//! | `unknown` | what a plan does not know |
//! | `walk` | [`Steps`]: the one walk over the steps |
//! | `scripts` | scripts of a commit, loaded and run |
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
