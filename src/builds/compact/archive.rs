//! A folder as a `tar.gz`: everything in it as it is, or an error. Left out is an old export that is
//! being removed.
//!
//! Folders are walked by open handles, and no link is followed and no mount entered on the way: a
//! build can have left anything behind, and what it left may still be changing it.

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

/// As many bytes as a tar header has for the target of a link.
const LINK_NAME_LENGTH_MAX: usize = 100;

/// Writes the folder `name` in `parent` to `file`; its entries are named `<name>/…`.
///
/// `comment` goes into the header, where it is read without unpacking. `parent_path` and `file_path`
/// are what errors call the two. Returns the file, all written but
/// not yet on disk, and the paths of sockets and devices, which an archive does not hold.
pub(super) fn write(
    (file, file_path): (File, &Path),
    (parent, parent_path): (&File, &Path),
    name: &str,
    comment: Option<String>,
    cancel: &CancelView,
) -> Result<(File, Vec<PathBuf>), Error> {
    let failed = |source| Error::io("write the archive", file_path, source);
    let header = comment.into_iter().fold(GzBuilder::new(), GzBuilder::comment);
    let encoder = header.write(BufWriter::new(file), Compression::default());
    let mut archive = Archive {
        tar: Builder::new(encoder),
        parent_path,
        mount: SameMount::of(parent.as_fd()).map_err(|error| failed(error.into()))?,
        cancel,
        levels: Vec::new(),
        linked: HashMap::new(),
        skipped: Vec::new(),
    };
    let name = CString::new(name).map_err(|error| failed(error.into()))?;
    archive.enter(parent.as_fd(), &name, PathBuf::from(OsStr::from_bytes(name.as_bytes())))?;
    archive.walk()?;
    let Archive { tar, skipped, .. } = archive;
    let buffer = tar.into_inner().and_then(GzEncoder::finish).map_err(failed)?;
    let file = buffer.into_inner().map_err(|error| failed(error.into_error()))?;
    Ok((file, skipped))
}

struct Archive<'a> {
    tar: Builder<GzEncoder<BufWriter<File>>>,
    parent_path: &'a Path,
    mount: SameMount,
    cancel: &'a CancelView,
    /// The folders that are open, from the build's own down to the one in hand: a list, because
    /// trees can be deeper than stacks.
    levels: Vec<Level>,
    /// Files with several names, by device and inode: each is stored once.
    linked: HashMap<(u64, u64), PathBuf>,
    skipped: Vec<PathBuf>,
}

struct Level {
    dir: Rc<OwnedFd>,
    /// Its name in the archive.
    path: PathBuf,
    /// What is still to be stored of it, the last first.
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

    /// Stores one entry of a folder, whatever it is.
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
                self.skipped.push(self.parent_path.join(path));
                Ok(())
            }
        }
    }

    /// Stores a folder's own entry and makes it the one in hand.
    fn enter(&mut self, parent: BorrowedFd<'_>, name: &CStr, path: PathBuf) -> Result<(), Error> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = self.mount.open(parent, name, flags).and_then(|dir| {
            // What stands aside in the build's own folder could be another user's, and unreadable.
            let is_top = self.levels.is_empty();
            let mut names = Vec::new();
            for entry in Dir::read_from(&dir)? {
                let entry = entry?;
                let name = entry.file_name().to_bytes();
                let is_left_out = is_top && is_old_export(OsStr::from_bytes(name));
                if !is_left_out && !matches!(name, b"." | b"..") {
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
        // Without NONBLOCK, a FIFO that has just taken the file's place would hang the call.
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
        let contents = Contents { file: &file, left: size, cancel: self.cancel };
        self.append(&mut header(EntryType::Regular, &stat, size), &path, contents)?;
        let after = fstat(&file).map_err(|source| self.error(&path, source))?;
        let content = |stat: &Stat| (stat.st_size, stat.st_mtime, stat.st_mtime_nsec);
        if content(&stat) == content(&after) { Ok(()) } else { Err(self.changed(&path)) }
    }

    /// The name under which a file with several names is stored already; this one otherwise.
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

    /// Stores a link with its target as it is, byte for byte, which tar's own call would tidy up.
    fn add_link(
        &mut self,
        kind: EntryType,
        stat: &Stat,
        path: &Path,
        target: &[u8],
    ) -> Result<(), Error> {
        let mut link = header(kind, stat, 0);
        let named = if target.len() <= LINK_NAME_LENGTH_MAX {
            link.set_link_name_literal(target)
        } else {
            let mut long = Header::new_gnu();
            long.set_entry_type(EntryType::GNULongLink);
            long.set_size(target.len() as u64 + 1);
            let name = long.set_path("@LongLink");
            long.set_cksum();
            name.and_then(|()| self.tar.append(&long, target.chain(io::repeat(0).take(1))))
        };
        named.map_err(|source| self.error(path, source))?;
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

/// Why the contents of a file ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
enum Interruption {
    #[error("compacting was canceled")]
    Canceled,
    #[error("the file became shorter")]
    Shrunk,
}

/// A file's first `left` bytes, exactly: the archive has said how many will follow.
struct Contents<'a> {
    file: &'a File,
    left: u64,
    cancel: &'a CancelView,
}

impl Read for Contents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_canceled() {
            return Err(io::Error::other(Interruption::Canceled));
        }
        let read = self.file.take(self.left).read(buffer)?;
        if read == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::other(Interruption::Shrunk));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

fn header(kind: EntryType, stat: &Stat, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(permissions(stat));
    header.set_uid(stat.st_uid.into());
    header.set_gid(stat.st_gid.into());
    // The format knows no time before 1970.
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
    fn contents_have_the_length_that_was_promised_or_fail() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "12345").unwrap();
        let token = CancelToken::new();
        let cancel = CancelView::new(&token, 1);
        let read = |left| {
            let file = File::open(&path).unwrap();
            let mut text = String::new();
            let mut contents = Contents { file: &file, left, cancel: &cancel };
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
