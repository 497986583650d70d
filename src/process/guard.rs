//! Ends the processes that this process started if this process is killed.
//!
//! A shell is informed of every process group that starts and ends. When this process dies, the
//! kernel closes the socket between them. The shell reads the end of its input and kills the
//! remaining groups. It also has the open file of the run lock, so that no other run can take the
//! lock before that.
//!
//! A group has no id before its command runs, and this process may die before it can send the id.
//! The command itself may even cause that. So each command has a mark in its environment, which the
//! shell knows beforehand. This needs `/proc`. On other systems, such a command can escape.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs::File,
    io,
    os::{fd::AsFd, unix::net::UnixStream},
    path::Path,
    sync::Mutex,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustix::{
    net::{SendFlags, send},
    process::Signal,
};

use crate::{
    model::error::{Error, ErrorKind},
    process::{
        child::{Child, State},
        group::Group,
        spawn::Launch,
    },
    util::lock::lock,
};

/// The script of the shell.
const SCRIPT: &str = include_str!("guard.sh");

/// The environment variable with the mark of a command, until its pid is known.
pub(super) const VARIABLE: &str = "TINYCI_GUARD";

/// The guard of one run, shared by its workers. It starts no process before the first command.
pub(crate) struct Guard {
    state: Mutex<GuardState>,
}

/// The commands to end, and the shell that would end them.
struct GuardState {
    lock: Option<File>,
    /// The marks of commands that are about to start. `count` is the number of marks so far.
    pending: BTreeSet<String>,
    count: u64,
    /// The groups of running commands, with their marks.
    groups: BTreeMap<Group, String>,
    shell: Option<Shell>,
}

/// A command that is about to start. If this is dropped without [`add`](PendingCommand::add), the
/// command did not start.
pub(super) struct PendingCommand<'a> {
    guard: &'a Guard,
    mark: String,
}

impl Guard {
    /// Makes a guard that keeps this lock as long as it lives. `lock` must be a duplicate of the
    /// lock's own descriptor ([`File::try_clone`]), and not the file opened again.
    pub(crate) fn new(lock: Option<File>) -> Self {
        let (pending, groups) = (BTreeSet::new(), BTreeMap::new());
        Self { state: Mutex::new(GuardState { lock, pending, count: 0, groups, shell: None }) }
    }

    /// Announces a command. Its environment must contain the mark of the result.
    ///
    /// # Errors
    ///
    /// [`Spawn`](ErrorKind::Spawn) if the command cannot be guarded. It must not start then.
    pub(super) fn begin(&self) -> Result<PendingCommand<'_>, Error> {
        let mut state = lock(&self.state);
        state.count += 1;
        let mark = mark(state.count);
        state.pending.insert(mark.clone());
        let sent = state.tell(&begin_line(&mark));
        drop(state);
        // Make this first: if the shell cannot be informed, dropping it removes the mark.
        let pending = PendingCommand { guard: self, mark };
        sent.map(|()| pending)
    }

    /// Removes a group, whose id may be reused from now on.
    pub(super) fn remove(&self, group: Group) {
        let mut state = lock(&self.state);
        let Some(mark) = state.groups.remove(&group) else { return };
        // A shell that cannot be informed is gone. If another one cannot start either, the next
        // command reports it.
        let _ = state.tell(&format!("remove {} {VARIABLE}={mark}\n", group.number()));
    }

    /// Ends the shell and waits until it has released the lock.
    pub(crate) fn finish(&self) {
        let mut state = lock(&self.state);
        state.shell = None;
        state.lock = None;
    }
}

impl PendingCommand<'_> {
    /// Returns the value of [`VARIABLE`] for the command.
    pub(super) fn mark(&self) -> &str {
        &self.mark
    }

    /// Adds the group that the command leads.
    ///
    /// # Errors
    ///
    /// [`Spawn`](ErrorKind::Spawn) if the shell died and another one cannot start.
    pub(super) fn add(self, group: Group) -> Result<(), Error> {
        let mut state = lock(&self.guard.state);
        state.pending.remove(&self.mark);
        state.groups.insert(group, self.mark.clone());
        state.tell(&add_line(group, &self.mark))
    }
}

impl Drop for PendingCommand<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.guard.state);
        if state.pending.remove(&self.mark) {
            // An error has the same meaning as in `remove`.
            let _ = state.tell(&format!("end {VARIABLE}={}\n", self.mark));
        }
    }
}

impl GuardState {
    /// Sends a line to the shell. If this fails, starts another shell with the complete state.
    fn tell(&mut self, line: &str) -> Result<(), Error> {
        match self.shell.as_ref().map(|shell| shell.tell(line)) {
            Some(Ok(())) => Ok(()),
            _ => self.start_shell(),
        }
    }

