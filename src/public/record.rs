//! Records of jobs: the results of their steps and commands, and logs.
//!
//! [`Record`](crate::Record), [`Summary`](crate::Summary), [`Outcome`](crate::Outcome) and
//! [`Verdict`](crate::Verdict) are at the root of the crate.
//!
//! ```
//! use tinyci::{Record, record::StepRecord};
//!
//! /// Returns the step of a job that took longest.
//! fn slowest(record: &Record) -> Option<&StepRecord> {
//!     record.steps.iter().max_by_key(|step| step.duration)
//! }
//! ```

pub use crate::{
    engine::LogOptions,
    model::record::{CommandRecord, LeftOut, LeftOutBy, StepFailure, StepRecord},
    repo::{ForgetReport, MergeReport},
};
