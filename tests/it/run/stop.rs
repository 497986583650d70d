//! Stopping a run: cancels from other threads, and time limits.

use std::{
    fs,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

use tinyci::{
    CancelToken, Engine, EngineBuilder, Hook, Outcome, Selection,
    callback::{HookCall, HookError},
    executor::Exit,
    pipeline::Phase,
    selection::Wait,
};

use crate::support::{
    eventually, is_alive,
    stage::{GATE, Ran, Stage},
};

/// Time enough for a command to begin on a busy machine.
const SOON: Duration = Duration::from_secs(2);

/// A process that never ends by itself, with a child that does not either.
const ENDLESS: &str = "\
sh -c 'echo $$ >> @/pids; while :; do sleep 0.02; done' &
echo $$ >> @/pids
until [ $(wc -l < @/pids) = 2 ]; do sleep 0.01; done
touch @/waiting
while :; do sleep 0.02; done
";

/// A stage whose build of this form runs `endless.sh`, or `deaf.sh`, which ignores TERM.
fn stage_with(build: &str) -> Stage {
    let stage = Stage::new();
    stage.write("endless.sh", ENDLESS);
    stage.write("deaf.sh", &format!("trap '' TERM\n{ENDLESS}"));
    stage.commit(&format!(
        "build: {build}\ntest: touch @/tested\nhooks:\n  after_build_failure: echo failed >> \
         @/trace\n  after_all: echo last >> @/trace\n"
    ));
    stage
}

#[track_caller]
fn assert_nothing_runs_on(stage: &Stage) {
    let pids = stage.read("pids");
    assert_eq!(pids.lines().count(), 2, "{pids}");
    let alive: Vec<&str> = pids.lines().filter(|pid| is_alive(pid)).collect();
    assert!(alive.is_empty(), "{alive:?} run on");
}

/// Runs what is pending and raises the cancel so often once a command stands at the gate.
fn cancel_at_gate(stage: &Stage, engine: &Engine, times: usize) -> Ran {
    let cancel = CancelToken::new();
    thread::scope(|scope| {
        let raise = cancel.clone();
        scope.spawn(move || {
            stage.await_gate();
            (0..times).for_each(|_| raise.cancel());
        });
        Ran::canceled_by(engine, &Selection::pending(), &cancel)
    })
}

/// An orphan in a session of its own that has lost its parents, the command's environment and any sign
/// of where it came from.
#[cfg(all(feature = "cli", target_os = "linux"))]
#[test]
fn the_command_line_ends_what_left_without_a_trace_when_a_limit_passes() {
    use crate::support::program::tinyci;
    let stage = Stage::new();
    let leave = "(env -i setsid /bin/sh -c 'echo $$ > @/pid; exec sleep 600' &)";
    stage.write("leave.sh", &format!("{leave}\nuntil [ -s @/pid ]; do sleep 0.01; done\n$1\n"));
    stage.commit("build: sh leave.sh 'sleep 600'\n");
    let run = |limit: &str| {
        let mut command = tinyci(stage.repo.path());
        let output = command.args(["run", "--retry", "HEAD", "--timeout", limit]).output().unwrap();
        let pid = stage.read("pid").trim().to_owned();
        fs::remove_file(stage.path("pid")).unwrap();
        (output.status.code(), pid)
    };
    let (code, pid) = run("5s");
    assert_eq!(code, Some(1));
    assert!(!is_alive(&pid), "{pid} runs on");
    // After a natural end, it is left alone, and it does not wait for anything.
    stage.commit("build: sh leave.sh true\n");
    let (code, pid) = run("10m");
    assert_eq!(code, Some(0));
    assert!(is_alive(&pid), "{pid} is a daemon");
    let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn the_first_cancel_stops_the_command_and_runs_after_all() {
    let stage = stage_with("sh endless.sh");
    let ran = cancel_at_gate(&stage, &stage.engine(), 1);
    assert_eq!(ran.outcome(), Outcome::Canceled);
    assert_eq!(ran.steps(), ["build canceled", "after_all success"]);
    let build = ran.record().step(Phase::Build).unwrap();
    assert_eq!(build.commands[0].exit, Some(Exit::Canceled));
    assert!(ran.summary.canceled && ran.summary.exit_code() == 130);
    assert_eq!(stage.trace(), ["last"]);
    assert_nothing_runs_on(&stage);
    assert_eq!(stage.word(stage.head()), None);
    let notes = ["notes", "--ref", "runs/tinyci", "show", "HEAD"];
    assert!(stage.repo.git(&notes).contains(r#""outcome":"canceled""#));
    let due = stage.engine().pending_commits(&Selection::pending()).unwrap();
    assert_eq!(due.len(), 1, "a canceled commit is due again");
}

#[test]
fn the_second_cancel_kills_and_stops() {
    let stage = stage_with("sh deaf.sh");
    let ran = cancel_at_gate(&stage, &stage.engine(), 2);
    assert_eq!(ran.outcome(), Outcome::Canceled);
    assert_eq!(ran.steps(), ["build canceled"]);
    assert!(stage.trace().is_empty(), "no `after_all`");
    assert_nothing_runs_on(&stage);
    assert_eq!(stage.word(stage.head()), None);
}

#[test]
fn the_second_cancel_ends_after_all_too() {
    let stage = Stage::with(&format!("build: \"true\"\nhooks:\n  after_all: {GATE}\n"));
    let ran = cancel_at_gate(&stage, &stage.engine(), 2);
    assert_eq!(ran.outcome(), Outcome::Canceled, "what was green is not recorded as such");
    assert_eq!(stage.word(stage.head()), None);
}

#[test]
fn the_first_cancel_during_after_all_changes_nothing() {
    let stage = Stage::with(&format!("build: \"true\"\nhooks:\n  after_all: {GATE}\n"));
    let cancel = CancelToken::new();
    let ran = thread::scope(|scope| {
        let (stage, raise) = (&stage, cancel.clone());
        scope.spawn(move || {
            stage.await_gate();
            raise.cancel();
            stage.open_gate();
        });
        Ran::canceled_by(&stage.engine(), &Selection::pending(), &cancel)
    });
    assert_eq!(ran.outcome(), Outcome::Success);
    assert_eq!(ran.summary.exit_code(), 0, "all that was due is done");
    assert_eq!(stage.word(stage.head()).as_deref(), Some("success"));
}

/// Waits for a cancel, as a hook of a host's does that asks somebody, and says that it stands there.
fn patient(waiting: PathBuf) -> impl Fn(&mut HookCall<'_>) -> Result<(), HookError> + Send + Sync {
    move |hook| {
        fs::write(&waiting, "")?;
        eventually("a cancel", || hook.is_canceled());
        Ok(())
    }
}

#[test]
fn a_hook_of_the_hosts_sees_the_cancel_and_decides_nothing_any_more() {
    let stage = Stage::with("build: touch @/built\nhooks:\n  after_all: echo last >> @/trace\n");
    let builder = stage.builder().hook(Hook::BeforeBuild, patient(stage.path("waiting")));
    let ran = cancel_at_gate(&stage, &builder.open().unwrap(), 1);
    assert_eq!(ran.outcome(), Outcome::Canceled, "though the hook said yes");
    assert_eq!(stage.trace(), ["last"]);
    assert!(!stage.path("built").exists());

    let stage = Stage::with("build: \"true\"\n");
    let builder = stage.builder().hook(Hook::AfterAll, patient(stage.path("waiting")));
    let ran = cancel_at_gate(&stage, &builder.open().unwrap(), 2);
    assert_eq!(ran.outcome(), Outcome::Canceled, "only the second level reaches `after_all`");
}

#[test]
fn a_hook_of_the_hosts_that_outlasts_the_run_decides_nothing_any_more() {
    let stage = Stage::with("build: touch @/built\nhooks:\n  after_all: echo last >> @/trace\n");
    let builder = stage.builder().job_timeout(SOON).hook(Hook::BeforeBuild, |_| {
        let begun = Instant::now();
        eventually("the limit passes", || begun.elapsed() > SOON);
        Ok(())
    });
    let ran = Ran::of(&builder.open().unwrap(), &Selection::pending());
    assert_eq!(ran.outcome(), Outcome::TimedOut);
    assert_eq!(stage.trace(), ["last"]);
    assert!(!stage.path("built").exists());
}

#[test]
fn a_cancel_leaves_the_commits_that_have_not_begun() {
    let stage = stage_with("sh endless.sh");
    let second = stage.commit("build: touch @/second\n");
    let ran = cancel_at_gate(&stage, &stage.engine(), 1);
    assert_eq!(ran.summary.records.len(), 1);
    assert!(!stage.path("second").exists());
    assert_eq!(stage.word(second), None);
}

#[test]
fn a_run_that_is_canceled_before_it_begins_does_nothing() {
    let stage = Stage::with("build: touch @/trace\n");
    let cancel = CancelToken::new();
    cancel.cancel();
    let ran = Ran::canceled_by(&stage.engine(), &Selection::pending(), &cancel);
    assert!(ran.summary.records.is_empty() && ran.summary.canceled);
    assert_eq!(ran.summary.exit_code(), 130);
    assert!(!stage.path("trace").exists() && stage.word(stage.head()).is_none());
    assert!(!stage.repo.path().join("builds").exists());
    let named = Ran::canceled_by(&stage.engine(), &Selection::revision("HEAD"), &cancel);
    assert_eq!(named.summary.exit_code(), 130);
    assert_eq!(stage.run().outcome(), Outcome::Success, "a new token, a new run");
}

#[test]
fn one_token_stops_every_run_it_is_given_to() {
    let stages = [(), ()].map(|()| stage_with("sh endless.sh"));
    let cancel = CancelToken::new();
    let outcomes = thread::scope(|scope| {
        let runs = stages.each_ref().map(|stage| {
            let cancel = cancel.clone();
            scope.spawn(move || {
                Ran::canceled_by(&stage.engine(), &Selection::pending(), &cancel).outcome()
            })
        });
        stages.iter().for_each(Stage::await_gate);
        cancel.cancel();
        runs.map(|run| run.join().unwrap())
    });
    assert_eq!(outcomes, [Outcome::Canceled; 2]);
}

#[test]
fn a_caller_that_waits_for_the_lock_can_give_up() {
    let stage = Stage::with(&format!("build: {GATE}\n"));
    let engine = stage.engine();
    thread::scope(|scope| {
        let holder = scope.spawn(|| Ran::of(&engine, &Selection::pending()).outcome());
        stage.await_gate();
        let cancel = CancelToken::new();
        let selection = Selection::pending().wait(Wait::Forever);
        let waiting = {
            let (engine, cancel) = (engine.clone(), cancel.clone());
            scope.spawn(move || Ran::canceled_by(&engine, &selection, &cancel))
        };
        cancel.cancel();
        let waited = waiting.join().unwrap();
        assert!(waited.summary.canceled && waited.summary.records.is_empty());
        assert_eq!(waited.summary.exit_code(), 130);
        stage.open_gate();
        assert_eq!(holder.join().unwrap(), Outcome::Success, "the holder is not disturbed");
    });
}

/// What a build that passes its time limit leaves behind: nothing that runs, a red commit, and a
/// trace of what still ran.
#[track_caller]
fn check_timeout(
    build: &str,
    limit: impl FnOnce(EngineBuilder) -> EngineBuilder,
    trace: &[&str],
) -> Ran {
    let stage = stage_with(build);
    let builder = limit(stage.builder()).grace_period(Duration::from_millis(100));
    let ran = Ran::of(&builder.open().unwrap(), &Selection::pending());
    assert_eq!(ran.outcome(), Outcome::TimedOut);
    assert_eq!(ran.summary.exit_code(), 1);
    assert_eq!(stage.trace(), trace);
    assert_eq!(stage.word(stage.head()).as_deref(), Some("failure"));
    let pids = stage.read("pids");
    let alive: Vec<&str> = pids.lines().filter(|pid| is_alive(pid)).collect();
    assert!(alive.is_empty(), "{alive:?} run on");
    assert!(!stage.path("tested").exists());
    ran
}

#[test]
fn a_step_has_a_time_limit_that_no_trap_escapes() {
    let build = "{run: sh deaf.sh, timeout: 2s}";
    let ran = check_timeout(build, |builder| builder, &["failed", "last"]);
    let build = ran.record().step(Phase::Build).unwrap();
    assert_eq!(build.outcome, Outcome::TimedOut);
    assert_eq!(build.commands[0].exit, Some(Exit::TimedOut));
}

#[test]
fn the_limit_of_a_step_counts_over_its_commands() {
    let build = "{run: ['true', sh endless.sh, touch @/tested], timeout: 2s}";
    let ran = check_timeout(build, |builder| builder, &["failed", "last"]);
    assert_eq!(ran.record().step(Phase::Build).unwrap().commands.len(), 2);
}

#[test]
fn a_command_has_a_time_limit() {
    let limit = |builder: EngineBuilder| builder.command_timeout(SOON);
    check_timeout("sh endless.sh", limit, &["failed", "last"]);
}

#[test]
fn a_run_has_a_time_limit_after_which_only_after_all_runs() {
    check_timeout("sh deaf.sh", |builder| builder.job_timeout(SOON), &["last"]);
    // The nearest limit holds, and whose it is decides what runs.
    let both = |builder: EngineBuilder| builder.job_timeout(SOON).command_timeout(SOON * 100);
    check_timeout("{run: sh endless.sh, timeout: 1h}", both, &["last"]);
}

#[test]
fn after_all_has_a_limit_of_its_own() {
    let stage =
        Stage::with("build: \"true\"\nhooks:\n  after_all: {run: sleep 600, timeout: 100ms}\n");
    let ran = stage.run();
    assert_eq!(ran.outcome(), Outcome::Success, "it changes no verdict");
    assert_eq!(ran.steps(), ["build success", "after_all timed_out"]);
    assert_eq!(stage.word(stage.head()).as_deref(), Some("success"));
}

#[test]
fn a_child_in_the_background_does_not_hold_the_run() {
    let stage = Stage::with("build: |\n  sleep 600 & echo $! > @/pid\n");
    assert_eq!(stage.run().outcome(), Outcome::Success);
    let pid = rustix::process::Pid::from_raw(stage.read("pid").trim().parse().unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}
