//! `tinyci cancel` and `tinyci skip`, as a person says them to a run in another process.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;

use crate::support::{
    TestRepo, eventually,
    program::{Said, run, signal, tinyci},
    server::{Gate, Pushed, Server, write_script},
};

/// A repository whose first commit never ends and whose second one does.
struct Hung {
    repo: TestRepo,
    hung: String,
    next: String,
}

impl Hung {
    fn new() -> Self {
        let repo = TestRepo::new();
        repo.git(&["config", "user.name", "Ada"]);
        repo.git(&["config", "user.email", "ada@example.org"]);
        let waiting = repo.outside().join("waiting");
        let config =
            format!("build: touch '{}'; while :; do sleep 0.02; done\n", waiting.display());
        let hung = repo.commit_config(&config);
        let next = repo.commit_config("build: 'true'\n");
        Self { repo, hung, next }
    }

    /// A run of all that is due, once the first commit hangs.
    fn start(&self) -> Child {
        let waiting = self.repo.outside().join("waiting");
        let _ = fs::remove_file(&waiting);
        let mut command = tinyci(self.repo.path());
        command.args(["run", "--all"]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let run = command.spawn().unwrap();
        eventually("it hangs", || waiting.exists());
        run
    }

    fn requests(&self) -> PathBuf {
        self.repo.path().join(".git/tinyci/cancel")
    }

    fn verdicts(&self) -> [Option<String>; 2] {
        [&self.hung, &self.next].map(|id| self.repo.verdict(id))
    }
}

fn said(run: Child) -> Said {
    Said::of(&run.wait_with_output().unwrap())
}

#[test]
fn a_hung_commit_is_got_rid_of_and_the_rest_runs() {
    let stage = Hung::new();
    let (run_in_progress, short) = (stage.start(), &stage.hung[..7]);
    let canceled = run(&stage.repo, &["cancel", short, "-m", "it hangs"]).with_code(0);
    assert_eq!(
        canceled.out,
        format!("Canceled {}; `tinyci run --retry {short}` tests it again\n", stage.hung)
    );
    let lines = said(run_in_progress).with_code(130).log_lines();
    let told = format!("T Canceled {}: by Ada <ada@example.org>: it hangs", stage.hung);
    assert!(lines.contains(&told), "{lines:?}");
    assert!(lines.contains(&format!("T Finished {}", stage.next)), "{lines:?}");
    assert_eq!(stage.verdicts(), [None, Some("success".to_owned())]);
    // It is not first in the queue again.
    let again = run(&stage.repo, &["run", "--all"]).with_code(4);
    assert!(
        !again.out.contains("Building") && again.out.contains("was canceled by Ada"),
        "{}",
        again.out
    );
    let over = run(&stage.repo, &["cancel", short]).with_code(2);
    assert!(over.err.contains(&format!("`tinyci skip {short}`")), "{}", over.err);
    let skipped = run(&stage.repo, &["skip", short, "--reason", "no use"]).with_code(0);
    let by = "by Ada <ada@example.org>: no use";
    assert_eq!(skipped.out, format!("Skipped {}: {by}\n", stage.hung));
    run(&stage.repo, &["run", "--all"]).with_code(0);
    let refused = run(&stage.repo, &["skip", short]).with_code(2);
    assert!(refused.err.contains(&format!("`tinyci results --forget {short}`")), "{}", refused.err);
}

#[test]
fn programs_get_json_and_quiet_ones_nothing() {
    let stage = Hung::new();
    let run_in_progress = stage.start();
    let canceled = run(&stage.repo, &["cancel", &stage.hung, "--json"]).with_code(0).out;
    let (head, tail) = (
        format!(r#"{{"v":1,"whole_run":false,"jobs":[{{"commit":"{}","job_id":""#, stage.hung),
        "\"outcome\":\"canceled\"}]}\n",
    );
    assert!(canceled.starts_with(&head) && canceled.ends_with(tail), "{canceled}");
    said(run_in_progress).with_code(130);
    let skipped = run(&stage.repo, &["skip", &stage.hung, "--json"]).with_code(0).out;
    assert!(
        skipped
            .contains(r#""intervention":{"kind":"skip","by":"Ada <ada@example.org>","account":"#)
    );
    run(&stage.repo, &["results", "--forget", &stage.hung]).with_code(0);
    assert_eq!(run(&stage.repo, &["-q", "skip", &stage.hung]).with_code(0).out, "");
}

#[test]
fn the_whole_run_ends_without_a_name() {
    let stage = Hung::new();
    let run_in_progress = stage.start();
    let canceled = run(&stage.repo, &["cancel", "--kill"]).with_code(0);
    assert!(canceled.out.ends_with("\nCanceled the run\n"), "{}", canceled.out);
    said(run_in_progress).with_code(130);
    assert_eq!(stage.verdicts(), [None, None], "the second one was not begun");
    let nothing = run(&stage.repo, &["cancel"]).with_code(2);
    assert!(nothing.err.contains("`tinyci status`"), "{}", nothing.err);
    run(&stage.repo, &["run", "--all"]).with_code(4);
    assert_eq!(
        stage.verdicts(),
        [None, Some("success".to_owned())],
        "the only job was named by it"
    );
}

#[test]
fn a_request_whose_run_was_killed_ends_nothing_later() {
    for args in [&["cancel", "HEAD~"][..], &["cancel"]] {
        let stage = Hung::new();
        let mut first = stage.start();
        // It holds the lock and sees nothing any more.
        signal(&first, Signal::STOP);
        let mut asking = tinyci(stage.repo.path()).args(args).spawn().unwrap();
        let asked = || stage.requests().read_dir().is_ok_and(|mut it| it.next().is_some());
        eventually("the request is written", asked);
        asking.kill().unwrap();
        asking.wait().unwrap();
        first.kill().unwrap();
        first.wait().unwrap();
        assert!(asked(), "it was left behind");
        let second = stage.start();
        eventually("it is cleared away", || !asked());
        let status = run(&stage.repo, &["status"]).with_code(0);
        assert!(status.out.contains(&stage.hung[..7]), "the next job goes on: {}", status.out);
        run(&stage.repo, &["cancel", "--kill", &stage.hung]).with_code(0);
        said(second).with_code(130);
        // A ref that is only deleted comes back with the next run.
        run(&stage.repo, &["results", "--forget-all", "--yes"]).with_code(0);
    }
}

#[test]
fn a_run_that_is_stopped_is_told_of_and_the_request_taken_back() {
    let stage = Hung::new();
    let first = stage.start();
    signal(&first, Signal::STOP);
    let said_by_it = run(&stage.repo, &["cancel", "HEAD~"]).with_code(3);
    assert!(said_by_it.err.contains(&format!("process {}", first.id())), "{}", said_by_it.err);
    assert_eq!(stage.requests().read_dir().unwrap().count(), 0);
    signal(&first, Signal::CONT);
    run(&stage.repo, &["cancel", "--kill"]).with_code(0);
    said(first).with_code(130);
}

#[test]
fn a_pusher_sees_that_the_own_commit_was_canceled_from_another_host() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    let one = server.client.commit_config(&format!("build: {}\n", gate.command()));
    let push = server.start_push(&["main"]);
    gate.reached_by(&one);
    // What stands for ssh does what sshd does: it gives the words to a shell.
    let ssh = server.outside("ssh");
    write_script(&ssh, "#!/bin/sh\nshift\nexec /bin/sh -c \"$*\"\n");
    let url = format!("host:{}", server.repo.path().display());
    let mut command = Command::new(env!("CARGO_BIN_EXE_tinyci"));
    command.current_dir(server.client.path()).env("GIT_SSH", &ssh);
    command.env("PATH", crate::support::server::search_path()).stdin(Stdio::null());
    let output = command.args(["-r", &url, "cancel", &one, "-m", "it's hung"]).output().unwrap();
    Said::of(&output).with_code(0);
    let pushed = Pushed::of(&push.wait_with_output().unwrap());
    let told = |line: &String| {
        line.starts_with(&format!("T Canceled {one}: by ")) && line.ends_with(": it's hung")
    };
    assert!(pushed.lines().iter().any(told), "{:?}", pushed.lines());
    server.until_idle();
    assert_eq!(server.verdicts(&[&one]), ["-"]);
}

#[test]
fn who_may_not_write_the_state_may_not_cancel() {
    if rustix::process::geteuid().is_root() {
        // Root may write anywhere: there is nobody to be refused.
        return;
    }
    let stage = Hung::new();
    let first = stage.start();
    let state = stage.repo.path().join(".git/tinyci");
    fs::set_permissions(&state, fs::Permissions::from_mode(0o555)).unwrap();
    let refused = run(&stage.repo, &["cancel", "HEAD~"]).with_code(4);
    fs::set_permissions(&state, fs::Permissions::from_mode(0o755)).unwrap();
    assert!(refused.err.contains("tinyci/cancel"), "{}", refused.err);
    run(&stage.repo, &["cancel", "--kill"]).with_code(0);
    said(first).with_code(130);
}
