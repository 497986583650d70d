//! `tinyci install`: installs a git hook that tests every push.

use std::{env, time::SystemTime};

use tinyci::install::{InstallOptions, InstallReport};

use crate::{
    console::{exit_codes::OK, failure::Failure, terminal::Stdout},
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci install                    the hook runs the `tinyci` on the server's PATH
  tinyci install --absolute-path    the hook runs this program by its full path
  tinyci install --hide-refs        also reject pushes to the refs with verdicts";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct InstallArgs {
    /// Write the full path of this program into the hook
    #[arg(short, long)]
    absolute_path: bool,
    /// Make git refuse pushes to notes and to refs of tinyci (receive.hideRefs), so that a push cannot
    /// forge verdicts
    #[arg(long)]
    hide_refs: bool,
    /// Let pushes still write REF and the refs below it; notes that exist already stay writable
    #[arg(long, value_name = "REF", requires = "hide_refs")]
    unhide: Vec<String>,
    /// Install even if core.hooksPath names a directory that other repositories use too
    #[arg(long)]
    shared_hooks: bool,
    /// Take over the builds in tinyci.buildsDir from a repository that no longer exists
    #[arg(long)]
    adopt_builds: bool,
}

pub(crate) fn execute(args: &InstallArgs, globals: &Globals) -> Result<u8, Failure> {
    let mut options = InstallOptions::default();
    if args.absolute_path {
        options.command = env::current_exe().map_err(|error| {
            Failure::broken(format!("cannot find the path of this program: {error}"))
        })?;
    }
    options.shared_hooks = args.shared_hooks;
    options.hide_refs = args.hide_refs;
    options.unhide = args.unhide.clone();
    options.adopt_builds = args.adopt_builds;
    let installed = globals.engine()?.install(&options)?;
    let what = if installed.changed { "installed successfully" } else { "is already installed" };
    print_report(&installed, what, globals)
}

/// Prints the result in the words of TinyCI 0.5.
pub(crate) fn print_report(
    installed: &InstallReport,
    what: &str,
    globals: &Globals,
) -> Result<u8, Failure> {
    let mut stdout = Stdout::new();
    if !globals.is_quiet() {
        let time = tinyci::format::log_prefix(SystemTime::now());
        let hook = installed.hook.file_name().unwrap_or_default().display();
        stdout.line(format_args!("{time}tinyci {hook} hook {what}"));
        // A hint is a line of its own, with the same time in front.
        for line in installed.notes.iter().flat_map(|note| note.lines()) {
            stdout.line(format_args!("{time}{line}"));
        }
    }
    stdout.finish()?;
    Ok(OK)
}
