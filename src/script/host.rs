//! The seam through which a script acts. Whoever runs a phase stands behind it: the runner of real
//! builds, a plan that only writes down, a test with scripted results.

use std::{sync::Arc, time::Instant};

use crate::{
    error::Error,
    executor::{Output, Program},
    function::{HostFunction, Value},
    outcome::Exit,
};

/// A command as a script asks for it.
#[derive(Clone, Debug)]
pub(crate) struct ScriptCommand {
    pub(crate) program: Program,
    /// A folder below the export.
    pub(crate) cwd: Option<String>,
    /// Variables over those that every command gets. `None` takes one away.
    pub(crate) env: Vec<(String, Option<String>)>,
    pub(crate) input: Option<Vec<u8>>,
    pub(crate) deadline: Option<Instant>,
    /// Whether stdout and stderr are kept apart.
    pub(crate) split: bool,
    /// Whether the script goes on with what it writes to standard output.
    pub(crate) captured: bool,
    /// What goes in front of each line of its output.
    pub(crate) label: Option<String>,
    pub(crate) shown: Shown,
    /// Whether it cleans up, so that a first cancel does not stop it.
    pub(crate) cleanup: bool,
}

/// What holds where an embedding program is asked for something.
#[derive(Clone, Debug, Default)]
pub(crate) struct Limits {
    pub(crate) deadline: Option<Instant>,
    /// The branch or the group.
    pub(crate) label: Option<String>,
    /// Whether it cleans up, so that a first cancel does not stop it.
    pub(crate) cleanup: bool,
}

/// Which part of a command's output is shown and logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    All,
    /// Standard error: the other stream is for the script.
    Stderr,
    Nothing,
}

/// What differs from the nearest green ancestor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The full id of that ancestor; none where there is none, and everything counts as changed.
    pub(crate) base: Option<String>,
    /// The paths that differ.
    pub(crate) paths: Vec<String>,
}

/// An answer to `approve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Approval {
    /// A person approved: the script goes on.
    Given,
    /// Nobody has yet: the phase ends and waits.
    Awaited,
}

/// What a script can bring about.
pub(crate) trait Host: Send + Sync {
    /// Runs a command to its end; `output` gets what it writes, as it writes it.
    ///
    /// # Errors
    ///
    /// [`HostAbort`](crate::ErrorKind::HostAbort) and what is wrong with the command itself fail
    /// the phase; other kinds say that the machinery failed.
    fn command(
        &self,
        command: &ScriptCommand,
        output: &mut dyn FnMut(&Output),
    ) -> Result<Exit, Error>;

    /// Shows a text of the script's own.
    fn print(&self, label: Option<&str>, text: &str);

    /// Shows a warning.
    fn warn(&self, message: &str);

    /// The bytes of a secret.
    fn secret(&self, name: &str, limits: Limits) -> Result<Vec<u8>, Error>;

    /// Calls a function of the embedding program.
    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        limits: Limits,
    ) -> Result<Value, Error>;

    /// A variable of the environment that commands get.
    fn env(&self, name: &str) -> Option<String>;

    /// Keeps a value with the commit's record.
    fn remember(&self, key: &str, value: Value) -> Result<(), Error>;

    /// What was kept under this key.
    fn recall(&self, key: &str) -> Option<Value>;

    /// Keeps a file of the export beyond it.
    fn artifact(&self, path: &str) -> Result<(), Error>;

    /// Has the export removed when the run is over.
    fn discard_export(&self);

    /// Asks whether a person approved.
    fn approve(&self, question: &str, limits: Limits) -> Result<Approval, Error>;

    /// What differs from the nearest green ancestor.
    fn changes(&self) -> Result<Arc<Changes>, Error>;

    /// Whether the verdict of the first parent is known, as its word.
    fn previous(&self) -> Result<Option<String>, Error>;

    /// Whether a program of this name is in `PATH`.
    fn has_program(&self, name: &str) -> bool;

    /// Whether the phase, or the cleaning up after it, is to stop now.
    fn is_canceled(&self, cleanup: bool) -> bool;

    /// A predicate was asked and answered, at this place: what a plan gives as its reasons.
    fn decided(&self, _predicate: &str, _answer: bool, _at: &str) {}

    /// Whether what acts is only written down. Then nothing waits, and functions of the embedding
    /// program that act are not called.
    fn rehearses(&self) -> bool {
        false
    }

    /// In a rehearsal, a function of the embedding program would have been called; what it gives.
    fn called(&self, _function: &str, _arguments: &[Value]) -> Value {
        Value::Nothing
    }
}
