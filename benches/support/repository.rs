//! Bare repositories of any size, each made by one `git fast-import`, and alike in every run.

use std::{
    fmt::Write as _,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use tempfile::TempDir;

use super::succeed;

/// Where the verdicts stand.
pub(crate) const NOTES: &str = "refs/notes/tinyci-result";

/// The config of every commit.
pub(crate) const CONFIG: &str = "build: 'true'\ntest: 'true'\n";

/// A bare repository in a folder of its own, gone with this value.
pub(crate) struct Repository {
    dir: TempDir,
}

impl Repository {
    pub(crate) fn empty() -> Self {
        let repository = Self { dir: TempDir::new().expect("a temporary folder") };
        let path = repository.path();
        let init = ["init", "-q", "--bare", "-b", "main", "--template="];
        std::fs::create_dir(&path).expect("a folder for the repository");
        succeed(repository.program("git").args(init));
        repository
    }

    /// A repository that is made by this stream.
    pub(crate) fn imported(stream: &Stream) -> Self {
        let repository = Self::empty();
        repository.import(stream);
        repository
    }

    /// A bare clone, whose original is left alone.
    pub(crate) fn clone_of(original: &Path) -> Self {
        let repository = Self::empty();
        let original = original.canonicalize().expect("the repository is there");
        let fetch = ["fetch", "-q", "--update-head-ok"];
        let refs = ["+refs/heads/*:refs/heads/*", "+HEAD:refs/heads/main"];
        succeed(repository.program("git").args(fetch).arg(original).args(refs));
        repository
    }

    /// The same once more.
    pub(crate) fn copy(&self) -> Self {
        let dir = TempDir::new().expect("a temporary folder");
        succeed(Command::new("cp").arg("-R").arg(self.path()).arg(dir.path()));
        Self { dir }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().join("repository.git")
    }

    /// A place beside the repository, on the same file system.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A program that will run in the repository, deaf to the machine's configuration of git.
    pub(crate) fn program(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        command.current_dir(self.path());
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada");
            command.env(format!("GIT_{who}_EMAIL"), "ada@example.org");
        }
        command
    }

    /// The program that these benchmarks are about, in the repository.
    pub(crate) fn tinyci(&self, words: &[&str]) -> Command {
        let mut command = self.program(env!("CARGO_BIN_EXE_tinyci"));
        command.args(words);
        command
    }

    pub(crate) fn git(&self, words: &[&str]) -> Command {
        let mut command = self.program("git");
        command.args(words);
        command
    }

    /// What git prints.
    pub(crate) fn ask_git(&self, words: &[&str]) -> String {
        let output = self.git(words).stderr(Stdio::inherit()).output().expect("git is there");
        assert!(output.status.success(), "git {words:?} failed");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    pub(crate) fn import(&self, stream: &Stream) {
        let mut command = self.git(&["fast-import", "--quiet", "--force"]);
        let mut git = command.stdin(Stdio::piped()).spawn().expect("git is there");
        let mut input = BufWriter::new(git.stdin.take().expect("its input"));
        input.write_all(stream.text.as_bytes()).expect("git reads the stream");
        drop(input);
        assert!(git.wait().expect("git ends").success(), "git fast-import failed");
    }

    /// Takes away what tinyci remembers of earlier scans.
    pub(crate) fn forget_scans(&self) {
        let _ = std::fs::remove_file(self.path().join("tinyci/judged"));
    }
}

/// What `git fast-import` reads.
pub(crate) struct Stream {
    text: String,
    commits: usize,
    /// The time of the commit before the first, in seconds since 1970.
    begins: usize,
}

impl Default for Stream {
    fn default() -> Self {
        Self { text: String::new(), commits: 0, begins: 1_500_000_000 }
    }
}

impl Stream {
    /// A history of `main`: each commit changes a file in one of twenty folders, and of ten one
    /// stands on a side branch and one merges it.
    pub(crate) fn history(commits: usize, config: &str) -> Self {
        let mut stream = Self::default();
        for number in 0..commits.next_multiple_of(10) {
            let parents = match number % 10 {
                _ if number == 0 => vec![],
                8 => vec![number - 3],
                9 => vec![number - 2, number - 1],
                _ => vec![number - 1],
            };
            let parents: Vec<_> = parents.iter().map(|parent| format!(":{}", parent + 1)).collect();
            stream.commit(&parents);
            if number == 0 {
                stream.file(".tinyci.yml", config);
            }
            let name = format!("source/{:02}/{:03}.txt", number % 20, number % 400);
            stream.file(&name, &format!("change {number}\n"));
        }
        stream
    }

    /// More commits on top of `main`, which is there and older.
    pub(crate) fn on_top(commits: usize) -> Self {
        let mut stream = Self { begins: 2_000_000_000, ..Self::default() };
        for number in 0..commits {
            let parent = if number == 0 { "refs/heads/main^0" } else { &format!(":{number}") };
            stream.commit(&[parent.to_owned()]);
            stream.file(".tinyci.yml", CONFIG);
            stream.file("new.txt", &format!("new {number}\n"));
        }
        stream
    }

    /// Begins a commit of `main` with these parents.
    pub(crate) fn commit(&mut self, parents: &[String]) {
        self.commits += 1;
        let mark = self.commits;
        self.push(format_args!("commit refs/heads/main\nmark :{mark}\n"));
        let seconds = self.begins + 60 * mark;
        self.push(format_args!("committer Ada <ada@example.org> {seconds} +0000\n"));
        self.data(&format!("Commit {mark}\n"));
        for (index, parent) in parents.iter().enumerate() {
            let verb = if index == 0 { "from" } else { "merge" };
            self.push(format_args!("{verb} {parent}\n"));
        }
    }

    /// Adds a file to the commit.
    pub(crate) fn file(&mut self, name: &str, contents: &str) {
        self.push(format_args!("M 100644 inline {name}\n"));
        self.data(contents);
    }

    /// A verdict for each of these commits, which are there.
    pub(crate) fn notes<'a>(commits: impl IntoIterator<Item = &'a str>) -> Self {
        let mut stream = Self::default();
        stream.begin_notes();
        for commit in commits {
            stream.push(format_args!("N inline {commit}\n"));
            stream.data("success\n");
        }
        stream
    }

    /// Verdicts of commits that are gone, fanned out as git does with some thousands of them.
    pub(crate) fn old_notes(count: usize) -> Self {
        let mut stream = Self::default();
        stream.begin_notes();
        for number in 0..count {
            // Spread as ids are.
            let spread = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let (folder, rest) = (spread >> 56, spread & 0xff_ffff_ffff_ffff);
            stream.file(&format!("{folder:02x}/{rest:014x}{number:024x}"), "success\n");
        }
        stream
    }

    fn begin_notes(&mut self) {
        self.push(format_args!("commit {NOTES}\n"));
        self.push(format_args!("committer tinyci <tinyci@localhost> 1500000000 +0000\n"));
        self.data("Verdicts\n");
    }

    fn data(&mut self, text: &str) {
        self.push(format_args!("data {}\n{text}\n", text.len()));
    }

    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("memory");
    }
}
