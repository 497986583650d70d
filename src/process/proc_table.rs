//! Reads the processes of this machine from `/proc` (Linux).

use std::{collections::BTreeMap, fs};

/// A process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) number: i32,
    /// False for a zombie.
    pub(super) lives: bool,
    pub(super) parent: i32,
    /// The start time, in clock ticks since the machine booted.
    pub(super) started: u64,
}

/// Returns all processes by pid. Returns none without `/proc`, for example in a minimal chroot.
pub(super) fn read() -> BTreeMap<i32, Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return BTreeMap::new() };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(|number: i32| Some((number, of(number)?))).collect()
}

/// Returns the process with this pid.
pub(super) fn of(number: i32) -> Option<Process> {
    parse(&fs::read(format!("/proc/{number}/stat")).ok()?)
}

/// Parses `pid (name) state parent …`. The name may contain any bytes. The start time is the twentieth
/// field after the name.
fn parse(stat: &[u8]) -> Option<Process> {
    let number =
        std::str::from_utf8(stat.split(|byte| *byte == b' ').next()?).ok()?.parse().ok()?;
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let fields = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    let mut fields = fields.split_ascii_whitespace();
    let lives = !matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Process { number, lives, parent, started })
}

/// Returns true if a process started with this variable in its environment and has not overwritten it.
pub(super) fn has_variable(number: i32, variable: &str) -> bool {
    let environ = fs::read(format!("/proc/{number}/environ")).unwrap_or_default();
    environ.split(|byte| *byte == 0).any(|text| text == variable.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_contain_anything() {
        let line = b"12 (a) R 1 (b\xff) S 7 34 34 0 -1 1 2 3 4 5 6 7 8 9 20 0 1 0 5678 9";
        let process = Process { number: 12, lives: true, parent: 7, started: 5678 };
        assert_eq!(parse(line), Some(process));
        assert_eq!(parse(b"12 (sh"), None);
    }

    #[test]
    fn this_process_is_listed() {
        let own = i32::try_from(std::process::id()).unwrap();
        let all = read();
        assert!(all[&own].lives && all.contains_key(&all[&own].parent));
        assert_eq!(of(own).unwrap().started, all[&own].started);
    }
}
