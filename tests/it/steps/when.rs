//! The conditions of a whole commit, the tag that a step is for, what hooks behind a phase are told,
//! and the cleaning up after a config that is not valid: in YAML and as a script, really run,
//! planned, and tested.

use tinyci::{
    CancelToken, Engine, Event, EventKind, Outcome, Record, Selection,
    pipeline::Phase,
    plan::{Job, Plan},
    record::{LeftOut, LeftOutBy},
};

use crate::support::TestRepo;

/// What a run of HEAD came to: its record, the output, and what was said of it.
struct Ran {
    record: Record,
    output: String,
    warnings: Vec<String>,
    exported: bool,
}

fn run(repo: &TestRepo, retry: bool) -> Ran {
    let engine = Engine::open(repo.path()).unwrap();
    let (mut output, mut warnings, mut exported) = (String::new(), Vec::new(), false);
    let mut observer = |event: &Event| match &event.kind {
        EventKind::Output { bytes, .. } => output.push_str(&String::from_utf8_lossy(bytes)),
        // What is said of the whole run is about this machine.
        EventKind::Warning { message, .. } if event.meta.commit.is_some() => {
            warnings.push(message.clone())
        }
        EventKind::Exported { .. } => exported = true,
        _ => {}
    };
    let selection = Selection::revision("HEAD").retry(retry);
    let summary = engine.run(&selection, &CancelToken::new(), &mut observer).unwrap();
    let record = summary.records.into_iter().next().unwrap();
    Ran { record, output, warnings, exported }
}

fn plan(repo: &TestRepo, retry: bool) -> (Plan, tinyci::plan::DryRun) {
    let engine = Engine::open(repo.path()).unwrap();
    let plan = engine.plan(&Selection::revision("HEAD").retry(retry)).unwrap();
    let job: &Job = plan.jobs.first().unwrap();
    let dry_run = engine.dry_run_job(job, &[]).unwrap();
    (plan, dry_run)
}

fn left_out(step: Phase, by: LeftOutBy) -> (tinyci::pipeline::StepName, LeftOutBy) {
    (step.into(), by)
}

fn pairs(left_out: &[LeftOut]) -> Vec<(tinyci::pipeline::StepName, LeftOutBy)> {
    left_out.iter().map(|it| (it.step, it.by)).collect()
}

/// The same pipeline in both languages, under these conditions of the whole commit.
fn in_both_languages(when: &str) -> Vec<(&'static str, String)> {
    let yaml = format!(
        "when: {{{when}}}\nbuild: echo build\ntest: echo test\n\
         hooks: {{before_build: echo before, after_all: echo after}}\n"
    );
    let script = format!(
        "const WHEN = #{{{when}}};\n\
         fn before_build() {{ sh(\"echo before\"); }}\nfn build() {{ sh(\"echo build\"); }}\n\
         fn test() {{ sh(\"echo test\"); }}\nfn after_all() {{ sh(\"echo after\"); }}\n"
    );
    let scripts = if cfg!(feature = "rhai") { vec![(".tinyci.rhai", script)] } else { vec![] };
    [vec![(".tinyci.yml", yaml)], scripts].concat()
}

