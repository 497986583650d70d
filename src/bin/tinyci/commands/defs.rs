//! `tinyci defs`: prints the script API reference.

use tinyci::check::{Checker, DefinitionsFormat};

use crate::{
    console::{exit_codes::OK, failure::Failure, terminal::Stdout},
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci defs > script-api.md       for people
  tinyci defs --rhai > tinyci.d.rhai
                                    for editors with the Rhai language server
  tinyci defs --json                for programs";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DefsArgs {
    /// Print the reference as one line of JSON
    #[arg(long, conflicts_with_all = ["markdown", "rhai"])]
    json: bool,
    /// Print definitions for editors, as a `.d.rhai` file
    #[arg(long, conflicts_with = "markdown")]
    rhai: bool,
    /// Print Markdown (the default)
    #[arg(long)]
    markdown: bool,
}

pub(crate) fn execute(args: &DefsArgs, globals: &Globals) -> Result<u8, Failure> {
    let format = match (args.json, args.rhai) {
        (true, _) => DefinitionsFormat::Json,
        (_, true) => DefinitionsFormat::Rhai,
        _ => DefinitionsFormat::Markdown,
    };
    let text = Checker::new(globals.dir()).definitions(format)?;
    let mut stdout = Stdout::new();
    stdout.line(text.trim_end());
    stdout.finish()?;
    Ok(OK)
}
