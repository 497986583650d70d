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
fn dry_executor_runs_nothing() {
    let repo = TestRepo::new();
    repo.commit_config("build: touch ran\ntest: 'false'\n");
    let output = example("dry_executor").arg(repo.path()).output().expect("the example runs");
    let text = succeed("dry_executor", &output);
    assert!(text.contains("would run /bin/sh -c 'touch ran'"), "{text}");
    assert!(!text.contains("failed"), "{text}");
}
