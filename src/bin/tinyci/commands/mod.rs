//! The commands. Each file has the options of a command, and `execute`.
//!
//! | file | contents |
//! |---|---|
//! | `approve` | `tinyci approve` |
//! | `artifacts` | `tinyci artifacts` |
//! | `cancel` | `tinyci cancel` |
//! | `check` | `tinyci check` |
//! | `compact` | `tinyci compact` |
//! | `completions` | `tinyci completions` |
//! | `convert` | `tinyci convert` |
//! | `defs` | `tinyci defs` |
//! | `deploy` | `tinyci deploy` |
//! | `deployments` | `tinyci deployments` |
//! | `export` | `tinyci export` |
//! | `format` | the placeholders of `results --format` |
//! | `install` | `tinyci install` |
//! | `log` | `tinyci log` |
//! | `plan` | `tinyci plan` |
//! | `prune` | `tinyci prune` |
//! | `results` | `tinyci results` |
//! | `rollback` | `tinyci rollback` |
//! | `run` | `tinyci run` |
//! | `run_step` | `tinyci run-step` |
//! | `settings` | `tinyci settings` |
//! | `setup_remote` | `tinyci setup-remote` |
//! | `skip` | `tinyci skip` |
//! | `status` | `tinyci status` |
//! | `test_pipeline` | `tinyci test-pipeline` |
//! | `uninstall` | `tinyci uninstall` |
//! | `version` | `tinyci version` |

pub(crate) mod approve;
pub(crate) mod artifacts;
pub(crate) mod cancel;
pub(crate) mod check;
pub(crate) mod compact;
pub(crate) mod completions;
pub(crate) mod convert;
pub(crate) mod defs;
pub(crate) mod deploy;
pub(crate) mod deployments;
pub(crate) mod export;
pub(crate) mod format;
pub(crate) mod install;
pub(crate) mod log;
pub(crate) mod plan;
pub(crate) mod prune;
pub(crate) mod results;
pub(crate) mod rollback;
pub(crate) mod run;
pub(crate) mod run_step;
pub(crate) mod settings;
pub(crate) mod setup_remote;
pub(crate) mod skip;
pub(crate) mod status;
pub(crate) mod test_pipeline;
pub(crate) mod uninstall;
pub(crate) mod version;
