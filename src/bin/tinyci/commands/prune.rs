//! `tinyci prune`: deletes old builds.

use std::time::{Duration, SystemTime};

use tinyci::{
    builds::{PruneOptions, PruneReason, PruneReport},
    format::{format_bytes, parse_bytes, parse_duration},
};

use crate::{
    console::{
        exit_codes::{BROKEN, OK},
        failure::Failure,
        signals,
        terminal::{self, Progress, Stdout, printable},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci prune --keep 20            delete all builds but the newest 20
  tinyci prune --max-age 30d        delete builds that were last run more than 30 days ago
  tinyci prune --max-size 10g --dry-run
                                    show what to delete so that the rest takes at most 10 GiB
  git config tinyci.pruneKeep 20    prune after every run; `tinyci prune` uses it too";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PruneArgs {
    /// Delete all builds but the newest N
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Delete builds that were last run longer ago than this: 12h, 30d
    #[arg(long, value_name = "DUR", value_parser = duration)]
    max_age: Option<Duration>,
    /// Delete the oldest builds until the rest takes at most this many bytes: 500m, 10g
    #[arg(long, value_name = "SIZE", value_parser = size)]
    max_size: Option<u64>,
    /// Show what would be deleted, and delete nothing
    #[arg(long)]
    dry_run: bool,
    /// Print the deleted builds, and those that failed, as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &PruneArgs, globals: &Globals) -> Result<u8, Failure> {
    let mut options = PruneOptions::new().dry_run(args.dry_run);
    (options.keep, options.max_age, options.max_bytes) = (args.keep, args.max_age, args.max_size);
    let engine = globals.engine()?;
    let cancel = signals::cancel_on_interrupt()?;
    let progress = Progress::show("Deleting old builds", globals.is_quiet() || args.dry_run);
    let done = engine.prune(&options, &cancel);
    drop(progress);
    let done = done?;
    done.warnings.iter().for_each(|warning| terminal::warn(printable(warning)));
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(done.to_json());
    } else {
        if !globals.is_quiet() {
            print_report(&done, &mut stdout);
        }
        terminal::warn_of(&done.not_removed);
    }
    stdout.finish()?;
    let failed = !done.not_removed.is_empty() && !done.dry_run;
    Ok(if failed { BROKEN } else { OK })
}

fn print_report(done: &PruneReport, stdout: &mut Stdout) {
    let time = tinyci::format::log_prefix(SystemTime::now());
    let verb = if done.dry_run { "Would remove" } else { "Removed" };
    for build in &done.removed {
        let (size, reason) = (format_bytes(build.bytes), why(build.reason));
        stdout.line(format_args!("{time}{verb} {} ({size}): {reason}", build.name));
    }
    for name in &done.in_use {
        terminal::warn(format_args!("`{name}` is kept: a run is using it"));
    }
    let builds = match done.removed.len() {
        1 => "1 build".to_owned(),
        number => format!("{number} builds"),
    };
    for build in done.protected.iter().filter(|_| done.dry_run) {
        let (size, why) = (format_bytes(build.bytes), printable(&build.why.join(", ")));
        stdout.line(format_args!("{time}Would keep {} ({size}): {why}", build.name));
    }
    let kept = match done.protected.len() {
        0 => String::new(),
        1 => "; 1 protected build is kept".to_owned(),
        number => format!("; {number} protected builds are kept"),
    };
    let freed = format_bytes(done.freed_bytes());
    stdout.line(format_args!("{time}{verb} {builds}, {freed}{kept}"));
}

fn why(reason: PruneReason) -> &'static str {
    match reason {
        PruneReason::Count => "not among the newest",
        PruneReason::Age => "last run too long ago",
        PruneReason::Size => "newer builds use the whole size limit",
        _ => "no rule keeps it",
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "expected a time such as 12h or 30d, at most a year".to_owned())
}

fn size(text: &str) -> Result<u64, String> {
    parse_bytes(text).ok_or_else(|| "expected a size such as 500m or 10g".to_owned())
}
