//! A build that was packed, taken out of its archive again.

use std::{
    fs::{self, File},
    io::{self, BufReader, Read},
    path::Path,
};

use flate2::read::GzDecoder;
use tar::Archive;

use crate::model::stored_names::builds;
use crate::{
    model::{
        cancel::CancelView,
        error::{Error, ErrorKind},
    },
    workspace::{ArtifactStore, Build, ExportPlace, remove},
};

/// Puts export, artifacts and log of a packed build back into its folder, which the caller has to
/// itself; the archive stays. What is in the folder already is newer and stays.
///
/// # Errors
///
/// [`Io`](ErrorKind::Io) where the archive cannot be read or its files not be written,
/// [`Canceled`](ErrorKind::Canceled). The build's parts are then as they were.
pub(crate) fn restore(build: &Build, run: &str, cancel: &CancelView) -> Result<(), Error> {
    let archive = build.archive_path();
    let file = match File::open(&archive) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file.map_err(|source| Error::io("read the archive", &archive, source))?,
    };
    let beside = build.packed_temp(run);
    let done = unpack(build, file, &beside, cancel).and_then(|()| take_over(&beside, build));
    // What does not go, also of a killed call, has a name that the next run clears away, or tells.
    let _ = remove(&beside);
    done
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

/// Moves the parts over, the export last: it is what says that all is there. The stamp goes with
/// it, in the place of one
/// that belongs to what is in the folder.
fn take_over(beside: &Path, build: &Build) -> Result<(), Error> {
    let packed = beside.join(build.name());
    let is_there = |path: &Path| fs::symlink_metadata(path).is_ok();
    for part in ArtifactStore::names().into_iter().chain([builds::LOG]) {
        let (from, to) = (packed.join(part), build.dir().join(part));
        if is_there(&from) && !is_there(&to) {
            fs::rename(&from, &to).map_err(|source| Error::io("restore", &to, source))?;
        }
    }
    let stamp = build.packed_stamp();
    let name = stamp.as_ref().map_or(ExportPlace::USUAL, |stamp| stamp.export.name());
    let (from, to) = (packed.join(name), build.dir().join(name));
    if !is_there(&from) || is_there(&to) {
        return Ok(());
    }
    match build.packed_stamp_text() {
        Some(stamp) => build.write_stamp_text(&stamp)?,
        None => build.remove_stamp()?,
    }
    fs::rename(&from, &to).map_err(|source| Error::io("restore", &to, source))
}

/// A reader that a cancel ends.
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
