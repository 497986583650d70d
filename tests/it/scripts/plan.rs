//! `tinyci plan REV`: what it says is what a run does, and it does nothing itself.

use std::{
    os::unix::fs::PermissionsExt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tinyci::{
    CancelToken, Engine, Error, Hook, Outcome, Selection, Value,
    callback::Effect,
    executor::{CancelView, Command, Executor, Exit, Output, Program},
    pipeline::Phase,
    plan::{Action, Assumption, DryRun},
};

use crate::support::TestRepo;

/// Writes down every command and lets it pass.
struct Recorder(Arc<Mutex<Vec<String>>>);

impl Executor for Recorder {
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        let text = match &command.program {
            Program::Shell(text) => text.clone(),
            Program::Argv(words) => words.join(" "),
            other => other.to_string(),
        };
        if text == "git describe" {
            output(Output::stdout("v1.2\n"));
        }
        self.0.lock().unwrap().push(text);
        Ok(Exit::Code(0))
    }
}

fn commands(dry_run: &DryRun) -> Vec<String> {
    let acts = dry_run.steps.iter().flat_map(|step| &step.actions);
    let command = |act: &Action| match act {
        Action::Command { command, .. } => Some(command.clone()),
        _ => None,
    };
    acts.filter_map(command).collect()
}

fn script(text: &str) -> TestRepo {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", text);
    repo.commit("script");
    repo
}

fn dry_run(repo: &TestRepo) -> DryRun {
    Engine::open(repo.path()).unwrap().dry_run("HEAD", &[]).unwrap()
}

