//! The command line as a whole: its commands and their help.

use std::ffi::OsString;

use clap::{CommandFactory, Parser, Subcommand};

use crate::{
    commands::{
        approve::ApproveArgs, artifacts::ArtifactsArgs, cancel::CancelArgs, check::CheckArgs,
        compact::CompactArgs, completions::CompletionsArgs, convert::ConvertArgs, defs::DefsArgs,
        deploy::DeployArgs, deployments::DeploymentsArgs, export::ExportArgs, install::InstallArgs,
        log::LogArgs, plan::PlanArgs, prune::PruneArgs, results::ResultsArgs,
        rollback::RollbackArgs, run::RunArgs, settings::SettingsArgs,
        setup_remote::SetupRemoteArgs, skip::SkipArgs, status::StatusArgs,
        test_pipeline::TestPipelineArgs,
    },
    console::exit_codes,
    globals::{DEFAULT_REMOTE, Globals},
};

const EXAMPLES: &str = "\
Examples:
  tinyci install                    test every push to this repository
  tinyci run --all                  test all pending commits
  tinyci results -n 10              show the 10 newest results
  tinyci deploy                     deploy the newest green commit
  tinyci -r log -f                  follow the log on the server of the remote `origin`";

/// Test and deploy the commits of a git repository, without a daemon or a database
///
/// Verdicts and records are stored in the repository itself, as git notes.
#[derive(Debug, Parser)]
#[command(
    name = "tinyci",
    version = tinyci::VERSION,
    arg_required_else_help = true,
    after_help = format!("{EXAMPLES}\n\n{}", exit_codes::all()),
    max_term_width = 100
)]
pub(crate) struct Args {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Install a git hook that tests every push
    ///
    /// If a fetch from a remote would replace or delete tinyci's refs, as in a mirror, `install` adds
    /// negative refspecs to that remote and shows them.
    Install(InstallArgs),
    /// Remove the git hook
    ///
    /// Also removes the refspecs that `install` added, and no others.
    Uninstall,
    /// Test commits
    Run(RunArgs),
    /// Show what `run` would do
    Plan(PlanArgs),
    /// Cancel the job of a commit, or the active run
    Cancel(CancelArgs),
    /// Mark a commit as skipped so that it is not tested
    Skip(SkipArgs),
    /// Show test results
    Results(ResultsArgs),
    /// Show the log of all runs, or of one commit
    Log(LogArgs),
    /// List or fetch the files that a job kept
    Artifacts(ArtifactsArgs),
    /// Deploy the newest green commit, or a commit of your choice
    Deploy(DeployArgs),
    /// Roll back to the previous deployment
    Rollback(RollbackArgs),
    /// Approve the deployment of a commit
    Approve(ApproveArgs),
    /// Show deployments, or retire an environment
    #[command(visible_alias = "deploys")]
    Deployments(DeploymentsArgs),
    /// Validate a config or script
    Check(CheckArgs),
    /// Convert a YAML config to a script
    Convert(ConvertArgs),
    /// Print the script API reference
    Defs(DefsArgs),
    /// Run the tests of a script
    TestPipeline(TestPipelineArgs),
    /// Write the files of a commit to a directory
    Export(ExportArgs),
    /// Pack old builds into .tar.gz archives
    Compact(CompactArgs),
    /// Show what is running, pending and deployed
    Status(StatusArgs),
    /// Delete old builds (deployed ones are kept)
    Prune(PruneArgs),
    /// Show all settings, with their values and defaults
    Settings(SettingsArgs),
    /// Set up git to fetch and show the verdicts of a remote
    SetupRemote(SetupRemoteArgs),
    /// Print a shell completion script
    Completions(CompletionsArgs),
    /// Print the version
    Version,
}

impl Command {
    /// Returns true if the command records who ran it.
    pub(crate) fn records_person(&self) -> bool {
        let of_deployment = matches!(self, Self::Deploy(_) | Self::Rollback(_) | Self::Approve(_));
        of_deployment
            || matches!(self, Self::Cancel(_) | Self::Skip(_))
            || matches!(self, Self::Deployments(args) if args.retires())
    }
}

/// Returns the command line for clap. The help of every command ends with its exit codes.
pub(crate) fn command() -> clap::Command {
    Args::command().mut_subcommands(with_exit_codes)
}

