//! State and services that the whole engine shares. This module imports no other module of the
//! engine.
//!
//! | file | contents |
//! |---|---|
//! | `approval_gate` | decides whether a deployment has its approval |
//! | `approvals` | which approvals count on this server, and why others do not |
//! | `commit_signatures` | which commits need a signature, and who signed one |
//! | `git_version` | the version of git on this machine |
//! | `engine_call` | one call of an engine |
//! | `host` | calls to the embedding program: hooks, commands |
//! | `job_reporter` | reports the progress of a job to its log and the observer |
//! | `options` | the options of an embedding program |
//! | `process_env` | the environment of the calling process, read once per call |
//! | `pump` | delivers events from the workers to the observer, in order |
//! | `registrations` | what a program registers for scripts, to run them or to check them |
//! | `secrets` | where secrets come from, and which commits may have them |
//! | `shared` | the state that all clones of an engine share |
//! | `signatures` | ssh signatures of approvals |
//! | `threads` | threads with a large stack |

pub(in crate::engine) mod approval_gate;
pub(in crate::engine) mod approvals;
pub(in crate::engine) mod commit_signatures;
pub(in crate::engine) mod engine_call;
pub(in crate::engine) mod git_version;
pub(in crate::engine) mod host;
pub(in crate::engine) mod job_reporter;
pub(in crate::engine) mod options;
pub(in crate::engine) mod process_env;
pub(in crate::engine) mod pump;
pub(in crate::engine) mod registrations;
pub(in crate::engine) mod secrets;
pub(in crate::engine) mod shared;
pub(crate) mod signatures;
pub(in crate::engine) mod threads;
