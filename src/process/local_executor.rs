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
/// At the deadline or a cancellation, the whole process group gets SIGTERM, and SIGKILL after the
/// [grace period](LocalExecutor::grace). At cancel level 2, it gets SIGKILL at once. After a normal
/// end, background processes keep running, but tinyci soon stops reading their output. So redirect
/// the output of a daemon to a file. If the command is a fork bomb, its processes are killed and it
/// fails with exit code 137. Processes that leave the group, for example with `setsid`, are not
/// ended.
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
