//! Repositories to crash in, and the checks after a crash. Each repository is created once and
//! copied for every crash.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use tempfile::TempDir;

use crate::support::{
    TestRepo, eventually,
    program::{Said, run_in},
    succeed,
};

const CONFIG: &str = "build: echo built >made\ntest: echo tested\nhooks:\n  after_all: echo done\n\
                      deploy: cat made >>../../../deployed\n";

/// The command that is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Run,
    /// With four jobs at once.
    RunFour,
    Deploy,
    Rollback,
    Compact,
    Prune,
    Install,
    Merge,
}

impl Act {
    pub(super) const ALL: [Act; 8] = [
        Act::Run,
        Act::RunFour,
        Act::Deploy,
        Act::Rollback,
        Act::Compact,
        Act::Prune,
        Act::Install,
        Act::Merge,
    ];

    /// The ones that start commands of the config, which a guard watches.
    pub(super) const WITH_GUARD: [Act; 4] = [Act::Run, Act::RunFour, Act::Deploy, Act::Rollback];

    pub(super) fn words(self) -> &'static [&'static str] {
        match self {
            Act::Run => &["run", "--all"],
            Act::RunFour => &["run", "--all", "--jobs", "4"],
            Act::Deploy => &["deploy", "--yes"],
            Act::Rollback => &["rollback", "--yes"],
            Act::Compact => &["compact", "--keep", "1"],
            Act::Prune => &["prune", "--keep", "1"],
            Act::Install => &["install"],
            Act::Merge => &["results", "--merge"],
        }
    }

    /// Returns the number of pending commits.
    fn pending(self) -> usize {
        match self {
            Act::Run => 2,
            Act::RunFour => 4,
            _ => 0,
        }
    }
}

/// A directory with a repository in it.
pub(super) struct Scene {
    act: Act,
    dir: TempDir,
    commits: Vec<String>,
}

impl Scene {
    /// Creates a repository in which the command has something to do. If `flushes` is set, tinyci
    /// flushes what it writes.
    pub(super) fn new(act: Act, flushes: bool) -> Self {
        let client = TestRepo::new();
        let scene = Self { act, dir: TempDir::new().unwrap(), commits: Vec::new() };
        client.git(&["init", "-q", "--bare", "-b", "main", scene.path().to_str().unwrap()]);
        // The setup needs no flushes, because only what is written later can be lost.
        scene.git(&["config", "core.fsync", "none"]);
        client.git(&["remote", "add", "server", scene.path().to_str().unwrap()]);
        let mut commits = Vec::new();
        for number in 0..3 {
            client.write("number", format!("{number}\n"));
            commits.push(client.commit_config(CONFIG));
            client.git(&["push", "-q", "server", "main"]);
            scene.run(&["run", "--all"]).with_code(0);
            if act == Act::Rollback && number < 2 {
                scene.run(&["deploy", "--yes"]).with_code(0);
            }
        }
        for number in 0..act.pending() {
            client.write("number", format!("pending {number}\n"));
            commits.push(client.commit_config(CONFIG));
        }
        client.git(&["push", "-q", "server", "main"]);
        let scene = Self { commits, ..scene };
        if act == Act::Merge {
            scene.move_results_to_a_remote(&client);
        }
        if flushes {
            scene.git(&["config", "--unset", "core.fsync"]);
        }
        scene
    }

    /// Turns the results into results that were fetched from a remote, and then tests one commit
    /// here.
    fn move_results_to_a_remote(&self, client: &TestRepo) {
        let git = |args: &[&str]| {
            succeed("git", &client.command_in(&self.path()).args(args).output().unwrap())
        };
        git(&["remote", "add", "origin", client.path().to_str().unwrap()]);
        for name in ["tinyci-result", "runs/tinyci"] {
            let (here, there) =
                (format!("refs/notes/{name}"), format!("refs/notes/remotes/origin/{name}"));
            git(&["update-ref", &there, &here]);
        }
        self.run(&["results", "--forget-all", "--yes"]).with_code(0);
        let first = self.commits.first().unwrap();
        self.run(&["run", first]).with_code(0);
    }

    /// Copies the repository to another directory.
    pub(super) fn copy(&self) -> Self {
        let dir = TempDir::new().unwrap();
        let mut copy = Command::new("cp");
        copy.args(["-a", "--"]).arg(self.path()).arg(dir.path());
        succeed("cp", &copy.output().unwrap());
        Self { act: self.act, dir, commits: self.commits.clone() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join("repository.git")
    }

    pub(super) fn run(&self, words: &[&str]) -> Said {
        run_in(&self.path(), words)
    }

    pub(super) fn git(&self, args: &[&str]) -> Said {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.path()).args(args);
        git.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        Said::of(&git.output().unwrap())
    }

