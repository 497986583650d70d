//! What an observer is told, and what it may do.

use std::{
    fs,
    ops::ControlFlow,
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use tinyci::{
    CancelToken, Event, EventKind, Outcome, Selection,
    pipeline::{Phase, StepName},
};

use crate::support::{
    eventually, is_alive,
    stage::{GATE, Ran, Stage},
};

/// An event's name, and the step it belongs to.
fn told(event: &Event) -> String {
    let name = match &event.kind {
        EventKind::Planned { .. } => "planned",
        EventKind::JobStarted { .. } => "job started",
        EventKind::Exported { .. } => "exported",
        EventKind::StepStarted { .. } => "started",
        EventKind::Output { .. } => "output",
        EventKind::StepFinished { .. } => "finished",
        EventKind::JobFinished { .. } => "job finished",
        EventKind::Warning { .. } => "warning",
        EventKind::Waiting { .. } => "waiting",
        EventKind::Finished { .. } => "run finished",
        _ => "unknown",
    };
    match event.meta.step {
        Some(step) => format!("{name} {step}"),
        None => name.to_owned(),
    }
}

#[track_caller]
fn assert_no_gaps(events: &[Event]) {
    let numbers: Vec<u64> = events.iter().map(|event| event.meta.sequence).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
    assert!(events.iter().map(|event| event.meta.time).is_sorted(), "times go on");
}

#[test]
fn events_come_in_order_and_without_gaps() {
    let stage = Stage::with(
        "build: echo built\ntest: exit 1\nhooks:\n  before_test: \"true\"\n  after_all: echo last\n",
    );
    let id = stage.head();
    let ran = stage.run();
    let expected = [
        "planned",
        "job started",
        "exported",
        "started build",
        "output build",
        "finished build",
        "started before_test",
        "finished before_test",
        "started test",
        "finished test",
        "started after_all",
        "output after_all",
        "finished after_all",
        "job finished",
        "run finished",
    ];
    assert_eq!(ran.events.iter().map(told).collect::<Vec<_>>(), expected);
    assert_no_gaps(&ran.events);
    for event in &ran.events[1..14] {
        assert_eq!(event.meta.commit, Some(id));
        assert_eq!(event.meta.job_id.as_deref(), Some(ran.record().job_id.as_str()));
    }
    let EventKind::Planned { jobs, .. } = &ran.events[0].kind else {
        panic!("the plan comes first")
    };
    assert_eq!(jobs.iter().map(|job| job.commit.id).collect::<Vec<_>>(), [id]);
    let EventKind::Exported { dir, .. } = &ran.events[2].kind else { panic!("the export") };
    assert_eq!(*dir, stage.build_dir(id).join("export"));
    let EventKind::JobFinished { record, .. } = &ran.events[13].kind else { panic!("the record") };
    assert_eq!(**record, *ran.record());
    let EventKind::Finished { outcome, .. } = ran.events[14].kind else { panic!("the end") };
    assert_eq!(outcome, Outcome::Failure);
}

#[test]
fn the_lines_of_events_and_the_output_are_the_log() {
    let stage = Stage::with(
        "build: \"echo built; printf 'no end'\"\ntest: exit 1\nhooks:\n  after_test_failure: exit \
         2\n",
    );
    let ran = stage.run();
    let mut text = String::new();
    for event in &ran.events {
        if let EventKind::Output { bytes, .. } = &event.kind {
            text.push_str(&String::from_utf8_lossy(bytes));
        }
        for line in event.log_lines() {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(&line);
            text.push('\n');
        }
    }
    assert_eq!(text.lines().collect::<Vec<_>>(), stage.log_of(stage.head()));
}

/// The lines behind the start of a phase, in the log of a commit with this config.
#[track_caller]
fn check_end(config: &str, expected: &[&str]) {
    let stage = Stage::with(config);
    let id = stage.head().to_string();
    // A run is canceled by whoever sees it say so.
    let cancel = CancelToken::new();
    let mut observer = |event: &Event| {
        if let EventKind::Output { bytes, .. } = &event.kind
            && bytes.starts_with(b"cancel")
        {
            cancel.cancel();
        }
    };
    let limit = Duration::from_secs(2);
    let engine = stage.builder().command_timeout(limit).open().unwrap();
    engine.run(&Selection::pending(), &cancel, &mut observer).unwrap();
    let expected: Vec<String> = expected.iter().map(|line| line.replace("ID", &id)).collect();
    assert_eq!(stage.log_of(stage.head())[3..], expected);
}

#[test]
fn a_log_says_how_it_ended() {
    check_end("build: \"true\"\n", &["Building...", "Finished ID"]);
    check_end(
        "build: exit 3\n",
        &["Building...", "build: `/bin/sh -c 'exit 3'` failed with status 3"],
    );
    check_end(
        "build: kill -s TERM $$\n",
        &["Building...", "build: `/bin/sh -c 'kill -s TERM $$'` was killed by signal 15"],
    );
    check_end("build: sleep 600\n", &["Building...", "build: `/bin/sh -c 'sleep 600'` timed out"]);
    check_end(
        "build: sleep 600\nhooks:\n  after_all: echo last\n",
        &[
            "Building...",
            "build: `/bin/sh -c 'sleep 600'` timed out",
            "executing after_all hook...",
            "last",
            "Failed ID",
        ],
    );
    check_end(
        "build: echo cancel; sleep 600\n",
        &[
            "Building...",
            "cancel",
            "build: `/bin/sh -c 'echo cancel; sleep 600'` was canceled",
            "Canceled ID",
        ],
    );
    check_end(
        "build: \"true\"\nhooks:\n  before_build: exit 2\n  after_all: echo last\n",
        &[
            "Building...",
            "executing before_build hook...",
            "before_build: `/bin/sh -c 'exit 2'` failed with status 2",
            "executing after_all hook...",
            "last",
            "Failed ID",
        ],
    );
    check_end(
        "build: \"true\"\ntest: echo one; exit 1\nhooks:\n  before_test: echo ready\n",
        &[
            "Building...",
            "Testing...",
            "executing before_test hook...",
            "ready",
            "one",
            "test: `/bin/sh -c 'echo one; exit 1'` failed with status 1",
        ],
    );
}

#[test]
fn an_idle_run_says_only_that_it_is_over() {
    let stage = Stage::new();
    stage.repo.write("file", "");
    stage.commit_more("no config");
    let ran = stage.run();
    assert_eq!(ran.events.iter().map(told).collect::<Vec<_>>(), ["run finished"]);
    assert!(ran.summary.records.is_empty() && ran.summary.exit_code() == 0);
    assert!(!stage.repo.path().join("builds").exists(), "it costs nothing");
}

#[test]
fn a_megabyte_of_lines_comes_whole_and_in_order() {
    let stage = Stage::with("build: seq 1 180000; printf 'no end'\n");
    let ran = stage.run();
    let mut expected: String = (1..=180_000).map(|number| format!("{number}\n")).collect();
    expected.push_str("no end");
    assert!(expected.len() > 1 << 20);
    assert!(ran.output() == expected.as_bytes(), "{} bytes came", ran.output().len());
    assert_no_gaps(&ran.events);
    let pieces: Vec<&[u8]> = ran
        .events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Output { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        })
        .collect();
    assert!(pieces.iter().all(|piece| !piece.is_empty() && piece.len() <= 64 << 10));
    let log = fs::read(stage.build_dir(stage.head()).join("tinyci.log")).unwrap();
    assert_eq!(log.iter().filter(|byte| **byte == b'\n').count(), 180_001 + 5);
}

