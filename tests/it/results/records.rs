//! What can be asked afterwards: records and logs.

use std::{fs, thread};

use tinyci::{
    CancelToken, CommitId, Engine, ErrorKind, Outcome, RecordFilter, Selection, record::LogOptions,
};

use crate::support::stage::{Ran, Stage, without_time};

/// Four commits, by turns green and red, all judged.
fn four() -> (Stage, [CommitId; 4]) {
    let stage = Stage::new();
    let ids = ["0", "1", "0", "1"].map(|code| stage.commit(&format!("build: exit {code}\n")));
    stage.run();
    (stage, ids)
}

/// The commits and outcomes that a filter finds.
fn found(engine: &Engine, filter: &RecordFilter) -> Vec<(CommitId, Outcome)> {
    let records = engine.records(filter).unwrap();
    records.into_iter().map(|record| (record.commit, record.outcome)).collect()
}

#[test]
fn records_are_found_by_range_outcome_and_number() {
    let (stage, [one, two, three, four]) = four();
    let engine = stage.engine();
    let (green, red) = (Outcome::Success, Outcome::Failure);
    for (filter, expected) in [
        (RecordFilter::new(), vec![(four, red), (three, green), (two, red), (one, green)]),
        (RecordFilter::new().limit(2), vec![(four, red), (three, green)]),
        (RecordFilter::new().limit(0), vec![]),
        (RecordFilter::new().outcome(green), vec![(three, green), (one, green)]),
        (RecordFilter::new().outcome(green).limit(1), vec![(three, green)]),
        (RecordFilter::new().outcome(Outcome::TimedOut), vec![]),
        (RecordFilter::new().range("HEAD~2..HEAD"), vec![(four, red), (three, green)]),
        (RecordFilter::new().range("HEAD~2"), vec![(two, red), (one, green)]),
        (RecordFilter::new().revision("HEAD~2"), vec![(two, red)]),
        (
            RecordFilter::new().revision("HEAD~3").revision(three.short()),
            vec![(one, green), (three, green)],
        ),
        (RecordFilter::new().revision("HEAD~3").revision("HEAD").limit(1), vec![(one, green)]),
        (
            RecordFilter::new().range("HEAD~2..HEAD").revision("HEAD~3").revision("HEAD~1"),
            vec![(one, green), (three, green), (four, red)],
        ),
        (RecordFilter::new().range("HEAD~1..HEAD").revision("HEAD~3").limit(1), vec![(one, green)]),
        (
            RecordFilter::new().range("HEAD~2..").range("HEAD~1..").limit(9),
            vec![(four, red), (three, green)],
        ),
    ] {
        assert_eq!(found(&engine, &filter), expected, "{filter:?}");
    }
    for filter in [RecordFilter::new().range("v9"), RecordFilter::new().revision("v9")] {
        assert_eq!(engine.records(&filter).unwrap_err().kind(), ErrorKind::NotFound);
    }
}

#[test]
fn only_what_selected_refs_reach_is_found_unless_it_is_named() {
    let (stage, [.., four]) = four();
    stage.repo.git(&["reset", "-q", "--hard", "HEAD~1"]);
    let engine = stage.engine();
    assert_eq!(engine.records(&RecordFilter::new()).unwrap().len(), 3);
    let named = RecordFilter::new().revision(four.to_string());
    assert_eq!(found(&engine, &named), [(four, Outcome::Failure)]);
}

#[test]
fn the_record_that_counts_is_the_one_that_the_verdict_rests_on() {
    let stage = Stage::with("build: test ! -e @/red || sleep 600\n");
    let (id, engine) = (stage.head(), stage.engine());
    let green = Ran::of(&engine, &Selection::pending());
    stage.touch("red");
    let canceled = CancelToken::new();
    let retry = Selection::revision("HEAD").retry(true);
    let mut cancel = |event: &tinyci::Event| {
        if let tinyci::EventKind::StepStarted { .. } = &event.kind {
            canceled.cancel();
        }
    };
    engine.run(&retry, &canceled, &mut cancel).unwrap();

    let counts = engine.records(&RecordFilter::new()).unwrap();
    assert_eq!((counts.len(), &counts[0].job_id), (1, &green.record().job_id));
    let all = found(&engine, &RecordFilter::new().all_attempts(true));
    assert_eq!(all, [(id, Outcome::Canceled), (id, Outcome::Success)], "the newest first");
    let of_canceled = RecordFilter::new().all_attempts(true).outcome(Outcome::Canceled);
    assert_eq!(found(&engine, &of_canceled).len(), 1);
}

#[test]
fn a_record_without_its_word_is_no_verdict() {
    let stage = Stage::with("build: \"true\"\n");
    let (id, engine) = (stage.head(), stage.engine());
    stage.run();
    engine.forget("HEAD").unwrap();
    assert_eq!(found(&engine, &RecordFilter::new()), [(id, Outcome::Error)]);
    assert!(found(&engine, &RecordFilter::new().outcome(Outcome::Success)).is_empty());
    let reason = engine.records(&RecordFilter::new()).unwrap()[0].reason.clone().unwrap();
    assert!(reason.contains("ended as success"), "{reason}");
}

