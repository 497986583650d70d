//! Creates files under a temporary name that are renamed when they are complete, and removes those that
//! killed writers leave.
//!
//! A writer keeps its file locked until it is renamed. So if another process can lock the file, its
//! writer was killed, and the file can be removed. If a file is removed between its creation and its
//! lock, it has no name, and its writer creates another one.

use std::{
    fs::{self, File, Permissions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
};

use tempfile::NamedTempFile;

use crate::util::state_file;

/// The prefix of the temporary names.
const PREFIX: &str = ".tinyci-new-";

/// Creates an unfinished file with this mode, reduced by the umask.
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
            // Without locks on this file system, no other process removes the file.
            _ if file.as_file().metadata()?.nlink() > 0 => return Ok(file),
            _ => {}
        }
    }
}

/// Returns true if this is the name of an unfinished file.
pub(crate) fn is_unfinished(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// Removes the unfinished files of killed writers from this directory. Ignores errors, because such
/// files are harmless.
pub(crate) fn remove_abandoned(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_str().is_some_and(is_unfinished)
            && let Some(_locked) = abandoned(&entry.path())
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Opens and locks the file if its writer was killed.
fn abandoned(path: &Path) -> Option<File> {
    let file = state_file::open(path).ok()?;
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
