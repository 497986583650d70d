//! Sends `kill -9` at many points of a run. No process and no unfinished file of the run is left,
//! and the next run gives the commit its only verdict.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{
    Chance, TestRepo, eventually,
    processes::{Process, below, send, with_command},
    program::{run, tinyci},
    random::seed,
    server::{Gate, Server, builds_in},
};

/// A repository, and a string that identifies the processes of its builds.
struct Victim {
    repo: TestRepo,
    mark: String,
}

impl Victim {
    fn new() -> Self {
        let repo = TestRepo::bare();
        let mark = repo.outside().file_name().unwrap().to_str().unwrap().to_owned();
        Self { repo, mark }
    }

    fn start(&self) -> Child {
        let mut command = tinyci(self.repo.path());
        command.args(["run", "--all"]).stdout(Stdio::null()).stderr(Stdio::null());
        command.spawn().unwrap()
    }

    /// Checks that the next run succeeds, that each commit gets one verdict, and that the killed
    /// runs left no process and no unfinished file.
    #[track_caller]
    fn assert_recovers(&self, commits: &[String]) {
        // This run waits for the lock. The guard of the killed run holds it until it has killed the
        // remaining processes.
        run(&self.repo, &["run", "--all"]).with_code(0);
        let strays = with_command(&self.mark);
        assert!(strays.is_empty(), "{strays:?} live on");
        for commit in commits {
            assert_eq!(self.repo.verdict(commit).as_deref(), Some("success"), "{commit}");
        }
        let words = self.repo.git(&["rev-list", "--count", "refs/notes/tinyci-result"]);
        assert_eq!(words, commits.len().to_string(), "each got its word once");
        assert_sound(self.repo.path());
        assert_eq!(run(&self.repo, &["run", "--all", "--no-wait"]).with_code(0).out, "");
    }
}

/// Checks that git finds no damage, and that no unfinished file is left once `git prune` has
/// removed the unfinished objects.
#[track_caller]
fn assert_sound(git_dir: &Path) {
    for args in [&["fsck", "--full", "--strict", "--no-dangling"][..], &["prune"]] {
        let git = Command::new("git").arg("-C").arg(git_dir).args(args).output().unwrap();
        let said = [git.stdout, git.stderr].concat();
        assert!(git.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
    }
    let unfinished = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let by_name = ["export.", "tmp_", "."].iter().any(|start| name.starts_with(start));
        by_name || name.ends_with(".lock")
    };
    let ours = |path: &PathBuf| !path.components().any(|part| part.as_os_str() == "export");
    let left = files_below(git_dir).into_iter().filter(|path| ours(path) && unfinished(path));
    let left: Vec<PathBuf> = left.collect();
    assert!(left.is_empty(), "{left:?}");
}

fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(files_below(&entry.path()));
        }
        found.push(entry.path());
    }
    found
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Pushes a commit with this config to a bare repository, and returns its id.
fn commit(repo: &TestRepo, client: &TestRepo, config: &str) -> String {
    let id = client.commit_config(config);
    client.git(&["push", "-q", repo.path().to_str().unwrap(), "main"]);
    id
}

#[test]
fn killed_while_it_exports() {
    let (victim, client) = (Victim::new(), TestRepo::new());
    (0..3000).for_each(|number| client.write(&format!("{}/{number}", number % 50), "text\n"));
    let id = commit(&victim.repo, &client, "build: test -e 49/2999\n");
    let child = victim.start();
    let half = |path: &PathBuf| path.to_string_lossy().contains("/export.2");
    let builds = victim.repo.path().join("builds");
    eventually("an export is under way", || {
        builds.is_dir() && files_below(&builds).iter().any(half)
    });
    kill(child);
    victim.assert_recovers(&[id]);
}

#[test]
fn killed_while_it_builds() {
    let (victim, client) = (Victim::new(), TestRepo::new());
    let gate = Gate::new(victim.repo.outside().join("gate"));
    // Processes in the background and in subshells of the build's process group.
    let sleep = format!("sh -c 'sleep 600; :' {}", victim.mark);
    let strays = format!("[ -e {}/open ] && exit; {sleep} & ({sleep} & {sleep} &) &", gate.path());
    let config = format!("build: |\n  {strays}\n  {}\n", gate.command());
    let id = commit(&victim.repo, &client, &config);
    let child = victim.start();
    gate.reached_by(&id);
    eventually("all of them run", || {
        with_command(&format!("sleep 600; : {}", victim.mark)).len() == 3
    });
    kill(child);
    gate.open();
    victim.assert_recovers(&[id]);
}

#[test]
fn killed_while_it_cleans_up() {
    let (victim, client) = (Victim::new(), TestRepo::new());
    let gate = Gate::new(victim.repo.outside().join("gate"));
    let config = format!("build: echo built\nhooks:\n  after_all: {}\n", gate.command());
    let id = commit(&victim.repo, &client, &config);
    let child = victim.start();
    gate.reached_by(&id);
    kill(child);
    assert_eq!(victim.repo.verdict(&id), None);
    gate.open();
    victim.assert_recovers(&[id]);
}

