//! `tinyci setup-remote`: sets up a clone to fetch and show the verdicts of its server.

use tinyci::install::RemoteSetup;

use crate::{
    console::{exit_codes::OK, failure::Failure, terminal::Stdout},
    globals::{DEFAULT_REMOTE, Globals},
};

const EXAMPLES: &str = "\
Examples:
  tinyci setup-remote               make `git fetch` fetch the verdicts of `origin` too
  git fetch && git log              fetch and show them; `tinyci results` shows them too
  tinyci setup-remote --undo        restore the previous configuration";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SetupRemoteArgs {
    /// The remote whose verdicts to fetch
    #[arg(value_name = "NAME", default_value = DEFAULT_REMOTE)]
    name: String,
    /// Remove what setup-remote added to the configuration; fetched verdicts are kept
    #[arg(long)]
    undo: bool,
    /// Print the changes as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &SetupRemoteArgs, globals: &Globals) -> Result<u8, Failure> {
    let engine = globals.engine()?;
    let setup = match args.undo {
        false => engine.setup_remote(&args.name)?,
        true => engine.undo_setup_remote(&args.name)?,
    };
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(setup.to_json());
    } else if !globals.is_quiet() {
        print_report(args, &setup, &mut stdout);
    }
    stdout.finish()?;
    Ok(OK)
}

fn print_report(args: &SetupRemoteArgs, setup: &RemoteSetup, stdout: &mut Stdout) {
    let name = &args.name;
    let verb = if args.undo { "removed" } else { "added" };
    for line in &setup.changes {
        stdout.line(format_args!("{verb} {line}"));
    }
    stdout.line(match (args.undo, setup.changes.is_empty()) {
        (false, false) => format!("`git fetch {name}` now also fetches the verdicts of `{name}`"),
        (false, true) => format!("`{name}` is already set up"),
        (true, false) => format!(
            "`git fetch {name}` no longer fetches the verdicts of `{name}`; those already fetched \
             stay in refs/notes/remotes/{name}"
        ),
        (true, true) => format!("`{name}` is not set up"),
    });
}
