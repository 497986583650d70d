//! `kill -9` at every point of a deployment: nothing of it lives on, and it never counts as done.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Stdio},
};

use crate::support::{
    TestRepo, eventually,
    processes::with_command,
    program::{run, tinyci},
    server::Gate,
};

/// A repository with a green commit whose deployment can be held.
struct Victim {
    repo: TestRepo,
    id: String,
    gate: Gate,
}

const REFERENCE: &str = "refs/tinyci/deployments/production";

impl Victim {
    /// `deploy` is what it does; `{gate}` in it holds it.
    fn new(deploy: &str) -> Self {
        Self::with_files(deploy, "build: \"true\"", 0)
    }

    /// The same with another build, and so many files in its commit.
    fn with_files(deploy: &str, build: &str, files: usize) -> Self {
        let repo = TestRepo::new();
        let gate = Gate::new(repo.outside().join("gate"));
        let deploy = deploy.replace("{gate}", &gate.command());
        let around = repo.outside().display().to_string();
        let build = build.replace("{gate}", &gate.command());
        let config = format!("{build}\ndeploy: |\n  {}\n", deploy.replace('@', &around));
        (0..files).for_each(|number| repo.write(&format!("{}/{number}", number % 50), "text\n"));
        let id = repo.commit_config(&config);
        if build.contains(&gate.command()) {
            gate.open();
        }
        run(&repo, &["run", "--all"]).with_code(0);
        Self { repo, id, gate }
    }

    fn start(&self) -> Child {
        let mut command = tinyci(self.repo.path());
        command.args(["deploy", "--yes"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    fn outcomes(&self) -> Vec<String> {
        let said = run(&self.repo, &["deployments", "--json"]).with_code(0);
        let outcome = |line: &str| {
            let json: serde_json::Value = serde_json::from_str(line).unwrap();
            json["outcome"].as_str().unwrap().to_owned()
        };
        said.out.lines().map(outcome).collect()
    }

    fn lock_file(&self) -> PathBuf {
        self.repo.path().join(".git").join(format!("{REFERENCE}.lock"))
    }

    /// It began and has no end: refused until somebody has looked, and then it goes on.
    #[track_caller]
    fn assert_interrupted(&self) {
        assert_eq!(self.outcomes(), ["interrupted"]);
        eventually("the guard lets go of the environment", || {
            let refused = run(&self.repo, &["deploy", "--yes"]).with_code(3);
            assert!(self.outcomes() == ["interrupted"], "{:?}", self.outcomes());
            refused.err.contains("--unlock REASON")
        });
        assert!(run(&self.repo, &["deploy", "--dry-run"]).with_code(0).out.contains("interrupted"));
        self.gate.open();
        let unlocked = ["deploy", "--yes", "--unlock", "nothing of it is there"];
        run(&self.repo, &unlocked).with_code(0);
        assert_eq!(self.outcomes(), ["success", "interrupted"]);
        let table = run(&self.repo, &["deployments"]).with_code(0).out;
        assert!(table.contains("nothing of it is there"), "{table}");
        self.repo.git(&["fsck", "--strict"]);
        let pointer = self.repo.git(&["rev-parse", &format!("{REFERENCE}^2")]);
        assert_eq!(pointer, self.id);
    }
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

fn holds_environment(repo: &TestRepo) -> bool {
    let file = fs::File::open(repo.path().join(".git/tinyci/deploying.production"));
    file.is_ok_and(|file| file.try_lock_shared().is_err())
}

#[test]
fn killed_before_it_is_on_record() {
    let victim = Victim::new("echo deployed");
    let lock = victim.lock_file();
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    let child = victim.start();
    eventually("it waits for the ref", || holds_environment(&victim.repo));
    kill(child);
    fs::remove_file(&lock).unwrap();
    assert_eq!(victim.outcomes(), [""; 0]);
    run(&victim.repo, &["deploy", "--yes"]).with_code(0);
    assert_eq!(victim.outcomes(), ["success"]);
}

#[test]
fn killed_while_it_makes_the_export_again() {
    let victim = Victim::with_files("test -e 49/1999", "test: \"true\"", 2000);
    let builds = victim.repo.path().join("builds");
    let mut names = fs::read_dir(&builds).unwrap().map(|entry| entry.unwrap().path());
    let build = names.find(|path| path.is_dir()).unwrap();
    fs::remove_dir_all(build.join("export")).unwrap();
    let child = victim.start();
    eventually("an export is under way", || {
        fs::read_dir(&build).unwrap().any(|entry| begins(&entry.unwrap()))
    });
    kill(child);
    victim.assert_interrupted();
    let left = fs::read_dir(&build).unwrap().filter(|entry| begins(entry.as_ref().unwrap()));
    assert_eq!(left.count(), 1, "what it left is cleared away, what is live stays");
}

fn begins(entry: &fs::DirEntry) -> bool {
    entry.file_name().to_string_lossy().starts_with("export.")
}

#[test]
fn killed_while_its_build_is_made_again() {
    let victim = Victim::with_files("test -e built", "build: touch built; {gate}", 0);
    fs::remove_dir_all(victim.repo.path().join("builds")).unwrap();
    victim.gate.close(&victim.id);
    let child = victim.start();
    victim.gate.reached_by(&victim.id);
    kill(child);
    assert_eq!(victim.outcomes(), [""; 0], "it had not begun");
    victim.gate.open();
    eventually("the guard lets go of the repository", || {
        run(&victim.repo, &["deploy", "--yes"]).code == Some(0)
    });
    assert_eq!(victim.outcomes(), ["success"]);
    assert_eq!(victim.repo.verdict(&victim.id).as_deref(), Some("success"));
}

#[test]
fn killed_in_the_middle_of_a_command() {
    let victim = Victim::new("[ -e @/gate/open ] || (sleep 600; : @) & {gate}");
    let mark = format!("sleep 600; : {}", victim.repo.outside().display());
    let child = victim.start();
    victim.gate.reached_by(&victim.id);
    assert_eq!(victim.outcomes(), ["running"]);
    kill(child);
    victim.assert_interrupted();
    let strays = with_command(&mark);
    assert!(strays.is_empty(), "{strays:?} live on");
}

#[test]
fn killed_before_its_end_is_on_record() {
    // It locks the ref itself, so that its own end cannot be written.
    let victim = Victim::new("[ -e @/gate/open ] || touch $TINYCI_REPO/.git/LOCK @/done");
    let lock = victim.lock_file();
    let config = fs::read_to_string(victim.repo.path().join(".tinyci.yml")).unwrap();
    let config = config.replace("LOCK", &format!("{REFERENCE}.lock"));
    let id = victim.repo.commit_config(&config);
    run(&victim.repo, &["run", "--all"]).with_code(0);
    let victim = Victim { id, ..victim };
    let child = victim.start();
    eventually("the command is over", || victim.repo.outside().join("done").exists());
    kill(child);
    fs::remove_file(&lock).unwrap();
    victim.assert_interrupted();
}
