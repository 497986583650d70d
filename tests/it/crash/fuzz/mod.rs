//! The fuzzer's targets, and a short test of each. The programs of the fuzzer are in `tests/fuzz/`.
//!
//! | file | contents |
//! |---|---|
//! | `capi` | the target for the C functions |
//! | `short` | runs each target with some thousands of inputs |
//! | `targets` | the other targets |
//!
//! `ssh_address` is the program's own file, because a target calls it.

#[cfg(feature = "capi")]
mod capi;
mod short;
mod targets;

#[allow(dead_code, reason = "the program uses the rest")]
#[path = "../../../../src/bin/tinyci/remote/ssh_address.rs"]
mod ssh_address;
