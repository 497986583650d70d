//! A process group: a command and all processes that it started, except those that left the group.

use rustix::process::{Pid, Signal, getpriority_process, kill_process_group, setpriority_pgrp};

/// The group that a process leads, or led until it died.
///
/// Use it only while its leader is not reaped; see [`Child`](super::child::Child).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    leader: i32,
}

impl Group {
    pub(super) fn led_by(leader: Pid) -> Self {
        Self { leader: leader.as_raw_nonzero().get() }
    }

    /// Returns its id, as in `kill -- -ID`.
    pub(super) fn number(self) -> i32 {
        self.leader
    }

    /// Sends a signal to every member. On Linux, no member escapes by forking: the kernel restarts
    /// a fork that a signal interrupts, and the signal is then delivered first.
    pub(super) fn signal(self, signal: Signal) {
        let Some(leader) = Pid::from_raw(self.leader) else { return };
        // This fails if no member is left, or if this user may not signal the members.
        let _ = kill_process_group(leader, signal);
    }

    /// Raises the niceness of every member, and of processes that they start later, by this amount
    /// above the niceness of this process. If the system refuses, nothing changes.
    pub(super) fn raise_niceness(self, nice: u8) {
        let (Some(leader), true) = (Pid::from_raw(self.leader), nice > 0) else { return };
        let own = getpriority_process(None).unwrap_or(0);
        let _ = setpriority_pgrp(Some(leader), own + i32::from(nice));
    }

    /// Returns true if no member is alive, including the leader.
    pub(super) fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Returns the number of live members. Zombies do not count. For `kill` they do, so that it
    /// always finds the unreaped leader.
    #[cfg(target_os = "linux")]
    pub(super) fn len(self) -> usize {
        // Without `/proc`, as in a minimal chroot, only the leader's state is known.
        let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
        let stats = processes.flatten().filter_map(|process| {
            let numeric = process.file_name().to_str()?.bytes().all(|byte| byte.is_ascii_digit());
            numeric.then(|| std::fs::read(process.path().join("stat")).ok()).flatten()
        });
        stats.filter(|stat| living_member_of(stat) == Some(self.leader)).count()
    }

    /// As above, but the result is at most one: `kill`, which here does not count zombies, returns
    /// no number.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn len(self) -> usize {
        let leader = Pid::from_raw(self.leader);
        leader.map_or(0, |leader| rustix::process::test_kill_process_group(leader).is_ok().into())
    }
}

/// Returns the group of a process from its `/proc/…/stat`: `pid (name) state parent group …`. The
/// name may contain any characters. Returns `None` if the process is dead.
#[cfg(target_os = "linux")]
pub(super) fn living_member_of(stat: &[u8]) -> Option<i32> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    let (state, _parent, group) = (fields.next()?, fields.next()?, fields.next()?);
    if matches!(state, "Z" | "X") { None } else { group.parse().ok() }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_process_may_be_called_anything() {
        assert_eq!(living_member_of(b"12 (sh) S 1 34 34 0 -1"), Some(34));
        assert_eq!(living_member_of(b"12 (a) R 1 9 (b\xff) T 1 34 34 0"), Some(34));
        assert_eq!(living_member_of(b"12 (sh) Z 1 34 34 0 -1"), None);
        assert_eq!(living_member_of(b"12 (sh"), None);
    }
}
