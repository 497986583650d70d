//! Logic: pure decisions. They use no clock, files or environment variables.
//!
//! | file | contents |
//! |---|---|
//! | `shell_text` | whether a shell script continues after a failure |
//! | `approval_rules` | whether an approval counts |
//! | `environment` | the environment variables of a command |
//! | `glob` | patterns of paths and refs |
//! | `interpolate` | placeholders |
//! | `ledger` | the history of an environment: what is deployed |
//! | `mask` | masking secrets in text |
//! | `plan` | which commits a run tests, in which order |
//! | `retention` | which builds are packed or removed |
//! | `retest` | whether a skipped commit is tested again |
//! | `run` | the order of the steps of a job |

pub(crate) mod approval_rules;
pub(crate) mod environment;
pub(crate) mod glob;
pub(crate) mod interpolate;
pub(crate) mod ledger;
pub(crate) mod mask;
pub(crate) mod plan;
pub(crate) mod retention;
pub(crate) mod retest;
pub(crate) mod run;
pub(crate) mod shell_text;
