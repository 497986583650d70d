//! Taking a tree away: whatever a build left in it, and nothing outside it.
//!
//! The standard library's `remove_dir_all` does not follow links either, but it needs a stack
//! frame and an open folder per level, and it stops at a folder that its owner may not write to,
//! as package managers and Go's module cache leave them.

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
    fs::{AtFlags, Dir, FileType, Mode, OFlags, fchmod, fstat, openat, renameat, unlinkat},
    io::Errno,
};

use crate::error::Error;

/// How many levels are held open at once. A folder below them is moved to the top of the tree and
/// removed there, so that neither stack nor open files grow with the depth.
const DEPTH_MAX: usize = 32;

/// How often a folder is read again because something appeared in it meanwhile.
const PASSES_MAX: u64 = 16;

/// Removes a file, a link (not what it points to) or a whole tree. Nothing there is fine.
///
/// Folders that deny access to their owner are opened up on the way.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io) naming the first path that does not go; what is left is still
/// below `path`.
pub(crate) fn remove(path: &Path) -> Result<(), Error> {
    let failed = |source| Error::io("remove", path, source);
    let (Some(above), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(failed(io::ErrorKind::InvalidInput.into()));
    };
    let above = match fs::File::open(above) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        above => OwnedFd::from(above.map_err(failed)?),
    };
    let name = CString::new(name.as_bytes()).map_err(|error| failed(error.into()))?;
    let mut removal = Removal { path: path.to_path_buf(), above, levels: Vec::new(), moved: 0 };
    removal.take(&name, FileType::Unknown)?;
    while let Some(level) = removal.levels.last_mut() {
        match next_entry(&mut level.dir) {
            Some(Ok((name, kind))) => removal.take(&name, kind)?,
            Some(Err(error)) => return Err(removal.error(None, error)),
            None => removal.leave()?,
        }
    }
    Ok(())
}

/// A removal under way: the folders that are open, from the top of the tree down.
struct Removal {
    path: PathBuf,
    above: OwnedFd,
    levels: Vec<Level>,
    moved: u64,
}

struct Level {
    name: CString,
    dir: Dir,
    passes: u64,
}

impl Removal {
    /// Removes an entry of the innermost folder, or enters it if it is a folder itself.
    fn take(&mut self, name: &CStr, kind: FileType) -> Result<(), Error> {
        if matches!(kind, FileType::Directory | FileType::Unknown) {
            let opened = self.folder().and_then(|folder| open_dir(folder, name));
            match opened {
                Ok(dir) if self.levels.len() >= DEPTH_MAX => {
                    drop(dir);
                    return self.move_up(name);
                }
                Ok(dir) => {
                    self.levels.push(Level { name: name.to_owned(), dir, passes: 0 });
                    return Ok(());
                }
                Err(Errno::NOENT) => return Ok(()),
                // Not a folder after all; a link answers with either.
                Err(Errno::NOTDIR | Errno::LOOP) => {}
                Err(error) => return Err(self.error(Some(name), error)),
            }
        }
        match self.folder().and_then(|folder| unlinkat(folder, name, AtFlags::empty())) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(error) => Err(self.error(Some(name), error)),
        }
    }

    /// Removes the innermost folder, which was found empty; reads it again if it is not.
    fn leave(&mut self) -> Result<(), Error> {
        let Some(mut level) = self.levels.pop() else { return Ok(()) };
        let gone = self.folder().and_then(|above| unlinkat(above, &level.name, AtFlags::REMOVEDIR));
        match gone {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            // Folders from far below were moved here, or a process still writes into the tree.
            Err(Errno::NOTEMPTY | Errno::EXIST) if level.passes < PASSES_MAX + self.moved => {
                level.passes += 1;
                level.dir.rewind();
                self.levels.push(level);
                Ok(())
            }
            Err(error) => Err(self.error(Some(&level.name), error)),
        }
    }

    /// Moves a folder of the innermost level to the top one, which will meet it there.
    fn move_up(&mut self, name: &CStr) -> Result<(), Error> {
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
                Ok(()) | Err(Errno::NOENT) => return Ok(()),
                // The tree holds something of that name: take the next.
                Err(Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => {}
                Err(error) => return Err(self.error(Some(name), error)),
            }
        }
    }

    /// The innermost folder.
    fn folder(&self) -> Result<BorrowedFd<'_>, Errno> {
        self.levels.last().map_or_else(|| Ok(self.above.as_fd()), |level| level.dir.fd())
    }

    fn error(&self, name: Option<&CStr>, error: Errno) -> Error {
        let names = self.levels.iter().map(|level| level.name.as_c_str()).chain(name);
        let mut path = self.path.clone();
        // The first name is the tree's own.
        path.extend(names.skip(1).map(|name| OsStr::from_bytes(name.to_bytes())));
        Error::io("remove", &path, error.into())
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

/// Opens a folder for reading and for taking its entries away.
fn open_dir(above: BorrowedFd<'_>, name: &CStr) -> Result<Dir, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = match openat(above, name, flags, Mode::empty()) {
        Err(Errno::ACCESS) => {
            unlock(above, name)?;
            openat(above, name, flags, Mode::empty())?
        }
        dir => dir?,
    };
    let mode = Mode::from_raw_mode(fstat(&dir)?.st_mode);
    if !mode.contains(Mode::RWXU) {
        // Somebody else's folder stays as it is; its entries will say that they cannot go.
        let _ = fchmod(&dir, mode | Mode::RWXU);
    }
    Dir::new(dir)
}

/// Lets the owner of a folder into it. A link that takes its place meanwhile is not followed.
#[cfg(target_os = "linux")]
fn unlock(above: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    use std::os::{fd::AsRawFd, unix::fs::PermissionsExt};

    // Linux got a chmod that does not follow links only in 6.6. This is what libc does before it.
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = openat(above, name, flags, Mode::empty())?;
    let path = format!("/proc/self/fd/{}", dir.as_raw_fd());
    fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(|_| Errno::ACCESS)
}

#[cfg(not(target_os = "linux"))]
fn unlock(above: BorrowedFd<'_>, name: &CStr) -> Result<(), Errno> {
    rustix::fs::chmodat(above, name, Mode::RWXU, AtFlags::SYMLINK_NOFOLLOW)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::{PermissionsExt, symlink};

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

    /// Says something only to a user whom modes bind, which root is not.
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

    /// Each level is made inside the one above by moving what there is one level down: no path to
    /// it could be spelled.
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
        assert!(error.to_string().contains("/proc/self/fdinfo"), "{error}");
    }
}
