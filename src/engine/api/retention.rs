//! Packs and removes old builds: on request, and after a run according to the settings.

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

/// Packs old builds, except those that a [`Keeper`] protects.
pub(in crate::engine) fn compact(
    shared: &Shared,
    options: &CompactOptions,
    cancel: &CancelView,
) -> Result<CompactReport, Error> {
    shared.writable_repo()?;
    let mut keeper = Keeper::new(shared)?;
    compact::compact(&shared.workspace(), options, &mut || keeper.kept(), cancel)
}

/// Removes old builds, except those that a [`Keeper`] protects. Without a rule in the options, the
/// rules of the settings apply.
pub(in crate::engine) fn prune(
    shared: &Shared,
    options: &PruneOptions,
    cancel: &CancelView,
) -> Result<PruneReport, Error> {
    let mut options = options.clone();
    if !options.has_rule() {
        let settings = rules_of_settings(shared);
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

/// Packs and removes builds after a run, according to the settings. Also retries what could not be
/// removed before. All errors become warnings, because the verdicts are already stored.
pub(in crate::engine) fn after_run(shared: &Shared, cancel: &CancelView) -> Vec<String> {
    let (mut warnings, mut messages) = (Vec::<String>::new(), Vec::new());
    let mut report = |what: &str, result: Result<Vec<NotRemoved>, Error>| match result {
        // Another process is packing or removing builds.
        Err(error) if matches!(error.kind(), ErrorKind::Busy | ErrorKind::Canceled) => {}
        Err(error) => warnings.push(format!("cannot {what} old builds: {}", error.report())),
        Ok(not_removed) => {
            let new = not_removed.iter().map(NotRemoved::to_string);
            let new: Vec<String> = new.filter(|line| !warnings.contains(line)).collect();
            warnings.extend(new);
        }
    };
    let rules = rules_of_settings(shared);
    let pruned = match rules.has_rule() {
        false => clear_leftovers(shared),
        true => prune(shared, &rules, cancel).map(|done| {
            messages.extend(done.warnings);
            done.not_removed
        }),
    };
    report("remove", pruned);
    if let Some(newest) = shared.settings.compact_keep {
        let options = CompactOptions::new().keep(newest);
        report("pack", compact(shared, &options, cancel).map(|done| done.not_removed));
    }
    messages.extend(warnings);
    messages
}

fn clear_leftovers(shared: &Shared) -> Result<Vec<NotRemoved>, Error> {
    let workspace = shared.workspace();
    if !workspace.has_leftovers() {
        return Ok(Vec::new());
    }
    let folder = workspace.builds_folder()?;
    folder.map_or(Ok(Vec::new()), |folder| folder.clear_leftovers())
}

fn rules_of_settings(shared: &Shared) -> PruneOptions {
    let settings = &shared.settings;
    PruneOptions {
        keep: settings.prune_keep,
        max_age: settings.prune_max_age,
        max_bytes: settings.prune_max_size,
        dry_run: false,
    }
}
