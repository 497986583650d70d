//! Every behaviour that a user can see, tried on real repositories with the real `git`.
//!
//! | directory | tests |
//! |---|---|
//! | `builds` | builds and artifacts: kept, packed, removed |
//! | `cli` | the command line, as a person types it |
//! | `console` | files of the program that `crash` needs |
//! | `crash` | killed processes, full disks, many writers |
//! | `deploy` | deployments |
//! | `embedding` | programs that embed the library |
//! | `format` | what is stored, as FORMAT.md promises it |
//! | `hostile` | damaged repositories, and what no git would write |
//! | `house` | the rules of the code that a compiler does not check |
//! | `install` | how a repository gets to use tinyci |
//! | `load` | many pushers, commits and verdicts |
//! | `push` | real pushes to a server with the git hook |
//! | `results` | verdicts and records, in one repository and several |
//! | `run` | which commits runs test, in which order, and how they end |
//! | `scarce` | limits of the machine: descriptors, processes, memory, files, clocks |
//! | `scripts` | pipelines in `.tinyci.rhai` |
//! | `steps` | what steps do, in YAML and scripts alike |
//!
//! `support` is what they share.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by a panic too"
)]

mod builds;
#[cfg(feature = "cli")]
mod cli;
#[cfg(feature = "cli")]
mod console;
#[cfg(feature = "cli")]
mod crash;
mod deploy;
mod embedding;
mod format;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod hostile;
mod house;
#[cfg(feature = "cli")]
mod install;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod load;
#[cfg(feature = "cli")]
mod push;
mod results;
mod run;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod scarce;
mod scripts;
mod steps;
mod support;
