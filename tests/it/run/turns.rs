//! One run at a time: who waits, who is served by whom, and several commits at once.

use std::{fs::File, sync::mpsc, thread, time::Duration};

use tinyci::{
    CancelToken, CommitId, Engine, ErrorKind, Event, EventKind, Outcome, Selection, Summary,
    selection::Wait,
};

use crate::support::stage::{GATE, Ran, Stage, without_time};

/// What a `post-receive` hook is told of a push to a branch.
fn push(old: Option<CommitId>, new: CommitId, branch: &str) -> Selection {
    let old = old.map_or("0".repeat(40), |id| id.to_string());
    Selection::hook_lines(format!("{old} {new} refs/heads/{branch}\n")).unwrap()
}

/// A stage whose first commit, on `main`, waits at the gate.
fn gated() -> (Stage, CommitId) {
    let stage = Stage::new();
    let first = stage.commit(&format!("build: echo begun; {GATE}\n"));
    (stage, first)
}

/// A commit on a new branch from HEAD, whose build leaves the branch's name in the trace.
fn commit_on(stage: &Stage, branch: &str) -> CommitId {
    stage.repo.git(&["checkout", "-q", "-b", branch]);
    let id = stage.commit(&format!("build: echo {branch} >> @/trace\n"));
    stage.repo.git(&["checkout", "-q", "main"]);
    id
}

/// Runs `first` up to its gate, then `meanwhile`, and opens the gate; gives back what `first` did.
fn hold(stage: &Stage, engine: &Engine, first: &Selection, meanwhile: impl FnOnce()) -> Summary {
    thread::scope(|scope| {
        let holder = scope.spawn(|| Ran::of(engine, first).summary);
        stage.await_gate();
        meanwhile();
        stage.open_gate();
        holder.join().unwrap()
    })
}

/// A caller that waits in a thread of its own, and says so through the channel.
fn wait_in<'scope>(
    scope: &'scope thread::Scope<'scope, '_>,
    engine: &Engine,
    selection: &Selection,
) -> thread::ScopedJoinHandle<'scope, Ran> {
    let (engine, selection) = (engine.clone(), selection.clone().wait(Wait::Forever));
    let (says, waiting) = mpsc::channel();
    let waiter = scope.spawn(move || {
        let mut events = Vec::new();
        let summary = engine.run(&selection, &CancelToken::new(), &mut |event: &Event| {
            if let EventKind::Waiting { .. } = &event.kind {
                says.send(()).unwrap();
            }
            events.push(event.clone());
        });
        Ran { summary: summary.unwrap(), events }
    });
    waiting.recv().expect("it waits");
    waiter
}

fn commits(summary: &Summary) -> Vec<CommitId> {
    summary.records.iter().map(|record| record.commit).collect()
}

#[test]
fn a_second_caller_is_told_who_runs() {
    let (stage, first) = gated();
    let engine = stage.engine();
    hold(&stage, &engine, &Selection::pending(), || {
        let waits = [Wait::Never, Wait::AtMost(Duration::from_millis(100))];
        for selection in [Selection::pending(), Selection::revision("HEAD")] {
            for wait in waits {
                let again = engine.run(
                    &selection.clone().wait(wait),
                    &CancelToken::new(),
                    &mut |_: &Event| {},
                );
                let error = again.unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Busy);
                let holder = format!("process {}", std::process::id());
                assert!(error.message().contains(&holder), "{error}");
                assert!(error.message().contains(&first.short()), "{error}");
            }
        }
    });
    assert_eq!(stage.word(first).as_deref(), Some("success"));
}

#[test]
fn what_is_found_busy_is_served_by_the_holder_before_it_ends() {
    let (stage, first) = gated();
    let engine = stage.engine();
    let mut side = None;
    let summary = hold(&stage, &engine, &Selection::revision("main"), || {
        side = Some(commit_on(&stage, "side"));
        let pushed = push(None, side.unwrap(), "side");
        let busy = engine.run(&pushed, &CancelToken::new(), &mut |_: &Event| {});
        assert_eq!(busy.unwrap_err().kind(), ErrorKind::Busy);
    });
    assert_eq!(stage.word(side.unwrap()).as_deref(), Some("success"));
    assert_eq!(commits(&summary), [first], "a caller's summary is of what it came for");
}

