//! What a job kept beyond its export, and what is asked of that.

use std::{
    io::{self, Read},
    path::{Component, Path},
};

use super::{commit::CommitId, outcome::Outcome};
use crate::util::blob_id::BlobId;

/// A file that a script kept, in the build's directory `artifacts`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Artifact {
    /// Its path below `artifacts`, as below the export.
    pub path: String,
    /// How many bytes it has.
    pub bytes: u64,
    /// The id that git gives such a file: what `git hash-object` prints.
    pub blob: String,
    /// True if it can be executed.
    pub executable: bool,
}

impl Artifact {
    /// True if the path leads to a file below the directory it is read from, whoever wrote it down:
    /// records can come from elsewhere.
    pub(crate) fn has_plain_path(&self) -> bool {
        let mut parts = Path::new(&self.path).components();
        let is_plain = parts.all(|part| matches!(part, Component::Normal(_)));
        // `components` does not show these.
        let hidden = self.path.split('/').any(|part| matches!(part, "" | "."));
        is_plain && !hidden && !self.path.contains('\0')
    }
}

/// All that a job kept, if its record lists only the first files.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArtifactTotal {
    /// How many files.
    pub files: u64,
    /// How many bytes they have together.
    pub bytes: u64,
    /// The blob id of the list of all of them, `artifacts.jsonl` in the build's directory.
    pub list: String,
}

/// Where the artifacts of a job are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ArtifactPlace {
    /// In the build's directory.
    Build,
    /// In the archive that `compact` made of it.
    Archive,
    /// Nowhere anymore: the build was removed.
    Missing,
}

impl ArtifactPlace {
    /// The name used in JSON: `build`, `archive` or `gone`.
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
    /// The job's id: [`Record::job_id`](crate::Record::job_id).
    pub job_id: String,
    /// The job's outcome.
    pub outcome: Outcome,
    /// Where the files are.
    pub place: ArtifactPlace,
    /// The files that were asked for, by path.
    pub artifacts: Vec<Artifact>,
    /// How many files the job kept.
    pub files: u64,
    /// How many bytes they have together.
    pub bytes: u64,
}

/// Which artifacts are meant.
///
/// ```
/// use tinyci::artifact::ArtifactOptions;
/// let reports = ArtifactOptions::new("main").path("reports/**");
/// # let _ = reports;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ArtifactOptions {
    /// The commit.
    pub revision: String,
    /// The job. Without one, the newest job of the commit that kept anything.
    pub job_id: Option<String>,
    /// Paths of files or directories, and globs. Without any, everything.
    pub paths: Vec<String>,
}

impl ArtifactOptions {
    /// All artifacts of the newest job of this commit that kept any.
    pub fn new(revision: impl Into<String>) -> Self {
        Self { revision: revision.into(), job_id: None, paths: Vec::new() }
    }

    /// Selects the job with this id.
    #[must_use]
    pub fn job_id(mut self, job_id: impl Into<String>) -> Self {
        self.job_id = Some(job_id.into());
        self
    }

    /// Selects this file, what is in this directory or what matches this glob, and what else is named.
    #[must_use]
    pub fn path(mut self, path: impl Into<String>) -> Self {
        self.paths.push(path.into());
        self
    }
}

/// The contents of an artifact, from wherever they come: exactly as many bytes as the record says.
/// Reading to the end fails if their blob id differs from that of the record.
pub struct ArtifactReader<R> {
    inner: R,
    left: u64,
    id: BlobId,
    artifact: Artifact,
}

impl<R: Read> ArtifactReader<R> {
    /// Reads the contents of this artifact.
    pub fn new(artifact: &Artifact, inner: R) -> Self {
        let (left, id) = (artifact.bytes, BlobId::new(artifact.bytes));
        Self { inner, left, id, artifact: artifact.clone() }
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
        if self.left == 0 {
            return self.end();
        }
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let Some(piece) = buffer.get_mut(..most) else { return Ok(0) };
        let read = self.inner.read(piece)?;
        if read == 0 {
            return Err(self.differs("it is shorter"));
        }
        self.id.update(piece.get(..read).unwrap_or_default());
        self.left -= read as u64;
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
