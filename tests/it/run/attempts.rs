//! Attempts that leave no verdict: how often a commit is tried, and what stops a run.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use tinyci::{
    CancelToken, Engine, Error, ErrorKind, Event, EventKind, Outcome, Selection,
    executor::{CancelView, Command, Executor, Exit, Output},
};

use crate::support::stage::{Ran, Stage};

/// Fails as the machinery does, with this kind, and counts how often it was asked.
#[derive(Clone)]
struct Broken {
    kind: ErrorKind,
    asked: Arc<AtomicU32>,
}

impl Executor for Broken {
    fn execute(
        &self,
        _: &Command,
        _: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        Err(Error::new(self.kind, "not on this machine"))
    }
}

/// An engine whose executor is broken, and how often it was asked.
fn broken(stage: &Stage, kind: ErrorKind) -> (Engine, Arc<AtomicU32>) {
    let executor = Broken { kind, asked: Arc::default() };
    let asked = executor.asked.clone();
    (stage.builder().executor(executor).open().unwrap(), asked)
}

#[test]
fn a_commit_is_tried_three_times_and_then_waits_for_a_retry() {
    let stage = Stage::with("build: \"true\"\n");
    let (id, pending) = (stage.head(), Selection::pending());
    let (engine, asked) = broken(&stage, ErrorKind::Io);
    for _ in 0..3 {
        assert_eq!(Ran::of(&engine, &pending).outcome(), Outcome::Error);
    }
    let held = Ran::of(&engine, &pending);
    assert_eq!(held.summary.out_of_attempts, [id]);
    assert!(held.summary.records.is_empty() && held.summary.exit_code() == 4);
    let [warning] = held.warnings().try_into().unwrap();
    assert!(warning.contains(&format!("tinyci run --retry {}", id.short())), "{warning}");
    assert!(stage.log().join("\n").ends_with(&format!("warning: {warning}")));
    assert_eq!(asked.load(Ordering::SeqCst), 3);
    assert_eq!(engine.plan(&pending).unwrap().out_of_attempts, [id]);
    assert_eq!(Ran::of(&engine, &Selection::revision("HEAD")).summary.out_of_attempts, [id]);

    let other = stage.commit("build: echo other\n");
    let ran = Ran::of(&stage.engine(), &pending);
    assert_eq!(
        (ran.commits(), ran.summary.out_of_attempts),
        (vec![other], vec![id]),
        "it blocks no other"
    );
    let retried = Ran::of(&stage.engine(), &Selection::pending().retry(true));
    assert_eq!(retried.commits(), [id]);
    assert_eq!(retried.outcome(), Outcome::Success);
}

#[test]
fn a_verdict_forgets_the_attempts_before_it() {
    let stage = Stage::with("build: \"true\"\n");
    let (engine, _) = broken(&stage, ErrorKind::Spawn);
    for _ in 0..2 {
        Ran::of(&engine, &Selection::pending());
    }
    assert_eq!(stage.run().outcome(), Outcome::Success);
    assert!(engine.forget("HEAD").unwrap());
    for _ in 0..3 {
        assert_eq!(Ran::of(&engine, &Selection::pending()).outcome(), Outcome::Error);
    }
    assert_eq!(Ran::of(&engine, &Selection::pending()).summary.out_of_attempts, [stage.head()]);
}

#[test]
fn what_is_not_supported_here_is_never_held() {
    let stage = Stage::with("build: \"true\"\n");
    let (engine, asked) = broken(&stage, ErrorKind::Unsupported);
    for _ in 0..4 {
        assert_eq!(Ran::of(&engine, &Selection::pending()).outcome(), Outcome::Error);
    }
    assert_eq!(asked.load(Ordering::SeqCst), 4);
}

#[test]
fn a_cancel_takes_its_attempt_back() {
    let stage = Stage::with("build: echo begun; sleep 600\n");
    for _ in 0..4 {
        let cancel = CancelToken::new();
        let summary = stage.engine().run(&Selection::pending(), &cancel, &mut |event: &Event| {
            if let EventKind::Output { .. } = &event.kind {
                cancel.cancel();
            }
        });
        assert_eq!(summary.unwrap().records[0].outcome, Outcome::Canceled);
    }
}

