//! What a build says of the job that made it.

use std::{fs, thread};

use serde_json::Value;
use tinyci::{CancelToken, CommitId, Engine, Outcome, Record, Selection};

use crate::support::stage::{GATE, Ran, Stage};

/// What the last job wrote into the build.
fn stamp(stage: &Stage, id: CommitId) -> Value {
    let text = fs::read_to_string(stage.build_dir(id).join("job.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The same as a finished job of this record writes it.
#[track_caller]
fn assert_stamped(stage: &Stage, record: &Record) {
    let (stamp, kept) = (stamp(stage, record.commit), record.to_json());
    let kept: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!(stamp["job_id"], kept["job_id"]);
    assert_eq!(stamp["started"], kept["started"]);
    assert_eq!(stamp["finished"], kept["finished"]);
}

/// Tests the newest commit again and cancels that once its command stands at the gate.
fn canceled_retry(stage: &Stage, engine: &Engine) -> Ran {
    let cancel = CancelToken::new();
    thread::scope(|scope| {
        scope.spawn(|| {
            stage.await_gate();
            cancel.cancel();
        });
        let again = Selection::revision(stage.head().to_string()).retry(true);
        Ran::canceled_by(engine, &again, &cancel)
    })
}

#[test]
fn a_finished_job_writes_its_id_and_time_into_its_build() {
    let stage = Stage::new();
    for (config, outcome) in [
        ("build: \"true\"\n", Outcome::Success),
        ("build: \"false\"\n", Outcome::Failure),
        ("hooks:\n  after_all: \"true\"\n", Outcome::Success),
        // What a command leaves under that name does not count.
        ("build: echo '{}' > ../job.json\n", Outcome::Success),
    ] {
        stage.commit(config);
        let ran = stage.run();
        assert_eq!(ran.outcome(), outcome);
        assert_stamped(&stage, ran.record());
        let again = Selection::revision(stage.head().to_string()).retry(true);
        let again = Ran::of(&stage.engine(), &again);
        assert_ne!(again.record().job_id, ran.record().job_id);
        assert_stamped(&stage, again.record());
    }
}

#[test]
fn a_job_that_did_not_finish_takes_the_stamp_of_the_one_before() {
    let stage = Stage::new();
    stage.write("slow.sh", &format!("[ -e @/fast ] && exit\n{GATE}\n"));
    stage.touch("fast");
    stage.commit("build: sh ./slow.sh\n");
    let first = stage.run();
    assert_stamped(&stage, first.record());

    fs::remove_file(stage.path("fast")).unwrap();
    let canceled = canceled_retry(&stage, &stage.engine());
    assert_eq!(canceled.outcome(), Outcome::Canceled);
    let stamp = stamp(&stage, stage.head());
    assert_eq!(stamp["job_id"].as_str(), Some(&*canceled.record().job_id));
    assert!(stamp.get("finished").is_none(), "{stamp}");
    assert_eq!(stage.word(stage.head()).as_deref(), Some("success"), "the verdict stands");
}

#[test]
fn an_export_that_a_deployment_made_is_none_of_a_job() {
    let stage = Stage::with("test: \"true\"\ndeploy: \"true\"\n");
    let ran = stage.run();
    assert_stamped(&stage, ran.record());
    let dir = stage.build_dir(stage.head());
    fs::remove_dir_all(dir.join("export")).unwrap();
    let engine = stage.engine();
    engine.deploy("production", "HEAD", &CancelToken::new(), &mut |_: &tinyci::Event| {}).unwrap();
    assert_stamped(&stage, ran.record());
    assert!(!dir.join("export").exists(), "it is beside it");
}
