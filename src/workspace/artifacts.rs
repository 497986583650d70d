//! [`ArtifactStore`]: the files that a build keeps beyond its export.
//!
//! Files are first copied under a temporary name, which the next job removes. They are renamed when
//! all copies are complete. So a full disk, a cancellation or a crash leaves no partial artifacts.
//! Links below the export or below `artifacts` never lead out of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{FileTypeExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::fs::{Mode, OFlags, openat};

use crate::model::stored_names::builds;
use crate::util::state_file;
use crate::{
    model::{
        artifact::Artifact,
        error::{Error, ErrorKind},
        step::Denied,
    },
    rules::glob::{ArtifactPattern, select},
    util::{blob_id::BlobId, sharing::Sharing},
    wire,
    workspace::{
        build::Build,
        layout::replace_file,
        remove::{remove, remove_file},
    },
};

/// The maximum number of artifacts of a job. Their list is in memory.
pub(crate) const ARTIFACTS_MAX: usize = 100_000;

/// The number of bytes of a file that are in memory at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// The size limit of a list, in bytes. A build can replace the list with a larger file.
const LIST_BYTES_MAX: u64 = 256 << 20;

/// Numbers the calls of this process, which can keep files at the same time.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// A request to keep files of an export.
pub(crate) struct KeepRequest<'a> {
    pub(crate) export_dir: &'a Path,
    pub(crate) patterns: &'a [ArtifactPattern],
    /// Returns an error if the file with this path must not be kept.
    pub(crate) refuses: &'a dyn Fn(&str) -> Option<Denied>,
    /// Returns an error if the work must stop now.
    pub(crate) stop: &'a dyn Fn() -> Option<Denied>,
}

/// The artifacts of a build.
#[derive(Clone, Debug)]
pub(crate) struct ArtifactStore {
    /// The build's directory.
    dir: PathBuf,
    /// The path of the artifacts within it.
    subdir: PathBuf,
    sharing: Sharing,
}

impl Build {
    /// Returns the store of this build's artifacts.
    pub(crate) fn artifacts(&self) -> ArtifactStore {
        let (dir, subdir) = (self.dir().to_path_buf(), PathBuf::from(builds::ARTIFACTS));
        ArtifactStore { dir, subdir, sharing: self.sharing() }
    }

    /// Returns the store of a deployment's artifacts.
    pub(crate) fn deploy_artifacts(&self, deployment: &str) -> ArtifactStore {
        let subdir = Path::new(builds::DEPLOY_ARTIFACTS).join(deployment);
        ArtifactStore { subdir, ..self.artifacts() }
    }
}

impl ArtifactStore {
    /// Copies the files that the patterns match, for the job with this id. Keeps all of them or
    /// none.
    ///
    /// # Errors
    ///
    /// `Refused` if a pattern matches nothing, or a file is not a regular file of the export;
    /// `Fault` if a copy cannot be written.
    pub(crate) fn keep(
        &self,
        run: &str,
        request: &KeepRequest<'_>,
    ) -> Result<Vec<Artifact>, Denied> {
        let files = find(request)?;
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let temp_dir = self.dir.join(Build::name_of_copies(run, call));
        let kept = self.copy(&files, &temp_dir, request.stop);
        let kept = kept.and_then(|kept| self.publish(&temp_dir, &kept).map(|()| kept));
        // If the removal fails, the next job removes the files by their name.
        let _ = remove(&temp_dir);
        kept
    }

    fn copy(
        &self,
        files: &BTreeMap<PathBuf, PathBuf>,
        temp_dir: &Path,
        stop: &dyn Fn() -> Option<Denied>,
    ) -> Result<Vec<Artifact>, Denied> {
        let mut kept = Vec::new();
        for (path, from) in files {
            let to = temp_dir.join(path);
            let parent = to.parent().unwrap_or(temp_dir);
            self.sharing.create_dir_all(parent).map_err(|source| unwritten(from, source))?;
            kept.push(self.copy_file(path, from, &to, stop)?);
        }
        Ok(kept)
    }

