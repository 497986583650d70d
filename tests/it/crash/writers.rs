//! Many processes that write results at the same time. Nothing is lost, and nothing is written
//! twice.

use std::{
    path::{Path, PathBuf},
    process::{Child, Stdio},
    thread,
};

use crate::support::{
    TestRepo,
    program::{Said, run, run_in, tinyci},
};

const WRITERS: usize = 20;

/// Returns a repository, its commits, and its directories: its own, and linked working trees.
fn repository() -> (TestRepo, Vec<String>, Vec<PathBuf>) {
    let repo = TestRepo::new();
    let mut commits = vec![repo.commit_config("build: echo <%= short %>\n")];
    commits.extend((1..WRITERS).map(|number| repo.commit(&format!("commit {number}"))));
    let mut folders = vec![repo.path().to_path_buf()];
    for name in ["a", "b", "c"] {
        let path = repo.outside().join(name);
        repo.git(&["worktree", "add", "-q", "--detach", path.to_str().unwrap()]);
        folders.push(path);
    }
    (repo, commits, folders)
}

fn words(repo: &TestRepo, commits: &[String]) -> Vec<Option<String>> {
    commits.iter().map(|commit| repo.verdict(commit)).collect()
}

#[track_caller]
fn assert_sound(repo: &TestRepo) {
    let fsck = repo.try_git(&["fsck", "--full", "--strict"]);
    let said = String::from_utf8_lossy(&fsck.stderr).into_owned();
    assert!(fsck.status.success() && !said.contains("error"), "{said}");
}

/// Runs a commit until no other run holds the lock, and returns the result.
fn run_until_done(dir: &Path, commit: &str) -> Said {
    loop {
        let said = run_in(dir, &["run", "--commit", commit, "--no-wait"]);
        if said.code != Some(3) {
            return said;
        }
    }
}

#[test]
fn twenty_that_run_a_commit_each_lose_none() {
    let (repo, commits, folders) = repository();
    thread::scope(|scope| {
        for (commit, dir) in commits.iter().zip(folders.iter().cycle()) {
            scope.spawn(move || run_until_done(dir, commit).with_code(0));
        }
    });
    assert!(words(&repo, &commits).iter().all(|word| word.as_deref() == Some("success")));
    let written = repo.git(&["rev-list", "--count", "refs/notes/tinyci-result"]);
    assert_eq!(written, WRITERS.to_string(), "each word was written once");
    let shown = run(&repo, &["results", "--json"]).with_code(0).out;
    assert_eq!(shown.lines().count(), WRITERS);
    assert_sound(&repo);
}

/// Tests many processes that forget verdicts at the same time as a run. They can write at once,
/// because forgetting does not take the run lock.
#[test]
fn twenty_that_take_a_word_away_lose_none_and_disturb_no_run() {
    let (repo, commits, folders) = repository();
    run(&repo, &["run", "--all"]).with_code(0);
    let newer: Vec<String> = (0..5).map(|number| repo.commit(&format!("newer {number}"))).collect();
    let start = |dir: &Path, args: &[&str]| -> Child {
        tinyci(dir).args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let range = format!("{}..HEAD", commits[WRITERS - 1]);
    let runner = start(repo.path(), &["run", &range]);
    let forgetters: Vec<Child> = commits
        .iter()
        .zip(folders.iter().cycle())
        .map(|(commit, dir)| start(dir, &["results", "--forget", commit]))
        .collect();
    for child in forgetters.into_iter().chain([runner]) {
        Said::of(&child.wait_with_output().unwrap()).with_code(0);
    }
    assert!(words(&repo, &commits).iter().all(Option::is_none));
    assert!(words(&repo, &newer).iter().all(|word| word.as_deref() == Some("success")));
    let moves = repo.git(&["rev-list", "--count", "refs/notes/tinyci-result"]);
    assert_eq!(moves, (2 * WRITERS + 5).to_string());
    assert_sound(&repo);
}

#[test]
fn several_jobs_in_one_process_write_at_the_same_time() {
    let (repo, commits, _) = repository();
    run(&repo, &["run", "--all", "--jobs", "8"]).with_code(0);
    assert!(words(&repo, &commits).iter().all(|word| word.as_deref() == Some("success")));
    let written = repo.git(&["rev-list", "--count", "refs/notes/tinyci-result"]);
    assert_eq!(written, WRITERS.to_string());
    assert_sound(&repo);
}
