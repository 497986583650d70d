//! Takes locks of files, and checks whether others have them.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use crate::util::state_file;
use crate::{model::error::Error, util::sharing::Sharing};

/// Takes the lock of this file, or returns `None` if it is locked.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io) if the file cannot be opened, or the file system does not support
/// locks.
pub(super) fn try_take(path: &Path, sharing: Sharing) -> Result<Option<File>, Error> {
    let failed = |source| Error::io("lock", path, source);
    let file = open(path, sharing).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Takes the lock of a file that other processes only check. So this blocks only while one of them
/// checks.
pub(super) fn hold(path: &Path, sharing: Sharing) -> io::Result<File> {
    let file = open(path, sharing)?;
    file.lock()?;
    Ok(file)
}

/// Returns true if the file has a lock that conflicts with `try_lock`. Does not keep the lock. A
/// missing file is not locked.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io), with the text `looked_for`, if the file cannot be opened or
/// locked.
pub(super) fn is_taken(
    path: &Path,
    looked_for: &str,
    try_lock: fn(&File) -> Result<(), TryLockError>,
) -> Result<bool, Error> {
    let failed = |source| Error::io(&format!("check for {looked_for} in"), path, source);
    let file = match state_file::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file.map_err(failed)?,
    };
    match try_lock(&file) {
        Ok(()) => file.unlock().map(|()| false).map_err(failed),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Opens the file for writing, because network file systems require that for locks.
pub(super) fn open(path: &Path, sharing: Sharing) -> io::Result<File> {
    let file = state_file::open_or_create(path)?;
    sharing.adjust_open(&file)?;
    Ok(file)
}
