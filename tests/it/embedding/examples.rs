//! The examples do what their first lines say.

use std::process::Command;

use crate::support::{TestRepo, succeed};

/// Runs an example through cargo, as its first lines say.
fn example(name: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "run",
        "--quiet",
        "--manifest-path",
        concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
    ]);
    command.args(["--example", name, "--"]);
    command
}

#[test]
fn pending_shows_output_and_verdicts() {
    let repo = TestRepo::new();
    let green = repo.commit_config("build: echo release <%= release %>\ntest: 'true'\n");
    let red = repo.commit_config("test: 'false'\n");
    let output = example("pending").arg(repo.path()).output().expect("the example runs");
    let text = succeed("pending", &output);
    assert!(text.contains("release 42\n"), "{text}");
    assert!(text.contains(&format!("{green} success")), "{text}");
    assert!(text.contains(&format!("{red} failure")), "{text}");
}

#[test]
fn one_liners_ask_and_deploy() {
    let repo = TestRepo::new();
    repo.write(".tinyci.yml", "build: 'true'\ntest: 'true'\ndeploy: echo released\n");
    repo.commit("first");
    let asked = example("one_liners").arg(repo.path()).output().expect("the example runs");
    let text = succeed("one_liners", &asked);
    assert!(text.starts_with("1 pending, 1 jobs\n1 files, steps: build test deploy\n"), "{text}");
    assert!(text.contains("1 step, `make all`\ngreen: none"), "{text}");
    succeed("pending", &example("pending").arg(repo.path()).output().expect("the example runs"));
    let args = [repo.path().to_str().unwrap(), "production"];
    let text = succeed("one_liners", &example("one_liners").args(args).output().unwrap());
    assert!(
        text.starts_with("0 pending, 0 jobs\n") && text.trim_end().ends_with("success"),
        "{text}"
    );
}

#[test]
fn dry_executor_runs_nothing() {
    let repo = TestRepo::new();
    repo.commit_config("build: touch ran\ntest: 'false'\n");
    let output = example("dry_executor").arg(repo.path()).output().expect("the example runs");
    let text = succeed("dry_executor", &output);
    assert!(text.contains("would run /bin/sh -c 'touch ran'"), "{text}");
    assert!(!text.contains("failed"), "{text}");
}

#[cfg(feature = "rhai")]
#[test]
fn a_program_may_use_rhai_and_git2_itself() {
    let repo = TestRepo::new();
    let config = "build: echo <%= program::shout(ctx.short) %>\n";
    repo.write(".tinyci.yml", config);
    let first = repo.commit("Release 1");
    let between = repo.commit("Mend");
    repo.git(&["rm", "-q", ".tinyci.yml"]);
    repo.write(".tinyci.rhai", "fn build(ctx) { print(program::shout(\"two\")); sh(\"exit 1\"); }");
    let second = repo.commit("Release 2");
    let rule = "subject.starts_with(\"Release\") && sh(\"x\") == \"the program's own sh: x\"";
    let output = example("rhai_and_git2").arg(repo.path()).arg(rule).output().unwrap();
    let text = succeed("rhai_and_git2", &output);
    let shouted = first[..7].to_uppercase();
    assert_eq!(text, format!("{shouted}\nTWO\n{first} success\n{second} failure"));
    assert_eq!(repo.verdict(&between), None);

    // The program's limits are its own: tinyci's are five thousand times as high.
    let output = example("rhai_and_git2").arg(repo.path()).arg("loop { }").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && text.contains("TooManyOperations"), "{text}");
}
