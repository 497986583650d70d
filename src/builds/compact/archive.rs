//! Packing a directory as a `tar.gz`: everything in it, unchanged, or an error. Only old exports
//! that are being removed are remaining out.
//!
//! Directories are opened by handle, and symbolic links and mounts are not followed. A build may
//! leave any files, and processes of the build may still be changing them.

use std::{
    collections::HashMap,
    ffi::{CStr, CString, OsStr},
    fs::File,
    io::{self, BufWriter, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
    rc::Rc,
};

use flate2::{Compression, GzBuilder, write::GzEncoder};
use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, fstat, openat, readlinkat, statat},
    io::Errno,
};
use tar::{Builder, EntryType, Header};

use crate::{
    model::{
        cancel::CancelView,
        error::{Error, ErrorKind},
    },
    workspace::{SameMount, is_old_export, mounted},
};

/// The number of bytes for a link target in a tar header.
const LINK_NAME_LENGTH_MAX: usize = 100;

/// The file of a new archive.
pub(super) struct ArchiveFile<'a> {
    pub(super) file: File,
    /// The path of the file, for errors.
    pub(super) path: &'a Path,
    /// A text for the header, which can be read without unpacking.
    pub(super) comment: Option<String>,
}

/// The directory to pack.
pub(super) struct SourceDir<'a> {
    /// The directory that contains it.
    pub(super) parent: &'a File,
    /// The path of `parent`, for errors.
    pub(super) parent_path: &'a Path,
    pub(super) name: &'a str,
}

/// Writes a directory to an archive, whose entries are named `<name>/…`.
///
/// Returns the file, written but not yet synced, and the paths of sockets and devices, which an
/// archive cannot contain.
pub(super) fn write(
    archive_file: ArchiveFile<'_>,
    source: &SourceDir<'_>,
    cancel: &CancelView,
) -> Result<(File, Vec<PathBuf>), Error> {
    let ArchiveFile { file, path, comment } = archive_file;
    let failed = |error| Error::io("write the archive", path, error);
    let header = comment.into_iter().fold(GzBuilder::new(), GzBuilder::comment);
    let encoder = header.write(BufWriter::new(file), Compression::default());
    let mut archive = Archive {
        tar: Builder::new(encoder),
        parent_path: source.parent_path,
        mount: SameMount::of(source.parent.as_fd()).map_err(|error| failed(error.into()))?,
        cancel,
        levels: Vec::new(),
        linked: HashMap::new(),
        omitted: Vec::new(),
    };
    let name = CString::new(source.name).map_err(|error| failed(error.into()))?;
    let path = PathBuf::from(OsStr::from_bytes(name.as_bytes()));
    archive.enter(source.parent.as_fd(), &name, path)?;
    archive.walk()?;
    let Archive { tar, omitted, .. } = archive;
    let buffer = tar.into_inner().and_then(GzEncoder::finish).map_err(failed)?;
    let file = buffer.into_inner().map_err(|error| failed(error.into_error()))?;
    Ok((file, omitted))
}

struct Archive<'a> {
    tar: Builder<GzEncoder<BufWriter<File>>>,
    parent_path: &'a Path,
    mount: SameMount,
    cancel: &'a CancelView,
    /// The open directories, from the build directory down to the current one. A list and not
    /// recursion, because trees can be deeper than the stack.
    levels: Vec<Level>,
    /// The first name of each file with several names, by device and inode: its contents are stored
    /// once.
    linked: HashMap<(u64, u64), PathBuf>,
    /// The sockets and devices, which an archive cannot contain.
    omitted: Vec<PathBuf>,
}

struct Level {
    dir: Rc<OwnedFd>,
    /// The path in the archive.
    path: PathBuf,
    /// The names of the entries still to store, the last first.
    names: Vec<CString>,
}

