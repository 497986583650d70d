//! Runs one command from its start to its end.
//!
//! Two threads do this. The caller's thread passes output to a sink that may block for any time.
//! Another thread, the [`Watchdog`], checks the deadline and the cancellation. The process is not
//! reaped until neither thread can signal it, so that its pid is not reused.

use std::{
    io::{self, PipeReader},
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    sync::atomic::AtomicBool,
    thread,
    time::{Duration, Instant},
};

use crate::{
    model::{
        cancel::CancelView,
        error::{Error, ErrorKind},
        executor::{Command, Output, OutputMode},
        outcome::Exit,
    },
    process::{
        escapees::Escapees,
        guard::Guard,
        orphans,
        pipe::Pipes,
        program::{self, Start},
        watch::Watchdog,
    },
};

/// The output and the exit code of a command whose remaining processes had to be killed.
const KILLED_LEFTOVERS: &str =
    "killed the processes that the command left behind: their number kept growing\n";
const KILLED_LEFTOVERS_CODE: i32 = 137;

/// Set explicitly, because the standard library would otherwise read the environment, which belongs
/// to the host.
const WATCHER_STACK: usize = 1 << 20;

/// What all commands of a run share.
pub(crate) struct Context<'a> {
    /// Ends the command if this process is killed.
    pub(crate) guard: &'a Guard,
    /// The time between SIGTERM and SIGKILL.
    pub(crate) grace: Duration,
}

/// Runs a command to its end and passes on its output as it is written.
///
/// If the command cannot start because of the commit (no such program, no such directory), its
/// output says so. The exit code is 127 or 126, as in a shell. Background processes keep running
/// after the command's end, unless they are a fork bomb. At the deadline or a cancellation, the
/// whole process group is ended.
///
/// # Errors
///
/// [`Spawn`](ErrorKind::Spawn) if the system cannot start another process or has no shell;
/// [`ChildLost`](ErrorKind::ChildLost) if other code in this process took the exit status;
/// [`Io`](ErrorKind::Io) if input or output fails.
pub(crate) fn run(
    command: &Command,
    context: &Context<'_>,
    output: &mut dyn FnMut(Output),
    cancel: &CancelView,
) -> Result<Exit, Error> {
    if cancel.is_canceled() {
        return Ok(Exit::Canceled);
    }
    if command.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
        return Ok(Exit::TimedOut);
    }
    // The guard gets a mark before the command starts. The command's pid is only known later, when
    // the command may already have run for a while.
    let pending = context.guard.begin()?;
    let _running = orphans::running();
    let (child, pipes) = match program::start(command, pending.mark())? {
        Start::Started(child, pipes) => (child, pipes),
        Start::Refused { status, line } => {
            output(own_message(line, command.output));
            return Ok(Exit::Code(status));
        }
    };
    let watchdog = Watchdog {
        child: &child,
        deadline: command.deadline,
        cancel,
        grace: context.grace,
        escapees: Escapees::of(child.group(), pending.mark()),
        abandoned: AtomicBool::new(false),
    };
    let result = catch_unwind(AssertUnwindSafe(|| {
        pending.add(child.group())?;
        child.group().raise_niceness(command.nice);
        run_to_end(&watchdog, pipes, command.output, output)
    }));
    if !matches!(result, Ok(Ok(_))) {
        // The watchdog may not have run. If it did, the command has ended and this does nothing.
        watchdog.abandon();
        let _ = watchdog.follow();
    }
    // A process that survives SIGKILL is neither reaped nor removed from the guard, so its pid is
    // not reused.
    if child.has_ended() {
        context.guard.remove(child.group());
        child.reap();
        orphans::reap();
    }
    let result = result.unwrap_or_else(|panic| resume_unwind(panic));
    result.map_err(|error| error.with_path(&command.cwd))
}

/// Returns a message of tinyci for the command's output, on standard error if that is separate.
fn own_message(line: impl Into<Vec<u8>>, mode: OutputMode) -> Output {
    match mode {
        OutputMode::Merged => Output::stdout(line),
        OutputMode::Split => Output::stderr(line),
    }
}

