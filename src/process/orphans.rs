//! Tracks orphans: processes that lost their parent and became children of this process.
//!
//! A program gets orphans only if it calls [`adopt_orphans`], because a host may have children of its
//! own, which cannot be distinguished from orphans. This module tracks the processes that tinyci itself
//! starts.

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

/// The processes that tinyci started.
static STARTED: Mutex<Started> =
    Mutex::new(Started { children: BTreeSet::new(), unknown: 0, commands: 0 });

#[derive(Debug)]
struct Started {
    /// Children that are not reaped yet.
    children: BTreeSet<i32>,
    /// The number of children that are about to start, or run without being in `children`.
    unknown: usize,
    /// The number of running commands.
    commands: usize,
}

/// Makes tinyci also end orphans of a command that left its group and changed their environment. It
/// ends them if the command's deadline passes or it is canceled. Linux only.
///
/// From now on, the kernel makes this process the parent of every such process (`prctl(2)`,
/// `PR_SET_CHILD_SUBREAPER`), and tinyci reaps them. The `tinyci` program calls this. Your program may
/// call it if only tinyci starts processes in it.
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

/// A child that is about to start, or is not registered. While this value exists, no child counts as an
/// orphan.
pub(super) struct Starting(());

/// Announces a child.
pub(super) fn starting() -> Starting {
    lock(&STARTED).unknown += 1;
    Starting(())
}

impl Starting {
    /// Records the pid of the child.
    pub(super) fn register(self, child: Pid) {
        lock(&STARTED).children.insert(child.as_raw_nonzero().get());
    }
}

impl Drop for Starting {
    fn drop(&mut self) {
        lock(&STARTED).unknown -= 1;
    }
}

/// Removes a child that is about to be reaped, because another process may soon get its pid.
pub(super) fn forget(child: Pid) {
    lock(&STARTED).children.remove(&child.as_raw_nonzero().get());
}

/// A running command. While it is the only one, every new orphan belongs to it.
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

/// Calls `look` with a function that takes a child's pid and returns true if the child is an orphan of
/// the only running command. It returns false for every child if other commands run or some child is
/// not registered. No child can start during the call.
#[cfg(target_os = "linux")]
pub(super) fn look<T>(look: impl FnOnce(&dyn Fn(i32) -> bool) -> T) -> T {
    if !adopts() {
        return look(&|_| false);
    }
    let started = lock(&STARTED);
    let are_known = started.unknown == 0 && started.commands <= 1;
    look(&|child| are_known && !started.children.contains(&child))
}

/// Reaps orphans that have ended, unless some child is not registered, because it could be mistaken for
/// an orphan. Without this, a program that runs for hours would fill the process table.
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
