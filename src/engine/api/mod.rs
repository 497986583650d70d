//! The calls of an engine, of its builder and of a checker.
//!
//! | file | holds |
//! |---|---|
//! | `artifacts` | files that jobs kept, listed and read |
//! | `run_step` | steps of one commit by hand |
//! | `builder` | what a program sets before it opens an engine |
//! | `check` | what is wrong with a config, found without running it |
//! | `check_warnings` | what is valid and perhaps not meant |
//! | `checker` | [`Checker`](checker::Checker): configs and scripts without a repository |
//! | `definitions` | the reference of what scripts can use |
//! | `deployments` | deployments, approvals, what is deployed |
//! | `folder` | the files of a directory, for scripts |
//! | `dry_run` | what a run would do |
//! | `handle` | [`Engine`](handle::Engine): opening, scanning, running, results |
//! | `intervene` | canceling and skipping |
//! | `parser` | pipelines from text that is in no commit |
//! | `retention` | old builds packed and removed |
//! | `running` | a run, and what follows it |
//! | `status` | how the repository is doing |
//! | `suites` | the tests of a pipeline |

pub(in crate::engine) mod artifacts;
pub(in crate::engine) mod builder;
pub(in crate::engine) mod check;
pub(in crate::engine) mod check_warnings;
pub(in crate::engine) mod checker;
pub(in crate::engine) mod definitions;
pub(in crate::engine) mod deployments;
pub(in crate::engine) mod dry_run;
pub(in crate::engine) mod folder;
pub(in crate::engine) mod handle;
pub(in crate::engine) mod intervene;
pub(in crate::engine) mod parser;
pub(in crate::engine) mod retention;
pub(in crate::engine) mod run_step;
pub(in crate::engine) mod running;
pub(in crate::engine) mod status;
pub(in crate::engine) mod suites;
