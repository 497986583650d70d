//! [`live`]: the exports of a commit that are deployed, which no job may change.

use std::collections::HashSet;

use crate::{
    engine::context::shared::Shared,
    model::{
        commit::{Commit, CommitId},
        deployment::Deployment,
        error::Error,
        not_removed::NotRemoved,
    },
    repo::Repo,
    rules::ledger::DeploymentHistory,
    workspace::{Build, ExportPlace, JobStamp},
};

/// An export that is deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Live {
    pub(in crate::engine) environment: String,
    /// The name of the export in the commit's build.
    pub(in crate::engine) export: String,
}

/// Returns the exports in a commit's build that are deployed, or whose deployment was interrupted.
/// Exports that no longer exist are left out.
///
/// # Errors
///
/// [`Git`](crate::ErrorKind::Git) if the history of a deployment cannot be read.
pub(in crate::engine) fn live(
    repo: &Repo,
    build: &Build,
    id: CommitId,
) -> Result<Vec<Live>, Error> {
    deployed(repo, build, id, |ledger| {
        ledger.running().into_iter().chain(ledger.interrupted()).collect()
    })
}

/// Returns the exports that may be deployed. This includes failed deployments since the last
/// success, which may have changed a link. The deployment with the id `own` is left out.
fn possibly_live(repo: &Repo, build: &Build, id: CommitId, own: &str) -> Result<Vec<Live>, Error> {
    deployed(repo, build, id, |ledger| {
        let all = ledger.running().into_iter().chain(ledger.tried_since_running());
        all.filter(|it| it.id != own).collect()
    })
}

/// Returns the existing exports in a commit's build of the deployments that `of` selects.
fn deployed(
    repo: &Repo,
    build: &Build,
    id: CommitId,
    of: impl Fn(&DeploymentHistory) -> Vec<&Deployment>,
) -> Result<Vec<Live>, Error> {
    let mut found: Vec<Live> = Vec::new();
    if build.exports().is_empty() {
        return Ok(found);
    }
    let deployments = repo.known_deployments()?;
    for (environment, ledger) in deployments.histories.into_iter().chain(deployments.lost) {
        for deployment in of(&ledger).into_iter().filter(|it| it.commit == id) {
            let exists = build.dir().join(&deployment.export).is_dir();
            let (environment, export) = (environment.clone(), deployment.export.clone());
            let live = Live { environment, export };
            if exists && !found.contains(&live) {
                found.push(live);
            }
        }
    }
    Ok(found)
}

/// Returns the reason why a deployment to this environment must keep the build's export. Another
/// environment may use it, or a link of a deploy script may lead into it.
///
/// # Errors
///
/// As [`live`], and errors while links are read.
pub(in crate::engine) fn reason_to_keep_export(
    shared: &Shared,
    repo: &Repo,
    build: &Build,
    id: CommitId,
    environment: &str,
) -> Result<Option<String>, Error> {
    let export = build.export_name();
    let mut live = possibly_live(repo, build, id, "")?.into_iter();
    if let Some(live) = live.find(|it| it.export == export && it.environment != environment) {
        return Ok(Some(format!("it is also deployed to `{}`", live.environment)));
    }
    let mut pins = shared.workspace().pins(&shared.settings.pins)?.into_iter();
    let pin = pins.find(|it| it.build == build.name() && it.part.as_deref() == Some(export));
    Ok(pin.map(|pin| format!("`{}` links to it", pin.link.display())))
}

/// The place for a new export of a commit, and the existing exports that stay.
pub(in crate::engine) struct ExportTarget {
    /// The build, with the place of the new export.
    pub(in crate::engine) build: Build,
    /// True if the new export is in addition to the build's export, which then stays for now.
    is_additional: bool,
    /// The names of the exports that stay, because they may be deployed.
    kept: Vec<String>,
    /// The name of the build's current export.
    current: String,
}

