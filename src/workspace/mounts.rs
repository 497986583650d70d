//! Finds mounts in a tree.
//!
//! A build can mount a directory inside its export and leave it mounted. The mounted files belong
//! to something else, so tinyci never removes, packs or counts them.
//!
//! [`Mounts`] checks a tree before it is changed. Linux lists all mounts, which works even if the
//! server of a network file system is gone. Without such a list, tinyci walks the tree. For each
//! path, Linux reports whether something is mounted there; on other systems, device numbers show
//! it. [`SameMount`] checks each directory again that a walk enters, for mounts that are new or
//! missing in the list.

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

/// The lists of mounts, the best first. The first one is that of this thread, which can have its
/// own mounts.
const LISTS: [&str; 2] = ["/proc/thread-self/mountinfo", "/proc/self/mountinfo"];

/// The index of the field with the mount point in a line.
const MOUNT_POINT: usize = 4;

/// The mounts that this thread sees at one moment.
pub(crate) struct Mounts {
    /// The mount points, or `None` if the system has no list.
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
    /// [`Io`](ErrorKind::Io) if there is a mount.
    pub(crate) fn refuse(&self, tree: &Path) -> Result<(), Error> {
        let mut found = self.at_or_below(tree);
        found.sort();
        match found.as_slice() {
            [] => Ok(()),
            [first, others @ ..] => Err(mounted(first, others.len())),
        }
    }

    /// Returns true if this path is a mount point. It must not contain links.
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

/// Returns true if something is mounted at this directory. Does not follow a link there.
pub(super) fn is_mount_point(dir: &Path) -> bool {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let (Some(above), Some(name)) = (dir.parent(), dir.file_name()) else { return false };
    let Ok(name) = CString::new(name.as_bytes()) else { return false };
    let Ok(above) = fs::File::open(above) else { return false };
    let mount = SameMount::of(above.as_fd());
    mount.and_then(|mount| mount.open(above.as_fd(), &name, flags)).err() == Some(Errno::XDEV)
}

/// Returns the error for a mount at this path, and the number of other mounts in the same tree.
pub(crate) fn mounted(at: &Path, others: usize) -> Error {
    let others = match others {
        0 => String::new(),
        others => format!(" (and {others} more in the same tree)"),
    };
    let message = format!("a file system is mounted at `{}`{others}", at.display());
    let hint = format!("`umount '{}'`", at.display());
    Error::new(ErrorKind::Io, message).with_path(at).with_hint(hint)
}

/// Resolves all links of a path except its last part.
pub(super) fn real_path(path: &Path) -> PathBuf {
    let above = path.parent().and_then(|above| fs::canonicalize(above).ok());
    match (above, path.file_name()) {
        (Some(above), Some(name)) => above.join(name),
        _ => path.to_path_buf(),
    }
}

/// Parses the mount points of a list such as `/proc/self/mountinfo`.
fn parse(list: &[u8]) -> Vec<PathBuf> {
    let lines = list.split(|byte| *byte == b'\n');
    let fields = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(MOUNT_POINT));
    fields.map(|field| PathBuf::from(OsString::from_vec(unescape(field)))).collect()
}

/// Decodes spaces and similar bytes, which the list writes as a backslash and three octal digits.
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

/// Returns the visible mounts in this tree. Ignores unreadable directories.
fn by_walking(tree: PathBuf) -> Vec<PathBuf> {
    let device = |path: &Path| fs::symlink_metadata(path).map(|it| (it.dev(), it.is_dir()));
    let Some(Ok((tree_device, _))) = tree.parent().map(device) else { return Vec::new() };
    let mut found = Vec::new();
    let mut left = vec![tree];
    while let Some(path) = left.pop() {
        match device(&path) {
            _ if is_mount_root(CWD, &path) => found.push(path),
            // Files of one file system can have different devices (overlays), but directories
            // cannot.
            Ok((entry_device, true)) if entry_device != tree_device => found.push(path),
            Ok((_, true)) => {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                left.extend(entries.map(|entry| entry.path()));
            }
            _ => {}
        }
    }
    found
}

/// Opens the directories of one mount, and fails if another mount begins there.
pub(crate) struct SameMount {
    device: u64,
    /// True if the system cannot open by mount. The opened directory is then checked.
    #[cfg(target_os = "linux")]
    checks_after_open: Cell<bool>,
}

impl SameMount {
    /// Returns the mount of this directory.
    ///
    /// # Errors
    ///
    /// Those of `fstat`.
    pub(crate) fn of(dir: BorrowedFd<'_>) -> Result<Self, Errno> {
        Ok(Self {
            device: device(dir)?,
            #[cfg(target_os = "linux")]
            checks_after_open: Cell::new(false),
        })
    }

    /// Opens a directory in this one. Follows no link if `flags` contain `NOFOLLOW`.
    ///
    /// # Errors
    ///
    /// [`XDEV`](Errno::XDEV) if something is mounted there, otherwise those of `openat`.
    pub(crate) fn open(
        &self,
        above: BorrowedFd<'_>,
        name: &CStr,
        flags: OFlags,
    ) -> Result<OwnedFd, Errno> {
        #[cfg(target_os = "linux")]
        if let Some(opened) = self.open_with_openat2(above, name, flags) {
            return opened;
        }
        let dir = openat(above, name, flags, Mode::empty())?;
        match device(&dir)? == self.device && !is_mount_root(&dir, Path::new("")) {
            true => Ok(dir),
            false => Err(Errno::XDEV),
        }
    }

    /// Opens it with a Linux system call that also detects bind mounts of the same disk. Returns
    /// `None` if an old kernel or a container does not support the call.
    #[cfg(target_os = "linux")]
    fn open_with_openat2(
        &self,
        above: BorrowedFd<'_>,
        name: &CStr,
        flags: OFlags,
    ) -> Option<Result<OwnedFd, Errno>> {
        use rustix::fs::{ResolveFlags, openat2};

        if self.checks_after_open.get() {
            return None;
        }
        match openat2(above, name, flags, Mode::empty(), ResolveFlags::NO_XDEV) {
            // Filters of containers return PERM for calls that they do not know.
            Err(Errno::NOSYS | Errno::PERM) => {
                self.checks_after_open.set(true);
                None
            }
            opened => Some(opened),
        }
    }
}

/// Returns true if Linux reports a mount here. Linux does so since 5.8; other systems do not.
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

        /// Runs a test with a tree that contains a bind mount of the same disk, a mount of another
        /// disk, and a mounted file. The test gets the names of the mount points.
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

                // A link on the way to the tree does not hide the mounts.
                let way = tree.parent().unwrap().join("way");
                std::os::unix::fs::symlink(tree, &way).unwrap();
                assert_eq!(Mounts::now().at_or_below(&way.join("sub")).len(), 3);

                // Without a list, an old kernel shows only mounts of other devices.
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
                if mount.checks_after_open.get() {
                    eprintln!("this system has no openat2");
                } else {
                    assert_eq!(open(&mount, bind), Some(Errno::XDEV));
                }
                mount.checks_after_open.set(true);
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
