//! Deployments.
//!
//! | file | tests |
//! |---|---|
//! | `approvers` | which approvals count |
//! | `build` | only a build that was tested is deployed |
//! | `choice` | which commit is deployed if none is named |
//! | `cli` | `deploy`, `rollback`, `approve` and `deploys` |
//! | `engine` | deployments through the library |
//! | `examples` | the examples that deploy |
//! | `exchange` | two clones and a server that deploy and fetch at the same time |
//! | `kill` | `kill -9` at every point of a deployment |
//! | `push` | deployments by pushes to a server |
//! | `signed` | commits that need a signature |

#[cfg(feature = "cli")]
mod approvers;
#[cfg(feature = "cli")]
mod build;
#[cfg(feature = "cli")]
mod choice;
#[cfg(feature = "cli")]
mod cli;
mod engine;
#[cfg(feature = "cli")]
mod examples;
#[cfg(feature = "cli")]
mod exchange;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod kill;
#[cfg(feature = "cli")]
mod push;
#[cfg(feature = "cli")]
mod signed;
