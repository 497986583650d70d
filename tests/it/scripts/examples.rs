//! The scripts in `examples/`, run as they stand with programs that write down how they are called.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use tinyci::{
    CancelToken, Engine, Format, Outcome, Record, Selection,
    deploy::{DeployOutcome, DeployRequest, Deployment},
};

use crate::support::TestRepo;

fn example(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    fs::read_to_string(path).unwrap()
}

/// A repository, and a folder of programs that record their calls.
struct Stage {
    repo: TestRepo,
    bin: PathBuf,
}

impl Stage {
    fn new(script: &str, programs: &[&str]) -> Self {
        let repo = TestRepo::new();
        repo.write(".tinyci.rhai", example(script));
        let bin = repo.outside().join("bin");
        fs::create_dir(&bin).unwrap();
        let stage = Self { repo, bin };
        for program in programs {
            stage.program(program);
        }
        stage
    }

    /// Writes its name, `VERSION`, `DB`, its arguments and what a password is read from down, and
    /// fails at the call whose number the file `fail` holds.
    fn program(&self, name: &str) {
        let calls = self.repo.outside().join("calls");
        let (calls, fail) = (calls.display(), self.repo.outside().join("fail"));
        let text = format!(
            "#!/bin/sh\necho \"${{VERSION:+$VERSION }}${{DB:+$DB }}{name} $*\" >> {calls}\n\
             case \"$*\" in *--password-stdin*) cat > {}/password;; esac\n\
             test \"$(wc -l < {calls})\" != \"$(cat {} 2>/dev/null)\"\n",
            self.repo.outside().display(),
            fail.display()
        );
        let path = self.bin.join(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn engine(&self) -> Engine {
        let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap());
        let engine = Engine::builder(self.repo.path())
            .env("PATH", path)
            .secrets(|name, _| Ok(Some(format!("the {name}").into_bytes())));
        engine.open().unwrap()
    }

    /// What was called since it was asked last.
    fn calls(&self) -> Vec<String> {
        let path = self.repo.outside().join("calls");
        let calls = fs::read_to_string(&path).unwrap_or_default();
        let _ = fs::remove_file(path);
        calls.lines().map(str::to_owned).collect()
    }

    fn run(&self) -> (Record, Vec<String>) {
        let engine = self.engine();
        let again = self.repo.verdict("HEAD").is_some();
        let selection = Selection::revision("HEAD").retry(again).replace_live(again);
        let summary = engine.run(&selection, &CancelToken::new(), &mut |_: &_| ()).unwrap();
        let record = summary.records.into_iter().next().unwrap();
        (record, self.calls())
    }

    fn deploy(&self) -> (Deployment, Vec<String>) {
        let engine = self.engine();
        let (cancel, newest) = (CancelToken::new(), DeployRequest::newest());
        let deployment = engine.deploy("production", newest, &cancel, &mut |_: &_| ()).unwrap();
        (deployment, self.calls())
    }
}

#[test]
fn nothing_is_wrong_with_any_of_them_nor_with_the_script_of_this_repository() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut scripts = vec![root.join(".tinyci.rhai")];
    let examples = fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path());
    scripts.extend(examples.filter(|path| path.extension().is_some_and(|it| it == "rhai")));
    assert!(scripts.len() > 5);
    for path in scripts {
        let (folder, name) = (path.parent().unwrap(), path.file_name().unwrap().to_str().unwrap());
        let text = fs::read(&path).unwrap();
        let report = tinyci::check::Checker::new(folder).check(text, Format::Rhai, name).unwrap();
        assert!(report.is_valid(), "{}: {:?}", path.display(), report.problems);
    }
}

#[test]
fn this_repository_is_not_built_for_its_licence() {
    let stage = Stage::new("../.tinyci.rhai", &["cargo"]);
    let checks = stage.repo.path().join(".ci/run");
    stage.repo.write(".ci/run", "#!/bin/sh\n");
    fs::set_permissions(&checks, fs::Permissions::from_mode(0o755)).unwrap();
    stage.repo.commit("first");
    let (record, calls) = stage.run();
    assert_eq!(
        (record.outcome, calls),
        (Outcome::Success, vec!["cargo build --all-targets".into()])
    );
    for (file, outcome) in [
        ("LICENSE-MIT", Outcome::Skipped),
        ("ARCHITECTURE.md", Outcome::Skipped),
        ("src/a/b.rs", Outcome::Success),
        ("README.md", Outcome::Success),
    ] {
        stage.repo.write(file, "changed");
        stage.repo.commit(file);
        assert_eq!(stage.run().0.outcome, outcome, "{file}");
    }
}