/// Passes on output and watches the command until it has ended.
fn run_to_end(
    watchdog: &Watchdog<'_>,
    pipes: Pipes,
    mode: OutputMode,
    output: &mut dyn FnMut(Output),
) -> Result<Exit, Error> {
    // Nothing is written to this pipe. When its writer is closed, the command has ended.
    let (ended_pipe, watching) = io::pipe().map_err(|error| cannot_create("a pipe", error))?;
    thread::scope(|scope| {
        let watcher = thread::Builder::new().name("tinyci-watch".to_owned());
        let watcher = watcher.stack_size(WATCHER_STACK);
        let follow = || {
            let _watching = watching;
            watchdog.follow()
        };
        let watcher = watcher.spawn_scoped(scope, follow);
        let watcher = watcher.map_err(|error| cannot_create("a thread", error))?;
        let passed = pass_output(watchdog, pipes, &ended_pipe, output);
        let result = watcher.join().unwrap_or_else(|panic| resume_unwind(panic));
        match (passed?, result?) {
            (true, Exit::Code(_) | Exit::Signal(_)) if watchdog.kill_growing_leftovers() => {
                output(own_message(KILLED_LEFTOVERS, mode));
                Ok(Exit::Code(KILLED_LEFTOVERS_CODE))
            }
            (_, exit) => Ok(exit),
        }
    })
}

/// Passes on output. If the sink panics or a pipe fails, ends the command at once. Returns true if
/// a process still has the pipes open.
fn pass_output(
    watchdog: &Watchdog<'_>,
    pipes: Pipes,
    ended_pipe: &PipeReader,
    output: &mut dyn FnMut(Output),
) -> Result<bool, Error> {
    let passed = catch_unwind(AssertUnwindSafe(|| pipes.pass_output(ended_pipe, output)));
    if !matches!(passed, Ok(Ok(_))) {
        watchdog.abandon();
    }
    let passed = passed.unwrap_or_else(|panic| resume_unwind(panic));
    passed.map_err(|error| {
        Error::new(ErrorKind::Io, "cannot read the output of a command").with_source(error)
    })
}

