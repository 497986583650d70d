//! A child process that leads its own process group, and its state.
//!
//! Reading the state does not reap the process. Until it is reaped, the kernel does not reuse its
//! pid or its group's id. So no signal can reach an unrelated process.

use std::{os::fd::OwnedFd, thread, time::Duration};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, WaitId, WaitIdOptions, waitid},
};

use crate::{
    model::outcome::Exit,
    process::{group::Group, orphans},
};

/// The interval at which the state is read if the kernel has no pidfd.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// The state of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It is running or stopped.
    Running,
    /// It exited or a signal terminated it.
    Ended(Exit),
    /// Its exit status is lost: the host ignores SIGCHLD, or waits for all of its children.
    Lost,
}

/// A child process that leads its own process group.
pub(super) struct Child {
    pid: Pid,
    /// Readable when the process has ended. `None` on old kernels and other systems.
    pidfd: Option<OwnedFd>,
}

impl Child {
    pub(super) fn new(pid: Pid) -> Self {
        Self { pid, pidfd: pidfd(pid) }
    }

    /// Returns the process group.
    pub(super) fn group(&self) -> Group {
        Group::led_by(self.pid)
    }

    /// Waits until it ends, at most for this long, and returns its state.
    pub(super) fn wait(&self, timeout: Duration) -> State {
        match (&self.pidfd, Timespec::try_from(timeout)) {
            (Some(pidfd), Ok(timeout)) => {
                // An interruption only ends the wait early.
                let _ = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timeout));
            }
            _ if self.has_ended() => {}
            _ => thread::sleep(timeout.min(POLL_INTERVAL)),
        }
        self.state()
    }

    /// Returns its state without waiting.
    pub(super) fn state(&self) -> State {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(None) | Err(Errno::INTR) => State::Running,
            Ok(Some(status)) => {
                let code = status.exit_status().map(Exit::Code);
                let exit = code.or_else(|| status.terminating_signal().map(Exit::Signal));
                exit.map_or(State::Running, State::Ended)
            }
            Err(_) => State::Lost,
        }
    }

    /// Returns true if it has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.state() != State::Running
    }

    /// Reaps the process if it has ended. Afterwards no signal may be sent to its group.
    pub(super) fn reap(&self) {
        orphans::forget(self.pid);
        // On an error, other code has reaped it. Its state is already known.
        let _ = waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

#[cfg(target_os = "linux")]
fn pidfd(pid: Pid) -> Option<OwnedFd> {
    rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()).ok()
}

#[cfg(not(target_os = "linux"))]
fn pidfd(_: Pid) -> Option<OwnedFd> {
    None
}

#[cfg(test)]
mod tests {
    use rustix::process::Signal;
    use std::{
        os::unix::process::CommandExt,
        process::{Command, Stdio},
    };

    use super::*;

    fn shell(text: &str) -> (std::process::Child, Child) {
        let mut command = Command::new("/bin/sh");
        command.arg("-c").arg(text).stdin(Stdio::piped()).process_group(0);
        let host = command.spawn().unwrap();
        let child = Child::new(Pid::from_child(&host));
        (host, child)
    }

    fn end(child: &Child) -> State {
        while child.wait(Duration::from_secs(1)) == State::Running {}
        child.state()
    }

    #[test]
    fn it_runs_until_it_ends_with_or_without_a_pidfd() {
        for with_pidfd in [true, false] {
            let (mut host, mut child) = shell("read line; exit 7");
            child.pidfd = child.pidfd.filter(|_| with_pidfd);
            assert_eq!(child.wait(Duration::from_millis(1)), State::Running);
            drop(host.stdin.take());
            assert_eq!(end(&child), State::Ended(Exit::Code(7)));
            assert_eq!(child.state(), State::Ended(Exit::Code(7)), "asking does not reap it");
            child.reap();
            assert!(host.wait().is_err(), "it has been reaped");
        }
    }

    #[test]
    fn a_signal_is_told_from_a_code() {
        let (_, child) = shell("kill -s USR1 $$");
        assert_eq!(end(&child), State::Ended(Exit::Signal(Signal::USR1.as_raw())));
        child.reap();
    }

    #[test]
    fn a_stopped_child_still_runs() {
        let (_, child) = shell("kill -s STOP $$; exit 3");
        let stopped = WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT;
        waitid(WaitId::Pid(child.pid), stopped).unwrap();
        assert_eq!(child.state(), State::Running);
        child.group().signal(Signal::CONT);
        assert_eq!(end(&child), State::Ended(Exit::Code(3)));
        child.reap();
    }

    #[test]
    fn a_child_that_somebody_else_reaped_is_lost() {
        let (mut host, child) = shell("exit 0");
        host.wait().unwrap();
        assert_eq!(child.state(), State::Lost);
    }
}
