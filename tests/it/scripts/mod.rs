//! Pipelines in `.tinyci.rhai`.
//!
//! | file | tests |
//! |---|---|
//! | `absent` | a tinyci that was built without scripts |
//! | `api` | what functions promise beside running commands |
//! | `convert` | `tinyci convert`: the script runs the same commands as the config |
//! | `convert_conditions` | `tinyci convert` and conditions |
//! | `examples` | the scripts in `examples/` |
//! | `failures` | where the failures of a step are shown |
//! | `outcome` | how phases end: what counts, what no script can catch |
//! | `outcome_model` | the same as a model, and generated scripts that are compared with it |
//! | `plan` | `tinyci plan REV`: a run does what it says |
//! | `records` | how large a record may be, and what a script remembers |
//! | `run` | scripts in real builds |
//! | `testing` | `.tinyci.test.rhai`: tests of pipelines |
//! | `unknown` | what a plan cannot know |
//! | `untrusted` | text of others in shell commands |

#[cfg(not(feature = "rhai"))]
mod absent;
#[cfg(feature = "rhai")]
mod api;
#[cfg(feature = "rhai")]
mod convert;
#[cfg(feature = "rhai")]
mod convert_conditions;
#[cfg(feature = "rhai")]
mod examples;
#[cfg(all(feature = "cli", feature = "rhai"))]
mod failures;
#[cfg(feature = "rhai")]
mod outcome;
#[cfg(feature = "rhai")]
mod outcome_model;
#[cfg(feature = "rhai")]
mod plan;
#[cfg(all(feature = "cli", feature = "rhai"))]
mod records;
#[cfg(feature = "rhai")]
mod run;
#[cfg(feature = "rhai")]
mod testing;
#[cfg(feature = "rhai")]
mod unknown;
#[cfg(feature = "rhai")]
mod untrusted;
