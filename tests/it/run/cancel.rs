//! Canceling and skipping commits by name, from outside of the run that has them in hand.

use std::thread;

use tinyci::{
    CancelToken, Engine, ErrorKind, Outcome, Record, Selection,
    intervention::{CancelRequest, Cancellation, InterventionKind, SkipRequest},
    selection::Wait,
};

use crate::support::{
    eventually,
    stage::{GATE, Ran, Stage},
};

/// A command that never ends by itself, and says that it runs.
const ENDLESS: &str = "touch @/waiting; while :; do sleep 0.02; done";

fn by_ada(request: CancelRequest) -> CancelRequest {
    request.by("Ada", "ada@example.org").reason("it hangs")
}

#[track_caller]
fn cancel(engine: &Engine, request: CancelRequest) -> Cancellation {
    engine.cancel(&by_ada(request), &CancelToken::new()).unwrap()
}

/// Runs what is pending, and does something else once a command has made `@/waiting`.
fn run_beside<T: Send>(
    stage: &Stage,
    engine: &Engine,
    beside: impl FnOnce() -> T + Send,
) -> (Ran, T) {
    thread::scope(|scope| {
        let done = scope.spawn(|| {
            stage.await_gate();
            beside()
        });
        let ran = Ran::of(engine, &Selection::pending());
        (ran, done.join().unwrap())
    })
}

/// Who ended a job, and why, as its record says it.
fn said(record: &Record) -> (InterventionKind, String, Option<String>) {
    let by = record.intervention.clone().expect("somebody intervened");
    (by.kind, by.by, by.reason)
}

#[test]
fn a_job_is_canceled_by_name_wherever_it_stands_and_the_run_goes_on() {
    let ada = || "Ada <ada@example.org>".to_owned();
    for (config, steps) in [
        (format!("build: {ENDLESS}\n"), vec!["build canceled"]),
        (format!("build: 'true'\ntest: {ENDLESS}\n"), vec!["build success", "test canceled"]),
        (
            format!("build: 'true'\nhooks:\n  before_build: {ENDLESS}\n  after_all: 'true'\n"),
            vec!["before_build canceled", "after_all success"],
        ),
        (
            format!("build: 'false'\nhooks:\n  after_build_failure: {ENDLESS}\n"),
            vec!["build failure", "after_build_failure canceled"],
        ),
    ] {
        let stage = Stage::new();
        let hung = stage.commit(&config);
        let next = stage.commit("build: 'true'\n");
        let (ran, canceled) = run_beside(&stage, &stage.engine(), || {
            cancel(&stage.engine(), CancelRequest::revision(hung.to_string()))
        });
        let [job] = canceled.jobs.try_into().unwrap();
        assert_eq!(
            (job.commit, job.outcome, canceled.whole_run),
            (hung, Some(Outcome::Canceled), false)
        );
        let [first, second] = ran.summary.records.as_slice() else { panic!("{:#?}", ran.summary) };
        let was: Vec<String> =
            first.steps.iter().map(|step| format!("{} {}", step.name, step.outcome)).collect();
        assert_eq!(was, steps);
        assert_eq!((first.outcome, &first.job_id), (Outcome::Canceled, &job.job_id));
        assert_eq!(said(first), (InterventionKind::Cancel, ada(), Some("it hangs".to_owned())));
        assert_eq!(first.reason.as_deref(), Some("by Ada <ada@example.org>: it hangs"));
        assert_eq!((second.commit, second.outcome), (next, Outcome::Success));
        assert!(!ran.summary.canceled && ran.summary.exit_code() == 130, "the run was not");
        assert_eq!(stage.word(hung), None);
    }
}

