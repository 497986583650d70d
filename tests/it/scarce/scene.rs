//! A repository with a pending commit, and the checks after each run.

use std::{
    ffi::OsStr,
    fs,
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crate::support::{
    TestRepo,
    program::{like, tinyci},
    succeed,
};

/// A pipeline whose steps and cleanup all appear in the log.
pub(super) const CONFIG: &str =
    "build: echo built\ntest: echo tested\nhooks: {after_all: echo cleaned}\n";

/// The result of a run under a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    Tested,
    /// The run named what was missing and left no verdict.
    Refused,
    /// The system could not start the program.
    NotStarted,
    /// The process ended in the middle, as after a kill.
    Aborted,
}

/// A bare repository, and the clone that its commits come from.
pub(super) struct Scene {
    pub(super) repo: TestRepo,
    client: TestRepo,
    commits: Vec<String>,
}

impl Scene {
    pub(super) fn new() -> Self {
        let client = TestRepo::new();
        client.write(".tinyci.yml", CONFIG);
        Self { repo: TestRepo::bare(), client, commits: Vec::new() }
    }

    /// Pushes another commit, and returns its id. [`check`](Self::check) checks the newest commit.
    pub(super) fn commit(&mut self) -> String {
        let id = self.client.commit("another");
        self.client.git(&["push", "-q", self.repo.path().to_str().unwrap(), "main"]);
        self.commits.push(id.clone());
        id
    }

    /// Adds a file to the following commits.
    pub(super) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        self.client.write(name, text);
    }

    pub(super) fn run(&self) -> Output {
        tinyci(self.repo.path()).args(["run", "--all"]).output().unwrap()
    }

    /// Tests the pending commits under `prlimit` with these limits.
    pub(super) fn run_limited(&self, limits: &[&str]) -> Output {
        self.below("prlimit", limits).output().unwrap()
    }

    /// Returns a command that starts `tinyci run --all` through another program.
    pub(super) fn below(&self, program: &str, args: &[impl AsRef<OsStr>]) -> Command {
        let plain = tinyci(self.repo.path());
        let mut command = like(&plain, program);
        command.args(args).arg(plain.get_program()).args(["run", "--all"]);
        command
    }

    /// Checks the run of the newest commit: it tested the commit, or it left no verdict and named
    /// what was missing. Then checks that a run without limits tests the commit.
    #[track_caller]
    pub(super) fn check(&self, situation: &str, output: &Output, lacks: &[&str]) -> Ended {
        let told = both(output);
        let commit = self.commits.last().unwrap();
        let verdict = self.repo.verdict(commit);
        assert!(!told.contains("panicked"), "{situation}: {told}");
        let ended = match (output.status.code(), output.status.signal()) {
            (Some(0), _) => Ended::Tested,
            (Some(4), _) => {
                let named = lacks.iter().any(|lack| told.contains(lack));
                assert!(named, "{situation} does not name what is missing: {told}");
                Ended::Refused
            }
            // The loader reports it, or the kernel ends the process before the loader can.
            (Some(127), _) if told.contains("error while loading shared libraries") => {
                Ended::NotStarted
            }
            // Rust and glibc end the process if they get no memory for a small object.
            (None, Some(libc::SIGABRT))
                if told.contains("memory allocation of")
                    || (told.contains("Fatal glibc error") && told.contains("out of memory")) =>
            {
                Ended::Aborted
            }
            (None, Some(libc::SIGSEGV | libc::SIGKILL)) if told.is_empty() => Ended::NotStarted,
            _ => panic!("{situation}: {}\n{told}", output.status),
        };
        // A process that ends suddenly may have stored the verdict before.
        let expected = (ended == Ended::Tested).then_some("success");
        let is_expected = verdict.as_deref() == expected || ended == Ended::Aborted;
        assert!(is_expected, "{situation}: {verdict:?} {told}");
        self.assert_recovers(situation);
        ended
    }

    /// Checks that a run without limits gives one verdict to each commit.
    #[track_caller]
    pub(super) fn assert_recovers(&self, situation: &str) {
        let again = self.run();
        assert_eq!(again.status.code(), Some(0), "after {situation}: {}", both(&again));
        for commit in &self.commits {
            assert_eq!(self.repo.verdict(commit).as_deref(), Some("success"), "{situation}");
        }
        let verdicts = self.repo.git(&["rev-list", "--count", "refs/notes/tinyci-result"]);
        assert_eq!(verdicts, self.commits.len().to_string(), "{situation}: one verdict each");
        assert_sound(self.repo.path(), situation);
    }
}

/// Checks that git finds no damage, and that no lock is left.
#[track_caller]
pub(super) fn assert_sound(git_dir: &Path, situation: &str) {
    let mut fsck = Command::new("git");
    fsck.arg("-C").arg(git_dir).args(["fsck", "--full", "--strict", "--no-dangling"]);
    let said = succeed("git fsck", &fsck.output().unwrap());
    assert_eq!(said, "", "{situation}");
    assert_eq!(locks_below(git_dir), [""; 0].map(PathBuf::from), "{situation}");
}

fn locks_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(locks_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "lock") {
            found.push(path);
        }
    }
    found
}

pub(super) fn both(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}
