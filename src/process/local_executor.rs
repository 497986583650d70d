//! [`LocalExecutor`]: runs commands as children of this process.

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

/// Runs commands on this machine, each in its own session and process group, without a terminal.
///
/// A command gets its own environment and no inherited variables. The one addition is
/// `TINYCI_GUARD`, which identifies the command if this process is killed while starting it.
/// Standard input is `/dev/null` or the command's input. It gets no other open file of tinyci.
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
/// If a program or directory does not exist, the command fails with exit code 127. If it cannot be
/// used, the exit code is 126. The output says why.
///
/// If this process is killed, a separate shell kills the commands.
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
    /// The default grace period of commands: 10 seconds.
    pub const GRACE: Duration = Duration::from_secs(10);

    /// Makes an executor whose commands are ended by this guard, which its run shares.
    pub(crate) fn guarded(guard: Arc<Guard>) -> Self {
        Self { guard, grace: Self::GRACE }
    }

    /// Sets the time between SIGTERM and SIGKILL.
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
