//! The targets for the programs in `fuzz_targets/`.

#![allow(dead_code)]

// The C functions are in the library, and nothing else names it where they are called.
extern crate tinyci;

#[cfg(feature = "capi")]
#[path = "../../it/crash/fuzz/capi.rs"]
mod capi;
#[path = "../../it/crash/fuzz/targets.rs"]
mod targets;

mod console;
/// The program's own file that a target needs.
#[path = "../../../src/bin/tinyci/remote/ssh_address.rs"]
mod ssh_address;

/// Calls the target of this name.
pub fn run(name: &str, data: &[u8]) {
    let target = targets::TARGETS.iter().find(|(it, _)| *it == name);
    target.expect("a target of this name").1(data);
}
