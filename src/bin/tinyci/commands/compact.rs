//! `tinyci compact`: old builds, packed.

use std::{path::PathBuf, time::SystemTime};

use tinyci::builds::{CompactOptions, CompactedBuild};

use crate::{
    console::{
        failure::{BROKEN, Failure, HOUSEKEEPING_EXIT_CODES, OK},
        signals,
        terminal::{self, Progress, Stdout},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci compact                    all builds but the newest
  tinyci compact -n 5               all builds but the newest five
  tinyci compact -b \"$(readlink -f /srv/app)\"
                                    nor the build that /srv/app points into";

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{HOUSEKEEPING_EXIT_CODES}"))]
pub(crate) struct CompactArgs {
    /// Leave the newest N builds as they are [default: 1]
    #[arg(short, long = "num-builds-to-leave", alias = "num_builds_to_leave", value_name = "N")]
    num_builds: Option<usize>,
    /// Leave these builds as they are: names, or paths inside them, separated by commas
    #[arg(
        short,
        long = "builds-to-leave",
        alias = "builds_to_leave",
        value_name = "LIST",
        value_delimiter = ','
    )]
    builds: Vec<PathBuf>,
    /// Print what was packed, and what was not, as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &CompactArgs, globals: &Globals) -> Result<u8, Failure> {
    let mut options = args
        .builds
        .iter()
        .fold(CompactOptions::new(), |options, build| options.keep_build(build.to_string_lossy()));
    if let Some(number) = args.num_builds {
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
            tell(&done.compacted, &mut stdout);
        }
        for word in &done.unmatched {
            terminal::warn(format_args!("`{word}` names no build that is there"));
        }
        terminal::warn_of(&done.not_removed);
    }
    stdout.finish()?;
    Ok(if done.not_removed.is_empty() { OK } else { BROKEN })
}

fn tell(compacted: &[CompactedBuild], stdout: &mut Stdout) {
    for build in compacted {
        let time = tinyci::format::log_prefix(SystemTime::now());
        stdout.line(format_args!("{time}Compacted {}", build.archive.display()));
        for skipped in &build.omitted {
            terminal::warn(format_args!(
                "`{}` is a socket or a device and is not packed",
                skipped.display()
            ));
        }
    }
}
