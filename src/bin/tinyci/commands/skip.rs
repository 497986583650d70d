//! `tinyci skip`: leaves a commit untested.

use tinyci::intervention::SkipRequest;

use crate::{
    console::{
        failure::{Failure, OK},
        signals,
        terminal::{Stdout, printable},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci skip f40785c -m 'only the history file changed'
  tinyci skip main                  a job of it that is in progress is canceled first
  tinyci -r skip HEAD               on the host of the remote `origin`
  tinyci run --retry f40785c        test it all the same
  git push -o ci.skip               the same for what is pushed

A skipped commit has the verdict `skipped`: it is not tested, and it is not green. One that has a
verdict already keeps it, unless `tinyci results --forget` takes it away first.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SkipArgs {
    /// The commit to leave untested
    #[arg(value_name = "REV")]
    revision: String,
    /// Why: it is kept in the record
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print the record as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &SkipArgs, globals: &Globals) -> Result<u8, Failure> {
    let engine = globals.engine()?;
    let interrupt = signals::cancel_on_interrupt()?;
    let mut request = SkipRequest::revision(&args.revision);
    request.reason.clone_from(&args.reason);
    let record = engine.skip(&request, &interrupt)?;
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(record.to_json());
    } else if !globals.is_quiet() {
        let why = record.reason.map(|reason| format!(" {}", printable(&reason)));
        stdout.line(format_args!("Skipped {}:{}", record.commit, why.unwrap_or_default()));
    }
    stdout.finish()?;
    Ok(OK)
}
