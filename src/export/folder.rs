//! One open folder at or below the target. Everything is created and removed relative to its
//! descriptor and nothing is ever followed, so no name in a tree can lead out of the target.
//!
//! Going up opens `..` and checks that it is the folder we came from: a walk of any depth needs
//! two descriptors, not one for each level.

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

/// What a normal user gets from `git archive | tar -x`, before the umask.
const FILE: Mode = Mode::from_raw_mode(0o664);
const EXECUTABLE: Mode = Mode::from_raw_mode(0o775);
const FOLDER: Mode = Mode::from_raw_mode(0o775);

const OPEN_FOLDER: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Device and inode: which folder it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    device: u64,
    inode: u64,
}

/// An open folder.
pub(super) struct Folder {
    fd: OwnedFd,
    identity: Identity,
    /// Which other accounts may use what is made here.
    sharing: Sharing,
}

impl Folder {
    fn new(fd: OwnedFd, sharing: Sharing) -> io::Result<Self> {
        let stat = rustix::fs::fstat(&fd)?;
        // The fields have other widths on other systems, and only equality matters.
        #[allow(clippy::unnecessary_cast, reason = "systems differ in the width of this field")]
        let identity = Identity { device: stat.st_dev as u64, inode: stat.st_ino as u64 };
        Ok(Self { fd, identity, sharing })
    }

    fn open(path: &Path, sharing: Sharing) -> io::Result<Self> {
        Self::new(rustix::fs::openat(CWD, path, OPEN_FOLDER, Mode::empty())?, sharing)
    }

    pub(super) fn identity(&self) -> Identity {
        self.identity
    }

    /// Makes a folder in this one and opens it.
    pub(super) fn make(&self, name: &[u8]) -> io::Result<Self> {
        rustix::fs::mkdirat(&self.fd, name, FOLDER)?;
        let made = self.child(name)?;
        self.sharing.adjust_open(&made.fd)?;
        Ok(made)
    }

    fn child(&self, name: &[u8]) -> io::Result<Self> {
        Self::new(rustix::fs::openat(&self.fd, name, OPEN_FOLDER, Mode::empty())?, self.sharing)
    }

    /// Opens the folder around this one, which must be `expected`.
    pub(super) fn parent(&self, expected: Identity) -> io::Result<Self> {
        let parent = self.child(b"..")?;
        if parent.identity != expected {
            return Err(io::Error::other("the directory was moved during the export"));
        }
        Ok(parent)
    }

    /// Makes a new file and opens it for writing.
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

    /// Makes a symbolic link with this text, wherever it leads.
    pub(super) fn link(&self, name: &[u8], text: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::symlinkat(text, &self.fd, name)?)
    }

    /// Removes an empty folder.
    pub(super) fn remove_folder(&self, name: &[u8]) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.fd, name, AtFlags::REMOVEDIR)?)
    }

    /// What is in this folder.
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

/// The folder that an export fills: new, or empty before.
pub(super) struct Target<'a> {
    path: &'a Path,
    is_new: bool,
}

impl<'a> Target<'a> {
    /// Makes the folder, or takes an empty one, and opens it.
    pub(super) fn prepare(path: &'a Path, sharing: Sharing) -> Result<(Self, Folder), Error> {
        let is_new = match rustix::fs::mkdirat(CWD, path, FOLDER) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(error) => return Err(Error::io("create the directory", path, error.into())),
        };
        let folder = match Folder::open(path, sharing) {
            Err(error) if !is_new && is_no_folder(&error) => return Err(occupied(path)),
            opened => opened.map_err(|error| Error::io("open the directory", path, error))?,
        };
        if is_new {
            let shared = sharing.adjust_open(&folder.fd);
            shared
                .map_err(|error| Error::io("set the permissions of the directory", path, error))?;
        }
        let names = folder.names().map_err(|error| Error::io("list", path, error))?;
        if !names.is_empty() {
            return Err(occupied(path));
        }
        Ok((Self { path, is_new }, folder))
    }

    /// Takes everything back: a new folder goes, one that was there stays, empty.
    pub(super) fn discard(self) -> Result<(), Error> {
        if self.is_new {
            return remove(self.path);
        }
        let names = Folder::open(self.path, Sharing::default()).and_then(|folder| folder.names());
        let names = names.map_err(|error| Error::io("list", self.path, error))?;
        names.into_iter().try_for_each(|name| remove(&self.path.join(name)))
    }
}

fn is_no_folder(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    // A symbolic link is LOOP on some systems and NOTDIR or MLINK on others.
    matches!(errno, Some(Errno::NOTDIR | Errno::LOOP | Errno::MLINK))
}

fn occupied(path: &Path) -> Error {
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
        let around = tempfile::tempdir().unwrap();
        let kept = around.path().join("kept");
        std::fs::write(&kept, "kept").unwrap();
        let path = around.path().join("target");
        let (target, mut folder) = Target::prepare(&path, Sharing::default()).unwrap();
        folder.link(b"up", b"..").unwrap();
        for level in 0..3000 {
            folder.make(b"empty").unwrap();
            folder.file(b"file", level % 2 == 0).unwrap();
            folder = folder.make(b"deep").unwrap();
        }
        folder.link(b"root", around.path().to_str().unwrap().as_bytes()).unwrap();
        target.discard().unwrap();
        assert!(!path.exists());
        assert_eq!(std::fs::read_to_string(kept).unwrap(), "kept");
    }

    #[test]
    fn only_an_empty_folder_or_none_is_taken() {
        let around = tempfile::tempdir().unwrap();
        let path = around.path();
        std::fs::create_dir(path.join("empty")).unwrap();
        std::fs::create_dir_all(path.join("full/child")).unwrap();
        std::fs::write(path.join("file"), "").unwrap();
        symlink("empty", path.join("link")).unwrap();
        for taken in ["empty", "new"] {
            let taken = path.join(taken);
            let (target, folder) = Target::prepare(&taken, Sharing::default()).unwrap();
            folder.file(b"a", false).unwrap();
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
    fn a_moved_folder_is_noticed() {
        let around = tempfile::tempdir().unwrap();
        let path = around.path().join("target");
        let (_target, folder) = Target::prepare(&path, Sharing::default()).unwrap();
        let child = folder.make(b"child").unwrap();
        std::fs::rename(path.join("child"), around.path().join("elsewhere")).unwrap();
        assert!(child.parent(folder.identity()).is_err());
    }
}
