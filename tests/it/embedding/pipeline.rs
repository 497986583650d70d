//! A pipeline of the caller's own in place of the commits' configs.

use std::thread;

use tinyci::{
    CancelToken, ErrorKind, Event, Format, Outcome, Pipeline, Selection,
    check::{CheckReport, Checker},
    plan::Trigger,
};

use crate::support::stage::{GATE, Ran, Stage};

fn yaml(text: &str) -> Pipeline {
    Pipeline::parse(text, Format::Yaml, "given.yml").unwrap()
}

#[test]
fn a_commit_without_a_config_is_judged_by_it() {
    let stage = Stage::new();
    let first = stage.commit_more("first");
    let second = stage.commit_more("second");
    let engine = stage.engine();
    assert!(engine.pending_commits(&Selection::pending()).unwrap().is_empty());

    let text = format!("build: echo <%= short %> >> {}/trace\n", stage.repo.outside().display());
    let selection = Selection::revision("HEAD").pipeline(yaml(&text));
    let plan = engine.plan(&selection).unwrap();
    assert_eq!((plan.jobs[0].commit.id, plan.jobs[0].trigger), (second, Trigger::Named));
    let ran = Ran::of(&engine, &selection);
    assert_eq!(ran.summary.records[0].outcome, Outcome::Success);
    assert_eq!(ran.summary.records[0].config_format, Some(Format::Yaml));
    assert_eq!(stage.trace(), [second.short().to_string()]);
    assert_eq!(stage.word(second).as_deref(), Some("success"));

    // Its verdict is one like any other: all that is left is the first commit.
    let pending = Selection::pending().pipeline(yaml(&text));
    let due: Vec<_> =
        engine.pending_commits(&pending).unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(due, [first]);
    Ran::of(&engine, &pending);
    assert_eq!(stage.word(first).as_deref(), Some("success"));
    assert!(engine.pending_commits(&pending).unwrap().is_empty());
    assert!(engine.pending_commits(&Selection::pending()).unwrap().is_empty());
}

#[test]
fn it_takes_the_place_of_the_commits_own_config() {
    let stage = Stage::new();
    let id = stage.commit("build: 'false'\n");
    let engine = stage.engine();
    let ran = Ran::of(&engine, &Selection::pending().pipeline(yaml("test: 'true'\n")));
    assert_eq!(ran.summary.records[0].steps.len(), 1);
    assert_eq!(stage.word(id).as_deref(), Some("success"));
    // Without it the commit would fail, but it is settled.
    assert!(Ran::of(&engine, &Selection::pending()).summary.records.is_empty());
    let again = Ran::of(&engine, &Selection::revision("HEAD").retry(true));
    assert_eq!(again.summary.records[0].outcome, Outcome::Failure);
}

/// What a scan remembers of commits without a config must not hide them from this one.
#[test]
fn commits_that_were_hidden_as_unconfigured_are_seen() {
    let stage = Stage::new();
    let first = stage.commit_more("no config");
    let second = stage.commit("build: 'true'\n");
    let engine = stage.engine();
    Ran::of(&engine, &Selection::pending());
    assert!(engine.pending_commits(&Selection::pending()).unwrap().is_empty());
    let given = Selection::pending().pipeline(yaml("build: 'true'\n"));
    let due: Vec<_> = engine.pending_commits(&given).unwrap().into_iter().map(|it| it.id).collect();
    assert_eq!(due, [first], "{second} is settled");
}

/// Who finds the repository busy was promised another look, and by the commits' own configs.
#[test]
fn what_is_done_for_others_is_done_by_their_configs() {
    let stage = Stage::new();
    let named = stage.commit_more("without a config");
    let gate = GATE.replace('@', stage.repo.outside().to_str().unwrap());
    let selection = Selection::revision("HEAD").pipeline(yaml(&format!("build: {gate:?}\n")));
    let engine = stage.engine();
    let other = std::thread::scope(|scope| {
        let run = scope.spawn(|| Ran::of(&engine, &selection));
        stage.await_gate();
        let other = stage.commit("test: 'false'\n");
        let busy = engine.run(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| {});
        assert_eq!(busy.unwrap_err().kind(), ErrorKind::Busy);
        stage.open_gate();
        assert_eq!(run.join().unwrap().commits(), [named]);
        other
    });
    assert_eq!(stage.word(named).as_deref(), Some("success"));
    assert_eq!(stage.word(other).as_deref(), Some("failure"));
}

/// The backlog rule holds for what is pushed, configured or not.
#[test]
fn a_push_to_a_history_without_configs_runs_its_tip() {
    let stage = Stage::new();
    stage.repo.git(&["config", "tinyci.backlogLimit", "2"]);
    let ids: Vec<_> = (0..4).map(|number| stage.commit_more(&format!("{number}"))).collect();
    let line = format!("{} {} refs/heads/main\n", "0".repeat(40), ids[3]);
    let pushed = Selection::hook_lines(line).unwrap().pipeline(yaml("build: 'true'\n"));
    let ran = Ran::of(&stage.engine(), &pushed);
    assert_eq!((ran.commits(), ran.summary.baselined), (vec![ids[3]], 3));
    let pending = Selection::pending().pipeline(yaml("build: 'true'\n"));
    assert!(stage.engine().pending_commits(&pending).unwrap().is_empty());
    assert_eq!(stage.engine().pending_commits(&pending.all_history(true)).unwrap().len(), 3);
}

#[cfg(feature = "rhai")]
mod scripts {
    use tinyci::{
        Engine, Value,
        callback::{Effect, FunctionCall},
        pipeline::Phase,
    };

    use super::*;

