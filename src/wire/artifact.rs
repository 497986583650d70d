//! Artifacts as JSON: in records, in the list beside the files, and for `tinyci artifacts --json`.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::{
    record::{json, lenient, read_outcome},
    unknown,
    version::VERSION,
};
use crate::model::{
    artifact::{Artifact, ArtifactList, ArtifactPlace, ArtifactTotal},
    commit::CommitId,
    error::{Error, ErrorKind},
};

#[derive(Serialize, Deserialize)]
pub(super) struct ArtifactJson {
    path: String,
    bytes: u64,
    blob: String,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "std::ops::Not::not")]
    executable: bool,
}

impl ArtifactJson {
    pub(super) fn of(artifact: &Artifact) -> Self {
        let Artifact { path, bytes, blob, executable } = artifact.clone();
        Self { path, bytes, blob, executable }
    }

    pub(super) fn into_artifact(self) -> Artifact {
        let Self { path, bytes, blob, executable } = self;
        Artifact { path, bytes, blob, executable }
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct ArtifactTotalJson {
    files: u64,
    bytes: u64,
    list: String,
}

impl ArtifactTotalJson {
    pub(super) fn of(total: &ArtifactTotal) -> Self {
        Self { files: total.files, bytes: total.bytes, list: total.list.clone() }
    }

    pub(super) fn into_total(self) -> ArtifactTotal {
        ArtifactTotal { files: self.files, bytes: self.bytes, list: self.list }
    }
}

/// Returns the full list of a job's artifacts, one line for each file.
pub(crate) fn artifact_lines(artifacts: &[Artifact]) -> String {
    artifacts.iter().map(|artifact| json(&ArtifactJson::of(artifact)) + "\n").collect()
}

/// Parses such a list. Ignores malformed lines.
pub(crate) fn read_artifact_lines(text: &str) -> Vec<Artifact> {
    let lines = text.lines().filter_map(|line| serde_json::from_str(line).ok());
    lines.map(ArtifactJson::into_artifact).collect()
}

#[derive(Serialize, Deserialize)]
struct ArtifactListJson {
    v: u32,
    commit: String,
    job_id: String,
    outcome: String,
    place: String,
    files: u64,
    bytes: u64,
    artifacts: Vec<ArtifactJson>,
}

impl ArtifactList {
    /// Returns one line of JSON.
    ///
    /// The keys are `commit`, `job_id`, `outcome`, `place` (`build`, `archive` or `missing`),
    /// `files`, `bytes` and `artifacts`. `files` and `bytes` are the totals of the job. Each
    /// artifact has `path`, `bytes`, `blob` and, if true, `executable`.
    ///
    /// ```no_run
    /// use tinyci::{Engine, artifact::ArtifactOptions};
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// println!("{}", engine.artifacts(&ArtifactOptions::new("main"))?.to_json());
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        json(&ArtifactListJson {
            v: VERSION,
            commit: self.commit.to_string(),
            job_id: self.job_id.clone(),
            outcome: self.outcome.name().to_owned(),
            place: self.place.name().to_owned(),
            files: self.files,
            bytes: self.bytes,
            artifacts: self.artifacts.iter().map(ArtifactJson::of).collect(),
        })
    }

    /// Parses the result of [`to_json`](Self::to_json).
    ///
    /// ```
    /// let line = concat!(
    ///     r#"{"v":1,"commit":"f40785cbc4422f39c36118fbae071932774cb5b6","job_id":"r1","#,
    ///     r#""outcome":"success","place":"build","files":1,"bytes":0,"artifacts":["#,
    ///     r#"{"path":"a","bytes":0,"blob":"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"}]}"#,
    /// );
    /// assert_eq!(tinyci::artifact::ArtifactList::from_json(line)?.to_json(), line);
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`InvalidArg`](ErrorKind::InvalidArg) if the line is malformed, and
    /// [`NewerFormat`](ErrorKind::NewerFormat) if its version (`v`) is newer.
    pub fn from_json(line: &str) -> Result<Self, Error> {
        let read: ArtifactListJson = serde_json::from_str(line).map_err(|source| {
            Error::new(ErrorKind::InvalidArg, "not a list of artifacts").with_source(source)
        })?;
        unknown::check_version("list of artifacts", read.v)?;
        let place = match read.place.as_str() {
            "build" => ArtifactPlace::Build,
            "archive" => ArtifactPlace::Archive,
            _ => ArtifactPlace::Missing,
        };
        Ok(Self {
            commit: CommitId::from_str(&read.commit)?,
            job_id: read.job_id,
            outcome: read_outcome(&read.outcome).0,
            place,
            artifacts: read.artifacts.into_iter().map(ArtifactJson::into_artifact).collect(),
            files: read.files,
            bytes: read.bytes,
        })
    }
}
