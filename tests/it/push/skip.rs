//! `git push -o ci.skip`: what is pushed and has not begun is left untested.

use std::{io::Write, process::Stdio};

use crate::support::{
    TestRepo, eventually,
    program::{Said, run, tinyci},
    server::{Gate, Pushed, Server},
};

const SKIP: [&str; 2] = ["-o", "ci.skip"];

/// A push as this account, which the hook sees.
#[track_caller]
fn push(server: &Server, args: &[&str]) -> Pushed {
    let mut command = server.push_command(args);
    let pushed = Pushed::of(&command.env("LOGNAME", "ada").output().unwrap());
    assert!(pushed.ok, "git push {args:?} failed:\n{}", pushed.err);
    pushed
}

fn skipped(commit: &str) -> String {
    format!("T Skipped {commit}: by ada (git push -o ci.skip)")
}

#[test]
fn what_a_push_brings_is_left_untested() {
    let server = Server::new();
    let traces = server.outside("traces");
    let config = format!(
        "build: echo build >> '{0}'\nhooks:\n  before_build: echo before >> '{0}'\n  after_all: echo last \
         >> '{0}'\n",
        traces.display()
    );
    let one = server.client.commit_config(&config);
    let two = server.client.commit("two");
    let pushed = push(&server, &[SKIP[0], SKIP[1], "main"]);
    assert_eq!(pushed.lines(), [skipped(&one), skipped(&two)]);
    assert_eq!(server.verdicts(&[&one, &two]), ["skipped", "skipped"]);
    assert!(!traces.exists(), "no hook ran");
    assert!(!server.repo.path().join("builds").exists(), "nothing was exported");
    let record = server.repo.git(&["notes", "--ref", "runs/tinyci", "show", &one]);
    assert!(record.contains(r#""intervention":{"kind":"push_option","by":"ada"}"#), "{record}");
    assert!(record.contains(r#""left_out":[{"step":"build","by":"push_option"}]"#), "{record}");
    assert!(record.contains(r#""outcome":"skipped""#) && record.contains(r#""branch":"main""#));

    // The next push is tested as ever, and brings only what is new.
    let three = server.client.commit("three");
    assert!(push(&server, &["main"]).has(&format!("Finished {three}")));
    assert_eq!(server.verdicts(&[&one, &two, &three]), ["skipped", "skipped", "success"]);
    let retried = run(&server.repo, &["run", "--retry", &two]).with_code(0);
    assert_eq!(
        retried.log_lines()[0],
        "T warning: skipped by ada (git push -o ci.skip); testing it anyway, because this is a \
         retry"
    );
    assert_eq!(server.verdicts(&[&two]), ["success"]);
}

#[test]
fn a_run_in_progress_neither_loses_it_nor_is_disturbed() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    let one = server.client.commit_config(&format!("build: {}\n", gate.command()));
    let mut holder = server.start_push(&["main"]);
    gate.reached_by(&one);
    let two = server.client.commit("two");
    let three = server.client.commit("three");
    // It ends while the other run is held: nobody waits for what is settled.
    let pushed = push(&server, &[SKIP[0], SKIP[1], "main"]);
    let lines = pushed.lines();
    assert!(lines.contains(&skipped(&two)) && lines.contains(&skipped(&three)), "{lines:?}");
    assert_eq!(server.verdicts(&[&one, &two, &three]), ["-", "skipped", "skipped"]);
    gate.open();
    holder.wait().unwrap();
    server.until_idle();
    assert_eq!(server.verdicts(&[&one, &two, &three]), ["success", "skipped", "skipped"]);
    assert_eq!(server.builds().len(), 1, "nothing of the others was exported");
}

#[test]
fn what_others_have_pushed_is_not_skipped_with_it() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    let one = server.client.commit_config(&format!("build: {}\n", gate.command()));
    let two = server.client.commit("two");
    let mut holder = server.start_push(&["main"]);
    gate.reached_by(&one);
    server.client.git(&["checkout", "-q", "-b", "topic"]);
    let three = server.client.commit("three");
    let mut topic = server.push_command(&[SKIP[0], SKIP[1], "topic"]);
    let mut topic = topic.stderr(Stdio::null()).spawn().unwrap();
    eventually("it is skipped", || server.verdicts(&[&three]) == ["skipped"]);
    gate.open();
    holder.wait().unwrap();
    topic.wait().unwrap();
    server.until_idle();
    assert_eq!(server.verdicts(&[&one, &two, &three]), ["success", "success", "skipped"]);
}

#[test]
fn what_has_begun_goes_on_and_the_pusher_hears_of_it() {
    let repo = TestRepo::new();
    let gate = Gate::new(repo.outside().join("gate"));
    let one = repo.commit_config(&format!("build: {}\n", gate.command()));
    let mut holder =
        tinyci(repo.path()).args(["run", "--all"]).stdout(Stdio::null()).spawn().unwrap();
    gate.reached_by(&one);
    let mut hook = tinyci(repo.path());
    hook.args(["run", "--hook", "--no-wait"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    hook.env("GIT_PUSH_OPTION_COUNT", "2")
        .env("GIT_PUSH_OPTION_0", "x")
        .env("GIT_PUSH_OPTION_1", "ci.skip");
    let mut hook = hook.stderr(Stdio::piped()).spawn().unwrap();
    let line = format!("{} {one} refs/heads/main\n", "0".repeat(40));
    hook.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
    let said = Said::of(&hook.wait_with_output().unwrap()).with_code(3);
    let short = &one[..7];
    let late = format!("T warning: `ci.skip` came too late for {short}: its job is in progress");
    let hint = format!("T hint: `tinyci cancel {short}` ends it");
    assert_eq!(said.log_lines(), [late, hint]);
    gate.open();
    holder.wait().unwrap();
    assert_eq!(repo.verdict(&one).as_deref(), Some("success"));
}

#[test]
fn only_what_is_new_and_only_this_option_counts() {
    let server = Server::new();
    let one = server.client.commit_config("build: 'true'\n");
    push(&server, &["main"]);
    let two = server.client.commit("[skip ci] are only words");
    let pushed = push(&server, &["-o", "ci.skp", "-o", "other=1", "main"]);
    assert!(pushed.has("warning: unknown push option `ci.skp`; did you mean `ci.skip`?"));
    assert!(!pushed.err.contains("other=1"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&one, &two]), ["success", "success"]);
    // A verdict stays, and a deleted branch brings nothing.
    push(&server, &[SKIP[0], SKIP[1], "main:again"]);
    push(&server, &[SKIP[0], SKIP[1], "--delete", "again"]);
    assert_eq!(server.verdicts(&[&one, &two]), ["success", "success"]);
    // Of several refs each brings its own.
    server.client.git(&["checkout", "-q", "-b", "left"]);
    let left = server.client.commit("left");
    server.client.git(&["checkout", "-q", "-b", "right", "main"]);
    let right = server.client.commit("right");
    push(&server, &["-o", "ci.skip", "left", "right"]);
    assert_eq!(server.verdicts(&[&left, &right]), ["skipped", "skipped"]);
}

#[test]
fn a_ref_that_would_have_a_commit_tested_again_does_not() {
    let server = Server::new();
    let built = server.outside("built");
    let step = |when: &str| format!("{{run: touch '{}', when: {{{when}}}}}", built.display());
    let topic = server.client.commit_config(&format!("build: {}\n", step("branch: main")));
    server.client.git(&["branch", "-q", "topic"]);
    push(&server, &["topic"]);
    assert_eq!(server.verdicts(&[&topic]), ["skipped"]);
    let pushed = push(&server, &[SKIP[0], SKIP[1], "topic:main"]);
    assert_eq!(pushed.lines(), [skipped(&topic)]);
    // A person has decided: no other ref has it tested.
    push(&server, &["topic:again"]);
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert!(!built.exists());
    // A second push says nothing new.
    let third = push(&server, &[SKIP[0], SKIP[1], "topic:third"]);
    assert_eq!(third.lines(), [format!("T {topic} has a verdict: skipped")]);
    let count = server.repo.git(&["notes", "--ref", "runs/tinyci", "show", &topic]);
    assert_eq!(count.lines().count(), 2, "{count}");
}

#[test]
fn a_tag_that_would_have_a_commit_tested_does_not() {
    let server = Server::new();
    let built = server.outside("built");
    let config = format!("build: touch '{}'\n", built.display());
    let commit = server.client.commit_config(&config);
    server.client.git(&["tag", "-a", "-m", "one", "v1"]);
    let pushed = push(&server, &[SKIP[0], SKIP[1], "v1"]);
    assert_eq!(pushed.lines(), [skipped(&commit)]);
    assert_eq!(server.verdicts(&[&commit]), ["skipped"]);
    run(&server.repo, &["run", "--all"]).with_code(0);
    assert!(!built.exists());
}

#[test]
fn an_install_shows_that_it_allows_it_and_an_uninstall_takes_that_back() {
    let repo = TestRepo::bare();
    let config = || std::fs::read_to_string(repo.path().join("config")).unwrap();
    let before = config();
    let said = run(&repo, &["install"]).with_code(0);
    let shown = "`git push -o ci.skip` now leaves the pushed commits untested \
                 (`receive.advertisePushOptions`)";
    assert!(said.out.contains(shown), "{}", said.out);
    assert_eq!(repo.git(&["config", "--bool", "receive.advertisePushOptions"]), "true");
    let again: Said = run(&repo, &["install"]).with_code(0);
    assert!(!again.out.contains(shown), "{}", again.out);
    run(&repo, &["uninstall"]).with_code(0);
    assert_eq!(config(), before);
}

#[test]
fn who_pushes_over_http_is_whom_the_web_server_let_in() {
    let server = Server::new();
    let one = server.client.commit_config("build: 'true'\n");
    let mut command = server.push_command(&[SKIP[0], SKIP[1], "main"]);
    let pushed = command.env("REMOTE_USER", "grace").env("LOGNAME", "www-data");
    let pushed = Pushed::of(&pushed.output().unwrap());
    assert_eq!(pushed.lines(), [format!("T Skipped {one}: by grace (git push -o ci.skip)")]);
}
