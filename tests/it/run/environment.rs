//! What commands get of the environment of the process that runs them.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    sync::{Arc, Mutex},
};

use tinyci::{
    EngineBuilder, Error, Event, EventKind, Outcome, Selection,
    executor::{CancelView, Command, Executor, Exit, Output},
};

use crate::support::stage::{Ran, Stage};

type Variables = BTreeMap<OsString, OsString>;

/// A process that has these variables, each with its own name as value, beside its `PATH`.
fn with_process(builder: EngineBuilder, names: &[&str]) -> EngineBuilder {
    let own = names.iter().map(|name| ((*name).into(), format!("<{name}>").into()));
    builder.process_env(own.chain([("PATH".into(), "/usr/bin:/bin".into())]))
}

/// An executor that keeps the environment of the last command, and runs nothing.
#[derive(Clone, Default)]
struct Keeper(Arc<Mutex<Variables>>);

impl Executor for Keeper {
    fn execute(
        &self,
        command: &Command,
        _: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        *self.0.lock().unwrap() = command.env.clone();
        Ok(Exit::Code(0))
    }
}

/// The environment that an executor of the host's gets, without the facts of the commit.
fn kept(stage: &Stage, set: impl FnOnce(EngineBuilder) -> EngineBuilder) -> (Ran, Vec<String>) {
    let keeper = Keeper::default();
    let engine = set(stage.builder()).executor(keeper.clone()).open().unwrap();
    let ran = Ran::of(&engine, &Selection::pending());
    assert_eq!(ran.outcome(), Outcome::Success);
    let env = keeper.0.lock().unwrap().clone();
    let text = |text: &OsStr| text.as_bytes().escape_ascii().to_string();
    let lines = env.iter().map(|(name, value)| format!("{}={}", text(name), text(value)));
    (ran, lines.filter(|line| !line.starts_with("TINYCI_")).collect())
}

#[test]
fn an_executor_gets_the_whole_environment_of_a_command() {
    let stage = Stage::with("build: {run: make, env: {OWN: step, HOST: step}}\n");
    let ceiling = stage.build_dir(stage.head());
    let (_, env) = kept(&stage, |builder| {
        let builder = with_process(builder, &["HOME", "TOKEN", "GIT_DIR", "CI"]);
        builder.env("HOST", "host").env("MORE", "host").env_remove("HOME")
    });
    let expected = [
        "CI=true",
        &format!("GIT_CEILING_DIRECTORIES={}", ceiling.display()),
        "HOST=step",
        "MORE=host",
        "OWN=step",
        "PATH=/usr/bin:/bin",
        "TINYCI=1",
    ];
    assert_eq!(env, expected);
}

#[test]
fn a_value_need_not_be_text() {
    let stage = Stage::with("build: printf %s \"$LC_ODD\" | od -An -tx1\n");
    let odd = OsStr::from_bytes(b"\xff\n").to_owned();
    let engine = stage.builder().process_env([("LC_ODD".into(), odd)]).open().unwrap();
    assert_eq!(Ran::of(&engine, &Selection::pending()).text().trim(), "ff 0a");
}

#[test]
fn what_is_kept_back_is_told_once_a_run_before_the_first_commit() {
    let stage = Stage::with("build: 'true'\n");
    stage.commit_more("another");
    let engine = with_process(stage.builder(), &["TOKEN", "CARGO_TARGET_DIR", "GIT_DIR", "LANG"]);
    let ran = Ran::of(&engine.open().unwrap(), &Selection::pending());
    assert_eq!(ran.summary.records.len(), 2);
    let [dir, others] = ran.warnings().try_into().unwrap();
    assert!(dir.contains(": CARGO_TARGET_DIR,"), "{dir}");
    assert!(dir.contains("`git config --add tinyci.passEnv +CARGO_TARGET_DIR`"), "{dir}");
    assert!(others.ends_with(": TOKEN"), "{others}");
    let place = |wanted: fn(&Event) -> bool| ran.events.iter().position(wanted).unwrap();
    let warned = place(|event| matches!(event.kind, EventKind::Warning { .. }));
    assert!(warned < place(|event| matches!(event.kind, EventKind::JobStarted { .. })));
    let log = stage.log().join("\n");
    assert!(log.contains(&dir) && log.contains(&others) && !log.contains('<'), "{log}");
}

#[test]
fn nothing_is_told_where_nothing_is_kept_back() {
    let stage = Stage::with("build: 'true'\n");
    let (ran, _) = kept(&stage, |builder| with_process(builder, &["LANG", "GIT_DIR", "PWD"]));
    assert_eq!(ran.warnings(), [""; 0]);
}

