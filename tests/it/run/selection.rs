//! Which commits a run takes: by name, by range, by push, or all that is pending.

use std::collections::HashSet;

use tinyci::{
    CancelToken, CommitId, ErrorKind, Event, Outcome, Record, Selection, Summary, plan::Trigger,
};

use crate::support::stage::{GATE, Ran, Stage};

/// Three commits, each of which leaves its number in the trace.
fn three() -> (Stage, [CommitId; 3]) {
    let stage = Stage::new();
    let ids = [1, 2, 3].map(|number| stage.commit(&format!("build: echo {number} >> @/trace\n")));
    (stage, ids)
}

/// What a `post-receive` hook is told of a push to `main`.
fn push(old: Option<CommitId>, new: Option<CommitId>) -> Selection {
    let id = |id: Option<CommitId>| id.map_or("0".repeat(40), |id| id.to_string());
    Selection::hook_lines(format!("{} {} refs/heads/main\n", id(old), id(new))).unwrap()
}

/// The numbers of the commits that a selection runs, in their order.
#[track_caller]
fn check_taken(selection: impl FnOnce(&[CommitId; 3]) -> Selection, expected: &str) {
    let (stage, ids) = three();
    stage.repo.git(&["tag", "-a", "v2", "-m", "tag", &ids[1].to_string()]);
    let ran = Ran::of(&stage.engine(), &selection(&ids));
    assert!(ran.summary.records.iter().all(Record::passed));
    assert_eq!(stage.trace().join(" "), expected);
}

#[test]
fn commits_are_named_in_gits_own_syntax() {
    check_taken(|_| Selection::pending(), "1 2 3");
    check_taken(|ids| Selection::revision(ids[0].to_string()), "1");
    check_taken(|ids| Selection::revision(ids[0].short()), "1");
    check_taken(|_| Selection::revision("HEAD~1"), "2");
    check_taken(|_| Selection::revision("v2"), "2");
    check_taken(|_| Selection::revision("main^{/config}"), "3");
    check_taken(|_| Selection::range("HEAD~2..HEAD"), "2 3");
    check_taken(|_| Selection::range("..main"), "");
    check_taken(|_| Selection::range("^v2 main"), "3");
    check_taken(|_| Selection::range("main"), "1 2 3");
    check_taken(|_| Selection::revision("HEAD").and_revision("HEAD~2").and_revision("@"), "3 1");
}

#[test]
fn a_revision_that_names_no_commit_is_not_found() {
    let (stage, _) = three();
    let tree = stage.repo.git(&["rev-parse", "HEAD^{tree}"]);
    let not_found =
        ["v9", "mian", "--output=pwn", "0123456", &tree, "HEAD~9"].map(Selection::revision);
    let [range, empty] = ["main..v9", ""].map(Selection::range);
    for selection in not_found.into_iter().chain([range]) {
        let engine = stage.engine();
        let error = engine.run(&selection, &CancelToken::new(), &mut |_: &Event| {}).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{selection:?}");
        assert_eq!(engine.plan(&selection).unwrap_err().kind(), ErrorKind::NotFound);
    }
    let error = stage.engine().pending_commits(&empty).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArg);
    assert!(!stage.path("trace").exists() && !stage.repo.path().join("pwn").exists());
}

