//! The command line. It uses only the public API of the library, as any host program does.
//!
//! Each of these modules imports only those above it in this table.
//!
//! | file or directory | contents |
//! |---|---|
//! | `console` | output, signals, questions, exit codes |
//! | `globals` | the global options, and helpers that several commands share |
//! | `remote` | the same command on a server, over ssh |
//! | `commands` | one file per command: its options, and `execute` |
//! | `args` | the command line as a whole |

#![deny(unsafe_code)]

mod args;
mod commands;
mod console;
mod globals;
mod remote;

use std::process::ExitCode;

use clap::{ArgMatches, FromArgMatches};

use crate::{
    args::{Args, Command},
    commands::{
        approve, artifacts, cancel, check, compact, completions, convert, defs, deploy,
        deployments, export, install, log, plan, prune, results, rollback, run, settings,
        setup_remote, skip, status, test_pipeline, uninstall, version,
    },
    console::{exit_codes, failure::Failure, signals, terminal},
    remote::forward,
};

fn main() -> ExitCode {
    tinyci::tune_process();
    tinyci::adopt_orphans();
    let words = args::name_bare_remotes(std::env::args_os().collect());
    let parsed = args::command().try_get_matches_from(words).and_then(|matches| {
        let args = Args::from_arg_matches(&matches)?;
        Ok((args, matches))
    });
    let done = match parsed {
        Ok((args, matches)) => {
            if args.globals.raw {
                terminal::show_raw();
            }
            dispatch(&args, &matches)
        }
        // Also the help and the version that were asked for.
        Err(error) => Ok(terminal::show_usage(&error)),
    };
    let failure = match (done, terminal::lost_output()) {
        (Ok(exit_codes::OK), Some(lost)) | (Err(lost), None) => lost,
        (Ok(code), _) => return ExitCode::from(code),
        (Err(failure), Some(_)) => failure,
    };
    terminal::print_error(&failure);
    ExitCode::from(failure.code())
}

/// Runs the command and returns the exit code.
fn dispatch(args: &Args, matches: &ArgMatches) -> Result<u8, Failure> {
    signals::survive_failed_writes()?;
    let globals = &args.globals;
    if let Some(name) = &globals.remote {
        if let Command::Artifacts(args) = &args.command
            && args.is_fetch()
        {
            return artifacts::fetch_over_ssh(args, name, globals);
        }
        let mut words = forward::words(&args::command(), matches);
        if args.command.records_person() {
            words.insert(0, forward::asked_by(globals));
        }
        return forward::execute(name, globals, &words);
    }
    match &args.command {
        Command::Install(args) => install::execute(args, globals),
        Command::Uninstall => uninstall::execute(globals),
        Command::Run(args) => run::execute(args, globals),
        Command::Plan(args) => plan::execute(args, globals),
        Command::Cancel(args) => cancel::execute(args, globals),
        Command::Skip(args) => skip::execute(args, globals),
        Command::Results(args) => results::execute(args, globals),
        Command::Log(args) => log::execute(args, globals),
        Command::Artifacts(args) => artifacts::execute(args, globals),
        Command::Check(args) => check::execute(args, globals),
        Command::Convert(args) => convert::execute(args, globals),
        Command::Defs(args) => defs::execute(args, globals),
        Command::TestPipeline(args) => test_pipeline::execute(args, globals),
        Command::Export(args) => export::execute(args, globals),
        Command::Deploy(args) => deploy::execute(args, globals),
        Command::Rollback(args) => rollback::execute(args, globals),
        Command::Approve(args) => approve::execute(args, globals),
        Command::Deployments(args) => deployments::execute(args, globals),
        Command::Compact(args) => compact::execute(args, globals),
        Command::Prune(args) => prune::execute(args, globals),
        Command::Settings(args) => settings::execute(args, globals),
        Command::SetupRemote(args) => setup_remote::execute(args, globals),
        Command::Status(args) => status::execute(args, globals),
        Command::Completions(args) => completions::execute(args, args::command()),
        Command::Version => version::execute(),
    }
}
