//! Tests many commits in one process. Memory and descriptors do not grow.

use std::{fs, process::Command};

use tinyci::{CancelToken, Engine, Event, EventKind, Selection};

use crate::support::{TestRepo, succeed};

/// The resources of the process after some commits.
#[derive(Clone, Copy, Debug)]
struct Held {
    commits: u64,
    descriptors: u64,
    threads: u64,
    /// Resident memory.
    kib: u64,
}

impl Held {
    fn now(commits: u64) -> Self {
        let count = |dir: &str| fs::read_dir(dir).unwrap().count() as u64;
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        let kib = rss.trim().split(' ').next().unwrap().parse().unwrap();
        let (descriptors, threads) = (count("/proc/self/fd"), count("/proc/self/task"));
        Self { commits, descriptors, threads, kib }
    }

    /// Returns the maximum of each resource, and the last number of commits.
    fn most(held: &[Self]) -> Self {
        let most = |one: fn(&Self) -> u64| held.iter().map(one).max().unwrap();
        Self {
            commits: held[held.len() - 1].commits,
            descriptors: most(|it| it.descriptors),
            threads: most(|it| it.threads),
            kib: most(|it| it.kib),
        }
    }
}

/// The prefix of the argument that passes the number of commits to a test process.
const COMMITS: &str = "commits=";

/// Runs a test of this file in a separate process, so that the memory of other tests does not
/// count. Prints its output.
#[track_caller]
fn alone(test: &str, commits: u64) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("load::soak::{test}"), "--ignored", "--nocapture"]);
    // The test harness takes this for another filter. It matches no test.
    let output = command.arg(format!("{COMMITS}{commits}")).output().unwrap();
    let said = succeed(test, &output);
    assert!(said.contains("1 passed"), "{said}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
}

/// Returns the number of commits if [`alone`] started this process.
fn commits() -> Option<u64> {
    std::env::args().find_map(|arg| arg.strip_prefix(COMMITS)?.parse().ok())
}

/// Returns a repository with this number of pending commits, and the commits from oldest to newest.
fn pending(commits: u64) -> (TestRepo, Vec<String>) {
    let repo = TestRepo::bare();
    repo.git(&["config", "tinyci.pruneKeep", "10"]);
    repo.git(&["config", "gc.auto", "0"]);
    let client = TestRepo::new();
    client.commit_config("build: echo built\ntest: echo tested\n");
    let tree = client.git(&["rev-parse", "HEAD^{tree}"]);
    client.git(&["push", "-q", repo.path().to_str().unwrap(), "main:refs/heads/seed"]);
    let mut stream = String::new();
    for number in 0..commits {
        let time = 1_600_000_000 + number;
        stream += &format!(
            "commit refs/heads/main\ncommitter A <a@b> {time} +0000\ndata 1\nc\nM 040000 {tree} \n"
        );
    }
    fs::write(repo.outside().join("stream"), stream).unwrap();
    let mut import = repo.command();
    let stream = fs::File::open(repo.outside().join("stream")).unwrap();
    succeed(
        "git fast-import",
        &import.args(["fast-import", "--quiet"]).stdin(stream).output().unwrap(),
    );
    repo.git(&["update-ref", "-d", "refs/heads/seed"]);
    let ids = repo.git(&["rev-list", "--reverse", "main"]);
    let ids: Vec<String> = ids.lines().map(str::to_owned).collect();
    assert_eq!(ids.len() as u64, commits);
    (repo, ids)
}

/// Compares the maxima of the first and the last third of the commits.
#[track_caller]
fn assert_flat(held: &[Held], kib_for_a_commit: f64) {
    let third = held.len() / 3;
    let [early, late] = [&held[..third], &held[held.len() - third..]].map(Held::most);
    let commits = late.commits - early.commits;
    let grown = late.kib.saturating_sub(early.kib);
    eprintln!("{early:?}\n{late:?}\n{grown} KiB more for {commits} commits");
    // The threads are at a different point at each measurement, so a small difference is not
    // growth.
    assert!(late.descriptors <= early.descriptors + 8, "{early:?} {late:?}");
    assert!(late.threads <= early.threads + 2, "{early:?} {late:?}");
    // The allocator returns memory in large pieces, so a difference of 4 MiB is not growth.
    let allowed = 4096.0 + kib_for_a_commit * commits as f64;
    assert!((grown as f64) < allowed, "{grown} KiB more for {commits} commits");
}

#[test]
#[ignore = "is run by another test, alone in its process"]
fn one_run() {
    let Some(commits) = commits() else { return };
    let (repo, ids) = pending(commits);
    let engine = Engine::builder(repo.path()).open().unwrap();
    let (mut begun, mut held) = (0, Vec::new());
    let summary = engine.run(&Selection::pending(), &CancelToken::new(), &mut |event: &Event| {
        if matches!(event.kind, EventKind::JobStarted { .. }) {
            begun += 1;
            held.push(Held::now(begun));
        }
    });
    assert_eq!(summary.unwrap().records.len() as u64, commits);
    assert_verdicts(&repo, &ids);
    // The summary contains a record of each commit, so some growth is expected.
    assert_flat(&held, 4.0);
}

#[test]
#[ignore = "is run by another test, alone in its process"]
fn run_after_run() {
    let Some(commits) = commits() else { return };
    let (repo, ids) = pending(commits);
    let engine = Engine::builder(repo.path()).open().unwrap();
    let mut held = Vec::new();
    for (number, id) in (1..).zip(&ids) {
        let selection = Selection::revision(id);
        let summary = engine.run(&selection, &CancelToken::new(), &mut |_: &Event| {}).unwrap();
        assert!(summary.records.iter().any(|record| record.commit.to_string() == *id));
        held.push(Held::now(number));
    }
    assert_verdicts(&repo, &ids);
    assert_flat(&held, 0.5);
}

#[track_caller]
fn assert_verdicts(repo: &TestRepo, ids: &[String]) {
    let notes = repo.git(&["notes", "--ref", "tinyci-result", "list"]);
    assert_eq!(notes.lines().count(), ids.len());
}

#[test]
fn one_run_of_300_commits_holds_no_more_at_its_end() {
    alone("one_run", 300);
}

#[test]
fn runs_of_150_commits_hold_no_more_at_the_end() {
    alone("run_after_run", 150);
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn two_thousand_commits_hold_no_more_at_the_end() {
    alone("one_run", 2_000);
    alone("run_after_run", 500);
}

#[test]
#[ignore = "takes half an hour: by hand"]
fn ten_thousand_commits_in_one_run_hold_no_more_at_the_end() {
    alone("one_run", 10_000);
}

#[test]
#[ignore = "takes half an hour: by hand"]
fn ten_thousand_runs_of_a_commit_hold_no_more_at_the_end() {
    alone("run_after_run", 10_000);
}
