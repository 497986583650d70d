//! Orphans: processes that lost their parent and became children of this process.
//!
//! Only a program that asks for it gets them ([`adopt_orphans`]): a host may have children of its own,
//! which nothing tells from orphans. What this module knows of is what tinyci itself has started.

use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use rustix::process::Pid;

use crate::util::lock::lock;

/// True in a program that adopts orphans.
static ADOPTS: AtomicBool = AtomicBool::new(false);

/// What this process has started.
static STARTED: Mutex<Started> =
    Mutex::new(Started { children: BTreeSet::new(), unknown: 0, commands: 0 });

#[derive(Debug)]
struct Started {
    /// Children that are not reaped yet.
    children: BTreeSet<i32>,
    /// How many are being started, or run and are not among them.
    unknown: usize,
    /// How many commands run.
    commands: usize,
}

/// Ends also those processes of a command that lost their parent, left its group and changed their
/// environment, if its deadline passes or it is canceled. Linux only.
///
/// From now on, the kernel makes this process the parent of every such process (`prctl(2)`,
/// `PR_SET_CHILD_SUBREAPER`), and tinyci reaps them. The `tinyci` program calls this. A program of
/// yours may, if tinyci alone starts processes in it.
pub fn adopt_orphans() {
    #[cfg(target_os = "linux")]
    {
        let done = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        ADOPTS.store(done.is_ok(), Ordering::SeqCst);
    }
}

pub(super) fn adopts() -> bool {
    ADOPTS.load(Ordering::SeqCst)
}

/// A child that is about to start. While this lives, no child counts as an orphan.
pub(super) struct Starting(());

/// Announces a child.
pub(super) fn starting() -> Starting {
    lock(&STARTED).unknown += 1;
    Starting(())
}

impl Starting {
    /// Makes the child known.
    pub(super) fn register(self, child: Pid) {
        lock(&STARTED).children.insert(child.as_raw_nonzero().get());
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        lock(&STARTED).unknown -= 1;
    }
}

/// Forgets a child that is about to be reaped: its number may soon be another's.
pub(super) fn forget(child: Pid) {
    lock(&STARTED).children.remove(&child.as_raw_nonzero().get());
}

/// A command that runs. While it is alone, every new orphan is its own.
pub(super) struct Running(());

/// Announces a command.
pub(super) fn running() -> Running {
    lock(&STARTED).commands += 1;
    Running(())
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&STARTED).commands -= 1;
    }
}

/// Calls `look` with a test for orphans of the only command that runs, given a child's number.
/// Meanwhile, no child starts. False for all if there are other commands or unknown children.
#[cfg(target_os = "linux")]
pub(super) fn look<T>(look: impl FnOnce(&dyn Fn(i32) -> bool) -> T) -> T {
    if !adopts() {
        return look(&|_| false);
    }
    let started = lock(&STARTED);
    let are_known = started.unknown == 0 && started.commands <= 1;
    look(&|child| are_known && !started.children.contains(&child))
}

/// Reaps orphans that have ended, unless it is unclear which these are. Nobody else would: a program
/// that runs for hours must not fill the table of processes.
#[cfg(target_os = "linux")]
pub(super) fn reap() {
    use rustix::process::{WaitId, WaitIdOptions, getpid, waitid};
    let ended = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    let any = || waitid(WaitId::All, ended | WaitIdOptions::NOWAIT);
    if !adopts() || !matches!(any(), Ok(Some(_))) {
        return;
    }
    let started = lock(&STARTED);
    if started.unknown > 0 {
        return;
    }
    let us = getpid().as_raw_nonzero().get();
    for process in super::proc_table::read().values() {
        let is_orphan = process.parent == us && !started.children.contains(&process.number);
        if let Some(child) = Pid::from_raw(process.number).filter(|_| is_orphan && !process.lives) {
            let _ = waitid(WaitId::Pid(child), ended);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn reap() {}
