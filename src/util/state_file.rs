//! Opens the files that tinyci keeps. Other accounts, commands of a build and copies of a disk can put
//! anything in their place, so each file is checked before it is used.
//!
//! tinyci never waits for a FIFO, never follows a symbolic link, and never trusts a file of an account
//! that may not write to its directory. `tests/it/house/state_files.rs` checks that all files of the
//! state are opened here.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// The maximum size of a file that is read whole, in bytes.
const BYTES_MAX: u64 = 64 << 20;

/// The maximum size of a file in which git stores a line for each ref or each move of a ref, in bytes.
/// Five million refs take half of it.
const LIST_BYTES_MAX: u64 = 1 << 30;

/// The permission bits that let other accounts create files in a directory.
const OTHER_WRITERS: u32 = 0o022;

/// The mode of a file that only this account may read.
const PRIVATE: u32 = 0o600;

/// Opens a file for reading.
///
/// # Errors
///
/// Those of the system; [`InvalidData`](ErrorKind::InvalidData) if it is not a regular file;
/// [`PermissionDenied`](ErrorKind::PermissionDenied) if it belongs to an account that may not write to
/// its directory.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true), path)
}

/// Opens a file for writing.
///
/// # Errors
///
/// As [`open`].
pub(crate) fn open_to_write(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().write(true), path)
}

/// Opens a file for reading and writing, or creates it.
///
/// # Errors
///
/// As [`open`].
pub(crate) fn open_or_create(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().read(true).write(true).create(true).truncate(false), path)
}

/// Opens a file for appending, or creates it.
///
/// # Errors
///
/// As [`open`].
pub(crate) fn append(path: &Path) -> io::Result<File> {
    open_with(OpenOptions::new().append(true).create(true), path)
}

/// Creates a file, or empties an existing one.
///
/// # Errors
///
/// As [`open`].
pub(crate) fn create(path: &Path) -> io::Result<File> {
    let file = open_with(OpenOptions::new().write(true).create(true).truncate(false), path)?;
    // Only after the checks, so that a file of another program is not changed.
    file.set_len(0)?;
    Ok(file)
}

/// Creates a file that only this account may read. The file must not exist yet, because another account
/// could have an older one open.
///
/// # Errors
///
/// Those of the system, and [`AlreadyExists`](ErrorKind::AlreadyExists) if the file exists.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(PRIVATE).open(path)
}

/// Opens a directory for its lock.
///
/// # Errors
///
/// Those of the system. Fails if it is not a directory.
pub(crate) fn open_dir(path: &Path) -> io::Result<File> {
    let flags = libc::O_DIRECTORY | libc::O_NONBLOCK;
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Reads a whole file.
///
/// # Errors
///
/// As [`open`]. Fails if the file is too large.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(open(path)?, BYTES_MAX)
}

/// Reads a whole text file.
///
/// # Errors
///
/// As [`read`], and [`InvalidData`](ErrorKind::InvalidData) if it is not UTF-8.
pub(crate) fn read_text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))
}

/// Reads a file of git or of a person. It may be a symbolic link. Does not wait for a FIFO.
///
/// # Errors
///
/// Those of the system. Fails if it is not a regular file, or is too large.
pub(crate) fn read_foreign(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(open_foreign(path)?, BYTES_MAX)
}

/// Reads a list of git that grows with the repository: the packed refs, or a reflog. Otherwise like
/// [`read_foreign`].
///
/// # Errors
///
/// As [`read_foreign`].
pub(crate) fn read_foreign_list(path: &Path) -> io::Result<Vec<u8>> {
    read_up_to(open_foreign(path)?, LIST_BYTES_MAX)
}

fn open_foreign(path: &Path) -> io::Result<File> {
    let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(not_regular()) }
}

