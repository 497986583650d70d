//! [`LocalExecutor`]: runs commands here, as children of this process.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{
        cancel::CancelView,
        error::Error,
        executor::{Command, Executor, Output},
        outcome::Exit,
    },
    process::{self, Context, Guard},
};

/// Runs commands on this machine, each in a session and a process group of its own, without a
/// terminal.
///
/// A command gets its own environment and nothing of this process's, but for `TINYCI_GUARD`, by which
/// it is found where this process is killed while starting it; `/dev/null` or its input as standard
/// input; and no other file that tinyci has opened.
///
/// When its deadline passes or a cancel is raised, its whole group gets TERM, then KILL once the
/// [grace](LocalExecutor::grace) is over; at cancel level 2, KILL at once. After a natural end, what
/// it left running in the background is left alone, and is not listened to for long: a daemon that
/// a deploy hook starts must write to a file, for whatever else it writes to is closed. Only a fork
/// bomb is not left alone: its command fails with status 137. Processes that leave the group, as
/// `setsid` makes them do, are ended with it on Linux, if they descend from the command or keep
/// `TINYCI_GUARD` in their environment; see [`adopt_orphans`](crate::adopt_orphans) for the others. On
/// other systems they are out of reach.
///
/// A program or directory that does not exist makes the command fail with status 127, one that
/// can't be used with 126; its output says why.
///
/// Should this process be killed, a shell that watches it kills what it started.
///
/// ```
/// use tinyci::{CancelToken, executor::{CancelView, Command, Executor, Exit, LocalExecutor, Program}};
///
/// let command = Command::new(Program::Shell("echo hello; exit 3".to_owned()), "/");
/// let mut written = Vec::new();
/// let exit = LocalExecutor::default().execute(
///     &command,
///     &mut |output| written.extend(output.bytes),
///     &CancelView::new(&CancelToken::new(), 1),
/// )?;
/// assert_eq!((exit, written.as_slice()), (Exit::Code(3), b"hello\n".as_slice()));
/// # Ok::<(), tinyci::Error>(())
/// ```
pub struct LocalExecutor {
    guard: Arc<Guard>,
    grace: Duration,
}

impl LocalExecutor {
    /// The grace that commands have unless something else is said: ten seconds.
    pub const GRACE: Duration = Duration::from_secs(10);

    /// An executor whose commands are ended by this guard, which its run shares.
    pub(crate) fn guarded(guard: Arc<Guard>) -> Self {
        Self { guard, grace: Self::GRACE }
    }

    /// Sets how long a command has between TERM and KILL.
    ///
    /// ```
    /// use std::time::Duration;
    /// let executor = tinyci::executor::LocalExecutor::default().grace(Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }
}

impl Default for LocalExecutor {
    fn default() -> Self {
        Self::guarded(Arc::new(Guard::new(None)))
    }
}

impl Executor for LocalExecutor {
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error> {
        let context = Context { guard: &self.guard, grace: self.grace };
        process::run(command, &context, output, cancel)
    }
}
