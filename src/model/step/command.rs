//! A command as a step asks for it, and how it ended.

use std::{
    sync::{Arc, atomic::AtomicBool},
    time::{Duration, Instant},
};

use super::result::FailedCommand;
use crate::model::{
    executor::{EnvChange, Program},
    outcome::Exit,
};

/// More of a command tells nobody more.
const SHOWN_CHARACTERS_MAX: usize = 1_000;

/// A command as a step asks for it, before anything was checked.
#[derive(Clone, Debug)]
pub(crate) struct StepCommand {
    pub(crate) program: Program,
    /// A directory below the export.
    pub(crate) cwd: Option<String>,
    /// Variables over those that every command gets. `None` takes one away.
    pub(crate) env: Vec<EnvChange>,
    pub(crate) input: Option<Vec<u8>>,
    /// When the step, or what encloses the command in it, has to have ended.
    pub(crate) deadline: Option<Instant>,
    /// How long one attempt may take.
    pub(crate) timeout: Option<Duration>,
    /// How many attempts there are beyond the first.
    pub(crate) retries: u32,
    /// The wait between two attempts.
    pub(crate) backoff: Duration,
    /// The exit codes beside 0 with which it passes.
    pub(crate) allowed: Vec<i64>,
    pub(crate) output: OutputUse,
    /// What goes in front of each line of its output.
    pub(crate) label: Option<String>,
    pub(crate) shown: Shown,
    /// True if it cleans up, so that a first cancel does not stop it.
    pub(crate) cleanup: bool,
    /// True once the step is over, so that no further attempt begins.
    pub(crate) is_over: Arc<AtomicBool>,
}

impl StepCommand {
    /// The wait between attempts unless something else is said.
    pub(crate) const BACKOFF: Duration = Duration::from_secs(1);

    /// A command with nothing but a program.
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

    /// True if an exit means that the command passed.
    pub(crate) fn passes_with(&self, exit: Exit) -> bool {
        match exit {
            Exit::Code(code) => code == 0 || self.allowed.contains(&i64::from(code)),
            _ => false,
        }
    }
}

/// What a step does with a command's output beside showing it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputUse {
    /// Nothing.
    Shown,
    /// It may look at it.
    Given,
    /// It goes on with what the command writes to standard output.
    Captured,
}

impl OutputUse {
    /// True if the step is given what the command writes.
    pub(crate) fn is_given(self) -> bool {
        self != OutputUse::Shown
    }
}

/// Which part of a command's output is shown and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    All,
    /// Standard error: the other stream is for the script.
    Stderr,
    Nothing,
}

/// How a command ended, all attempts included.
#[derive(Clone, Debug)]
pub(crate) struct CommandEnd {
    /// The command in one line, masked.
    pub(crate) command: String,
    /// All of it, masked.
    pub(crate) whole: String,
    /// The task or group that it was run in, masked.
    pub(crate) label: Option<String>,
    pub(crate) exit: Exit,
    /// True if it passed, with code 0 or one that is allowed.
    pub(crate) passed: bool,
    /// What the last attempt wrote, if the step is given it: raw, and more than the step can be
    /// given if that is longer.
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    /// The end of what it wrote, masked.
    pub(crate) tail: String,
}

impl CommandEnd {
    /// How many bytes of a stream a step can be given. More are kept, by which that is noticed.
    pub(crate) const GIVEN_BYTES_MAX: usize = 8 << 20;

    /// What is told of it if it did not pass.
    pub(crate) fn failed(&self) -> FailedCommand {
        let (command, label, tail) = (self.whole.clone(), self.label.clone(), self.tail.clone());
        FailedCommand { command, label, exit: self.exit, tail }
    }
}

/// A command in one line of bearable length.
pub(crate) fn shown_program(program: &Program) -> String {
    in_one_line(&whole_program(program))
}

/// The text of a command in one line of bearable length. It is masked before: of a secret that is
/// cut no mask knows the rest.
pub(crate) fn in_one_line(text: &str) -> String {
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default();
    let shown: String = first.chars().take(SHOWN_CHARACTERS_MAX).collect();
    let is_all = shown.len() == first.len() && lines.next().is_none();
    if is_all { shown } else { format!("{shown} …") }
}

/// All of a command: the arguments of a program with single spaces between them.
pub(crate) fn whole_program(program: &Program) -> String {
    match program {
        Program::Shell(text) => text.trim().to_owned(),
        Program::Argv(words) => words.join(" "),
    }
}
