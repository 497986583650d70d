//! Which file a command names, how it is started, and what is said where that can't be done.

use std::{
    ffi::{OsStr, OsString},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf, absolute},
    process::Command as Builder,
};

use rustix::{
    fs::{Access, access},
    io::Errno,
};

use crate::{
    error::{Error, ErrorKind},
    executor::{Command, Program},
    process::{child::Child, guard, input, pipe::Pipes},
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

/// Starts a command in a process group of its own.
///
/// It goes through `posix_spawn`, in every case: the program is looked up here, since the standard
/// library would fall back to `fork` to look it up in a changed `PATH`.
///
/// What the child gets: the descriptors 0, 1 and 2 and no other of ours; SIGPIPE with its default
/// action. What it inherits from the host: the signals that the calling thread blocks and those
/// that the process ignores, which `posix_spawn` could reset but the standard library does not.
/// A host that blocks TERM in all its threads thereby costs its commands their grace, not their
/// end, since nothing blocks KILL.
///
/// The mark, which it gets as a variable, is how the guard knows it until it knows its number.
pub(super) fn start(command: &Command, mark: &str) -> Result<Start, Error> {
    // A program named by a path is relative to the command's directory, not to the host's.
    let cwd = absolute(&command.cwd).unwrap_or_else(|_| command.cwd.clone());
    let mut builder = match builder(command, &cwd)? {
        Ok(builder) => builder,
        Err(error) => return Ok(refuse(command, &error)),
    };
    builder.current_dir(&cwd).process_group(0).stdin(input::stdio(command.input.as_deref())?);
    builder.env_clear().envs(&command.env).env(guard::VARIABLE, mark);
    let pipes = Pipes::attach(&mut builder, command.output)?;
    let spawned = builder.spawn();
    // It holds the write ends of the pipes, which then never would reach their end.
    drop(builder);
    match spawned {
        Ok(child) => Ok(Start::Started(Child::new(&child), pipes)),
        Err(error) => explain(command, &cwd, error),
    }
}

/// The program and its arguments. The inner error says that there is no such program.
fn builder(command: &Command, cwd: &Path) -> Result<Result<Builder, io::Error>, Error> {
    let words = match &command.program {
        Program::Shell(text) => {
            let mut builder = Builder::new("/bin/sh");
            builder.arg("-c").arg(text);
            return Ok(Ok(builder));
        }
        Program::Argv(words) => words,
    };
    let Some((name, arguments)) = words.split_first() else {
        return Err(Error::new(ErrorKind::InvalidArg, "a command names no program"));
    };
    Ok(find(name, cwd, search_path(command)).map(|path| {
        let mut builder = Builder::new(path);
        builder.arg0(name).args(arguments);
        builder
    }))
}

/// The `PATH` that the command itself will see.
fn search_path(command: &Command) -> &OsStr {
    command.env.get(OsStr::new("PATH")).map_or(OsStr::new(DEFAULT_PATH), OsString::as_os_str)
}

/// The file that a program's name means, as `execvp` finds it.
fn find(name: &str, cwd: &Path, search_path: &OsStr) -> io::Result<PathBuf> {
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
