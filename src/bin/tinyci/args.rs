//! What was said on the command line. What it means, each command decides for itself.

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
    console::failure::EXIT_CODES,
    globals::{DEFAULT_REMOTE, Globals},
};

const EXAMPLES: &str = "\
Examples:
  tinyci install                    test every push to this repository
  tinyci run --all                  test what has no verdict yet
  tinyci results -n 10              show the newest verdicts
  tinyci deploy                     deploy the newest commit that passed
  tinyci -r log -f                  follow the log on the host of the remote `origin`";

/// Continuous integration inside a git repository: no daemon, no database.
#[derive(Debug, Parser)]
#[command(
    name = "tinyci",
    version = tinyci::VERSION,
    arg_required_else_help = true,
    after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"),
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
    /// Install the git hook that tests what is pushed
    ///
    /// If a remote's refspecs have a fetch replace or delete tinyci's refs, as in a mirror, this adds
    /// negative ones to that remote and shows them.
    Install(InstallArgs),
    /// Take the git hook out again
    ///
    /// Also takes out the refspecs that `install` added, and leaves all others.
    Uninstall,
    /// Test commits: build, test and hooks, as their config says
    Run(RunArgs),
    /// Show what `run` would do, and why
    Plan(PlanArgs),
    /// End the job of a commit, or a whole run, that is in progress
    Cancel(CancelArgs),
    /// Leave a commit untested
    Skip(SkipArgs),
    /// Show what became of commits
    Results(ResultsArgs),
    /// Show the log of all runs, or of one commit
    Log(LogArgs),
    /// List or fetch the files that a job kept
    Artifacts(ArtifactsArgs),
    /// Deploy the newest green commit, or one that is named
    Deploy(DeployArgs),
    /// Go back to what was deployed before
    Rollback(RollbackArgs),
    /// Let a deployment go on that waits for a person
    Approve(ApproveArgs),
    /// Show what was deployed
    #[command(visible_alias = "deploys")]
    Deployments(DeploymentsArgs),
    /// Say whether a config is valid
    Check(CheckArgs),
    /// Print a YAML config as a script
    Convert(ConvertArgs),
    /// Print the reference of what scripts can use
    Defs(DefsArgs),
    /// Run the tests of a script
    TestPipeline(TestPipelineArgs),
    /// Write the files of a commit to a folder
    Export(ExportArgs),
    /// Pack old builds into .tar.gz files
    Compact(CompactArgs),
    /// Show how the repository stands: what runs, is due, is deployed
    Status(StatusArgs),
    /// Remove old builds, none that is deployed
    Prune(PruneArgs),
    /// Show the repository's settings, their defaults and what they are for
    Settings(SettingsArgs),
    /// Have git fetch and show the verdicts of a remote
    SetupRemote(SetupRemoteArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print the version
    Version,
}

impl Command {
    /// Whether what it does is kept with the name of a person.
    pub(crate) fn is_kept_with_a_name(&self) -> bool {
        let of_deployment = matches!(self, Self::Deploy(_) | Self::Rollback(_) | Self::Approve(_));
        of_deployment
            || matches!(self, Self::Cancel(_) | Self::Skip(_))
            || matches!(self, Self::Deployments(args) if args.retires())
    }
}

/// Gives `-r` the default name where the next word is a command: `-r log` is `-r=origin log`.
///
/// An option that may come without its value would swallow the command otherwise.
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

/// What a word in front of the command is.
enum Leading {
    /// `-r`, alone or behind `-q`, without its value.
    Remote,
    /// `-D` without its value, which is the next word.
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
        Args::command().debug_assert();
    }

    #[test]
    fn a_command_behind_a_bare_remote_is_the_command() {
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
    fn globals_stand_before_and_after_the_command() {
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
