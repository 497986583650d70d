//! The hook among other hooks, in other places, and what it hands to a build.

use std::{fs, process::Stdio};

use crate::support::{
    TestRepo,
    program::{run, run_in, tinyci},
    server::{Server, write_script},
};

#[test]
fn a_hook_that_was_there_goes_on_with_its_input_and_its_arguments() {
    let repo = TestRepo::bare();
    let theirs = repo.path().join("hooks/post-receive");
    let script = "#!/bin/bash -e\nwhile read -r old new ref; do echo \"theirs: $ref\"; done\n\
                  git rev-parse --is-bare-repository\nfalse\necho never\n";
    write_script(&theirs, script);
    let server = Server::on(repo);
    let first = server.client.commit_config("build: echo built\n");
    let mut push = server.push_command(&["main", "main:other"]);
    let output = push.output().unwrap();
    assert!(output.status.success(), "a hook's failure comes too late to refuse a push");
    let err = String::from_utf8_lossy(&output.stderr);
    for line in ["theirs: refs/heads/main", "theirs: refs/heads/other", "true", "] built"] {
        assert!(err.lines().any(|said| said.trim_end().ends_with(line)), "{line}\n{err}");
    }
    assert!(!err.contains("never"), "{err}");
    assert_eq!(server.verdicts(&[&first]), ["success"]);

    run(&server.repo, &["uninstall"]).with_code(0);
    assert_eq!(fs::read_to_string(&theirs).unwrap(), script);
}

#[test]
fn a_hook_that_is_no_shell_script_is_left_alone_and_the_way_around_works() {
    let repo = TestRepo::bare();
    let theirs = repo.path().join("hooks/post-receive");
    write_script(&theirs, "#!/usr/bin/perl\nprint 'theirs';\n");
    let said = run(&repo, &["install"]).with_code(4);
    assert_eq!(said.err.lines().count(), 2, "{}", said.err);
    // What the message says to run, run by a hook of the owner's own.
    let line = said.err.split('`').nth(3).unwrap();
    write_script(&theirs, &format!("#!/bin/sh\n{line}\n"));
    let client = TestRepo::new();
    let first = client.commit_config("build: echo built\n");
    let mut push = client.command();
    push.args(["push", "-q", repo.path().to_str().unwrap(), "main"]);
    let output = push.env("PATH", crate::support::server::search_path()).output().unwrap();
    assert!(output.status.success());
    assert_eq!(repo.verdict(&first).as_deref(), Some("success"));
}

#[test]
fn the_hooks_folder_is_the_one_that_git_looks_in() {
    let repo = TestRepo::bare();
    repo.git(&["config", "core.hooksPath", "my hooks"]);
    let server = Server::on(repo);
    assert!(server.repo.path().join("my hooks/post-receive").exists());
    assert!(!server.hook("post-receive").exists());
    let first = server.client.commit_config("build: echo built\n");
    server.push(&["main"]);
    assert_eq!(server.verdicts(&[&first]), ["success"]);
}

#[test]
fn a_hooks_folder_of_many_repositories_has_to_be_asked_for() {
    let repo = TestRepo::bare();
    let shared = repo.outside().join("shared");
    repo.git(&["config", "core.hooksPath", shared.to_str().unwrap()]);
    let said = run(&repo, &["install"]).with_code(4);
    assert!(said.err.contains("--shared-hooks"), "{}", said.err);
    assert!(!shared.exists());
    run(&repo, &["install", "--shared-hooks"]).with_code(0);
    assert!(shared.join("post-receive").exists());
    run(&repo, &["uninstall"]).with_code(0);
    assert!(!shared.join("post-receive").exists());
}

#[test]
fn a_build_meets_no_variable_of_gits_and_no_repository() {
    let server = Server::new();
    let second = TestRepo::bare();
    let first = server.client.commit_config(&format!(
        "build: |\n  env | sed -n 's/^\\(GIT_[A-Z_]*\\)=.*/\\1/p' | tr '\\n' ' '; echo\n  \
         git rev-parse --git-dir || echo no repository\n\
         test: |\n  set -e\n  git init -q . && git add . && git -c user.name=A -c user.email=a@b \
         commit -q -m deploy\n  git push -q '{}' HEAD:refs/heads/deployed\n",
        second.path().display()
    ));
    let pushed = server.push(&["main"]);
    assert!(pushed.has("GIT_CEILING_DIRECTORIES"), "{}", pushed.err);
    assert!(pushed.has("no repository"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&first]), ["success"], "{}", pushed.err);
    assert_eq!(second.git(&["log", "--format=%s", "deployed"]), "deploy");
}

/// As a server's sshd starts it: no identity, no locale, no home, and a folder whose name only a
/// careful program can write down.
#[test]
fn a_bare_environment_and_an_odd_path_are_enough() {
    let repo = TestRepo::bare();
    let odd = repo.outside().join("it's a $(touch pwned) \"repository\".git");
    fs::rename(repo.path(), &odd).unwrap();
    run_in(&odd, &["install", "--absolute-path"]).with_code(0);
    let client = TestRepo::new();
    client.write("caf\u{e9}", "");
    let first = client
        .commit_config("build: ls \"$TINYCI_EXPORT\" && test ! -e pwned && printf '\\377\\n'\n");
    let mut push = std::process::Command::new("git");
    push.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C").current_dir(client.path());
    push.args(["-c", "safe.directory=*", "push"]).arg(&odd).arg("main");
    let output = push.output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.contains("] caf\u{e9}"), "{err}");
    assert!(err.contains(&format!("] Finished {first}")), "{err}");
    let note = ["-C", odd.to_str().unwrap(), "log", "--notes=tinyci*", "--format=%an %N", "main"];
    assert_eq!(client.git(&note), "Ada success");
    assert!(!odd.join("pwned").exists());
}

