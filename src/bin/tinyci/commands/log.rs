//! `tinyci log`: shows and follows the logs of runs.

use tinyci::record::LogOptions;

use crate::{
    console::{
        exit_codes::{CANCELED, OK},
        failure::Failure,
        signals,
        terminal::Stdout,
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci log                        show the log of all runs
  tinyci log -n 20 -f               show the last 20 lines, then new ones as they come
  tinyci log -c HEAD                show the log of one commit";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LogArgs {
    /// Show new lines as they are written, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Show only the last N lines
    #[arg(
        short,
        long = "num-lines",
        visible_alias = "lines",
        alias = "num_lines",
        value_name = "N"
    )]
    n: Option<usize>,
    /// Show the log of this commit
    #[arg(short, long, value_name = "REV")]
    commit: Option<String>,
}

pub(crate) fn execute(args: &LogArgs, globals: &Globals) -> Result<u8, Failure> {
    let mut options = LogOptions::new().follow(args.follow);
    if let Some(lines) = args.n {
        options = options.lines(lines);
    }
    if let Some(revision) = &args.commit {
        options = options.revision(revision);
    }
    let engine = globals.reading_engine()?;
    let cancel = signals::cancel_on_interrupt()?;
    let mut stdout = Stdout::new();
    engine.log(&options, &cancel, &mut |line| {
        stdout.line_of_others(line);
        if stdout.is_closed() {
            cancel.cancel();
        }
    })?;
    let interrupted = cancel.level() > 0 && !stdout.is_closed();
    stdout.finish()?;
    Ok(if interrupted { CANCELED } else { OK })
}
