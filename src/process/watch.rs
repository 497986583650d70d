//! Checks the deadline and the cancellation of a command on a separate thread. So both take effect
//! even if the output sink blocks or the command writes nothing.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::{
    model::{
        cancel::CancelView,
        error::{Error, ErrorKind},
        outcome::Exit,
    },
    process::{
        child::{Child, State},
        escapees::Escapees,
        orphans,
    },
};

/// The interval at which the cancellation is checked.
const TICK: Duration = Duration::from_millis(25);

/// The time limit for a killed group to end. Processes that remain then cannot be killed: they run
/// as another user, or hang in the kernel.
const KILL_TIME_MAX: Duration = Duration::from_secs(5);

/// The number of background processes that may keep the command's output open while their number
/// grows. Daemons start fewer workers, or stop starting them.
const LEFT_BEHIND_MAX: usize = 64;

/// The interval at which ended orphans are reaped, if this process adopts any.
const REAP_INTERVAL: Duration = Duration::from_secs(1);

/// A group whose size does not grow in this time has stopped growing.
const GROWTH_INTERVAL: Duration = Duration::from_millis(100);

/// The command to watch, and the conditions that end it.
pub(super) struct Watchdog<'a> {
    pub(super) child: &'a Child,
    pub(super) deadline: Option<Instant>,
    pub(super) cancel: &'a CancelView,
    /// The time between SIGTERM and SIGKILL.
    pub(super) grace: Duration,
    /// The processes that left the command's group.
    pub(super) escapees: Escapees,
    /// True if the command's output can no longer be passed on.
    pub(super) abandoned: AtomicBool,
}

impl Watchdog<'_> {
    /// Requests to kill the command, because its output can no longer be passed on.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
    }

    /// Waits until the command ends, or ends it. Returns the exit.
    pub(super) fn follow(&self) -> Result<Exit, Error> {
        let mut reaped = Instant::now();
        loop {
            if reaped.elapsed() >= REAP_INTERVAL {
                orphans::reap();
                reaped = Instant::now();
            }
            match self.child.wait(self.until_next_check()) {
                State::Ended(exit) => return Ok(exit),
                State::Lost => return Err(status_lost()),
                State::Running => {}
            }
            if let Some(reason) = self.reason_to_end() {
                self.terminate();
                self.kill();
                return Ok(reason);
            }
        }
    }

    /// Checks the background processes of an ended command while their number grows, and kills them
    /// if it grows without limit. A fork bomb outlives the command that started it, and its
    /// deadline.
    ///
    /// Returns true if it killed processes.
    pub(super) fn kill_growing_leftovers(&self) -> bool {
        let mut last_count = 0;
        loop {
            let members = self.child.group().len();
            if members > LEFT_BEHIND_MAX {
                self.kill();
                return true;
            }
            if members <= last_count {
                return false;
            }
            last_count = members;
            thread::sleep(GROWTH_INTERVAL);
        }
    }

    fn until_next_check(&self) -> Duration {
        let deadline =
            self.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        deadline.map_or(TICK, |left| left.min(TICK))
    }

    fn reason_to_end(&self) -> Option<Exit> {
        if self.cancel.is_canceled() || self.abandoned.load(Ordering::SeqCst) {
            return Some(Exit::Canceled);
        }
        let passed = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        passed.then_some(Exit::TimedOut)
    }

    /// Sends SIGTERM to the whole group and waits for the grace period. The end of the leader is
    /// not enough: a shell ends at once, while the program that it waited for still cleans up.
    fn terminate(&self) {
        if self.is_kill_requested() {
            return;
        }
        let group = self.child.group();
        // First, because a process is found by its parent, which may be about to end.
        self.escapees.look();
        group.signal(Signal::TERM);
        // A stopped process receives SIGTERM only when it continues.
        group.signal(Signal::CONT);
        self.escapees.signal(Signal::TERM);
        self.escapees.signal(Signal::CONT);
        let started = Instant::now();
        while !self.is_kill_requested() && started.elapsed() < self.grace && !self.is_gone() {
            self.pause();
        }
    }

    /// Kills the remaining members of the group and waits for their end.
    fn kill(&self) {
        let started = Instant::now();
        loop {
            // First, because a process is found by its parent, which is about to end.
            self.escapees.look();
            self.child.group().signal(Signal::KILL);
            self.escapees.signal(Signal::KILL);
            if self.is_gone() || started.elapsed() >= KILL_TIME_MAX {
                return;
            }
            self.pause();
        }
    }

    fn is_kill_requested(&self) -> bool {
        self.cancel.is_killed() || self.abandoned.load(Ordering::SeqCst)
    }

    fn is_gone(&self) -> bool {
        self.child.has_ended() && self.escapees.are_gone() && self.child.group().is_empty()
    }

    fn pause(&self) {
        if self.child.has_ended() {
            thread::sleep(TICK);
        } else {
            self.child.wait(TICK);
        }
    }
}

fn status_lost() -> Error {
    Error::new(
        ErrorKind::ChildLost,
        "cannot get the exit code of a command: other code in this process collected it, or \
         ignores SIGCHLD",
    )
}