#[test]
fn what_is_settled_is_reported_and_runs_again_only_for_a_retry() {
    let stage = Stage::with("build: echo again >> @/trace; test ! -e @/red\n");
    let (id, named) = (stage.head(), Selection::revision("HEAD"));
    let engine = stage.engine();
    assert_eq!(Ran::of(&engine, &named).outcome(), Outcome::Success);
    stage.touch("red");
    let settled = Ran::of(&engine, &named);
    assert_eq!(settled.summary.already_tested, [(id, Outcome::Success)]);
    assert!(settled.summary.records.is_empty() && settled.summary.exit_code() == 0);

    let plan = engine.plan(&named.clone().retry(true)).unwrap();
    assert_eq!(plan.jobs[0].trigger, Trigger::Retry);
    assert_eq!(Ran::of(&engine, &named.clone().retry(true)).outcome(), Outcome::Failure);
    assert_eq!(stage.word(id).as_deref(), Some("failure"), "the word is the newest one");
    assert_eq!(Ran::of(&engine, &named).summary.exit_code(), 1, "it exits as its word says");
    let all = Selection::pending().retry(true);
    assert!(Ran::of(&engine, &all).summary.records.is_empty(), "only what is named is retried");
    assert_eq!(stage.trace().len(), 2);
    let notes = stage.repo.git(&["notes", "--ref", "runs/tinyci", "show", "HEAD"]);
    assert_eq!(notes.lines().count(), 2, "both attempts are on record");
}

#[test]
fn a_foreign_note_settles_a_commit_and_is_not_green() {
    let stage = Stage::with("build: \"true\"\n");
    stage.repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "success, I think"]);
    let named = Ran::of(&stage.engine(), &Selection::revision("HEAD"));
    assert_eq!(named.summary.already_tested, [(stage.head(), Outcome::Failure)]);
    assert_eq!(named.summary.exit_code(), 1);
    assert!(stage.run().summary.records.is_empty());
}

#[test]
fn a_commit_without_a_config_is_reported_by_name_and_never_recorded() {
    let stage = Stage::new();
    stage.repo.write("file", "");
    let id = stage.commit_more("no config");
    let named = Ran::of(&stage.engine(), &Selection::revision("HEAD"));
    assert_eq!((named.summary.unconfigured, named.summary.records), (vec![id], vec![]));
    assert!(stage.run().summary.unconfigured.is_empty(), "a scan passes over it");
    assert_eq!(stage.word(id), None);
    assert!(!stage.repo.path().join("builds").exists());
    let again = Ran::of(&stage.engine(), &Selection::revision("HEAD").retry(true));
    assert_eq!((again.summary.unconfigured.len(), again.summary.exit_code()), (1, 0));
}

#[test]
fn a_push_runs_what_it_brought_and_whatever_else_is_due() {
    let (stage, ids) = three();
    stage.repo.git(&["branch", "other", &ids[0].to_string()]);
    let engine = stage.engine();
    let commits = Ran::of(&engine, &push(Some(ids[0]), Some(ids[2]))).commits();
    assert_eq!(commits, ids);
    let deleted = Ran::of(&engine, &push(Some(ids[2]), None)).summary;
    assert_eq!(deleted, Summary::default(), "a deletion selects nothing");
}

#[test]
fn the_branch_on_record_is_the_one_that_was_pushed() {
    let (stage, ids) = three();
    stage.repo.git(&["checkout", "-q", "-b", "topic"]);
    let topic = stage.commit("build: echo $TINYCI_BRANCH >> @/trace\n");
    let lines = format!("{} {topic} refs/heads/topic\n", ids[2]);
    let ran = Ran::of(&stage.engine(), &Selection::hook_lines(lines).unwrap());
    let branches = ran.summary.records.iter().map(|record| record.branch.clone().unwrap());
    assert_eq!(branches.map(|it| it.to_string()).collect::<Vec<_>>(), ["topic"; 4]);
    assert_eq!(stage.trace().last().unwrap(), "topic");
}

#[test]
fn a_hook_is_told_which_line_it_misread() {
    let error = Selection::hook_lines("nonsense\n").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArg);
    assert!(error.message().contains("line 1"), "{error}");
}

/// A history of this many commits with a config.
fn history(length: usize) -> (Stage, Vec<CommitId>) {
    let stage = Stage::new();
    let mut ids = vec![stage.commit("build: echo $TINYCI_SHORT >> @/trace\n")];
    while ids.len() < length {
        ids.push(stage.commit_more("more"));
    }
    (stage, ids)
}

