//! A repository for tests, made by the real `git` with fixed names and times.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicI64, Ordering},
};

use tempfile::TempDir;

/// A repository in a folder of its own, gone with this value.
pub(crate) struct TestRepo {
    dir: TempDir,
    path: PathBuf,
    clock: AtomicI64,
}

impl TestRepo {
    /// A repository with a work tree, on branch `main`.
    pub(crate) fn new() -> Self {
        Self::init(&["init", "-q", "-b", "main"], "work")
    }

    /// A bare repository whose HEAD names `main`.
    pub(crate) fn bare() -> Self {
        Self::init(&["init", "-q", "--bare", "-b", "main"], "bare.git")
    }

    fn init(args: &[&str], name: &str) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let path = dir.path().canonicalize().expect("its real path").join(name);
        std::fs::create_dir(&path).expect("a folder for the repository");
        let repo = Self { dir, path, clock: AtomicI64::new(1_500_000_000) };
        repo.git(args);
        // Flushes take most of the time of a test that is not about them.
        repo.git(&["config", "core.fsync", "none"]);
        repo
    }

    /// The repository's own folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// A folder around it, for clones and scratch files.
    pub(crate) fn outside(&self) -> PathBuf {
        self.path.parent().expect("a folder around").to_path_buf()
    }

    /// The `git` program in this repository, deaf to the machine's own configuration.
    pub(crate) fn command(&self) -> Command {
        self.command_in(&self.path)
    }

    /// The same in another folder.
    pub(crate) fn command_in(&self, dir: &Path) -> Command {
        let mut command = Command::new("git");
        let date = format!("{} +0000", self.clock.load(Ordering::Relaxed));
        command
            .current_dir(dir)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_AUTHOR_NAME", "Ada")
            .env("GIT_AUTHOR_EMAIL", "ada@example.org")
            .env("GIT_COMMITTER_NAME", "Ada")
            .env("GIT_COMMITTER_EMAIL", "ada@example.org")
            .env("GIT_AUTHOR_DATE", &date)
            .env("GIT_COMMITTER_DATE", &date)
            .env_remove("GIT_DIR")
            .env_remove("GIT_WORK_TREE")
            .env_remove("GIT_INDEX_FILE");
        command
    }

    /// Runs git and returns its trimmed output; panics with git's own words if it fails.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().expect("git is installed");
        succeed(&format!("git {args:?}"), &output)
    }

    /// Runs git where it may fail.
    pub(crate) fn try_git(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("git is installed")
    }

    /// Writes a file of the work tree, with its folders.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("its folders");
        std::fs::write(path, text).expect("the file");
    }

    /// Commits everything in the work tree a minute after the commit before; returns the full id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.clock.fetch_add(60, Ordering::Relaxed);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes `.tinyci.yml` and commits it.
    pub(crate) fn commit_config(&self, config: &str) -> String {
        self.write(".tinyci.yml", config);
        self.commit("config")
    }

    /// The word in a commit's verdict note, as git itself reads it.
    pub(crate) fn verdict(&self, commit: &str) -> Option<String> {
        let args = ["notes", "--ref", "tinyci-result", "show", commit];
        let output = self.try_git(&args);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Its trimmed standard output; panics with both streams if the program failed.
pub(crate) fn succeed(what: &str, output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert!(output.status.success(), "{what} failed: {}\n{out}\n{err}", output.status);
    out.trim_end().to_owned()
}