#[test]
fn a_named_run_leaves_alone_what_nobody_asked_for() {
    let (stage, first) = gated();
    let side = commit_on(&stage, "side");
    let engine = stage.engine();
    hold(&stage, &engine, &Selection::revision("main"), || {});
    assert_eq!(stage.word(first).as_deref(), Some("success"));
    assert_eq!(stage.word(side), None);

    // What was canceled is not what somebody waits for.
    let cancel = CancelToken::new();
    cancel.cancel();
    Ran::canceled_by(&engine, &Selection::pending(), &cancel);
    let other = commit_on(&stage, "other");
    Ran::of(&engine, &Selection::revision("other"));
    assert_eq!(stage.word(other).as_deref(), Some("success"));
    assert_eq!(stage.word(side), None);
}

#[test]
fn a_waiting_caller_follows_and_gets_the_verdict() {
    let (stage, first) = gated();
    let engine = stage.engine();
    thread::scope(|scope| {
        let holder = scope.spawn(|| Ran::of(&engine, &Selection::pending()));
        stage.await_gate();
        let waiter = wait_in(scope, &engine, &push(None, first, "main"));
        stage.open_gate();
        let waited = waiter.join().unwrap();
        assert_eq!(holder.join().unwrap().outcome(), Outcome::Success);
        assert_eq!(waited.summary.already_tested, [(first, Outcome::Success)]);
        assert!(waited.summary.records.is_empty());
        let text = waited.text();
        let last = text.lines().map(without_time).next_back();
        assert_eq!(last, Some(format!("Finished {first}").as_str()));
    });
}

#[test]
fn a_pusher_is_told_of_a_verdict_that_was_there_first() {
    let stage = Stage::with("build: exit 1\n");
    let engine = stage.engine();
    Ran::of(&engine, &Selection::pending());
    let told = Ran::of(&engine, &push(None, stage.head(), "main")).summary;
    assert_eq!(told.already_tested, [(stage.head(), Outcome::Failure)]);
    assert_eq!(told.exit_code(), 1);
}

#[test]
fn the_lock_goes_to_a_waiter_once_the_holders_own_commits_are_done() {
    let (stage, first) = gated();
    let side = commit_on(&stage, "side");
    let engine = stage.engine();
    let pushed = push(None, first, "main");
    thread::scope(|scope| {
        let holder = scope.spawn(|| Ran::of(&engine, &pushed).summary);
        stage.await_gate();
        let waiter = wait_in(scope, &engine, &push(Some(first), side, "side"));
        stage.open_gate();
        assert_eq!(commits(&holder.join().unwrap()), [first]);
        assert_eq!(waiter.join().unwrap().commits(), [side]);
    });
}

#[test]
fn a_waiter_that_came_for_one_commit_owes_the_rest_its_run() {
    let (stage, first) = gated();
    let [side, other] = ["side", "other"].map(|branch| commit_on(&stage, branch));
    let engine = stage.engine();
    let pushed = push(None, first, "main");
    thread::scope(|scope| {
        let holder = scope.spawn(|| Ran::of(&engine, &pushed).summary);
        stage.await_gate();
        let waiter = wait_in(scope, &engine, &Selection::revision("other"));
        stage.open_gate();
        assert_eq!(commits(&holder.join().unwrap()), [first]);
        assert_eq!(waiter.join().unwrap().commits(), [other]);
    });
    assert_eq!(stage.word(side).as_deref(), Some("success"), "the holder had promised it");
}

#[test]
fn a_waiter_that_does_not_take_the_lock_holds_nobody_up() {
    let (stage, first) = gated();
    let side = commit_on(&stage, "side");
    let engine = stage.engine();
    let waiting = stage.repo.path().join(".git/tinyci/waiting");
    let mut stopped = None;
    let summary = hold(&stage, &engine, &push(None, first, "main"), || {
        let file = File::options().create(true).write(true).truncate(false).open(&waiting).unwrap();
        file.lock_shared().unwrap();
        stopped = Some(file);
    });
    assert_eq!(commits(&summary), [first, side]);
    drop(stopped);
}