#[test]
fn a_push_of_a_long_history_runs_only_the_tips() {
    let (stage, ids) = history(21);
    let (tip, engine) = (ids[20], stage.engine());
    let pushed = push(None, Some(tip));
    let plan = engine.plan(&pushed).unwrap();
    assert_eq!(plan.jobs.iter().map(|job| job.commit.id).collect::<Vec<_>>(), [tip]);
    assert_eq!(plan.baselined, ids[..20]);

    let ran = Ran::of(&engine, &pushed);
    assert_eq!((ran.commits(), ran.summary.baselined), (vec![tip], 20));
    assert_eq!(ran.summary.exit_code(), 0);
    let [warning] = ran.warnings().try_into().unwrap();
    assert!(warning.contains("20 older commits") && warning.contains("--all-history"));
    assert_eq!(stage.repo.git(&["rev-parse", "refs/tinyci/baseline^@"]), ids[19].to_string());

    assert!(stage.run().summary.records.is_empty(), "the baseline hides them");
    let named = Ran::of(&engine, &Selection::revision(ids[3].to_string()));
    assert_eq!(named.commits(), [ids[3]], "unless one is named");
    let rest = Ran::of(&engine, &Selection::pending().all_history(true)).commits();
    let expected: Vec<_> = ids[..20].iter().copied().filter(|id| *id != ids[3]).collect();
    assert_eq!(rest, expected, "or all are asked for");
}

#[test]
fn a_shorter_one_is_run_whole_and_so_is_whatever_is_asked_for() {
    let (stage, ids) = history(20);
    assert_eq!(Ran::of(&stage.engine(), &push(None, ids.last().copied())).commits(), ids);

    let (stage, ids) = history(21);
    assert_eq!(stage.run().commits(), ids, "all that is pending, however much");

    let (stage, ids) = history(3);
    stage.repo.git(&["config", "tinyci.backlogLimit", "2"]);
    assert_eq!(Ran::of(&stage.engine(), &push(None, Some(ids[2]))).commits(), ids[2..]);
    let named = Ran::of(&stage.engine(), &Selection::range("HEAD"));
    assert_eq!(named.commits(), ids[..2], "a range that is named is run whole");
}

#[test]
fn an_install_leaves_a_long_history_to_the_baseline() {
    let (stage, ids) = history(22);
    let installed = stage.engine().install(&tinyci::install::InstallOptions::new()).unwrap();
    let told = installed.notes.iter().find(|note| note.contains("21 older commits"));
    assert!(told.is_some(), "{:?}", installed.notes);
    assert_eq!(stage.run().commits(), ids[21..]);
}

#[test]
fn a_plan_says_why() {
    let (stage, ids) = three();
    let engine = stage.engine();
    let reasons = |selection: &Selection| {
        let jobs = engine.plan(selection).unwrap().jobs;
        jobs.into_iter().map(|job| (job.commit.id, job.trigger)).collect::<Vec<_>>()
    };
    Ran::of(&engine, &Selection::revision(ids[0].to_string()));
    engine.forget(&ids[0].to_string()).unwrap();
    let pending = Trigger::Pending;
    let expected = [(ids[0], Trigger::Unfinished), (ids[1], pending), (ids[2], pending)];
    assert_eq!(reasons(&Selection::pending()), expected);
    assert_eq!(reasons(&Selection::revision("HEAD")), [(ids[2], Trigger::Named)]);
    let scanned = engine.pending_commits(&Selection::pending()).unwrap();
    assert!(scanned.iter().map(|commit| commit.id).eq(ids));
    let commit = engine.commit("HEAD~1").unwrap();
    assert_eq!(
        (commit.id, commit.parents, commit.subject),
        (ids[1], vec![ids[0]], "config".into())
    );
}

