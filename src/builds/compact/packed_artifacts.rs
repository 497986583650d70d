//! Reading artifacts of a packed build from its archive, in one pass.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use flate2::read::GzDecoder;
use tar::Archive;

use super::restore::Interruptible;
use crate::util::state_file;
use crate::{
    model::{
        artifact::{Artifact, ArtifactReader},
        cancel::{CancelToken, CancelView},
        error::{Error, ErrorKind},
    },
    workspace::{ArtifactStore, Build, read_list},
};

/// Calls `each` with artifacts of a packed build, without unpacking it. The artifacts must be in
/// the order of the archive: directory by directory.
///
/// # Errors
///
/// Returns [`Io`](ErrorKind::Io) if the archive cannot be read or lacks an artifact,
/// [`Canceled`](ErrorKind::Canceled), and any error of `each`.
pub(crate) fn each_packed(
    build: &Build,
    artifacts: &[Artifact],
    cancel: &CancelView,
    each: &mut dyn FnMut(&Artifact, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let path = build.archive_path();
    let failed = |source| match cancel.is_canceled() {
        true => Error::new(ErrorKind::Canceled, "canceled while reading artifacts"),
        false => Error::io("read the archive", &path, source),
    };
    let [_, kept, _] = ArtifactStore::names();
    let top = Path::new(build.name()).join(kept);
    let mut requested = artifacts.iter().peekable();
    let mut tar = open(build, cancel).map_err(failed)?;
    for entry in tar.entries().map_err(failed)? {
        let Some(artifact) = requested.peek() else { return Ok(()) };
        let mut entry = entry.map_err(failed)?;
        if entry.path().map_err(failed)? != top.join(&artifact.path) {
            continue;
        }
        if !entry.header().entry_type().is_file() || entry.size() != artifact.bytes {
            break;
        }
        each(artifact, &mut ArtifactReader::new(artifact, &mut entry))?;
        requested.next();
    }
    match requested.next() {
        None => Ok(()),
        Some(missing) => {
            let message = format!(
                "the archive `{}` does not contain `{}` as the job kept it",
                path.display(),
                missing.path.escape_debug()
            );
            Err(Error::new(ErrorKind::Io, message).with_path(&path))
        }
    }
}

/// Returns the full list of the job's artifacts with this blob id. `None` if the archive has no
/// such list.
pub(crate) fn packed_list(build: &Build, id: &str) -> Option<Vec<Artifact>> {
    let [list, ..] = ArtifactStore::names();
    let path = Path::new(build.name()).join(list);
    let never = CancelView::new(&CancelToken::new(), 1);
    let mut tar = open(build, &never).ok()?;
    let mut entries = tar.entries().ok()?.flatten();
    let found = entries.find(|entry| entry.path().is_ok_and(|it| it == path))?;
    read_list(found, id)
}

type Packed<'a> = Archive<Interruptible<'a, GzDecoder<BufReader<File>>>>;

fn open<'a>(build: &Build, cancel: &'a CancelView) -> std::io::Result<Packed<'a>> {
    let file = BufReader::new(state_file::open(&build.archive_path())?);
    Ok(Archive::new(Interruptible { inner: GzDecoder::new(file), cancel }))
}