#[test]
fn a_commit_that_was_canceled_by_name_is_out_of_attempts_until_a_retry() {
    let stage = Stage::new();
    stage.write("gate.sh", GATE);
    let id = stage.commit("build: '[ -e @/open ] || sh gate.sh'\n");
    let engine = stage.engine();
    run_beside(&stage, &engine, || cancel(&engine, CancelRequest::revision("HEAD")));
    stage.open_gate();
    for selection in [Selection::pending(), Selection::revision("HEAD")] {
        let held = Ran::of(&engine, &selection);
        assert_eq!(
            (held.summary.out_of_attempts.as_slice(), held.summary.exit_code()),
            ([id].as_slice(), 4)
        );
        assert!(held.summary.records.is_empty());
        let [warning] = held.warnings().try_into().unwrap();
        let expected = format!(
            "commit {0} was canceled by Ada <ada@example.org>: it hangs\nhint: `tinyci run \
             --retry {0}`",
            id.short()
        );
        assert_eq!(warning, expected);
        assert!(engine.status().unwrap().warnings.contains(&expected));
    }
    assert_eq!(
        Ran::of(&engine, &Selection::revision("HEAD").retry(true)).outcome(),
        Outcome::Success
    );
    assert!(engine.status().unwrap().out_of_attempts.is_empty());
}

#[test]
fn of_several_jobs_only_the_one_that_is_named_ends() {
    let stage = Stage::new();
    let other = stage.commit("build: touch @/other; until [ -e @/open ]; do sleep 0.01; done\n");
    let hung = stage.commit(&format!("build: {ENDLESS}\n"));
    let engine = stage.builder().jobs(2).open().unwrap();
    let (ran, canceled) = run_beside(&stage, &engine, || {
        stage.await_file("other");
        let canceled = cancel(&engine, CancelRequest::revision(hung.to_string()));
        assert!(!stage.path("open").exists() && stage.word(other).is_none(), "it goes on");
        stage.open_gate();
        canceled
    });
    assert_eq!(canceled.jobs.len(), 1);
    assert_eq!((stage.word(hung), stage.word(other)), (None, Some("success".to_owned())));
    assert_eq!(ran.commits(), [hung, other]);
}

#[test]
fn a_run_ends_as_a_whole_and_its_only_job_counts_as_named() {
    let stage = Stage::new();
    let one = stage.commit(&format!("build: {ENDLESS}\n"));
    let two = stage.commit("build: touch @/second; while :; do sleep 0.02; done\n");
    let engine = stage.builder().jobs(2).open().unwrap();
    let (ran, canceled) = run_beside(&stage, &engine, || {
        stage.await_file("second");
        cancel(&engine, CancelRequest::run())
    });
    assert!(canceled.whole_run && canceled.jobs.len() == 2 && ran.summary.canceled);
    for record in &ran.summary.records {
        assert_eq!(said(record).0, InterventionKind::CancelRun);
    }
    let due = engine.pending_commits(&Selection::pending()).unwrap();
    assert_eq!(due.iter().map(|it| it.id).collect::<Vec<_>>(), [one, two]);
    assert!(
        engine.plan(&Selection::pending()).unwrap().out_of_attempts.is_empty(),
        "both are due again"
    );

    std::fs::remove_file(stage.path("waiting")).unwrap();
    let engine = stage.engine();
    let (ran, canceled) = run_beside(&stage, &engine, || cancel(&engine, CancelRequest::run()));
    assert_eq!(canceled.jobs[0].commit, one);
    assert!(ran.summary.canceled, "the second one is not begun");
    assert_eq!(said(ran.record()).0, InterventionKind::Cancel);
    assert_eq!(engine.plan(&Selection::pending()).unwrap().out_of_attempts, [one]);
}

#[test]
fn the_second_cancel_kills_as_does_the_first_that_says_so() {
    let deaf = format!("trap '' TERM; {ENDLESS}");
    for (first, second) in [(false, Some(false)), (true, None)] {
        let stage = Stage::new();
        stage.write("deaf.sh", &deaf);
        stage.commit("build: sh deaf.sh\nhooks:\n  after_all: touch @/last\n");
        let engine = stage.builder().grace_period(crate::support::PATIENCE).open().unwrap();
        let (ran, ()) = run_beside(&stage, &engine, || {
            let request = |kill| CancelRequest::revision("HEAD").kill(kill).wait(Wait::Never);
            let canceled = cancel(&engine, request(first));
            if let Some(kill) = second {
                assert_eq!(canceled.jobs[0].outcome, None, "it has its grace");
                cancel(&engine, request(kill));
            }
        });
        assert_eq!(ran.steps(), ["build canceled"], "no `after_all`");
        assert!(!stage.path("last").exists());
    }
}