fn cannot_create(what: &str, error: io::Error) -> Error {
    Error::new(ErrorKind::Spawn, format!("cannot create {what} for a command")).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        ffi::OsStr,
        fs,
        os::unix::{ffi::OsStrExt, fs::PermissionsExt},
        path::{Path, PathBuf},
        process::Command as Builder,
    };

    use rustix::process::Signal;
    use tempfile::TempDir;

    use super::*;
    use crate::{
        model::{
            cancel::CancelToken,
            executor::{Program, Stream},
        },
        process::pipe::QUIET_TIME_MAX,
        testing::{eventually, is_alive},
    };

    /// Longer than any test may take.
    const HOUR: Duration = Duration::from_secs(3600);

    /// The parts that a command needs, and the output that it wrote.
    struct TestRun {
        dir: TempDir,
        guard: Guard,
        grace: Duration,
        cancel: CancelToken,
        output: Vec<Output>,
    }

    impl TestRun {
        fn new() -> Self {
            Self {
                dir: TempDir::new().unwrap(),
                guard: Guard::new(None),
                grace: HOUR,
                cancel: CancelToken::new(),
                output: Vec::new(),
            }
        }

        fn path(&self, name: &str) -> PathBuf {
            self.dir.path().join(name)
        }

        fn shell(&self, text: &str) -> Command {
            Command::new(Program::Shell(text.to_owned()), self.dir.path())
        }

        fn argv(&self, words: &[&str]) -> Command {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            Command::new(Program::Argv(words), self.dir.path())
        }

        fn run(&mut self, command: &Command) -> Result<Exit, Error> {
            self.run_while(command, |_| {})
        }

        /// Runs a command and calls `meanwhile` with all its output so far, at each chunk.
        fn run_while(
            &mut self,
            command: &Command,
            mut meanwhile: impl FnMut(&str),
        ) -> Result<Exit, Error> {
            let Self { guard, grace, output, .. } = self;
            let context = Context { guard, grace: *grace };
            let mut sink = |piece: Output| {
                output.push(piece);
                meanwhile(&text_of(output));
            };
            run(command, &context, &mut sink, &CancelView::new(&self.cancel, 1))
        }

        /// Runs a script and cancels it to this level when it has written `ready`.
        fn cancel_when_ready(&mut self, script: &str, level: u8) -> Exit {
            let cancel = self.cancel.clone();
            let exit = self.run_while(&self.shell(script), |written| {
                while written.contains("ready") && cancel.level() < level {
                    cancel.cancel();
                }
            });
            exit.unwrap()
        }

        fn text(&self) -> String {
            text_of(&self.output)
        }

        /// Returns the pids that it wrote, one per line.
        fn processes(&self) -> Vec<i32> {
            self.text().lines().filter_map(|line| line.parse().ok()).collect()
        }

        fn assert_all_dead(&self, at_least: usize) {
            let processes = self.processes();
            assert!(processes.len() >= at_least, "{processes:?}");
            let alive: Vec<_> =
                processes.into_iter().filter(|process| is_alive(*process)).collect();
            assert!(alive.is_empty(), "{alive:?} live on");
        }
    }

    fn text_of(output: &[Output]) -> String {
        let bytes: Vec<u8> = output.iter().flat_map(|piece| piece.bytes.clone()).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    fn kill(process: i32) {
        let process = rustix::process::Pid::from_raw(process).unwrap();
        let _ = rustix::process::kill_process(process, Signal::KILL);
    }

    /// Runs an ignored test of this file in another process, with this shell script.
    fn in_another_process(script: &str, test: &str) {
        let mut builder = Builder::new("/bin/sh");
        builder.args(["-c", script, "sh"]).arg(std::env::current_exe().unwrap());
        builder.args(["--exact", &format!("process::command::tests::{test}"), "--ignored"]);
        let output = builder.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
    }

    #[test]
    fn merged_output_keeps_its_order() {
        let mut stage = TestRun::new();
        let script = "i=0; while [ $i -lt 300 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
        assert_eq!(stage.run(&stage.shell(script)).unwrap(), Exit::Code(0));
        let expected: String = (0..300).map(|i| format!("o{i}\ne{i}\n")).collect();
        assert_eq!(stage.text(), expected);
        assert!(stage.output.iter().all(|piece| piece.stream == Stream::Stdout));
    }

    #[test]
    fn split_output_tells_the_streams_apart() {
        let mut stage = TestRun::new();
        let mut command = stage.shell("echo out; echo err >&2; echo more");
        command.output = OutputMode::Split;
        assert_eq!(stage.run(&command).unwrap(), Exit::Code(0));
        let (err, out): (Vec<_>, Vec<_>) =
            stage.output.drain(..).partition(|piece| piece.stream == Stream::Stderr);
        assert_eq!((text_of(&out), text_of(&err)), ("out\nmore\n".into(), "err\n".into()));
    }

    #[test]
    fn output_comes_while_it_is_produced_and_may_be_any_bytes() {
        let mut stage = TestRun::new();
        let gate = stage.path("gate");
        let script = "printf '\\377\\0\\376'; until [ -e gate ]; do sleep 0.01; done; printf end";
        let exit = stage.run_while(&stage.shell(script), |_| fs::write(&gate, "").unwrap());
        assert_eq!(exit.unwrap(), Exit::Code(0));
        assert_eq!(stage.output.first().unwrap().bytes, b"\xff\0\xfe");
        assert!(stage.text().ends_with("end"));
    }

    #[test]
    fn codes_and_signals_are_reported() {
        let expected = [
            ("true", Exit::Code(0)),
            ("exit 255", Exit::Code(255)),
            ("kill -s KILL $$", Exit::Signal(9)),
            ("kill -s TERM $$", Exit::Signal(15)),
            ("nothing-of-this-name", Exit::Code(127)),
            ("if", Exit::Code(2)),
        ];
        for (script, exit) in expected {
            let mut stage = TestRun::new();
            assert_eq!(stage.run(&stage.shell(script)).unwrap(), exit, "{script}");
        }
    }

    #[test]
    fn a_shell_text_arrives_as_it_is() {
        let mut stage = TestRun::new();
        let command = stage.shell("printf '%s|' \"it's\" 'a  b' \"$HOME_OF_NOBODY\" '%' 'ö'\necho");
        stage.run(&command).unwrap();
        assert_eq!(stage.text(), "it's|a  b||%|ö|\n");
    }

    #[test]
    fn a_flood_comes_in_pieces_and_waits_for_a_slow_sink() {
        let stage = TestRun::new();
        let command = stage.shell("head -c 64000000 /dev/zero");
        let context = Context { guard: &stage.guard, grace: HOUR };
        let (mut total, mut longest) = (0, 0);
        let mut sink = |piece: Output| {
            total += piece.bytes.len();
            longest = longest.max(piece.bytes.len());
            if total % 50 == 0 {
                thread::yield_now();
            }
        };
        let exit = run(&command, &context, &mut sink, &CancelView::new(&stage.cancel, 1));
        assert_eq!((exit.unwrap(), total), (Exit::Code(0), 64_000_000));
        assert!(longest <= 64 * 1024);
    }

    #[test]
    fn whoever_leaves_nothing_behind_is_not_waited_for() {
        let mut stage = TestRun::new();
        let command = stage.shell("echo done");
        let fastest = (0..20).map(|_| {
            let pending = Instant::now();
            stage.run(&command).unwrap();
            pending.elapsed()
        });
        assert!(fastest.min().unwrap() < QUIET_TIME_MAX);
    }

    #[test]
    fn a_background_process_that_holds_stdout_does_not_hold_the_run() {
        for end in ["exit 0", "exit 4"] {
            let mut stage = TestRun::new();
            let script = format!("sleep 600 & echo $!; {end}");
            let exit = stage.run(&stage.shell(&script)).unwrap();
            assert_eq!(exit.outcome().passed(), end == "exit 0");
            let daemon = *stage.processes().first().unwrap();
            assert!(is_alive(daemon), "it is left alone");
            kill(daemon);
        }
    }

    #[test]
    fn a_background_process_that_never_is_silent_does_not_hold_the_run() {
        let mut stage = TestRun::new();
        let exit = stage.run(&stage.shell("yes & head -c 50000 /dev/zero")).unwrap();
        assert_eq!(exit, Exit::Code(0));
        let zeros: usize =
            stage.output.iter().map(|piece| piece.bytes.iter().filter(|b| **b == 0).count()).sum();
        assert_eq!(zeros, 50_000, "what the command itself wrote is passed on whole");
    }

    #[test]
    fn a_deadline_ends_a_silent_command_and_its_children() {
        let mut stage = TestRun::new();
        let mut command = stage.shell("sh -c 'echo $$; sleep 600; :' & echo $$; wait");
        command.deadline = Some(Instant::now() + Duration::from_millis(500));
        assert_eq!(stage.run(&command).unwrap(), Exit::TimedOut);
        stage.assert_all_dead(0);
    }

    #[test]
    fn a_canceled_command_has_its_grace() {
        let mut stage = TestRun::new();
        let script = "trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
        assert_eq!(stage.cancel_when_ready(script, 1), Exit::Canceled);
        assert!(stage.text().ends_with("cleaned\n"), "{}", stage.text());
    }

    #[test]
    fn a_child_has_its_grace_though_its_leader_died_at_once() {
        let mut stage = TestRun::new();
        let script = "sh -c 'trap \"sleep 0.2; echo cleaned; exit\" TERM; echo ready
            while :; do sleep 0.01; done' & wait";
        assert_eq!(stage.cancel_when_ready(script, 1), Exit::Canceled);
        assert!(stage.text().ends_with("cleaned\n"), "{}", stage.text());
    }

    /// A child that ignores SIGTERM. It writes its pid, then that it is ready.
    const DEAF_CHILD: &str =
        "sh -c 'trap \"\" TERM; echo $$; echo ready; while :; do sleep 1; done'";

    #[test]
    fn whoever_ignores_term_is_killed() {
        for leader in ["trap '' TERM; echo $$;", "echo $$;"] {
            let mut stage = TestRun::new();
            stage.grace = Duration::from_millis(100);
            let exit = stage.cancel_when_ready(&format!("{leader} {DEAF_CHILD} & wait"), 1);
            assert_eq!(exit, Exit::Canceled);
            stage.assert_all_dead(2);
        }
    }

    #[test]
    fn cancel_level_two_knows_no_grace() {
        let mut stage = TestRun::new();
        assert_eq!(stage.cancel_when_ready(&format!("{DEAF_CHILD} & wait"), 2), Exit::Canceled);
        stage.assert_all_dead(1);
    }

    #[test]
    fn cancel_level_two_cuts_a_grace_short() {
        let mut stage = TestRun::new();
        let script = "trap 'echo termed' TERM; echo $$; echo ready; while :; do sleep 0.01; done";
        let cancel = stage.cancel.clone();
        let exit = stage.run_while(&stage.shell(script), |written| {
            let level = if written.contains("termed") { 2 } else { 1 };
            while written.contains("ready") && cancel.level() < level {
                cancel.cancel();
            }
        });
        assert_eq!(exit.unwrap(), Exit::Canceled);
        stage.assert_all_dead(1);
    }

    #[test]
    fn a_stopped_command_dies_too() {
        let mut stage = TestRun::new();
        let mut command = stage.shell("echo $$; kill -s STOP $$");
        command.deadline = Some(Instant::now() + Duration::from_millis(500));
        assert_eq!(stage.run(&command).unwrap(), Exit::TimedOut);
        stage.assert_all_dead(0);
    }

    #[test]
    fn a_bomb_of_deaf_shells_is_ended_whole() {
        let mut stage = TestRun::new();
        stage.grace = Duration::from_millis(100);
        let script = "trap '' TERM
            bomb() {
                sh -c 'echo $PPID'
                [ $1 -eq 0 ] && echo ready
                [ $1 -gt 0 ] && { bomb $(($1 - 1)) & bomb $(($1 - 1)) & }
                while :; do sleep 1; done
            }
            bomb 4";
        assert_eq!(stage.cancel_when_ready(script, 1), Exit::Canceled);
        stage.assert_all_dead(5);
    }

    #[test]
    fn a_bomb_that_outlives_its_command_is_ended_whole() {
        let mut stage = TestRun::new();
        // It forks three processes at a time, up to 300, and all of them remain.
        let script = "trap '' TERM
            bomb() {
                sh -c 'echo $PPID'
                [ $1 -gt 300 ] && exit
                for i in 0 1 2; do bomb $(($1 * 3 + i)) & done
                while :; do sleep 1; done
            }
            bomb 1 &";
        assert_eq!(stage.run(&stage.shell(script)).unwrap(), Exit::Code(KILLED_LEFTOVERS_CODE));
        assert!(stage.text().ends_with(KILLED_LEFTOVERS));
        stage.assert_all_dead(1);
    }

    /// Leaves the group three times: as a child, as an orphan, and as a child without the mark. All
    /// say their numbers and ignore TERM.
    #[cfg(target_os = "linux")]
    const ESCAPE: &str = "deaf='trap \"\" TERM; echo $$; while :; do sleep 1; done'
        setsid sh -c \"$deaf\" & (setsid sh -c \"$deaf\" &)
        env -i setsid /bin/sh -c \"$deaf\" &";

    #[test]
    #[cfg(target_os = "linux")]
    fn what_leaves_the_group_is_ended_by_deadline_and_cancel() {
        for level in [1, 2] {
            let mut stage = TestRun::new();
            stage.grace = Duration::from_millis(100);
            let cancel = stage.cancel.clone();
            let exit = stage.run_while(&stage.shell(&format!("{ESCAPE} wait")), |written| {
                while written.lines().count() == 3 && cancel.level() < level {
                    cancel.cancel();
                }
            });
            assert_eq!(exit.unwrap(), Exit::Canceled);
            stage.assert_all_dead(3);
        }
        let mut stage = TestRun::new();
        stage.grace = Duration::from_millis(100);
        let mut command = stage.shell(&format!("{ESCAPE} wait"));
        command.deadline = Some(Instant::now() + Duration::from_secs(2));
        assert_eq!(stage.run(&command).unwrap(), Exit::TimedOut);
        stage.assert_all_dead(0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_leaves_the_group_outlives_a_natural_end_and_the_end_of_the_next_command() {
        let mut stage = TestRun::new();
        let script = "(setsid sh -c 'echo $$; exec sleep 600' &) | head -n 1";
        assert_eq!(stage.run(&stage.shell(script)).unwrap(), Exit::Code(0));
        let daemon = *stage.processes().first().unwrap();
        assert_eq!(stage.cancel_when_ready("echo ready; sleep 600", 2), Exit::Canceled);
        assert!(is_alive(daemon), "it is left alone");
        kill(daemon);
    }

    #[test]
    fn a_deadline_holds_while_the_sink_blocks() {
        let mut stage = TestRun::new();
        let mut command = stage.shell("echo $$; yes");
        command.deadline = Some(Instant::now() + Duration::from_millis(500));
        let exit = stage.run_while(&command, |written| {
            if let Some(process) = written.lines().next().and_then(|line| line.parse::<i32>().ok())
            {
                eventually("it ends", || !is_alive(process));
            }
        });
        assert_eq!(exit.unwrap(), Exit::TimedOut);
        stage.assert_all_dead(0);
    }

    #[test]
    fn what_ended_by_itself_before_its_deadline_is_not_timed_out() {
        let mut stage = TestRun::new();
        let mut command = stage.shell("echo $$");
        let deadline = Instant::now() + Duration::from_secs(2);
        command.deadline = Some(deadline);
        let exit =
            stage.run_while(&command, |_| eventually("the deadline", || Instant::now() > deadline));
        assert_eq!(exit.unwrap(), Exit::Code(0));
    }

    #[test]
    fn nothing_is_started_too_late() {
        let mut stage = TestRun::new();
        let mut command = stage.shell("touch started");
        command.deadline = Some(Instant::now());
        assert_eq!(stage.run(&command).unwrap(), Exit::TimedOut);
        stage.cancel.cancel();
        assert_eq!(stage.run(&command).unwrap(), Exit::Canceled);
        assert!(!stage.path("started").exists());
    }

    #[test]
    fn a_sink_that_panics_leaves_nothing_behind() {
        let mut stage = TestRun::new();
        let mut process = 0;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            stage.run_while(&stage.shell("echo $$; sleep 600; :"), |written| {
                process = written.trim().parse().unwrap();
                panic!("the sink's own");
            })
        }));
        assert!(panicked.is_err());
        assert!(!is_alive(process));
    }

    #[test]
    fn input_is_read_whole_and_may_be_left_unread() {
        let mut stage = TestRun::new();
        let input: Vec<u8> = (0..1_048_576u32).map(|i| (i * 7 % 251) as u8).collect();
        let mut command = stage.argv(&["cat"]);
        command.input = Some(input.clone());
        assert_eq!(stage.run(&command).unwrap(), Exit::Code(0));
        let written: Vec<u8> = stage.output.drain(..).flat_map(|piece| piece.bytes).collect();
        assert!(written == input);
        command.program = Program::Argv(vec!["true".to_owned()]);
        assert_eq!(stage.run(&command).unwrap(), Exit::Code(0));
    }

    #[test]
    fn without_input_it_reads_the_end_at_once() {
        let mut stage = TestRun::new();
        assert_eq!(stage.run(&stage.argv(&["cat"])).unwrap(), Exit::Code(0));
        assert_eq!(stage.text(), "");
    }

    #[test]
    fn the_environment_is_its_own_and_nothing_of_the_hosts() {
        in_another_process("export OF_THE_HOST=1; exec \"$@\"", "with_a_variable_of_the_host");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn with_a_variable_of_the_host() {
        let mut stage = TestRun::new();
        let mut command = stage.argv(&["env"]);
        let bytes = OsStr::from_bytes(b"\xff\n").to_owned();
        command.env = BTreeMap::from([("A".into(), "ö '1'".into()), ("B".into(), bytes)]);
        stage.run(&command).unwrap();
        let written: Vec<u8> = stage.output.iter().flat_map(|it| it.bytes.clone()).collect();
        let written = written.escape_ascii().to_string();
        let own = "A=\\xc3\\xb6 \\'1\\'\\nB=\\xff\\n\\n";
        assert!(written.starts_with(own), "{written}");
        assert!(written[own.len()..].starts_with("TINYCI_GUARD="), "{written}");
        assert_eq!(written.matches('=').count(), 3, "{written}");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_command_has_no_terminal_that_could_stop_it() {
        use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let mut stage = TestRun::new();
        let this = std::env::current_exe().unwrap().display().to_string();
        let test = "process::command::tests::on_a_terminal";
        // As the leader of a session, it gets the first terminal that it opens.
        let script = "exec <\"$0\"; exec \"$@\"";
        let words = ["sh", "-c", script, &name, &this, "--exact", test, "--ignored"];
        let exit = stage.run(&stage.argv(&words)).unwrap();
        assert_eq!(exit, Exit::Code(0), "{}", stage.text());
        assert!(stage.text().contains("1 passed"), "{}", stage.text());
    }

    #[test]
    #[cfg(target_os = "linux")]
    #[ignore = "run by the test above"]
    fn on_a_terminal() {
        fs::File::open("/dev/tty").unwrap();
        for script in ["read line </dev/tty || echo on", "stty -F /dev/tty -echo || echo on"] {
            let mut stage = TestRun::new();
            let deadline = Instant::now().checked_add(Duration::from_secs(60));
            let command = Command { deadline, ..stage.shell(script) };
            let exit = stage.run(&command).unwrap();
            assert_eq!(exit, Exit::Code(0), "{}", stage.text());
            assert!(stage.text().ends_with("on\n"), "{}", stage.text());
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_command_leads_a_session_and_no_signal_is_blocked() {
        in_another_process("exec env --block-signal=TERM \"$@\"", "with_a_blocked_signal");
    }

    #[test]
    #[cfg(target_os = "linux")]
    #[ignore = "run by the test above"]
    fn with_a_blocked_signal() {
        let blocked = |status: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix("SigBlk:")).unwrap();
            u64::from_str_radix(line.trim(), 16).unwrap()
        };
        assert_ne!(blocked(&fs::read_to_string("/proc/thread-self/status").unwrap()), 0);
        let mut stage = TestRun::new();
        // Not with a shell, because shells sometimes block signals.
        stage.run(&stage.argv(&["cat", "/proc/self/stat", "/proc/self/status"])).unwrap();
        let text = stage.text();
        let numbers: Vec<&str> = text.split(' ').collect();
        let [process, name, _, _, group, session, ..] = numbers[..] else { panic!("{text}") };
        assert_eq!((name, group, session), ("(cat)", process, process));
        assert_eq!(blocked(&text), 0);
    }

    #[test]
    fn a_nice_command_is_nice_and_so_is_what_it_starts() {
        let mut stage = TestRun::new();
        let host = "nice";
        stage.run(&stage.shell(host)).unwrap();
        let of_host: i32 = stage.text().trim().parse().unwrap();
        let mut stage = TestRun::new();
        // Commands that start within microseconds may not have the niceness yet.
        let text = "n=0; while [ $(nice) != $0 ] && [ $n -lt 1000 ]; do n=$((n+1)); done; nice";
        let text = text.replace("$0", &(of_host + 7).min(19).to_string());
        let command = Command { nice: 7, ..stage.shell(&text) };
        stage.run(&command).unwrap();
        assert_eq!(stage.text().trim(), (of_host + 7).min(19).to_string());
    }

    #[test]
    fn a_command_leads_its_group_and_runs_in_its_directory() {
        let mut stage = TestRun::new();
        let script = "cut -d' ' -f5 /proc/$$/stat; echo $$; pwd -P";
        stage.run(&stage.shell(script)).unwrap();
        let own = stage.processes();
        assert_eq!(own.first(), own.last());
        let dir = stage.dir.path().canonicalize().unwrap();
        assert_eq!(stage.text().lines().last(), dir.to_str());
    }

    #[test]
    fn a_command_inherits_nothing_that_was_opened_here() {
        in_another_process("exec \"$@\"", "with_a_lock_and_a_guard");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn with_a_lock_and_a_guard() {
        // The descriptors of this process before the test opens any.
        let before = Builder::new("ls").arg("/proc/self/fd").output().unwrap().stdout;
        let mut stage = TestRun::new();
        let lock = fs::File::create(stage.path("lock")).unwrap();
        stage.guard = Guard::new(Some(lock));
        let mut command = stage.argv(&["ls", "/proc/self/fd"]);
        command.input = Some(b"something".to_vec());
        stage.run(&command).unwrap();
        assert_eq!(stage.text().as_bytes(), before);
    }

    #[test]
    fn what_the_commit_names_wrongly_fails_as_in_a_shell() {
        let mut stage = TestRun::new();
        fs::write(stage.path("plain"), "#!/bin/sh\n").unwrap();
        fs::write(stage.path("garbage"), "\u{1}\u{2}").unwrap();
        fs::set_permissions(stage.path("garbage"), PermissionsExt::from_mode(0o755)).unwrap();
        let elsewhere = |command: Command, cwd: &str| Command { cwd: stage.path(cwd), ..command };
        let long = "x".repeat(3_000_000);
        let refused = [
            (stage.argv(&["no-such-program"]), 127, "no-such-program"),
            (stage.argv(&[""]), 127, "cannot run ``"),
            (stage.argv(&["./no-such-program"]), 127, "./no-such-program"),
            (stage.argv(&["./plain"]), 126, "./plain"),
            (stage.argv(&["./garbage"]), 126, "./garbage"),
            (stage.argv(&["./plain/x"]), 126, "./plain/x"),
            (stage.argv(&["true", &long]), 126, "true"),
            (stage.argv(&["true", "a\0b"]), 126, "nul byte"),
            (stage.shell(&long), 126, "/bin/sh"),
            (elsewhere(stage.shell("true"), "missing"), 127, "missing"),
            (elsewhere(stage.argv(&["true"]), "plain"), 126, "plain"),
        ];
        for (command, status, said) in refused {
            assert_eq!(stage.run(&command).unwrap(), Exit::Code(status), "{said}");
            assert!(stage.text().contains(said), "{said}: {}", stage.text());
            stage.output.clear();
        }
        let nameless = stage.argv(&[]);
        assert_eq!(stage.run(&nameless).unwrap_err().kind(), ErrorKind::InvalidArg);
    }

    #[test]
    fn a_refusal_is_told_on_standard_error() {
        let mut stage = TestRun::new();
        let mut command = stage.argv(&["no-such-program"]);
        command.output = OutputMode::Split;
        stage.run(&command).unwrap();
        assert_eq!(stage.output.first().unwrap().stream, Stream::Stderr);
    }

    #[test]
    fn programs_are_found_in_the_path_and_directory_of_the_command() {
        let mut stage = TestRun::new();
        let tool = |name: &str, mode: u32| {
            let path: &Path = &stage.path(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "#!/bin/sh\necho \"this is $0\"\n").unwrap();
            fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
        };
        tool("first/tool", 0o644);
        tool("second/tool", 0o755);
        let mut command = stage.argv(&["tool"]);
        let path = "first:second:/usr/bin:/bin";
        command.env = BTreeMap::from([("PATH".into(), path.into())]);
        // If another thread was writing the file while a child was starting, the file is busy until
        // the child has executed its program.
        while stage.run(&command).unwrap() == Exit::Code(126) {}
        assert!(stage.text().contains("second/tool"), "{}", stage.text());
        stage.output.clear();
        assert_eq!(stage.run(&stage.argv(&["second/tool"])).unwrap(), Exit::Code(0));
        assert!(stage.text().contains("second/tool"), "{}", stage.text());
    }

    #[test]
    fn a_machine_without_room_is_not_the_commits_fault() {
        in_another_process("ulimit -n 12; exec \"$@\"", "with_few_descriptors");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn with_few_descriptors() {
        let mut stage = TestRun::new();
        assert_eq!(stage.run(&stage.shell("true")).unwrap(), Exit::Code(0));
        let mut held = Vec::new();
        while let Ok(file) = fs::File::open("/dev/null") {
            held.push(file);
        }
        // Free one descriptor after the other: every shortage must be an error.
        while held.pop().is_some() {
            match stage.run(&stage.shell("true")) {
                Ok(exit) => assert_eq!(exit, Exit::Code(0)),
                Err(error) => assert_eq!(error.kind(), ErrorKind::Spawn, "{}", error.report()),
            }
        }
        assert_eq!(stage.run(&stage.shell("true")).unwrap(), Exit::Code(0));
    }

    #[test]
    fn a_status_that_is_lost_is_never_a_pass() {
        in_another_process("exec env --ignore-signal=CHLD \"$@\"", "with_sigchld_ignored");
    }

    #[test]
    #[ignore = "run by the test above"]
    fn with_sigchld_ignored() {
        let mut stage = TestRun::new();
        for script in ["true", "exit 3"] {
            let error = stage.run(&stage.shell(script)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ChildLost);
        }
        stage.grace = Duration::from_millis(100);
        let exit = stage.cancel_when_ready(&format!("{DEAF_CHILD} & wait"), 1);
        assert_eq!(exit, Exit::Canceled);
        stage.assert_all_dead(1);
    }
}
