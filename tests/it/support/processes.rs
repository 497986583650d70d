//! Processes that a test did not start itself: found, and told whether they live.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// A living process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    /// Its arguments, with blanks between them.
    pub(crate) command: String,
}

/// All processes that live; zombies do not.
pub(crate) fn processes() -> Vec<Process> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries.filter_map(|entry| read(entry.file_name().to_str()?.parse().ok()?)).collect()
}

fn read(pid: i32) -> Option<Process> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    let (state, parent) = (fields.next()?, fields.next()?.parse().ok()?);
    let command = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let command = String::from_utf8_lossy(&command).replace('\0', " ");
    (state != "Z" && state != "X").then_some(Process { pid, parent, command })
}

/// Those whose command line holds this text.
pub(crate) fn with_command(text: &str) -> Vec<Process> {
    processes().into_iter().filter(|process| process.command.contains(text)).collect()
}

/// Those that a process started, and those that they started.
pub(crate) fn below(pid: i32) -> Vec<Process> {
    let all = processes();
    let mut found: Vec<Process> = Vec::new();
    let mut parents = vec![pid];
    while let Some(parent) = parents.pop() {
        for process in all.iter().filter(|process| process.parent == parent) {
            parents.push(process.pid);
            found.push(process.clone());
        }
    }
    found
}

/// Sends a signal, to whom it still meets.
pub(crate) fn send(pid: i32, signal: Signal) {
    let _ = kill_process(Pid::from_raw(pid).unwrap(), signal);
}