#[test]
fn a_line_without_its_end_is_shown_while_the_command_waits() {
    let stage = Stage::with(&format!("build: printf 'password? '; {GATE}\n"));
    let mut text = Vec::new();
    let summary =
        stage.engine().run(&Selection::pending(), &CancelToken::new(), &mut |event: &Event| {
            if let EventKind::Output { bytes, .. } = &event.kind {
                text.extend_from_slice(bytes);
                stage.open_gate();
            }
        });
    assert_eq!(summary.unwrap().records[0].outcome, Outcome::Success);
    assert_eq!(text, b"password? ");
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are() {
    let stage = Stage::with(r"build: printf '\377\0\r\n\376'");
    let ran = stage.run();
    assert_eq!(ran.output(), b"\xff\0\r\n\xfe");
    let log = fs::read(stage.build_dir(stage.head()).join("tinyci.log")).unwrap();
    let has = |bytes: &[u8]| log.windows(bytes.len()).any(|window| window == bytes);
    assert!(has(b"] \xff\0\r\n[") && has(b"] \xfe\n["));
}

#[test]
fn a_break_cancels_once_however_often_it_is_said() {
    let stage = Stage::with(
        "build: echo $$ > @/pid; echo ready; sleep 600\ntest: touch @/tested\nhooks:\n  after_all: \
         echo last >> @/trace\n",
    );
    let cancel = CancelToken::new();
    let mut after = Vec::new();
    let mut broken = false;
    let engine = stage.engine();
    let summary = engine.run(&Selection::pending(), &cancel, &mut |event: &Event| {
        if broken {
            after.push(told(event));
        }
        broken |= matches!(event.kind, EventKind::Output { .. });
        if broken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let summary = summary.unwrap();
    assert_eq!(summary.records[0].outcome, Outcome::Canceled);
    assert!(summary.canceled && summary.exit_code() == 130);
    assert_eq!(cancel.level(), 0, "the host's own token is its own");
    assert_eq!(stage.trace(), ["last"]);
    assert!(!stage.path("tested").exists() && !is_alive(stage.read("pid")));
    let expected = [
        "finished build",
        "started after_all",
        "finished after_all",
        "job finished",
        "run finished",
    ];
    assert_eq!(after, expected, "events go on to the end");
}

#[test]
fn an_observers_panic_goes_on_once_the_run_has_ended() {
    let stage = Stage::with(
        "build: echo $$ > @/pid; echo ready; sleep 600\nhooks:\n  after_all: echo last >> @/trace\n",
    );
    let engine = stage.engine();
    let cancel = CancelToken::new();
    let mut observer = |event: &Event| {
        if let EventKind::Output { .. } = &event.kind {
            panic!("the host is broken");
        }
    };
    let ran = catch_unwind(AssertUnwindSafe(|| {
        engine.run(&Selection::pending(), &cancel, &mut observer)
    }));
    assert_eq!(ran.unwrap_err().downcast_ref(), Some(&"the host is broken"));
    assert_eq!(stage.trace(), ["last"]);
    assert!(!is_alive(stage.read("pid")), "nothing runs on");
    assert_eq!(stage.word(stage.head()), None);
    let due = engine.pending_commits(&Selection::pending()).unwrap();
    assert_eq!(due.len(), 1, "the commit is due again");
    cancel.cancel();
    let next = Ran::canceled_by(&engine, &Selection::pending(), &cancel);
    assert!(next.summary.canceled, "the repository is free for the next run");
}

#[test]
fn neither_log_nor_deadline_waits_for_a_slow_observer() {
    let stage =
        Stage::with("build: {run: 'echo $$ > @/pid; echo ready; sleep 600', timeout: 2s}\n");
    let log = stage.build_dir(stage.head()).join("tinyci.log");
    let mut slow = false;
    let ran =
        stage.engine().run(&Selection::pending(), &CancelToken::new(), &mut |event: &Event| {
            if let EventKind::StepStarted { .. } = &event.kind {
                slow = true;
                eventually("the output is in the log", || {
                    fs::read_to_string(&log).unwrap().contains("ready")
                });
                eventually("the deadline ends the build", || !is_alive(stage.read("pid")));
            }
        });
    assert!(slow);
    assert_eq!(ran.unwrap().records[0].outcome, Outcome::TimedOut);
}

#[test]
fn an_observer_may_be_slow_as_long_as_it_likes() {
    let stage = Stage::with("build: seq 1 200000\n");
    let mut bytes_seen = 0;
    let summary =
        stage.engine().run(&Selection::pending(), &CancelToken::new(), &mut |event: &Event| {
            if let EventKind::Output { bytes, .. } = &event.kind {
                bytes_seen += bytes.len();
                std::thread::sleep(Duration::from_millis(3));
            }
        });
    assert_eq!(summary.unwrap().records[0].outcome, Outcome::Success);
    assert_eq!(bytes_seen, (1..=200_000).map(|number| format!("{number}\n").len()).sum::<usize>());
}

#[test]
fn a_step_is_told_with_its_record() {
    let stage = Stage::with("build:\n  - echo one\n  - exit 4\n");
    let ran = stage.run();
    let finished = ran.events.iter().find_map(|event| match &event.kind {
        EventKind::StepFinished { record, .. } => Some((event.meta.step, record.clone())),
        _ => None,
    });
    let (step, record) = finished.unwrap();
    assert_eq!(step, Some(StepName::Phase(Phase::Build)));
    assert_eq!(Some(&record), ran.record().step(Phase::Build));
    let exits: Vec<_> = record.commands.iter().map(|command| command.exit.unwrap()).collect();
    assert_eq!(exits, [tinyci::executor::Exit::Code(0), tinyci::executor::Exit::Code(4)]);
}
