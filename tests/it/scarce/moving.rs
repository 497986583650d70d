//! A repository that moves or is repacked while commits are tested.

use std::{
    fs,
    process::Stdio,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
};

use super::scene::{assert_sound, both};
use crate::support::{
    TestRepo,
    program::{run_in, tinyci},
    server::Gate,
};

/// Moves the repository during a build. The run fails and creates nothing in the old place, and a
/// run in the new place tests the commit.
#[test]
fn a_repository_that_moves_in_mid_run_loses_no_verdict() {
    let (repo, client) = (TestRepo::bare(), TestRepo::new());
    let gate = Gate::new(repo.outside().join("gate"));
    let id = client.commit_config(&format!("build: {}\ntest: echo tested\n", gate.command()));
    client.git(&["push", "-q", repo.path().to_str().unwrap(), "main"]);
    let mut command = tinyci(repo.path());
    command.args(["run", "--all"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    gate.reached_by(&id);
    let moved = repo.outside().join("moved.git");
    fs::rename(repo.path(), &moved).unwrap();
    gate.open();
    let output = child.wait_with_output().unwrap();
    let told = both(&output);
    assert_eq!(output.status.code(), Some(4), "{told}");
    assert!(!told.contains("panicked"), "{told}");
    assert!(told.contains("No such file or directory") || told.contains("moved"), "{told}");
    assert!(!repo.path().exists(), "the run made {} again", repo.path().display());
    let moved_git = |args: &[&str]| {
        let args = [&["-C", moved.to_str().unwrap()], args].concat();
        String::from_utf8_lossy(&client.try_git(&args).stdout).trim().to_owned()
    };
    assert_eq!(moved_git(&["notes", "--ref", "tinyci-result", "show", &id]), "", "{told}");
    run_in(&moved, &["run", "--all"]).with_code(0);
    assert_eq!(moved_git(&["notes", "--ref", "tinyci-result", "show", &id]), "success");
    assert_eq!(moved_git(&["rev-list", "--count", "refs/notes/tinyci-result"]), "1");
    assert_sound(&moved, "moved");
}

/// Tests this many commits while git repacks and prunes in a loop.
fn repacked(commits: u64) {
    let (repo, client) = (TestRepo::bare(), TestRepo::new());
    repo.git(&["config", "tinyci.jobs", "2"]);
    client.write(".tinyci.yml", super::scene::CONFIG);
    let mut ids: Vec<String> = (0..commits).map(|_| client.commit("another")).collect();
    client.git(&["push", "-q", repo.path().to_str().unwrap(), "main"]);
    ids.truncate(usize::try_from(commits).unwrap());
    let (done, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    let output = thread::scope(|scope| {
        let (gc, repack) = (&["gc", "-q", "--prune=now"][..], &["repack", "-q", "-a", "-d"][..]);
        for words in [gc, repack, gc, repack] {
            let (repo, done, rounds) = (&repo, &done, &rounds);
            scope.spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    // Two processes that repack at once can refuse each other. The test ignores
                    // their errors.
                    repo.try_git(words);
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let mut run = tinyci(repo.path());
        let output = run.args(["run", "--all"]).output().unwrap();
        done.store(true, Ordering::Relaxed);
        output
    });
    let fsck = repo.try_git(&["fsck", "--full", "--strict", "--no-dangling"]);
    let told = format!("{}\n{}", both(&output), both(&fsck));
    eprintln!("{commits} commits, {} rounds of gc and repack", rounds.load(Ordering::Relaxed));
    assert!(rounds.load(Ordering::Relaxed) > 1);
    assert_eq!(output.status.code(), Some(0), "{told}");
    for id in &ids {
        assert_eq!(repo.verdict(id).as_deref(), Some("success"), "{told}");
    }
    let verdicts = repo.git(&["rev-list", "--count", "refs/notes/tinyci-result"]);
    assert_eq!(verdicts, commits.to_string());
    assert!(fsck.status.success(), "{told}");
}

#[test]
fn commits_are_tested_while_git_repacks_and_prunes() {
    repacked(12);
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn many_commits_are_tested_while_git_repacks_and_prunes() {
    repacked(200);
}
