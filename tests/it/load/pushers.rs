//! Concurrent pushes that start the installed hook, while `tinyci` processes are killed at random.
//! Every pushed commit gets exactly one verdict.

use std::{
    collections::HashMap,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{
    Chance, TestRepo,
    processes::send,
    program::run,
    random::seed,
    server::{Server, search_path},
};

/// The point at which a pusher stops.
#[derive(Clone, Copy)]
enum Until {
    Pushes(u64),
    Time(Instant),
}

impl Until {
    fn is_reached(self, pushed: u64) -> bool {
        match self {
            Self::Pushes(pushes) => pushed == pushes,
            Self::Time(end) => Instant::now() >= end,
        }
    }
}

/// Pushes from a new clone to a separate branch, one to three commits at once. Returns the number
/// of pushes, and the commits.
fn push(server: &Path, pusher: u64, until: Until) -> (u64, Vec<String>) {
    let clone = TestRepo::new();
    clone.write(".tinyci.yml", "build: echo built\ntest: echo tested\n");
    let mut commits = Vec::new();
    let mut pushed = 0;
    while !until.is_reached(pushed) {
        for number in 0..=(pushed % 3) {
            commits.push(clone.commit(&format!("pusher {pusher}, push {pushed}, commit {number}")));
        }
        let mut command = clone.command();
        command.args(["push", "-q"]).arg(server).arg(format!("HEAD:refs/heads/pusher{pusher}"));
        command.env("PATH", search_path()).stdin(Stdio::null());
        let output = command.output().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && !err.contains("panicked"), "{err}");
        pushed += 1;
    }
    (pushed, commits)
}

/// Returns the `tinyci` processes of this repository, except their children. A child that still has
/// the program's name is about to start a command: if it were killed, the step and its commit would
/// fail.
fn engines(server: &Path) -> Vec<i32> {
    let pids = fs::read_dir("/proc").unwrap().flatten();
    let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let link =
        |pid: i32, name: &str| fs::read_link(format!("/proc/{pid}/{name}")).unwrap_or_default();
    let exe = |pid| link(pid, "exe");
    let is_engine = |pid: &i32| {
        let program = Path::new(env!("CARGO_BIN_EXE_tinyci"));
        let is_child = || parent(*pid).is_some_and(|parent| exe(parent) == program);
        exe(*pid) == program && link(*pid, "cwd") == server && !is_child()
    };
    pids.filter(is_engine).collect()
}

fn parent(pid: i32) -> Option<i32> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| line.strip_prefix("PPid:"))?.trim().parse().ok()
}

/// Kills one process at a time until everything is pushed. Returns the number of killed processes.
fn kill_at_random(server: &Path, chance: &mut Chance, done: &AtomicBool) -> u64 {
    let mut killed = 0;
    while !done.load(Ordering::Relaxed) {
        // This is not a wait for a condition, but a random time until the next kill.
        thread::sleep(Duration::from_millis(50 + chance.next() % 400));
        let engines = engines(server);
        if !engines.is_empty() {
            send(*chance.one(&engines), Signal::KILL);
            killed += 1;
        }
    }
    killed
}

/// Returns how often the verdict of each commit was written, in the whole history of the notes.
/// Does not count notes that only move to another directory of the tree.
fn times_written(server: &TestRepo) -> HashMap<String, i64> {
    let args = ["log", "-m", "--first-parent", "--format=", "--raw", "--no-renames", "--no-abbrev"];
    let mut written = HashMap::new();
    if server.git(&["for-each-ref", "refs/notes/tinyci-result"]).is_empty() {
        return written;
    }
    let log = server.git(&[&args[..], &["refs/notes/tinyci-result"]].concat());
    for line in log.lines().filter(|line| !line.is_empty()) {
        let (fields, path) = line.split_once('\t').unwrap();
        let change = fields.rsplit(' ').next().unwrap();
        let count = written.entry(path.replace('/', "")).or_insert(0);
        *count += match change {
            "A" | "M" => 1,
            "D" => -1,
            _ => panic!("{line}"),
        };
    }
    written
}

/// Returns the verdict of each commit that has one.
fn verdicts(server: &TestRepo) -> HashMap<String, String> {
    let mut words = HashMap::new();
    let list = server.git(&["notes", "--ref", "tinyci-result", "list"]);
    let verdict = |line: &str| {
        let (blob, commit) = line.split_once(' ').unwrap();
        let read = || server.git(&["cat-file", "blob", blob]);
        (commit.to_owned(), words.entry(blob.to_owned()).or_insert_with(read).clone())
    };
    list.lines().map(verdict).collect()
}

fn load(pushers: u64, until: Until, chance: &mut Chance) {
    let server = Server::new();
    let path = server.repo.path();
    // A killed run counts as an attempt, and chance decides how many attempts of one commit are
    // killed.
    server.repo.git(&["config", "tinyci.maxAttempts", "100000"]);
    let done = AtomicBool::new(false);
    let (pushed, killed) = thread::scope(|scope| {
        let killer = scope.spawn(|| kill_at_random(path, chance, &done));
        let pushing: Vec<_> =
            (0..pushers).map(|pusher| scope.spawn(move || push(path, pusher, until))).collect();
        let pushed: Vec<_> = pushing.into_iter().map(thread::ScopedJoinHandle::join).collect();
        done.store(true, Ordering::Relaxed);
        let pushed: Vec<_> = pushed.into_iter().map(Result::unwrap).collect();
        (pushed, killer.join().unwrap())
    });
    let pushes: u64 = pushed.iter().map(|(pushes, _)| pushes).sum();
    let commits: Vec<String> = pushed.into_iter().flat_map(|(_, commits)| commits).collect();
    let before: usize = times_written(&server.repo).len();
    run(&server.repo, &["run", "--all"]).with_code(0);
    let written = times_written(&server.repo);
    eprintln!(
        "{pushers} pushers, {pushes} pushes, {} commits, {killed} processes killed, {before} verdicts \
         before the last run, {} after it",
        commits.len(),
        written.len()
    );
    assert!(killed > 0);
    let verdicts = verdicts(&server.repo);
    for commit in &commits {
        assert_eq!(verdicts.get(commit).map(String::as_str), Some("success"), "{commit}");
        assert_eq!(written.get(commit), Some(&1), "{commit} has one verdict");
    }
    assert_eq!(written.len(), commits.len(), "no other commit has one");
    let mut fsck = Command::new("git");
    fsck.arg("-C").arg(path).args(["fsck", "--full", "--strict", "--no-dangling"]);
    let said = fsck.output().unwrap();
    assert!(said.status.success() && said.stdout.is_empty(), "{said:?}");
}

#[test]
fn six_pushers_and_killed_runs_leave_one_verdict_each() {
    load(6, Until::Pushes(3), &mut Chance::new(seed(1)));
}

fn forty_pushers_for(minutes: u64) {
    let end = Instant::now() + Duration::from_secs(60 * minutes);
    load(40, Until::Time(end), &mut Chance::new(seed(40)));
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn forty_pushers_and_killed_runs_for_3_minutes() {
    forty_pushers_for(3);
}

#[test]
#[ignore = "takes ten minutes: by hand"]
fn forty_pushers_and_killed_runs_for_10_minutes() {
    forty_pushers_for(10);
}
