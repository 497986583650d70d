//! What a command reads.
//!
//! A file without a name rather than a pipe: nobody has to feed it while output is carried, and a
//! command that does not read it can't bring SIGPIPE upon a host that never thought of it.

use std::{
    fs::{File, OpenOptions},
    io::{self, Seek, Write},
};

use crate::model::error::{Error, ErrorKind};

/// Where a file without a name stands that memory does not hold. Not what `TMPDIR` says: no thread
/// of ours reads the environment.
const TEMP_DIR: &str = "/tmp";

/// An open file with these bytes, or `/dev/null`.
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

/// `/dev/null`, opened so.
fn null(options: &OpenOptions) -> Result<File, Error> {
    options
        .open("/dev/null")
        .map_err(|error| Error::new(ErrorKind::Spawn, "cannot open `/dev/null`").with_source(error))
}

#[cfg(target_os = "linux")]
fn anonymous_file() -> io::Result<File> {
    use rustix::fs::{MemfdFlags, memfd_create};
    // Sandboxes forbid it now and then.
    let file = memfd_create("input", MemfdFlags::CLOEXEC).map(File::from);
    file.or_else(|_| tempfile::tempfile_in(TEMP_DIR))
}

#[cfg(not(target_os = "linux"))]
fn anonymous_file() -> io::Result<File> {
    tempfile::tempfile_in(TEMP_DIR)
}
