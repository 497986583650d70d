//! Finds the build to deploy, as a job built and tested it.

use super::candidate::Candidate;
use crate::{
    builds::compact,
    engine::{
        context::shared::Shared,
        run::{attempt, live::kept_exports, reports},
    },
    model::{
        cancel::CancelView,
        commit::Commit,
        deployment::BuildState,
        error::{Error, ErrorKind},
        pipeline::{Hook, Phase, Pipeline, StepName},
        record::{LeftOut, LeftOutBy, Record},
    },
    repo::Repo,
    workspace::{ExportPlace, JobStamp},
};

/// The location of a commit's build.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Found {
    /// In the build directory.
    Here,
    /// In the archive.
    Packed,
    /// Not available, with the reason.
    Not(BuildState),
}

impl Found {
    pub(in crate::engine) fn state(self) -> BuildState {
        match self {
            Found::Here | Found::Packed => BuildState::Present,
            Found::Not(state) => state,
        }
    }
}

/// Finds the build to deploy. A build only counts if it belongs to the record of the current
/// verdict. If the script used the branch, it must be the deployed branch. `made` is the record of
/// a job that made the build for this deployment.
pub(in crate::engine) fn find(
    shared: &Shared,
    repo: &Repo,
    candidate: &Candidate,
    made: Option<&Record>,
) -> Result<Found, Error> {
    let commit = &candidate.commit;
    let current = reports::record_of(repo, commit.id)?;
    if made.is_none()
        && let Some(record) = current.as_ref().filter(|record| is_of_other_branch(record, commit))
    {
        return Ok(Found::Not(BuildState::OtherBranch { took: Some(record.duration) }));
    }
    let build = shared.workspace().build(&commit.build_name());
    let has_own_build = |record: &&Record| !lacks_build(record);
    if let Some(record) = made.or(current.as_ref()).filter(has_own_build) {
        let in_dir = build.stamp().filter(|stamp| stamp_matches(stamp, record));
        let packed = build.packed_stamp().filter(|stamp| stamp_matches(stamp, record));
        let discarded = |stamp: &JobStamp| stamp.export == ExportPlace::Discarded;
        if in_dir.iter().chain(&packed).any(discarded) {
            return Ok(Found::Not(BuildState::Discarded));
        }
        if in_dir.is_some() && build.export_dir().is_dir() {
            return Ok(Found::Here);
        }
        if packed.is_some() {
            return Ok(Found::Packed);
        }
    }
    if !has_build(shared, &candidate.loaded.pipeline) {
        return Ok(Found::Not(BuildState::None));
    }
    let took = current.map(|record| record.duration);
    Ok(Found::Not(BuildState::Missing { took }))
}

/// Returns why a commit must be built and tested again before its deployment, or `None` if it need
/// not. Restores a packed build to check whether its archive contains an export. `id` is the id of
/// the deployment.
///
/// # Errors
///
/// As [`unpack`], and errors while its records are read.
pub(super) fn rebuild_reason(
    shared: &Shared,
    repo: &Repo,
    candidate: &Candidate,
    id: &str,
    cancel: &CancelView,
) -> Result<Option<BuildState>, Error> {
    match find(shared, repo, candidate, None)? {
        Found::Here => Ok(None),
        Found::Packed => {
            unpack(shared, repo, &candidate.commit, id, cancel)?;
            let is_empty = find(shared, repo, candidate, None)? == Found::Packed;
            Ok(is_empty.then_some(BuildState::Missing { took: None }))
        }
        Found::Not(state) => Ok(Some(state).filter(|state| state.must_be_made())),
    }
}

/// Restores a packed build. Removes the exports in the build directory, except deployed ones.
///
/// # Errors
///
/// [`Busy`](crate::ErrorKind::Busy) if other processes use the directory,
/// [`Io`](crate::ErrorKind::Io) if the archive cannot be read or the disk is full,
/// [`Canceled`](crate::ErrorKind::Canceled).
pub(super) fn unpack(
    shared: &Shared,
    repo: &Repo,
    commit: &Commit,
    id: &str,
    cancel: &CancelView,
) -> Result<(), Error> {
    let build = shared.workspace().build(&commit.build_name());
    let _build_lock = build.prepare(&|| cancel.is_canceled())?;
    if build.packed_stamp() == build.stamp() && build.export_dir().is_dir() {
        return Ok(());
    }
    check_disk_space(shared)?;
    let kept = kept_exports(shared, repo, &build, commit.id, id)?;
    // Exports that cannot be removed are renamed.
    build.clean(&kept)?;
    compact::restore(&build, id, cancel)
}

/// Fails if too little disk space is free for an export.
pub(super) fn check_disk_space(shared: &Shared) -> Result<(), Error> {
    let low_space = attempt::low_disk_space(shared, &shared.workspace());
    low_space.map_or(Ok(()), |reason| Err(Error::new(ErrorKind::Io, reason)))
}

/// Returns true if the job might have run differently for the deployed branch, because its script
/// used the branch or the tags.
fn is_of_other_branch(record: &Record, commit: &Commit) -> bool {
    record.asked_for_ref && record.branch != commit.branch
}

/// Returns true if the job left out its build because nothing had changed. Then the export lacks
/// what an earlier build made.
fn lacks_build(record: &Record) -> bool {
    let of_build = |it: &&LeftOut| it.step == Phase::Build.into();
    record.left_out.iter().filter(of_build).any(|it| it.by == LeftOutBy::Changed)
}

/// Returns true if the stamp belongs to the finished job of this record.
fn stamp_matches(stamp: &JobStamp, record: &Record) -> bool {
    stamp.finished.is_some() && stamp.job_id == record.job_id
}

/// Returns true if the export can contain more than the commit's files.
fn has_build(shared: &Shared, pipeline: &Pipeline) -> bool {
    let steps: [StepName; 2] = [Hook::BeforeBuild.into(), Phase::Build.into()];
    let has = |name| pipeline.step(name).is_some() || shared.options.hooks.count(name) > 0;
    steps.into_iter().any(has)
}
