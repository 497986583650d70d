//! Mounts: what lies in a tree without being part of it.
//!
//! A build can mount a directory inside its export and leave it mounted. What is there belongs to
//! something else, so nothing in it is removed, packed or counted.
//!
//! [`Mounts`] looks before a tree is touched. Linux lists all mounts, which asks nothing of a file
//! system whose server is gone. Without such a list the tree is walked: Linux says of each path
//! whether something is mounted there, and device numbers say it elsewhere. [`SameMount`] looks again at each directory that a walk enters, for a mount that
//! was made meanwhile, or that the list does not have.

#[cfg(target_os = "linux")]
use std::cell::Cell;
use std::{
    ffi::{CStr, CString, OsString},
    fs,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::{
            ffi::{OsStrExt, OsStringExt},
            fs::MetadataExt,
        },
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{CWD, Mode, OFlags, fstat, openat},
    io::Errno,
};

use crate::model::error::{Error, ErrorKind};

/// The lists of mounts, the best first: threads can have mounts of their own.
const LISTS: [&str; 2] = ["/proc/thread-self/mountinfo", "/proc/self/mountinfo"];

/// The field of a line that is the mount point.
const MOUNT_POINT: usize = 4;

/// The mounts that this thread saw at one moment.
pub(crate) struct Mounts {
    /// None if the system has no list.
    points: Option<Vec<PathBuf>>,
}

impl Mounts {
    /// Reads the system's list.
    pub(crate) fn now() -> Self {
        let list = LISTS.iter().find_map(|list| fs::read(list).ok());
        Self { points: list.map(|list| parse(&list)) }
    }

    /// Returns an error that names a mount at this path or below it, if there is one.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if there is.
    pub(crate) fn refuse(&self, tree: &Path) -> Result<(), Error> {
        let mut found = self.at_or_below(tree);
        found.sort();
        match found.as_slice() {
            [] => Ok(()),
            [first, others @ ..] => Err(mounted(first, others.len())),
        }
    }

    /// True if this path, which has no link in it, is a mount point.
    pub(super) fn contains(&self, path: &Path) -> bool {
        match &self.points {
            Some(points) => points.iter().any(|point| point == path),
            None => is_mount_root(CWD, path),
        }
    }

    fn at_or_below(&self, tree: &Path) -> Vec<PathBuf> {
        let tree = real_path(tree);
        match &self.points {
            Some(points) => points.iter().filter(|it| it.starts_with(&tree)).cloned().collect(),
            None => by_walking(tree),
        }
    }
}

/// True if something is mounted at this directory. A link there is not followed.
pub(super) fn is_mount_point(dir: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (Some(above), Some(name)) = (dir.parent(), dir.file_name()) else { return false };
    let Ok(name) = CString::new(name.as_bytes()) else { return false };
    let Ok(above) = fs::File::open(above) else { return false };
    let mount = SameMount::of(above.as_fd());
    mount.and_then(|mount| mount.open(above.as_fd(), &name, flags)).err() == Some(Errno::XDEV)
}

/// The error for what is mounted here, and at so many other places of the same tree.
pub(crate) fn mounted(at: &Path, others: usize) -> Error {
    let others = match others {
        0 => String::new(),
        others => format!(" (and {others} more in the same tree)"),
    };
    let message = format!("a file system is mounted at `{}`{others}", at.display());
    let hint = format!("`umount '{}'`", at.display());
    Error::new(ErrorKind::Io, message).with_path(at).with_hint(hint)
}

/// A path whose last part may be a link, but none of those above it.
pub(super) fn real_path(path: &Path) -> PathBuf {
    let above = path.parent().and_then(|above| fs::canonicalize(above).ok());
    match (above, path.file_name()) {
        (Some(above), Some(name)) => above.join(name),
        _ => path.to_path_buf(),
    }
}

/// The mount points of a list like `/proc/self/mountinfo`.
fn parse(list: &[u8]) -> Vec<PathBuf> {
    let lines = list.split(|byte| *byte == b'\n');
    let fields = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(MOUNT_POINT));
    fields.map(|field| PathBuf::from(OsString::from_vec(unescape(field)))).collect()
}

/// Spaces and their like are written as a backslash and three octal digits.
fn unescape(mut field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    while let Some((first, rest)) = field.split_first() {
        let escaped = rest.first_chunk::<3>().filter(|_| *first == b'\\').and_then(octal);
        bytes.push(escaped.unwrap_or(*first));
        field = if escaped.is_some() { &rest[3..] } else { rest };
    }
    bytes
}

