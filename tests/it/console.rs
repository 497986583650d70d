//! Files of the program that a target of the fuzzer needs.

#![allow(dead_code, reason = "the program uses the rest")]

#[path = "../../src/bin/tinyci/console/exit_codes.rs"]
pub(crate) mod exit_codes;
#[path = "../../src/bin/tinyci/console/failure.rs"]
pub(crate) mod failure;
