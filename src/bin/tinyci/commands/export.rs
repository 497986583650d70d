//! `tinyci export`: a commit's files in a folder.

use std::path::PathBuf;

use crate::{
    console::{
        failure::{Failure, OK},
        signals,
        terminal::{Progress, Stdout, warn},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Example:
  tinyci export v1.2 /tmp/app       what `git archive` packs, and no .git";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// The commit
    #[arg(value_name = "REV")]
    revision: String,
    /// The folder to write to, which must be empty or not be there yet
    #[arg(value_name = "DIR")]
    to: PathBuf,
}

pub(crate) fn execute(args: &ExportArgs, globals: &Globals) -> Result<u8, Failure> {
    let engine = globals.engine()?;
    let cancel = signals::cancel_on_interrupt()?;
    let progress = Progress::show("Exporting", globals.is_quiet());
    let export = engine.export(&args.revision, &args.to, &cancel);
    drop(progress);
    let export = export?;
    let mut stdout = Stdout::new();
    if !globals.is_quiet() {
        export.warnings.iter().for_each(warn);
        let (files, bytes) = (export.files, export.bytes);
        let to = args.to.display();
        stdout.line(format_args!(
            "Exported {} to {to}: {files} files, {bytes} bytes",
            export.commit.short()
        ));
    }
    stdout.finish()?;
    Ok(OK)
}
