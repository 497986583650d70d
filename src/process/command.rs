//! One command from its start to its end.
//!
//! Two threads serve it. The caller's carries output to a sink that may block for as long as it
//! likes; another one, the [`Watchdog`], looks at the deadline and the cancel meanwhile. The process
//! stays unreaped until neither can signal it any more: until then its number is nobody else's.

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

/// What a command says, and the status that it fails with, whose leftovers had to be killed.
const DEFUSED: &str =
    "killed the processes that the command left behind: their number kept growing\n";
const DEFUSED_STATUS: i32 = 137;

/// Said, since the standard library would look for it in the environment, which is not ours to read
/// on this thread.
const WATCHER_STACK: usize = 1 << 20;

/// What all commands of one run share.
pub(crate) struct Context<'a> {
    /// Ends the command should this process be killed.
    pub(crate) guard: &'a Guard,
    /// How long a command has between TERM and KILL.
    pub(crate) grace: Duration,
}

/// Runs a command to its end and passes on what it writes, as it is written.
///
/// A command that can't be started for a reason that lies in the commit (no such program, no such
/// directory) says so in its output and exits with 127 or 126, as it would in a shell. What it
/// leaves running in the background after its own end is left alone, whoever holds its stdout,
/// unless it is a fork bomb; ended by deadline or cancel, it takes its whole process group along.
///
/// # Errors
///
/// [`Spawn`](ErrorKind::Spawn) where the machine has no room for another process or there is no
/// shell, [`ChildLost`](ErrorKind::ChildLost) where other code in this process took the exit
/// status, [`Io`](ErrorKind::Io) where its input or output can't be carried.
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
    // The guard hears of it before it exists, by a mark; its number can only be told afterwards,
    // when it may already have run for a while.
    let begun = context.guard.begin()?;
    let _running = orphans::running();
    let (child, pipes) = match program::start(command, begun.mark())? {
        Start::Started(child, pipes) => (child, pipes),
        Start::Refused { status, line } => {
            output(remark(line, command.output));
            return Ok(Exit::Code(status));
        }
    };
    let watch = Watchdog {
        child: &child,
        deadline: command.deadline,
        cancel,
        grace: context.grace,
        escapees: Escapees::of(child.group(), begun.mark()),
        abandoned: AtomicBool::new(false),
    };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        begun.add(child.group())?;
        child.group().be_nice(command.nice);
        attend(&watch, pipes, command.output, output)
    }));
    if !matches!(ended, Ok(Ok(_))) {
        // Nobody may have watched it. Where somebody did, this finds it ended and does nothing.
        watch.abandon();
        let _ = watch.follow();
    }
    // What survived even KILL stays unreaped and guarded: its number remains its own.
    if child.has_ended() {
        context.guard.remove(child.group());
        child.reap();
        orphans::reap();
    }
    let ended = ended.unwrap_or_else(|panic| resume_unwind(panic));
    ended.map_err(|error| error.with_path(&command.cwd))
}

/// What is said to the command's reader and not by the command: on standard error, where there is
/// one.
fn remark(line: impl Into<Vec<u8>>, mode: OutputMode) -> Output {
    match mode {
        OutputMode::Merged => Output::stdout(line),
        OutputMode::Split => Output::stderr(line),
    }
}

/// Carries output and keeps watch, both until the command is over.
fn attend(
    watch: &Watchdog<'_>,
    pipes: Pipes,
    mode: OutputMode,
    output: &mut dyn FnMut(Output),
) -> Result<Exit, Error> {
    // Nothing is ever written to it: that its writer is gone says that the command is over.
    let (over, watching) = io::pipe().map_err(|error| no_room("a pipe", error))?;
    thread::scope(|scope| {
        let watcher = thread::Builder::new().name("tinyci-watch".to_owned());
        let watcher = watcher.stack_size(WATCHER_STACK);
        let follow = || {
            let _watching = watching;
            watch.follow()
        };
        let watcher = watcher.spawn_scoped(scope, follow);
        let watcher = watcher.map_err(|error| no_room("a thread", error))?;
        let carried = carry(watch, pipes, &over, output);
        let ended = watcher.join().unwrap_or_else(|panic| resume_unwind(panic));
        match (carried?, ended?) {
            (true, Exit::Code(_) | Exit::Signal(_)) if watch.defuse() => {
                output(remark(DEFUSED, mode));
                Ok(Exit::Code(DEFUSED_STATUS))
            }
            (_, exit) => Ok(exit),
        }
    })
}