    const SCRIPT: &str =
        "#!/usr/bin/env rhai\nfn build(ctx) { sh([\"test\", ctx.subject, \"=\", \"second\"]); }\n";

    #[test]
    fn a_script_is_a_pipeline_too() {
        let pipeline = Pipeline::parse(SCRIPT, Format::Rhai, "given.rhai").unwrap();
        assert!(pipeline.step(Phase::Build).is_some());
        let stage = Stage::new();
        let (first, second) = (stage.commit_more("first"), stage.commit_more("second"));
        let ran = Ran::of(&stage.engine(), &Selection::pending().pipeline(pipeline));
        assert_eq!(ran.summary.records.len(), 2);
        assert_eq!(stage.word(first).as_deref(), Some("failure"));
        assert_eq!(stage.word(second).as_deref(), Some("success"));
        let error = ran.summary.records[0].steps[0].error.clone().unwrap();
        assert!(error.contains("--> given.rhai:2:17 in build"), "{error}");
    }

    #[test]
    fn mistakes_have_their_place_and_imports_need_a_folder() {
        let parse = |text: &str| Pipeline::parse(text, Format::Rhai, "given.rhai").unwrap_err();
        let error = parse("fn build() {\n    nothing;\n}\n");
        assert_eq!(error.kind(), ErrorKind::Script);
        assert!(error.to_string().starts_with("given.rhai:2:5"), "{error}");
        let script = "import \"ci/make\" as make;\nfn build() { make::all(); }\n";
        let error = parse(script);
        assert!(error.to_string().contains("given.rhai:1:1"), "{error}");
        assert!(error.message().contains("Checker::parse"), "{error}");

        let stage = Stage::new();
        let id = stage.commit_more("no module here");
        let folder = stage.path("folder");
        std::fs::create_dir_all(folder.join("ci")).unwrap();
        std::fs::write(folder.join("ci/make.rhai"), "fn all() { sh(\"true\"); }\n").unwrap();
        let pipeline = Checker::new(&folder).parse(script, Format::Rhai, "x").unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        Ran::of(&stage.engine(), &Selection::pending().pipeline(pipeline));
        assert_eq!(stage.word(id).as_deref(), Some("success"));
    }

    #[test]
    fn the_pipeline_of_one_commit_can_judge_another() {
        let stage = Stage::new();
        stage.write("ci/make.rhai", "fn all() { sh(\"true\"); }\n");
        stage.write(".tinyci.rhai", "import \"ci/make\" as make;\nfn build() { make::all(); }\n");
        stage.commit_more("with a script");
        stage.repo.git(&["rm", "-q", "-r", "."]);
        let bare = stage.commit_more("without");
        let engine = stage.engine();
        let pipeline = engine.pipeline("HEAD~1").unwrap();
        Ran::of(&engine, &Selection::revision("HEAD").pipeline(pipeline));
        assert_eq!(stage.word(bare).as_deref(), Some("success"));
    }

    /// What this engine cannot run is no commit's failure.
    #[test]
    fn a_script_for_another_program_cannot_begin() {
        let stage = Stage::new();
        let id = stage.commit_more("first");
        let post = |_: &FunctionCall<'_>| Ok(Value::Null);
        let engine = Engine::builder(stage.repo.path())
            .function("chat::post", 1..=1, Effect::External, "", post)
            .open()
            .unwrap();
        let script = "fn build() { chat::post(\"hi\"); }\n";
        let pipeline = engine.checker(".").parse(script, Format::Rhai, "x").unwrap();
        let selection = Selection::pending().pipeline(pipeline);
        let error = stage.engine().plan(&selection).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Script, "{error}");
        assert_eq!(stage.word(id), None);
        Ran::of(&engine, &selection);
        assert_eq!(stage.word(id).as_deref(), Some("success"));
    }
}

/// A fiber's stack, a green thread's: too small for a parser that descends.
#[test]
fn a_caller_needs_no_stack_for_what_a_config_holds() {
    let blocks =
        format!("fn build() {{ {} sh(\"x\"); {} }}", "if true {".repeat(28), "}".repeat(28));
    let lists = format!("build: {}x{}\n", "[".repeat(60), "]".repeat(60));
    let read = move || {
        let checker = Checker::new(".");
        for (text, format) in [(&blocks, Format::Rhai), (&lists, Format::Yaml)] {
            let parsed = Pipeline::parse(text, format, "deep");
            let again = checker.parse(text, format, "deep");
            assert_eq!(parsed.is_ok(), again.is_ok());
            let found = checker.check(text, format, "deep");
            assert_eq!(
                parsed.is_ok(),
                found.as_ref().is_ok_and(CheckReport::is_valid),
                "{found:?}"
            );
        }
    };
    thread::Builder::new().stack_size(96 << 10).spawn(read).unwrap().join().unwrap();
}

#[test]
fn an_absent_import_is_said_to_be_missing_where_it_was_looked_for() {
    let dir = tempfile::tempdir().unwrap();
    let script = "import \"ci/go\" as golang;\nfn build() { golang::build(); }\n";
    let checker = Checker::new(dir.path());
    let parsed = checker.parse(script, Format::Rhai, ".tinyci.rhai").unwrap_err();
    let found = checker.check(script, Format::Rhai, ".tinyci.rhai");
    let place = format!("cannot import `ci/go.rhai`: no such file in `{}`", dir.path().display());
    if cfg!(feature = "rhai") {
        assert!(parsed.message().starts_with(&place), "{parsed}");
        assert!(found.unwrap().problems[0].message.starts_with(&place));
    } else {
        assert_eq!(found.unwrap_err().kind(), ErrorKind::Unsupported);
    }
}
