//! Which file a command names, how it is started, and what is said where that can't be done.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    io,
    os::fd::AsFd,
    path::{Path, PathBuf, absolute},
};

use rustix::{
    fs::{Access, access},
    io::Errno,
};

use crate::{
    model::{
        error::{Error, ErrorKind},
        executor::{Command, Program},
    },
    process::{child::Child, guard, input, pipe::Pipes, spawn::Launch},
};

/// Where a shell looks that was given no `PATH`.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// What became of the attempt to start a command.
pub(super) enum Start {
    /// It runs, and these are the ends of its output.
    Started(Child, Pipes),
    /// It can't run, and that is the commit's doing.
    Refused {
        /// The status that a shell would have given.
        status: i32,
        /// Why, for its output.
        line: String,
    },
}

/// Starts a command in a session and a process group of its own.
///
/// What the child gets: the descriptors 0, 1 and 2 and no other of ours; its environment and nothing
/// of the host's; no terminal, lest one that asks a person there, or changes the terminal, be
/// stopped for ever. What it inherits: the signals that the host ignores, but for SIGPIPE.
///
/// The mark, which it gets as a variable, is how the guard knows it until it knows its number.
pub(super) fn start(command: &Command, mark: &str) -> Result<Start, Error> {
    // A program named by a path is relative to the command's directory, not to the host's.
    let cwd = absolute(&command.cwd).unwrap_or_else(|_| command.cwd.clone());
    let (program, arguments) = match words(command, &cwd)? {
        Ok(words) => words,
        Err(error) => return Ok(refuse(command, &error)),
    };
    let mut env = command.env.clone();
    env.insert(guard::VARIABLE.into(), mark.into());
    let input = input::file(command.input.as_deref())?;
    // The ends to write to are closed with this function: open, the pipes never came to their end.
    let (pipes, [stdout, stderr]) = Pipes::new(command.output)?;
    let streams = [input.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let launch = Launch { program: &program, arguments, env: &env, cwd: &cwd, streams };
    match launch.spawn() {
        Ok(pid) => Ok(Start::Started(Child::new(pid), pipes)),
        Err(error) => explain(command, &cwd, error),
    }
}

/// A program's file, and its arguments with its name in front.
type Words<'a> = (PathBuf, Vec<&'a OsStr>);

/// What is started for a command. The inner error says that there is no such program.
fn words<'a>(command: &'a Command, cwd: &Path) -> Result<io::Result<Words<'a>>, Error> {
    let words = match &command.program {
        Program::Shell(text) => {
            let words = ["/bin/sh", "-c", text].map(OsStr::new);
            return Ok(Ok(("/bin/sh".into(), words.into())));
        }
        Program::Argv(words) => words,
    };
    let Some(name) = words.first() else {
        return Err(Error::new(ErrorKind::InvalidArg, "cannot start an empty command"));
    };
    let path = find(name, cwd, search_path(&command.env));
    Ok(path.map(|path| (path, words.iter().map(OsStr::new).collect())))
}

/// The `PATH` that a command with this environment will see.
pub(crate) fn search_path(env: &BTreeMap<OsString, OsString>) -> &OsStr {
    env.get(OsStr::new("PATH")).map_or(OsStr::new(DEFAULT_PATH), OsString::as_os_str)
}

/// The file that a program's name means to a command in this directory, as `execvp` finds it.
pub(crate) fn find(name: &str, cwd: &Path, search_path: &OsStr) -> io::Result<PathBuf> {
    if name.contains('/') {
        return Ok(cwd.join(name));
    }
    let mut missing = Errno::NOENT;
    for dir in std::env::split_paths(search_path).filter(|_| !name.is_empty()) {
        let path = cwd.join(dir).join(name);
        match access(&path, Access::EXEC_OK) {
            Ok(()) if path.is_file() => return Ok(path),
            Err(Errno::ACCESS) => missing = Errno::ACCESS,
            _ => {}
        }
    }
    Err(missing.into())
}

/// Tells the commit's mistakes from the machine's troubles.
fn explain(command: &Command, cwd: &Path, error: io::Error) -> Result<Start, Error> {
    // `posix_spawn` says ENOENT for a missing directory as for a missing program.
    if let Err(entering) = std::fs::metadata(cwd.join(".")) {
        let line = format!("cannot enter directory `{}`: {entering}\n", cwd.display());
        return Ok(Start::Refused { status: status(&entering), line });
    }
    let of_the_text = matches!(Errno::from_io_error(&error), Some(Errno::TOOBIG))
        || error.kind() == io::ErrorKind::InvalidInput;
    let of_the_file = matches!(
        Errno::from_io_error(&error),
        Some(
            Errno::NOENT
                | Errno::NOTDIR
                | Errno::ACCESS
                | Errno::PERM
                | Errno::NOEXEC
                | Errno::TXTBSY
                | Errno::ISDIR
                | Errno::LOOP
                | Errno::NAMETOOLONG
                | Errno::LIBBAD
        )
    );
    match command.program {
        Program::Argv(_) if of_the_file || of_the_text => Ok(refuse(command, &error)),
        Program::Shell(_) if of_the_text => Ok(refuse(command, &error)),
        _ => {
            let message = format!("cannot start a command in `{}`", cwd.display());
            Err(Error::new(ErrorKind::Spawn, message).with_path(cwd).with_source(error))
        }
    }
}

fn refuse(command: &Command, error: &io::Error) -> Start {
    let name = match &command.program {
        Program::Shell(_) => "/bin/sh",
        Program::Argv(words) => words.first().map_or("", String::as_str),
    };
    Start::Refused { status: status(error), line: format!("cannot run `{name}`: {error}\n") }
}

/// As a shell has it: 127 for what is not there, 126 for what is there and can't be run.
fn status(error: &io::Error) -> i32 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}
