//! Tests with a real subscriber and real runs.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by a panic too")]

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex},
};

use serde_json::Value;
use tracing::{Level, subscriber::with_default};
use tracing_subscriber::{filter, fmt, layer::SubscriberExt, registry};

use crate::{
    CancelToken, Engine, EngineBuilder, Event, EventKind, Hook, Outcome, Selection,
    deploy::DeployRequest, event::Observer, testing::TestRepo,
};

/// The output of a subscriber.
#[derive(Clone, Default)]
struct Capture(Arc<Mutex<Vec<u8>>>);

impl io::Write for Capture {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Capture {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }

    fn records(&self) -> Vec<Value> {
        self.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Runs the work with a subscriber that writes JSON, as a service would.
fn captured<T>(level: Level, work: impl FnOnce() -> T) -> (T, Capture) {
    let capture = Capture::default();
    let writer = capture.clone();
    let subscriber =
        fmt().json().with_max_level(level).with_writer(move || writer.clone()).finish();
    (with_default(subscriber, work), capture)
}

/// Returns the records with this message.
fn with_message<'a>(records: &'a [Value], message: &str) -> Vec<&'a Value> {
    records.iter().filter(|record| record["fields"]["message"] == message).collect()
}

fn one<'a>(records: &'a [Value], message: &str) -> &'a Value {
    let found = with_message(records, message);
    assert_eq!(found.len(), 1, "{message}: {records:#?}");
    found[0]
}

/// Returns the names of the spans around a record, the outermost first.
fn spans(record: &Value) -> Vec<&str> {
    let spans = record["spans"].as_array().map(Vec::as_slice).unwrap_or_default();
    spans.iter().map(|span| span["name"].as_str().unwrap()).collect()
}

fn builder(repo: &TestRepo) -> EngineBuilder {
    let path = std::env::vars_os().filter(|(name, _)| name == "PATH");
    Engine::builder(repo.path()).process_env(path)
}

fn run(engine: &Engine) -> Outcome {
    let summary = engine.run(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| {});
    summary.unwrap().worst()
}

#[test]
fn a_run_is_logged_in_spans_of_jobs_and_steps() {
    let repo = TestRepo::new();
    let config = "build: printf 'one\\r\\ntwo\\n'; printf oops >&2\ntest: exit 3\n";
    let commit = repo.commit_config(config);
    let (record, capture) = captured(Level::TRACE, || {
        tracing::info_span!("request", id = 7).in_scope(|| {
            let engine = builder(&repo).open().unwrap();
            assert_eq!(run(&engine), Outcome::Failure);
            engine.records(&crate::RecordFilter::new()).unwrap().remove(0)
        })
    });
    let records = capture.records();
    let finished = one(&records, "job finished");
    assert_eq!(finished["level"], "INFO");
    assert_eq!(finished["target"], "tinyci");
    assert_eq!(finished["fields"]["outcome"], "failure");
    assert_eq!(finished["fields"]["duration_ms"], record.duration.as_millis() as u64);
    assert_eq!(finished["fields"]["reason"], record.why().unwrap());
    assert_eq!(spans(finished), ["request", "job"]);
    let job = &finished["spans"][1];
    assert_eq!((&job["commit"], &job["job_id"]), (&commit.into(), &record.job_id.into()));
    assert_eq!(job["branch"], "main");

    let steps = with_message(&records, "step finished");
    let outcomes: Vec<_> = steps.iter().map(|step| &step["fields"]["outcome"]).collect();
    assert_eq!(outcomes, ["success", "failure"]);
    assert_eq!(spans(steps[1]), ["request", "job", "step"]);
    assert_eq!(steps[1]["span"]["step"], "test");
    assert_eq!(steps[1]["level"], "DEBUG");

    // Each line is one record, without the fields of its spans.
    let output: Vec<_> = records.iter().filter(|it| it["target"] == "tinyci::output").collect();
    let line = |record: &Value| record["fields"].clone();
    let expected =
        ["one", "two", "oops"].map(|text| serde_json::json!({"message": text, "stream": "stdout"}));
    assert_eq!(output.iter().map(|record| line(record)).collect::<Vec<_>>(), expected);
    assert!(output.iter().all(|it| it["level"] == "TRACE" && it["span"]["step"] == "build"));
    let traced = records.iter().filter(|record| record["level"] == "TRACE").count();
    assert_eq!(traced, output.len(), "the level belongs to output alone");
}

#[test]
fn records_say_where_they_belong_if_no_span_does() {
    let repo = TestRepo::new();
    let commit = repo.commit_config("build: 'true'\n");
    let capture = Capture::default();
    let writer = capture.clone();
    let records_alone = filter::filter_fn(|metadata| metadata.is_event());
    let layer = fmt::layer().json().with_writer(move || writer.clone());
    let subscriber = registry().with(records_alone).with(layer);
    with_default(subscriber, || run(&builder(&repo).open().unwrap()));
    let records = capture.records();
    let finished = one(&records, "step finished");
    assert_eq!(finished["fields"]["commit"], commit);
    assert_eq!(finished["fields"]["step"], "build");
    let job = one(&records, "job finished");
    assert_eq!(job["fields"]["job_id"], finished["fields"]["job_id"]);
    assert!(job["fields"]["job_id"].is_string() && job["fields"]["step"].is_null(), "{job}");
}