    fn start_shell(&mut self) -> Result<(), Error> {
        // End a shell that still runs, so that the end of its input does not make it kill the
        // groups.
        self.shell = None;
        let pending = self.pending.iter().map(|mark| begin_line(mark));
        let groups = self.groups.iter().map(|(group, mark)| add_line(*group, mark));
        let all: String = pending.chain(groups).collect();
        let started = Shell::start(self.lock.as_ref()).and_then(|shell| {
            shell.tell(&all)?;
            Ok(shell)
        });
        self.shell = Some(started.map_err(|error| {
            Error::new(ErrorKind::Spawn, "cannot start `/bin/sh` to guard the commands")
                .with_source(error)
        })?);
        Ok(())
    }
}

fn add_line(group: Group, mark: &str) -> String {
    format!("add {} {VARIABLE}={mark}\n", group.number())
}

fn begin_line(mark: &str) -> String {
    format!("begin {VARIABLE}={mark}\n")
}

/// Makes a mark that is unique among all processes, so that no background process of an earlier run
/// has the same mark. The time is last and has a fixed length, so that no mark is the prefix of
/// another one, which the shell could not distinguish.
fn mark(count: u64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    format!("{count}.{}.{:016}", std::process::id(), now.as_micros())
}

/// The shell that runs [`SCRIPT`].
struct Shell {
    child: Child,
    input: UnixStream,
}

impl Shell {
    fn start(lock: Option<&File>) -> io::Result<Self> {
        let (input, shell_input) = UnixStream::pair()?;
        #[cfg(target_vendor = "apple")]
        rustix::net::sockopt::set_socket_nosigpipe(&input, true)?;
        // Standard output only keeps the lock open. Nothing is written to it.
        let null = File::options().write(true).open("/dev/null")?;
        let stdout = lock.unwrap_or(&null);
        let launch = Launch {
            program: Path::new("/bin/sh"),
            arguments: ["/bin/sh", "-c", SCRIPT].map(OsStr::new).into(),
            env: &BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
            cwd: Path::new("/"),
            streams: [shell_input.as_fd(), stdout.as_fd(), null.as_fd()],
        };
        Ok(Self { child: Child::new(launch.spawn()?), input })
    }

    /// Sends lines without waiting and without SIGPIPE. Fails if the shell is dead or does not
    /// read.
    fn tell(&self, lines: &str) -> io::Result<()> {
        #[cfg(target_vendor = "apple")]
        let flags = SendFlags::DONTWAIT;
        #[cfg(not(target_vendor = "apple"))]
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        let sent = if lines.is_empty() { 0 } else { send(&self.input, lines.as_bytes(), flags)? };
        // After an incomplete line, the shell must be replaced.
        if sent == lines.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
    }
}

