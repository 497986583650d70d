//! A server with the hook, a developer's clone, and real pushes between them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::{
    env,
    ffi::OsString,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use crate::support::{
    TestRepo, eventually,
    program::{run, tinyci},
};

/// The search path on which the hook finds the program under test.
pub(crate) fn search_path() -> OsString {
    let program = Path::new(env!("CARGO_BIN_EXE_tinyci"));
    let ours = program.parent().expect("the program lies in a folder").to_path_buf();
    let theirs = env::var_os("PATH").unwrap_or_default();
    env::join_paths([ours].into_iter().chain(env::split_paths(&theirs))).expect("a search path")
}

/// A repository that is pushed to, and one that is pushed from.
pub(crate) struct Server {
    pub(crate) repo: TestRepo,
    pub(crate) client: TestRepo,
}

impl Server {
    /// A bare repository with the hook, and a client without a commit.
    pub(crate) fn new() -> Self {
        Self::on(TestRepo::bare())
    }

    /// The same on a repository of the test's.
    pub(crate) fn on(repo: TestRepo) -> Self {
        run(&repo, &["install"]).with_code(0);
        let client = TestRepo::new();
        client.git(&["remote", "add", "origin", repo.path().to_str().unwrap()]);
        Self { repo, client }
    }

    /// `git push origin …`, not started yet.
    pub(crate) fn push_command(&self, args: &[&str]) -> Command {
        let mut command = self.client.command();
        command.args(["push", "origin"]).args(args).env("PATH", search_path());
        command.stdin(Stdio::null());
        command
    }

    /// Pushes; panics with git's own words if that fails.
    #[track_caller]
    pub(crate) fn push(&self, args: &[&str]) -> Pushed {
        let pushed = Pushed::of(&self.push_command(args).output().unwrap());
        assert!(pushed.ok, "git push {args:?} failed:\n{}", pushed.err);
        pushed
    }

    /// Starts a push whose standard error can be read while it runs.
    pub(crate) fn start_push(&self, args: &[&str]) -> Child {
        let mut command = self.push_command(args);
        command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// The program, in the server's repository.
    pub(crate) fn tinyci(&self, args: &[&str]) -> Command {
        let mut command = tinyci(self.repo.path());
        command.args(args);
        command
    }

    /// Where a hook of the server's stands.
    pub(crate) fn hook(&self, name: &str) -> PathBuf {
        self.repo.path().join("hooks").join(name)
    }

    /// A file beside both repositories, for what builds and tests tell each other.
    pub(crate) fn outside(&self, name: &str) -> PathBuf {
        self.repo.outside().join(name)
    }

    /// The words of these commits, `-` for none.
    pub(crate) fn verdicts(&self, commits: &[&str]) -> Vec<String> {
        let word = |id: &&str| self.repo.verdict(id).unwrap_or_else(|| "-".to_owned());
        commits.iter().map(word).collect()
    }

    /// The names in the server's folder of builds, oldest commit first, less the log.
    pub(crate) fn builds(&self) -> Vec<String> {
        builds_in(self.repo.path())
    }

    /// Waits until nobody holds the repository any more.
    #[track_caller]
    pub(crate) fn until_idle(&self) {
        eventually("the run ends", || !is_running(self.repo.path()));
    }
}

/// The names of a repository's builds and archives, in order.
pub(crate) fn builds_in(repo: &Path) -> Vec<String> {
    let entries = fs::read_dir(repo.join("builds")).into_iter().flatten();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "tinyci.log").collect();
    names.sort();
    names
}

/// Whether a run is in progress, found out as followers do.
pub(crate) fn is_running(git_dir: &Path) -> bool {
    let running = fs::File::open(git_dir.join("tinyci/running"));
    running.is_ok_and(|running| running.try_lock_shared().is_err())
}

/// What a pusher saw.
pub(crate) struct Pushed {
    pub(crate) ok: bool,
    pub(crate) err: String,
}

impl Pushed {
    pub(crate) fn of(output: &Output) -> Self {
        let err = String::from_utf8_lossy(&output.stderr).into_owned();
        Self { ok: output.status.success(), err }
    }

    /// What the hook said: the lines behind `remote: `, with `T` in place of each time.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<String> {
        remote_lines(&self.err)
    }

    /// Whether the hook said this line, whatever the time was.
    pub(crate) fn has(&self, text: &str) -> bool {
        self.lines().iter().any(|line| line == &format!("T {text}"))
    }
}

/// The hook's lines in what git wrote, with `T` in place of each time. git pads each with blanks.
#[track_caller]
pub(crate) fn remote_lines(err: &str) -> Vec<String> {
    let remote = err.lines().filter_map(|line| line.strip_prefix("remote: "));
    remote.map(|line| crate::support::program::without_time(line.trim_end())).collect()
}

/// Writes an executable file.
pub(crate) fn write_script(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Holds builds until a test lets them go on.
pub(crate) struct Gate {
    dir: PathBuf,
}

impl Gate {
    pub(crate) fn new(dir: PathBuf) -> Self {
        fs::create_dir(&dir).unwrap();
        Self { dir }
    }

    pub(crate) fn path(&self) -> std::path::Display<'_> {
        self.dir.display()
    }

    /// What a build does that is held: it leaves a file named after its commit. A test that has
    /// failed, and so is gone with its files, holds nobody.
    pub(crate) fn command(&self) -> String {
        let dir = self.dir.display();
        let hold = format!("while [ -d '{dir}' ] && ! [ -e '{dir}/open' ]; do sleep 0.01; done");
        format!("touch '{dir}/'$TINYCI_COMMIT; {hold}")
    }

    /// Waits until the build of this commit is held.
    #[track_caller]
    pub(crate) fn reached_by(&self, commit: &str) {
        eventually("a build reaches the gate", || self.dir.join(commit).exists());
    }

    pub(crate) fn open(&self) {
        fs::write(self.dir.join("open"), "").unwrap();
    }

    /// Holds builds again, after that of this commit.
    pub(crate) fn close(&self, commit: &str) {
        [commit, "open"].iter().for_each(|name| fs::remove_file(self.dir.join(name)).unwrap());
    }
}