#[test]
fn a_subscriber_chooses_what_is_logged() {
    let repo = TestRepo::new();
    repo.commit_config("build: echo much\n");
    let ((), capture) = captured(Level::INFO, || {
        run(&builder(&repo).open().unwrap());
    });
    let records = capture.records();
    let messages: Vec<_> = records.iter().map(|it| &it["fields"]["message"]).collect();
    assert_eq!(messages, ["job started", "job finished"]);
}

#[test]
fn secrets_stay_masked() {
    let repo = TestRepo::new();
    repo.commit_config(
        "build:\n  secrets: [TOKEN]\n  run: [echo \"$TOKEN\", 'echo \"$TOKEN\" >&2; exit 1']\n",
    );
    let ((), capture) = captured(Level::TRACE, || {
        let builder = builder(&repo).setting("secretRefs", "refs/heads/*");
        let builder = builder.secrets(|_, _| Ok(Some(b"hunter22".to_vec())));
        assert_eq!(run(&builder.open().unwrap()), Outcome::Failure);
    });
    let text = capture.text();
    assert!(text.contains("***") && !text.contains("hunter"), "{text}");
}

#[test]
fn warnings_of_an_opened_engine_are_logged() {
    let repo = TestRepo::new();
    repo.git(&["config", "tinyci.jobz", "2"]);
    let (engine, capture) = captured(Level::WARN, || builder(&repo).open().unwrap());
    let records = capture.records();
    let messages: Vec<_> = records.iter().map(|it| it["fields"]["message"].clone()).collect();
    assert_eq!(messages, engine.warnings());
    assert!(messages[0].as_str().unwrap().contains("jobz"), "{messages:?}");
}

#[test]
fn a_job_without_an_outcome_is_an_error_and_a_warning_is_a_warning() {
    let repo = TestRepo::new();
    repo.commit_config("build: 'true'\nbuilt: 1\n");
    let ((), capture) = captured(Level::WARN, || {
        let fault = |_: &mut crate::callback::HookCall<'_>| {
            Err(crate::Error::new(crate::ErrorKind::HostFault, "the vault is down").into())
        };
        let engine = builder(&repo).hook(Hook::BeforeBuild, fault).open().unwrap();
        assert_eq!(run(&engine), Outcome::Error);
    });
    let records = capture.records();
    let finished = one(&records, "job finished");
    assert_eq!(finished["level"], "ERROR");
    let reason = finished["fields"]["reason"].as_str().unwrap();
    assert!(reason.contains("the vault is down"), "{reason}");
    let warned = records.iter().any(|record| {
        let message = record["fields"]["message"].as_str().unwrap_or_default();
        record["level"] == "WARN" && message.contains("built")
    });
    assert!(warned, "{records:#?}");
}

#[test]
fn a_deployment_has_a_span_of_its_own() {
    let repo = TestRepo::new();
    let commit = repo.commit_config("build: 'true'\ndeploy: echo out\n");
    let ((), capture) = captured(Level::TRACE, || {
        let engine = builder(&repo).open().unwrap();
        run(&engine);
        let cancel = CancelToken::new();
        let request = DeployRequest::newest();
        let deployment = engine.deploy("production", request, &cancel, &mut |_: &Event| {});
        assert!(deployment.unwrap().passed());
    });
    let records = capture.records();
    let line = one(&records, "out");
    assert_eq!(spans(line), ["deployment", "step"]);
    assert_eq!(line["spans"][0]["environment"], "production");
    assert_eq!(line["spans"][0]["commit"], commit);
    let finished = one(&records, "deployment finished");
    assert_eq!(finished["fields"]["outcome"], "success");
}

/// Even if the observer panics, the subscriber gets all events.
#[test]
fn the_observer_of_the_host_is_independent() {
    let repo = TestRepo::new();
    repo.commit_config("build: 'true'\n");
    let mut observer = |event: &Event| {
        assert!(!matches!(event.kind, EventKind::JobStarted { .. }), "the observer is broken");
    };
    let observer: &mut dyn Observer = &mut observer;
    let (panicked, capture) = captured(Level::TRACE, || {
        let engine = builder(&repo).open().unwrap();
        let cancel = CancelToken::new();
        let run = || engine.run(&Selection::pending(), &cancel, observer);
        catch_unwind(AssertUnwindSafe(run)).is_err()
    });
    assert!(panicked);
    let records = capture.records();
    assert_eq!(with_message(&records, "job finished").len(), 1);
    assert_eq!(with_message(&records, "run finished").len(), 1);
}
