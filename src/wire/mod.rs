//! JSON: the format of records in notes, of `--json` and of the C ABI.
//!
//! Old and new versions of tinyci read each other's JSON. So each type of the model has a type
//! `*Json` here, with a fixed order of keys and a version. Absent values are omitted, and unknown
//! fields are kept. An unknown outcome is never green. Times are RFC 3339 in UTC with milliseconds,
//! durations whole milliseconds.
//!
//! | file | holds |
//! |---|---|
//! | `deployment` | deployments, their plans, approvals |
//! | `check` | errors and warnings of a config |
//! | `artifact` | files that jobs kept |
//! | `record` | records, plans and summaries |
//! | `event` | events of a run |
//! | `intervention` | people's decisions about a commit, and cancellations |
//! | `dry_run` | the actions that a job would do |
//! | `test_report` | results of pipeline tests |
//! | `request` | requests to a host, for C |
//! | `status` | settings, the state of a repository, and files that could not be removed |
//! | `state_format` | the versions of tinyci that may use the state |
//! | `unknown` | fields and versions that only a newer version knows |
//! | `value` | values of scripts |
//! | `version` | the version of the JSON |

mod artifact;
mod check;
mod deployment;
mod dry_run;
mod event;
mod intervention;
mod record;
#[cfg(feature = "capi")]
mod request;
mod state_format;
pub(in crate::wire) mod status;
mod test_report;
pub(crate) mod unknown;
mod value;
mod version;

#[cfg(feature = "capi")]
pub(crate) use self::request::{RequestBody, RequestJson};

pub(crate) use self::{
    artifact::{artifact_lines, read_artifact_lines},
    record::{Time, json},
    state_format::StateFormat,
    status::NotRemovedJson,
};

pub(crate) use self::version::VERSION;
