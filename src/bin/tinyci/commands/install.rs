//! `tinyci install`: the git hook that tests what is pushed.

use std::{env, time::SystemTime};

use tinyci::install::{InstallOptions, InstallReport};

use crate::{
    console::{
        failure::{Failure, OK},
        terminal::Stdout,
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci install                    the hook finds `tinyci` on the server's PATH
  tinyci install --absolute-path    the hook calls this very program
  tinyci install --hide-refs        and nobody can push verdicts";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InstallArgs {
    /// Write the full path of this program into the hook
    #[arg(short, long)]
    absolute_path: bool,
    /// Add the refs that hold verdicts to receive.hideRefs, so that a push can't forge them
    #[arg(long)]
    hide_refs: bool,
    /// Install even where core.hooksPath names a folder that other repositories use too
    #[arg(long)]
    shared_hooks: bool,
    /// Take the builds in tinyci.buildsDir over from a repository that is gone
    #[arg(long)]
    adopt_builds: bool,
}

pub(crate) fn execute(args: &InstallArgs, globals: &Globals) -> Result<u8, Failure> {
    let mut options = InstallOptions::default();
    if args.absolute_path {
        options.command = env::current_exe().map_err(|error| {
            Failure::broken(format!("the path of this program is not known: {error}"))
        })?;
    }
    options.shared_hooks = args.shared_hooks;
    options.hide_refs = args.hide_refs;
    options.adopt_builds = args.adopt_builds;
    let installed = globals.engine()?.install(&options)?;
    let what = if installed.changed { "installed successfully" } else { "is installed already" };
    tell(&installed, what, globals)
}

/// Tells what became of the hook, in the ancestor's words.
pub(crate) fn tell(
    installed: &InstallReport,
    what: &str,
    globals: &Globals,
) -> Result<u8, Failure> {
    let mut stdout = Stdout::new();
    if !globals.is_quiet() {
        let time = tinyci::format::log_prefix(SystemTime::now());
        let hook = installed.hook.file_name().unwrap_or_default().display();
        stdout.line(format_args!("{time}tinyci {hook} hook {what}"));
        for note in &installed.notes {
            stdout.line(format_args!("{time}{note}"));
        }
    }
    stdout.finish()?;
    Ok(OK)
}
