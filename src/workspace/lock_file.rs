//! Files that are locked: how one is taken, and how others see that it is.

use std::{
    fs::{File, TryLockError},
    io,
    path::Path,
};

use crate::{model::error::Error, util::sharing::Sharing};

/// Takes the lock of this file; none if somebody else has it.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io) if the file cannot be opened, or the file system has no locks.
pub(super) fn try_take(path: &Path, sharing: Sharing) -> Result<Option<File>, Error> {
    let failed = |source| Error::io("lock", path, source);
    let file = open(path, sharing).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Takes the lock of a file that others only look at: that blocks at most for the instant in which
/// somebody does.
pub(super) fn hold(path: &Path, sharing: Sharing) -> io::Result<File> {
    let file = open(path, sharing)?;
    file.lock()?;
    Ok(file)
}

/// Whether somebody holds the lock of this file in a way that `try_lock` cannot share, found out
/// without keeping it. A file that does not exist is held by nobody.
///
/// # Errors
///
/// [`Io`](crate::ErrorKind::Io), with what was `looked_for`, if it cannot be opened or locked.
pub(super) fn is_taken(
    path: &Path,
    looked_for: &str,
    try_lock: fn(&File) -> Result<(), TryLockError>,
) -> Result<bool, Error> {
    let failed = |source| Error::io(&format!("check for {looked_for} in"), path, source);
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        file => file.map_err(failed)?,
    };
    match try_lock(&file) {
        Ok(()) => file.unlock().map(|()| false).map_err(failed),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Opened for writing because locks on network file systems ask for that.
pub(super) fn open(path: &Path, sharing: Sharing) -> io::Result<File> {
    let file = File::options().read(true).write(true).create(true).truncate(false).open(path)?;
    sharing.adjust_open(&file)?;
    Ok(file)
}
