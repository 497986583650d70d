//! [`live`]: the exports of a commit that environments run, which no job may touch.

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

/// An export that an environment runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::engine) struct Live {
    pub(in crate::engine) environment: String,
    /// What it is called in the commit's build.
    pub(in crate::engine) export: String,
}

/// The exports in a commit's build that environments run, or are being brought to. One that is gone
/// is none.
///
/// # Errors
///
/// [`Git`](crate::ErrorKind::Git) where a deployment's history cannot be read.
pub(in crate::engine) fn live(
    repo: &Repo,
    build: &Build,
    id: CommitId,
) -> Result<Vec<Live>, Error> {
    deployed(repo, build, id, |ledger| {
        ledger.running().into_iter().chain(ledger.interrupted()).collect()
    })
}

/// The exports that may be live: also those whose deployment failed since, but for the one of this
/// id. Such a deployment may have turned its link before.
fn maybe_live(repo: &Repo, build: &Build, id: CommitId, own: &str) -> Result<Vec<Live>, Error> {
    deployed(repo, build, id, |ledger| {
        let all = ledger.running().into_iter().chain(ledger.tried_since_running());
        all.filter(|it| it.id != own).collect()
    })
}

/// The exports in a commit's build that these deployments of each environment have deployed.
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
    let known = repo.known_deployments()?;
    for (environment, ledger) in known.histories.into_iter().chain(known.lost) {
        for deployment in of(&ledger).into_iter().filter(|it| it.commit == id) {
            let is_there = build.dir().join(&deployment.export).is_dir();
            let (environment, export) = (environment.clone(), deployment.export.clone());
            let live = Live { environment, export };
            if is_there && !found.contains(&live) {
                found.push(live);
            }
        }
    }
    Ok(found)
}

/// Why the export of this build has to stay that a deployment to this environment would discard:
/// another environment may run it, or a link of deploy scripts leads into it.
///
/// # Errors
///
/// As [`live`], and what keeps links from being read.
pub(in crate::engine) fn needed_elsewhere(
    shared: &Shared,
    repo: &Repo,
    build: &Build,
    id: CommitId,
    environment: &str,
) -> Result<Option<String>, Error> {
    let export = build.export_name();
    let mut live = maybe_live(repo, build, id, "")?.into_iter();
    if let Some(live) = live.find(|it| it.export == export && it.environment != environment) {
        return Ok(Some(format!("it is also deployed to `{}`", live.environment)));
    }
    let mut pins = shared.workspace().pins(&shared.settings.pins)?.into_iter();
    let pin = pins.find(|it| it.build == build.name() && it.part.as_deref() == Some(export));
    Ok(pin.map(|pin| format!("`{}` links to it", pin.link.display())))
}

/// Where a job works, or a deployment that makes an export of its own, which is always beside.
pub(in crate::engine) struct Ground {
    /// With the export's place.
    pub(in crate::engine) build: Build,
    /// True if that is beside the build's export, which stays until there is another one.
    is_apart: bool,
    /// The names of the exports that stay: they may be live.
    kept: Vec<String>,
    /// The name of the build's export until then.
    current: String,
}

impl Ground {
    /// The place for the job of this id. If something is live, it is a path of its own from the first
    /// command on; `replaces` takes the place of what is live instead: of several exports the one
    /// that is the build's.
    ///
    /// # Errors
    ///
    /// As [`live`].
    pub(in crate::engine) fn of_job(
        shared: &Shared,
        repo: &Repo,
        build: Build,
        id: CommitId,
        run: &str,
        replaces: bool,
    ) -> Result<Self, Error> {
        let mut kept = kept_exports(shared, repo, &build, id, run)?;
        let current = build.export_name().to_owned();
        let place = match kept.first() {
            None => ExportPlace::USUAL.to_owned(),
            Some(_) if replaces && kept.contains(&current) => current.clone(),
            Some(live) if replaces => live.clone(),
            Some(_) => return Ok(Self::apart(build, kept, run)),
        };
        kept.retain(|export| *export != place);
        Ok(Self { build: build.at(&place), is_apart: false, kept, current })
    }

    /// A place beside whatever is there.
    ///
    /// # Errors
    ///
    /// As [`live`].
    pub(in crate::engine) fn beside(
        shared: &Shared,
        repo: &Repo,
        build: Build,
        id: CommitId,
        run: &str,
    ) -> Result<Self, Error> {
        let kept = kept_exports(shared, repo, &build, id, run)?;
        Ok(Self::apart(build, kept, run))
    }

    fn apart(build: Build, kept: Vec<String>, run: &str) -> Self {
        let current = build.export_name().to_owned();
        Self { build: build.at(&Build::name_beside(run)), is_apart: true, kept, current }
    }

    /// Makes room for the export: only what may be live stays, and what is beside it the build's until
    /// there is another one. Returns what does not go.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) where an export cannot be renamed, or the stamp not be written.
    pub(in crate::engine) fn clear(&self, stamp: &JobStamp) -> Result<Vec<NotRemoved>, Error> {
        if self.is_apart {
            let kept = [&self.kept[..], std::slice::from_ref(&self.current)].concat();
            return self.build.clean(&kept);
        }
        self.build.write_stamp(stamp)?;
        self.build.clean(&self.kept)
    }

    /// Whether that is beside the build's export.
    pub(in crate::engine) fn is_apart(&self) -> bool {
        self.is_apart
    }
}

/// Removes from a commit's build the exports that no environment may run, but the build's own. What
/// others are at work in is left to them.
///
/// # Errors
///
/// As [`live`], and [`Io`](crate::ErrorKind::Io) where an export cannot be renamed.
pub(in crate::engine) fn sweep(
    shared: &Shared,
    repo: &Repo,
    commit: &Commit,
) -> Result<Vec<NotRemoved>, Error> {
    let build = shared.workspace().build(&commit.build_name());
    if build.exports().iter().all(|export| export == build.export_name()) {
        return Ok(Vec::new());
    }
    let Some(_alone) = build.take()? else { return Ok(Vec::new()) };
    let mut kept = kept_exports(shared, repo, &build, commit.id, "")?;
    kept.push(build.export_name().to_owned());
    build.clean(&kept)
}

/// The names of the exports in a commit's build that no job may touch: what may be live, but for the
/// deployment of this id, and what links of deploy scripts lead into. If it cannot be known what is
/// live, or where they lead, that is all of them.
pub(in crate::engine) fn kept_exports(
    shared: &Shared,
    repo: &Repo,
    build: &Build,
    id: CommitId,
    own: &str,
) -> Result<Vec<String>, Error> {
    let there = build.exports();
    if there.is_empty() || !repo.known_deployments()?.unknown.is_empty() {
        return Ok(there);
    }
    let live = maybe_live(repo, build, id, own)?.into_iter().map(|live| live.export);
    let Ok(pins) = shared.workspace().pins(&shared.settings.pins) else { return Ok(there) };
    let of_build = pins.into_iter().filter(|pin| pin.build == build.name());
    let pinned = of_build.filter_map(|pin| pin.part).filter(|part| there.contains(part));
    let mut kept: Vec<String> = live.chain(pinned).collect();
    let mut known = HashSet::new();
    kept.retain(|export| known.insert(export.clone()));
    Ok(kept)
}