#[test]
fn settings_replace_what_passes_or_add_to_it() {
    for (all, setting, expected) in [
        (false, &[][..], ""),
        (false, &["+TOKEN"], "TOKEN"),
        (true, &[], "DEPLOY_KEY TOKEN"),
        (true, &["+CARGO_TARGET_DIR"], "CARGO_TARGET_DIR DEPLOY_KEY TOKEN"),
        (true, &["DEPLOY_*", "CARGO_*"], "DEPLOY_KEY"),
        (true, &["TOKEN", "+CARGO_TARGET_DIR"], "CARGO_TARGET_DIR TOKEN"),
        (false, &["*"], "DEPLOY_KEY TOKEN"),
    ] {
        let stage = Stage::with("build: 'true'\n");
        for value in setting {
            stage.repo.git(&["config", "--add", "tinyci.passEnv", value]);
        }
        let (_, env) = kept(&stage, |builder| {
            let names = ["CARGO_TARGET_DIR", "DEPLOY_KEY", "GIT_DIR", "TOKEN"];
            let builder = with_process(builder, &names);
            if all { builder.pass_all_env() } else { builder }
        });
        let passed = env.iter().filter(|line| line.contains('<'));
        let names: Vec<&str> = passed.filter_map(|line| Some(line.split_once('=')?.0)).collect();
        assert_eq!(names.join(" "), expected, "{all} {setting:?}");
    }
}

#[test]
fn an_output_directory_that_config_or_host_set_is_theirs() {
    let stage = Stage::with("build: {run: 'true', env: {CARGO_TARGET_DIR: mine}}\n");
    let (ran, env) = kept(&stage, |builder| builder.env("MIX_BUILD_ROOT", "host"));
    assert!(env.contains(&"CARGO_TARGET_DIR=mine".to_owned()), "{env:?}");
    assert!(env.contains(&"MIX_BUILD_ROOT=host".to_owned()), "{env:?}");
    assert_eq!(ran.warnings(), [""; 0]);
}

#[test]
fn variables_that_no_process_can_have_are_refused() {
    let stage = Stage::new();
    for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "x\0")] {
        let builder = stage.builder().process_env([(name.into(), value.into())]);
        assert!(builder.mistake().unwrap().to_string().contains("environment variable"));
    }
}

#[cfg(feature = "rhai")]
#[test]
fn scripts_and_plans_see_what_commands_get() {
    let stage = Stage::new();
    stage.repo.write(
        ".tinyci.rhai",
        "fn build(ctx) { sh(`echo ${env(\"CI\")} ${env(\"TOKEN\", \"none\")} ${ctx.machine.has(\"sh\")}`) }\n",
    );
    stage.commit_more("script");
    let engine = with_process(stage.builder(), &["TOKEN"]).open().unwrap();
    let dry_run = engine.dry_run("HEAD", &[]).unwrap();
    let acts: Vec<String> = dry_run.steps[0].actions.iter().map(ToString::to_string).collect();
    assert!(acts.iter().any(|act| act.contains("echo true none true")), "{acts:?}");
    assert_eq!(Ran::of(&engine, &Selection::pending()).text(), "true none true\n");
}

/// A relative directory in `PATH` is one of the export, as it is for a command, and never one of
/// wherever this process happens to be.
#[cfg(feature = "rhai")]
#[test]
fn scripts_find_the_programs_that_commands_find() {
    let stage = Stage::new();
    stage.repo.write("tools/helper", "#!/bin/sh\necho helped\n");
    let helper = stage.repo.path().join("tools/helper");
    std::fs::set_permissions(helper, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let asks =
        "fn build(ctx) { print(`${ctx.machine.has(\"helper\")} ${ctx.machine.has(\"sh\")}`); ";
    for (path, then, expected) in [
        (Some("tools:/usr/bin:/bin"), "sh([\"helper\"]);", "true true\nhelped\n"),
        (Some("src:tests"), "", "false false\n"),
        // Without a `PATH` the usual directories are searched.
        (None, "sh([\"sh\", \"-c\", \"echo ran\"]);", "false true\nran\n"),
    ] {
        stage.repo.write(".tinyci.rhai", format!("{asks}{then} }}"));
        stage.commit_more("script");
        let env = path.map(|path| ("PATH".into(), path.into()));
        let engine = stage.builder().process_env(env).open().unwrap();
        let ran = Ran::of(&engine, &Selection::pending());
        assert_eq!((ran.outcome(), ran.text().as_str()), (Outcome::Success, expected));
    }
}

/// A run that a command of another run started knows nothing of that one's commit.
#[test]
fn the_variables_of_another_run_are_not_taken_for_facts() {
    let stage = Stage::with("build: 'echo ${TINYCI_BRANCH-none} ${TINYCI_ENVIRONMENT-none}'\n");
    stage.repo.git(&["checkout", "-q", "--detach"]);
    stage.repo.git(&["branch", "-q", "-D", "main"]);
    let builder = with_process(stage.builder(), &["TINYCI_BRANCH", "TINYCI_ENVIRONMENT"]);
    let engine = builder.pass_all_env().open().unwrap();
    assert_eq!(Ran::of(&engine, &Selection::revision("HEAD")).text(), "none none\n");
}