impl Archive<'_> {
    fn walk(&mut self) -> Result<(), Error> {
        while let Some(level) = self.levels.last_mut() {
            match level.names.pop() {
                None => drop(self.levels.pop()),
                Some(name) => {
                    let path = level.path.join(OsStr::from_bytes(name.as_bytes()));
                    let dir = Rc::clone(&level.dir);
                    self.add(dir.as_fd(), &name, path)?;
                }
            }
        }
        Ok(())
    }

    /// Stores one entry of a directory.
    fn add(&mut self, dir: BorrowedFd<'_>, name: &CStr, path: PathBuf) -> Result<(), Error> {
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|source| self.error(&path, source))?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => self.enter(dir, name, path),
            FileType::RegularFile => self.add_file(dir, name, path),
            FileType::Symlink => {
                let target = readlinkat(dir, name, Vec::new());
                let target = target.map_err(|source| self.error(&path, source))?;
                self.add_link(EntryType::Symlink, &stat, &path, target.as_bytes())
            }
            FileType::Fifo => {
                let mut header = header(EntryType::Fifo, &stat, 0);
                self.append(&mut header, &path, io::empty())
            }
            _ => {
                self.omitted.push(self.parent_path.join(path));
                Ok(())
            }
        }
    }

    /// Stores the entry of a directory and makes it the current one.
    fn enter(&mut self, parent: BorrowedFd<'_>, name: &CStr, path: PathBuf) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = self.mount.open(parent, name, flags).and_then(|dir| {
            // Old exports in the build directory may belong to another user and be unreadable.
            let is_top = self.levels.is_empty();
            let mut names = Vec::new();
            for entry in Dir::read_from(&dir)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                let is_omitted = is_top && is_old_export(OsStr::from_bytes(name));
                if !is_omitted && !matches!(name, b"." | b"..") {
                    names.push(entry.file_name().to_owned());
                }
            }
            names.sort_unstable_by(|one, other| other.cmp(one));
            Ok((fstat(&dir)?, dir, names))
        });
        let (stat, dir, names) = opened.map_err(|source| match source {
            Errno::XDEV => mounted(&self.parent_path.join(&path), 0),
            source => self.error(&path, source),
        })?;
        self.append(&mut header(EntryType::Directory, &stat, 0), &path, io::empty())?;
        self.levels.push(Level { dir: Rc::new(dir), path, names });
        Ok(())
    }

    fn add_file(&mut self, dir: BorrowedFd<'_>, name: &CStr, path: PathBuf) -> Result<(), Error> {
        // Without NONBLOCK, a FIFO that has just replaced the file would block this call.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let opened = openat(dir, name, flags | OFlags::NOCTTY, Mode::empty())
            .and_then(|file| Ok((fstat(&file)?, File::from(file))));
        let (stat, file) = opened.map_err(|source| self.error(&path, source))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(self.changed(&path));
        }
        if let Some(first) = self.first_name(&stat, &path) {
            return self.add_link(EntryType::Link, &stat, &path, first.as_os_str().as_bytes());
        }
        let size = u64::try_from(stat.st_size).unwrap_or(0);
        let contents = Contents { file: &file, remaining: size, cancel: self.cancel };
        self.append(&mut header(EntryType::Regular, &stat, size), &path, contents)?;
        let after = fstat(&file).map_err(|source| self.error(&path, source))?;
        let content = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        if content(&stat) == content(&after) { Ok(()) } else { Err(self.changed(&path)) }
    }

    /// Returns the name under which this file is already stored. Otherwise remembers this name.
    fn first_name(&mut self, stat: &Stat, path: &Path) -> Option<PathBuf> {
        if stat.st_nlink < 2 {
            return None;
        }
        let known = self.linked.get(&identity(stat)).cloned();
        if known.is_none() {
            self.linked.insert(identity(stat), path.to_owned());
        }
        known
    }

    /// Stores a link with its exact target. The method of the crate `tar` would normalize it.
    fn add_link(
        &mut self,
        kind: EntryType,
        stat: &Stat,
        path: &Path,
        target: &[u8],
    ) -> Result<(), Error> {
        let mut link = header(kind, stat, 0);
        let result = if target.len() <= LINK_NAME_LENGTH_MAX {
            link.set_link_name_literal(target)
        } else {
            let mut long = Header::new_gnu();
            long.set_entry_type(EntryType::GNULongLink);
            long.set_size(target.len() as u64 + 1);
            let name = long.set_path("@LongLink");
            long.set_cksum();
            name.and_then(|()| self.tar.append(&long, target.chain(io::repeat(0).take(1))))
        };
        result.map_err(|source| self.error(path, source))?;
        self.append(&mut link, path, io::empty())
    }

    fn append(
        &mut self,
        header: &mut Header,
        path: &Path,
        contents: impl Read,
    ) -> Result<(), Error> {
        if self.cancel.is_canceled() {
            return Err(canceled());
        }
        self.tar.append_data(header, path, contents).map_err(|source| {
            match source.downcast::<Interruption>() {
                Ok(Interruption::Canceled) => canceled(),
                Ok(Interruption::Shrunk) => self.changed(path),
                Err(source) => self.error(path, source),
            }
        })
    }

    fn error(&self, path: &Path, source: impl Into<io::Error>) -> Error {
        Error::io("archive", &self.parent_path.join(path), source.into())
    }

    fn changed(&self, path: &Path) -> Error {
        let path = self.parent_path.join(path);
        let message =
            format!("cannot archive `{}`: it changed while tinyci read it", path.display());
        Error::new(ErrorKind::Io, message).with_path(path)
    }
}

