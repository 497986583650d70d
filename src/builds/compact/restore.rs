//! Restoring a packed build from its archive.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::Path,
};

use flate2::read::GzDecoder;
use tar::Archive;

use crate::model::stored_names::builds;
use crate::util::state_file;
use crate::{
    model::{
        cancel::CancelView,
        error::{Error, ErrorKind},
    },
    workspace::{ArtifactStore, Build, ExportPlace, remove},
};

/// Restores the export, artifacts and log of a packed build into its directory. The caller must
/// have the build locked. The archive stays. Existing files are newer and are kept.
///
/// # Errors
///
/// Returns [`Io`](ErrorKind::Io) if the archive cannot be read or files cannot be written, and
/// [`Canceled`](ErrorKind::Canceled). In both cases, the build is unchanged.
pub(crate) fn restore(build: &Build, job_id: &str, cancel: &CancelView) -> Result<(), Error> {
    let archive = build.archive_path();
    let file = match state_file::open(&archive) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(|source| Error::io("read the archive", &archive, source))?,
    };
    let temp = build.packed_temp(job_id);
    let result = unpack(build, file, &temp, cancel).and_then(|()| move_parts(&temp, build));
    // If this fails, or the process is killed, the next run removes the directory by its name.
    let _ = remove(&temp);
    result
}

fn unpack(build: &Build, file: File, to: &Path, cancel: &CancelView) -> Result<(), Error> {
    let archive = &*build.archive_path();
    build
        .sharing()
        .create_dir_all(to)
        .map_err(|source| Error::io("create the directory", to, source))?;
    let reader = Interruptible { inner: GzDecoder::new(BufReader::new(file)), cancel };
    let mut tar = Archive::new(reader);
    tar.set_preserve_permissions(true);
    tar.unpack(to).map_err(|source| {
        if cancel.is_canceled() {
            let message = format!("canceled while unpacking `{}`", archive.display());
            return Error::new(ErrorKind::Canceled, message);
        }
        Error::io("unpack the archive", archive, source)
    })
}

/// Moves the parts into the build directory, the export last, because an export means that the
/// build is complete. The stamp comes with it and replaces the current one.
fn move_parts(temp: &Path, build: &Build) -> Result<(), Error> {
    let packed = temp.join(build.name());
    let exists = |path: &Path| fs::symlink_metadata(path).is_ok();
    for part in ArtifactStore::names().into_iter().chain([builds::LOG]) {
        let (from, to) = (packed.join(part), build.dir().join(part));
        if exists(&from) && !exists(&to) {
            fs::rename(&from, &to).map_err(|source| Error::io("restore", &to, source))?;
        }
    }
    let stamp = build.packed_stamp();
    let name = stamp.as_ref().map_or(ExportPlace::USUAL, |stamp| stamp.export.name());
    let (from, to) = (packed.join(name), build.dir().join(name));
    if !exists(&from) || exists(&to) {
        return Ok(());
    }
    match build.packed_stamp_text() {
        Some(stamp) => build.write_stamp_text(&stamp)?,
        None => build.remove_stamp()?,
    }
    fs::rename(&from, &to).map_err(|source| Error::io("restore", &to, source))
}

/// A reader that fails once the run is canceled.
pub(super) struct Interruptible<'a, R> {
    pub(super) inner: R,
    pub(super) cancel: &'a CancelView,
}

impl<R: Read> Read for Interruptible<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.cancel.is_canceled() {
            return Err(io::Error::other("canceled"));
        }
        self.inner.read(buffer)
    }
}