#[test]
fn a_verdict_that_is_taken_away_makes_the_commit_due() {
    let stage = Stage::with("build: echo ran >> @/trace\n");
    let engine = stage.engine();
    stage.run();
    assert!(engine.forget("HEAD").unwrap());
    assert!(!engine.forget("HEAD").unwrap(), "there is none any more");
    assert_eq!(stage.run().outcome(), Outcome::Success);
    stage.repo.git(&["notes", "--ref", "tinyci-result", "remove", "HEAD"]);
    assert_eq!(stage.run().outcome(), Outcome::Success, "git's own removal counts too");
    assert_eq!(stage.trace().len(), 3);
    assert_eq!(engine.forget("v9").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_commit_that_nobody_reaches_any_more_is_dropped_before_it_begins() {
    let stage = Stage::with(&format!("build: {GATE}\n"));
    let (first, second) = (stage.head(), stage.commit("build: touch @/trace\n"));
    let ran = std::thread::scope(|scope| {
        let run = scope.spawn(|| stage.run());
        stage.await_gate();
        stage.repo.git(&["reset", "-q", "--hard", &first.to_string()]);
        stage.open_gate();
        run.join().unwrap()
    });
    assert_eq!(ran.commits(), [first]);
    assert!(!ran.summary.canceled && ran.summary.exit_code() == 0);
    assert_eq!(stage.word(second), None);
    assert!(!stage.path("trace").exists());
    let named = Ran::of(&stage.engine(), &Selection::revision(second.to_string()));
    assert_eq!(named.outcome(), Outcome::Success, "whoever names it gets it");
}

#[test]
fn refs_select_what_is_run() {
    let (stage, ids) = three();
    stage.repo.git(&["branch", "release/1", &ids[0].to_string()]);
    stage.repo.git(&["tag", "-a", "v2", "-m", "tag", &ids[1].to_string()]);
    let taken = |glob: &str| {
        let engine = stage.builder().refs([glob]).open().unwrap();
        let commits: HashSet<CommitId> = engine
            .pending_commits(&Selection::pending())
            .unwrap()
            .into_iter()
            .map(|it| it.id)
            .collect();
        commits
    };
    assert_eq!(taken("refs/heads/release/*"), HashSet::from([ids[0]]));
    assert_eq!(taken("refs/tags/*"), HashSet::from([ids[0], ids[1]]));
    assert_eq!(taken("refs/*"), ids.into());
}

/// A record of this outcome.
fn record(outcome: Outcome) -> Record {
    let json = format!(
        r#"{{"finished":"2026-11-24T19:50:00Z","outcome":"{outcome}","job_id":"r1","commit":"{}","tree":"{}"}}"#,
        "1".repeat(40),
        "2".repeat(40)
    );
    Record::from_json(&json).unwrap()
}

#[test]
fn a_summary_exits_with_the_worst_that_occurred() {
    let codes = [0, 1, 1, 0, 4, 130];
    let rank = |code: i32| [0, 1, 4, 130].iter().position(|it| *it == code).unwrap();
    let id: CommitId = "1".repeat(40).parse().unwrap();
    // Every pair of outcomes, of attempts and of settled commits, with everything else there is.
    for (one, first) in Outcome::ALL.into_iter().zip(codes) {
        for (other, second) in Outcome::ALL.into_iter().zip(codes) {
            for flags in 0..16_u8 {
                let (canceled, fault, held, harmless) =
                    (flags & 1 > 0, flags & 2 > 0, flags & 4 > 0, flags & 8 > 0);
                let mut summary = Summary::default();
                summary.records.push(record(one));
                summary.already_tested.push((id, other));
                summary.canceled = canceled;
                summary.error = fault.then(|| "the disk is full".to_owned());
                summary.out_of_attempts.extend(held.then_some(id));
                summary.unconfigured.extend(harmless.then_some(id));
                summary.baselined = usize::from(harmless);
                let mut expected = vec![first, second];
                expected.extend(canceled.then_some(130));
                expected.extend((fault || held).then_some(4));
                let worst = expected.into_iter().max_by_key(|code| rank(*code)).unwrap();
                assert_eq!(summary.exit_code(), worst, "{summary:?}");
                assert_eq!(summary.worst().exit_code(), worst);
            }
        }
    }
    assert_eq!(Summary::default().exit_code(), 0);
}
