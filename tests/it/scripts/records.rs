//! What a record may cost, and that it gives back what a script remembered.

use serde_json::Value;

use crate::support::{TestRepo, program::run};

fn script(text: &str) -> TestRepo {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", text);
    repo.commit("script");
    repo
}

fn note(repo: &TestRepo) -> String {
    repo.git(&["notes", "--ref", "runs/tinyci", "show", "HEAD"])
}

fn build(repo: &TestRepo) -> Value {
    serde_json::from_str::<Value>(note(repo).trim()).unwrap()["steps"][0].take()
}

#[test]
fn many_commands_leave_a_small_record() {
    let many =
        "fn build(ctx) { for i in 0..260 { try_sh([\"test\", i.to_string(), \"!=\", \"150\"]); } }";
    let repo = script(many);
    run(&repo, &["run", "HEAD"]).with_code(0);
    let step = build(&repo);
    assert_eq!(step["omitted_commands"], 59);
    let commands = step["commands"].as_array().unwrap();
    let text = |index: usize| commands[index]["command"].as_str().unwrap();
    assert_eq!(commands.len(), 201);
    assert!(text(0).contains("0 !=") && text(200).contains("259 !="), "{step}");
    assert!(text(100).contains("150 !=") && commands[100]["exit_code"] == 1, "{step}");
    let listed = run(&repo, &["results", "--json"]).out;
    assert!(listed.contains("\"omitted_commands\":59"), "{listed}");
}

#[test]
fn long_commands_of_a_list_share_what_there_is_room_for() {
    let repo = TestRepo::new();
    let command = format!("  - ': {}'\n", "x".repeat(5_000));
    repo.commit_config(&format!("build:\n{}", command.repeat(40)));
    run(&repo, &["run", "HEAD"]).with_code(0);
    let note = note(&repo);
    assert!(note.len() < 64 << 10, "{} bytes", note.len());
    assert_eq!(build(&repo)["commands"].as_array().unwrap().len(), 40);
    assert!(note.contains("bytes in total]"));
}

#[test]
fn many_failures_are_counted() {
    let many = "fn build(ctx) {\n\
                \x20 let tasks = []; for i in 0..140 { tasks += `t${i}`; }\n\
                \x20 parallel(tasks, |task| sh([\"false\", task]));\n}\n";
    let repo = script(many);
    let shown = run(&repo, &["run", "HEAD"]).with_code(1).out;
    assert!(shown.contains("build: and 40 more failures"), "{shown}");
    assert!(shown.contains("140 failures: t0: "), "{shown}");
    let step = build(&repo);
    assert_eq!(step["omitted_failures"], 40);
    assert_eq!(step["failures"].as_array().unwrap().len(), 100);
}

#[test]
fn what_a_record_cannot_keep_is_refused() {
    for (value, told) in [
        ("1.0 / 0.0", "cannot store the number inf"),
        ("[1, #{ a: [0.0 / 0.0] }]", "cannot store the number NaN"),
        ("deep(80)", "more than 64 levels deep"),
        ("timestamp()", "takes"),
        ("blob(3)", "takes"),
        ("|| 1", "takes"),
    ] {
        let repo = script(&format!(
            "fn deep(n) {{ let l = []; for i in 0..n {{ l = [l]; }} l }}\n\
             fn build(ctx) {{ remember(\"i\", {value}); }}\n"
        ));
        let shown = run(&repo, &["run", "HEAD"]).with_code(1).out;
        assert!(shown.contains(told), "{value}: {shown}");
    }
}

#[test]
fn a_deployment_recalls_exactly_what_the_build_remembered() {
    let values = "#{ zero: -0.0, third: 1.0 / 3.0, odd: 2.2250738585072011e-308, big: 9223372036854775807, \
                  small: -9223372036854775807 - 1, whole: 3.0, letter: 'x', none: (), \
                  deep: [[1.5, [true, #{ \"a b\": [] }]]], text: \"\\U0001F600\\n\" }";
    let repo = script(&format!(
        "fn values() {{ {values} }}\n\
         fn build(ctx) {{ remember(\"v\", values()); print(`was ${{recall(\"v\")}}`); }}\n\
         fn deploy(ctx) {{ print(`was ${{recall(\"v\")}}`); }}\n"
    ));
    let line =
        |shown: String| shown.split_once("was ").unwrap().1.lines().next().unwrap().to_owned();
    let built = line(run(&repo, &["run", "HEAD"]).with_code(0).out);
    let deployed = line(run(&repo, &["deploy", "--yes"]).with_code(0).out);
    assert_eq!(built, deployed);
    assert!(built.contains("-0.0") && built.contains("9223372036854775807"), "{built}");
}