/// Locks the ref of the verdicts, so that the run stores its record and then waits.
#[test]
fn killed_between_the_record_and_the_word() {
    let (victim, client) = (Victim::new(), TestRepo::new());
    let id = commit(&victim.repo, &client, "build: echo built\n");
    let lock = victim.repo.path().join("refs/notes/tinyci-result.lock");
    fs::create_dir_all(lock.parent().unwrap()).unwrap();
    fs::write(&lock, "").unwrap();
    let child = victim.start();
    let record = victim.repo.path().join("refs/notes/runs/tinyci");
    eventually("the record is stored", || record.exists());
    kill(child);
    fs::remove_file(&lock).unwrap();
    assert_eq!(victim.repo.verdict(&id), None);
    let shown = run(&victim.repo, &["results"]).with_code(0).out;
    assert!(shown.contains("error") || shown.contains("interrupted"), "{shown}");

    victim.assert_recovers(std::slice::from_ref(&id));
    let shown = run(&victim.repo, &["results"]).with_code(0).out;
    assert!(shown.lines().count() == 1 && shown.contains("success"), "{shown}");
    let all = victim.repo.git(&["notes", "--ref", "refs/notes/runs/tinyci", "show", &id]);
    assert_eq!(all.lines().filter(|line| !line.is_empty()).count(), 2, "{all}");
}

#[test]
fn killed_at_any_moment() {
    let (victim, client) = (Victim::new(), TestRepo::new());
    let config = "build: |\n  echo built; sleep 0.01\ntest: echo tested\n\
                  hooks:\n  after_all: echo cleaned\n";
    (0..50).for_each(|number| client.write(&format!("files/{number}"), "text\n"));
    let mut commits = vec![commit(&victim.repo, &client, config)];
    let begun = Instant::now();
    run(&victim.repo, &["run", "--all"]).with_code(0);
    let whole = u64::try_from(begun.elapsed().as_micros()).unwrap();
    let mut chance = Chance::new(seed(7));
    let mut words_early = 0;
    for _ in 0..40 {
        commits.push(commit(&victim.repo, &client, config));
        let id = commits.last().unwrap();
        let child = victim.start();
        thread::sleep(Duration::from_micros(chance.next() % (whole * 5 / 4)));
        kill(child);
        words_early += usize::from(victim.repo.verdict(id).is_some());
        run(&victim.repo, &["run", "--all"]).with_code(0);
        assert_eq!(victim.repo.verdict(id).as_deref(), Some("success"));
    }
    assert!(words_early < 40, "every run was over before it was killed");
    victim.assert_recovers(&commits);
}

#[test]
fn killed_under_a_push_and_the_next_push_catches_up() {
    let server = Server::new();
    let gate = Gate::new(server.outside("gate"));
    let first = server.client.commit_config(&format!("build: {}\n", gate.command()));
    let push = server.start_push(&["main"]);
    gate.reached_by(&first);
    let is_ours = |process: &Process| {
        let cwd = fs::read_link(format!("/proc/{}/cwd", process.pid));
        cwd.is_ok_and(|cwd| cwd == server.repo.path())
    };
    let engine = with_command("tinyci run --hook").into_iter().find(is_ours).unwrap();
    let build = below(engine.pid);
    assert!(!build.is_empty());
    send(engine.pid, Signal::KILL);
    // The push ends although the run was killed.
    assert!(push.wait_with_output().unwrap().status.success());
    gate.open();
    let second = server.client.commit("second");
    server.push(&["main"]);
    assert_eq!(server.verdicts(&[&first, &second]), ["success", "success"]);
    assert_sound(server.repo.path());
}

/// Tests a commit that kills the engine: it does not keep other commits from being tested.
#[test]
fn a_commit_that_kills_its_engine_is_tried_three_times() {
    let (victim, client) = (Victim::new(), TestRepo::new());
    let killer = "build: kill -s KILL $PPID\n";
    let bad = commit(&victim.repo, &client, killer);
    for _ in 0..3 {
        let status = victim.start().wait().unwrap();
        assert!(!status.success());
    }
    let good = commit(&victim.repo, &client, "build: echo built\n");
    let said = run(&victim.repo, &["run", "--all"]).with_code(4);
    assert!(said.out.contains("after 3 attempts without a verdict"), "{}", said.out);
    assert_eq!(victim.repo.verdict(&good).as_deref(), Some("success"));
    assert_eq!(victim.repo.verdict(&bad), None);
    let table = run(&victim.repo, &["plan"]).with_code(0).out;
    assert!(table.contains("out of attempts"), "{table}");
}

#[test]
fn a_compaction_that_is_killed_leaves_each_build_whole_or_packed() {
    let (victim, client) = (Victim::new(), TestRepo::new());
    client.write("large", vec![b'x'; 2 << 20]);
    let mut commits = Vec::new();
    for number in 0..6 {
        client.write("number", format!("{number}\n"));
        commits.push(commit(&victim.repo, &client, "build: cp large made\n"));
    }
    run(&victim.repo, &["run", "--all"]).with_code(0);
    let builds = victim.repo.path().join("builds");
    let mut chance = Chance::new(seed(11));
    for _ in 0..12 {
        let mut compact = tinyci(victim.repo.path());
        let child = compact.arg("compact").stdout(Stdio::null()).spawn().unwrap();
        thread::sleep(Duration::from_millis(chance.next() % 150));
        kill(child);
    }
    run(&victim.repo, &["compact"]).with_code(0);
    assert_sound(victim.repo.path());
    let names = builds_in(victim.repo.path());
    assert_eq!(names.len(), 6, "{names:?}");
    for (name, commit) in names.iter().zip(&commits) {
        assert!(name.contains(commit.as_str()), "{names:?}");
        if let Some(build) = name.strip_suffix(".tar.gz") {
            let list = Command::new("tar")
                .args(["-tzf", builds.join(name).to_str().unwrap()])
                .output()
                .unwrap();
            let list = String::from_utf8_lossy(&list.stdout).into_owned();
            let made = format!("{build}/export/made");
            assert!(list.lines().any(|line| line == made), "{list}");
        } else {
            assert!(builds.join(name).join("export/made").exists());
        }
    }
}