#[test]
fn a_job_that_is_over_before_the_cancel_is_what_it_came_to() {
    let stage = Stage::with(&format!("build: 'true'\nhooks:\n  after_all: {GATE}\n"));
    let engine = stage.engine();
    let (ran, canceled) = run_beside(&stage, &engine, || {
        let request = CancelRequest::revision("HEAD").wait(Wait::Never);
        let seen = cancel(&engine, request);
        stage.open_gate();
        seen
    });
    assert_eq!(canceled.jobs.len(), 1);
    assert_eq!((ran.outcome(), &ran.record().intervention), (Outcome::Success, &None));
    assert_eq!(stage.word(stage.head()).as_deref(), Some("success"));
}

#[test]
fn nothing_in_progress_is_an_error_with_a_next_step() {
    let stage = Stage::with("build: 'true'\n");
    let id = stage.head();
    let engine = stage.engine();
    let refused = |request| engine.cancel(&request, &CancelToken::new()).unwrap_err();
    let error = refused(CancelRequest::run());
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.report().contains("`tinyci status`"), "{error}");
    let error = refused(CancelRequest::revision("HEAD"));
    assert!(error.report().contains(&format!("`tinyci skip {}`", id.short())), "{error}");
    assert_eq!(refused(CancelRequest::revision("nothing")).kind(), ErrorKind::NotFound);
    stage.run();
    let error = refused(CancelRequest::revision("HEAD"));
    assert!(error.to_string().contains("its verdict is success"), "{error}");
}

#[test]
fn a_deployment_is_no_job_and_goes_on() {
    let stage = Stage::with(&format!("build: 'true'\ndeploy: {GATE}\n"));
    stage.run();
    let engine = stage.engine();
    thread::scope(|scope| {
        let deploying = scope.spawn(|| {
            engine.deploy("production", "HEAD", &CancelToken::new(), &mut |_: &tinyci::Event| {})
        });
        stage.await_gate();
        for request in [CancelRequest::run(), CancelRequest::revision("HEAD")] {
            let error = engine.cancel(&request, &CancelToken::new()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFound);
            assert!(
                error.to_string().contains("the deployment to `production` is not a job"),
                "{error}"
            );
        }
        stage.open_gate();
        let deployment = deploying.join().unwrap().unwrap();
        assert_eq!(deployment.outcome, tinyci::deploy::DeployOutcome::Success);
    });
}

#[test]
fn a_skipped_commit_has_its_verdict_and_who_gave_it_on_record() {
    let stage = Stage::with("build: touch @/built\n");
    let (id, engine) = (stage.head(), stage.engine());
    let request = SkipRequest::revision("HEAD").by("Ada", "ada@example.org").reason("only notes");
    let record = engine.skip(&request, &CancelToken::new()).unwrap();
    assert_eq!((record.outcome, record.commit), (Outcome::Skipped, id));
    let why = Some("only notes".to_owned());
    assert_eq!(said(&record), (InterventionKind::Skip, "Ada <ada@example.org>".to_owned(), why));
    let left_out: Vec<String> =
        record.left_out.iter().map(|it| format!("{} {}", it.step, it.by.name())).collect();
    assert_eq!(left_out, ["build person"], "its config has no test");
    assert_eq!(stage.word(id).as_deref(), Some("skipped"));
    let kept = engine.records(&tinyci::RecordFilter::new()).unwrap();
    assert_eq!(kept, [record]);
    assert!(stage.run().summary.records.is_empty() && !stage.path("built").exists());

    let error = engine.skip(&request, &CancelToken::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArg);
    assert!(
        error.report().contains(&format!("`tinyci results --forget {}`", id.short())),
        "{error}"
    );
    engine.forget("HEAD").unwrap();
    assert_eq!(stage.run().outcome(), Outcome::Success);
    assert!(engine.skip(&request, &CancelToken::new()).is_err(), "a green one keeps its word too");
}

