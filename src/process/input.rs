//! The standard input of a command.
//!
//! It is an unnamed file and not a pipe. So no thread has to write to it while output is read, and
//! a command that does not read it causes no SIGPIPE in the host.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, Write},
};

use crate::model::error::{Error, ErrorKind};

/// The directory of unnamed files if memory files are not available. `TMPDIR` is not used, because
/// the environment belongs to the host.
const TEMP_DIR: &str = "/tmp";

/// Opens a file with these bytes, or `/dev/null`.
pub(super) fn file(bytes: Option<&[u8]>) -> Result<File, Error> {
    let Some(bytes) = bytes else { return null(OpenOptions::new().read(true)) };
    let filled = anonymous_file().and_then(|mut file| {
        file.write_all(bytes)?;
        file.rewind()?;
        Ok(file)
    });
    filled.map_err(|error| {
        Error::new(ErrorKind::Io, "cannot write a command's input to a file").with_source(error)
    })
}

/// Opens `/dev/null` with these options.
fn null(options: &OpenOptions) -> Result<File, Error> {
    options
        .open("/dev/null")
        .map_err(|error| Error::new(ErrorKind::Spawn, "cannot open `/dev/null`").with_source(error))
}

#[cfg(target_os = "linux")]
fn anonymous_file() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    // Some sandboxes do not allow it.
    let file = memfd_create("input", MemfdFlags::CLOEXEC).map(File::from);
    file.or_else(|_| tempfile::tempfile_in(TEMP_DIR))
}

#[cfg(not(target_os = "linux"))]
fn anonymous_file() -> io::Result<File> {
    tempfile::tempfile_in(TEMP_DIR)
}