#[test]
fn a_build_folder_that_cannot_be_made_stops_only_its_commit() {
    let stage = Stage::with("build: touch @/trace\n");
    let (broken, sound) = (stage.head(), stage.commit("build: echo sound\n"));
    let (dir, victim) = (stage.build_dir(broken), stage.path("victim"));
    fs::create_dir_all(stage.repo.path().join("builds")).unwrap();
    fs::create_dir(&victim).unwrap();
    std::os::unix::fs::symlink(&victim, &dir).unwrap();

    let ran = stage.run();
    let outcomes: Vec<_> = ran.summary.records.iter().map(|it| (it.commit, it.outcome)).collect();
    assert_eq!(outcomes, [(broken, Outcome::Error), (sound, Outcome::Success)]);
    assert_eq!(ran.summary.error, None);
    let reason = ran.summary.records[0].reason.as_deref().unwrap();
    assert!(reason.contains("symbolic link"), "{reason}");
    let log = stage.log();
    assert_eq!(log[0], format!("Commit: {broken}"));
    let told = format!("No verdict for {broken}: {reason}");
    assert!(log.join("\n").contains(&told), "{log:?}");
    assert!(fs::read_dir(&victim).unwrap().next().is_none() && !stage.path("trace").exists());
}

#[test]
fn a_word_that_was_written_meanwhile_stands() {
    let note = "git --git-dir=$TINYCI_REPO/.git -c user.name=A -c user.email=A notes --ref \
                tinyci-result add -m";
    for (word, exit, outcome) in [
        ("failure", 0, Outcome::Failure),
        ("looks good", 0, Outcome::Failure),
        ("success", 1, Outcome::Failure),
    ] {
        let stage = Stage::new();
        stage.commit(&format!("build: {note} '{word}' $TINYCI_COMMIT; exit {exit}\n"));
        let ran = stage.run();
        assert_eq!(ran.outcome(), outcome, "{word}");
        let reason = ran.record().reason.clone().unwrap();
        assert!(reason.contains(&format!("the note `{word}`")), "{reason}");
        assert_eq!(stage.word(stage.head()).as_deref(), Some(word));
        assert_eq!(ran.summary.exit_code(), 1, "never green where either is not");
    }
}

#[test]
fn a_verdict_that_cannot_be_stored_ends_the_run() {
    let stage = Stage::with("build: \"true\"\n");
    let (first, second) = (stage.head(), stage.commit("build: echo second\n"));
    let lock = stage.repo.path().join(".git/refs/notes/tinyci-result.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    let ran = stage.run();
    assert_eq!((ran.commits(), ran.outcome()), (vec![first], Outcome::Error));
    assert_eq!(ran.summary.exit_code(), 4);
    let fault = ran.summary.error.clone().unwrap();
    assert!(fault.contains(&lock.display().to_string()), "{fault}");

    fs::remove_file(lock).unwrap();
    let again = stage.run();
    assert_eq!(again.commits(), [first, second]);
    assert!(again.summary.records.iter().all(tinyci::Record::passed));
}

#[test]
fn without_room_on_the_disk_no_commit_is_begun_and_no_attempt_counted() {
    let stage = Stage::with("build: \"true\"\n");
    let (id, pending) = (stage.head(), Selection::pending());
    stage.repo.git(&["config", "tinyci.minFreeSpace", "10000000g"]);
    let engine = stage.builder().open().unwrap();
    for _ in 0..4 {
        let ran = Ran::of(&engine, &pending);
        assert_eq!(ran.outcome(), Outcome::Error);
        let reason = ran.summary.records[0].reason.clone().unwrap();
        assert!(reason.contains("(`tinyci.minFreeSpace`)") && reason.contains("GiB"), "{reason}");
    }
    let name = engine.commit(&id.to_string()).unwrap().build_name();
    assert!(!stage.repo.path().join("builds").join(name).exists(), "nothing was begun");
    stage.repo.git(&["config", "tinyci.minFreeSpace", "0"]);
    let engine = stage.builder().open().unwrap();
    assert_eq!(Ran::of(&engine, &pending).outcome(), Outcome::Success);
}
