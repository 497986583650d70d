//! [`Executor`]: the trait that runs every command. tinyci, tests and embedding programs implement
//! it.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, time::Instant};

use super::{cancel::CancelView, error::Error, outcome::Exit, request_context::RequestContext};

/// Runs commands. The default is [`LocalExecutor`](crate::executor::LocalExecutor);
/// [`EngineBuilder::executor`](crate::EngineBuilder::executor) sets another one.
///
/// tinyci calls it on worker threads, several at once if the engine runs several jobs.
///
/// ```
/// use tinyci::{Error, executor::{CancelView, Command, Executor, Exit, Output}};
///
/// /// Prints each command and reports success.
/// struct Pretend;
///
/// impl Executor for Pretend {
///     fn execute(
///         &self,
///         command: &Command,
///         output: &mut dyn FnMut(Output),
///         _cancel: &CancelView,
///     ) -> Result<Exit, Error> {
///         output(Output::stdout(format!("would run {}\n", command.program)));
///         Ok(Exit::Code(0))
///     }
/// }
/// ```
pub trait Executor: Send + Sync {
    /// Runs one command until it ends. Passes on its output as it is produced.
    ///
    /// It must return soon after `command.deadline` ([`Exit::TimedOut`]), and soon after
    /// `cancel.is_canceled()` becomes true ([`Exit::Canceled`]). Check `cancel` at least every 50
    /// ms.
    ///
    /// # Errors
    ///
    /// An error says that the executor failed, not the commit. The job ends without a verdict
    /// ([`Outcome::Error`](crate::Outcome::Error)). An error of the kind
    /// [`HostAbort`](crate::ErrorKind::HostAbort) fails the step instead.
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error>;
}

/// One command, ready to start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Command {
    /// The program or shell command.
    pub program: Program,
    /// The working directory.
    pub cwd: PathBuf,
    /// The complete environment. Nothing is inherited.
    pub env: BTreeMap<OsString, OsString>,
    /// The value to add to this process's niceness: 0 to 19, see nice(1).
    pub nice: u8,
    /// The standard input. `None` means empty input.
    pub input: Option<Vec<u8>>,
    /// The time by which it must have ended: the earliest limit that applies.
    pub deadline: Option<Instant>,
    /// Whether stdout and stderr share one pipe.
    pub output: OutputMode,
    /// The commit and step, if it is part of a run.
    pub context: Option<RequestContext>,
}

impl Command {
    /// Creates a command with an empty environment and no limits.
    pub fn new(program: Program, cwd: impl Into<PathBuf>) -> Self {
        Self {
            program,
            cwd: cwd.into(),
            env: BTreeMap::new(),
            nice: 0,
            input: None,
            deadline: None,
            output: OutputMode::Merged,
            context: None,
        }
    }
}

/// An environment variable to set, or to remove if the value is `None`.
pub(crate) type EnvChange = (String, Option<String>);

/// The program of a [`Command`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// A command line for `/bin/sh -c`, passed as one argument.
    Shell(String),
    /// A program and its arguments, without a shell.
    Argv(Vec<String>),
}

impl std::fmt::Display for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Program::Shell(text) => write!(f, "/bin/sh -c '{text}'"),
            Program::Argv(words) => f.write_str(&words.join(" ")),
        }
    }
}

/// The way to read a command's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputMode {
    /// One pipe for both: the order of the output is kept.
    Merged,
    /// One pipe each: the streams are separate, and their relative order is lost.
    Split,
}

/// The stream that output came from. Merged output has [`Stdout`](Stream::Stdout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stream {
    /// Standard output, or both streams merged.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output. It may be any bytes and may end anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// The stream.
    pub stream: Stream,
    /// The bytes.
    pub bytes: Vec<u8>,
}

impl Output {
    /// Creates output on standard output.
    pub fn stdout(bytes: impl Into<Vec<u8>>) -> Self {
        Self { stream: Stream::Stdout, bytes: bytes.into() }
    }

    /// Creates output on standard error.
    pub fn stderr(bytes: impl Into<Vec<u8>>) -> Self {
        Self { stream: Stream::Stderr, bytes: bytes.into() }
    }
}
