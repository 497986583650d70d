//! Removes a tree with everything that a build left in it, and nothing outside it.
//!
//! `remove_dir_all` of the standard library does not follow links either, but it has three
//! problems. It needs a stack frame and an open directory per level. It fails at directories that
//! their owner may not write to, as package managers and Go's module cache leave them. And it
//! removes the contents of mounts in the tree.

use std::{
    ffi::{CStr, CString, OsStr},
    fs, io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::{Path, PathBuf},
};

use rustix::{
    fs::{AtFlags, Dir, FileType, Mode, OFlags, fchmod, fstat, renameat, unlinkat},
    io::Errno,
};

use crate::{
    model::error::Error,
    workspace::mounts::{Mounts, SameMount, mounted, real_path},
};

/// The number of levels that are open at once. Deeper directories are moved to the top of the tree
/// and removed there. So neither the stack nor the number of open files grows with the depth.
const DEPTH_MAX: usize = 32;

/// The number of times that a directory is read again because new entries appeared.
const PASSES_MAX: u64 = 16;

/// Removes a file, a link (not its target) or a whole tree. A missing path is not an error.
///
/// Makes directories accessible that deny access to their owner. If an entry cannot be removed,
/// removes all others. If something is mounted in the tree, removes nothing. Never removes anything
/// in a mount that appears meanwhile.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io) with the first path that cannot be removed. The rest is still below
/// `path`.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Ok(metadata) if metadata.is_dir() => Mounts::now().refuse(path)?,
        _ => {}
    }
    remove_tree(path)
}

/// Removes a file or a link, but not a directory. A missing path is not an error.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io) if it cannot be removed.
pub(crate) fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(not_removed(&real_path(path), error))
        }
        _ => Ok(()),
    }
}

/// Returns the error for a path that cannot be removed.
fn not_removed(path: &Path, error: io::Error) -> Error {
    let is_mount = match Errno::from_io_error(&error) {
        Some(Errno::XDEV) => true,
        // The system returns this for mount points, but for some other files too.
        Some(Errno::BUSY) => Mounts::now().contains(path),
        _ => false,
    };
    if is_mount { mounted(path, 0) } else { Error::io("remove", path, error) }
}

fn remove_tree(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::io("remove", path, source);
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    };
    let above = OwnedFd::from(fs::File::open(above).map_err(failed)?);
    let mount = SameMount::of(above.as_fd()).map_err(|error| failed(error.into()))?;
    let name = CString::new(name.as_bytes()).map_err(|error| failed(error.into()))?;
    let path = real_path(path);
    let mut removal =
        Removal { path, above, mount, levels: Vec::new(), moved: 0, first_error: None };
    removal.remove_entry(&name, FileType::Unknown);
    while let Some(level) = removal.levels.last_mut() {
        match next_entry(&mut level.dir) {
            Some(Ok((name, kind))) => removal.remove_entry(&name, kind),
            Some(Err(error)) => {
                removal.skip(None, error);
                removal.remove_dir();
            }
            None => removal.remove_dir(),
        }
    }
    removal.first_error.map_or(Ok(()), Err)
}

/// A removal in progress: the open directories, from the top of the tree down.
struct Removal {
    path: PathBuf,
    above: OwnedFd,
    mount: SameMount,
    levels: Vec<Level>,
    moved: u64,
    /// The error of the first entry that could not be removed.
    first_error: Option<Error>,
}

struct Level {
    name: CString,
    dir: Dir,
    passes: u64,
    /// The number of directories that had been moved to the top when this one was last read.
    moved: u64,
    /// True if an entry of this directory cannot be removed.
    is_kept: bool,
}

