//! What a run leaves behind, and the order of its steps.

use std::fs;

use serde_json::Value;
use tinyci::{Engine, Outcome, Selection};

use crate::support::stage::{Ran, Stage};

#[test]
fn a_run_leaves_a_word_a_record_a_folder_and_two_logs() {
    let stage = Stage::new();
    stage.repo.write("test.sh", "#!/bin/sh\nexit 0\n");
    let green = stage.commit(
        "build: echo 'build!'\ntest: sh ./test.sh\nhooks:\n  after_build_success: echo \
         'after_build_success!'\n  after_test_success: \"true\"\n",
    );
    let red = stage.commit("build: \"true\"\ntest: ./test.sh\n");
    let ran = stage.run();

    let outcomes: Vec<_> = ran.summary.records.iter().map(|it| (it.commit, it.outcome)).collect();
    assert_eq!(outcomes, [(green, Outcome::Success), (red, Outcome::Failure)], "oldest first");
    assert_eq!(ran.summary.exit_code(), 1);
    assert_eq!(stage.word(green).as_deref(), Some("success"));
    assert_eq!(stage.word(red).as_deref(), Some("failure"));
    assert!(stage.build_dir(green).join("export/test.sh").is_file());

    // The ancestor's lines, word for word.
    let of_green = [
        &format!("Commit: {green}"),
        "Cleaning...",
        "Exporting...",
        "Building...",
        "build!",
        "executing after_build_success hook...",
        "after_build_success!",
        "Testing...",
        "executing after_test_success hook...",
        &format!("Finished {green}"),
    ];
    assert_eq!(stage.log_of(green), of_green);
    let of_red = stage.log_of(red);
    let denied = "test: `/bin/sh -c './test.sh'` failed with status 126";
    assert_eq!(of_red.last().unwrap(), denied);
    assert_eq!(stage.log(), [of_green.map(str::to_owned).to_vec(), of_red].concat());
    stage.repo.git(&["fsck", "--strict"]);
}

