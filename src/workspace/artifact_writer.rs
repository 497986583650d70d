//! [`ArtifactWriter`]: writes artifacts as files of a directory, safely for any file names.

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::{
    fs::{AtFlags, FileType, Mode, OFlags, mkdirat, openat, renameat, statat, unlinkat},
    io::Errno,
};

use crate::model::{
    artifact::Artifact,
    cancel::CancelToken,
    error::{Error, ErrorKind},
};
use crate::util::state_file;

/// The number of bytes of a file that are in memory at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// Numbers the unfinished files of this process.
static UNFINISHED: AtomicU32 = AtomicU32::new(0);

/// Writes artifacts below a directory, and nowhere else: it follows no links in the directory. It
/// writes each file under a temporary name first, so that a file is complete or absent.
///
/// ```
/// use tinyci::artifact::ArtifactWriter;
/// let writer = ArtifactWriter::new("out").force(true);
/// # let _ = writer;
/// ```
#[derive(Clone, Debug)]
pub struct ArtifactWriter {
    dir: PathBuf,
    force: bool,
}

impl ArtifactWriter {
    /// Writes below this directory, and creates it if necessary. Existing files are errors.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into(), force: false }
    }

    /// Replaces existing files if `force` is true.
    #[must_use]
    pub fn force(mut self, force: bool) -> Self {
        self.force = force;
        self
    }

    /// Checks that all of these can be written.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a path that leaves the directory, or an existing
    /// file without [`force`](Self::force); [`Io`](ErrorKind::Io).
    pub fn check(&self, artifacts: &[Artifact]) -> Result<(), Error> {
        for artifact in artifacts {
            if !artifact.has_plain_path() {
                let path = artifact.path.escape_debug();
                let message = format!(
                    "invalid artifact path `{path}`: expected a relative path inside the directory"
                );
                return Err(Error::new(ErrorKind::InvalidArg, message));
            }
            let path = self.dir.join(&artifact.path);
            match path.symlink_metadata() {
                Ok(metadata) if metadata.is_dir() || !self.force => return Err(exists(&path)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes one file. If reading `contents` fails, the file is removed: an
    /// [`ArtifactReader`](crate::artifact::ArtifactReader) fails if the contents are not what the
    /// job kept.
    ///
    /// # Errors
    ///
    /// As [`check`](Self::check), and [`Canceled`](ErrorKind::Canceled).
    pub fn write(
        &self,
        artifact: &Artifact,
        contents: &mut dyn Read,
        cancel: &CancelToken,
    ) -> Result<(), Error> {
        self.check(std::slice::from_ref(artifact))?;
        let path = self.dir.join(&artifact.path);
        let failed = |source: io::Error| Error::io("write", &path, source);
        let (dir, name) = self.open_dir(artifact).map_err(failed)?;
        let number = UNFINISHED.fetch_add(1, Ordering::Relaxed);
        let unfinished = format!(".tinyci-{}-{number}.part", std::process::id());
        let mode = if artifact.executable { 0o777 } else { 0o666 };
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
        let made = openat(&dir, &unfinished, flags | OFlags::CLOEXEC, Mode::from_raw_mode(mode));
        let file = made.map_err(|error| failed(error.into()))?;
        let written = copy(contents, File::from(file), cancel, &failed);
        let done = written.and_then(|()| {
            renameat(&dir, &unfinished, &dir, name).map_err(|error| failed(error.into()))
        });
        if done.is_err() {
            // The file is incomplete.
            let _ = unlinkat(&dir, &unfinished, AtFlags::empty());
        }
        done
    }

    /// Opens the directory of a file, and creates it if necessary.
    fn open_dir<'a>(&self, artifact: &'a Artifact) -> io::Result<(OwnedFd, &'a str)> {
        std::fs::create_dir_all(&self.dir)?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut dir = OwnedFd::from(state_file::open_dir(&self.dir)?);
        let (above, name) = artifact.path.rsplit_once('/').unwrap_or(("", &artifact.path));
        for part in above.split('/').filter(|part| !part.is_empty()) {
            match mkdirat(&dir, part, Mode::from_raw_mode(0o777)) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(error) => return Err(error.into()),
            }
            dir = openat(&dir, part, flags | OFlags::NOFOLLOW, Mode::empty())?;
        }
        refuse_dir(dir.as_fd(), name)?;
        Ok((dir, name))
    }
}

/// Fails if a directory has the name of a file.
fn refuse_dir(dir: impl AsFd, name: &str) -> io::Result<()> {
    match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(metadata) if FileType::from_raw_mode(metadata.st_mode) == FileType::Directory => {
            Err(Errno::ISDIR.into())
        }
        _ => Ok(()),
    }
}

fn copy(
    contents: &mut dyn Read,
    mut file: File,
    cancel: &CancelToken,
    failed: &dyn Fn(io::Error) -> Error,
) -> Result<(), Error> {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        if cancel.level() > 0 {
            return Err(Error::new(ErrorKind::Canceled, "canceled while fetching artifacts"));
        }
        let read = match contents.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.map_err(failed)?,
        };
        file.write_all(chunk.get(..read).unwrap_or_default()).map_err(failed)?;
    }
}

fn exists(path: &Path) -> Error {
    let message = format!("refusing to replace `{}`: it already exists", path.display());
    Error::new(ErrorKind::InvalidArg, message).with_path(path)
}
