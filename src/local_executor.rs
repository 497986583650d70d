//! [`LocalExecutor`]: runs commands here, as children of this process.

use std::{sync::Arc, time::Duration};

use crate::{
    cancel::CancelView,
    error::Error,
    executor::{Command, Executor, Output},
    inherited::Inherited,
    outcome::Exit,
    process::{self, Context, Guard},
};

/// Runs commands on this machine, each in a process group of its own.
///
/// A command gets the environment of this process without the variables of git (`GIT_*`), then its
/// own, then `TINYCI_GUARD`, by which it is found where this process is killed while starting it;
/// `/dev/null` or its input as standard input; and no other file that tinyci has opened.
///
/// When its deadline passes or a cancel is raised, its whole group gets TERM, then KILL once the
/// [grace](LocalExecutor::grace) is over; at cancel level 2, KILL at once. After a natural end, what
/// it left running in the background is left alone, and is not listened to for long: a daemon that
/// a deploy hook starts must write to a file, for whatever else it writes to is closed. Only a fork
/// bomb is not left alone: its command fails with status 137. Processes that leave the group, as
/// `setsid` makes them do, are out of reach.
///
/// A program or directory that does not exist makes the command fail with status 127, one that
/// can't be used with 126; its output says why.
///
/// Should this process be killed, a shell that watches it kills what it started.
///
/// ```
/// use tinyci::{CancelToken, CancelView, Command, Executor, Exit, LocalExecutor, Program};
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
    inherited: Inherited,
    nice: u8,
}

impl LocalExecutor {
    /// The grace that commands have unless something else is said: ten seconds.
    pub const GRACE: Duration = Duration::from_secs(10);

    /// An executor whose commands are ended by this guard, which its run shares.
    pub(crate) fn guarded(guard: Arc<Guard>) -> Self {
        Self { guard, grace: Self::GRACE, inherited: Inherited::default(), nice: 0 }
    }

    /// Sets how long a command has between TERM and KILL.
    ///
    /// ```
    /// use std::time::Duration;
    /// let executor = tinyci::LocalExecutor::default().grace(Duration::from_secs(2));
    /// ```
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Lets only these variables of this process's environment through, by names and beginnings such
    /// as `DEPLOY_*`; all but git's without this call.
    ///
    /// `PATH HOME USER LOGNAME SHELL TMPDIR TZ LANG LANGUAGE LC_*` always pass, `GIT_*` never does.
    ///
    /// ```
    /// let executor = tinyci::LocalExecutor::default().inherit(["DEPLOY_*"]);
    /// ```
    #[must_use]
    pub fn inherit<S: Into<String>>(mut self, patterns: impl IntoIterator<Item = S>) -> Self {
        self.inherited = Inherited::only(patterns.into_iter().map(Into::into).collect());
        self
    }

    /// What commands inherit, as the repository's settings have it.
    pub(crate) fn inherited(self, inherited: Inherited) -> Self {
        Self { inherited, ..self }
    }

    /// Sets by how much commands stand back when others need the processor: 0 to 19, and 19 is
    /// what a larger number means. It is added to this process's own niceness.
    ///
    /// ```
    /// let executor = tinyci::LocalExecutor::default().nice(10);
    /// ```
    #[must_use]
    pub fn nice(mut self, nice: u8) -> Self {
        self.nice = nice.min(19);
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
        let Self { guard, grace, inherited, nice } = self;
        let context = Context { guard, grace: *grace, inherited, nice: *nice };
        process::run(command, &context, output, cancel)
    }
}
