//! An open directory at or below the target. Everything is created and removed relative to its
//! descriptor, and symbolic links are not followed. So no name in a tree can lead out of the
//! target.
//!
//! Going up opens `..` and verifies that it is the expected directory. So a walk of any depth needs
//! only two descriptors.

use std::{
    ffi::{OsStr, OsString},
    fs::File,
    io,
    os::{fd::OwnedFd, unix::ffi::OsStrExt},
    path::Path,
};

use rustix::{
    fs::{AtFlags, CWD, Dir, Mode, OFlags},
    io::Errno,
};

use crate::{
    model::error::{Error, ErrorKind},
    util::sharing::Sharing,
    workspace::remove,
};

/// The modes that a normal user gets from `git archive | tar -x`, before the umask.
const FILE: Mode = Mode::from_raw_mode(0o664);
const EXECUTABLE: Mode = Mode::from_raw_mode(0o775);
const DIRECTORY: Mode = Mode::from_raw_mode(0o775);

const OPEN_DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// The device and inode, which identify a directory independent of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// An open directory.
pub(super) struct Directory {
    fd: OwnedFd,
    identity: Identity,
    /// The permissions for other accounts.
    sharing: Sharing,
}

impl Directory {
    fn new(fd: OwnedFd, sharing: Sharing) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&fd)?;
        // Systems differ in the width of these fields, and only equality matters.
        #[allow(clippy::unnecessary_cast, reason = "systems differ in the width of this field")]
        let identity = Identity { device: stat.st_dev as u64, inode: stat.st_ino as u64 };
        Ok(Self { fd, identity, sharing })
    }

    fn open(path: &Path, sharing: Sharing) -> io::Result<Self> {
        Self::new(rustix::fs::openat(CWD, path, OPEN_DIRECTORY, Mode::empty())?, sharing)
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Creates a directory in this one and opens it.
    pub(super) fn make(&self, name: &[u8]) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.fd, name, DIRECTORY)?;
        let new = self.child(name)?;
        self.sharing.adjust_open(&new.fd)?;
        Ok(new)
    }

    fn child(&self, name: &[u8]) -> io::Result<Self> {
        Self::new(rustix::fs::openat(&self.fd, name, OPEN_DIRECTORY, Mode::empty())?, self.sharing)
    }

    /// Opens the parent directory, which must be `expected`.
    pub(super) fn parent(&self, expected: Identity) -> io::Result<Self> {
        let parent = self.child(b"..")?;
        if parent.identity != expected {
            return Err(io::Error::other("the directory was moved during the export"));
        }
        Ok(parent)
    }

    /// Creates a new file and opens it for writing.
    pub(super) fn file(&self, name: &[u8], executable: bool) -> io::Result<File> {
        const NEW: OFlags = OFlags::WRONLY
            .union(OFlags::CREATE)
            .union(OFlags::EXCL)
            .union(OFlags::NOFOLLOW)
            .union(OFlags::CLOEXEC);
        let mode = if executable { EXECUTABLE } else { FILE };
        let file = File::from(rustix::fs::openat(&self.fd, name, NEW, mode)?);
        self.sharing.adjust_open(&file)?;
        Ok(file)
    }

    /// Creates a symbolic link with this target.
    pub(super) fn link(&self, name: &[u8], text: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(text, &self.fd, name)?)
    }

    /// Removes an empty directory.
    pub(super) fn remove_directory(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    /// Returns the names of the entries.
    fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd)? {
            let name = OsStr::from_bytes(entry?.file_name().to_bytes()).to_owned();
            if name != "." && name != ".." {
                names.push(name);
            }
        }
        Ok(names)
    }
}

/// The target directory of an export: new, or empty before.
pub(super) struct Target<'a> {
    path: &'a Path,
    is_new: bool,
}

impl<'a> Target<'a> {
    /// Creates the directory, or checks that it is empty, and opens it.
    pub(super) fn prepare(path: &'a Path, sharing: Sharing) -> Result<(Self, Directory), Error> {
        let is_new = match rustix::fs::mkdirat(CWD, path, DIRECTORY) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(Error::io("create the directory", path, error.into())),
        };
        let directory = match Directory::open(path, sharing) {
            Err(error) if !is_new && is_not_directory(&error) => return Err(not_empty(path)),
            opened => opened.map_err(|error| Error::io("open the directory", path, error))?,
        };
        if is_new {
            let adjusted = sharing.adjust_open(&directory.fd);
            adjusted
                .map_err(|error| Error::io("set the permissions of the directory", path, error))?;
        }
        let names = directory.names().map_err(|error| Error::io("list", path, error))?;
        if !names.is_empty() {
            return Err(not_empty(path));
        }
        Ok((Self { path, is_new }, directory))
    }

    /// Undoes the export: removes a new directory, or empties one that existed.
    pub(super) fn discard(self) -> Result<(), Error> {
        if self.is_new {
            return remove(self.path);
        }
        let names =
            Directory::open(self.path, Sharing::default()).and_then(|directory| directory.names());
        let names = names.map_err(|error| Error::io("list", self.path, error))?;
        names.into_iter().try_for_each(|name| remove(&self.path.join(name)))
    }
}

fn is_not_directory(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    // Depending on the system, the error for a symbolic link is LOOP, NOTDIR or MLINK.
    matches!(errno, Some(Errno::NOTDIR | Errno::LOOP | Errno::MLINK))
}

fn not_empty(path: &Path) -> Error {
    let path_text = path.display();
    let message = format!("cannot export to `{path_text}`: expected a new or empty directory");
    Error::new(ErrorKind::InvalidArg, message).with_path(path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn clearing_follows_no_link_and_needs_no_descriptor_per_level() {
        let temp = tempfile::tempdir().unwrap();
        let kept = temp.path().join("kept");
        std::fs::write(&kept, "kept").unwrap();
        let path = temp.path().join("target");
        let (target, mut directory) = Target::prepare(&path, Sharing::default()).unwrap();
        directory.link(b"up", b"..").unwrap();
        for level in 0..3000 {
            directory.make(b"empty").unwrap();
            directory.file(b"file", level % 2 == 0).unwrap();
            directory = directory.make(b"deep").unwrap();
        }
        directory.link(b"root", temp.path().to_str().unwrap().as_bytes()).unwrap();
        target.discard().unwrap();
        assert!(!path.exists());
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "kept");
    }

    #[test]
    fn only_an_empty_or_new_directory_is_accepted() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path();
        std::fs::create_dir(path.join("empty")).unwrap();
        std::fs::create_dir_all(path.join("full/child")).unwrap();
        std::fs::write(path.join("file"), "").unwrap();
        symlink("empty", path.join("link")).unwrap();
        for accepted in ["empty", "new"] {
            let accepted = path.join(accepted);
            let (target, directory) = Target::prepare(&accepted, Sharing::default()).unwrap();
            directory.file(b"a", false).unwrap();
            target.discard().unwrap();
        }
        assert!(path.join("empty").exists() && !path.join("new").exists());
        for refused in ["full", "file", "link"] {
            let error = Target::prepare(&path.join(refused), Sharing::default()).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::InvalidArg, "{refused}: {error}");
        }
        let error = Target::prepare(&path.join("none/none"), Sharing::default()).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::Io);
    }

    #[test]
    fn a_moved_directory_is_noticed() {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("target");
        let (_target, directory) = Target::prepare(&path, Sharing::default()).unwrap();
        let child = directory.make(b"child").unwrap();
        std::fs::rename(path.join("child"), temp.path().join("elsewhere")).unwrap();
        assert!(child.parent(directory.identity()).is_err());
    }
}
