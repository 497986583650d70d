//! Old builds: what is packed and removed by hand, and after a run if the settings say so.

use super::handle::Shared;
use crate::{
    cancel::CancelView,
    commit::CommitId,
    compact::{self, CompactOptions, Compaction},
    error::{Error, ErrorKind},
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

/// Does after a run what the settings say. The verdicts are stored: what goes wrong here is a
/// warning each, and so is a build that could not be taken.
pub(super) fn after_run(shared: &Shared, cancel: &CancelView) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut tell = |what: &str, result: Result<(), Error>| match result {
        // Somebody else is at it.
        Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Canceled) => {}
        Err(error) => warnings.push(format!("old builds were not {what}: {}", error.report())),
        Ok(()) => {}
    };
    let rules = by_settings(shared);
    if rules.has_rule() {
        tell("removed", prune(shared, &rules, cancel).map(drop));
    }
    if let Some(newest) = shared.settings.compact_keep {
        let options = CompactOptions::new().newest(newest);
        tell("packed", compact(shared, &options, cancel).map(drop));
    }
    warnings
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
