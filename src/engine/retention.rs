//! Old builds: what is packed and removed by hand, and after a run if the settings say so.

use super::{handle::Shared, kept::Keeper};
use crate::{
    cancel::CancelView,
    compact::{self, CompactOptions, Compaction},
    error::{Error, ErrorKind},
    prune::{self, PruneOptions, Pruning},
};

/// Packs old builds, none that a [`Keeper`] keeps.
pub(super) fn compact(
    shared: &Shared,
    options: &CompactOptions,
    cancel: &CancelView,
) -> Result<Compaction, Error> {
    let mut keeper = Keeper::new(shared)?;
    compact::compact(&shared.workspace(), options, &mut || keeper.kept(), cancel)
}

/// Removes old builds, none that a [`Keeper`] keeps, by the settings' rules where none is given.
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
    let mut keeper = Keeper::new(shared)?;
    prune::prune(&shared.workspace(), &options, &mut || keeper.kept(), cancel)
}

/// Does after a run what the settings say. The verdicts are stored: what goes wrong here is a
/// warning each, and so is a build that could not be taken.
pub(super) fn after_run(shared: &Shared, cancel: &CancelView) -> Vec<String> {
    let (mut warnings, mut told) = (Vec::new(), Vec::new());
    let mut tell = |what: &str, result: Result<(), Error>| match result {
        // Somebody else is at it.
        Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Canceled) => {}
        Err(error) => warnings.push(format!("old builds were not {what}: {}", error.report())),
        Ok(()) => {}
    };
    let rules = by_settings(shared);
    if rules.has_rule() {
        let pruned = prune(shared, &rules, cancel).map(|done| told.extend(done.warnings));
        tell("removed", pruned);
    }
    if let Some(newest) = shared.settings.compact_keep {
        let options = CompactOptions::new().newest(newest);
        tell("packed", compact(shared, &options, cancel).map(drop));
    }
    told.extend(warnings);
    told
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
