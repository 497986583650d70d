//! Finds the program of a command, starts it, and explains why it cannot start.

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

/// The search path of a shell without `PATH`.
const DEFAULT_PATH: &str = "/usr/bin:/bin";

/// The result of starting a command.
pub(super) enum Start {
    /// It is running; its output is in these pipes.
    Started(Child, Pipes),
    /// It cannot start, because of the commit.
    Refused {
        /// The exit code that a shell would return.
        status: i32,
        /// The reason, for its output.
        line: String,
    },
}

/// Starts a command in its own session and process group.
///
/// The child gets descriptors 0, 1 and 2 and no others, and its own environment without inherited
/// variables. It has no terminal, because a command that prompts the user or configures the
/// terminal would be stopped forever. It inherits ignored signals, except SIGPIPE.
///
/// The guard identifies it by `mark`, an environment variable, until it knows its pid.
pub(super) fn start(command: &Command, mark: &str) -> Result<Start, Error> {
    // A program with a relative path is relative to the command's directory, not to the host's.
    let cwd = absolute(&command.cwd).unwrap_or_else(|_| command.cwd.clone());
    let (program, arguments) = match program_and_arguments(command, &cwd)? {
        Ok(program_and_arguments) => program_and_arguments,
        Err(error) => return Ok(refused(command, &error)),
    };
    let mut env = command.env.clone();
    env.insert(guard::VARIABLE.into(), mark.into());
    let input = input::file(command.input.as_deref())?;
    // This function closes the write ends at its end. Otherwise the pipes would never end.
    let (pipes, [stdout, stderr]) = Pipes::new(command.output)?;
    let streams = [input.as_fd(), stdout.as_fd(), stderr.as_fd()];
    let launch = Launch { program: &program, arguments, env: &env, cwd: &cwd, streams };
    match launch.spawn() {
        Ok(pid) => Ok(Start::Started(Child::new(pid), pipes)),
        Err(error) => explain(command, &cwd, error),
    }
}

/// The file of a program, and its arguments starting with its name.
type Invocation<'a> = (PathBuf, Vec<&'a OsStr>);

/// Returns the program and arguments of a command. The inner error means that the program does not
/// exist.
fn program_and_arguments<'a>(
    command: &'a Command,
    cwd: &Path,
) -> Result<io::Result<Invocation<'a>>, Error> {
    let program_and_arguments = match &command.program {
        Program::Shell(text) => {
            let program_and_arguments = ["/bin/sh", "-c", text].map(OsStr::new);
            return Ok(Ok(("/bin/sh".into(), program_and_arguments.into())));
        }
        Program::Argv(program_and_arguments) => program_and_arguments,
    };
    let Some(name) = program_and_arguments.first() else {
        return Err(Error::new(ErrorKind::InvalidArg, "cannot start an empty command"));
    };
    let path = find(name, cwd, search_path(&command.env));
    Ok(path.map(|path| (path, program_and_arguments.iter().map(OsStr::new).collect())))
}

/// Returns the `PATH` of a command with this environment.
pub(crate) fn search_path(env: &BTreeMap<OsString, OsString>) -> &OsStr {
    env.get(OsStr::new("PATH")).map_or(OsStr::new(DEFAULT_PATH), OsString::as_os_str)
}

/// Finds the file of a program for a command in this directory, as `execvp` does.
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

/// Separates errors of the commit from errors of the machine.
fn explain(command: &Command, cwd: &Path, error: io::Error) -> Result<Start, Error> {
    // `posix_spawn` returns ENOENT for a missing directory and for a missing program.
    if let Err(error) = std::fs::metadata(cwd.join(".")) {
        let line = format!("cannot enter directory `{}`: {error}\n", cwd.display());
        return Ok(Start::Refused { status: status(&error), line });
    }
    let is_command_fault = matches!(Errno::from_io_error(&error), Some(Errno::TOOBIG))
        || error.kind() == io::ErrorKind::InvalidInput;
    let is_file_fault = matches!(
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
        Program::Argv(_) if is_file_fault || is_command_fault => Ok(refused(command, &error)),
        Program::Shell(_) if is_command_fault => Ok(refused(command, &error)),
        _ => {
            let message = format!("cannot start a command in `{}`", cwd.display());
            Err(Error::new(ErrorKind::Spawn, message).with_path(cwd).with_source(error))
        }
    }
}

fn refused(command: &Command, error: &io::Error) -> Start {
    let name = match &command.program {
        Program::Shell(_) => "/bin/sh",
        Program::Argv(program_and_arguments) => {
            program_and_arguments.first().map_or("", String::as_str)
        }
    };
    Start::Refused { status: status(error), line: format!("cannot run `{name}`: {error}\n") }
}

/// Returns the exit code of a shell: 127 for a missing program, 126 for one that cannot run.
fn status(error: &io::Error) -> i32 {
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}