const MONOREPO: &str = r#"
import "ci/service" as service;
fn targets(ctx) {
    let all = ["api", "web", "worker"];
    if ctx.changed("shared/**") || ctx.tags.len() > 0 { return all; }
    all.filter(|name| ctx.changed(`services/${name}/**`))
}
fn before_build(ctx) {
    if !ctx.changed(["**", "!docs/**", "!*.md"]) { skip("docs only"); }
}
fn build(ctx) { parallel(targets(ctx), |name| service::build(ctx, name)); }
fn test(ctx) {
    matrix(#{ service: targets(ctx), db: ["postgres", "sqlite"] }, |m|
        sh(["make", "test", m.service, m.db], #{ retries: 1 }));
}
fn after_test_success(ctx) {
    if targets(ctx).len() > 0 { remember("version", capture("git describe")); }
}
fn after_all(ctx) { try_sh(["clean", recall("version", "none")]); }
"#;

/// A hundred commits that change this and that: each is planned just before it is run.
#[test]
fn what_runs_equals_what_was_planned() {
    let repo = TestRepo::new();
    repo.write("ci/service.rhai", "fn build(ctx, name) { sh([\"build\", name, ctx.commit]); }\n");
    repo.write(".tinyci.rhai", MONOREPO);
    let ran = Arc::default();
    let engine = Engine::builder(repo.path()).executor(Recorder(Arc::clone(&ran))).open().unwrap();
    let places = ["services/api/a", "services/web/b", "docs/c.md", "README.md", "shared/d", "e"];
    let assume = [("git desc*".to_owned(), "v1.2".to_owned())];
    let (mut skipped, mut empty, mut full) = (0, 0, 0);
    for number in 0..100_usize {
        // A fixed order that meets every place, alone and with others.
        for (bit, place) in places.iter().enumerate() {
            if (number * 7 + 3) >> bit & 1 == 1 && (number + bit) % 3 != 0 {
                repo.write(place, format!("{number}"));
            }
        }
        repo.commit(&format!("commit {number}"));
        if number % 25 == 24 {
            repo.git(&["tag", &format!("v{number}")]);
        }
        let dry_run = engine.dry_run("HEAD", &assume).unwrap();
        let selection = Selection::revision("HEAD");
        let observer = &mut |_: &tinyci::Event| {};
        let summary = engine.run(&selection, &CancelToken::new(), observer).unwrap();
        let mut done = std::mem::take(&mut *ran.lock().unwrap());
        let mut planned = commands(&dry_run);
        planned.sort();
        done.sort();
        assert_eq!(done, planned, "commit {number}");
        assert_eq!(Some(summary.records[0].outcome), dry_run.outcome, "commit {number}");
        match (dry_run.outcome, done.len()) {
            (Some(Outcome::Skipped), _) => skipped += 1,
            (_, 1) => empty += 1,
            _ => full += 1,
        }
    }
    assert!(skipped > 5 && empty > 0 && full > 5, "{skipped} {empty} {full}");
}

#[test]
fn it_tells_which_questions_decided_and_what_it_assumed() {
    let repo = script(
        "fn build(ctx) {\n    if ctx.changed(\"src/**\") { sh(\"make\"); }\n    \
         sh(`tag ${capture(\"git describe --tags\")}`);\n    let it = try_sh([\"a\", \"b\"]);\n    \
         if it.ok { sh(\"yes\"); }\n}\n",
    );
    let engine = Engine::open(repo.path()).unwrap();
    let lines = |dry_run: &DryRun| -> Vec<String> {
        dry_run.steps[0].actions.iter().map(ToString::to_string).collect()
    };
    let unknown = "  (assuming success, output unknown)";
    let tag = "$ tag ⟨output of `git describe --tags`⟩".to_owned();
    let expected = [
        ".tinyci.rhai:2 changed(\"src/**\") = true".to_owned(),
        "$ make".to_owned(),
        format!("$ git describe --tags{unknown}"),
        tag,
        format!("$ a b{unknown}"),
        "$ yes".to_owned(),
    ];
    assert_eq!(lines(&engine.dry_run("HEAD", &[]).unwrap()), expected);
    let assume = [("git describe*".to_owned(), "v7".to_owned())];
    let assumed = engine.dry_run("HEAD", &assume).unwrap();
    assert_eq!(lines(&assumed)[2..4], ["$ git describe --tags  (assuming \"v7\")", "$ tag v7"]);
    let given = |act: &Action| matches!(act, Action::Command { output: Assumption::Given(_), .. });
    assert_eq!(assumed.steps[0].actions.iter().filter(|act| given(act)).count(), 1);
}

#[test]
fn nothing_is_done() {
    let repo = script(
        "const SECRETS = [\"KEY\"];\nfn build(ctx) {\n    sh(`touch ${ctx.repo}/made`);\n    \
         sleep(1800);\n    retry(3, || sh(\"x\"), #{ backoff: \"1h\" });\n    \
         sh(\"a\", #{ env: #{ KEY: secret(\"KEY\") } });\n    slack::post(\"hi\", 1);\n    \
         if today() == \"Monday\" { artifact(\"a.tar\"); }\n    warn(\"w\");\n    discard_export();\n}\n",
    );
    let secrets = tempfile::tempdir().unwrap();
    std::fs::write(secrets.path().join("KEY"), "hunter2222").unwrap();
    for (path, mode) in [(secrets.path().to_owned(), 0o700), (secrets.path().join("KEY"), 0o600)] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }
    repo.git(&["config", "tinyci.secretsDir", secrets.path().to_str().unwrap()]);
    repo.git(&["config", "tinyci.secretRefs", "refs/heads/*"]);
    let calls = Arc::new(AtomicUsize::new(0));
    let (posts, hooks) = (calls.clone(), calls.clone());
    let engine = Engine::builder(repo.path())
        .function("slack::post", 1..=2, Effect::External, "", move |_| {
            posts.fetch_add(1, Ordering::SeqCst);
            Ok(Value::Null)
        })
        .function("today", 0..=0, Effect::Pure, "", |_| Ok(Value::from("Monday")))
        .hook(Hook::BeforeBuild, move |_| {
            hooks.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
        .open()
        .unwrap();
    let before = repo.git(&["for-each-ref"]);
    let dry_run = engine.dry_run("HEAD", &[]).unwrap();
    assert_eq!(dry_run.outcome, Some(Outcome::Success), "{dry_run:#?}");
    let [hook, build] = &dry_run.steps[..] else { panic!("{dry_run:#?}") };
    assert_eq!((hook.name, hook.hook_callbacks), (Hook::BeforeBuild.into(), 1));
    let unknown = "hook before_build of the embedding program (may skip, fail or set: unknown)";
    assert_eq!(hook.actions, [Action::Call(unknown.to_owned())]);
    assert_eq!(build.name, Phase::Build.into());
    let acts: Vec<_> = build.actions.iter().skip(1).map(ToString::to_string).collect();
    let expected = [
        "$ x",
        "secret(\"KEY\")",
        "$ a",
        "slack::post(\"hi\", 1)",
        "artifact(\"a.tar\")",
        "warn(\"w\")",
        "discard_export()",
    ];
    assert_eq!(acts, expected);
    assert_eq!(calls.load(Ordering::SeqCst), 0);
    assert_eq!(repo.git(&["for-each-ref"]), before);
    assert_eq!(repo.git(&["status", "--porcelain", "--ignored"]), "");
}

#[test]
fn a_plan_shows_no_more_of_a_secret_than_a_run() {
    let repo = script(
        "const SECRETS = [\"KEY\"];\nfn build() { fail(`it is ${secret(\"KEY\")}`); }\n\
         fn after_build() { throw `it is ${secret(\"KEY\")}`; }\n\
         fn after_all() { group(`g ${secret(\"KEY\")}`, || sh(\"a\")); skip(secret(\"KEY\") + \"\"); }",
    );
    repo.git(&["config", "tinyci.secretRefs", "refs/heads/*"]);
    let builder = Engine::builder(repo.path());
    let engine = builder.secrets(|_, _| Ok(Some(b"hunter2222".to_vec()))).open().unwrap();
    let dry_run = engine.dry_run("HEAD", &[]).unwrap();
    let reasons: Vec<&str> = dry_run.steps.iter().filter_map(|it| it.reason.as_deref()).collect();
    assert_eq!((reasons[0], reasons[2]), ("it is ***", "***"));
    assert!(reasons[1].starts_with("it is ***\n  --> .tinyci.rhai:3:"), "{reasons:?}");
    let mut acts = dry_run.steps[2].actions.iter().map(ToString::to_string);
    assert!(acts.any(|act| act == "[g ***] $ a"), "{dry_run:#?}");
}

#[test]
fn scripts_that_fail_or_never_end_are_told_of() {
    let failing = dry_run(&script("fn build(ctx) { sh(\"a\"); fail(\"no\"); }\nfn test() { }\n"));
    assert_eq!(failing.outcome, Some(Outcome::Failure));
    assert_eq!(failing.steps[0].reason.as_deref(), Some("no"));
    assert_eq!(failing.steps.len(), 1);
    let endless = dry_run(&script("fn build(ctx) { loop { } }\n"));
    assert_eq!(endless.outcome, Some(Outcome::Failure));
    let skipped =
        dry_run(&script("fn before_build() { skip(\"docs\"); }\nfn build() { sh(\"a\"); }\n"));
    assert_eq!((skipped.outcome, commands(&skipped).len()), (Some(Outcome::Skipped), 0));
    let repo = TestRepo::new();
    repo.commit("no config");
    assert!(Engine::open(repo.path()).unwrap().dry_run("HEAD", &[]).is_err());
}

#[test]
fn what_certainly_fails_in_the_tree_is_told_before() {
    let repo = TestRepo::new();
    repo.write("src/a", "a");
    repo.write("README", "readme");
    for (name, target) in [("in", "src"), ("lost", "src/none"), ("text", "README")] {
        std::os::unix::fs::symlink(target, repo.path().join(name)).unwrap();
    }
    std::fs::create_dir(repo.path().join("module")).unwrap();
    let submodule = format!("160000,{},module", repo.commit("the first"));
    repo.git(&["update-index", "--add", "--cacheinfo", &submodule]);
    for (statement, fine) in [
        ("sh(\"true\", #{ cwd: \"module\" });", true),
        ("sh(\"true\", #{ cwd: \"module/src\" });", false),
        ("sh(\"true\", #{ cwd: \"in\" });", true),
        ("sh(\"true\", #{ cwd: \"lost\" });", false),
        ("sh(\"true\", #{ cwd: \"text\" });", false),
        ("sh(\"true\", #{ cwd: \"text\", allow: 126 });", true),
        ("artifact(\"in/a\");", true),
        ("artifact(\"none\");", false),
        ("artifact(\"in\");", false),
        ("artifact(\"lost\");", false),
        ("artifact(\"in/*\");", true),
        ("artifact(\"module\");", false),
        ("artifact(\"*\");", false),
        ("artifact(\"t*t\");", true),
        ("artifact(\"*.none\");", false),
        ("artifact([\"text\", \"!te*\"]);", false),
        ("artifact([\"text\", \".tinyci.*\", \"!text\"]);", true),
        ("let it = \"../text\"; artifact(it);", false),
        ("sh(\"true\", #{ timeout: 0 });", false),
        ("timeout(\"0s\", || 1);", false),
        ("sh(\"true\", #{ timeout: \"1m\", backoff: 0 });", true),
    ] {
        repo.write(".tinyci.rhai", format!("fn build() {{\n    {statement}\n}}\n"));
        repo.commit("script");
        let (engine, plan) = (Engine::open(repo.path()).unwrap(), dry_run(&repo));
        let head = Selection::revision("HEAD");
        let run = engine.run(&head, &CancelToken::new(), &mut |_: &tinyci::Event| {}).unwrap();
        let expected = if fine { Outcome::Success } else { Outcome::Failure };
        assert_eq!(
            (plan.outcome, run.records[0].outcome),
            (Some(expected), expected),
            "{statement}"
        );
        let told = run.records[0].steps[0].error.clone();
        assert_eq!(plan.steps[0].reason.is_some(), told.is_some(), "{statement}: {told:?}");
        // The excerpt names the commit, which differs in nothing here.
        assert_eq!(plan.steps[0].reason, told, "{statement}");
    }
}

#[test]
fn a_config_in_yaml_has_a_plan_too() {
    let repo = TestRepo::new();
    repo.commit_config(
        "build: {run: [a, 'b <%= short %>'], when: {branch: main}}\n\
         test: {run: c, when: {branch: other}}\nhooks: {after_all: d}\n",
    );
    let dry_run = dry_run(&repo);
    let short = &repo.git(&["rev-parse", "HEAD"])[..7];
    assert_eq!(commands(&dry_run), ["a", &format!("b {short}"), "d"]);
    assert_eq!(dry_run.steps[1].outcome, Some(Outcome::Skipped));
    assert_eq!(dry_run.outcome, Some(Outcome::Skipped));
}

#[test]
fn a_plan_says_why_a_config_in_yaml_certainly_fails() {
    let repo = TestRepo::new();
    repo.commit_config(
        "build: {run: [a, b], cwd: none}\nhooks: {after_all: {run: c, cwd: none}}\n",
    );
    let dry_run = dry_run(&repo);
    assert_eq!(
        (dry_run.outcome, commands(&dry_run)),
        (Some(Outcome::Failure), vec!["a".to_owned(), "c".to_owned()])
    );
    for (step, command) in dry_run.steps.iter().zip(["a", "c"]) {
        let reason = step.reason.as_deref().unwrap();
        let begin = format!("`{command}` failed with status 127: cannot enter directory `");
        assert!(reason.starts_with(&begin) && reason.contains("/none`: "), "{reason}");
    }
}

#[cfg(feature = "cli")]
#[test]
fn the_program_shows_it() {
    use crate::support::program::run;
    let repo = script(
        "fn build(ctx) {\n    if !ctx.changed(\"x\") { return; }\n    sh(`v ${capture(\"git describe\")}`);\n}\n",
    );
    let short = repo.git(&["rev-parse", "HEAD"])[..7].to_owned();
    let said = run(&repo, &["plan", "HEAD", "--assume", "git*=v1"]).with_code(0);
    let expected = format!(
        "{short} main script (was named)\n{short}: success if every command passes\n  build\n    \
         .tinyci.rhai:2 changed(\"x\") = true\n    $ git describe  (assuming \"v1\")\n    $ v v1\n"
    );
    assert_eq!(said.out, expected);
    let said = run(&repo, &["plan", "HEAD", "--json", "--assume", "git*=v1"]).with_code(0);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["jobs"][0]["trigger"], "named");
    let acts = &json["dry_runs"][0]["steps"][0]["actions"];
    assert_eq!(acts[0]["question"], "changed(\"x\")");
    assert_eq!((&acts[0]["file"], &acts[0]["line"]), (&".tinyci.rhai".into(), &2.into()));
    assert_eq!((&acts[1]["output"], &acts[1]["text"]), (&"given".into(), &"v1".into()));
    assert_eq!(acts[2]["command"], "v v1");
    let said = run(&repo, &["plan", "--json"]).with_code(0);
    assert!(!said.out.contains("dry_runs"), "{}", said.out);
    run(&repo, &["plan", "HEAD", "--assume", "x"]).with_code(2);
    repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "success", "HEAD"]);
    let said = run(&repo, &["plan", "HEAD"]).with_code(0);
    assert!(said.out.starts_with(&format!("{short} (not pending; `--retry`")), "{}", said.out);
}
