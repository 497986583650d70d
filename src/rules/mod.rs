//! Logic: pure decisions, without a clock, a file or a variable.
//!
//! | file | holds |
//! |---|---|
//! | `shell_text` | whether a shell text goes on after a failure |
//! | `approval_rules` | whether an approval counts |
//! | `environment` | the environment variables of a command |
//! | `glob` | patterns of paths and refs |
//! | `interpolate` | placeholders |
//! | `ledger` | the history of an environment: what is deployed |
//! | `mask` | secrets in text |
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
