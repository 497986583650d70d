//! JSON: how a record is kept in a note, and what programs get from `--json` and the C ABI.
//!
//! Readers outlive writers: each form is a mirror of its word with a fixed order of keys and a
//! version, absent values are left out, and unknown fields are kept. Nothing unknown
//! is ever green. Times are RFC 3339 in UTC with milliseconds, durations whole milliseconds.
//!
//! | file | holds |
//! |---|---|
//! | `deployment` | deployments, plans of them, approvals |
//! | `check` | what is wrong with a config |
//! | `artifact` | what jobs kept |
//! | `record` | records, plans and summaries |
//! | `event` | events of a run |
//! | `intervention` | what somebody decided about a commit, and what came of a cancel |
//! | `dry_run` | what running a commit would do |
//! | `test_report` | what tests of a pipeline came to |
//! | `request` | requests to a host, for C |
//! | `status` | settings, how the repository is doing, and what housekeeping passed over |
//! | `state_format` | which versions of tinyci may use the state |
//! | `unknown` | what only a newer version knows |
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
