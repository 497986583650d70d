//! Artifacts: files that a job keeps beyond its export.

use std::{
    io::{self, Read},
    path::{Component, Path},
};

use super::{commit::CommitId, outcome::Outcome};
use crate::util::blob_id::BlobId;

/// A file that a script kept, in the directory `artifacts` of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// The path below `artifacts`, which is also its path below the export.
    pub path: String,
    /// The size in bytes.
    pub bytes: u64,
    /// The git blob id, as `git hash-object` prints it.
    pub blob: String,
    /// True if it can be executed.
    pub executable: bool,
}

impl Artifact {
    /// Returns true if the path names a file below the directory. Check this before use, because
    /// records can come from other repositories.
    pub(crate) fn has_plain_path(&self) -> bool {
        let mut parts = Path::new(&self.path).components();
        let is_plain = parts.all(|part| matches!(part, Component::Normal(_)));
        // `components` leaves out empty parts and `.`.
        let hidden = self.path.split('/').any(|part| matches!(part, "" | "."));
        is_plain && !hidden && !self.path.contains('\0')
    }
}

/// The total of a job's artifacts, for a record that lists only the first ones.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArtifactTotal {
    /// The number of files.
    pub files: u64,
    /// The total size in bytes.
    pub bytes: u64,
    /// The blob id of the full list, `artifacts.jsonl` in the build directory.
    pub list: String,
}

/// The place of a job's artifacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArtifactPlace {
    /// The build directory.
    Build,
    /// The archive that `compact` made of the build.
    Archive,
    /// No place: the build was removed.
    Missing,
}

impl ArtifactPlace {
    /// Returns the name used in JSON: `build`, `archive` or `missing`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Build => "build",
            Self::Archive => "archive",
            Self::Missing => "missing",
        }
    }
}

/// The artifacts of one job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArtifactList {
    /// The commit that the job tested.
    pub commit: CommitId,
    /// The id of the job: [`Record::job_id`](crate::Record::job_id).
    pub job_id: String,
    /// The outcome of the job.
    pub outcome: Outcome,
    /// The place of the files.
    pub place: ArtifactPlace,
    /// The selected files, sorted by path.
    pub artifacts: Vec<Artifact>,
    /// The number of files that the job kept.
    pub files: u64,
    /// The total size of these files in bytes.
    pub bytes: u64,
}

/// Selects a job and some of its artifacts.
///
/// ```
/// use tinyci::artifact::ArtifactOptions;
/// let reports = ArtifactOptions::new("main").path("reports/**");
/// # let _ = reports;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArtifactOptions {
    /// The commit, in any of git's revision syntax.
    pub revision: String,
    /// The id of the job. The default is the newest job of the commit that kept artifacts.
    pub job_id: Option<String>,
    /// Paths of files or directories, and globs. If empty, all artifacts.
    pub paths: Vec<String>,
}

impl ArtifactOptions {
    /// Selects all artifacts of the newest job of this commit that kept any.
    pub fn new(revision: impl Into<String>) -> Self {
        Self { revision: revision.into(), job_id: None, paths: Vec::new() }
    }

    /// Selects the job with this id.
    #[must_use]
    pub fn job_id(mut self, job_id: impl Into<String>) -> Self {
        self.job_id = Some(job_id.into());
        self
    }

    /// Adds a file, the files of a directory, or the files that match a glob to the selection.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }
}

/// Reads the contents of an artifact and verifies them. The result has exactly the recorded number
/// of bytes. Reading to the end fails if the blob id differs from the recorded one.
pub struct ArtifactReader<R> {
    inner: R,
    remaining: u64,
    id: BlobId,
    artifact: Artifact,
}

impl<R: Read> ArtifactReader<R> {
    /// Returns a reader that verifies `inner` against this artifact.
    pub fn new(artifact: &Artifact, inner: R) -> Self {
        let (remaining, id) = (artifact.bytes, BlobId::new(artifact.bytes));
        Self { inner, remaining, id, artifact: artifact.clone() }
    }

    fn end(&self) -> io::Result<usize> {
        if self.id.hex() == self.artifact.blob {
            return Ok(0);
        }
        Err(self.differs("its digest differs"))
    }

    fn differs(&self, how: &str) -> io::Error {
        let message = format!(
            "artifact `{}` was changed after the job: {how}",
            self.artifact.path.escape_debug()
        );
        io::Error::new(io::ErrorKind::InvalidData, message)
    }
}

impl<R: Read> Read for ArtifactReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.remaining == 0 {
            return self.end();
        }
        let most = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(buffer.len());
        let Some(piece) = buffer.get_mut(..most) else { return Ok(0) };
        let read = self.inner.read(piece)?;
        if read == 0 {
            return Err(self.differs("it is shorter"));
        }
        self.id.update(piece.get(..read).unwrap_or_default());
        self.remaining -= read as u64;
        Ok(read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(path: &str, contents: &[u8]) -> Artifact {
        let (bytes, blob) = (contents.len() as u64, BlobId::of(contents));
        Artifact { path: path.to_owned(), bytes, blob, executable: false }
    }

    #[test]
    fn a_path_that_leads_elsewhere_is_not_plain() {
        for path in ["a", "a/b", ".a", "..a", "a b/ä", "a\nb"] {
            assert!(artifact(path, b"").has_plain_path(), "{path:?}");
        }
        for path in
            ["", "/", "/a", "..", "../a", "a/../b", "a/..", "./a", "a/./b", "a//b", "a/", "a\0"]
        {
            assert!(!artifact(path, b"").has_plain_path(), "{path:?}");
        }
    }

    #[test]
    fn contents_are_read_to_their_end_only_if_they_are_what_was_kept() {
        let read = |kept: &[u8], found: &[u8]| {
            let mut text = Vec::new();
            let mut reader = ArtifactReader::new(&artifact("a", kept), found);
            reader.read_to_end(&mut text).map(|_| text).map_err(|error| error.to_string())
        };
        assert_eq!(read(b"12", b"12"), Ok(b"12".to_vec()));
        assert_eq!(read(b"12", b"12, and what follows"), Ok(b"12".to_vec()));
        assert_eq!(read(b"", b""), Ok(Vec::new()));
        assert!(read(b"12", b"1").unwrap_err().contains("shorter"));
        assert!(read(b"12", b"13").unwrap_err().contains("digest"));
    }
}