/// What is found of a commit that has only a note with this text, perhaps beside a green record.
#[track_caller]
fn check_note(text: &str, with_record: bool, expected: Outcome) {
    let stage = Stage::with("build: \"true\"\n");
    if with_record {
        stage.run();
    }
    stage.repo.git(&["notes", "--ref", "tinyci-result", "add", "-f", "-m", text]);
    let engine = stage.engine();
    let records = engine.records(&RecordFilter::new()).unwrap();
    assert_eq!((records.len(), records[0].outcome), (1, expected), "{text:?}");
    assert_eq!(records[0].steps.is_empty(), !with_record || !expected.passed());
    let green = engine.records(&RecordFilter::new().outcome(Outcome::Success)).unwrap();
    assert_eq!(green.len(), usize::from(expected.passed()), "{text:?}");
    let reason = records[0].reason.as_deref().unwrap_or_default();
    let known = ["success", "failure", "skipped"].contains(&text);
    assert_eq!(reason.contains(&format!("the note is `{text}`")), !known, "{reason}");
}

#[test]
fn a_word_counts_without_a_record_and_a_record_never_without_its_word() {
    for with_record in [false, true] {
        check_note("success", with_record, Outcome::Success);
        check_note("failure", with_record, Outcome::Failure);
        check_note("skipped", with_record, Outcome::Skipped);
        check_note("success, I think", with_record, Outcome::Failure);
        check_note("SUCCESS", with_record, Outcome::Failure);
    }
}

/// The lines that these options give out.
fn lines(engine: &Engine, options: &LogOptions) -> Vec<String> {
    let mut lines = Vec::new();
    let mut take = |line: &[u8]| {
        lines.push(without_time(&String::from_utf8_lossy(line)).to_owned());
    };
    engine.log(options, &CancelToken::new(), &mut take).unwrap();
    lines
}

#[test]
fn logs_are_read_whole_by_their_end_and_by_commit() {
    let (stage, ids) = four();
    let engine = stage.engine();
    let all = lines(&engine, &LogOptions::new());
    assert_eq!(all, stage.log());
    assert_eq!(lines(&engine, &LogOptions::new().lines(3)), all[all.len() - 3..]);
    for revision in ["HEAD~3".to_owned(), ids[0].short(), ids[0].to_string()] {
        let of_one = lines(&engine, &LogOptions::new().revision(revision));
        assert_eq!(of_one, stage.log_of(ids[0]));
    }
    let settled = LogOptions::new().revision("HEAD").follow(true);
    assert_eq!(lines(&engine, &settled), stage.log_of(ids[3]), "there is nothing to wait for");
}

#[test]
fn a_log_that_is_not_there_is_not_found_and_says_where_it_went() {
    let (stage, ids) = four();
    let engine = stage.engine();
    let error = |options: LogOptions| {
        engine.log(&options, &CancelToken::new(), &mut |_: &[u8]| {}).unwrap_err()
    };
    engine.compact(&tinyci::builds::CompactOptions::new(), &CancelToken::new()).unwrap();
    let packed = error(LogOptions::new().revision(ids[0].to_string()));
    assert_eq!(packed.kind(), ErrorKind::NotFound);
    let archive = format!("{}.tar.gz", stage.build_dir(ids[0]).display());
    assert!(packed.report().contains(&archive) && fs::exists(archive).unwrap(), "{packed}");
    let new = stage.commit("build: \"true\"\n");
    let missing = error(LogOptions::new().revision(new.to_string()));
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert_eq!(error(LogOptions::new().revision("v9")).kind(), ErrorKind::NotFound);
    assert!(lines(&Stage::new().engine(), &LogOptions::new()).is_empty(), "no run, no lines");
}

/// The verdict of the attempt before does not end it.
fn follow_a_retry(stage: &Stage, engine: &Engine, id: CommitId) {
    stage.close_gate();
    thread::scope(|scope| {
        let again = Selection::revision(id.to_string()).retry(true);
        let run = scope.spawn(move || Ran::of(engine, &again).outcome());
        stage.await_gate();
        let options = LogOptions::new().revision("HEAD").lines(0).follow(true);
        let mut seen = Vec::new();
        let mut look = |line: &[u8]| {
            stage.open_gate();
            seen.push(without_time(&String::from_utf8_lossy(line)).to_owned());
        };
        engine.log(&options, &CancelToken::new(), &mut look).unwrap();
        stage.open_gate();
        assert_eq!(run.join().unwrap(), Outcome::Success);
        assert!(seen.iter().any(|line| line == "tick"), "{seen:?}");
        assert_eq!(seen.last(), stage.log_of(id).last(), "to the last line of the new attempt");
    });
}

#[test]
fn a_log_is_followed_to_the_verdict() {
    let stage = Stage::new();
    let tick = "touch @/waiting; until [ -e @/open ]; do echo tick; sleep 0.01; done";
    let id = stage.commit(&format!("build: {tick}\n"));
    let engine = stage.engine();
    thread::scope(|scope| {
        let run = scope.spawn(|| Ran::of(&engine, &Selection::pending()).outcome());
        stage.await_gate();
        let mut seen = Vec::new();
        let options = LogOptions::new().revision("HEAD").follow(true);
        engine
            .log(&options, &CancelToken::new(), &mut |line: &[u8]| {
                let line = String::from_utf8_lossy(line).into_owned();
                if line.ends_with("tick") {
                    stage.open_gate();
                }
                seen.push(without_time(&line).to_owned());
            })
            .unwrap();
        assert_eq!(run.join().unwrap(), Outcome::Success);
        assert_eq!(seen, stage.log_of(id), "from its first line to its last");
    });
    follow_a_retry(&stage, &engine, id);
    let cancel = CancelToken::new();
    let options = LogOptions::new().follow(true);
    let mut count = 0;
    let mut stop = |_: &[u8]| {
        count += 1;
        cancel.cancel();
    };
    engine.log(&options, &cancel, &mut stop).unwrap();
    assert!(count > 0, "a cancel ends what has no end of its own");
}
