//! `tinyci run --step`: one step by hand, of which nothing is left.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, SystemTime},
};

use rustix::process::Signal;
use tinyci::{
    CancelToken, Engine, ErrorKind, Event, EventKind, Outcome, Selection, builds::PruneOptions,
    pipeline::StepOptions,
};

use crate::support::{
    TestRepo, eventually,
    program::{Said, run_in, signal, tinyci},
    server::builds_in,
    stage::Stage,
};

const YAML: &str = "build: [echo made > made, \"echo built > \\\"$TINYCI_TARGET\\\"/beside\"]\n\
                    test: {run: [echo one, 'echo two; exit 3', echo three], when: {branch: other}}\n\
                    hooks: {after_build: echo after}\n\
                    deploy: touch @/deployed\n";

fn said(stage: &Stage, args: &[&str]) -> Said {
    run_in(stage.repo.path(), &[&["run"], args].concat())
}

/// The scratch directories that are there.
fn scratch(repo: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(repo.join("builds")).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("scratch"))
        .collect()
}

/// All refs, and what is in the directory of builds.
fn traces(stage: &Stage) -> (String, Vec<String>) {
    let refs = stage.repo.git(&["for-each-ref"]);
    let entries = fs::read_dir(stage.repo.path().join("builds")).into_iter().flatten().flatten();
    (refs, entries.map(|entry| entry.file_name().into_string().unwrap()).collect())
}

#[test]
fn a_step_runs_alone_with_each_command_shown_and_leaves_nothing() {
    let stage = Stage::with(YAML);
    let before = traces(&stage);
    let shown = said(&stage, &["--step", "test", "HEAD"]).with_code(1);
    for line in ["+ echo one", "one", "+ echo two; exit 3", "two"] {
        assert!(shown.log_lines().iter().any(|it| it == &format!("T {line}")), "{}", shown.out);
    }
    assert!(!shown.out.contains("three"), "{}", shown.out);
    assert!(shown.out.contains("running `test` by hand despite its condition"), "{}", shown.out);
    assert!(shown.out.ends_with("`test`: failure (run by hand, not recorded)\n"));
    assert_eq!(traces(&stage), before);

    let passed = said(&stage, &["--step", "after_build"]).with_code(0);
    assert!(passed.out.contains("+ echo after"), "{}", passed.out);
    let both = said(&stage, &["--step", "build", "--step", "test", "main"]).with_code(1);
    assert!(both.out.contains("+ echo made > made") && both.out.contains("+ echo one"));
    assert_eq!(traces(&stage), before);

    let json = said(&stage, &["--step", "build", "--json"]).with_code(0);
    let last: serde_json::Value = serde_json::from_str(json.out.lines().last().unwrap()).unwrap();
    assert_eq!(last["records"][0]["steps"][0]["name"], "build");
    assert_eq!(last["exit_code"], 0);
    assert_eq!(said(&stage, &["--step", "build", "-q"]).with_code(0).out, "");
    assert_eq!(traces(&stage), before);
}

#[test]
fn why_a_step_was_skipped_is_said_once() {
    let stage = Stage::new();
    stage.repo.write(".tinyci.rhai", "fn build(ctx) { skip(\"no need\") }\n");
    stage.commit_more("a build that is left out");
    let shown = said(&stage, &["--step", "build", "HEAD"]).with_code(0);
    assert_eq!(shown.out.matches("no need").count(), 1, "{}", shown.out);
    assert!(shown.out.ends_with("`build`: skipped (run by hand, not recorded)\n"));
}

#[test]
fn what_is_no_step_of_the_commit_is_refused_with_those_that_are() {
    let stage = Stage::with(YAML);
    for (args, why) in [
        (&["--step", "biuld"][..], "unknown step `biuld`; did you mean `build`?"),
        (&["--step", "x"], "there are before_build, build, "),
        (
            &["--step", "after_all"],
            "has no step `after_all` (there are: `build`, `after_build`, `test`)",
        ),
        (&["--step", "deploy"], "tinyci deploy --dry-run"),
        (&["--step", "build", "nowhere"], "nowhere"),
        (&["--step", "build", "HEAD", "main"], "too many commits"),
        (&["--step", "build", "HEAD..main"], "too many commits"),
        (&["--step", "build", "--retry"], "--retry"),
        (&["--keep", "HEAD"], "--step"),
    ] {
        let refused = said(&stage, args).with_code(2);
        assert!(refused.err.contains(why), "{args:?}: {}", refused.err);
    }
    assert!(!stage.path("deployed").exists());
    stage.commit("build: [\n");
    let invalid = said(&stage, &["--step", "build"]).with_code(1);
    assert!(invalid.out.contains(".tinyci.yml:"), "{}", invalid.out);
    let bare = TestRepo::new();
    bare.commit("no config");
    run_in(bare.path(), &["run", "--step", "build"]).with_code(2);
}

#[cfg(feature = "rhai")]
#[test]
fn a_step_recalls_what_the_last_job_left_and_leaves_nothing_itself() {
    let stage = Stage::new();
    stage.repo.write(
        ".tinyci.rhai",
        "fn build(ctx) { remember(\"key\", \"first\"); sh(\"echo x > kept\"); artifact(\"kept\"); }\n\
         fn test(ctx) { print(recall(\"key\")); remember(\"own\", \"second\"); print(recall(\"own\"));\n\
         sh(\"echo y > kept\"); artifact(\"kept\"); parallel(#{ a: || sh([\"echo\", \"a b\"]) }); }\n\
         fn after_all(ctx) { print(`so far ${env(\"TINYCI_OUTCOME\")}`); skip(\"enough\"); }\n",
    );
    let id = stage.commit_more("script");
    said(&stage, &["HEAD"]).with_code(0);
    let before = (traces(&stage), fs::read(stage.build_dir(id).join("artifacts/kept")).unwrap());
    let shown = said(&stage, &["--step", "test"]).with_code(0);
    let lines = shown.log_lines();
    assert!(lines.contains(&"T first".into()) && lines.contains(&"T second".into()));
    assert!(lines.iter().any(|line| line == "T [a] + echo 'a b'"), "{}", shown.out);
    let skipped = said(&stage, &["--step", "after_all"]);
    assert!(skipped.out.contains("so far success") && skipped.out.contains("enough"));
    assert_eq!(skipped.code, Some(0));
    let kept = fs::read(stage.build_dir(id).join("artifacts/kept")).unwrap();
    assert_eq!((traces(&stage), kept), before);
}

