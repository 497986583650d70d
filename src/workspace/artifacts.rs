//! [`ArtifactStore`]: the files that a build keeps beyond its export.
//!
//! Whatever a script names is copied beside its place first, under a name that the next job clears
//! away, and put in place once all of it is there. So a full disk, a cancel or a crash leaves
//! nothing half kept. No link below the export or below `artifacts` leads anywhere else.

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

/// How many files one job can keep. The list of them is held in memory.
pub(crate) const ARTIFACTS_MAX: usize = 100_000;

/// How much of a file is in memory at a time.
const PIECE: usize = 256 << 10;

/// No list is larger. What a build put in its place may be.
const LIST_BYTES_MAX: u64 = 256 << 20;

/// Numbers the calls of one process, which may keep files at the same time.
static CALLS: AtomicU32 = AtomicU32::new(0);

/// What is to be kept of an export.
pub(crate) struct Wanted<'a> {
    pub(crate) export_dir: &'a Path,
    pub(crate) patterns: &'a [ArtifactPattern],
    /// Why a file of this path must not be kept, if so.
    pub(crate) refuses: &'a dyn Fn(&str) -> Option<Denied>,
    /// Why the work has to end now, if so.
    pub(crate) stop: &'a dyn Fn() -> Option<Denied>,
}

/// Where the artifacts of a build are.
#[derive(Clone, Debug)]
pub(crate) struct ArtifactStore {
    /// The build's directory.
    dir: PathBuf,
    /// Where in it the files are.
    place: PathBuf,
    sharing: Sharing,
}

impl Build {
    /// The store of this build's artifacts.
    pub(crate) fn artifacts(&self) -> ArtifactStore {
        let (dir, place) = (self.dir().to_path_buf(), PathBuf::from(builds::ARTIFACTS));
        ArtifactStore { dir, place, sharing: self.sharing() }
    }

    /// The store of what a deployment keeps.
    pub(crate) fn deploy_artifacts(&self, deployment: &str) -> ArtifactStore {
        let place = Path::new(builds::DEPLOY_ARTIFACTS).join(deployment);
        ArtifactStore { place, ..self.artifacts() }
    }
}

impl ArtifactStore {
    /// Copies the files that the patterns name, for the job of this id. All of them are kept, or
    /// none.
    ///
    /// # Errors
    ///
    /// Refused is what matches nothing or is no regular file of the export; a fault is a copy that
    /// cannot be written.
    pub(crate) fn keep(&self, run: &str, wanted: &Wanted<'_>) -> Result<Vec<Artifact>, Denied> {
        let files = find(wanted)?;
        let call = CALLS.fetch_add(1, Ordering::Relaxed);
        let beside = self.dir.join(Build::name_of_copies(run, call));
        let kept = self.copy(&files, &beside, wanted.stop);
        let kept = kept.and_then(|kept| self.publish(&beside, &kept).map(|()| kept));
        // What does not go has a name that the next job clears away.
        let _ = remove(&beside);
        kept
    }