impl Removal {
    /// Removes an entry of the innermost directory, or enters it if it is a directory.
    fn remove_entry(&mut self, name: &CStr, kind: FileType) {
        if matches!(kind, FileType::Directory | FileType::Unknown) {
            let opened = self.folder().and_then(|folder| open_dir(&self.mount, folder, name));
            match opened {
                Ok(dir) if self.levels.len() >= DEPTH_MAX => {
                    drop(dir);
                    return self.move_up(name);
                }
                Ok(dir) => {
                    let (name, moved) = (name.to_owned(), self.moved);
                    self.levels.push(Level { name, dir, passes: 0, moved, is_kept: false });
                    return;
                }
                Err(Errno::NOENT) => return,
                // Not a directory after all. A link gives either of these errors.
                Err(Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return self.skip(Some(name), error),
            }
        }
        match self.folder().and_then(|folder| unlinkat(folder, name, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => self.skip(Some(name), error),
        }
    }

    /// Removes the innermost directory, which was read to its end; reads it again if it is not
    /// empty.
    fn remove_dir(&mut self) {
        let Some(mut level) = self.levels.pop() else { return };
        // Directories from deeper levels were moved into the top one, so read it again.
        let has_new_entries = self.levels.is_empty() && level.moved < self.moved;
        if level.is_kept && !has_new_entries {
            return self.mark_kept();
        }
        let removed =
            self.folder().and_then(|above| unlinkat(above, &level.name, AtFlags::REMOVEDIR));
        match removed {
            Ok(()) | Err(Errno::NOENT) => {}
            // New entries were moved here, or another process still writes into the tree.
            Err(Errno::NOTEMPTY | Errno::EXIST) if has_new_entries || level.passes < PASSES_MAX => {
                level.passes += u64::from(!has_new_entries);
                (level.moved, level.is_kept) = (self.moved, false);
                level.dir.rewind();
                self.levels.push(level);
            }
            Err(error) => self.skip(Some(&level.name), error),
        }
    }

    /// Moves a directory of the innermost level to the top one, which will find it there.
    fn move_up(&mut self, name: &CStr) {
        let path = self.path_to(Some(name));
        if let Err(error) = Mounts::now().refuse(&path) {
            return self.skip_with(error);
        }
        loop {
            self.moved += 1;
            let moved = match (self.levels.first(), self.folder()) {
                (Some(top), Ok(folder)) => {
                    let free = format!("removed-{}", self.moved);
                    top.dir.fd().and_then(|top| renameat(folder, name, top, free))
                }
                (_, folder) => folder.map(|_| ()),
            };
            match moved {
                Ok(()) | Err(Errno::NOENT) => return,
                // The tree contains an entry of that name, so try the next one.
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                // Overlays return XDEV without a mount in the tree.
                Err(error) => return self.skip_with(Error::io("move", &path, error.into())),
            }
        }
    }

    /// Returns the innermost directory.
    fn folder(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.levels.last().map_or_else(|| Ok(self.above.as_fd()), |level| level.dir.fd())
    }

    /// Leaves an entry of the innermost directory, or the rest of the directory.
    fn skip(&mut self, name: Option<&CStr>, error: Errno) {
        let path = self.path_to(name);
        self.skip_with(not_removed(&path, error.into()));
    }

    fn skip_with(&mut self, error: Error) {
        self.first_error.get_or_insert(error);
        self.mark_kept();
    }

    /// Marks the innermost directory as one that cannot be removed.
    fn mark_kept(&mut self) {
        if let Some(level) = self.levels.last_mut() {
            level.is_kept = true;
        }
    }

    fn path_to(&self, name: Option<&CStr>) -> PathBuf {
        let names = self.levels.iter().map(|level| level.name.as_c_str()).chain(name);
        let mut path = self.path.clone();
        // The first name is that of the tree itself.
        path.extend(names.skip(1).map(|name| OsStr::from_bytes(name.to_bytes())));
        path
    }
}

fn next_entry(dir: &mut Dir) -> Option<Result<(CString, FileType), Errno>> {
    loop {
        match dir.read()? {
            Err(error) => return Some(Err(error)),
            Ok(entry) if [c".", c".."].contains(&entry.file_name()) => {}
            Ok(entry) => return Some(Ok((entry.file_name().to_owned(), entry.file_type()))),
        }
    }
}

/// Opens a directory to read and remove its entries.
fn open_dir(mount: &SameMount, above: BorrowedFd<'_>, name: &CStr) -> Result<Dir, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = match mount.open(above, name, flags) {
        Err(Errno::ACCESS) => {
            unlock(mount, above, name)?;
            mount.open(above, name, flags)?
        }
        dir => dir?,
    };
    let mode = Mode::from_raw_mode(fstat(&dir)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        // If another account owns the directory, this fails, and so does the removal of its
        // entries.
        let _ = fchmod(&dir, mode | Mode::RWXU);
    }
    Dir::new(dir)
}

/// Gives the owner of a directory access to it. Does not follow a link that takes its place.
#[cfg(target_os = "linux")]
fn unlock(mount: &SameMount, above: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    use std::os::{fd::AsRawFd, unix::fs::PermissionsExt};

    // Linux before 6.6 has no chmod that does not follow links. The C library does the same as
    // this.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = mount.open(above, name, flags)?;
    let path = format!("/proc/self/fd/{}", dir.as_raw_fd());
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(|_| Errno::ACCESS)
}

#[cfg(not(target_os = "linux"))]
fn unlock(_mount: &SameMount, above: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    rustix::fs::chmodat(above, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::fs::{PermissionsExt, symlink},
        process::Command,
    };

    use super::*;

    #[test]
    fn links_go_and_what_they_point_to_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, kept) = (dir.path().join("tree"), dir.path().join("kept"));
        fs::create_dir_all(tree.join("a/b")).unwrap();
        fs::create_dir(&kept).unwrap();
        fs::write(kept.join("file"), "").unwrap();
        symlink(&kept, tree.join("a/b/folder")).unwrap();
        symlink(kept.join("file"), tree.join("file")).unwrap();
        symlink("nowhere", tree.join("dangling")).unwrap();
        symlink("loop", tree.join("loop")).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, tree.join("fifo"), FileType::Fifo, Mode::RUSR, 0)
            .unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists() && kept.join("file").exists());

        symlink(&kept, &tree).unwrap();
        remove(&tree).unwrap();
        assert!(fs::symlink_metadata(&tree).is_err() && kept.join("file").exists());
        remove(&tree).unwrap();
        remove(&dir.path().join("no/such/folder")).unwrap();
    }

    /// This tests something only for users other than root, because permissions do not apply to
    /// root.
    #[test]
    fn folders_closed_to_their_owner_are_opened() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        for (name, mode) in [("read-only", 0o555), ("no-entry", 0o600), ("closed", 0o000)] {
            let folder = tree.join(name);
            fs::create_dir_all(folder.join("sub")).unwrap();
            fs::write(folder.join("sub/file"), "").unwrap();
            fs::set_permissions(folder.join("sub"), fs::Permissions::from_mode(0o500)).unwrap();
            fs::set_permissions(folder, fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(&tree, fs::Permissions::from_mode(0o000)).unwrap();
        remove(&tree).unwrap();
        assert!(!tree.exists());
    }

    /// Makes each level by moving the existing tree one level down, because the full path would be
    /// too long.
    #[test]
    fn a_tree_deeper_than_any_path_goes_on_a_small_stack() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        fs::create_dir(&tree).unwrap();
        fs::write(tree.join("removed-1"), "a name that is taken").unwrap();
        let deep = tree.join("deep");
        fs::create_dir(&deep).unwrap();
        fs::write(deep.join("file"), "").unwrap();
        for _ in 0..6000 {
            let around = tree.join("around");
            fs::create_dir(&around).unwrap();
            fs::rename(&deep, around.join("a-folder-with-a-name")).unwrap();
            fs::rename(&around, &deep).unwrap();
        }
        let path = tree.clone();
        let thread = std::thread::Builder::new().stack_size(64 << 10);
        thread.spawn(move || remove(&path)).unwrap().join().unwrap().unwrap();
        assert!(!tree.exists());
    }

    #[test]
    fn the_error_names_what_does_not_go() {
        let error = remove(Path::new("/proc/self/fdinfo")).unwrap_err();
        assert!(error.to_string().contains("/proc/"), "{error}");
    }

    #[cfg(target_os = "linux")]
    mod with_mounts {
        use super::*;
        use crate::testing::{mount, with_own_mounts};

        /// Returns what remains of a tree with two branches, one of which contains a mount at this
        /// depth. Returns `None` if this machine cannot mount anything.
        fn after(removal: impl FnOnce(&Path) + Send, levels: usize) -> Option<Vec<String>> {
            let dir = tempfile::tempdir().unwrap();
            let around = dir.path().canonicalize().unwrap();
            let (kept, tree) = (around.join("kept"), around.join("tree"));
            let inner = (0..levels).fold(tree.join("a"), |path, _| path.join("deep"));
            for folder in [&kept, &tree.join("z/full"), &inner.join("mnt")] {
                fs::create_dir_all(folder).unwrap();
                fs::write(folder.join("file"), "").unwrap();
            }
            fs::write(inner.join("beside"), "").unwrap();
            let mut left = None;
            with_own_mounts(|| {
                mount(&["--bind", kept.to_str().unwrap(), inner.join("mnt").to_str().unwrap()]);
                removal(&tree);
                let all = Command::new("find").arg(".").current_dir(&tree).output().unwrap();
                let all = String::from_utf8(all.stdout).unwrap();
                let mut all: Vec<String> = all.lines().map(str::to_owned).collect();
                all.sort();
                left = Some(all);
            });
            assert!(kept.join("file").exists(), "it is not of the tree");
            left
        }

        #[test]
        fn a_tree_with_a_mount_stays_whole() {
            let removal = |tree: &Path| {
                let error = remove(tree).unwrap_err();
                assert!(error.to_string().contains("tree/a/deep/mnt`"), "{error}");
            };
            let Some(left) = after(removal, 1) else { return };
            assert_eq!(left.len(), 9, "{left:?}");
        }

        #[test]
        fn a_mount_that_was_made_since_the_look_is_not_entered() {
            let removal = |tree: &Path| {
                let error = remove_tree(tree).unwrap_err();
                assert!(error.to_string().contains("tree/a/deep/mnt`"), "{error}");
            };
            let Some(left) = after(removal, 1) else { return };
            assert_eq!(left, [".", "./a", "./a/deep", "./a/deep/mnt", "./a/deep/mnt/file"]);
        }

        /// Such a tree is flattened during the removal, except the branch that leads to a mount.
        #[test]
        fn a_mount_far_below_stays_where_it_is() {
            let removal = |tree: &Path| drop(remove_tree(tree).unwrap_err());
            let Some(left) = after(removal, 3 * DEPTH_MAX) else { return };
            assert!(left.last().unwrap().ends_with("deep/mnt/file"), "{left:?}");
            let moved = left.iter().any(|it| it.contains("removed-"));
            assert!(!moved && !left.contains(&"./z".to_owned()), "all else goes: {left:?}");
        }

        #[test]
        fn a_mount_at_the_top_and_a_mounted_file_stay() {
            let dir = tempfile::tempdir().unwrap();
            let around = dir.path().canonicalize().unwrap();
            for name in ["kept", "top"] {
                fs::create_dir(around.join(name)).unwrap();
            }
            fs::create_dir(around.join("tree")).unwrap();
            for file in ["kept/file", "tree/file", "alone"] {
                fs::write(around.join(file), file).unwrap();
            }
            with_own_mounts(|| {
                let path = |name: &str| around.join(name).to_str().unwrap().to_owned();
                mount(&["--bind", &path("kept"), &path("top")]);
                mount(&["--bind", &path("kept/file"), &path("tree/file")]);
                mount(&["--bind", &path("kept/file"), &path("alone")]);
                for (tree, at) in [("top", "top"), ("tree", "tree/file"), ("alone", "alone")] {
                    for removal in [remove, remove_tree] {
                        let error = removal(&around.join(tree)).unwrap_err().to_string();
                        let expected = format!("a file system is mounted at `{}`", path(at));
                        assert!(error.starts_with(&expected), "{error}");
                    }
                }
                let error = remove_file(&around.join("alone")).unwrap_err().to_string();
                assert!(error.starts_with("a file system is mounted at"), "{error}");
            });
            assert_eq!(fs::read_to_string(around.join("kept/file")).unwrap(), "kept/file");
        }
    }

    /// The user may not unlink in one directory, as containers leave it.
    #[test]
    fn the_rest_goes_where_something_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let tree = dir.path().join("tree");
        for name in ["a/foreign/sub", "b/c", "foreign"] {
            fs::create_dir_all(tree.join(name)).unwrap();
            fs::write(tree.join(name).join("file"), "").unwrap();
        }
        let foreign = [tree.join("a/foreign/sub"), tree.join("a/foreign"), tree.join("foreign")];
        let immutable = |sign: &str| {
            let output = Command::new("chattr").arg(sign).args(&foreign).output();
            output.is_ok_and(|output| output.status.success())
        };
        if !immutable("+i") {
            immutable("-i");
            eprintln!("left out: nothing can be made immutable here");
            return;
        }
        let error = remove(&tree);
        let left = Command::new("find").arg(&tree).args(["-type", "f"]).output().unwrap();
        assert!(immutable("-i"));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("foreign/") && error.contains("file`"), "{error}");
        assert_eq!(String::from_utf8(left.stdout).unwrap().lines().count(), 2);
        assert!(!tree.join("b").exists());
        remove(&tree).unwrap();
        assert!(!tree.exists());
    }
}
