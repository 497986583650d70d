//! Runs the program under `tracer.c`, which kills it before a chosen system call and records what
//! it writes to the disk.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::OnceLock,
};

use tempfile::TempDir;

use crate::support::{program::tinyci, succeed};

/// The processes to kill before a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    Engine,
    /// The shell that kills the commands if the engine dies.
    Guard,
    Both,
    /// All processes, as in a power cut.
    All,
}

/// The result of a traced run of the program.
pub(super) struct Traced {
    /// The number of the program's own calls before which it could be killed.
    pub(super) calls: u64,
    pub(super) out: String,
    /// The directory with a record of each change, and saved copies of files.
    pub(super) journal: TempDir,
}

impl Traced {
    /// Returns the lines of the journal.
    pub(super) fn log(&self) -> Vec<String> {
        let text = fs::read_to_string(self.journal.path().join("log")).unwrap();
        text.lines().map(str::to_owned).collect()
    }
}

/// Runs the program in a directory, and kills processes before the call with this number. 0 kills
/// no process.
pub(super) fn traced(dir: &Path, args: &[&str], whom: Whom, point: u64) -> Traced {
    // Next to the repository, because files are saved as hard links.
    let journal = TempDir::new_in(dir.parent().unwrap()).unwrap();
    let word = match whom {
        Whom::Engine => "engine",
        Whom::Guard => "guard",
        Whom::Both => "both",
        Whom::All => "all",
    };
    let program = tinyci(dir);
    let mut command = Command::new(tracer());
    command.args([word, &point.to_string()]).arg(journal.path());
    command.arg(program.get_program()).args(args).current_dir(dir).stdin(Stdio::null());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let output = command.output().unwrap();
    assert_ne!(output.status.code(), Some(125), "{}", String::from_utf8_lossy(&output.stderr));
    let calls = fs::read_to_string(journal.path().join("calls")).unwrap();
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    Traced { calls: calls.trim().parse().unwrap(), out, journal }
}

/// Returns the path of the tracer, which is compiled once per process.
fn tracer() -> &'static Path {
    static TRACER: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = TRACER.get_or_init(|| {
        let dir = TempDir::new().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/crash/tracer.c");
        let path = dir.path().join("tracer");
        let compiled = Command::new("cc").args(["-O1", "-o"]).arg(&path).arg(source).output();
        succeed("cc", &compiled.unwrap());
        (dir, path)
    });
    path
}
