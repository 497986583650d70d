//! Sends signals to the program. The first one stops the run and cleans up, the second one kills.
//! Neither leaves a verdict or a process.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    path::PathBuf,
    process::{Child, Stdio},
};

use rustix::process::Signal;

use crate::support::{
    TestRepo, eventually,
    processes::{send, with_command},
    program::{Said, run, signal, tinyci},
    server::{Gate, Server},
};

/// A repository with one commit, and files by which its build and the test communicate.
struct Stage {
    repo: TestRepo,
    commit: String,
}

impl Stage {
    /// Creates the repository. `{dir}` in the config is replaced by a directory for files.
    fn new(config: &str) -> Self {
        let repo = TestRepo::new();
        let dir = repo.outside();
        let commit = repo.commit_config(&config.replace("{dir}", dir.to_str().unwrap()));
        Self { repo, commit }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.repo.outside().join(name)
    }

    #[track_caller]
    fn until(&self, name: &str) {
        eventually(name, || self.file(name).exists());
    }

    fn start(&self) -> Child {
        let mut command = tinyci(self.repo.path());
        command.args(["run", "--all"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// Checks that the run was canceled, without a verdict, and that none of its processes is left.
    #[track_caller]
    fn assert_canceled(&self, child: Child) {
        let said = Said::of(&child.wait_with_output().unwrap()).with_code(130);
        assert!(said.out.contains(&format!("] Canceled {}", self.commit)), "{}", said.out);
        assert_eq!(said.err, "");
        assert_eq!(self.repo.verdict(&self.commit), None);
        let strays = with_command(self.repo.outside().to_str().unwrap());
        assert!(strays.is_empty(), "{strays:?}");
        let plan = run(&self.repo, &["plan"]).with_code(0).out;
        assert!(plan.starts_with(&self.commit[..7]), "it is due again: {plan}");
    }
}

#[test]
fn the_first_ends_the_command_in_its_grace_and_cleans_up() {
    for stop in [Signal::INT, Signal::TERM] {
        let stage = Stage::new(
            "build: |\n  trap 'touch {dir}/asked; exit' TERM\n  touch {dir}/building\n  \
             while :; do sleep 0.01; done\ntest: touch {dir}/tested\n\
             hooks:\n  after_build: touch {dir}/hooked\n  after_all: touch {dir}/cleaned\n",
        );
        let child = stage.start();
        stage.until("building");
        signal(&child, stop);
        stage.assert_canceled(child);
        let there = ["asked", "cleaned", "tested", "hooked"].map(|name| stage.file(name).exists());
        assert_eq!(there, [true, true, false, false]);
    }
}

#[test]
fn the_second_kills_a_command_that_takes_its_time() {
    for stop in [Signal::INT, Signal::TERM] {
        let stage = Stage::new(
            "build: |\n  trap 'touch {dir}/asked' TERM\n  touch {dir}/building\n  \
             while :; do sleep 0.01; done\nhooks:\n  after_all: touch {dir}/cleaned\n",
        );
        stage.repo.git(&["config", "tinyci.gracePeriod", "1h"]);
        let child = stage.start();
        stage.until("building");
        signal(&child, stop);
        stage.until("asked");
        signal(&child, stop);
        stage.assert_canceled(child);
        assert!(!stage.file("cleaned").exists(), "the second ends everything");
    }
}

#[test]
fn the_second_ends_the_cleaning_up_as_well() {
    let stage = Stage::new(
        "build: touch {dir}/building; while :; do sleep 0.01; done\n\
         hooks:\n  after_all: touch {dir}/cleaning; while :; do sleep 0.01; done\n",
    );
    let child = stage.start();
    stage.until("building");
    signal(&child, Signal::INT);
    stage.until("cleaning");
    signal(&child, Signal::INT);
    stage.assert_canceled(child);
}

#[test]
fn an_export_is_stopped_on_the_way() {
    let stage = Stage::new("build: touch {dir}/building\n");
    (0..4000).for_each(|number| stage.repo.write(&format!("{}/{number}", number % 50), "text\n"));
    let stage = Stage { commit: stage.repo.commit("many files"), ..stage };
    let child = stage.start();
    let builds = stage.repo.path().join("builds");
    let exporting = |build: &std::path::Path| {
        let entries = fs::read_dir(build).into_iter().flatten().flatten();
        entries
            .map(|entry| entry.file_name())
            .any(|name| name.to_string_lossy().starts_with("export.2"))
    };
    // The run has built the first commit and exports the second one.
    let second = builds.join(format!("1500000120_{}", stage.commit));
    eventually("the export", || exporting(&second));
    signal(&child, Signal::INT);
    stage.assert_canceled(child);
    assert!(!exporting(&second), "what was half written is gone");
    assert!(!second.join("export").exists());
}

#[test]
fn whoever_waits_stops_waiting_and_the_run_goes_on() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    let first = server.client.commit_config(&format!("build: {}\n", gate.command()));
    let push = server.start_push(&["main"]);
    gate.reached_by(&first);
    let mut waiting = server.tinyci(&["run", "--all"]);
    let mut waiting = waiting.stdout(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(waiting.stdout.take().unwrap());
    told.read_line(&mut String::new()).unwrap();
    signal(&waiting, Signal::INT);
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
    let mut rest = String::new();
    told.read_to_string(&mut rest).unwrap();
    assert!(!rest.contains("Canceled") && !rest.contains("error"), "{rest}");
    gate.open();
    assert!(push.wait_with_output().unwrap().status.success());
    assert_eq!(server.verdicts(&[&first]), ["success"]);
}

/// Tests a server that shuts down: the hook gets SIGTERM, and the commit is pending again
/// afterwards.
#[test]
fn a_run_under_a_push_can_be_terminated_and_is_taken_up_again() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    let cleaned = server.outside("cleaned");
    let first = server.client.commit_config(&format!(
        "build: {}\nhooks:\n  after_all: touch '{}'\n",
        gate.command(),
        cleaned.display()
    ));
    let push = server.start_push(&["main"]);
    gate.reached_by(&first);
    let in_the_server = |pid: i32| {
        fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == server.repo.path())
    };
    let engine = with_command("tinyci run --hook");
    let engine = engine.iter().find(|process| in_the_server(process.pid)).unwrap();
    send(engine.pid, Signal::TERM);
    let push = push.wait_with_output().unwrap();
    assert!(push.status.success());
    let err = String::from_utf8_lossy(&push.stderr);
    assert!(err.contains(&format!("] Canceled {first}")), "{err}");
    assert!(cleaned.exists());
    assert_eq!(server.verdicts(&[&first]), ["-"]);
    gate.open();
    let second = server.client.commit("second");
    server.push(&["main"]);
    assert_eq!(server.verdicts(&[&first, &second]), ["success", "success"]);
}
