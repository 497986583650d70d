//! Old builds: what is packed and removed by hand, and after a run if the settings say so.

use crate::engine::{context::shared::Shared, deploy::kept::Keeper};
use crate::{
    builds::{
        compact::{self, CompactOptions, CompactReport},
        prune::{self, PruneOptions, PruneReport},
    },
    model::{
        cancel::CancelView,
        error::{Error, ErrorKind},
        not_removed::NotRemoved,
    },
};

/// Packs old builds, none that a [`Keeper`] keeps.
pub(in crate::engine) fn compact(
    shared: &Shared,
    options: &CompactOptions,
    cancel: &CancelView,
) -> Result<CompactReport, Error> {
    shared.writable_repo()?;
    let mut keeper = Keeper::new(shared)?;
    compact::compact(&shared.workspace(), options, &mut || keeper.kept(), cancel)
}

/// Removes old builds, none that a [`Keeper`] keeps, by the settings' rules where none is given.
pub(in crate::engine) fn prune(
    shared: &Shared,
    options: &PruneOptions,
    cancel: &CancelView,
) -> Result<PruneReport, Error> {
    let mut options = options.clone();
    if !options.has_rule() {
        let settings = by_settings(shared);
        options = PruneOptions { dry_run: options.dry_run, ..settings };
    }
    if !options.has_rule() {
        return Err(Error::new(ErrorKind::InvalidArg, "no pruning rule given")
            .with_hint("`tinyci prune --keep 20`, or set `tinyci.pruneKeep`"));
    }
    if !options.dry_run {
        shared.writable_repo()?;
    }
    let mut keeper = Keeper::new(shared)?;
    prune::prune(&shared.workspace(), &options, &mut || keeper.kept(), cancel)
}

/// Does after a run what the settings say, and tries again what did not go before, whatever they
/// say. The verdicts are stored: what goes wrong here is a warning each, and so is each build that
/// does not go.
pub(in crate::engine) fn after_run(shared: &Shared, cancel: &CancelView) -> Vec<String> {
    let (mut warnings, mut told) = (Vec::<String>::new(), Vec::new());
    let mut tell = |what: &str, result: Result<Vec<NotRemoved>, Error>| match result {
        // Somebody else is at it.
        Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Canceled) => {}
        Err(error) => warnings.push(format!("cannot {what} old builds: {}", error.report())),
        Ok(left) => {
            let new = left.iter().map(NotRemoved::to_string);
            let new: Vec<String> = new.filter(|line| !warnings.contains(line)).collect();
            warnings.extend(new);
        }
    };
    let rules = by_settings(shared);
    let pruned = match rules.has_rule() {
        false => clear_leftovers(shared),
        true => prune(shared, &rules, cancel).map(|done| {
            told.extend(done.warnings);
            done.not_removed
        }),
    };
    tell("remove", pruned);
    if let Some(newest) = shared.settings.compact_keep {
        let options = CompactOptions::new().keep(newest);
        tell("pack", compact(shared, &options, cancel).map(|done| done.not_removed));
    }
    told.extend(warnings);
    told
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