fn with_exit_codes(command: clap::Command) -> clap::Command {
    let codes = exit_codes::of(command.get_name());
    let long = command.get_after_long_help().map(|help| format!("{help}\n\n{codes}"));
    let short = command.get_after_help().map(|help| format!("{help}\n\n{codes}"));
    let command = command.after_help(short.unwrap_or(codes));
    match long {
        Some(long) => command.after_long_help(long),
        None => command,
    }
}

/// Adds the default name to `-r` if the next word is a command: `-r log` becomes `-r=origin log`.
///
/// Without this, clap would read the command as the value of the option.
pub(crate) fn name_bare_remotes(mut words: Vec<OsString>) -> Vec<OsString> {
    let mut at = 1;
    while let Some(word) = words.get(at).and_then(|word| word.to_str()) {
        let next = words.get(at + 1).and_then(|word| word.to_str());
        match Leading::of(word) {
            Leading::Remote if next.is_some_and(is_command) => {
                let named = format!("{word}={DEFAULT_REMOTE}").into();
                words.splice(at..=at, [named]);
                return words;
            }
            Leading::Remote if next.is_some_and(|next| !next.starts_with('-')) => at += 2,
            Leading::Dir => at += 2,
            Leading::Remote | Leading::Flag => at += 1,
            Leading::Command => return words,
        }
    }
    words
}

/// The kind of a word before the command.
enum Leading {
    /// `-r`, alone or after `-q`, without its value.
    Remote,
    /// `-D`; its value is the next word.
    Dir,
    /// Any other option.
    Flag,
    /// Not an option: the command.
    Command,
}

impl Leading {
    fn of(word: &str) -> Self {
        match word {
            "--remote" => return Self::Remote,
            "--dir" => return Self::Dir,
            _ if word.starts_with("--") => return Self::Flag,
            _ => {}
        }
        match word.strip_prefix('-').map(|letters| letters.trim_start_matches('q')) {
            Some("r") => Self::Remote,
            Some("D") => Self::Dir,
            Some(_) => Self::Flag,
            None => Self::Command,
        }
    }
}

fn is_command(word: &str) -> bool {
    word == "help" || Args::command().find_subcommand(word).is_some()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    fn named(line: &str) -> String {
        let words = line.split(' ').map(OsString::from).collect();
        let words = name_bare_remotes(words).into_iter();
        words.map(|word| word.into_string().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_command_line_is_well_formed() {
        command().debug_assert();
    }

    #[test]
    fn every_command_has_help_with_its_exit_codes() {
        for command in command().get_subcommands() {
            let name = command.get_name();
            for help in [command.get_after_help(), command.get_after_long_help()] {
                let help = help.or(command.get_after_help()).unwrap().to_string();
                assert!(help.ends_with(&exit_codes::of(name)), "{name}: {help}");
            }
            assert!(command.get_about().is_some(), "{name}");
        }
    }

    #[test]
    fn a_command_after_a_bare_remote_is_the_command() {
        let cases = [
            ("tinyci -r log -f", "tinyci -r=origin log -f"),
            ("tinyci --remote help", "tinyci --remote=origin help"),
            ("tinyci -qr run --all", "tinyci -qr=origin run --all"),
            ("tinyci -D log -r results", "tinyci -D log -r=origin results"),
            ("tinyci -r server log", "tinyci -r server log"),
            ("tinyci -rlog log", "tinyci -rlog log"),
            ("tinyci -r=log log", "tinyci -r=log log"),
            ("tinyci log -r results", "tinyci log -r results"),
            ("tinyci -r -q log", "tinyci -r -q log"),
            ("tinyci -r", "tinyci -r"),
        ];
        for (said, meant) in cases {
            assert_eq!(named(said), meant);
        }
    }

    #[test]
    fn global_options_work_before_and_after_the_command() {
        let remote = |line: &str| {
            let words = name_bare_remotes(line.split(' ').map(OsString::from).collect());
            let globals = Args::try_parse_from(words).unwrap().globals;
            (globals.remote.clone(), globals.dir.clone(), globals.is_quiet())
        };
        let (origin, dir) = (Some("origin".to_owned()), Some(PathBuf::from("d")));
        for line in
            ["tinyci -qr -D d log", "tinyci log -q --dir d -r", "tinyci -q log -Dd -r=origin"]
        {
            assert_eq!(remote(line), (origin.clone(), dir.clone(), true), "{line}");
        }
        assert_eq!(remote("tinyci -r ci log").0.as_deref(), Some("ci"));
        assert_eq!(remote("tinyci log -rci").0.as_deref(), Some("ci"));
        assert!(!remote("tinyci -q log --no-quiet").2);
    }
}
