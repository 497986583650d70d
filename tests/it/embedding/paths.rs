//! A program that changes its directory: what it named before stays what it was.

use std::{
    env::set_current_dir,
    fs,
    process::{Command, Output},
};

use tinyci::{
    CancelToken, Engine, ErrorKind, Event, Hook, Outcome, Selection,
    builds::CompactOptions,
    deploy::{DeployOutcome, DeployRequest},
    install::InstallOptions,
};

use crate::support::{
    TestRepo,
    stage::{Ran, Stage},
};

/// Runs an ignored test of this file in a process of its own, since the current directory belongs
/// to a process.
#[track_caller]
fn alone(test: &str) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("embedding::paths::{test}"), "--ignored"]);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = String::from_utf8_lossy(&stdout) + String::from_utf8_lossy(&stderr);
    assert!(status.success() && text.contains("1 passed"), "{text}");
}

/// A repository `work`, whose file `mark` and whose commands say this word.
fn marked(word: &str) -> Stage {
    let stage = Stage::new();
    stage.write("mark", word);
    stage.commit(&format!("build: echo built {word}\ndeploy: echo deployed {word} > @/live\n"));
    stage
}

#[test]
#[ignore = "is run by another test, alone in its process"]
fn move_between_repositories() {
    let (here, there) = (marked("here"), marked("there"));
    set_current_dir(here.repo.outside()).unwrap();
    let before = Engine::builder("work");
    let open = Engine::open("work").unwrap();
    set_current_dir(there.repo.outside()).unwrap();
    assert_eq!(before.path(), here.repo.path());
    let opened_late = before.open().unwrap();
    let head = here.head();
    for engine in [&open, &opened_late] {
        assert_eq!(engine.path(), here.repo.path());
        let selection = Selection::revision("HEAD").retry(true).replace_live(true);
        let plan = engine.plan(&selection).unwrap();
        assert_eq!(plan.jobs[0].commit.id, head);
        let ran = Ran::of(engine, &selection);
        assert!(ran.text().contains("built here"), "{}", ran.text());
        let plan = engine.deploy_plan("production", DeployRequest::newest()).unwrap();
        assert_eq!(plan.commit.id, head);
        let deployed = engine.deploy("production", &plan, &CancelToken::new(), &mut |_: &Event| {});
        assert_eq!(deployed.unwrap().outcome, DeployOutcome::Success);
        assert_eq!(here.read("live"), "deployed here\n");
        fs::remove_file(here.repo.outside().join("live")).unwrap();
    }
    // A target is named now, and so below where the program is now.
    open.export("HEAD", "out", &CancelToken::new()).unwrap();
    assert_eq!(fs::read_to_string(there.repo.outside().join("out/mark")).unwrap(), "here");
    assert_eq!(there.repo.git(&["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
    assert!(!there.repo.path().join("builds").exists() && there.read("live").is_empty());
}

#[test]
fn an_engine_acts_on_the_repository_that_it_was_opened_for() {
    alone("move_between_repositories");
}

#[test]
#[ignore = "is run by another test, alone in its process"]
fn move_away_from_a_link() {
    let stage = marked("here");
    assert_eq!(stage.run().outcome(), Outcome::Success);
    std::os::unix::fs::symlink(stage.build_dir(stage.head()), stage.path("live")).unwrap();
    set_current_dir(stage.repo.outside()).unwrap();
    let left = CompactOptions::new().keep(0).keep_build("./live");
    set_current_dir("/").unwrap();
    let packed = stage.engine().compact(&left, &CancelToken::new()).unwrap();
    assert_eq!((packed.compacted.len(), packed.unmatched.len()), (0, 0));
}

#[test]
fn a_build_that_is_left_is_the_one_that_a_link_led_to() {
    alone("move_away_from_a_link");
}

#[cfg(feature = "rhai")]
#[test]
#[ignore = "is run by another test, alone in its process"]
fn move_away_from_scripts() {
    use tinyci::{Format, check::Checker, script::TestOptions};

    let stage = Stage::new();
    let script = "import \"ci/go\" as golang;\nfn build() { golang::build(); }\n";
    stage.write("ci/go.rhai", "fn build() { sh(\"go build\"); }\n");
    stage.write(".tinyci.rhai", script);
    stage.write(".tinyci.test.rhai", "fn test_build(t) { t.expect(t.build().ok); }\n");
    set_current_dir(stage.repo.path()).unwrap();
    let (checker, tests) = (Checker::new("."), TestOptions::directory("."));
    set_current_dir("/").unwrap();
    assert!(checker.check(script, Format::Rhai, "x").unwrap().problems.is_empty());
    checker.parse(script, Format::Rhai, "x").unwrap();
    let report = stage.engine().test_pipeline(&tests).unwrap();
    assert!(report.tests.len() == 1 && report.tests[0].passed());
}

#[cfg(feature = "rhai")]
#[test]
fn scripts_are_looked_for_in_the_folder_that_was_named() {
    alone("move_away_from_scripts");
}

#[test]
#[ignore = "is run by another test, alone in its process"]
fn stand_nowhere() {
    let stage = marked("here");
    let gone = stage.repo.outside().join("gone");
    fs::create_dir(&gone).unwrap();
    set_current_dir(&gone).unwrap();
    fs::remove_dir(&gone).unwrap();
    let error = Engine::open("work").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotARepo);
    assert!(error.to_string().starts_with("cannot resolve `work`"), "{error}");
    let engine = Engine::open(stage.repo.path()).unwrap();
    let ran = Ran::of(&engine, &Selection::pending());
    assert!(ran.text().contains("built here"), "{}", ran.text());
    let error = engine.export("HEAD", "out", &CancelToken::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArg);
    assert!(error.to_string().contains("use an absolute path"), "{error}");
}

#[test]
fn without_a_current_directory_absolute_paths_still_work() {
    alone("stand_nowhere");
}

/// `rm -rf /srv/my sites/app.git/builds/…` would remove `/srv/my`.
#[test]
fn a_path_of_two_words_never_gets_into_a_command() {
    let outer = TestRepo::new();
    let kept = outer.outside().join("my/file");
    fs::create_dir_all(kept.parent().unwrap()).unwrap();
    fs::write(&kept, "precious").unwrap();
    let config = "build: mkdir target\nhooks:\n  before_test: rm -rf \"$TINYCI_EXPORT/target\"\n  \
                  after_all: rm -rf <%= export %>/target\n";
    for (name, reason) in [("my sites/app", Some("contains ' '")), ("dépôt/app", None)] {
        let path = outer.outside().join(name);
        fs::create_dir_all(&path).unwrap();
        let git = |args: &[&str]| {
            let output = outer.command_in(&path).args(args).output().unwrap();
            assert!(output.status.success(), "{output:?}");
        };
        git(&["init", "-q", "-b", "main"]);
        fs::write(path.join(".tinyci.yml"), config).unwrap();
        git(&["add", "-A"]);
        git(&["commit", "-q", "-m", "config"]);

        let engine = Engine::open(&path).unwrap();
        let warning = engine.path_warning();
        assert_eq!(warning.is_some(), reason.is_some(), "{warning:?}");
        let notes = engine.install(&InstallOptions::new()).unwrap().notes;
        assert!(warning.iter().all(|it| notes.contains(it)), "{notes:?}");
        let run = engine.run(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| {});
        let record = run.unwrap().records.remove(0);
        assert_eq!(record.outcome, Outcome::Success, "a hook changes no verdict");
        let step = record.steps.iter().find(|it| it.name == Hook::AfterAll.into());
        let error = step.unwrap().error.clone();
        let Some(reason) = reason else {
            assert_eq!(error, None);
            continue;
        };
        let error = error.unwrap();
        assert!(error.contains(reason) && error.contains("\"$TINYCI_EXPORT\""), "{error}");
        let warning = warning.unwrap();
        assert!(warning.contains(reason) && warning.contains(path.to_str().unwrap()), "{warning}");
    }
    assert!(kept.exists());

    let named = outer.outside().join("out side");
    let engine = Engine::builder(outer.path()).builds_dir(&named).open().unwrap();
    assert!(engine.path_warning().unwrap().contains("out side"), "the builds' own path counts too");
}