    /// Returns the verdicts that git shows: for each, a line with the commit and the verdict.
    pub(super) fn verdicts(&self) -> Vec<String> {
        let list = self.git(&["notes", "--ref", "tinyci-result", "list"]).out;
        let mut words = HashMap::new();
        let line = |line: &str| {
            let (blob, commit) = line.split_once(' ').unwrap();
            let read = || self.git(&["cat-file", "blob", blob]).out;
            let word = words.entry(blob.to_owned()).or_insert_with(read);
            format!("{commit} {}", word.trim_end())
        };
        list.lines().map(line).collect()
    }

    /// Checks that git finds no damage, and that the repository accepts a push.
    #[track_caller]
    pub(super) fn assert_git_accepts(&self) {
        let said = self.git(&["fsck", "--full", "--strict", "--no-dangling"]);
        assert_eq!(said.code, Some(0), "{}{}", said.out, said.err);
        let clone = self.dir.path().join("clone");
        let git = |args: &[&str]| {
            let mut git = Command::new("git");
            git.args(args).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
            // The hook is not tested here.
            git.env("PATH", "/usr/bin:/bin");
            succeed("git", &git.output().unwrap())
        };
        let (here, there) = (self.path(), clone.to_str().unwrap().to_owned());
        git(&["clone", "-q", here.to_str().unwrap(), &there]);
        git(&["-C", &there, "push", "-q", "origin", "HEAD:refs/heads/pushed"]);
        git(&["-C", &there, "push", "-q", "origin", ":refs/heads/pushed"]);
        fs::remove_dir_all(clone).unwrap();
    }

    /// Runs the command again. Checks that the result is the same as without a crash, that nothing
    /// is lost, and that nothing unfinished is left.
    #[track_caller]
    pub(super) fn assert_recovers(&self, verdicts_before: &[String]) {
        self.go_on();
        // The next process that updates refs removes unfinished files.
        self.run(&["run", "--all"]).with_code(0);
        let verdicts = self.verdicts();
        for verdict in verdicts_before {
            assert!(verdicts.contains(verdict), "lost: {verdict}");
        }
        let mut expected: Vec<String> =
            self.commits.iter().map(|commit| format!("{commit} success")).collect();
        expected.sort();
        assert_eq!(verdicts, expected, "each commit has one verdict");
        let said = self.git(&["fsck", "--full", "--strict", "--no-dangling"]).with_code(0);
        assert_eq!(format!("{}{}", said.out, said.err), "");
        let left: Vec<_> = files_below(&self.path()).into_iter().filter(|it| is_left(it)).collect();
        assert!(left.is_empty(), "{left:?}");
        if self.act.pending() > 0 {
            let said = self.run(&["run", "--all", "--no-wait"]).with_code(0);
            assert_eq!(said.out, "", "nothing is left to do");
        }
    }

    fn go_on(&self) {
        let words = self.act.words();
        match self.act {
            Act::Deploy | Act::Rollback => self.deploy_again(words),
            // The other commands can be repeated even if they were finished.
            _ => drop(self.run(words).with_code(0)),
        }
        if self.act == Act::Install {
            let config = self.git(&["config", "--get-all", "receive.advertisePushOptions"]);
            assert_eq!(config.out, "true\n");
            self.run(&["uninstall"]).with_code(0);
        }
    }

    /// Repeats the deployment. tinyci refuses to deploy after an interrupted deployment until a
    /// person unlocks it.
    fn deploy_again(&self, words: &[&str]) {
        let outcomes = self.run(&["deployments", "--json"]).with_code(0).out;
        let is_interrupted =
            outcomes.lines().next().is_some_and(|it| it.contains("\"interrupted\""));
        if is_interrupted {
            self.run_when_free(&["deploy", "--yes", "--unlock", "looked"]);
        } else if !outcomes.contains("rollback") {
            self.run_when_free(words);
        }
        let outcomes = self.run(&["deployments", "--json"]).with_code(0).out;
        let newest = outcomes.lines().next().unwrap();
        assert!(newest.contains("\"success\""), "{newest}");
    }

    /// Runs the command once the environment is free. The guard of a killed deployment has the lock
    /// of its environment until all of its commands are dead.
    fn run_when_free(&self, words: &[&str]) {
        let mut said = self.run(words);
        eventually("the guard releases the lock of the environment", || {
            if said.code == Some(3) {
                said = self.run(words);
            }
            said.code != Some(3)
        });
        said.with_code(0);
    }
}

/// Returns true if this is an unfinished file, or a lock of git.
fn is_left(path: &Path) -> bool {
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let in_locking = path.parent().is_some_and(|dir| dir.ends_with("tinyci/locking"));
    let by_name = ["export.", "tmp_", ".tinyci-new-"].iter().any(|start| name.starts_with(start));
    let by_end = [".lock", ".new", ".tmp", ".unfinished"].iter().any(|end| name.ends_with(end));
    in_locking || by_name || by_end || name.contains(".removed")
}

pub(super) fn files_below(dir: &Path) -> Vec<PathBuf> {
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