#[test]
fn a_retry_waits_for_its_own_run() {
    let (stage, first) = gated();
    stage.repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "failure", "HEAD"]);
    let side = commit_on(&stage, "side");
    stage.repo.git(&["checkout", "-q", "side"]);
    stage.commit(&format!("build: {GATE}\n"));
    let engine = stage.engine();
    thread::scope(|scope| {
        let holder = scope.spawn(|| Ran::of(&engine, &Selection::revision("side")).outcome());
        stage.await_gate();
        let waiter = wait_in(scope, &engine, &Selection::revision("main").retry(true));
        // Long enough for a waiter to look at the notes, which hold a verdict.
        thread::sleep(Duration::from_millis(700));
        stage.open_gate();
        assert_eq!(holder.join().unwrap(), Outcome::Success);
        assert_eq!(waiter.join().unwrap().commits(), [first]);
    });
    assert_eq!(stage.word(first).as_deref(), Some("success"));
    assert_eq!(stage.word(side), None);
}

#[test]
fn a_run_can_be_followed_without_taking_part() {
    let stage = Stage::new();
    let tick = "touch @/waiting; until [ -e @/open ]; do echo tick; sleep 0.01; done";
    let first = stage.commit(&format!("build: {tick}\n"));
    let engine = stage.engine();
    thread::scope(|scope| {
        let holder = scope.spawn(|| Ran::of(&engine, &Selection::pending()).outcome());
        stage.await_gate();
        let (mut lines, mut numbers) = (Vec::new(), Vec::new());
        let mut observer = |event: &Event| {
            stage.open_gate();
            numbers.push(event.meta.sequence);
            if let EventKind::Output { bytes, .. } = &event.kind {
                assert_eq!(event.meta.step, None);
                let text = String::from_utf8_lossy(bytes).into_owned();
                lines.extend(text.lines().map(|line| without_time(line).to_owned()));
            }
        };
        let summary = engine.follow(&Selection::pending(), &CancelToken::new(), &mut observer);
        let summary = summary.unwrap();
        assert_eq!(summary.already_tested, [(first, Outcome::Success)]);
        assert!(summary.records.is_empty());
        assert_eq!(holder.join().unwrap(), Outcome::Success);
        assert_eq!(lines.last(), Some(&format!("Finished {first}")));
        let events = numbers.len() as u64;
        assert!(numbers.into_iter().eq(1..=events));
    });
    let nothing = engine.follow(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| {});
    assert_eq!(nothing.unwrap(), Summary::default(), "no run is in progress");
}

#[test]
fn two_commits_run_at_once() {
    let stage = Stage::new();
    let meets = |own, other| {
        format!("build: touch @/{own}; until [ -e @/{other} ]; do sleep 0.01; done; echo met\n")
    };
    let ids = [stage.commit(&meets("a", "b")), stage.commit(&meets("b", "a"))];
    let engine = stage.builder().jobs(2).open().unwrap();
    let ran = Ran::of(&engine, &Selection::pending());
    let mut green: Vec<_> = ran.summary.records.iter().filter(|it| it.passed()).collect();
    green.sort_by_key(|record| record.commit);
    let mut expected = ids;
    expected.sort();
    assert!(green.iter().map(|record| record.commit).eq(expected));

    for id in ids {
        let own = stage.log_of(id);
        assert!(own.contains(&"met".to_owned()), "no label in a build's own log: {own:?}");
        let label = format!("{} ", id.short());
        let shared = stage.log();
        let labelled = shared.iter().filter_map(|line| line.strip_prefix(&label));
        assert!(labelled.eq(own.iter()), "{shared:?}");
    }
    let numbers = ran.events.iter().map(|event| event.meta.sequence);
    assert!(numbers.eq(1..=ran.events.len() as u64));
}

#[test]
fn what_is_pushed_during_a_run_is_found_by_it() {
    let (stage, first) = gated();
    let mut second = None;
    let engine = stage.engine();
    let summary = hold(&stage, &engine, &Selection::pending(), || {
        second = Some(stage.commit("build: \"true\"\n"));
    });
    assert_eq!(commits(&summary), [first, second.unwrap()]);
}

#[test]
fn eight_callers_at_once_run_each_commit_once() {
    let stage = Stage::new();
    let ids: Vec<CommitId> =
        (0..4).map(|number| stage.commit(&format!("build: echo {number} >> @/trace\n"))).collect();
    let selection = Selection::pending().wait(Wait::Forever);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| Ran::of(&stage.engine(), &selection));
        }
    });
    assert_eq!(stage.trace(), ["0", "1", "2", "3"]);
    assert!(ids.iter().all(|id| stage.word(*id).as_deref() == Some("success")));
}