#[test]
fn the_smallest_script() {
    let stage = Stage::new("minimal.rhai", &[]);
    for name in ["build.sh", "test.sh"] {
        stage.repo.write(name, "#!/bin/sh\n");
        let path = stage.repo.path().join(name);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    stage.repo.commit("minimal");
    let (record, _) = stage.run();
    assert_eq!(record.outcome, Outcome::Success, "{record:?}");
}

#[test]
fn docker_compose_argument_by_argument_and_failing_at_each_call() {
    let stage = Stage::new("docker-compose.rhai", &["docker", "docker-compose"]);
    let id = stage.repo.commit("Deploy me");
    let build = format!("{id} docker-compose build --force-rm test");
    let test = format!("{id} docker-compose run --rm test");
    let down = format!("{id} docker-compose down");
    let app = format!("{id} docker-compose build app");
    let rmi = format!("docker rmi fml:{id}-test");
    let (record, calls) = stage.run();
    assert_eq!(record.outcome, Outcome::Success, "{record:?}");
    assert_eq!(calls, [&build, &test, &down, &app, &rmi].map(String::as_str));
    assert_eq!(record.remembered["image"].as_str(), Some(&*format!("fml:{id}")));
    let cases = [
        (1, Outcome::Failure, vec![&build, &rmi]),
        (2, Outcome::Failure, vec![&build, &test, &down, &rmi]),
        (3, Outcome::Failure, vec![&build, &test, &down, &rmi]),
        (4, Outcome::Success, vec![&build, &test, &down, &app, &rmi]),
        (5, Outcome::Success, vec![&build, &test, &down, &app, &rmi]),
    ];
    for (failing, outcome, expected) in cases {
        fs::write(stage.repo.outside().join("fail"), failing.to_string()).unwrap();
        let (record, calls) = stage.run();
        assert_eq!(record.outcome, outcome, "call {failing} failed: {record:?}");
        assert_eq!(calls.iter().collect::<Vec<_>>(), expected, "call {failing} failed");
        assert_eq!(record.remembered.is_empty(), failing < 5, "call {failing} failed");
    }
}

#[test]
fn docker_is_deployed_once_approved_whichever_call_fails() {
    let stage = Stage::new("docker-compose.rhai", &["docker", "docker-compose", "systemctl"]);
    stage.repo.git(&["branch", "-m", "master"]);
    stage.repo.git(&["config", "tinyci.secretRefs", "refs/heads/master"]);
    stage.repo.git(&["config", "user.name", "Grace"]);
    stage.repo.git(&["config", "user.email", "grace@example.org"]);
    let id = stage.repo.commit("Deploy me");
    assert_eq!(stage.run().0.outcome, Outcome::Success);
    let (waiting, calls) = stage.deploy();
    assert_eq!((waiting.outcome, calls.len()), (DeployOutcome::AwaitingApproval, 0));
    let question = format!("Tag {} \"Deploy me\" as production?", &id[..7]);
    assert!(waiting.reason.unwrap().ends_with(&question));

    stage.engine().approve("production", &id).unwrap();
    let login = "docker login --password-stdin -u ci".to_owned();
    let tag = format!("docker tag fml:{id} fml:production");
    let push = "docker push fml:production".to_owned();
    let restart = "systemctl --user restart fml".to_owned();
    let whole = vec![login.clone(), tag.clone(), push.clone(), restart.clone()];
    let cases = [
        (0, DeployOutcome::Success, whole.clone()),
        (1, DeployOutcome::Failure, vec![login.clone()]),
        (2, DeployOutcome::Failure, vec![login.clone(), tag.clone()]),
        (3, DeployOutcome::Success, vec![login, tag, push.clone(), push, restart]),
        (4, DeployOutcome::Failure, whole),
    ];
    let password = stage.repo.outside().join("password");
    for (failing, outcome, expected) in cases {
        fs::write(stage.repo.outside().join("fail"), failing.to_string()).unwrap();
        let (deployment, calls) = stage.deploy();
        assert_eq!(deployment.outcome, outcome, "call {failing} failed: {deployment:?}");
        assert_eq!(calls, expected, "call {failing} failed");
        assert_eq!(fs::read_to_string(&password).unwrap(), "the REGISTRY_TOKEN");
        fs::remove_file(&password).unwrap();
    }
    let deployed = stage.engine().deployed("production").unwrap().unwrap();
    assert_eq!(deployed.approved_by.as_deref(), Some("Grace <grace@example.org>"));
}

#[test]
fn a_monorepo_decides_by_what_changed_since_the_last_green_commit() {
    let stage = Stage::new("monorepo.rhai", &["go", "make"]);
    stage.repo.write("ci/go.rhai", example("ci/go.rhai"));
    for name in ["api", "web", "worker"] {
        stage.repo.write(&format!("services/{name}/main.go"), "1");
    }
    stage.repo.commit("first");
    let (record, mut calls) = stage.run();
    assert_eq!(record.outcome, Outcome::Success, "{record:?}");
    calls.sort();
    let go = |name: &str| format!("go build -o bin/{name} .");
    let mut expected = vec![go("api"), go("web"), go("worker")];
    for db in ["postgres", "sqlite"] {
        expected.extend((0..3).map(|_| format!("{db} make test")));
    }
    expected.sort();
    assert_eq!(calls, expected);

    stage.repo.write("docs/a.txt", "x");
    stage.repo.write("README.md", "x");
    stage.repo.commit("docs");
    let (record, calls) = stage.run();
    assert_eq!((record.outcome, calls.len()), (Outcome::Success, 0), "nothing of it is untested");

    stage.repo.write("services/web/main.go", "2");
    stage.repo.commit("web");
    let (record, mut calls) = stage.run();
    calls.sort();
    assert_eq!(record.outcome, Outcome::Success);
    assert_eq!(calls, ["go build -o bin/web .", "postgres make test", "sqlite make test"]);
}

#[test]
fn a_rust_project_tests_every_feature_set() {
    let stage = Stage::new("rust-matrix.rhai", &["cargo"]);
    stage.repo.commit("rust");
    let (record, mut calls) = stage.run();
    assert_eq!(record.outcome, Outcome::Success, "{record:?}");
    calls.sort();
    let test = "cargo test --no-default-features --features ";
    let expected = [
        "cargo clippy --all-targets -- -D warnings".to_owned(),
        test.to_owned(),
        format!("{test}serde"),
        format!("{test}serde,cli"),
    ];
    assert_eq!(calls, expected);
}
