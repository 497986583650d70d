//! A command's deadline and its cancel, looked at on a thread of their own: they hold while the
//! sink of its output blocks, and while it writes nothing at all.

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

/// How often the cancel is looked at.
const TICK: Duration = Duration::from_millis(25);

/// How long a killed group may take to go. What is left then can't be killed: it runs as another
/// user, or hangs in the kernel.
const KILL_TIME_MAX: Duration = Duration::from_secs(5);

/// How many processes a command may leave behind that still hold its output, while they become
/// more and more. Daemons start fewer workers, or stop starting them.
const LEFT_BEHIND_MAX: usize = 64;

/// How often orphans that have ended are reaped, if this process adopts any.
const REAP_INTERVAL: Duration = Duration::from_secs(1);

/// Whoever has not grown for this long has stopped growing.
const GROWTH_INTERVAL: Duration = Duration::from_millis(100);

/// What is watched, and for what.
pub(super) struct Watchdog<'a> {
    pub(super) child: &'a Child,
    pub(super) deadline: Option<Instant>,
    pub(super) cancel: &'a CancelView,
    /// How long the command has between TERM and KILL.
    pub(super) grace: Duration,
    /// What left the command's group.
    pub(super) escapees: Escapees,
    /// Nobody takes the command's output any more.
    pub(super) abandoned: AtomicBool,
}

impl Watchdog<'_> {
    /// Has the command killed: there is nobody left to run it for.
    pub(super) fn abandon(&self) {
        self.abandoned.store(true, Ordering::SeqCst);
    }

    /// Stays until the command has ended, or has been ended: how.
    pub(super) fn follow(&self) -> Result<Exit, Error> {
        let mut reaped = Instant::now();
        loop {
            if reaped.elapsed() >= REAP_INTERVAL {
                orphans::reap();
                reaped = Instant::now();
            }
            match self.child.wait(self.until_next_look()) {
                State::Ended(exit) => return Ok(exit),
                State::Lost => return Err(lost()),
                State::Running => {}
            }
            if let Some(reason) = self.reason_to_end() {
                self.terminate();
                self.kill();
                return Ok(reason);
            }
        }
    }

    /// Looks at what an ended command left behind for as long as it grows, and kills what grows
    /// without bound: a fork bomb outlives the command that set it off, and with it any deadline.
    /// Whether there was one.
    pub(super) fn defuse(&self) -> bool {
        let mut known = 0;
        loop {
            let members = self.child.group().len();
            if members > LEFT_BEHIND_MAX {
                self.kill();
                return true;
            }
            if members <= known {
                return false;
            }
            known = members;
            thread::sleep(GROWTH_INTERVAL);
        }
    }

    fn until_next_look(&self) -> Duration {
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

    /// Asks the whole group to end, and gives it its grace. That the leader dies of it is not
    /// enough: a shell does at once, while the program that it waited for still cleans up.
    fn terminate(&self) {
        if self.is_kill_requested() {
            return;
        }
        let group = self.child.group();
        // Before the parents die by which they are known.
        self.escapees.look();
        group.signal(Signal::TERM);
        // A stopped process hears of it only when it goes on.
        group.signal(Signal::CONT);
        self.escapees.signal(Signal::TERM);
        self.escapees.signal(Signal::CONT);
        let begun = Instant::now();
        while !self.is_kill_requested() && begun.elapsed() < self.grace && !self.is_gone() {
            self.pause();
        }
    }

    /// Kills whoever is left in the group, and sees them go.
    fn kill(&self) {
        let begun = Instant::now();
        loop {
            // First, while those that are about to lose their parent can be told by it.
            self.escapees.look();
            self.child.group().signal(Signal::KILL);
            self.escapees.signal(Signal::KILL);
            if self.is_gone() || begun.elapsed() >= KILL_TIME_MAX {
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

fn lost() -> Error {
    Error::new(
        ErrorKind::ChildLost,
        "cannot get the exit code of a command: other code in this process collected it, or \
         ignores SIGCHLD",
    )
}