/// The hook ignores the pusher's keyboard, and so would every program below it that is not told
/// otherwise.
#[test]
fn a_build_ignores_no_signal() {
    let server = Server::new();
    server.client.commit_config("build: grep SigIgn /proc/self/status\n");
    let pushed = server.push(&["main"]);
    let lines = pushed.lines();
    let ignored = lines.iter().find_map(|line| line.strip_prefix("T SigIgn:\t")).unwrap();
    let ignored = u64::from_str_radix(ignored, 16).unwrap();
    // The C library's own signals, from 32 on, are not ours to set.
    assert_eq!(ignored & 0x7fff_ffff, 0, "{}", pushed.err);
}

#[test]
fn a_push_through_a_file_url_and_one_with_options_are_pushes() {
    let server = Server::new();
    server.repo.git(&["config", "receive.advertisePushOptions", "true"]);
    let url = format!("file://{}", server.repo.path().display());
    server.client.git(&["remote", "set-url", "origin", &url]);
    let first = server.client.commit_config("build: env | grep -c PUSH_OPTION || true\n");
    let pushed = server.push(&["-o", "x=y", "main"]);
    assert!(pushed.has("0"), "{}", pushed.err);
    assert_eq!(server.verdicts(&[&first]), ["success"]);
}

#[test]
fn a_server_without_the_program_says_so_and_takes_the_push() {
    let server = Server::new();
    let first = server.client.commit_config("build: echo built\n");
    let mut push = server.push_command(&["main"]);
    let output = push.env("PATH", "/usr/bin:/bin").output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && err.contains("tinyci: not found"), "{err}");
    assert_eq!(server.verdicts(&[&first]), ["-"]);

    run(&server.repo, &["install", "--absolute-path"]).with_code(0);
    let second = server.client.commit("second");
    let output = server.push_command(&["main"]).env("PATH", "/usr/bin:/bin").output().unwrap();
    assert!(output.status.success());
    assert_eq!(server.verdicts(&[&first, &second]), ["success", "success"]);
}

#[test]
fn verdicts_that_are_pushed_are_refused_where_they_are_hidden() {
    let server = Server::new();
    // The hook is there already: what is new is that the refs are hidden.
    let said = run(&server.repo, &["install", "--hide-refs"]).with_code(0);
    assert!(said.out.contains("installed successfully"), "{}", said.out);
    assert!(said.out.contains("pushes to `refs/notes/`, `refs/tinyci/` (`rec"), "{}", said.out);
    assert!(said.out.ends_with("write `refs/tinyci/approvals`, `refs/notes/commits`\n"));
    assert_eq!(said.out.lines().count(), 3, "{}", said.out);
    let first = server.client.commit_config("build: \"false\"\n");
    server.client.git(&["notes", "--ref", "tinyci-result", "add", "-m", "success", &first]);
    let output = server.push_command(&["main", "refs/notes/tinyci-result"]).output().unwrap();
    let err = String::from_utf8_lossy(&output.stderr);
    assert!(err.contains("deny updating a hidden ref"), "{err}");
    assert_eq!(server.verdicts(&[&first]), ["failure"]);
    // Clones can still have them.
    let fetch = ["fetch", "-q", "origin", "refs/notes/tinyci-result:refs/notes/theirs"];
    server.client.git(&fetch);
    assert_eq!(server.client.git(&["notes", "--ref", "theirs", "show", &first]), "failure");
}

#[test]
fn a_mirror_push_does_not_take_the_verdicts_along() {
    let server = Server::new();
    run(&server.repo, &["install", "--hide-refs"]).with_code(0);
    let first = server.client.commit_config("build: \"true\"\n");
    server.push(&["main"]);
    let _ = server.push_command(&["--mirror"]).output().unwrap();
    assert_eq!(server.verdicts(&[&first]), ["success"]);
}

#[test]
fn installs_at_the_same_time_add_each_line_once_and_an_uninstall_removes_all() {
    let repo = TestRepo::bare();
    let config = repo.git(&["config", "--local", "--list"]);
    let install = |_| {
        let mut command = tinyci(repo.path());
        command.args(["install", "--hide-refs"]).stdout(Stdio::null()).spawn().unwrap()
    };
    let installs: Vec<_> = (0..6).map(install).collect();
    for mut install in installs {
        assert!(install.wait().unwrap().success());
    }
    let lines = repo.git(&["config", "--local", "--list"]);
    let mut once: Vec<&str> = lines.lines().map(|line| line.trim_end_matches('/')).collect();
    once.sort_unstable();
    let all = once.len();
    once.dedup();
    assert_eq!(once.len(), all, "{lines}");
    run(&repo, &["uninstall"]).with_code(0);
    assert_eq!(repo.git(&["config", "--local", "--list"]), config);
}
