//! `tinyci log`: what runs said, and say.

use tinyci::record::LogOptions;

use crate::{
    console::{
        failure::{CANCELED, Failure, OK},
        signals,
        terminal::Stdout,
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci log                        the log of all runs
  tinyci log -n 20 -f               the last lines, and what follows
  tinyci log -c HEAD                the log of one commit";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct LogArgs {
    /// Go on with lines as they are written, until Ctrl-C
    #[arg(short, long)]
    follow: bool,
    /// Show the last N lines only
    #[arg(
        short,
        long = "num-lines",
        visible_alias = "lines",
        alias = "num_lines",
        value_name = "N"
    )]
    n: Option<usize>,
    /// Show the log of this commit's build
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
        stdout.write(&[line, b"\n"].concat());
        if stdout.is_gone() {
            cancel.cancel();
        }
    })?;
    let interrupted = cancel.level() > 0 && !stdout.is_gone();
    stdout.finish()?;
    Ok(if interrupted { CANCELED } else { OK })
}