impl ExportTarget {
    /// Chooses the place for the job `job_id`. If an export is deployed, the job gets a path of its
    /// own. With `replaces`, it replaces the deployed export instead, and prefers the build's own.
    ///
    /// # Errors
    ///
    /// As [`live`].
    pub(in crate::engine) fn of_job(
        shared: &Shared,
        repo: &Repo,
        build: Build,
        id: CommitId,
        job_id: &str,
        replaces: bool,
    ) -> Result<Self, Error> {
        let mut kept = kept_exports(shared, repo, &build, id, job_id)?;
        let current = build.export_name().to_owned();
        let place = match kept.first() {
            None => ExportPlace::USUAL.to_owned(),
            Some(_) if replaces && kept.contains(&current) => current.clone(),
            Some(live) if replaces => live.clone(),
            Some(_) => return Ok(Self::new_additional(build, kept, job_id)),
        };
        kept.retain(|export| *export != place);
        Ok(Self { build: build.at(&place), is_additional: false, kept, current })
    }

    /// Chooses a place in addition to all existing exports.
    ///
    /// # Errors
    ///
    /// As [`live`].
    pub(in crate::engine) fn additional(
        shared: &Shared,
        repo: &Repo,
        build: Build,
        id: CommitId,
        job_id: &str,
    ) -> Result<Self, Error> {
        let kept = kept_exports(shared, repo, &build, id, job_id)?;
        Ok(Self::new_additional(build, kept, job_id))
    }

    fn new_additional(build: Build, kept: Vec<String>, job_id: &str) -> Self {
        let current = build.export_name().to_owned();
        Self { build: build.at(&Build::name_beside(job_id)), is_additional: true, kept, current }
    }

    /// Removes the exports that may not stay. If the new export is an additional one, the build's
    /// current export stays too. Returns what could not be removed.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if an export cannot be renamed or the stamp cannot be written.
    pub(in crate::engine) fn prepare(&self, stamp: &JobStamp) -> Result<Vec<NotRemoved>, Error> {
        if self.is_additional {
            let kept = [&self.kept[..], std::slice::from_ref(&self.current)].concat();
            return self.build.clean(&kept);
        }
        self.build.write_stamp(stamp)?;
        self.build.clean(&self.kept)
    }

    /// Returns true if the new export is in addition to the build's export.
    pub(in crate::engine) fn is_additional(&self) -> bool {
        self.is_additional
    }
}

/// Removes the exports of a commit's build that cannot be deployed, except the build's own. Does
/// nothing if another process uses the build.
///
/// # Errors
///
/// As [`live`], and [`Io`](crate::ErrorKind::Io) if an export cannot be renamed.
pub(in crate::engine) fn remove_unused_exports(
    shared: &Shared,
    repo: &Repo,
    commit: &Commit,
) -> Result<Vec<NotRemoved>, Error> {
    let build = shared.workspace().build(&commit.build_name());
    if build.exports().iter().all(|export| export == build.export_name()) {
        return Ok(Vec::new());
    }
    let Some(_build_lock) = build.take()? else { return Ok(Vec::new()) };
    let mut kept = kept_exports(shared, repo, &build, commit.id, "")?;
    kept.push(build.export_name().to_owned());
    build.clean(&kept)
}

/// Returns the names of the exports that no job may change: those that may be deployed, and the
/// targets of deploy scripts' links. The deployment with the id `own` is left out. If deployments
/// or links cannot be read, returns all exports.
pub(in crate::engine) fn kept_exports(
    shared: &Shared,
    repo: &Repo,
    build: &Build,
    id: CommitId,
    own: &str,
) -> Result<Vec<String>, Error> {
    let existing = build.exports();
    if existing.is_empty() || !repo.known_deployments()?.unknown.is_empty() {
        return Ok(existing);
    }
    let live = possibly_live(repo, build, id, own)?.into_iter().map(|live| live.export);
    let Ok(pins) = shared.workspace().pins(&shared.settings.pins) else { return Ok(existing) };
    let of_build = pins.into_iter().filter(|pin| pin.build == build.name());
    let pinned = of_build.filter_map(|pin| pin.part).filter(|part| existing.contains(part));
    let mut kept: Vec<String> = live.chain(pinned).collect();
    let mut seen = HashSet::new();
    kept.retain(|export| seen.insert(export.clone()));
    Ok(kept)
}
