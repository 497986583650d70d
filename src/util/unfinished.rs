//! Files that are written beside their place and then renamed to it, and what killed writers leave of
//! them.
//!
//! A writer keeps its file locked until it is renamed. So whoever can lock one knows that its writer
//! is dead, and may remove it at any time. A file that was removed between its creation and its lock
//! has no name any more, and its writer makes another.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt},
    path::Path,
};

use tempfile::NamedTempFile;

/// How the names of such files begin.
const PREFIX: &str = ".tinyci-new-";

/// Makes such a file, with the permissions that the umask leaves of these.
///
/// # Errors
///
/// Those of the system.
pub(crate) fn create(dir: &Path, mode: u32) -> io::Result<NamedTempFile> {
    loop {
        let mut builder = tempfile::Builder::new();
        builder.prefix(PREFIX).permissions(Permissions::from_mode(mode));
        let file = builder.tempfile_in(dir)?;
        match file.as_file().try_lock() {
            Err(TryLockError::WouldBlock) => {}
            // A file system without locks has no one who could remove it.
            _ if file.as_file().metadata()?.nlink() > 0 => return Ok(file),
            _ => {}
        }
    }
}

/// Whether this is the name of such a file.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Removes what killed writers left in this directory, as far as this account may. What cannot be
/// removed is in nobody's way.
pub(crate) fn remove_abandoned(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_unfinished)
            && let Some(_locked) = abandoned(&entry.path())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// The file, locked, if its writer is dead.
fn abandoned(path: &Path) -> Option<File> {
    let flags = rustix::fs::OFlags::NOFOLLOW.union(rustix::fs::OFlags::NONBLOCK);
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = File::options().read(true).custom_flags(flags).open(path).ok()?;
    file.try_lock().is_ok().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_living_writer_has_open_stays_and_what_a_dead_one_left_goes() {
        let dir = tempfile::tempdir().unwrap();
        let living = create(dir.path(), 0o666).unwrap();
        let (_, dead) = create(dir.path(), 0o666).unwrap().keep().unwrap();
        fs::write(dir.path().join("state"), "").unwrap();
        remove_abandoned(dir.path());
        assert!(living.path().exists() && !dead.exists());
        assert!(dir.path().join("state").exists());
        living.persist(dir.path().join("state")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn writers_and_those_who_clean_up_do_not_meet() {
        let dir = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let writers: Vec<_> = (0..4)
                .map(|writer| {
                    let dir = dir.path();
                    scope.spawn(move || {
                        for number in 0..200 {
                            let file = create(dir, 0o666).unwrap();
                            file.persist(dir.join(format!("{writer}.{number}"))).unwrap();
                        }
                    })
                })
                .collect();
            while writers.iter().any(|writer| !writer.is_finished()) {
                remove_abandoned(dir.path());
            }
        });
        remove_abandoned(dir.path());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 800);
    }
}
