//! Old builds: what is packed and removed by hand, and after a run if the settings say so.

use super::handle::Shared;
use crate::{
    cancel::CancelView,
    commit::CommitId,
    compact::{self, CompactOptions, Compaction},
    error::{Error, ErrorKind},
    not_removed::NotRemoved,
    prune::{self, PruneOptions, Pruning},
};

/// Packs old builds, none that is deployed.
pub(super) fn compact(
    shared: &Shared,
    options: &CompactOptions,
    cancel: &CancelView,
) -> Result<Compaction, Error> {
    compact::compact(&shared.workspace(), options, &pinned(shared)?, cancel)
}

/// Removes old builds, none that is deployed, by the settings' rules where none is given.
pub(super) fn prune(
    shared: &Shared,
    options: &PruneOptions,
    cancel: &CancelView,
) -> Result<Pruning, Error> {
    let mut options = options.clone();
    if !options.has_rule() {
        let settings = by_settings(shared);
        options = PruneOptions { dry_run: options.dry_run, ..settings };
    }
    if !options.has_rule() {
        let message = "nothing says which builds to remove: say how many to keep, how old they may \
                       be, or how much room they may take, here or by `git config tinyci.pruneKeep`, \
                       `tinyci.pruneMaxAge` and `tinyci.pruneMaxSize`";
        return Err(Error::new(ErrorKind::InvalidArg, message));
    }
    prune::prune(&shared.workspace(), &options, &pinned(shared)?, cancel)
}

/// Does after a run what the settings say, and tries again what did not go before, whatever they
/// say. The verdicts are stored: what goes wrong here is a warning each, and so is each build that
/// does not go.
pub(super) fn after_run(shared: &Shared, cancel: &CancelView) -> Vec<String> {
    let mut warnings: Vec<String> = Vec::new();
    let mut tell = |what: &str, result: Result<Vec<NotRemoved>, Error>| match result {
        // Somebody else is at it.
        Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Canceled) => {}
        Err(error) => warnings.push(format!("old builds were not {what}: {}", error.report())),
        Ok(left) => {
            let new = left.iter().map(NotRemoved::to_string);
            let new: Vec<String> = new.filter(|line| !warnings.contains(line)).collect();
            warnings.extend(new);
        }
    };
    let rules = by_settings(shared);
    match rules.has_rule() {
        true => tell("removed", prune(shared, &rules, cancel).map(|done| done.not_removed)),
        false => tell("removed", clear_leftovers(shared)),
    }
    if let Some(newest) = shared.settings.compact_keep {
        let options = CompactOptions::new().newest(newest);
        tell("packed", compact(shared, &options, cancel).map(|done| done.not_removed));
    }
    warnings
}

fn clear_leftovers(shared: &Shared) -> Result<Vec<NotRemoved>, Error> {
    let workspace = shared.workspace();
    if !workspace.has_leftovers() {
        return Ok(Vec::new());
    }
    let folder = workspace.builds_folder()?;
    folder.map_or(Ok(Vec::new()), |folder| folder.clear_leftovers())
}

fn by_settings(shared: &Shared) -> PruneOptions {
    let settings = &shared.settings;
    PruneOptions {
        keep: settings.prune_keep,
        max_age: settings.prune_max_age,
        max_bytes: settings.prune_max_size,
        dry_run: false,
    }
}

/// The commits whose builds stay as they are: those that are deployed, and those that a rollback
/// would lead to. Where that cannot be read, nothing is packed or removed.
fn pinned(shared: &Shared) -> Result<Vec<CommitId>, Error> {
    let repo = shared.repo()?;
    let mut pinned = Vec::new();
    for environment in repo.deploy_environments()? {
        pinned.extend(repo.deploy_history(&environment)?.ledger.pinned());
    }
    Ok(pinned)
}
