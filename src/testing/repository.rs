//! A repository for tests, made by the real `git` with fixed names and times.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicI64, Ordering},
};

use tempfile::TempDir;

/// A repository in a temporary directory, deleted with this value.
pub(crate) struct TestRepo {
    dir: TempDir,
    path: PathBuf,
    clock: AtomicI64,
}

impl TestRepo {
    /// Creates a repository with a working tree, on branch `main`.
    pub(crate) fn new() -> Self {
        Self::init(&["init", "-q", "-b", "main"], "work")
    }

    /// Creates a bare repository whose HEAD names `main`.
    pub(crate) fn bare() -> Self {
        Self::init(&["init", "-q", "--bare", "-b", "main"], "bare.git")
    }

    fn init(args: &[&str], name: &str) -> Self {
        let dir = TempDir::new().expect("a temporary directory");
        let path = dir.path().canonicalize().expect("its real path").join(name);
        std::fs::create_dir(&path).expect("a directory for the repository");
        let repo = Self { dir, path, clock: AtomicI64::new(1_500_000_000) };
        repo.git(args);
        // Flushes would take most of the time of the tests.
        repo.git(&["config", "core.fsync", "none"]);
        repo
    }

    /// Returns the directory of the repository.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the path of its only pack.
    pub(crate) fn pack(&self) -> PathBuf {
        let dir = PathBuf::from(self.git(&["rev-parse", "--git-path", "objects/pack"]));
        let entries = std::fs::read_dir(self.path.join(dir)).expect("a directory of packs");
        let mut paths = entries.map(|entry| entry.expect("its entries").path());
        paths.find(|path| path.extension().is_some_and(|it| it == "pack")).expect("a pack")
    }

    /// Overwrites all objects of its only pack. The trailer stays, because libgit2 compares it with the
    /// index.
    pub(crate) fn damage_pack(&self) {
        let pack = self.pack();
        let mut bytes = std::fs::read(&pack).expect("the pack");
        let trailer = bytes.len() - 20;
        bytes[14..trailer].fill(b'X');
        std::fs::remove_file(&pack).expect("its directory");
        std::fs::write(&pack, bytes).expect("its directory");
    }

    /// Returns the directory that contains the repository, for clones and scratch files.
    pub(crate) fn outside(&self) -> PathBuf {
        self.path.parent().expect("a parent directory").to_path_buf()
    }

    /// Returns a `git` command for this repository, which ignores the machine's configuration.
    pub(crate) fn command(&self) -> Command {
        self.command_in(&self.path)
    }

    /// Returns the same for another directory.
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

    /// Runs git and returns its trimmed output. Panics with git's output if it fails.
    pub(crate) fn git(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().expect("git is installed");
        succeed(&format!("git {args:?}"), &output)
    }

    /// Runs git and allows it to fail.
    pub(crate) fn try_git(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("git is installed")
    }

    /// Writes a file of the working tree. Creates its directories.
    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().expect("a parent directory"))
            .expect("its directories");
        std::fs::write(path, text).expect("the file");
    }

    /// Commits all changes, one minute after the previous commit. Returns the full id.
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

    /// Returns the word in a commit's verdict note, as git reads it.
    pub(crate) fn verdict(&self, commit: &str) -> Option<String> {
        let args = ["notes", "--ref", "tinyci-result", "show", commit];
        let output = self.try_git(&args);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Returns the trimmed standard output. Panics with both streams if the program failed.
pub(crate) fn succeed(what: &str, output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert!(output.status.success(), "{what} failed: {}\n{out}\n{err}", output.status);
    out.trim_end().to_owned()
}
