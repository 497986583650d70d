//! Finds and ends processes that left the group of their command, for example with `setsid`.
//!
//! On Linux, such a process has one of three signs: it descends from the command, it has the command's
//! mark in its environment, or it is an orphan that this process adopted. Each is opened (`pidfd_open`)
//! before it is checked, so that no signal reaches another process that got the same pid.

#[cfg(target_os = "linux")]
pub(super) use self::linux::Escapees;
#[cfg(not(target_os = "linux"))]
pub(super) use self::nowhere::Escapees;

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        collections::{BTreeMap, BTreeSet},
        os::fd::OwnedFd,
        sync::Mutex,
    };

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal},
    };

    use crate::{
        process::{group::Group, guard, orphans, proc_table},
        util::lock::lock,
    };

    /// The processes that a command started and that left its group.
    pub(in crate::process) struct Escapees {
        leader: i32,
        /// The time when the command started, as in [`proc_table::Process::started`].
        started: Option<u64>,
        /// The variable that marks the command's processes.
        variable: String,
        found: Mutex<BTreeMap<i32, OwnedFd>>,
    }

    impl Escapees {
        pub(in crate::process) fn of(group: Group, mark: &str) -> Self {
            let leader = group.number();
            let started = proc_table::of(leader).map(|process| process.started);
            let variable = format!("{}={mark}", guard::VARIABLE);
            Self { leader, started, variable, found: Mutex::default() }
        }

        /// Searches for processes that are not known yet.
        pub(in crate::process) fn look(&self) {
            orphans::look(|is_orphan| {
                let all = proc_table::read();
                let (own, mut met) =
                    (getpid().as_raw_nonzero().get(), BTreeSet::from([self.leader]));
                let is_new_orphan = |process: &proc_table::Process| {
                    let is_younger = self.started.is_some_and(|began| process.started >= began);
                    process.parent == own && is_younger && is_orphan(process.number)
                };
                // Repeat, because a process may be listed before its parent.
                loop {
                    let before = met.len();
                    for process in all.values().filter(|process| process.number != own) {
                        if met.contains(&process.parent) || is_new_orphan(process) {
                            met.insert(process.number);
                        }
                    }
                    if met.len() == before {
                        break;
                    }
                }
                for process in all.values().filter(|it| it.lives && it.number != own) {
                    self.open(process, met.contains(&process.number));
                }
            });
        }

        /// Opens and keeps a process if it belongs to the command.
        fn open(&self, process: &proc_table::Process, is_met: bool) {
            let number = process.number;
            let is_known = lock(&self.found).contains_key(&number) || number == self.leader;
            if is_known || !(is_met || proc_table::has_variable(number, &self.variable)) {
                return;
            }
            let opened = Pid::from_raw(number).map(|pid| pidfd_open(pid, PidfdFlags::empty()));
            let Some(Ok(opened)) = opened else { return };
            // Another process may have got the pid before it was opened.
            if proc_table::of(number).is_some_and(|now| now.started == process.started) {
                lock(&self.found).insert(number, opened);
            }
        }

        /// Sends a signal to the processes found so far.
        pub(in crate::process) fn signal(&self, signal: Signal) {
            for process in lock(&self.found).values() {
                // This fails if the process has ended or belongs to another user.
                let _ = pidfd_send_signal(process, signal);
            }
        }

        /// Returns true if all processes found so far have ended.
        pub(in crate::process) fn are_gone(&self) -> bool {
            let mut found = lock(&self.found);
            found.retain(|_, process| {
                let ended =
                    poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&Timespec::default()));
                !matches!(ended, Ok(1))
            });
            found.is_empty()
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod nowhere {
    use rustix::process::Signal;

    use crate::process::group::Group;

    /// Does nothing: these systems do not show which processes a command started.
    pub(in crate::process) struct Escapees;

    impl Escapees {
        pub(in crate::process) fn of(_: Group, _: &str) -> Self {
            Self
        }

        pub(in crate::process) fn look(&self) {}

        pub(in crate::process) fn signal(&self, _: Signal) {}

        pub(in crate::process) fn are_gone(&self) -> bool {
            true
        }
    }
}
