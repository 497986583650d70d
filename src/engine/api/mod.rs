//! The calls of an engine, of its builder and of a checker.
//!
//! | file | contents |
//! |---|---|
//! | `artifacts` | lists and reads the files that jobs kept |
//! | `run_step` | runs single steps of a commit |
//! | `builder` | the options of an engine, before it is opened |
//! | `check` | checks configs without running them |
//! | `check_warnings` | warnings about valid but probably unintended configs |
//! | `checker` | [`Checker`](checker::Checker): configs and scripts without a repository |
//! | `definitions` | the reference of the script API |
//! | `deployments` | deployments and approvals |
//! | `folder` | the files of a directory, for scripts |
//! | `dry_run` | what a run would do |
//! | `handle` | [`Engine`](handle::Engine): opening, scanning, running, results |
//! | `intervene` | cancels jobs and skips commits |
//! | `parser` | pipelines from text that is in no commit |
//! | `retention` | packs and removes old builds |
//! | `running` | a run, with the deployments and the pruning that follow it |
//! | `status` | the state of the repository |
//! | `suites` | runs the tests of a pipeline |

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
