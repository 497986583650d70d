//! `tinyci compact`: packs old builds.

use std::{path::PathBuf, time::SystemTime};

use tinyci::builds::{CompactOptions, CompactedBuild};

use crate::{
    console::{
        exit_codes::{BROKEN, OK},
        failure::Failure,
        signals,
        terminal::{self, Progress, Stdout},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci compact                    pack all builds but the newest
  tinyci compact -n 5               pack all builds but the newest 5
  tinyci compact -b \"$(readlink -f /srv/app)\"
                                    and do not pack the build that /srv/app points into";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompactArgs {
    /// Keep the newest N builds unpacked [default: 1]
    #[arg(
        short = 'n',
        long,
        aliases = ["num-builds-to-leave", "num_builds_to_leave"],
        value_name = "N"
    )]
    keep: Option<usize>,
    /// Keep this build unpacked: its name, or a path in it; several are separated by commas
    #[arg(
        short = 'b',
        long,
        aliases = ["builds-to-leave", "builds_to_leave"],
        value_name = "BUILD",
        value_delimiter = ','
    )]
    keep_build: Vec<PathBuf>,
    /// Print the packed builds, and those that failed, as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &CompactArgs, globals: &Globals) -> Result<u8, Failure> {
    let mut options = args
        .keep_build
        .iter()
        .fold(CompactOptions::new(), |options, build| options.keep_build(build.to_string_lossy()));
    if let Some(number) = args.keep {
        options = options.keep(number);
    }
    let engine = globals.engine()?;
    let cancel = signals::cancel_on_interrupt()?;
    let progress = Progress::show("Compacting", globals.is_quiet());
    let done = engine.compact(&options, &cancel);
    drop(progress);
    let done = done?;
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(done.to_json());
    } else {
        if !globals.is_quiet() {
            print_report(&done.compacted, &mut stdout);
        }
        for word in &done.unmatched {
            terminal::warn(format_args!("`{word}` is not a build"));
        }
        terminal::warn_of(&done.not_removed);
    }
    stdout.finish()?;
    Ok(if done.not_removed.is_empty() { OK } else { BROKEN })
}

fn print_report(compacted: &[CompactedBuild], stdout: &mut Stdout) {
    for build in compacted {
        let time = tinyci::format::log_prefix(SystemTime::now());
        stdout.line(format_args!("{time}Compacted {}", build.archive.display()));
        for skipped in &build.omitted {
            terminal::warn(format_args!(
                "not packed: `{}` is a socket or a device",
                skipped.display()
            ));
        }
    }
}
