//! Counts system calls, because times vary.

use std::{path::Path, process::Command};

use crate::support::{program::like, succeed};

/// Returns true if system calls can be counted. Otherwise says why not.
pub(super) fn can_count() -> bool {
    let found = Command::new("strace").arg("--version").output().is_ok();
    if !found {
        eprintln!("skipped: strace is not installed");
    }
    found
}

/// Runs a command and returns its number of system calls, with those of all processes that it starts.
/// `table` is a path for the counts.
pub(super) fn counted(plain: &Command, table: &Path) -> u64 {
    let mut strace = like(plain, "strace");
    strace.args(["-f", "-c", "-o"]).arg(table).arg(plain.get_program()).args(plain.get_args());
    succeed("strace", &strace.output().unwrap());
    let table = std::fs::read_to_string(table).unwrap();
    let total = table.lines().find(|line| line.ends_with(" total")).unwrap();
    total.split_whitespace().nth(3).unwrap().parse().unwrap()
}
