//! A child process that leads a group of its own: whether it runs, and how it ended.
//!
//! Asking does not reap it. As long as it is not reaped its number belongs to it and its group,
//! however dead they are, so that no signal can meet a stranger.

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

/// How often it is looked at where the kernel can't tell of its end.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// What can be said of a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// It runs, or is stopped.
    Running,
    /// It ended by itself or by a signal.
    Ended(Exit),
    /// It is gone, and somebody else has its status: the host ignores SIGCHLD or waits for every
    /// child it has.
    Lost,
}

/// A process that was started here and leads its own group.
pub(super) struct Child {
    pid: Pid,
    /// Readable once the process has ended. Absent on old kernels and other systems.
    pidfd: Option<OwnedFd>,
}

impl Child {
    pub(super) fn new(pid: Pid) -> Self {
        Self { pid, pidfd: pidfd(pid) }
    }

    /// The group it leads.
    pub(super) fn group(&self) -> Group {
        Group::led_by(self.pid)
    }

    /// Waits for its end, at most for this long.
    pub(super) fn wait(&self, timeout: Duration) -> State {
        match (&self.pidfd, Timespec::try_from(timeout)) {
            (Some(pidfd), Ok(timeout)) => {
                // Being interrupted only means to look earlier.
                let _ = poll(&mut [PollFd::new(pidfd, PollFlags::IN)], Some(&timeout));
            }
            _ if self.has_ended() => {}
            _ => thread::sleep(timeout.min(POLL_INTERVAL)),
        }
        self.state()
    }

    /// What can be said of it now.
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

    /// Whether it runs no more.
    pub(super) fn has_ended(&self) -> bool {
        self.state() != State::Running
    }

    /// Gives its number back, once it has ended. From then on nothing may be sent to its group.
    pub(super) fn reap(&self) {
        orphans::forget(self.pid);
        // An error says that somebody else was faster: what became of it is known all the same.
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