#[test]
fn a_false_condition_of_the_whole_commit_skips_it_before_anything_is_done() {
    for (when, by, why) in [
        (r#""branch": "release/*""#, LeftOutBy::Branch, "it is on branch `main`, not on release/*"),
        (r#""tag": ["v*"]"#, LeftOutBy::Tag, "it has no tag v*"),
        (r#""message": "*[full]*""#, LeftOutBy::Message, "its message does not match *[full]*"),
    ] {
        for (name, config) in in_both_languages(when) {
            let repo = TestRepo::new();
            repo.write(name, &config);
            let commit = repo.commit("config");
            let (plan, dry_run) = plan(&repo, false);
            let ran = run(&repo, false);
            let reason = format!("build and test left out: {why}");
            let phases = [left_out(Phase::Build, by), left_out(Phase::Test, by)];
            assert_eq!(plan.jobs.len(), 1);
            for (outcome, told, found) in [
                (dry_run.outcome, &dry_run.reason, &dry_run.left_out),
                (Some(ran.record.outcome), &ran.record.reason, &ran.record.left_out),
            ] {
                assert_eq!((outcome, told.as_deref()), (Some(Outcome::Skipped), Some(&*reason)));
                assert_eq!(pairs(found), phases);
            }
            assert!(ran.record.steps.is_empty() && dry_run.steps.is_empty(), "no hook runs");
            assert_eq!((ran.output.as_str(), ran.exported), ("", false));
            assert_eq!(repo.verdict(&commit).as_deref(), Some("skipped"));
            assert_eq!(ran.warnings, [""; 0]);
        }
    }
}

#[test]
fn a_condition_of_the_whole_commit_that_holds_changes_nothing() {
    let when = r#""branch": ["ma*", "!main-*"], "tag": "v*", "message": "config""#;
    for (name, config) in in_both_languages(when) {
        let repo = TestRepo::new();
        repo.write(name, &config);
        repo.commit("config");
        repo.git(&["tag", "v1"]);
        assert_eq!(plan(&repo, false).1.outcome, Some(Outcome::Success));
        let ran = run(&repo, false);
        assert_eq!(
            (ran.record.outcome, &*ran.output),
            (Outcome::Success, "before\nbuild\ntest\nafter\n")
        );
    }
}

#[test]
fn a_retry_ignores_the_message_of_a_whole_commit_and_says_so_but_not_its_branch() {
    for (name, config) in in_both_languages(r#""message": "*[full]*""#) {
        let repo = TestRepo::new();
        repo.write(name, &config);
        repo.commit("config");
        assert_eq!(run(&repo, false).record.outcome, Outcome::Skipped);
        let said = "the commit runs despite its condition (its message does not match *[full]*): a \
                    retry ignores `message`";
        let (_, dry_run) = plan(&repo, true);
        assert_eq!(dry_run.outcome, Some(Outcome::Success));
        let acts = dry_run.steps.iter().flat_map(|step| &step.actions);
        assert_eq!(acts.filter(|act| act.to_string() == said).count(), 1, "{dry_run:?}");
        let ran = run(&repo, true);
        assert_eq!((ran.record.outcome, ran.warnings), (Outcome::Success, vec![said.to_owned()]));

        repo.commit("more [full]");
        assert_eq!(run(&repo, false).record.outcome, Outcome::Success);
        assert_eq!(run(&repo, true).warnings, [""; 0], "it would not have left anything out");
    }
    let both = r#""message": "*[full]*", "branch": "other""#;
    for (name, config) in in_both_languages(both) {
        let repo = TestRepo::new();
        repo.write(name, &config);
        repo.commit("config");
        run(&repo, false);
        let ran = run(&repo, true);
        assert_eq!((ran.record.outcome, ran.warnings.len()), (Outcome::Skipped, 0));
        assert_eq!(ran.record.left_out[0].by, LeftOutBy::Branch);
    }
}

#[test]
fn a_retry_says_of_each_step_once_what_it_ignores() {
    let mut configs = vec![(
        ".tinyci.yml",
        "build: {run: echo b, when: {changed: src/**}}\n\
         test: {run: echo t, when: {message: '*[full]*', branch: main}}\n\
         hooks: {before_build: echo before, after_all: {run: echo a, when: {tag: v*}}}\n",
    )];
    if cfg!(feature = "rhai") {
        configs.push((
            ".tinyci.rhai",
            "fn before_build(ctx) { sh(\"echo before\"); }\n\
             fn build(ctx) { if !ctx.changed([\"src/**\"]) { return; }\n\
             if !ctx.changed([\"src/**\"]) { return; } sh(\"echo b\"); }\n\
             fn test(ctx) { sh(\"echo t\"); }\n",
        ));
    }
    for (name, config) in configs {
        let repo = TestRepo::new();
        repo.write("src/a", "1");
        repo.write(name, config);
        repo.commit("config [full]");
        assert_eq!(run(&repo, false).record.outcome, Outcome::Success);
        repo.write("README", "1");
        repo.commit("more");
        run(&repo, false);
        let (_, dry_run) = plan(&repo, true);
        let ran = run(&repo, true);
        let build = "`build` runs despite its condition (no changes in src/** since the nearest \
                     green ancestor): a retry ignores `changed`";
        let test = "`test` runs despite its condition (its message does not match *[full]*): a \
                    retry ignores `message`";
        let expected = if name.ends_with("yml") { vec![build, test] } else { vec![build] };
        assert_eq!(ran.warnings, expected);
        assert_eq!((ran.record.outcome, &*ran.output), (Outcome::Success, "before\nb\nt\n"));
        let notes: Vec<String> =
            dry_run.steps.iter().flat_map(|it| &it.actions).map(ToString::to_string).collect();
        assert!(
            expected.iter().all(|it| notes.iter().filter(|note| note == it).count() == 1),
            "{notes:?}"
        );
        assert_eq!(ran.record.left_out, []);
    }
}

/// What a config says that shows the tag of each step.
const SHOW: &str = "echo ${TINYCI_TAG-none} [$TINYCI_TAGS]";

#[test]
fn a_step_is_for_the_newest_tag_that_its_conditions_ask_for() {
    let repo = TestRepo::new();
    repo.commit_config(&format!(
        "when: {{tag: '*'}}\n\
         build: {{run: 'echo <%= tag %> {SHOW}', when: {{tag: ['v*', '!v2*']}}}}\n\
         test: {SHOW}\n\
         hooks:\n  after_build: {SHOW}\n  after_test: {{run: '{SHOW}', when: {{tag: n*}}}}\n  \
         after_all: {SHOW}\n"
    ));
    for tag in ["v1.9", "v1.10", "v1.10-rc1", "v2", "nightly", "w1"] {
        repo.git(&["tag", tag]);
    }
    let ran = run(&repo, false);
    let all = "[nightly v1.10 v1.10-rc1 v1.9 v2 w1]";
    let expected = format!("v1.10 {SHOW}\nv1.10 {all}\nw1 {all}\nnightly {all}\nw1 {all}\n");
    let expected = expected.replace(&format!("v1.10 {SHOW}"), &format!("v1.10 echo v1.10 {all}"));
    assert_eq!(ran.output, expected, "{:?}", ran.record);
}

#[test]
fn a_step_without_a_tag_has_the_variable_of_all_and_fails_where_it_names_one() {
    let repo = TestRepo::new();
    repo.commit_config(&format!("build: {SHOW}\ntest: echo <%= tag %>\n"));
    let ran = run(&repo, false);
    assert_eq!((ran.record.outcome, &*ran.output), (Outcome::Failure, "none []\n"));
    let error = ran.record.step(Phase::Test).unwrap().error.clone().unwrap();
    assert!(error.contains("the placeholder `tag` has no value"), "{error}");

    // A tag that nothing asks for gives no value either.
    repo.commit("tagged");
    repo.git(&["tag", "v1"]);
    let ran = run(&repo, false);
    assert_eq!((ran.record.outcome, &*ran.output), (Outcome::Failure, "none [v1]\n"));
}

#[cfg(feature = "rhai")]
#[test]
fn a_script_asks_for_tags_by_name() {
    let repo = TestRepo::new();
    repo.write(
        ".tinyci.rhai",
        "const WHEN = #{ tag: \"v*\" };\nfn build(ctx) {\n  \
         print(`${ctx.tag} ${ctx.newest_tag(\"w*\")} ${ctx.newest_tag([\"v*\", \"!v1.10\"])}`);\n  \
         print(`${ctx.newest_tag(\"x*\") ?? \"no x\"} ${env(\"TINYCI_TAG\")}`);\n  \
         sh(\"echo <%= tag %> <%= ctx.tag %> $TINYCI_TAGS\");\n}\n",
    );
    repo.commit("script");
    for tag in ["v1.9", "v1.10", "w1"] {
        repo.git(&["tag", tag]);
    }
    let ran = run(&repo, false);
    let expected = "v1.10 w1 v1.9\nno x v1.10\nv1.10 v1.10 v1.10 v1.9 w1\n";
    assert_eq!(ran.output, expected, "{:?}", ran.record);
    assert!(ran.record.asked_for_ref);
}

#[test]
fn hooks_behind_a_phase_know_the_outcome_so_far_and_that_of_the_parent() {
    let show = "echo $TINYCI_STEP ${TINYCI_OUTCOME-none} ${TINYCI_PREVIOUS-none}";
    let config = |test: &str| {
        format!(
            "build: {show}\ntest: {test}\nhooks:\n  before_build: {show}\n  after_build_success: {show}\n  \
             after_build: {show}\n  before_test: {show}\n  after_test_success: {show}\n  \
             after_test_failure: {show}\n  after_test: {show}\n  after_all: {show}\n"
        )
    };
    let repo = TestRepo::new();
    repo.commit_config(&config("'true'"));
    let first = "before_build none none\nbuild none none\nafter_build_success success none\n\
                 after_build success none\nbefore_test none none\nafter_test_success success none\n\
                 after_test success none\nafter_all success none\n";
    assert_eq!(run(&repo, false).output, first);
    repo.commit_config(&config("'false'"));
    let second = "before_build none none\nbuild none none\nafter_build_success success success\n\
                  after_build success success\nbefore_test none none\n\
                  after_test_failure failure success\nafter_test failure success\n\
                  after_all failure success\n";
    assert_eq!(run(&repo, false).output, second);
    repo.commit_config(&format!(
        "build: {{run: 'true', when: {{branch: x}}}}\nhooks:\n  after_all: {show}\n"
    ));
    assert_eq!(run(&repo, false).output, "after_all skipped failure\n");
}

#[test]
fn after_all_runs_though_the_rest_of_the_config_is_not_valid() {
    let show = "echo cleaned $TINYCI_OUTCOME; pwd; ls";
    for (config, says) in [
        (format!("build: 5\nhooks: {{after_all: {show}}}\n"), "expected a command"),
        (format!("build: x\ntest: {{runs: x}}\nhooks: {{after_all: [{show}]}}\n"), "`run`"),
        (
            format!(
                "when: {{changed: x}}\nbuild: x\nhooks:\n  after_all: {show}\n  before_build:\n"
            ),
            "`changed` is a condition of a step",
        ),
        (
            format!(
                "hooker:\n  class: ScriptHooker\n  config: {{after_all: {show}}}\nbuild: {{}}\n"
            ),
            "`run` is missing",
        ),
    ] {
        let repo = TestRepo::new();
        let commit = repo.commit_config(&config);
        let (_, dry_run) = plan(&repo, false);
        let steps: Vec<_> = dry_run.steps.iter().map(|it| it.name.as_str()).collect();
        assert_eq!((dry_run.outcome, &*steps), (Some(Outcome::Failure), &["after_all"][..]));
        assert!(dry_run.reason.unwrap().contains(says), "{config}");
        let ran = run(&repo, false);
        assert_eq!(ran.record.outcome, Outcome::Failure);
        assert!(ran.record.reason.as_deref().unwrap().contains(says), "{:?}", ran.record);
        assert!(ran.output.starts_with("cleaned failure\n"), "{}", ran.output);
        assert!(ran.output.contains("/export"), "{}", ran.output);
        assert_eq!(repo.verdict(&commit).as_deref(), Some("failure"));
        let ran: Vec<_> = ran.record.steps.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(ran, ["after_all"]);
    }
}

#[test]
fn of_a_config_whose_after_all_is_not_valid_either_nothing_runs() {
    for config in [
        "build: 5\n",
        "build: 5\nhooks: {after_all: 7}\n",
        "build: 5\nhooks: {after_al: echo x}\n",
        "build: 'x\nhooks: {after_all: echo x}\n",
    ] {
        let repo = TestRepo::new();
        repo.commit_config(config);
        let ran = run(&repo, false);
        assert_eq!((ran.record.outcome, &*ran.output), (Outcome::Failure, ""), "{config}");
        assert!(!ran.exported && ran.record.steps.is_empty());
        assert!(Engine::open(repo.path()).unwrap().dry_run("HEAD", &[]).is_err(), "{config}");
    }
}

#[test]
fn what_a_whole_commit_cannot_be_asked_is_an_error_with_its_place() {
    for (config, says) in [
        ("when: {changed: src/**}\nbuild: x\n", "1:8: `changed` is a condition of a step"),
        (
            "build: x\nwhen:\n  brnch: x\n",
            "3:3: `brnch` is not a condition; did you mean `branch`?",
        ),
        ("build: x\nwhen: main\n", "2:7: expected a map of conditions"),
        ("build: x\nwhen: {branch: []}\n", "2:16: expected a glob or an array of globs"),
    ] {
        let error = tinyci::Pipeline::parse(config, tinyci::Format::Yaml, "c").unwrap_err();
        assert!(error.to_string().starts_with(&format!("c:{says}")), "{error}");
    }
}

#[cfg(feature = "rhai")]
#[test]
fn what_a_script_cannot_ask_of_a_whole_commit_is_an_error_with_its_place() {
    for (constant, says) in [
        ("#{ changed: \"src/**\" }", "takes no `changed`, which is a condition of a step"),
        ("#{ brnch: \"x\" }", "not `brnch`; did you mean `branch`?"),
        ("#{}", "a literal map of conditions"),
        ("\"main\"", "a literal map of conditions"),
        ("#{ branch: [] }", "a glob or an array of globs for `branch`"),
        ("#{ branch: 1 + 1 }", "a literal map"),
    ] {
        let script = format!("const WHEN = {constant};\nfn build() {{ }}\n");
        let error = tinyci::Pipeline::parse(script, tinyci::Format::Rhai, "s").unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert_eq!(error.position().unwrap().line, 1, "{error}");
    }
}

#[cfg(feature = "rhai")]
#[test]
fn a_pipeline_test_sees_what_a_run_would_do() {
    let repo = TestRepo::new();
    repo.write(
        ".tinyci.rhai",
        "const WHEN = #{ branch: [\"main\", \"release/*\"], message: \"!*[wip]*\" };\n\
         fn build(ctx) { if !ctx.changed(\"src/**\") { return; } sh(\"make\"); }\n\
         fn test(ctx) { sh(\"make test\"); }\n\
         fn after_test(ctx) { print(env(\"TINYCI_OUTCOME\") + env(\"TINYCI_PREVIOUS\", \" none\")); }\n",
    );
    repo.write(
        ".tinyci.test.rhai",
        r#"fn test_topic(t) {
    let result = t.run(#{ branch: "topic" });
    t.expect_outcome(result, "skipped");
    t.expect_equal(result.commands, []);
    t.expect_equal(result.reason, "build and test left out: it is on branch `topic`, not on main, release/*");
}
fn test_wip(t) {
    t.expect_outcome(t.run(#{ message: "x [wip]" }), "skipped");
    let retried = t.run(#{ message: "x [wip]", trigger: "retry", changes: ["README"], previous: "failure" });
    t.expect_outcome(retried, "success");
    t.expect_equal(retried.commands, ["make", "make test"]);
    t.expect_equal(retried.output, ["successfailure"]);
    t.expect_equal(retried.warnings, [
        "the commit runs despite its condition (its message does not match !*[wip]*): a retry ignores `message`",
        "`build` runs despite its condition (no changes in src/** since the nearest green ancestor): a retry ignores `changed`",
    ]);
}
fn test_main(t) {
    let result = t.run(#{ branch: "release/1", changes: ["README"] });
    t.expect_outcome(result, "success");
    t.expect_equal(result.commands, ["make test"]);
}
fn test_hook(t) {
    t.expect_equal(t.after_test(#{ result: #{ build: "success", test: "timed_out" } }).output, ["timed_out none"]);
}
"#,
    );
    repo.commit("with tests");
    let engine = Engine::open(repo.path()).unwrap();
    let report = engine.test_pipeline(&tinyci::script::TestOptions::revision("HEAD")).unwrap();
    for test in &report.tests {
        assert!(test.passed(), "{}: {}", test.name, test.failure.as_ref().unwrap().report());
    }
    assert_eq!(report.tests.len(), 4);
}