    fn copy_file(
        &self,
        path: &Path,
        from: &Path,
        to: &Path,
        stop: &dyn Fn() -> Option<Denied>,
    ) -> Result<Artifact, Denied> {
        let unreadable = |source| Denied::Refused(Error::io("keep", from, source));
        let mut file = open_regular(from).map_err(unreadable)?;
        let metadata = file.metadata().map_err(unreadable)?;
        if !metadata.is_file() {
            return Err(not_regular_file(path));
        }
        let mode = metadata.permissions().mode() & 0o777;
        let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o666).open(to);
        let copy = copy.as_mut().map_err(|source| unwritten(from, take_error(source)))?;
        let (mut id, mut left) = (BlobId::new(metadata.len()), metadata.len());
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            if let Some(stop) = stop() {
                return Err(stop);
            }
            let read = file.read(&mut chunk).map_err(unreadable)?;
            let bytes = chunk.get(..read).unwrap_or_default();
            let fits = left.checked_sub(read as u64);
            left = fits.filter(|left| read > 0 || *left == 0).ok_or_else(|| changed(path))?;
            if read == 0 {
                break;
            }
            id.update(bytes);
            copy.write_all(bytes).map_err(|source| unwritten(from, source))?;
        }
        let done = copy.set_permissions(fs::Permissions::from_mode(mode));
        done.and_then(|()| self.sharing.adjust(to)).map_err(|source| unwritten(from, source))?;
        let (path, executable) = (path.to_string_lossy().into_owned(), mode & 0o111 != 0);
        Ok(Artifact { path, bytes: metadata.len(), blob: id.hex(), executable })
    }

    /// Moves the copies to their final paths, and replaces the files of an earlier call.
    fn publish(&self, temp_dir: &Path, kept: &[Artifact]) -> Result<(), Denied> {
        for artifact in kept {
            let path = Path::new(&artifact.path);
            let relative = self.subdir.join(path);
            let mut above = self.dir.clone();
            for part in relative.parent().into_iter().flat_map(Path::components) {
                above.push(part);
                self.make_dir(&above)?;
            }
            let to = self.dir.join(&relative);
            if fs::symlink_metadata(&to).is_ok_and(|metadata| metadata.is_dir()) {
                remove(&to).map_err(Denied::Fault)?;
            }
            fs::rename(temp_dir.join(path), &to)
                .map_err(|source| Denied::Fault(Error::io("put in place", &to, source)))?;
        }
        Ok(())
    }

    /// Creates a directory, and replaces anything else with this name.
    fn make_dir(&self, dir: &Path) -> Result<(), Denied> {
        match fs::symlink_metadata(dir) {
            Ok(metadata) if metadata.is_dir() => return Ok(()),
            Ok(_) => remove_file(dir).map_err(Denied::Fault)?,
            Err(_) => {}
        }
        let made = self.sharing.create_dir_all(dir);
        made.map_err(|source| Denied::Fault(Error::io("create", dir, source)))
    }

    /// Opens an artifact without following links. Its path must be plain.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn open(&self, artifact: &Artifact) -> io::Result<File> {
        let dir = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut above =
            openat(state_file::open_dir(&self.dir)?, builds::ARTIFACTS, dir, Mode::empty())?;
        let mut parts = artifact.path.split('/').peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_some() { dir } else { file };
            above = openat(above, part, flags, Mode::empty())?;
        }
        let file = File::from(above);
        let metadata = file.metadata()?;
        match metadata.is_file() && metadata.len() == artifact.bytes {
            true => Ok(file),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file was changed after the job",
            )),
        }
    }

    /// Returns true if the build has artifacts.
    pub(crate) fn exists(&self) -> bool {
        fs::symlink_metadata(self.dir.join(builds::ARTIFACTS))
            .is_ok_and(|metadata| metadata.is_dir())
    }

    /// Writes the list of all artifacts of a job atomically. Returns the list's blob id.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if it cannot be written.
    pub(crate) fn write_list(&self, artifacts: &[Artifact]) -> Result<String, Error> {
        let (path, text) = (self.dir.join(builds::ARTIFACT_LIST), wire::artifact_lines(artifacts));
        replace_file(&path, text.as_bytes(), self.sharing)
            .map_err(|source| Error::io("write the list of artifacts", &path, source))?;
        Ok(BlobId::of(text.as_bytes()))
    }

    /// Returns the list with this blob id, or `None` if it is missing or another job wrote it.
    pub(crate) fn list(&self, id: &str) -> Option<Vec<Artifact>> {
        read_list(open_regular(&self.dir.join(builds::ARTIFACT_LIST)).ok()?, id)
    }

    /// Returns the names in the build's directory: the list and the artifacts of jobs, and the
    /// artifacts of deployments.
    pub(crate) fn names() -> [&'static str; 3] {
        [builds::ARTIFACT_LIST, builds::ARTIFACTS, builds::DEPLOY_ARTIFACTS]
    }
}

/// Reads a list if it has this blob id.
pub(crate) fn read_list(from: impl Read, id: &str) -> Option<Vec<Artifact>> {
    let mut text = Vec::new();
    from.take(LIST_BYTES_MAX).read_to_end(&mut text).ok()?;
    (BlobId::of(&text) == id).then(|| wire::read_artifact_lines(&String::from_utf8_lossy(&text)))
}

/// Returns the files to keep: the path below the export, and the file to read.
fn find(request: &KeepRequest<'_>) -> Result<BTreeMap<PathBuf, PathBuf>, Denied> {
    let export_root = request.export_dir.canonicalize();
    let export_root = export_root
        .map_err(|source| Denied::Fault(Error::io("keep", request.export_dir, source)))?;
    let files = select(request.patterns, |pattern| {
        Walk { request, export_root: &export_root, pattern, found: BTreeSet::new() }.walk()
    })?;
    if files.len() > ARTIFACTS_MAX { Err(too_many()) } else { Ok(files) }
}

/// A search for the files that one pattern matches.
struct Walk<'a> {
    request: &'a KeepRequest<'a>,
    /// The export, with all links resolved.
    export_root: &'a Path,
    pattern: &'a ArtifactPattern,
    found: BTreeSet<PathBuf>,
}

