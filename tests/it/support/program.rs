//! The program `tinyci`, as a person runs it.

use std::{
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::TestRepo;

/// The program in this folder, deaf to the machine's own git configuration.
pub(crate) fn tinyci(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tinyci"));
    command
        .current_dir(dir)
        .stdin(Stdio::null())
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env_remove("GIT_DIR")
        .env_remove("GIT_SSH")
        .env_remove("GIT_SSH_COMMAND");
    command
}

/// What one call of the program did.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Panics with everything that was said, unless it ended with this code.
    #[track_caller]
    pub(crate) fn with_code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// Its lines, with `T` in place of the time in front of each.
    #[track_caller]
    pub(crate) fn log_lines(&self) -> Vec<String> {
        self.out.lines().map(without_time).collect()
    }
}

/// `T text` for `[HH:MM:SS] text`; panics where a line does not begin so.
#[track_caller]
pub(crate) fn without_time(line: &str) -> String {
    let (time, text) = line.split_at(line.len().min(11));
    let form: String =
        time.chars().map(|letter| if letter.is_ascii_digit() { '0' } else { letter }).collect();
    assert_eq!(form, "[00:00:00] ", "{line:?} has no time in front");
    format!("T {text}")
}

/// Runs the program in a folder with these arguments.
pub(crate) fn run_in(dir: &Path, args: &[&str]) -> Said {
    Said::of(&tinyci(dir).args(args).output().expect("the program starts"))
}

/// Runs the program in a repository with these arguments.
pub(crate) fn run(repo: &TestRepo, args: &[&str]) -> Said {
    run_in(repo.path(), args)
}

/// Another program, in the directory and environment of this command.
pub(crate) fn like(plain: &Command, program: &str) -> Command {
    let mut command = Command::new(program);
    for (name, value) in plain.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.current_dir(plain.get_current_dir().unwrap()).stdin(Stdio::null());
    command
}

pub(crate) fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).expect("the program runs");
}