fn octal(digits: &[u8; 3]) -> Option<u8> {
    let text = std::str::from_utf8(digits).ok()?;
    u8::from_str_radix(text, 8).ok()
}

/// The mounts in this tree, as far as they show themselves. What cannot be read is not looked into.
fn by_walking(tree: PathBuf) -> Vec<PathBuf> {
    let device = |path: &Path| fs::symlink_metadata(path).map(|it| (it.dev(), it.is_dir()));
    let Some(Ok((home, _))) = tree.parent().map(device) else { return Vec::new() };
    let mut found = Vec::new();
    let mut left = vec![tree];
    while let Some(path) = left.pop() {
        match device(&path) {
            _ if is_mount_root(CWD, &path) => found.push(path),
            // Files of one file system can differ in it (overlays), directories cannot.
            Ok((there, true)) if there != home => found.push(path),
            Ok((_, true)) => {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                left.extend(entries.map(|entry| entry.path()));
            }
            _ => {}
        }
    }
    found
}

/// Opens the directories of one mount, and refuses those where another one begins.
pub(crate) struct SameMount {
    device: u64,
    /// True if the system cannot open by mount, so that the directory has to tell afterwards.
    #[cfg(target_os = "linux")]
    by_looking: Cell<bool>,
}

impl SameMount {
    /// The mount of this directory.
    ///
    /// # Errors
    ///
    /// What `fstat` says.
    pub(crate) fn of(dir: BorrowedFd<'_>) -> Result<Self, Errno> {
        Ok(Self {
            device: device(dir)?,
            #[cfg(target_os = "linux")]
            by_looking: Cell::new(false),
        })
    }

    /// Opens a directory in this one. No link is followed if `flags` have `NOFOLLOW`.
    ///
    /// # Errors
    ///
    /// [`XDEV`](Errno::XDEV) if something is mounted there, otherwise what `openat` says.
    pub(crate) fn open(
        &self,
        above: BorrowedFd<'_>,
        name: &CStr,
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        #[cfg(target_os = "linux")]
        if let Some(opened) = self.open_exactly(above, name, flags) {
            return opened;
        }
        let dir = openat(above, name, flags, Mode::empty())?;
        match device(&dir)? == self.device && !is_mount_root(&dir, Path::new("")) {
            true => Ok(dir),
            false => Err(Errno::XDEV),
        }
    }

    /// The same by a call of Linux, which sees directories of the same disk that are mounted too.
    /// None where an old kernel or a container does not have it.
    #[cfg(target_os = "linux")]
    fn open_exactly(
        &self,
        above: BorrowedFd<'_>,
        name: &CStr,
        flags: OFlags,
    ) -> Option<Result<OwnedFd, Errno>> {
        use rustix::fs::{ResolveFlags, openat2};

        if self.by_looking.get() {
            return None;
        }
        match openat2(above, name, flags, Mode::empty(), ResolveFlags::NO_XDEV) {
            // Containers' filters answer with PERM to calls that they do not know.
            Err(Errno::NOSYS | Errno::PERM) => {
                self.by_looking.set(true);
                None
            }
            opened => Some(opened),
        }
    }
}

/// True if Linux says that something is mounted here. It does since 5.8; other systems do not.
#[cfg(target_os = "linux")]
fn is_mount_root(dir: impl AsFd, path: &Path) -> bool {
    use rustix::fs::{AtFlags, StatxAttributes, StatxFlags, statx};

    let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT;
    let found = statx(dir, path, flags, StatxFlags::empty());
    found.is_ok_and(|found| found.stx_attributes.contains(StatxAttributes::MOUNT_ROOT))
}

#[cfg(not(target_os = "linux"))]
fn is_mount_root(_dir: impl AsFd, _path: &Path) -> bool {
    false
}