#[test]
fn it_waits_for_no_run_and_no_run_for_it() {
    let stage = Stage::with(
        "build: [touch @/waiting, 'until [ -e @/open ]; do sleep 0.01; done']\n\
                             test: 'true'\n",
    );
    let mut run = tinyci(stage.repo.path());
    let mut run = run.args(["run", "HEAD"]).stdout(Stdio::null()).spawn().unwrap();
    stage.await_gate();
    said(&stage, &["--step", "test", "HEAD"]).with_code(0);
    stage.open_gate();
    assert_eq!(run.wait().unwrap().code(), Some(0));

    stage.close_gate();
    let mut step = tinyci(stage.repo.path());
    let step = step.args(["run", "--step", "build", "HEAD"]).stdout(Stdio::null());
    let mut step = step.spawn().unwrap();
    stage.await_gate();
    let prune = PruneOptions::new().keep(0);
    stage.engine().prune(&prune, &CancelToken::new()).unwrap();
    assert_eq!(scratch(stage.repo.path()).len(), 1, "one in use stays");
    stage.commit("build: 'true'\n");
    said(&stage, &["HEAD"]).with_code(0);
    stage.open_gate();
    assert_eq!(step.wait().unwrap().code(), Some(0));
    assert_eq!(scratch(stage.repo.path()), Vec::<PathBuf>::new());
}

#[test]
fn a_canceled_one_cleans_up_and_what_a_killed_one_left_is_pruned() {
    let stage = Stage::with("build: [touch @/waiting, sleep 600]\n");
    let start = || {
        let mut step = tinyci(stage.repo.path());
        let step = step.args(["run", "--step", "build"]).stdout(Stdio::null()).spawn().unwrap();
        stage.await_gate();
        fs::remove_file(stage.path("waiting")).unwrap();
        step
    };
    let mut canceled = start();
    signal(&canceled, Signal::INT);
    assert_eq!(canceled.wait().unwrap().code(), Some(130));
    assert_eq!(scratch(stage.repo.path()), Vec::<PathBuf>::new());

    let mut killed = start();
    signal(&killed, Signal::KILL);
    killed.wait().unwrap();
    assert_eq!(scratch(stage.repo.path()).len(), 1);
    let prune = PruneOptions::new().keep(0);
    // Its guard ends what it started before it gives the directory free.
    eventually("what is left goes", || {
        stage.engine().prune(&prune, &CancelToken::new()).unwrap();
        scratch(stage.repo.path()).is_empty()
    });
}

#[test]
fn an_export_that_is_kept_stays_for_a_day() {
    let stage = Stage::with("build: echo made > made\n");
    let kept = said(&stage, &["--step", "build", "--keep"]).with_code(0);
    let [dir] = &scratch(stage.repo.path())[..] else { panic!("{}", kept.err) };
    assert!(kept.err.contains(dir.join("export").to_str().unwrap()), "{}", kept.err);
    assert_eq!(fs::read_to_string(dir.join("export/made")).unwrap(), "made\n");
    let prune = || {
        let options = PruneOptions::new().keep(0);
        stage.engine().prune(&options, &CancelToken::new()).unwrap();
        scratch(stage.repo.path()).len()
    };
    assert_eq!(prune(), 1);
    let mark = fs::File::options().write(true).open(dir.join("kept")).unwrap();
    mark.set_modified(SystemTime::now() - Duration::from_secs(25 * 3600)).unwrap();
    assert_eq!(prune(), 0);
}

#[test]
fn a_bare_repository_and_a_host_have_it_too() {
    let stage = Stage::with("build: echo built\nbefore_build: 'true'\n");
    let server = stage.path("server.git");
    stage.repo.git(&["clone", "-q", "--bare", ".", server.to_str().unwrap()]);
    let engine = Engine::open(&server).unwrap();
    let mut events = Vec::new();
    let mut observer = |event: &Event| events.push(event.clone());
    let options = StepOptions::new("main").step("build");
    let token = CancelToken::new();
    let summary = engine.run_step(&options, &token, &mut observer).unwrap();
    assert_eq!(summary.worst(), Outcome::Success);
    assert_eq!(summary.records[0].steps.len(), 1);
    let last = events.last().map(|event| &event.kind);
    assert!(matches!(last, Some(EventKind::Finished { .. })), "{last:?}");
    assert_eq!(builds_in(&server), [""; 0]);
    let pending = engine.pending_commits(&Selection::pending()).unwrap();
    assert_eq!(pending.len(), 1, "it is as due as before");

    let mut quiet = |_: &Event| {};
    let nothing = engine.run_step(&StepOptions::new("main"), &token, &mut quiet).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::InvalidArg);
    token.cancel();
    let canceled = engine.run_step(&options, &token, &mut quiet);
    assert!(canceled.map_or_else(
        |error| error.kind() == ErrorKind::Canceled,
        |summary| summary.worst() == Outcome::Canceled
    ));
    assert_eq!(scratch(&server), Vec::<PathBuf>::new());
}