fn canceled() -> Error {
    Error::new(ErrorKind::Canceled, "compacting was canceled")
}

/// The reason why the contents of a file ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Interruption {
    #[error("compacting was canceled")]
    Canceled,
    #[error("the file became shorter")]
    Shrunk,
}

/// Reads exactly the first `remaining` bytes of a file, because the header already states the size.
struct Contents<'a> {
    file: &'a File,
    remaining: u64,
    cancel: &'a CancelView,
}

impl Read for Contents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_canceled() {
            return Err(io::Error::other(Interruption::Canceled));
        }
        let read = self.file.take(self.remaining).read(buffer)?;
        if read == 0 && self.remaining > 0 && !buffer.is_empty() {
            return Err(io::Error::other(Interruption::Shrunk));
        }
        self.remaining -= read as u64;
        Ok(read)
    }
}

fn header(kind: EntryType, stat: &Stat, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(permissions(stat));
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    // The format does not support times before 1970.
    header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    header.set_size(size);
    header
}

#[allow(clippy::unnecessary_cast, reason = "systems differ in the width of this field")]
fn permissions(stat: &Stat) -> u32 {
    Mode::from_raw_mode(stat.st_mode).bits() as u32
}

#[allow(clippy::unnecessary_cast, reason = "systems differ in the width of these fields")]
fn identity(stat: &Stat) -> (u64, u64) {
    (stat.st_dev as u64, stat.st_ino as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cancel::CancelToken;

    #[test]
    fn contents_have_the_stated_length_or_fail() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        let token = CancelToken::new();
        let cancel = CancelView::new(&token, 1);
        let read = |remaining| {
            let file = File::open(&path).unwrap();
            let mut text = String::new();
            let mut contents = Contents { file: &file, remaining, cancel: &cancel };
            contents.read_to_string(&mut text).map(|_| text)
        };
        let why = |error: io::Error| error.downcast::<Interruption>().unwrap();
        assert_eq!(read(5).unwrap(), "12345");
        assert_eq!(read(3).unwrap(), "123");
        assert_eq!(read(0).unwrap(), "");
        assert_eq!(why(read(6).unwrap_err()), Interruption::Shrunk);
        token.cancel();
        assert_eq!(why(read(5).unwrap_err()), Interruption::Canceled);
    }
}
