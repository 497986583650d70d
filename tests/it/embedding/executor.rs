//! A host's own executor in the place of the local one.

use std::{
    ffi::OsStr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tinyci::{
    CancelToken, Error, ErrorKind, EventKind, Hook, Outcome, Selection,
    executor::{CancelView, Command, Executor, Exit, Output, Program},
    pipeline::Phase,
};

use crate::support::stage::{Ran, Stage};

/// Keeps what it was asked to run and answers as a closure says.
struct Played<F>(F);

impl<F> Executor for Played<F>
where
    F: Fn(&Command, &mut dyn FnMut(Output), &CancelView) -> Result<Exit, Error> + Send + Sync,
{
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error> {
        (self.0)(command, output, cancel)
    }
}

/// A run of this config with an executor that answers so.
fn run(
    stage: &Stage,
    answer: impl Fn(&Command, &mut dyn FnMut(Output), &CancelView) -> Result<Exit, Error>
    + Send
    + Sync
    + 'static,
) -> Ran {
    let engine = stage.builder().executor(Played(answer)).open().unwrap();
    Ran::of(&engine, &Selection::pending())
}

#[test]
fn it_takes_the_place_of_the_local_one() {
    let stage = Stage::with("build: touch @/trace\ntest: {run: two, timeout: 1h}\n");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = asked.clone();
    let ran = run(&stage, move |command, output, cancel| {
        assert!(!cancel.is_canceled());
        assert!(command.cwd.join(".tinyci.yml").is_file());
        assert!(command.env.contains_key(OsStr::new("TINYCI_COMMIT")));
        assert!(command.deadline.is_some(), "the stage's own time limit");
        output(Output::stdout("half a "));
        output(Output::stderr(*b"line\n\xff"));
        seen.lock().unwrap().push(command.program.clone());
        Ok(Exit::Code(0))
    });
    assert_eq!(ran.outcome(), Outcome::Success);
    assert!(!stage.path("trace").exists());
    let programs = asked.lock().unwrap().clone();
    let touch = format!("touch {}", stage.path("trace").display());
    assert_eq!(programs, [Program::Shell(touch), Program::Shell("two".to_owned())]);
}

#[test]
fn its_output_reaches_the_log_and_the_observer() {
    let stage = Stage::with("build: anything\n");
    let ran = run(&stage, |_, output, _| {
        output(Output::stdout("half a "));
        output(Output::stdout(""));
        output(Output::stdout("line\nand more"));
        Ok(Exit::Code(0))
    });
    assert_eq!(ran.text(), "half a line\nand more");
    let log = stage.log_of(stage.head());
    let lines = ["Building...", "half a line", "and more"];
    assert_eq!(log[3..6], lines, "{log:?}");
    for event in &ran.events {
        if let EventKind::Output { .. } = event.kind {
            assert_eq!(event.meta.step, Some(Phase::Build.into()));
            assert_eq!(event.meta.job_id.as_deref(), Some(ran.record().job_id.as_str()));
        }
    }
}

/// What becomes of a commit whose build the executor answers so.
#[track_caller]
fn check_answer(
    answer: fn() -> Result<Exit, Error>,
    outcome: Outcome,
    error: Option<&str>,
) -> Stage {
    let stage = Stage::with(
        "build: anything\ntest: never\nhooks:\n  after_build_failure: failed\n  after_all: last\n",
    );
    let ran = run(&stage, move |command, output, _| {
        output(Output::stdout(format!("{}\n", command.program)));
        let asked = command.program == Program::Shell("anything".to_owned());
        if asked { answer() } else { Ok(Exit::Code(0)) }
    });
    assert_eq!(ran.outcome(), outcome);
    let step = ran.record().step(Phase::Build).unwrap();
    assert_eq!(step.outcome, outcome);
    let found = step.error.as_deref();
    assert!(found.zip(error).map_or(found == error, |(it, part)| it.contains(part)), "{found:?}");
    assert_eq!(ran.record().step(Phase::Test), None);
    assert!(ran.record().step(Hook::AfterAll).is_some());
    let failure = matches!(outcome, Outcome::Failure | Outcome::TimedOut);
    assert_eq!(ran.record().step(Hook::AfterBuildFailure).is_some(), failure);
    assert_eq!(stage.word(stage.head()).is_some(), failure);
    stage
}

#[test]
fn what_it_answers_decides() {
    check_answer(|| Ok(Exit::Code(3)), Outcome::Failure, None);
    check_answer(|| Ok(Exit::Signal(9)), Outcome::Failure, None);
    check_answer(|| Ok(Exit::TimedOut), Outcome::TimedOut, None);
    check_answer(
        || Err(Error::new(ErrorKind::HostAbort, "no container today")),
        Outcome::Failure,
        Some("no container today"),
    );
}

#[test]
fn its_own_faults_leave_no_verdict() {
    for kind in [ErrorKind::Io, ErrorKind::Spawn, ErrorKind::ChildLost, ErrorKind::Config] {
        let stage = Stage::with("build: anything\n");
        let ran = run(&stage, move |_, _, _| Err(Error::new(kind, "the cable is cut")));
        assert_eq!(ran.outcome(), Outcome::Error);
        assert_eq!(ran.summary.exit_code(), 4);
        assert_eq!(ran.step_error("build"), "the cable is cut");
        assert_eq!(stage.word(stage.head()), None);
        let again = stage.engine().pending_commits(&Selection::pending()).unwrap();
        assert_eq!(again.len(), 1, "the commit is due again");
    }
    check_answer(
        || Err(Error::new(ErrorKind::Io, "the cable is cut")),
        Outcome::Error,
        Some("the cable is cut"),
    );
    check_answer(|| panic!("a bug of the host's"), Outcome::Error, Some("a bug of the host's"));
}

#[test]
fn it_sees_the_cancel_and_the_deadline() {
    let stage = Stage::with("build: one\nhooks:\n  after_all: {run: last, timeout: 1s}\n");
    let cancel = CancelToken::new();
    let (raise, seen) = (cancel.clone(), Arc::new(Mutex::new(Vec::new())));
    let kept = seen.clone();
    let engine = stage
        .builder()
        .command_timeout(Duration::from_secs(30))
        .executor(Played(move |command: &Command, _: &mut dyn FnMut(Output), view: &CancelView| {
            let before = view.is_canceled();
            let build = command.program == Program::Shell("one".to_owned());
            if build {
                raise.cancel();
            }
            kept.lock().unwrap().push((before, view.is_canceled(), view.is_killed()));
            assert!(command.deadline.is_some());
            Ok(if build { Exit::Canceled } else { Exit::Code(0) })
        }))
        .open()
        .unwrap();
    let ran = Ran::canceled_by(&engine, &Selection::pending(), &cancel);
    assert_eq!(ran.outcome(), Outcome::Canceled);
    let expected = [(false, true, false), (false, false, false)];
    assert_eq!(*seen.lock().unwrap(), expected, "`after_all` is not canceled by the first level");
}
