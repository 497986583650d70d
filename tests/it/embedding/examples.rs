//! The examples do what their first lines say.

use std::{
    fs::{self, File},
    process::{Child, Command},
};

use crate::support::{TestRepo, eventually, succeed};

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

/// A service that a failed test must not leave behind.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_service_on_tokio_tests_what_is_pending_until_ctrl_c() {
    let repo = TestRepo::new();
    let first = repo.commit_config("build: echo <%= release %>\nhooks: {after_all: echo tidied}\n");
    let build = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--example", "tokio"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output();
    succeed("cargo build", &build.unwrap());
    let shown = repo.outside().join("shown");
    let output = File::create(&shown).unwrap();
    let mut service = Service(example("tokio").arg(repo.path()).stdout(output).spawn().unwrap());
    let shows = |text: &str| fs::read_to_string(&shown).unwrap().contains(text);
    eventually("the first verdict", || shows(&format!("{first} success\n")));
    assert!(shows(&format!("release-{}\n", &first[..7])), "async code answers the hook");

    // A commit that comes while the service runs, and would take longer than the test.
    let config = "build: echo begun; exec sleep 600\nhooks: {after_all: echo tidied}\n";
    let second = repo.commit_config(config);
    eventually("the second commit", || shows("begun\n"));
    let interrupt = Command::new("kill").args(["-INT", &service.0.id().to_string()]).output();
    succeed("kill", &interrupt.unwrap());
    let status = service.0.wait().unwrap();
    let text = fs::read_to_string(&shown).unwrap();
    assert!(status.success(), "{status}: {text}");
    let rest = text.split("begun\n").nth(1).unwrap();
    assert!(rest.contains("\ntidied\n"), "{rest}");
    assert!(rest.ends_with(&format!("\n{second} canceled\nstopped\n")), "{rest}");
}