#[test]
fn the_record_is_a_line_of_json() {
    let stage = Stage::new();
    let id = stage.commit("build:\n  - echo one\n  - exit 3\n  - echo never\n");
    let ran = stage.run();
    let text = stage.repo.git(&["notes", "--ref", "runs/tinyci", "show", &id.to_string()]);
    assert_eq!(text, ran.record().to_json());
    assert!(text.starts_with(r#"{"finished":"20"#), "{text}");

    let json: Value = serde_json::from_str(&text).unwrap();
    let tree = stage.repo.git(&["rev-parse", "HEAD^{tree}"]);
    for (key, value) in [
        ("v", Value::from(1)),
        ("outcome", "failure".into()),
        ("commit", id.to_string().into()),
        ("tree", tree.into()),
        ("branch", "main".into()),
        ("config_format", "yaml".into()),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    let step = &json["steps"][0];
    assert_eq!((&step["name"], &step["outcome"]), (&"build".into(), &"failure".into()));
    assert_eq!(step["commands"][0]["command"], "/bin/sh -c 'echo one'");
    assert_eq!(step["commands"][0]["exit_code"], 0);
    assert_eq!(step["commands"][1]["exit_code"], 3);
    assert_eq!(step["commands"].as_array().unwrap().len(), 2, "the first failure ends the step");
    assert!(
        json["duration_ms"].is_u64() && json["machine"].is_string() && json["job_id"].is_string()
    );
}

const STEPS: [&str; 11] = [
    "before_build",
    "build",
    "after_build_success",
    "after_build_failure",
    "after_build",
    "before_test",
    "test",
    "after_test_success",
    "after_test_failure",
    "after_test",
    "after_all",
];

/// A config whose every step leaves its name; those that fail do so afterwards.
fn tracing(failing: &[&str]) -> String {
    let command = |name: &str| {
        let end = if failing.contains(&name) { "; exit 1" } else { "" };
        format!("{name}: echo {name} >> @/trace{end}\n")
    };
    let phases = ["build", "test"].map(command).concat();
    let hooks = STEPS.iter().filter(|name| !["build", "test"].contains(name));
    let hooks: String = hooks.map(|name| format!("  {}", command(name))).collect();
    format!("{phases}hooks:\n{hooks}")
}

/// What runs where these steps fail, and what becomes of the commit.
#[track_caller]
fn check_order(failing: &[&str], expected: &str, outcome: Outcome) {
    let stage = Stage::with(&tracing(failing));
    let ran = stage.run();
    assert_eq!(stage.trace().join(" "), expected, "with {failing:?} failing");
    assert_eq!(ran.outcome(), outcome, "with {failing:?} failing");
    let recorded = expected.split(' ').map(|name| {
        let end = if failing.contains(&name) { "failure" } else { "success" };
        format!("{name} {end}")
    });
    assert_eq!(ran.steps(), recorded.collect::<Vec<_>>(), "with {failing:?} failing");
    let word = if outcome.passed() { "success" } else { "failure" };
    assert_eq!(stage.word(stage.head()).as_deref(), Some(word));
    for name in failing.iter().filter(|name| expected.split(' ').any(|it| it == **name)) {
        let line = format!("{name}: `/bin/sh -c 'echo {name} >> ");
        assert!(stage.log().iter().any(|it| it.starts_with(&line)), "{:?}", stage.log());
    }
}

#[test]
fn hooks_come_in_order_and_only_phases_and_before_hooks_decide() {
    let green = "before_build build after_build_success after_build before_test test \
                 after_test_success after_test after_all";
    check_order(&[], green, Outcome::Success);
    for hook in ["after_build_success", "after_build", "after_test_success", "after_test"] {
        check_order(&[hook], green, Outcome::Success);
    }
    check_order(&["after_all", "after_test_failure"], green, Outcome::Success);
    check_order(&["before_build"], "before_build after_all", Outcome::Failure);
    let red_build = "before_build build after_build_failure after_build after_all";
    check_order(&["build"], red_build, Outcome::Failure);
    check_order(&["build", "after_build_failure", "after_all"], red_build, Outcome::Failure);
    let halted = "before_build build after_build_success after_build before_test after_all";
    check_order(&["before_test"], halted, Outcome::Failure);
    let red_test = "before_build build after_build_success after_build before_test test \
                    after_test_failure after_test after_all";
    check_order(&["test"], red_test, Outcome::Failure);
}

#[test]
fn what_a_config_leaves_out_passes() {
    for (config, expected) in [
        ("test: echo test >> @/trace\n", "test"),
        ("build: echo build >> @/trace\n", "build"),
        ("hooks:\n  after_all: echo after_all >> @/trace\n", "after_all"),
    ] {
        let stage = Stage::with(config);
        assert_eq!(stage.run().outcome(), Outcome::Success);
        assert_eq!(stage.trace(), [expected]);
    }
}

#[test]
fn an_invalid_config_is_red_and_says_where() {
    let stage = Stage::with("build: echo one\ntest: 5\nhooks:\n  after_all: touch @/trace\n");
    let ran = stage.run();
    assert_eq!(ran.outcome(), Outcome::Failure);
    let reason = ran.record().reason.clone().unwrap();
    assert!(reason.starts_with(".tinyci.yml:2:7: expected a command"), "{reason}");
    assert_eq!(ran.record().config_format, None);
    assert_eq!(stage.log().last(), Some(&reason));
    assert_eq!(stage.word(stage.head()).as_deref(), Some("failure"));
    assert!(stage.path("trace").exists(), "what cleans up is valid");
}

#[test]
fn what_a_config_says_in_vain_is_warned_of() {
    let stage = Stage::with("build: \"true\"\nrelease: now\n");
    let ran = stage.run();
    assert_eq!(ran.outcome(), Outcome::Success);
    let [warning] = ran.warnings().try_into().unwrap();
    assert!(warning.starts_with(".tinyci.yml:2:1: `release` is not a key"), "{warning}");
    assert!(stage.log().contains(&format!("warning: {warning}")));
}

#[test]
fn a_command_gets_the_facts_of_its_commit() {
    let stage = Stage::with("build: env > @/env; pwd > @/cwd; wc -c > @/stdin\n");
    let id = stage.head();
    assert_eq!(stage.run().outcome(), Outcome::Success);
    let (target, env) = (stage.build_dir(id), stage.read("env"));
    let export = target.join("export").display().to_string();
    let run = env.lines().find_map(|line| line.strip_prefix("TINYCI_JOB_ID=")).unwrap();
    for (name, value) in [
        ("CI", "true"),
        ("TINYCI", "1"),
        ("TINYCI_COMMIT", &id.to_string()),
        ("TINYCI_SHORT", &id.short()),
        ("TINYCI_TREE", &stage.repo.git(&["rev-parse", "HEAD^{tree}"])),
        ("TINYCI_BRANCH", "main"),
        ("TINYCI_SUBJECT", "config"),
        ("TINYCI_MESSAGE", "config"),
        ("TINYCI_AUTHOR", "Ada <ada@example.org>"),
        ("TINYCI_TIME", &stage.repo.git(&["show", "-s", "--format=%ct"])),
        ("TINYCI_EXPORT", &export),
        ("TINYCI_TARGET", &target.display().to_string()),
        ("TINYCI_STEP", "build"),
        ("TINYCI_REPO", &stage.repo.path().display().to_string()),
        ("TINYCI_JOB_ID", run),
    ] {
        assert!(env.lines().any(|line| line == format!("{name}={value}")), "{name}: {env}");
    }
    assert_eq!(stage.read("cwd").trim_end(), export);
    assert_eq!(stage.read("stdin").trim(), "0", "standard input is empty");
}

#[test]
fn a_build_does_not_find_the_repository_it_lies_in() {
    let stage = Stage::new();
    stage.repo.write("deep/down/file", "");
    stage.commit(
        "build: |\n  for dir in . deep/down; do\n    if git -C $dir rev-parse --git-dir; then exit \
         1; fi\n  done\n  git init -q deep && git -C deep rev-parse --git-dir\n",
    );
    let ran = stage.run();
    assert_eq!(ran.outcome(), Outcome::Success, "{}", ran.text());
}

#[test]
fn the_map_form_sets_env_and_cwd() {
    let stage = Stage::new();
    stage.repo.write("docs/page", "");
    stage.commit(
        "build:\n  run:\n    - pwd > @/cwd\n    - printf '%s %s' \"$NAME\" \"$CI\" > @/env\n  env: \
         {NAME: 'of <%= short %>', CI: 'no'}\n  cwd: docs\n",
    );
    let id = stage.head();
    assert_eq!(stage.run().outcome(), Outcome::Success);
    assert_eq!(stage.read("env"), format!("of {} no", id.short()), "a step's env wins");
    let docs = stage.build_dir(id).join("export/docs");
    assert_eq!(stage.read("cwd").trim_end(), docs.display().to_string());
}

#[test]
fn a_directory_that_is_not_there_or_outside_fails_the_step() {
    let stage = Stage::with("build: {run: 'true', cwd: missing}\n");
    let ran = stage.run();
    assert_eq!(ran.outcome(), Outcome::Failure);
    assert!(ran.text().contains("missing"), "{}", ran.text());

    let stage = Stage::with("build: {run: touch @/trace, cwd: 'x/<%= up %>'}\n");
    let engine = stage.builder().var("up", "../../../..").open().unwrap();
    let ran = Ran::of(&engine, &Selection::pending());
    assert_eq!(ran.outcome(), Outcome::Failure);
    assert!(ran.step_error("build").contains("outside"));
    assert!(!stage.path("trace").exists());
}

#[test]
fn tags_are_filled_in_and_nothing_else_is_touched() {
    let stage = Stage::with(
        "build: |\n  echo '<%= commit %> <%= short %> <%= export %> <%= target %> <%= branch %>'\n  \
         printf '%s\\n' 'it''s 100% $HOME <%% café' | sed \"s/it/that/\"\n",
    );
    let (id, target) = (stage.head(), stage.build_dir(stage.head()));
    let ran = stage.run();
    let export = target.join("export");
    let first = format!("{id} {} {} {} main\n", id.short(), export.display(), target.display());
    assert_eq!(ran.text(), format!("{first}thats 100% $HOME <% café\n"));
}

/// A config that must not get to run its command, and what the step says.
#[track_caller]
fn check_refused(command: &str, expected: &str) {
    let stage = Stage::with(&format!(
        "build: {command}\nhooks:\n  after_build_failure: echo failed >> @/trace\n"
    ));
    stage.repo.git(&["checkout", "-q", "-b", "x;touch${IFS}pwned"]);
    stage.repo.git(&["branch", "-D", "main"]);
    let ran = stage.run();
    assert_eq!(ran.outcome(), Outcome::Failure);
    let error = ran.step_error("build");
    assert!(error.starts_with(".tinyci.yml:1:") && error.contains(expected), "{error}");
    assert!(ran.record().step(tinyci::pipeline::Phase::Build).unwrap().commands.is_empty());
    assert_eq!(stage.trace(), ["failed"], "a refused command fails its step as any other");
    assert!(stage.log().iter().any(|line| *line == format!("build: {error}")));
}

#[test]
fn a_tag_that_cannot_be_filled_in_stops_the_command() {
    check_refused("rm -rf <%= exprot %>/x", "did you mean `export`?");
    check_refused("echo <%= branch %> && touch @/trace", r#""$TINYCI_BRANCH""#);
    check_refused("echo <%= `id` %>", "cannot run Ruby code");
}

#[test]
fn a_hostile_branch_name_is_only_text_in_the_environment() {
    let stage = Stage::with("build: printf '%s' \"$TINYCI_BRANCH\" > @/branch\n");
    let name = "x;touch${IFS}pwned";
    stage.repo.git(&["checkout", "-q", "-b", name]);
    stage.repo.git(&["branch", "-D", "main"]);
    assert_eq!(stage.run().outcome(), Outcome::Success);
    assert_eq!(stage.read("branch"), name);
}

#[test]
fn a_retry_makes_a_new_export_and_appends_to_the_log() {
    let stage = Stage::with("build: test ! -e left && touch left\n");
    let id = stage.head();
    let engine = stage.engine();
    assert_eq!(Ran::of(&engine, &Selection::pending()).outcome(), Outcome::Success);
    let again = Ran::of(&engine, &Selection::revision("HEAD").retry(true));
    assert_eq!(again.outcome(), Outcome::Success, "the export is clean");
    let commits = stage.log_of(id).into_iter().filter(|line| line.starts_with("Commit: "));
    assert_eq!(commits.count(), 2);
}

#[test]
fn an_engine_can_be_shared_among_threads() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    shared::<Engine>();
}

#[test]
fn engines_on_two_repositories_do_not_meet() {
    let [one, two] = [(), ()].map(|()| Stage::new());
    // Each build ends only once the other one runs.
    one.commit(&format!(
        "build: touch @/up; until [ -e {} ]; do sleep 0.01; done\n",
        two.path("up").display()
    ));
    two.commit(&format!(
        "build: touch @/up; until [ -e {} ]; do sleep 0.01; done\n",
        one.path("up").display()
    ));
    let outcomes = std::thread::scope(|scope| {
        let runs = [&one, &two].map(|stage| scope.spawn(|| stage.run().outcome()));
        runs.map(|run| run.join().unwrap())
    });
    assert_eq!(outcomes, [Outcome::Success; 2]);
    for stage in [one, two] {
        assert!(fs::exists(stage.build_dir(stage.head())).unwrap());
    }
}
