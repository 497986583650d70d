//! The fuzzer's targets, and a short test of them. `tests/fuzz/` has the programs of the fuzzer.
//!
//! | file | contents |
//! |---|---|
//! | `capi` | the target for the C functions |
//! | `short` | each target with some thousand inputs |
//! | `targets` | the other targets |
//!
//! `ssh_address` is the file of the program that a target needs.

#[cfg(feature = "capi")]
mod capi;
mod short;
mod targets;

#[allow(dead_code, reason = "the program uses the rest")]
#[path = "../../../../src/bin/tinyci/remote/ssh_address.rs"]
mod ssh_address;
