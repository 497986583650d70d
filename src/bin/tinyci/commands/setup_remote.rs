//! `tinyci setup-remote`: a clone that fetches and shows what its server found.

use tinyci::install::RemoteSetup;

use crate::{
    console::{
        failure::{Failure, OK},
        terminal::Stdout,
    },
    globals::{DEFAULT_REMOTE, Globals},
};

const EXAMPLES: &str = "\
Examples:
  tinyci setup-remote               from now on `git fetch` brings the verdicts of `origin`
  git fetch && git log              and git shows them; so does `tinyci results`
  tinyci setup-remote --undo        as it was before";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SetupRemoteArgs {
    /// The remote whose verdicts are wanted
    #[arg(value_name = "NAME", default_value = DEFAULT_REMOTE)]
    name: String,
    /// Take out what was put into the configuration; what was fetched stays
    #[arg(long)]
    undo: bool,
    /// Print what was changed as one line of JSON
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
        tell(args, &setup, &mut stdout);
    }
    stdout.finish()?;
    Ok(OK)
}

fn tell(args: &SetupRemoteArgs, setup: &RemoteSetup, stdout: &mut Stdout) {
    let name = &args.name;
    let verb = if args.undo { "removed" } else { "added" };
    for line in &setup.changes {
        stdout.line(format_args!("{verb} {line}"));
    }
    stdout.line(match (args.undo, setup.changes.is_empty()) {
        (false, false) => format!("`git fetch {name}` brings the verdicts of `{name}` from now on"),
        (false, true) => format!("`{name}` is set up already"),
        (true, false) => format!(
            "`git fetch {name}` leaves the verdicts of `{name}` out from now on; those that were \
             fetched stay in refs/notes/remotes/{name}"
        ),
        (true, true) => format!("`{name}` is not set up"),
    });
}
