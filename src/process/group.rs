//! A process group: a command and all that it started, less what left it on purpose.

use rustix::process::{Pid, Signal, getpriority_process, kill_process_group, setpriority_pgrp};

/// The group that this process leads, or led until it died.
///
/// It may only be used while its leader is not reaped: see [`Child`](super::child::Child).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    leader: i32,
}

impl Group {
    pub(super) fn led_by(leader: Pid) -> Self {
        Self { leader: leader.as_raw_nonzero().get() }
    }

    /// Its number, as `kill -- -NUMBER` takes it.
    pub(super) fn number(self) -> i32 {
        self.leader
    }

    /// Sends a signal to every member. On Linux no process escapes by forking meanwhile: a fork
    /// that a signal overtakes is begun again, and then does not happen.
    pub(super) fn signal(self, signal: Signal) {
        let Some(leader) = Pid::from_raw(self.leader) else { return };
        // It fails where nobody is left, or nobody that this user may signal.
        let _ = kill_process_group(leader, signal);
    }

    /// Has every member, and what they start from now on, stand back by so much more than this
    /// process does. It is a wish: where the system refuses, they run as they would.
    pub(super) fn be_nice(self, nice: u8) {
        let (Some(leader), true) = (Pid::from_raw(self.leader), nice > 0) else { return };
        let own = getpriority_process(None).unwrap_or(0);
        let _ = setpriority_pgrp(Some(leader), own + i32::from(nice));
    }

    /// Whether no member is alive, the leader included.
    pub(super) fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// How many members are alive. Zombies are dead, unlike in the eyes of `kill`, for which the
    /// unreaped leader keeps the group going for ever.
    #[cfg(target_os = "linux")]
    pub(super) fn len(self) -> usize {
        // Without `/proc`, as in a bare chroot, the leader has to speak for all.
        let Ok(processes) = std::fs::read_dir("/proc") else { return 0 };
        let stats = processes.flatten().filter_map(|process| {
            let numeric = process.file_name().to_str()?.bytes().all(|byte| byte.is_ascii_digit());
            numeric.then(|| std::fs::read(process.path().join("stat")).ok()).flatten()
        });
        stats.filter(|stat| living_member_of(stat) == Some(self.leader)).count()
    }

    /// As above, but one stands for any number: `kill`, which counts no zombies here, tells no more.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn len(self) -> usize {
        let leader = Pid::from_raw(self.leader);
        leader.map_or(0, |leader| rustix::process::test_kill_process_group(leader).is_ok().into())
    }
}

/// The group of a process, from its `/proc/…/stat`: `pid (name) state parent group …`, where the
/// name may hold anything. None where it is dead.
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
