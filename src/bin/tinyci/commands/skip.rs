//! `tinyci skip`: marks a commit as skipped.

use tinyci::intervention::SkipRequest;

use crate::{
    console::{
        exit_codes::OK,
        failure::Failure,
        signals,
        terminal::{Stdout, printable},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci skip f40785c -m 'only the history file changed'
                                    skip a commit, with a reason
  tinyci -r skip HEAD               skip it on the server of the remote `origin`
  tinyci run --retry f40785c        test it anyway
  git push -o ci.skip               push commits and skip them

The commit gets the verdict `skipped`: it is not tested, and it is not green. If a job of the commit is
active, tinyci cancels it first. A commit that already has a verdict cannot be skipped until you delete
the verdict with `tinyci results --forget`.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SkipArgs {
    /// The commit to skip
    #[arg(value_name = "REV")]
    revision: String,
    /// The reason, for the record
    #[arg(short = 'm', long, value_name = "TEXT")]
    reason: Option<String>,
    /// Print the record as one line of JSON
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