impl Drop for Shell {
    /// Kills the shell, because it may be in any state, even stopped. It must not take the end of
    /// its input for the end of this process.
    fn drop(&mut self) {
        while self.child.state() == State::Running {
            self.child.group().signal(Signal::KILL);
            self.child.wait(Duration::from_millis(100));
        }
        self.child.reap();
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, TryLockError},
        net::Shutdown,
        os::unix::{fs::PermissionsExt, process::CommandExt},
        process::{Command as Builder, Stdio},
    };

    use rustix::process::{Pid, kill_process};
    use tempfile::TempDir;

    use super::*;
    use crate::{
        model::{
            cancel::{CancelToken, CancelView},
            executor::{Command, Program},
        },
        process::{
            command::{Context, run},
            program,
        },
        testing::{eventually, is_alive},
    };

    /// Starts a process that leads a group and sleeps.
    fn sleeper() -> Child {
        marked_sleeper("none")
    }

    /// Starts a process with a mark, as commands have.
    fn marked_sleeper(mark: &str) -> Child {
        let mut builder = Builder::new("sleep");
        builder.arg("600").process_group(0).stdout(Stdio::null()).env(VARIABLE, mark);
        Child::new(Pid::from_child(&builder.spawn().unwrap()))
    }

    fn number_in(path: &Path) -> Option<i32> {
        fs::read_to_string(path).ok()?.strip_suffix('\n')?.parse().ok()
    }

    impl Guard {
        fn add(&self, group: Group) {
            self.begin().unwrap().add(group).unwrap();
        }

        fn signal_shell(&self, signal: Signal) {
            lock(&self.state).shell.as_ref().unwrap().child.group().signal(signal);
        }

        /// Closes the shell's input, as the death of this process does.
        fn close_input(&self) {
            lock(&self.state).shell.as_ref().unwrap().input.shutdown(Shutdown::Both).unwrap();
        }
    }

    fn wait_for_death(child: &Child) {
        eventually("the child ends", || child.has_ended());
        child.reap();
    }

    #[test]
    fn at_the_end_of_its_input_it_kills_whoever_is_left() {
        let guard = Guard::new(None);
        let [first, gone, last] = [sleeper(), sleeper(), sleeper()];
        for child in [&first, &gone, &last] {
            guard.add(child.group());
        }
        guard.remove(gone.group());
        guard.close_input();
        wait_for_death(&first);
        wait_for_death(&last);
        assert!(!gone.has_ended(), "it was released");
        gone.group().signal(Signal::KILL);
        wait_for_death(&gone);
    }

    #[test]
    fn one_that_died_or_hangs_is_replaced_and_loses_nobody() {
        for signal in [Signal::KILL, Signal::STOP] {
            let guard = Guard::new(None);
            let [before, after] = [sleeper(), sleeper()];
            guard.add(before.group());
            guard.signal_shell(signal);
            let shell = || lock(&guard.state).shell.as_ref().unwrap().child.group();
            let lost = shell();
            // A stopped shell is detected only when the socket is full, a dead one at once.
            eventually("another shell", || {
                (0..100).for_each(|_| guard.add(after.group()));
                shell() != lost
            });
            guard.close_input();
            wait_for_death(&before);
            wait_for_death(&after);
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn it_kills_what_began_and_was_never_added_and_nothing_else() {
        for replaced in [false, true] {
            let guard = Guard::new(None);
            let [pending, other, refused] = [(); 3].map(|()| guard.begin().unwrap());
            let added = guard.begin().unwrap();
            let [first, last] = [&pending, &other].map(|pending| marked_sleeper(pending.mark()));
            let [left, removed] = [&refused, &added].map(|pending| marked_sleeper(pending.mark()));
            drop(refused);
            added.add(removed.group()).unwrap();
            guard.remove(removed.group());
            if replaced {
                lock(&guard.state).start_shell().unwrap();
            }
            guard.close_input();
            wait_for_death(&first);
            wait_for_death(&last);
            eventually("the shell ends", || {
                lock(&guard.state).shell.as_ref().unwrap().child.has_ended()
            });
            for child in [left, removed] {
                assert!(!child.has_ended(), "it was none of the guard's business any more");
                child.group().signal(Signal::KILL);
                wait_for_death(&child);
            }
        }
    }

    /// Starts a process that does not belong to the engine and looks as if it had just started: it
    /// leads a session and has no environment.
    #[cfg(target_os = "linux")]
    fn stranger() -> Child {
        let null = File::options().read(true).write(true).open("/dev/null").unwrap();
        let launch = Launch {
            program: Path::new("/bin/sleep"),
            arguments: ["sleep", "600"].map(OsStr::new).into(),
            env: &BTreeMap::new(),
            cwd: Path::new("/"),
            streams: [null.as_fd(), null.as_fd(), null.as_fd()],
        };
        Child::new(launch.spawn().unwrap())
    }

    /// The shell sleeps between its checks of the processes, so each call of `sleep` is one round of
    /// waiting.
    #[test]
    #[cfg(target_os = "linux")]
    fn it_does_not_wait_for_what_other_programs_start() {
        let dir = TempDir::new().unwrap();
        let at = |name: &str| dir.path().join(name);
        let [sleep, slept, lines, number] = ["sleep", "slept", "lines", "number"].map(at);
        fs::write(&sleep, format!("#!/bin/sh\necho >> '{}'\n", slept.display())).unwrap();
        fs::set_permissions(&sleep, PermissionsExt::from_mode(0o755)).unwrap();
        assert!(Builder::new("mkfifo").arg(&lines).status().unwrap().success());
        let engine = "/bin/sh -c \"$SCRIPT\" <lines & echo $! >number; exec /bin/sleep 600";
        let mut engine = Builder::new("/bin/sh")
            .args(["-c", engine])
            .current_dir(dir.path())
            .env("SCRIPT", SCRIPT)
            .env("PATH", format!("{}:/usr/bin:/bin", dir.path().display()))
            .spawn()
            .unwrap();
        // This waits until the shell reads.
        let mut input = File::options().write(true).open(&lines).unwrap();
        let stranger = stranger();
        std::io::Write::write_all(&mut input, b"begin NOBODY=1\n").unwrap();
        engine.kill().unwrap();
        engine.wait().unwrap();
        drop(input);
        eventually("the shell ends", || number_in(&number).is_some_and(|it| !is_alive(it)));
        assert!(!slept.exists(), "it waited {} times", fs::read(&slept).unwrap().len());
        assert!(!stranger.has_ended(), "it is none of the guard's business");
        stranger.group().signal(Signal::KILL);
        wait_for_death(&stranger);
    }

    #[test]
    fn no_mark_begins_another() {
        let guard = Guard::new(None);
        let pending: Vec<PendingCommand<'_>> = (0..12).map(|_| guard.begin().unwrap()).collect();
        for (at, one) in pending.iter().enumerate() {
            let others = pending.iter().enumerate().filter(|(other, _)| *other != at);
            others.for_each(|(_, other)| assert!(!other.mark().starts_with(one.mark())));
        }
    }

    #[test]
    fn it_shares_the_lock_until_it_is_sent_away() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("lock");
        let lock = File::create(&path).unwrap();
        lock.try_lock().unwrap();
        let guard = Guard::new(Some(lock.try_clone().unwrap()));
        drop(guard.begin().unwrap());
        guard.signal_shell(Signal::STOP);
        drop(lock);
        let other = File::open(&path).unwrap();
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        guard.finish();
        // A child that another test is starting may share the lock for a moment.
        eventually("the lock is free", || other.try_lock().is_ok());
        assert_eq!(fs::read(&path).unwrap(), b"", "nothing is ever written to it");
    }

    /// The variable with the directory for the engines of the tests below.
    const FOLDER: &str = "FOLDER_OF_THE_ENGINE_TO_BE_KILLED";

    /// A command that an engine runs until it is killed. Only SIGKILL ends it.
    const STUBBORN: &str = "trap '' TERM HUP
        (trap '' TERM HUP; sh -c 'echo $PPID' > child; while :; do sleep 1; done) &
        echo $$ > leader
        while :; do sleep 1; done";

    /// Runs an ignored test of this file as an engine, and kills it while its command runs.
    #[track_caller]
    fn assert_lock_outlives_commands_of(engine: &str) {
        let dir = TempDir::new().unwrap();
        let [leader, child] = ["leader", "child"].map(|name| dir.path().join(name));
        let mut builder = Builder::new(std::env::current_exe().unwrap());
        builder.args(["--exact", &format!("process::guard::tests::{engine}"), "--ignored"]);
        let mut engine = builder.env(FOLDER, dir.path()).stdout(Stdio::null()).spawn().unwrap();
        eventually("both have begun", || {
            number_in(&leader).is_some() && number_in(&child).is_some()
        });

        let lock = File::open(dir.path().join("lock")).unwrap();
        assert!(matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        let pid = Pid::from_child(&engine);
        kill_process(pid, Signal::KILL).unwrap();
        eventually("the lock is let go", || lock.try_lock().is_ok());
        for file in [leader, child] {
            let number = number_in(&file).unwrap();
            assert!(!is_alive(number), "{} lives on", file.display());
        }
        engine.wait().unwrap();
    }

    /// Makes a lock, its guard and a command, for an engine that a test kills.
    fn stage_of_an_engine() -> (File, Guard, Command) {
        stage_with(STUBBORN)
    }

    fn stage_with(script: &str) -> (File, Guard, Command) {
        let dir = std::env::var_os(FOLDER).expect("the test that runs it sets it");
        let dir = Path::new(&dir);
        let lock = File::create(dir.join("lock")).unwrap();
        lock.try_lock().unwrap();
        let guard = Guard::new(Some(lock.try_clone().unwrap()));
        (lock, guard, Command::new(Program::Shell(script.to_owned()), dir))
    }

    #[test]
    fn a_killed_engine_frees_its_lock_only_after_its_commands_are_dead() {
        assert_lock_outlives_commands_of("an_engine_to_be_killed");
    }

    #[test]
    #[ignore = "run by the test above, and killed"]
    fn an_engine_to_be_killed() {
        let (_lock, guard, command) = stage_of_an_engine();
        let context = Context { guard: &guard, grace: Duration::ZERO };
        let cancel = CancelView::new(&CancelToken::new(), 1);
        let _ = run(&command, &context, &mut |_| {}, &cancel);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nor_does_one_whose_command_left_its_group() {
        assert_lock_outlives_commands_of("an_engine_to_be_killed_with_an_escapee");
    }

    #[test]
    #[ignore = "run by the test above, and killed"]
    fn an_engine_to_be_killed_with_an_escapee() {
        let escape = "trap '' TERM HUP
            (setsid sh -c 'trap \"\" TERM HUP; echo $$ > child; while :; do sleep 1; done' &)
            echo $$ > leader
            while :; do sleep 1; done";
        let (_lock, guard, command) = stage_with(escape);
        let context = Context { guard: &guard, grace: Duration::ZERO };
        let cancel = CancelView::new(&CancelToken::new(), 1);
        let _ = run(&command, &context, &mut |_| {}, &cancel);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn nor_does_one_whose_command_was_faster_than_its_word_to_the_guard() {
        assert_lock_outlives_commands_of("an_engine_to_be_killed_before_it_tells");
    }

    #[test]
    #[ignore = "run by the test above, and killed"]
    fn an_engine_to_be_killed_before_it_tells() {
        let (_lock, guard, command) = stage_of_an_engine();
        let pending = guard.begin().unwrap();
        let _started = program::start(&command, pending.mark()).unwrap();
        loop {
            std::thread::park();
        }
    }
}
