//! `tinyci completions`: prints a shell completion script.

use clap_complete::Shell;

use crate::console::{exit_codes::OK, failure::Failure, terminal::Stdout};

const EXAMPLES: &str = "\
Examples:
  tinyci completions bash > ~/.local/share/bash-completion/completions/tinyci
  tinyci completions zsh > ~/.zfunc/_tinyci
  tinyci completions fish > ~/.config/fish/completions/tinyci.fish";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

/// Prints the script for `command`, the complete command line.
pub(crate) fn execute(args: &CompletionsArgs, mut command: clap::Command) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut command, "tinyci", &mut script);
    let mut stdout = Stdout::new();
    stdout.write_file(&script);
    stdout.finish()?;
    Ok(OK)
}