#[allow(clippy::unnecessary_cast, reason = "systems differ in the width of this field")]
fn device(dir: impl AsFd) -> Result<u64, Errno> {
    Ok(fstat(dir)?.st_dev as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_of_linux_is_read_to_the_byte() {
        let list = concat!(
            "22 28 0:21 / /proc rw,nosuid - proc proc rw\n",
            "98 28 8:1 /a /srv/my\\040builds/a\\134b\\011c\\012 rw shared:1 - ext4 /dev/sda1 rw\n",
            "99 28 8:1 / /srv/\\04\\999\\ rw - ext4 /dev/sda1 rw\n\n",
        );
        let expected = ["/proc", "/srv/my builds/a\\b\tc\n", "/srv/\\04\\999\\"];
        assert_eq!(parse(list.as_bytes()), expected.map(PathBuf::from));
    }

    #[cfg(target_os = "linux")]
    mod real {
        use super::*;
        use crate::testing::{mount, with_own_mounts};

        const DIRECTORY: OFlags =
            OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

        /// A tree with a directory of the same disk mounted in it, one of another, and a file; the
        /// names of the mount points below it.
        fn with_mounts(test: impl FnOnce(&Path, [&str; 3]) + Send) {
            let dir = tempfile::tempdir().unwrap();
            let around = dir.path().canonicalize().unwrap();
            with_own_mounts(|| {
                let (tree, names) = (around.join("a tree"), ["bind mount", "disk", "file"]);
                fs::create_dir(around.join("elsewhere")).unwrap();
                names
                    .iter()
                    .for_each(|name| fs::create_dir_all(tree.join("sub").join(name)).unwrap());
                fs::remove_dir(tree.join("sub/file")).unwrap();
                fs::write(tree.join("sub/file"), "").unwrap();
                let at = |name: &str| tree.join("sub").join(name).to_str().unwrap().to_owned();
                mount(&["--bind", around.join("elsewhere").to_str().unwrap(), &at("bind mount")]);
                mount(&["-t", "tmpfs", "none", &at("disk")]);
                mount(&["--bind", "/etc/passwd", &at("file")]);
                test(&tree, names);
            });
        }

        #[test]
        fn every_mount_in_a_tree_is_found_and_none_beside_it() {
            with_mounts(|tree, names| {
                let expected = names.map(|name| tree.join("sub").join(name));
                let mut found = Mounts::now().at_or_below(tree);
                found.sort();
                assert_eq!(found, expected);
                let at_it = Mounts::now().at_or_below(&tree.join("sub/disk"));
                assert_eq!(at_it, [tree.join("sub/disk")]);
                let error = Mounts::now().refuse(tree).unwrap_err().report();
                assert!(error.contains("/a tree/sub/bind mount` (and 2 more in"), "{error}");

                let beside = tree.parent().unwrap().join("a tree and more");
                fs::create_dir(&beside).unwrap();
                std::os::unix::fs::symlink(tree.join("sub"), beside.join("link")).unwrap();
                for free in [beside.join("link"), beside, tree.join("sub/bind")] {
                    Mounts::now().refuse(&free).unwrap();
                }

                // A link on the way to the tree does not hide it.
                let way = tree.parent().unwrap().join("way");
                std::os::unix::fs::symlink(tree, &way).unwrap();
                assert_eq!(Mounts::now().at_or_below(&way.join("sub")).len(), 3);

                // Without a list an old kernel knows only of another device.
                let mut found = Mounts { points: None }.at_or_below(tree);
                found.sort();
                match is_mount_root(CWD, Path::new("/")) {
                    true => assert_eq!(found, expected),
                    false => assert_eq!(found, [tree.join("sub/disk")]),
                }
            });
        }

        #[test]
        fn a_walk_enters_no_mount() {
            with_mounts(|tree, [bind, disk, _]| {
                let sub = fs::File::open(tree.join("sub")).unwrap();
                fs::create_dir(tree.join("sub/plain")).unwrap();
                let open = |mount: &SameMount, name: &str| {
                    let name = CString::new(name).unwrap();
                    mount.open(sub.as_fd(), &name, DIRECTORY).err()
                };
                let mount = SameMount::of(sub.as_fd()).unwrap();
                assert_eq!(open(&mount, disk), Some(Errno::XDEV));
                assert_eq!(open(&mount, "plain"), None);
                if mount.by_looking.get() {
                    eprintln!("this system has no openat2");
                } else {
                    assert_eq!(open(&mount, bind), Some(Errno::XDEV));
                }
                mount.by_looking.set(true);
                assert_eq!(open(&mount, disk), Some(Errno::XDEV));
                assert_eq!(open(&mount, "plain"), None);
                if is_mount_root(CWD, Path::new("/")) {
                    assert_eq!(open(&mount, bind), Some(Errno::XDEV));
                }
                assert!(is_mount_point(&tree.join("sub/disk")));
                assert!(!is_mount_point(tree) && !is_mount_point(&tree.join("none")));
            });
        }
    }
}
