//! Limits the number of artifacts in a record.

use crate::engine::context::job_reporter::JobReporter;
use crate::{
    model::{
        artifact::{Artifact, ArtifactTotal},
        record::Record,
    },
    workspace::Build,
};

/// Maximum number of artifacts in a record. A record is a note, which `git log` shows and every
/// fetch transfers.
const LISTED_MAX: usize = 100;

/// Shortens the list of artifacts in a record. The whole list is written to a file beside the
/// artifacts, and the record contains its digest.
pub(in crate::engine) fn limit(record: &mut Record, build: &Build, reporter: &mut JobReporter) {
    if record.artifacts.len() <= LISTED_MAX {
        return;
    }
    let (files, bytes) = size(&record.artifacts);
    let list = build.artifacts().write_list(&record.artifacts).unwrap_or_else(|error| {
        reporter.warn(format!("listing only the first {LISTED_MAX} artifacts: {}", error.report()));
        String::new()
    });
    record.artifacts.truncate(LISTED_MAX);
    record.artifact_total = Some(ArtifactTotal { files, bytes, list });
}

pub(in crate::engine) fn size(artifacts: &[Artifact]) -> (u64, u64) {
    let bytes = artifacts.iter().fold(0, |sum: u64, it| sum.saturating_add(it.bytes));
    (artifacts.len() as u64, bytes)
}
