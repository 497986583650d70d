//! The files of a directory on disk, as a [`Tree`].

use std::{fs, io, path::PathBuf};

use crate::model::{
    error::{Error, ErrorKind},
    script::{Tree, TreeFile},
};

/// Maximum number of bytes that are read. It exceeds the limit for modules, so a longer file is
/// refused for its length.
const BYTES_MAX: u64 = 1 << 20;

/// A directory on disk.
#[derive(Debug)]
pub(in crate::engine) struct Folder {
    path: PathBuf,
}

impl Folder {
    pub(in crate::engine) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

impl Tree for Folder {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        if !self.path.is_absolute() {
            return Err(Error::unresolved_path(ErrorKind::Io, &self.path));
        }
        let mut whole = self.path.clone();
        for part in path.split('/') {
            whole.push(part);
            match fs::symlink_metadata(&whole) {
                Ok(meta) if meta.is_symlink() => return Ok(TreeFile::Link),
                Ok(_) => {}
                Err(error) if is_absence(&error) => return Ok(TreeFile::Absent),
                Err(error) => return Err(Error::io("read", &whole, error)),
            }
        }
        // Reading a pipe or a device would never end.
        if !whole.is_file() {
            return Ok(TreeFile::Absent);
        }
        let read = fs::File::open(&whole).and_then(|file| {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut io::Read::take(file, BYTES_MAX), &mut bytes)?;
            Ok(bytes)
        });
        read.map(TreeFile::File).map_err(|error| Error::io("read", &whole, error))
    }

    fn lacks(&self, path: &str) -> String {
        format!("cannot import `{path}`: no such file in `{}`", self.path.display())
    }
}

fn is_absence(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
