//! What a host sets before it opens an engine.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt, time::Duration};

use tinyci::{Engine, EngineBuilder, ErrorKind, Outcome, Selection};

use crate::support::stage::{Ran, Stage};

/// What the builder says of a mistake, once it is opened.
#[track_caller]
fn check_mistake(make: fn(EngineBuilder) -> EngineBuilder, expected: &str) {
    let stage = Stage::new();
    let error = make(Engine::builder(stage.repo.path())).open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArg);
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn the_first_mistake_is_reported_when_the_engine_is_opened() {
    check_mistake(|builder| builder.jobs(0), "number of jobs");
    check_mistake(|builder| builder.var("commit", "x").jobs(0), "is reserved");
    check_mistake(|builder| builder.var("Release", "x"), "invalid placeholder name");
    check_mistake(|builder| builder.job_timeout(Duration::ZERO), "limit for a commit");
    check_mistake(|builder| builder.command_timeout(Duration::ZERO), "limit for a command");
    check_mistake(|builder| builder.log_limit(0), "invalid log limit");
    check_mistake(|builder| builder.builds_dir(""), "invalid builds directory");
    check_mistake(|builder| builder.builds_dir(OsStr::from_bytes(b"\xff")), "is not UTF-8");
    check_mistake(|builder| builder.refs(["main"]), "takes full ref names");
    check_mistake(|builder| builder.refs(["refs/heads/*", "refs/notes/*"]), "`refs/notes/*`");
}

#[test]
fn an_environment_that_the_system_does_not_take_is_a_mistake_and_no_red_commit() {
    check_mistake(|builder| builder.env("", "x"), "environment variable");
    check_mistake(|builder| builder.env("A=B", "x"), "environment variable");
    check_mistake(|builder| builder.env_remove("A\0"), "environment variable");
    check_mistake(|builder| builder.env("A", "x\0"), "contains a NUL");
}

#[test]
fn what_the_builder_says_wins_over_the_repositorys_settings() {
    let stage = Stage::with("build: {run: sleep 600}\n");
    for (key, value) in [("jobs", "0x"), ("timeout", "1h"), ("refs", "refs/heads/none")] {
        stage.repo.git(&["config", &format!("tinyci.{key}"), value]);
    }
    let error = stage.builder().open().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArg);
    assert!(error.message().contains("invalid value `0x` for `tinyci.jobs`"), "{error}");
    stage.repo.git(&["config", "tinyci.jobs", "2"]);
    assert!(stage.run().summary.records.is_empty(), "no ref of that name");
    let builder = stage.builder().refs(["refs/heads/*"]).job_timeout(Duration::from_millis(100));
    let ran = Ran::of(&builder.open().unwrap(), &Selection::pending());
    assert_eq!(ran.outcome(), Outcome::TimedOut);
}

#[test]
fn builds_can_lie_elsewhere() {
    let stage = Stage::with("build: \"true\"\n");
    let engine = stage.builder().builds_dir(stage.path("elsewhere")).open().unwrap();
    assert_eq!(Ran::of(&engine, &Selection::pending()).outcome(), Outcome::Success);
    let name = stage.build_dir(stage.head());
    let dir = stage.path("elsewhere").join(name.file_name().unwrap());
    assert!(dir.join("export/.tinyci.yml").is_file() && dir.join("tinyci.log").is_file());
    assert!(!stage.repo.path().join("builds").exists());
}

#[test]
fn a_log_keeps_what_the_limit_says_and_the_end() {
    let stage = Stage::with("build: seq 1 300000; echo the end\n");
    let engine = stage.builder().log_limit(100_000).open().unwrap();
    let ran = Ran::of(&engine, &Selection::pending());
    assert!(ran.output().ends_with(b"300000\nthe end\n"), "the observer gets all");
    let log = std::fs::read_to_string(stage.build_dir(stage.head()).join("tinyci.log")).unwrap();
    assert!(log.contains("] 1\n") && log.contains("] 300000\n") && log.contains("] the end\n"));
    assert!(log.len() < 300_000, "{} bytes", log.len());
}

#[test]
fn an_unknown_setting_is_odd_and_not_wrong() {
    let stage = Stage::new();
    stage.repo.git(&["config", "tinyci.job", "2"]);
    let [warning] = <[String; 1]>::try_from(stage.engine().warnings().to_vec()).unwrap();
    assert!(warning.contains("did you mean `tinyci.jobs`?"), "{warning}");
}