/// Carries output; where the sink panics or a pipe breaks, has the command ended at once. Whether
/// somebody holds the pipes even now.
fn carry(
    watch: &Watchdog<'_>,
    pipes: Pipes,
    over: &PipeReader,
    output: &mut dyn FnMut(Output),
) -> Result<bool, Error> {
    let carried = catch_unwind(AssertUnwindSafe(|| pipes.carry(over, output)));
    if !matches!(carried, Ok(Ok(_))) {
        watch.abandon();
    }
    let carried = carried.unwrap_or_else(|panic| resume_unwind(panic));
    carried.map_err(|error| {
        Error::new(ErrorKind::Io, "cannot read the output of a command").with_source(error)
    })
}

fn no_room(what: &str, error: io::Error) -> Error {
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
        process::pipe::QUIET,
        testing::{eventually, is_alive},
    };

    /// Longer than any test may take.
    const HOUR: Duration = Duration::from_secs(3600);

    /// Everything a command needs, and what it wrote.
    struct Stage {
        dir: TempDir,
        guard: Guard,
        grace: Duration,
        cancel: CancelToken,
        output: Vec<Output>,
    }

    impl Stage {
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

        /// Runs a command and calls `meanwhile` with all that it has written, at each piece of it.
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

        /// Runs a script and raises the cancel to this level once it has said `ready`.
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

        /// The process numbers it wrote, one a line.
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

    /// Runs an ignored test of this file in a process of its own, as this shell text does it.
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
        let mut stage = Stage::new();
        let script = "i=0; while [ $i -lt 300 ]; do echo o$i; echo e$i >&2; i=$((i+1)); done";
        assert_eq!(stage.run(&stage.shell(script)).unwrap(), Exit::Code(0));
        let expected: String = (0..300).map(|i| format!("o{i}\ne{i}\n")).collect();
        assert_eq!(stage.text(), expected);
        assert!(stage.output.iter().all(|piece| piece.stream == Stream::Stdout));
    }

    #[test]
    fn split_output_tells_the_streams_apart() {
        let mut stage = Stage::new();
        let mut command = stage.shell("echo out; echo err >&2; echo more");
        command.output = OutputMode::Split;
        assert_eq!(stage.run(&command).unwrap(), Exit::Code(0));
        let (err, out): (Vec<_>, Vec<_>) =
            stage.output.drain(..).partition(|piece| piece.stream == Stream::Stderr);
        assert_eq!((text_of(&out), text_of(&err)), ("out\nmore\n".into(), "err\n".into()));
    }

    #[test]
    fn output_comes_while_it_is_produced_and_may_be_any_bytes() {
        let mut stage = Stage::new();
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
            let mut stage = Stage::new();
            assert_eq!(stage.run(&stage.shell(script)).unwrap(), exit, "{script}");
        }
    }

    #[test]
    fn a_shell_text_arrives_as_it_is() {
        let mut stage = Stage::new();
        let command = stage.shell("printf '%s|' \"it's\" 'a  b' \"$HOME_OF_NOBODY\" '%' 'ö'\necho");
        stage.run(&command).unwrap();
        assert_eq!(stage.text(), "it's|a  b||%|ö|\n");
    }

    #[test]
    fn a_flood_comes_in_pieces_and_waits_for_a_slow_sink() {
        let stage = Stage::new();
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
        let mut stage = Stage::new();
        let command = stage.shell("echo done");
        let fastest = (0..20).map(|_| {
            let begun = Instant::now();
            stage.run(&command).unwrap();
            begun.elapsed()
        });
        assert!(fastest.min().unwrap() < QUIET);
    }

    #[test]
    fn a_background_process_that_holds_stdout_does_not_hold_the_run() {
        for end in ["exit 0", "exit 4"] {
            let mut stage = Stage::new();
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
        let mut stage = Stage::new();
        let exit = stage.run(&stage.shell("yes & head -c 50000 /dev/zero")).unwrap();
        assert_eq!(exit, Exit::Code(0));
        let zeros: usize =
            stage.output.iter().map(|piece| piece.bytes.iter().filter(|b| **b == 0).count()).sum();
        assert_eq!(zeros, 50_000, "what the command itself wrote is passed on whole");
    }

    #[test]
    fn a_deadline_ends_a_silent_command_and_its_children() {
        let mut stage = Stage::new();
        let mut command = stage.shell("sh -c 'echo $$; sleep 600; :' & echo $$; wait");
        command.deadline = Some(Instant::now() + Duration::from_millis(500));
        assert_eq!(stage.run(&command).unwrap(), Exit::TimedOut);
        stage.assert_all_dead(0);
    }

    #[test]
    fn a_canceled_command_has_its_grace() {
        let mut stage = Stage::new();
        let script = "trap 'echo cleaned; exit 0' TERM; echo ready; while :; do sleep 0.01; done";
        assert_eq!(stage.cancel_when_ready(script, 1), Exit::Canceled);
        assert!(stage.text().ends_with("cleaned\n"), "{}", stage.text());
    }

    #[test]
    fn a_child_has_its_grace_though_its_leader_died_at_once() {
        let mut stage = Stage::new();
        let script = "sh -c 'trap \"sleep 0.2; echo cleaned; exit\" TERM; echo ready
            while :; do sleep 0.01; done' & wait";
        assert_eq!(stage.cancel_when_ready(script, 1), Exit::Canceled);
        assert!(stage.text().ends_with("cleaned\n"), "{}", stage.text());
    }

    /// A child that ignores TERM says its number, then that it is ready.
    const DEAF_CHILD: &str =
        "sh -c 'trap \"\" TERM; echo $$; echo ready; while :; do sleep 1; done'";

    #[test]
    fn whoever_ignores_term_is_killed() {
        for leader in ["trap '' TERM; echo $$;", "echo $$;"] {
            let mut stage = Stage::new();
            stage.grace = Duration::from_millis(100);
            let exit = stage.cancel_when_ready(&format!("{leader} {DEAF_CHILD} & wait"), 1);
            assert_eq!(exit, Exit::Canceled);
            stage.assert_all_dead(2);
        }
    }

    #[test]
    fn cancel_level_two_knows_no_grace() {
        let mut stage = Stage::new();
        assert_eq!(stage.cancel_when_ready(&format!("{DEAF_CHILD} & wait"), 2), Exit::Canceled);
        stage.assert_all_dead(1);
    }

    #[test]
    fn cancel_level_two_cuts_a_grace_short() {
        let mut stage = Stage::new();
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
        let mut stage = Stage::new();
        let mut command = stage.shell("echo $$; kill -s STOP $$");
        command.deadline = Some(Instant::now() + Duration::from_millis(500));
        assert_eq!(stage.run(&command).unwrap(), Exit::TimedOut);
        stage.assert_all_dead(0);
    }

    #[test]
    fn a_bomb_of_deaf_shells_is_ended_whole() {
        let mut stage = Stage::new();
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
        let mut stage = Stage::new();
        // It goes off three processes at a time, up to 300, and each of them stays.
        let script = "trap '' TERM
            bomb() {
                sh -c 'echo $PPID'
                [ $1 -gt 300 ] && exit
                for i in 0 1 2; do bomb $(($1 * 3 + i)) & done
                while :; do sleep 1; done
            }
            bomb 1 &";
        assert_eq!(stage.run(&stage.shell(script)).unwrap(), Exit::Code(DEFUSED_STATUS));
        assert!(stage.text().ends_with(DEFUSED));
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
            let mut stage = Stage::new();
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
        let mut stage = Stage::new();
        stage.grace = Duration::from_millis(100);
        let mut command = stage.shell(&format!("{ESCAPE} wait"));
        command.deadline = Some(Instant::now() + Duration::from_secs(2));
        assert_eq!(stage.run(&command).unwrap(), Exit::TimedOut);
        stage.assert_all_dead(0);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_leaves_the_group_outlives_a_natural_end_and_the_end_of_the_next_command() {
        let mut stage = Stage::new();
        let script = "(setsid sh -c 'echo $$; exec sleep 600' &) | head -n 1";
        assert_eq!(stage.run(&stage.shell(script)).unwrap(), Exit::Code(0));
        let daemon = *stage.processes().first().unwrap();
        assert_eq!(stage.cancel_when_ready("echo ready; sleep 600", 2), Exit::Canceled);
        assert!(is_alive(daemon), "it is left alone");
        kill(daemon);
    }

    #[test]
    fn a_deadline_holds_while_the_sink_blocks() {
        let mut stage = Stage::new();
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
        let mut stage = Stage::new();
        let mut command = stage.shell("echo $$");
        let deadline = Instant::now() + Duration::from_secs(2);
        command.deadline = Some(deadline);
        let exit =
            stage.run_while(&command, |_| eventually("the deadline", || Instant::now() > deadline));
        assert_eq!(exit.unwrap(), Exit::Code(0));
    }

    #[test]
    fn nothing_is_started_too_late() {
        let mut stage = Stage::new();
        let mut command = stage.shell("touch started");
        command.deadline = Some(Instant::now());
        assert_eq!(stage.run(&command).unwrap(), Exit::TimedOut);
        stage.cancel.cancel();
        assert_eq!(stage.run(&command).unwrap(), Exit::Canceled);
        assert!(!stage.path("started").exists());
    }

    #[test]
    fn a_sink_that_panics_leaves_nothing_behind() {
        let mut stage = Stage::new();
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
        let mut stage = Stage::new();
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
        let mut stage = Stage::new();
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
        let mut stage = Stage::new();
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
        let mut stage = Stage::new();
        let this = std::env::current_exe().unwrap().display().to_string();
        let test = "process::command::tests::on_a_terminal";
        // Itself the leader of a session, it is given the first terminal that it opens.
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
            let mut stage = Stage::new();
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
        let mut stage = Stage::new();
        // No shell, which blocks signals itself at times.
        stage.run(&stage.argv(&["cat", "/proc/self/stat", "/proc/self/status"])).unwrap();
        let text = stage.text();
        let numbers: Vec<&str> = text.split(' ').collect();
        let [process, name, _, _, group, session, ..] = numbers[..] else { panic!("{text}") };
        assert_eq!((name, group, session), ("(cat)", process, process));
        assert_eq!(blocked(&text), 0);
    }

    #[test]
    fn a_nice_command_is_nice_and_so_is_what_it_starts() {
        let mut stage = Stage::new();
        let host = "nice";
        stage.run(&stage.shell(host)).unwrap();
        let of_host: i32 = stage.text().trim().parse().unwrap();
        let mut stage = Stage::new();
        // What is started within microseconds may miss it: niceness is a wish.
        let text = "n=0; while [ $(nice) != $0 ] && [ $n -lt 1000 ]; do n=$((n+1)); done; nice";
        let text = text.replace("$0", &(of_host + 7).min(19).to_string());
        let command = Command { nice: 7, ..stage.shell(&text) };
        stage.run(&command).unwrap();
        assert_eq!(stage.text().trim(), (of_host + 7).min(19).to_string());
    }

    #[test]
    fn a_command_leads_its_group_and_runs_in_its_directory() {
        let mut stage = Stage::new();
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
        // Before anything of ours is open: what this process was started with.
        let before = Builder::new("ls").arg("/proc/self/fd").output().unwrap().stdout;
        let mut stage = Stage::new();
        let lock = fs::File::create(stage.path("lock")).unwrap();
        stage.guard = Guard::new(Some(lock));
        let mut command = stage.argv(&["ls", "/proc/self/fd"]);
        command.input = Some(b"something".to_vec());
        stage.run(&command).unwrap();
        assert_eq!(stage.text().as_bytes(), before);
    }

    #[test]
    fn what_the_commit_names_wrongly_fails_as_in_a_shell() {
        let mut stage = Stage::new();
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
        let mut stage = Stage::new();
        let mut command = stage.argv(&["no-such-program"]);
        command.output = OutputMode::Split;
        stage.run(&command).unwrap();
        assert_eq!(stage.output.first().unwrap().stream, Stream::Stderr);
    }

    #[test]
    fn programs_are_found_in_the_path_and_directory_of_the_command() {
        let mut stage = Stage::new();
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
        // A text file that another thread was still writing at the moment of some child's birth is
        // busy for as long as that child needs to exec.
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
        let mut stage = Stage::new();
        assert_eq!(stage.run(&stage.shell("true")).unwrap(), Exit::Code(0));
        let mut held = Vec::new();
        while let Ok(file) = fs::File::open("/dev/null") {
            held.push(file);
        }
        // However many descriptors it gets before there are no more: every shortage is an error.
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
        let mut stage = Stage::new();
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