    fn copy(
        &self,
        files: &BTreeMap<PathBuf, PathBuf>,
        beside: &Path,
        stop: &dyn Fn() -> Option<Denied>,
    ) -> Result<Vec<Artifact>, Denied> {
        let mut kept = Vec::new();
        for (path, from) in files {
            let to = beside.join(path);
            let parent = to.parent().unwrap_or(beside);
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
        let unread = |source| Denied::Refused(Error::io("keep", from, source));
        let mut file = open_regular(from).map_err(unread)?;
        let there = file.metadata().map_err(unread)?;
        if !there.is_file() {
            return Err(no_file(path));
        }
        let mode = there.permissions().mode() & 0o777;
        let mut copy = OpenOptions::new().write(true).create_new(true).mode(0o666).open(to);
        let copy = copy.as_mut().map_err(|source| unwritten(from, taken(source)))?;
        let (mut id, mut left) = (BlobId::new(there.len()), there.len());
        let mut piece = vec![0; PIECE];
        loop {
            if let Some(stop) = stop() {
                return Err(stop);
            }
            let read = file.read(&mut piece).map_err(unread)?;
            let bytes = piece.get(..read).unwrap_or_default();
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
        Ok(Artifact { path, bytes: there.len(), blob: id.hex(), executable })
    }

    /// Puts copies in their places. What an earlier call kept there goes.
    fn publish(&self, beside: &Path, kept: &[Artifact]) -> Result<(), Denied> {
        for artifact in kept {
            let path = Path::new(&artifact.path);
            let placed = self.place.join(path);
            let mut above = self.dir.clone();
            for part in placed.parent().into_iter().flat_map(Path::components) {
                above.push(part);
                self.make_dir(&above)?;
            }
            let to = self.dir.join(&placed);
            if fs::symlink_metadata(&to).is_ok_and(|there| there.is_dir()) {
                remove(&to).map_err(Denied::Fault)?;
            }
            fs::rename(beside.join(path), &to)
                .map_err(|source| Denied::Fault(Error::io("put in place", &to, source)))?;
        }
        Ok(())
    }

    /// Makes a directory, in the place of whatever else is there.
    fn make_dir(&self, dir: &Path) -> Result<(), Denied> {
        match fs::symlink_metadata(dir) {
            Ok(there) if there.is_dir() => return Ok(()),
            Ok(_) => remove_file(dir).map_err(Denied::Fault)?,
            Err(_) => {}
        }
        let made = self.sharing.create_dir_all(dir);
        made.map_err(|source| Denied::Fault(Error::io("create", dir, source)))
    }

    /// Opens what is kept under a path, which has to be plain. Links are not followed.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn open(&self, artifact: &Artifact) -> io::Result<File> {
        let dir = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut above = openat(File::open(&self.dir)?, builds::ARTIFACTS, dir, Mode::empty())?;
        let mut parts = artifact.path.split('/').peekable();
        while let Some(part) = parts.next() {
            let flags = if parts.peek().is_some() { dir } else { file };
            above = openat(above, part, flags, Mode::empty())?;
        }
        let file = File::from(above);
        let there = file.metadata()?;
        match there.is_file() && there.len() == artifact.bytes {
            true => Ok(file),
            false => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file was changed after the job",
            )),
        }
    }

    /// Whether anything is kept.
    pub(crate) fn is_there(&self) -> bool {
        fs::symlink_metadata(self.dir.join(builds::ARTIFACTS)).is_ok_and(|there| there.is_dir())
    }

    /// Writes the list of all that a job kept, whole or not at all. Returns its blob id.
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

    /// The list with this blob id; none if it is gone or another job's.
    pub(crate) fn list(&self, id: &str) -> Option<Vec<Artifact>> {
        read_list(open_regular(&self.dir.join(builds::ARTIFACT_LIST)).ok()?, id)
    }

    /// What the list and the artifacts of jobs are called in the build's directory, and where those
    /// of deployments are.
    pub(crate) fn names() -> [&'static str; 3] {
        [builds::ARTIFACT_LIST, builds::ARTIFACTS, builds::DEPLOY_ARTIFACTS]
    }
}

/// Reads a list, if it has this blob id.
pub(crate) fn read_list(from: impl Read, id: &str) -> Option<Vec<Artifact>> {
    let mut text = Vec::new();
    from.take(LIST_BYTES_MAX).read_to_end(&mut text).ok()?;
    (BlobId::of(&text) == id).then(|| wire::read_artifact_lines(&String::from_utf8_lossy(&text)))
}

/// The files to keep, by their path below the export, and what to read for each.
fn find(wanted: &Wanted<'_>) -> Result<BTreeMap<PathBuf, PathBuf>, Denied> {
    let top = wanted.export_dir.canonicalize();
    let top = top.map_err(|source| Denied::Fault(Error::io("keep", wanted.export_dir, source)))?;
    let files = select(wanted.patterns, |pattern| {
        Walk { wanted, top: &top, pattern, found: BTreeSet::new() }.walk()
    })?;
    if files.len() > ARTIFACTS_MAX { Err(too_many()) } else { Ok(files) }
}

