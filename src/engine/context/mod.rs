//! What all of the engine shares. Nothing here imports another module of the engine.
//!
//! | file | holds |
//! |---|---|
//! | `approval_gate` | where a deployment asks whether a person approved |
//! | `approvals` | which approvals count here, and why others do not |
//! | `git_version` | which git this machine has |
//! | `engine_call` | one call of an engine |
//! | `host` | what the embedding program answers: hooks, commands |
//! | `job_reporter` | what happens to one commit, told to its log and the observer |
//! | `options` | what an embedding program set |
//! | `partial_clone` | results that a partial clone has not fetched |
//! | `process_env` | the environment of the process that makes a call, read once on its thread |
//! | `pump` | events from the workers to the observer, in order |
//! | `registrations` | what a program registers for scripts, to run them or to check them |
//! | `secrets` | where secrets come from, and which commits may have them |
//! | `shared` | what all clones of an engine have in common |
//! | `signatures` | whose key signed |
//! | `threads` | threads that scripts and deep trees fit on |

pub(in crate::engine) mod approval_gate;
pub(in crate::engine) mod approvals;
pub(in crate::engine) mod engine_call;
pub(in crate::engine) mod git_version;
pub(in crate::engine) mod host;
pub(in crate::engine) mod job_reporter;
pub(in crate::engine) mod options;
pub(in crate::engine) mod partial_clone;
pub(in crate::engine) mod process_env;
pub(in crate::engine) mod pump;
pub(in crate::engine) mod registrations;
pub(in crate::engine) mod secrets;
pub(in crate::engine) mod shared;
pub(crate) mod signatures;
pub(in crate::engine) mod threads;
