//! Whether the build is there that is to be deployed: what a job built and tested.

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

/// Where the build of a commit is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(in crate::engine) enum Found {
    /// In its folder.
    Here,
    /// In its archive.
    Packed,
    /// Nowhere; what that means.
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

/// Where the build of a commit is that is to be deployed. It is there only if it is that of the
/// record whose verdict counts, and if that was for the branch which is deployed, where this makes a
/// difference; `made` is the record of a job that has made it for this deployment.
pub(in crate::engine) fn find(
    shared: &Shared,
    repo: &Repo,
    candidate: &Candidate,
    made: Option<&Record>,
) -> Result<Found, Error> {
    let commit = &candidate.commit;
    let counting = reports::record_of(repo, commit.id)?;
    if made.is_none()
        && let Some(record) = counting.as_ref().filter(|record| is_of_other_branch(record, commit))
    {
        return Ok(Found::Not(BuildState::OtherBranch { took: Some(record.duration) }));
    }
    let build = shared.workspace().build(&commit.build_name());
    let whole = |record: &&Record| !lacks_build(record);
    if let Some(record) = made.or(counting.as_ref()).filter(whole) {
        let here = build.stamp().filter(|stamp| is_of(stamp, record));
        let packed = build.packed_stamp().filter(|stamp| is_of(stamp, record));
        let discarded = |stamp: &JobStamp| stamp.export == ExportPlace::Discarded;
        if here.iter().chain(&packed).any(discarded) {
            return Ok(Found::Not(BuildState::Discarded));
        }
        if here.is_some() && build.export_dir().is_dir() {
            return Ok(Found::Here);
        }
        if packed.is_some() {
            return Ok(Found::Packed);
        }
    }
    if !has_build(shared, &candidate.loaded.pipeline) {
        return Ok(Found::Not(BuildState::None));
    }
    let took = counting.map(|record| record.duration);
    Ok(Found::Not(BuildState::Missing { took }))
}

/// Why a commit has to be built and tested again before it is deployed; none if it has not. A packed
/// build is taken out of its archive, which need not hold an export. `id` is that of the deployment.
///
/// # Errors
///
/// As [`unpack`], and what keeps its records from being read.
pub(super) fn lacking(
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

/// Takes a packed build out of its archive, in the place of what is in the folder and not live.
///
/// # Errors
///
/// [`Busy`](crate::ErrorKind::Busy) where others keep the folder, [`Io`](crate::ErrorKind::Io) where
/// the archive cannot be read or the disk is full, [`Canceled`](crate::ErrorKind::Canceled).
pub(super) fn unpack(
    shared: &Shared,
    repo: &Repo,
    commit: &Commit,
    id: &str,
    cancel: &CancelView,
) -> Result<(), Error> {
    let build = shared.workspace().build(&commit.build_name());
    let _alone = build.prepare(&|| cancel.is_canceled())?;
    if build.packed_stamp() == build.stamp() && build.export_dir().is_dir() {
        return Ok(());
    }
    check_room(shared)?;
    let kept = kept_exports(shared, repo, &build, commit.id, id)?;
    // What does not go stands aside.
    build.clean(&kept)?;
    compact::restore(&build, id, cancel)
}

/// An export is not made where it would fill the disk.
pub(super) fn check_room(shared: &Shared) -> Result<(), Error> {
    let refusal = attempt::low_disk_space(shared, &shared.workspace());
    refusal.map_or(Ok(()), |reason| Err(Error::new(ErrorKind::Io, reason)))
}

/// Whether a record's job might have done something else for the branch that a commit is deployed
/// from: its script asked for the branch or the tags.
fn is_of_other_branch(record: &Record, commit: &Commit) -> bool {
    record.asked_for_ref && record.branch != commit.branch
}

/// Whether a record's job left its build out, or a part of it, because nothing had changed: what its
/// ancestor built is not in its export.
fn lacks_build(record: &Record) -> bool {
    let of_build = |it: &&LeftOut| it.step == Phase::Build.into();
    record.left_out.iter().filter(of_build).any(|it| it.by == LeftOutBy::Changed)
}

/// Whether a stamp is that of a job which finished with this record.
fn is_of(stamp: &JobStamp, record: &Record) -> bool {
    stamp.finished.is_some() && stamp.job_id == record.job_id
}

/// Whether anything but the commit's files can be in its export.
fn has_build(shared: &Shared, pipeline: &Pipeline) -> bool {
    let steps: [StepName; 2] = [Hook::BeforeBuild.into(), Phase::Build.into()];
    let has = |name| pipeline.step(name).is_some() || shared.options.hooks.count(name) > 0;
    steps.into_iter().any(has)
}
