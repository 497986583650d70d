//! Every failure of a step is told: in the log, the record, `ctx.failures`, the last line of the run,
//! and where results are listed.

use serde_json::{Value, json};

use crate::support::{TestRepo, program::run};

fn script(text: &str) -> TestRepo {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", text);
    repo.commit("script");
    repo
}

/// The lines that a run showed, without their times.
fn lines(repo: &TestRepo) -> Vec<String> {
    let shown = run(repo, &["run", "HEAD"]).out;
    shown.lines().map(|line| line.split_once("] ").unwrap().1.to_owned()).collect()
}

fn steps(repo: &TestRepo) -> Value {
    let line = run(repo, &["results", "--json"]).out;
    serde_json::from_str::<Value>(&line).unwrap()["steps"].take()
}

const FAILED_TASK: &str =
    "fn test(ctx) {\n  parallel([\"my\", \"pg\"], |db| sh(`test ${db} = pg`));\n}\n";

#[test]
fn a_failure_is_told_with_its_label_and_place() {
    let repo = script(&format!(
        "{FAILED_TASK}fn after_test_failure(ctx) {{\n\
         \x20 for f in ctx.failures {{ print(`${{f.label}}|${{f.place}}|${{f.code}}|${{f.at}}|${{f.message}}`); }}\n\
         \x20 print(ctx.failures.len() == 1 && ctx.failure.label == \"my\");\n}}\n"
    ));
    let shown = lines(&repo);
    let told = "command exited with status 1: test my = pg";
    assert!(shown.contains(&format!("test: my: {told}")), "{shown:#?}");
    assert_eq!(shown.iter().filter(|line| line.contains("exited with")).count(), 3, "{shown:#?}");
    assert!(shown.contains(&format!("my|.tinyci.rhai:2:31|1|test|{told}")), "{shown:#?}");
    assert!(shown.contains(&"true".to_owned()), "{shown:#?}");
    let id = repo.git(&["rev-parse", "HEAD"]);
    assert_eq!(shown.last().unwrap(), &format!("Failed {}: test: my: {told}", id.trim()));

    let failures = json!([{
        "label": "my", "place": ".tinyci.rhai:2:31", "message": told,
        "command": "test my = pg", "exit_code": 1,
    }]);
    assert_eq!(steps(&repo)[0]["failures"], failures);
    let table = run(&repo, &["results"]).out;
    assert!(table.contains(&format!("script (test: my: {told})")), "{table}");
}

#[test]
fn a_line_of_the_script_does_not_stand_for_the_label() {
    let repo = script("fn build(ctx) { parallel(#{ a: || sh(\"exit 3\"), b: || 1 }); }\n");
    let shown = lines(&repo);
    let told = "build: a: command exited with status 3: exit 3".to_owned();
    assert!(shown.contains(&told), "{shown:#?}");
}

#[test]
fn what_a_script_caught_is_no_failure() {
    let repo = script(
        "fn build(ctx) {\n\
         \x20 try { sh(\"exit 3\"); } catch { }\n\
         \x20 let made = try_sh(\"exit 4\");\n\
         \x20 fail(`it ended with ${made.code}`);\n}\n\
         fn after_build_failure(ctx) { print(`of ${ctx.failure.command}`); }\n",
    );
    let shown = lines(&repo);
    assert!(shown.contains(&"build: it ended with 4".to_owned()), "{shown:#?}");
    assert!(shown.contains(&"of it ended with 4".to_owned()), "{shown:#?}");
    assert!(!shown.iter().any(|line| line.contains("failed with")), "{shown:#?}");
    let build = steps(&repo)[0].take();
    assert_eq!(build["failures"].as_array().unwrap().len(), 1, "{build}");
    assert_eq!(build["commands"].as_array().unwrap().len(), 2, "{build}");
}

#[test]
fn an_allowed_code_is_told_as_such_and_a_passing_retry_leaves_no_failure() {
    let repo = script(
        "fn build(ctx) {\n\
         \x20 sh(\"exit 3\", #{ allow: 3 });\n\
         \x20 sh(\"test -e f || { touch f; exit 5; }\", #{ retries: 1, backoff: \"1ms\" });\n}\n",
    );
    let shown = lines(&repo);
    assert!(!shown.iter().any(|line| line.contains("status 3")), "{shown:#?}");
    assert!(shown.last().unwrap().starts_with("Finished"), "{shown:#?}");
    let build = steps(&repo)[0].take();
    assert_eq!(build.get("failures"), None);
    assert_eq!(
        (&build["commands"][0]["exit_code"], &build["commands"][0]["allowed"]),
        (&json!(3), &json!(true))
    );
    assert_eq!(build["commands"][1].get("allowed"), None);
}

#[test]
fn a_limit_names_the_command_that_it_ended() {
    let repo = script(
        "const TIMEOUT = \"200ms\";\nfn build(ctx) { sh(\"echo begun; sleep 30\"); }\n\
         fn after_build_failure(ctx) { print(`${ctx.failure.command}|${ctx.failure.tail.trim()}`); }\n",
    );
    let shown = lines(&repo);
    assert!(shown.iter().any(|line| line.starts_with("echo begun; sleep 30|")), "{shown:#?}");
    let failure = steps(&repo)[0]["failures"][0].take();
    assert_eq!(failure["timed_out"], true, "{failure}");
    assert_eq!(failure["message"], "the time limit of the step `build` has passed");
}

#[test]
fn a_list_of_commands_tells_the_one_that_failed() {
    let repo = TestRepo::new();
    repo.commit_config("build:\n  - echo one\n  - exit 6\n");
    let failures = json!([{
        "message": "command exited with status 6: exit 6", "command": "exit 6", "exit_code": 6,
    }]);
    assert!(lines(&repo).iter().any(|line| line.ends_with("failed with status 6")));
    assert_eq!(steps(&repo)[0]["failures"], failures);
}

#[test]
fn a_failed_deployment_tells_what_failed() {
    let repo = script(
        "fn build(ctx) { }\nfn deploy(ctx) { parallel([\"eu\"], |zone| sh(\"exit 7\")); }\n",
    );
    lines(&repo);
    let said = run(&repo, &["deploy", "--yes"]).with_code(1);
    assert!(said.out.contains("deploy: eu: command exited with status 7"), "{}", said.out);
    let listed = run(&repo, &["deployments", "--json"]).out;
    let deployment: Value = serde_json::from_str(listed.lines().next().unwrap()).unwrap();
    assert_eq!(deployment["failures"][0]["label"], "eu", "{listed}");
}

#[test]
fn a_pipeline_test_sees_all_failures() {
    let repo = script(FAILED_TASK);
    repo.write(
        ".tinyci.test.rhai",
        "fn test_it(t) {\n\
         \x20 t.fake(\"test my*\", 1);\n\
         \x20 let result = t.test();\n\
         \x20 t.expect_equal(result.failures,\n\
         \x20   [\"my: command exited with status 1: test my = pg (.tinyci.rhai:2:31)\"]);\n\
         \x20 let failed = [#{ label: \"a\", command: \"x\", code: 3 }, #{ message: \"y\" }];\n\
         \x20 t.after_test_failure(#{ failures: failed });\n}\n",
    );
    repo.write(
        ".tinyci.rhai",
        format!("{FAILED_TASK}fn after_test_failure(ctx) {{ if ctx.failures[1].message != \"y\" || ctx.failures[0].label != \"a\" {{ fail(\"no\"); }} }}\n"),
    );
    repo.commit("tests");
    run(&repo, &["test-pipeline"]).with_code(0);
}
