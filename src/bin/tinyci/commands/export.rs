//! `tinyci export`: writes a commit's files to a directory.

use std::path::PathBuf;

use crate::{
    console::{
        exit_codes::OK,
        failure::Failure,
        signals,
        terminal::{Progress, Stdout, printable, warn},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Example:
  tinyci export v1.2 /tmp/app       write the files that `git archive` packs, without .git";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    /// The commit
    #[arg(value_name = "REV")]
    revision: String,
    /// The directory to write to; it must be empty or not exist
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
        let to = printable(&args.to.display().to_string());
        stdout.line(format_args!(
            "Exported {} to {to}: {files} files, {bytes} bytes",
            export.commit.short()
        ));
    }
    stdout.finish()?;
    Ok(OK)
}