/// The files that one pattern names.
struct Walk<'a> {
    wanted: &'a Wanted<'a>,
    /// The export, with all links followed.
    top: &'a Path,
    pattern: &'a ArtifactPattern,
    found: BTreeSet<PathBuf>,
}

impl Walk<'_> {
    /// Looks at what was found by path, so that the first fault is always the same one.
    fn walk(mut self) -> Result<BTreeMap<PathBuf, PathBuf>, Denied> {
        self.find()?;
        let mut files = BTreeMap::new();
        for path in std::mem::take(&mut self.found) {
            let real = self.real(&path)?;
            files.insert(path, real);
        }
        Ok(files)
    }

    fn find(&mut self) -> Result<(), Denied> {
        let root = self.pattern.root();
        let start = self.wanted.export_dir.join(&root);
        let is_glob = self.pattern.path().is_none();
        let is_dir = match fs::symlink_metadata(&start) {
            Ok(there) if there.is_symlink() && is_glob => start.is_dir(),
            Ok(there) => there.is_dir(),
            Err(_) if is_glob => return Ok(()),
            Err(source) => return Err(Denied::Refused(Error::io("keep", &start, source))),
        };
        // A directory on the way may be a link, if it stays in the export.
        let real = start.canonicalize().unwrap_or_default();
        if !is_dir || !real.starts_with(self.top) {
            self.found.extend((!is_glob).then(|| PathBuf::from(root)));
            return Ok(());
        }
        let mut left = vec![PathBuf::from(root)];
        while let Some(dir) = left.pop() {
            self.enter(&dir, &mut left)?;
        }
        Ok(())
    }

    fn enter(&mut self, dir: &Path, left: &mut Vec<PathBuf>) -> Result<(), Denied> {
        let full = self.wanted.export_dir.join(dir);
        let failed = |source| Denied::Refused(Error::io("keep", &full, source));
        for entry in fs::read_dir(&full).map_err(failed)? {
            if let Some(stop) = (self.wanted.stop)() {
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

    /// What is to be read for a file: itself, or the file of the export that a link leads to.
    fn real(&self, path: &Path) -> Result<PathBuf, Denied> {
        let text = path.to_str().ok_or_else(|| {
            let path = path.display();
            Denied::refused(format!("cannot keep `{path}`: its name is not UTF-8"))
        })?;
        if let Some(refused) = (self.wanted.refuses)(text) {
            return Err(refused);
        }
        let real = self.wanted.export_dir.join(path).canonicalize().map_err(|_| no_file(path))?;
        match fs::symlink_metadata(&real) {
            Ok(there) if real.starts_with(self.top) && there.is_file() => Ok(real),
            Ok(there) if real.starts_with(self.top) => Err(odd_file(path, there.file_type())),
            _ => Err(no_file(path)),
        }
    }
}

fn open_regular(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    OpenOptions::new().read(true).custom_flags(flags).open(path)
}

/// An error that is only lent.
fn taken(source: &mut io::Error) -> io::Error {
    std::mem::replace(source, io::ErrorKind::Other.into())
}

/// The error for an artifact that is something else than a file of the export.
pub(crate) fn no_file(path: &Path) -> Denied {
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

/// The error for a link to a directory: what is below it is somewhere else.
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

/// A copy that cannot be written is no fault of the commit.
fn unwritten(path: &Path, source: io::Error) -> Denied {
    Denied::Fault(Error::io("copy", path, source))
}

/// The error for work that nobody waits for anymore.
pub(crate) fn given_up() -> Denied {
    Denied::Refused(Error::new(ErrorKind::Canceled, "canceled while keeping artifacts"))
}
