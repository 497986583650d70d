//! A repository for tests, made by the real `git` with fixed names and times.

#![allow(dead_code, unreachable_pub, reason = "each program of tests uses a part of it")]

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicI64, Ordering},
    thread,
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Long enough for any machine, short enough to notice that something hangs.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until a condition holds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Whether this process runs. A zombie does not.
pub fn is_alive(process: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.trim()));
    stat.is_ok_and(|stat| {
        let state = stat.rsplit_once(") ").map(|(_, rest)| rest.starts_with(['Z', 'X']));
        state == Some(false)
    })
}

/// Runs a test on a thread whose mounts, and those of the programs that it starts, nobody else sees
/// and are gone with it. Only root may do so on a thread of its own; otherwise the test says that it
/// was left out.
#[cfg(target_os = "linux")]
pub fn with_own_mounts(test: impl FnOnce() + Send) {
    let own = || {
        // SAFETY: the call takes a number, and changes nothing but this thread.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            eprintln!("left out: {}", std::io::Error::last_os_error());
            return;
        }
        mount(&["--make-rprivate", "/"]);
        test();
    };
    thread::scope(|scope| match scope.spawn(own).join() {
        Ok(()) => {}
        Err(panic) => std::panic::resume_unwind(panic),
    });
}

/// Runs `mount`, which has to work.
#[cfg(target_os = "linux")]
pub fn mount(args: &[&str]) {
    let output = Command::new("mount").args(args).output().expect("mount is installed");
    succeed(&format!("mount {args:?}"), &output);
}

/// A repository in a folder of its own, gone with this value.
pub struct TestRepo {
    dir: TempDir,
    path: PathBuf,
    clock: AtomicI64,
}

impl TestRepo {
    /// A repository with a work tree, on branch `main`.
    pub fn new() -> Self {
        Self::init(&["init", "-q", "-b", "main"], "work")
    }

    /// A bare repository whose HEAD names `main`.
    pub fn bare() -> Self {
        Self::init(&["init", "-q", "--bare", "-b", "main"], "bare.git")
    }

    fn init(args: &[&str], name: &str) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        let path = dir.path().canonicalize().expect("its real path").join(name);
        std::fs::create_dir(&path).expect("a folder for the repository");
        let repo = Self { dir, path, clock: AtomicI64::new(1_500_000_000) };
        repo.git(args);
        repo
    }

    /// The repository's own folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder around it, for clones and scratch files.
    pub fn outside(&self) -> PathBuf {
        self.path.parent().expect("a folder around").to_path_buf()
    }

    /// The `git` program in this repository, deaf to the machine's own configuration.
    pub fn command(&self) -> Command {
        self.command_in(&self.path)
    }

    /// The same in another folder.
    pub fn command_in(&self, dir: &Path) -> Command {
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
    pub fn git(&self, args: &[&str]) -> String {
        let output = self.command().args(args).output().expect("git is installed");
        succeed(&format!("git {args:?}"), &output)
    }

    /// Runs git where it may fail.
    pub fn try_git(&self, args: &[&str]) -> Output {
        self.command().args(args).output().expect("git is installed")
    }

    /// Writes a file of the work tree, with its folders.
    pub fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        let path = self.path.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("its folders");
        std::fs::write(path, text).expect("the file");
    }

    /// Commits everything in the work tree a minute after the commit before; returns the full id.
    pub fn commit(&self, message: &str) -> String {
        self.clock.fetch_add(60, Ordering::Relaxed);
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Writes `.tinyci.yml` and commits it.
    pub fn commit_config(&self, config: &str) -> String {
        self.write(".tinyci.yml", config);
        self.commit("config")
    }

    /// The word in a commit's verdict note, as git itself reads it.
    pub fn verdict(&self, commit: &str) -> Option<String> {
        let args = ["notes", "--ref", "tinyci-result", "show", commit];
        let output = self.try_git(&args);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

/// Its trimmed standard output; panics with both streams if the program failed.
pub fn succeed(what: &str, output: &Output) -> String {
    let (out, err) = (&output.stdout, &output.stderr);
    let (out, err) = (String::from_utf8_lossy(out), String::from_utf8_lossy(err));
    assert!(output.status.success(), "{what} failed: {}\n{out}\n{err}", output.status);
    out.trim_end().to_owned()
}
