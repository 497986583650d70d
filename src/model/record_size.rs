//! Limits for the size of a step in a record. Records are notes, and `git log` shows notes.

use std::collections::VecDeque;

use super::{
    outcome::Exit,
    record::{CommandRecord, StepFailure},
};

/// The most commands kept of the start of a step, of its end, and of the failed ones between.
const FIRST_MAX: usize = 100;
const LAST_MAX: usize = 100;
const FAILED_MAX: usize = 100;

/// The most failures kept.
const FAILURES_MAX: usize = 100;

/// The most bytes kept of one text.
const TEXT_BYTES_MAX: usize = 4 << 10;

/// The most bytes of the texts of a step's commands together, and of its failures together.
const TEXTS_BYTES_MAX: usize = 32 << 10;

/// The commands of a step that its record keeps.
#[derive(Debug, Default)]
pub(crate) struct KeptCommands {
    first: Vec<CommandRecord>,
    failed: Vec<CommandRecord>,
    last: VecDeque<CommandRecord>,
    omitted: usize,
}

impl KeptCommands {
    /// Adds a command that has ended.
    pub(crate) fn push(&mut self, command: CommandRecord) {
        if self.first.len() < FIRST_MAX {
            return self.first.push(command);
        }
        self.last.push_back(command);
        if self.last.len() <= LAST_MAX {
            return;
        }
        let Some(oldest) = self.last.pop_front() else { return };
        if has_failed(&oldest) && self.failed.len() < FAILED_MAX {
            self.failed.push(oldest);
        } else {
            self.omitted += 1;
        }
    }

    /// Returns the kept commands, in the order in which they ended, and the number of the others.
    pub(crate) fn all(&self) -> (Vec<CommandRecord>, usize) {
        let all = self.first.iter().chain(&self.failed).chain(&self.last);
        (all.cloned().collect(), self.omitted)
    }
}

fn has_failed(command: &CommandRecord) -> bool {
    command.exit != Some(Exit::Code(0)) && !command.allowed
}

/// Returns the kept failures, the most severe first, and the number of the others.
pub(crate) fn kept_failures<'a>(
    failures: impl ExactSizeIterator<Item = &'a StepFailure>,
) -> (Vec<StepFailure>, usize) {
    let omitted = failures.len().saturating_sub(FAILURES_MAX);
    (failures.take(FAILURES_MAX).cloned().collect(), omitted)
}

/// Returns how many bytes to keep of each text, given all lengths. Long texts share equally what
/// the short ones leave. Callers shorten texts only when they write them, after masking: a mask
/// does not recognize a part of a secret.
pub(crate) fn share(lengths: impl Iterator<Item = usize>) -> usize {
    let mut lengths: Vec<usize> = lengths.map(|length| length.min(TEXT_BYTES_MAX)).collect();
    lengths.sort_unstable();
    let (mut remaining, mut count) = (TEXTS_BYTES_MAX, lengths.len());
    for length in lengths {
        let share = remaining / count;
        if length > share {
            return share;
        }
        remaining -= length;
        count -= 1;
    }
    TEXT_BYTES_MAX
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn command(number: usize, exit: i32, allowed: bool) -> CommandRecord {
        let (command, exit) = (number.to_string(), Some(Exit::Code(exit)));
        CommandRecord { command, exit, allowed, duration: Duration::ZERO }
    }

    #[test]
    fn the_first_the_last_and_those_that_failed_are_kept_in_order() {
        for count in [0, 1, 100, 200, 201, 3_000, 100_000] {
            let mut kept = KeptCommands::default();
            for number in 0..count {
                let exit = i32::from(matches!(number, 150 | 160));
                kept.push(command(number, exit, number == 160));
            }
            let (commands, omitted) = kept.all();
            assert_eq!(commands.len() + omitted, count);
            assert!(commands.len() <= FIRST_MAX + LAST_MAX + 1, "{count}");
            let numbers: Vec<usize> =
                commands.iter().map(|it| it.command.parse().unwrap()).collect();
            assert!(numbers.is_sorted(), "{count}");
            assert_eq!(numbers.first().copied(), (count > 0).then_some(0));
            assert_eq!(numbers.last().copied(), count.checked_sub(1));
            assert_eq!(numbers.contains(&150), count > 150, "{count}");
            assert_eq!(
                numbers.contains(&160),
                (160..=260).contains(&(count - count.min(1))),
                "{count}"
            );
        }
    }

    #[test]
    fn commands_that_fail_for_ever_are_bounded_too() {
        let mut kept = KeptCommands::default();
        (0..100_000).for_each(|number| kept.push(command(number, 1, false)));
        assert_eq!(kept.all().0.len(), FIRST_MAX + FAILED_MAX + LAST_MAX);
    }

    #[test]
    fn long_texts_have_equal_shares_of_what_short_ones_leave() {
        assert_eq!(share([].into_iter()), TEXT_BYTES_MAX);
        assert_eq!(share([10, 1 << 20].into_iter()), TEXT_BYTES_MAX);
        assert_eq!(share([1 << 20; 64].into_iter()), TEXTS_BYTES_MAX / 64);
        let mixed = || [10; 100].into_iter().chain([5_000; 100]);
        let share = share(mixed());
        let all: usize = mixed().map(|length| length.min(share)).sum();
        assert!(all <= TEXTS_BYTES_MAX && all > TEXTS_BYTES_MAX - 200, "{share}: {all}");
    }
}