impl Walk<'_> {
    /// Checks the files in the order of their paths, so that the first error is always the same.
    fn walk(mut self) -> Result<BTreeMap<PathBuf, PathBuf>, Denied> {
        self.find()?;
        let mut files = BTreeMap::new();
        for path in std::mem::take(&mut self.found) {
            let resolved = self.resolve(&path)?;
            files.insert(path, resolved);
        }
        Ok(files)
    }

    fn find(&mut self) -> Result<(), Denied> {
        let root = self.pattern.root();
        let start = self.request.export_dir.join(&root);
        let is_glob = self.pattern.path().is_none();
        let is_dir = match fs::symlink_metadata(&start) {
            Ok(metadata) if metadata.is_symlink() && is_glob => start.is_dir(),
            Ok(metadata) => metadata.is_dir(),
            Err(_) if is_glob => return Ok(()),
            Err(source) => return Err(Denied::Refused(Error::io("keep", &start, source))),
        };
        // A directory on the way may be a link if its target is in the export.
        let resolved = start.canonicalize().unwrap_or_default();
        if !is_dir || !resolved.starts_with(self.export_root) {
            self.found.extend((!is_glob).then(|| PathBuf::from(root)));
            return Ok(());
        }
        let mut left = vec![PathBuf::from(root)];
        while let Some(dir) = left.pop() {
            self.read_dir(&dir, &mut left)?;
        }
        Ok(())
    }

    fn read_dir(&mut self, dir: &Path, left: &mut Vec<PathBuf>) -> Result<(), Denied> {
        let full = self.request.export_dir.join(dir);
        let failed = |source| Denied::Refused(Error::io("keep", &full, source));
        for entry in fs::read_dir(&full).map_err(failed)? {
            if let Some(stop) = (self.request.stop)() {
                return Err(stop);
            }
            let entry = entry.map_err(failed)?;
            let path = dir.join(entry.file_name());
            if entry.file_type().map_err(failed)?.is_dir() {
                left.push(path);
            } else if self.pattern.matches(&path.to_string_lossy()) {
                self.found.insert(path);
            }
            if self.found.len() > ARTIFACTS_MAX {
                return Err(too_many());
            }
        }
        Ok(())
    }

    /// Returns the file to read: the file itself, or the target of a link within the export.
    fn resolve(&self, path: &Path) -> Result<PathBuf, Denied> {
        let text = path.to_str().ok_or_else(|| {
            let path = path.display();
            Denied::refused(format!("cannot keep `{path}`: its name is not UTF-8"))
        })?;
        if let Some(refused) = (self.request.refuses)(text) {
            return Err(refused);
        }
        let resolved = self
            .request
            .export_dir
            .join(path)
            .canonicalize()
            .map_err(|_| not_regular_file(path))?;
        match fs::symlink_metadata(&resolved) {
            Ok(metadata) if resolved.starts_with(self.export_root) && metadata.is_file() => {
                Ok(resolved)
            }
            Ok(metadata) if resolved.starts_with(self.export_root) => {
                Err(odd_file(path, metadata.file_type()))
            }
            _ => Err(not_regular_file(path)),
        }
    }
}

fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// Takes an error out of a reference, and leaves another one there.
fn take_error(source: &mut io::Error) -> io::Error {
    std::mem::replace(source, io::ErrorKind::Other.into())
}

/// Returns the error for an artifact that is not a regular file of the export.
pub(crate) fn not_regular_file(path: &Path) -> Denied {
    let path = path.display();
    Denied::refused(format!(
        "cannot keep `{path}`: it is not a regular file in the export directory"
    ))
}

fn odd_file(path: &Path, kind: fs::FileType) -> Denied {
    let what = match kind {
        kind if kind.is_dir() => return link_to_dir(path),
        kind if kind.is_socket() => "a socket",
        kind if kind.is_fifo() => "a named pipe",
        _ => "a device",
    };
    not_kept(path, what)
}

/// Returns the error for a link to a directory, whose contents are elsewhere.
pub(crate) fn link_to_dir(path: &Path) -> Denied {
    not_kept(path, "a link to a directory")
}

fn not_kept(path: &Path, what: &str) -> Denied {
    let path = path.display();
    Denied::refused(format!(
        "cannot keep `{path}`: it is {what}, not a regular file; exclude it with `!{path}`"
    ))
}

fn too_many() -> Denied {
    Denied::refused(format!(
        "cannot keep more than {ARTIFACTS_MAX} artifacts; keep an archive of the files"
    ))
}

fn changed(path: &Path) -> Denied {
    let path = path.display();
    Denied::refused(format!("cannot keep `{path}`: it changed while tinyci copied it"))
}

/// Returns the error for a copy that cannot be written, which is not the commit's fault.
fn unwritten(path: &Path, source: io::Error) -> Denied {
    Denied::Fault(Error::io("copy", path, source))
}

/// Returns the error for a canceled call.
pub(crate) fn canceled() -> Denied {
    Denied::Refused(Error::new(ErrorKind::Canceled, "canceled while keeping artifacts"))
}
