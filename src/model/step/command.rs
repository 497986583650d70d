//! A command that a step wants to run, and its result.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::result::FailedCommand;
use crate::model::{
    executor::{EnvChange, Program},
    outcome::Exit,
};

/// The most characters of a command to show. More would not help a reader.
const SHOWN_CHARACTERS_MAX: usize = 1_000;

/// A command that a step wants to run, not yet checked.
#[derive(Clone, Debug)]
pub(crate) struct StepCommand {
    pub(crate) program: Program,
    /// The working directory, below the export.
    pub(crate) cwd: Option<String>,
    /// Changes to the environment that every command gets.
    pub(crate) env: Vec<EnvChange>,
    pub(crate) input: Option<Vec<u8>>,
    /// The time by which it must have ended: the earliest limit of the step and of what encloses
    /// the command.
    pub(crate) deadline: Option<Instant>,
    /// The time limit of one attempt.
    pub(crate) timeout: Option<Duration>,
    /// The number of attempts beyond the first.
    pub(crate) retries: u32,
    /// The wait between two attempts.
    pub(crate) backoff: Duration,
    /// The exit codes other than 0 that count as success.
    pub(crate) allowed: Vec<i64>,
    pub(crate) output: OutputUse,
    /// The prefix of each line of its output.
    pub(crate) label: Option<String>,
    pub(crate) shown: Shown,
    /// True if it cleans up, so that only a second cancel stops it.
    pub(crate) cleanup: bool,
    /// True once the step has ended, so that no further attempt starts.
    pub(crate) is_over: Arc<AtomicBool>,
}

impl StepCommand {
    /// The default wait between two attempts.
    pub(crate) const BACKOFF: Duration = Duration::from_secs(1);

    /// Creates a command with the defaults of all options.
    pub(crate) fn new(program: Program) -> Self {
        Self {
            program,
            cwd: None,
            env: Vec::new(),
            input: None,
            deadline: None,
            timeout: None,
            retries: 0,
            backoff: Self::BACKOFF,
            allowed: Vec::new(),
            output: OutputUse::Shown,
            label: None,
            shown: Shown::All,
            cleanup: false,
            is_over: Arc::default(),
        }
    }

    /// Returns true if this exit counts as success.
    pub(crate) fn passes_with(&self, exit: Exit) -> bool {
        match exit {
            Exit::Code(code) => code == 0 || self.allowed.contains(&i64::from(code)),
            _ => false,
        }
    }
}

/// How a step uses a command's output, besides showing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputUse {
    /// Not at all.
    Shown,
    /// The step may read it.
    Given,
    /// The step uses the standard output as a value.
    Captured,
}

impl OutputUse {
    /// Returns true if the step gets the output.
    pub(crate) fn is_given(self) -> bool {
        self != OutputUse::Shown
    }
}

/// The part of a command's output that is shown and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    All,
    /// Only standard error: standard output goes to the script.
    Stderr,
    Nothing,
}

/// The result of a command, after all attempts.
#[derive(Clone, Debug)]
pub(crate) struct CommandEnd {
    /// The command in one line, masked.
    pub(crate) command: String,
    /// The whole command, masked.
    pub(crate) whole: String,
    /// The label of the task or group that ran it, masked.
    pub(crate) label: Option<String>,
    pub(crate) exit: Exit,
    /// True if its exit counts as success.
    pub(crate) passed: bool,
    /// The standard output of the last attempt, unmasked, if the step gets it. It may be longer
    /// than the limit.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The end of its output, masked.
    pub(crate) tail: String,
}

impl CommandEnd {
    /// The most bytes of a stream that a step can get. tinyci keeps a bit more, to notice that the
    /// limit was exceeded.
    pub(crate) const GIVEN_BYTES_MAX: usize = 8 << 20;

    /// Returns the data for the failure of this command.
    pub(crate) fn failed(&self) -> FailedCommand {
        let (command, label, tail) = (self.whole.clone(), self.label.clone(), self.tail.clone());
        FailedCommand { command, label, exit: self.exit, tail }
    }
}

/// Returns a command in one line, shortened.
pub(crate) fn shown_program(program: &Program) -> String {
    in_one_line(&whole_program(program))
}

/// Returns the text of a command in one line, shortened. Mask the text first: a mask does not
/// recognize a secret that was cut.
pub(crate) fn in_one_line(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default();
    let shown: String = first.chars().take(SHOWN_CHARACTERS_MAX).collect();
    let is_all = shown.len() == first.len() && lines.next().is_none();
    if is_all { shown } else { format!("{shown} …") }
}

/// Returns the whole command. The arguments of a program are separated by single spaces.
pub(crate) fn whole_program(program: &Program) -> String {
    match program {
        Program::Shell(text) => text.trim().to_owned(),
        Program::Argv(words) => words.join(" "),
    }
}
