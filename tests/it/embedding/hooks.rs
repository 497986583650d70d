//! What a host's own hooks may do, and what becomes of it.

use std::{
    fs,
    sync::{Arc, Mutex},
};

use tinyci::{
    EngineBuilder, ErrorKind, Hook, Outcome, Selection,
    callback::{HookCall, HookError},
};

use crate::support::stage::{Ran, Stage};

/// A config that traces the steps around a hook's variable.
const CONFIG: &str = "build: echo build >> @/trace\n\
                      test: echo test >> @/trace\n\
                      hooks:\n  \
                        before_build: echo before_build >> @/trace\n  \
                        after_build: echo after_build >> @/trace\n  \
                        after_all: echo after_all >> @/trace\n";

/// A hook that sets this variable.
fn set(
    name: &'static str,
    value: &'static str,
) -> impl Fn(&mut HookCall<'_>) -> Result<(), HookError> + Send + Sync {
    move |hook| {
        hook.set_var(name, value);
        Ok(())
    }
}

fn run(builder: EngineBuilder) -> Ran {
    Ran::of(&builder.open().unwrap(), &Selection::pending())
}

/// What a hook that fails leaves on record, and what still runs.
#[track_caller]
fn check_failing(hook: Hook, expected: &str, outcome: Outcome) {
    let stage = Stage::with(CONFIG);
    let ran = run(stage.builder().hook(hook, |_| Err("the moon is full".into())));
    assert_eq!(stage.trace().join(" "), expected, "{hook:?}");
    assert_eq!(ran.outcome(), outcome, "{hook:?}");
    let step = ran.record().step(hook).unwrap();
    assert_eq!((step.outcome, step.commands.len()), (Outcome::Failure, 0));
    assert_eq!(step.error.as_deref(), Some("the moon is full"));
    let line = format!("{}: the moon is full", step.name);
    assert!(stage.log().contains(&line), "{:?}", stage.log());
}

#[test]
fn a_failing_hook_fails_its_step_and_leaves_out_the_configs() {
    check_failing(Hook::BeforeBuild, "after_all", Outcome::Failure);
    check_failing(Hook::BeforeTest, "before_build build after_build after_all", Outcome::Failure);
    let all = "before_build build after_build test after_all";
    check_failing(Hook::AfterBuildSuccess, all, Outcome::Success);
    check_failing(Hook::AfterBuild, "before_build build test after_all", Outcome::Success);
    check_failing(Hook::AfterTest, all, Outcome::Success);
    check_failing(Hook::AfterAll, "before_build build after_build test", Outcome::Success);
}

#[test]
fn a_hook_runs_before_the_configs_and_several_in_their_order() {
    let stage = Stage::with(CONFIG);
    let trace = stage.path("trace");
    let say = |word: &'static str| {
        let trace = trace.clone();
        move |_: &mut HookCall<'_>| {
            let text = fs::read_to_string(&trace).unwrap_or_default();
            fs::write(&trace, format!("{text}{word}\n"))?;
            Ok(())
        }
    };
    let builder = stage
        .builder()
        .hook(Hook::BeforeBuild, say("one"))
        .hook(Hook::BeforeBuild, say("two"))
        .hook(Hook::AfterAll, say("last"));
    assert_eq!(run(builder).outcome(), Outcome::Success);
    let expected = "one two before_build build after_build test last after_all";
    assert_eq!(stage.trace().join(" "), expected);
}

#[test]
fn the_first_hook_that_fails_is_the_last_that_is_called() {
    let stage = Stage::with(CONFIG);
    let builder = stage
        .builder()
        .hook(Hook::BeforeBuild, |_| Err("one".into()))
        .hook(Hook::BeforeBuild, |_| panic!("not to be called"));
    assert_eq!(run(builder).step_error("before_build"), "one");
}

#[test]
fn a_hook_may_leave_out_what_the_config_has_there() {
    let stage = Stage::with(CONFIG);
    let ran = run(stage.builder().hook(Hook::BeforeBuild, |hook| {
        hook.skip("nothing to prepare");
        Ok(())
    }));
    assert_eq!(ran.outcome(), Outcome::Success, "a step left out counts as absent");
    assert_eq!(stage.trace().join(" "), "build after_build test after_all");
    let step = ran.record().step(Hook::BeforeBuild).unwrap();
    assert_eq!(step.outcome, Outcome::Skipped);
    assert_eq!(step.error.as_deref(), Some("skipped: nothing to prepare"));
}