fn open_with(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY;
    let file = options.custom_flags(flags).mode(0o666).open(path).map_err(|error| {
        match error.raw_os_error() {
            // The errors for a symbolic link, and for a FIFO without a reader.
            Some(libc::ELOOP | libc::EMLINK | libc::ENXIO) => not_regular(),
            _ => error,
        }
    })?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(not_regular());
    }
    if !is_own(metadata.uid(), path)? {
        return Err(io::Error::new(
            ErrorKind::PermissionDenied,
            format!("it belongs to another account (uid {})", metadata.uid()),
        ));
    }
    Ok(file)
}

fn not_regular() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it is not a regular file")
}

/// Returns true if tinyci trusts a file of this account: the caller, root, the owner of the file's
/// directory, or any account if several may write to the directory (`core.sharedRepository`).
fn is_own(uid: u32, path: &Path) -> io::Result<bool> {
    if uid == 0 || uid == rustix::process::geteuid().as_raw() {
        return Ok(true);
    }
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let dir = fs::metadata(dir.unwrap_or(Path::new(".")))?;
    Ok(uid == dir.uid() || dir.mode() & OTHER_WRITERS != 0)
}

fn read_up_to(file: File, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 > most {
        true => {
            Err(io::Error::new(ErrorKind::InvalidData, format!("it has more than {most} bytes")))
        }
        false => Ok(bytes),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// Every function that opens a file by its path.
    const WAYS: [fn(&Path) -> io::Result<()>; 7] = [
        |path| open(path).map(drop),
        |path| open_to_write(path).map(drop),
        |path| open_or_create(path).map(drop),
        |path| append(path).map(drop),
        |path| create(path).map(drop),
        |path| read(path).map(drop),
        |path| read_text(path).map(drop),
    ];

    #[test]
    fn nothing_is_waited_for_and_no_link_is_followed() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("target"), "precious").unwrap();
        symlink(at("target"), at("link")).unwrap();
        symlink(at("nowhere"), at("dangling")).unwrap();
        mknodat(CWD, at("fifo"), FileType::Fifo, Mode::RWXU, 0).unwrap();
        for name in ["link", "dangling", "fifo"] {
            for (number, way) in WAYS.iter().enumerate() {
                let error = way(&at(name)).unwrap_err();
                assert_eq!(error.to_string(), "it is not a regular file", "{name}, way {number}");
            }
        }
        for way in WAYS {
            assert!(way(dir.path()).is_err(), "a directory");
        }
        assert_eq!(fs::read_to_string(at("target")).unwrap(), "precious");
        assert!(!at("nowhere").exists());
        assert_eq!(read_foreign(&at("link")).unwrap(), b"precious");
        assert!(read_foreign(&at("fifo")).is_err());
        assert!(open_dir(&at("fifo")).is_err() && open_dir(dir.path()).is_ok());
    }

    #[test]
    fn a_file_of_a_stranger_is_refused_where_strangers_may_not_write() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, "text").unwrap();
        if chown(&path, Some(54_321), None).is_err() {
            eprintln!("left out: only root can give a file away");
            return;
        }
        for way in WAYS {
            let error = way(&path).unwrap_err();
            assert_eq!(error.to_string(), "it belongs to another account (uid 54321)");
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), "text", "it was not emptied");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o2770)).unwrap();
        assert_eq!(read(&path).unwrap(), b"text", "the directory is shared");
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o700)).unwrap();
        chown(dir.path(), Some(54_321), None).unwrap();
        assert_eq!(read(&path).unwrap(), b"text", "root reads what the directory's owner wrote");
    }

    #[test]
    fn a_private_file_is_private_from_the_start_and_never_an_older_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = create_private(&path).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, PRIVATE);
        let error = create_private(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    }

    #[test]
    fn a_file_has_a_greatest_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let file = create(&path).unwrap();
        file.set_len(BYTES_MAX + 1).unwrap();
        for read in [read, read_foreign] {
            assert!(read(&path).unwrap_err().to_string().contains("more than 67108864 bytes"));
        }
        let list = read_foreign_list(&path).unwrap();
        assert_eq!(list.len() as u64, BYTES_MAX + 1, "a million refs need more");
        drop(create(&path).unwrap());
        assert_eq!(read(&path).unwrap(), b"");
    }
}