#[test]
fn a_retry_tests_what_was_skipped_and_says_so() {
    let stage = Stage::with("build: 'true'\n");
    let engine = stage.engine();
    let request = SkipRequest::revision("HEAD").by("Ada", "ada@example.org");
    engine.skip(&request, &CancelToken::new()).unwrap();
    let ran = Ran::of(&engine, &Selection::revision("HEAD").retry(true));
    assert_eq!(ran.outcome(), Outcome::Success);
    let [warning] = ran.warnings().try_into().unwrap();
    assert_eq!(
        warning,
        "skipped by Ada <ada@example.org>; testing it anyway, because this is a retry"
    );
}

#[test]
fn a_job_in_progress_is_canceled_before_its_commit_is_skipped() {
    let stage = Stage::with(&format!("build: {ENDLESS}\nhooks:\n  after_all: touch @/last\n"));
    let engine = stage.engine();
    let (ran, skipped) = run_beside(&stage, &engine, || {
        engine.skip(&SkipRequest::revision("HEAD"), &CancelToken::new()).unwrap()
    });
    assert_eq!(ran.outcome(), Outcome::Canceled);
    assert_eq!(said(ran.record()).0, InterventionKind::Skip);
    assert!(stage.path("last").exists());
    assert_eq!(stage.word(stage.head()).as_deref(), Some("skipped"));
    let kept = engine.records(&tinyci::RecordFilter::new()).unwrap();
    assert_eq!(kept, [skipped], "of both attempts this one counts");
}

#[test]
fn a_commit_that_waits_for_its_turn_is_skipped_in_time() {
    let stage = Stage::new();
    stage.commit(&format!("build: {GATE}\n"));
    let queued = stage.commit("build: touch @/built\n");
    let engine = stage.engine();
    for selection in [Selection::pending(), Selection::revision("HEAD~").and_revision("HEAD")] {
        let _ = std::fs::remove_file(stage.path("waiting"));
        let _ = std::fs::remove_file(stage.path("open"));
        let all = [stage.repo.git(&["rev-parse", "HEAD~"]), queued.to_string()];
        for id in &all {
            engine.forget(id).unwrap();
        }
        let ran = thread::scope(|scope| {
            scope.spawn(|| {
                stage.await_gate();
                let request = SkipRequest::revision(queued.to_string());
                engine.skip(&request, &CancelToken::new()).unwrap();
                stage.open_gate();
            });
            Ran::of(&engine, &selection)
        });
        assert_eq!(ran.summary.records.len(), 1, "{:#?}", ran.summary);
        assert!(!stage.path("built").exists(), "nothing of it ran");
        assert!(!stage.build_dir(queued).exists(), "nothing was exported");
        if !selection.selectors.is_empty() {
            assert_eq!(ran.summary.already_tested, [(queued, Outcome::Skipped)]);
        }
    }
}

#[test]
fn whoever_waits_no_longer_leaves_the_cancel_as_it_is() {
    let stage = Stage::new();
    stage.write("deaf.sh", &format!("trap '' TERM; {GATE}"));
    stage.commit("build: sh deaf.sh\n");
    let engine = stage.builder().grace_period(crate::support::PATIENCE).open().unwrap();
    let (ran, ()) = run_beside(&stage, &engine, || {
        let (token, engine) = (CancelToken::new(), &engine);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| engine.cancel(&CancelRequest::revision("HEAD"), &token));
            let requests = stage.repo.path().join(".git/tinyci/cancel");
            eventually("the request is seen", || {
                requests.is_dir() && requests.read_dir().unwrap().next().is_none()
            });
            token.cancel();
            let error = waiting.join().unwrap().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Canceled);
        });
        stage.open_gate();
    });
    assert_eq!(ran.outcome(), Outcome::Canceled);
}