#[test]
fn variables_reach_every_tag_that_comes_later() {
    let stage = Stage::with(
        "build: {run: 'echo <%= release %> $R <%= stage %>', env: {R: '<%= release %>'}}\n\
         test: echo <%= release %>\n",
    );
    let builder = stage.builder().var("stage", "beta").var("release", "1");
    let ran = run(builder
        .hook(Hook::BeforeBuild, set("release", "42"))
        .hook(Hook::BeforeTest, set("release", "43")));
    assert_eq!(ran.text(), "42 42 beta\n43\n");
    let command = &ran.record().step(tinyci::pipeline::Phase::Build).unwrap().commands[0].command;
    assert_eq!(command, "/bin/sh -c 'echo 42 $R beta'", "on record as it was run");
}

#[test]
fn variables_of_one_commit_are_not_the_next_ones() {
    let stage = Stage::with("build: echo <%= release %>\n");
    stage.commit("build: echo <%= release %> again\n");
    let first = Arc::new(Mutex::new(true));
    let builder = stage.builder().hook(Hook::BeforeBuild, move |hook| {
        if std::mem::take(&mut *first.lock().unwrap()) {
            hook.set_var("release", "42");
        }
        Ok(())
    });
    let ran = run(builder);
    let outcomes: Vec<_> = ran.summary.records.iter().map(|record| record.outcome).collect();
    assert_eq!(outcomes, [Outcome::Success, Outcome::Failure]);
}

/// A variable that cannot be, or cannot stand in a command.
#[track_caller]
fn check_variable(name: &'static str, value: &'static str, step: &str, expected: &str) {
    let stage = Stage::with("build: echo <%= release %>\n");
    let ran = run(stage.builder().hook(Hook::BeforeBuild, set(name, value)));
    assert_eq!(ran.outcome(), Outcome::Failure);
    assert!(ran.step_error(step).contains(expected), "{}", ran.step_error(step));
}

#[test]
fn a_variable_that_cannot_be_fails_the_step() {
    check_variable("Re lease", "1", "before_build", "invalid placeholder name");
    check_variable("", "1", "before_build", "invalid placeholder name");
    check_variable("commit", "1", "before_build", "is reserved");
    check_variable("branch", "1", "before_build", "is reserved");
    check_variable("release", "1; reboot", "build", "unsafe in a command");
    check_variable("release", "-rf", "build", "begins with `-`");
    check_variable("releases", "1", "build", "did you mean `releases`?");
}

#[test]
fn a_hook_fails_with_an_error_of_any_kind() {
    let stage = Stage::with(CONFIG);
    let ran = run(stage.builder().hook(Hook::BeforeBuild, |_| {
        let error = tinyci::Error::new(ErrorKind::NotFound, "no release is planned");
        Err(error.with_source("the calendar is empty").into())
    }));
    assert_eq!(ran.outcome(), Outcome::Failure, "whatever its kind");
    let error = "no release is planned: the calendar is empty";
    assert_eq!(ran.step_error("before_build"), error);

    let stage = Stage::with(CONFIG);
    let ran = run(stage.builder().hook(Hook::BeforeBuild, |_| {
        "no number".parse::<u32>()?;
        Ok(())
    }));
    assert_eq!(ran.step_error("before_build"), "invalid digit found in string");
}

#[test]
fn a_hook_learns_where_it_stands() {
    let stage = Stage::with("build: exit 1\n");
    let id = stage.head();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let look = |builder: EngineBuilder, hook| {
        let seen = seen.clone();
        builder.hook(hook, move |call| {
            assert!(call.export_dir().join(".tinyci.yml").is_file());
            assert!(!call.is_canceled());
            let (hook, outcome) = (call.hook(), call.outcome());
            seen.lock().unwrap().push((hook, call.commit().id, outcome));
            Ok(())
        })
    };
    let hooks = [Hook::BeforeBuild, Hook::AfterBuildFailure, Hook::AfterBuild, Hook::AfterAll];
    let builder = hooks.into_iter().fold(stage.builder(), look);
    let ran = run(builder);
    let outcomes = [Outcome::Success, Outcome::Failure, Outcome::Failure, Outcome::Failure];
    let expected: Vec<_> =
        hooks.into_iter().zip(outcomes).map(|(hook, outcome)| (hook, id, outcome)).collect();
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(
        ran.steps(),
        [
            "before_build success",
            "build failure",
            "after_build_failure success",
            "after_build success",
            "after_all success"
        ]
    );
}
