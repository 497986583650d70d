//! The seam through which every command runs: ours, a test's, or a host's own.

use std::{collections::BTreeMap, ffi::OsString, path::PathBuf, time::Instant};

use super::{cancel::CancelView, error::Error, outcome::Exit, request_context::RequestContext};

/// Runs commands. [`LocalExecutor`](crate::executor::LocalExecutor) is the one that comes with the library;
/// [`EngineBuilder::executor`](crate::EngineBuilder::executor) takes another.
///
/// It is called on a worker thread, several at once where the engine has several jobs.
///
/// ```
/// use tinyci::{Error, executor::{CancelView, Command, Executor, Exit, Output}};
///
/// /// Says what it was asked to run, and lets it pass.
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
    /// Runs one command to its end, passing on its output as it is produced.
    ///
    /// It must end by itself soon after `command.deadline` ([`Exit::TimedOut`]) and after
    /// `cancel.is_canceled()` turns true ([`Exit::Canceled`]), at which it looks at least every
    /// 50 ms.
    ///
    /// # Errors
    ///
    /// An error says that the machinery failed and not the commit: the run ends without a verdict
    /// ([`Outcome::Error`](crate::Outcome::Error)). Errors of kind
    /// [`HostAbort`](crate::ErrorKind::HostAbort) fail the step instead.
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error>;
}

/// One command, filled in and ready to start.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Command {
    /// What to run.
    pub program: Program,
    /// The directory to run it in.
    pub cwd: PathBuf,
    /// The whole environment that it gets, and nothing beside it.
    pub env: BTreeMap<OsString, OsString>,
    /// By how much it stands back when others need the processor: 0 to 19, added to the niceness
    /// of this process.
    pub nice: u8,
    /// Bytes for its standard input; without them it reads an empty file.
    pub input: Option<Vec<u8>>,
    /// When it has to have ended: the nearest of all limits around it.
    pub deadline: Option<Instant>,
    /// Whether stdout and stderr are kept apart.
    pub output: OutputMode,
    /// Which commit and step it belongs to, where it is part of a run.
    pub context: Option<RequestContext>,
}

impl Command {
    /// A command with nothing but a program and a directory. Its environment is empty.
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

/// A variable that is set over others, or taken away by `None`.
pub(crate) type EnvChange = (String, Option<String>);

/// What a [`Command`] runs.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Program {
    /// A text for `/bin/sh -c`, passed whole as one argument.
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

/// How a command's two output streams are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputMode {
    /// One pipe for both: the order is the order in which the command wrote.
    Merged,
    /// A pipe each: the streams are told apart, their order is not kept.
    Split,
}

/// The stream that output came from. Merged output says [`Stdout`](Stream::Stdout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stream {
    /// Standard output, or both streams merged.
    Stdout,
    /// Standard error.
    Stderr,
}

/// A piece of output: any bytes, cut anywhere.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Output {
    /// Where it came from.
    pub stream: Stream,
    /// What was written.
    pub bytes: Vec<u8>,
}

impl Output {
    /// Output on standard output.
    pub fn stdout(bytes: impl Into<Vec<u8>>) -> Self {
        Self { stream: Stream::Stdout, bytes: bytes.into() }
    }

    /// Output on standard error.
    pub fn stderr(bytes: impl Into<Vec<u8>>) -> Self {
        Self { stream: Stream::Stderr, bytes: bytes.into() }
    }
}
