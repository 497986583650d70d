//! The exit codes: one table, for the code, the help of every command, and the guide.

pub(crate) const OK: u8 = 0;
pub(crate) const FAILED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
pub(crate) const BUSY: u8 = 3;
pub(crate) const BROKEN: u8 = 4;
const AWAITING_APPROVAL: u8 = 5;
pub(crate) const CANCELED: u8 = 130;

/// A row of the table.
struct ExitCode {
    code: u8,
    /// The meaning in general, as `tinyci --help` and the guide have it.
    meaning: &'static str,
    /// The meaning for commands that are not in `commands`; `None` if they never exit with it.
    others: Option<&'static str>,
    /// The meaning for single commands.
    commands: &'static [(&'static [&'static str], &'static str)],
}

const TABLE: [ExitCode; 7] = [
    ExitCode {
        code: OK,
        meaning: "success: every commit passed or was skipped, or there was nothing to do",
        others: Some("success"),
        commands: &[
            (&["run"], "every commit passed or was skipped, or none was pending"),
            (&["deploy", "rollback"], "deployed, or --dry-run showed the plan"),
            (&["cancel"], "canceled; with --no-wait, cancellation requested"),
            (&["check"], "the config is valid"),
            (&["test-pipeline"], "every test passed"),
            (&["compact", "prune"], "done, or there was nothing to do"),
        ],
    },
    ExitCode {
        code: FAILED,
        meaning: "failure: a commit, deployment or test failed, or a config is not valid",
        others: None,
        commands: &[
            (&["run"], "a commit failed"),
            (
                &["deploy", "rollback"],
                "it failed, or you answered no; the previous one still counts as deployed",
            ),
            (&["cancel"], "the job ended before it could be canceled"),
            (&["check"], "the config is not valid; with --strict, also if there are warnings"),
            (&["convert"], "the config is not valid"),
            (&["results"], "you answered no to --forget-all"),
            (&["test-pipeline"], "a test failed, or the script or its test file is not valid"),
        ],
    },
    ExitCode {
        code: USAGE,
        meaning: "usage error: an invalid argument or setting, or an unknown revision",
        others: Some("usage error: an invalid argument or setting, or an unknown revision"),
        commands: &[
            (
                &["artifacts"],
                "usage error, unknown artifact, or a file exists already (see --force)",
            ),
            (&["cancel"], "usage error, or there is nothing to cancel"),
            (&["deploy", "rollback"], "usage error, or the commit must not be deployed there"),
            (&["prune"], "usage error, or no pruning rule was given"),
            (&["skip"], "usage error, or the commit has a verdict already"),
            (&["test-pipeline"], "usage error, or there are no tests"),
        ],
    },
    ExitCode {
        code: BUSY,
        meaning: "busy: another run, deployment or cleanup is active",
        others: None,
        commands: &[
            (&["run"], "another run is active, and --no-wait was given"),
            (
                &["deploy", "rollback"],
                "another deployment there is active, or was interrupted (see --unlock)",
            ),
            (&["deployments"], "a deployment to the environment is active (--retire)"),
            (&["compact", "prune"], "another process packs or deletes builds"),
            (&["cancel", "skip"], "the active run does not respond"),
        ],
    },
    ExitCode {
        code: BROKEN,
        meaning: "error: a commit got no verdict, or tinyci could not do its work",
        others: Some("tinyci could not do its work"),
        commands: &[
            (&["run"], "a commit got no verdict, or tinyci could not do its work"),
            (
                &["compact", "prune"],
                "tinyci could not do its work; if it names builds, only those are left",
            ),
            (&["artifacts"], "tinyci could not do its work, or a file is not what the job kept"),
        ],
    },
    ExitCode {
        code: AWAITING_APPROVAL,
        meaning: "a deployment awaits approval",
        others: None,
        commands: &[(&["deploy", "rollback"], "it awaits approval; nothing was deployed")],
    },
    ExitCode {
        code: CANCELED,
        meaning: "canceled",
        others: None,
        commands: &[
            (
                &[
                    "artifacts",
                    "compact",
                    "deploy",
                    "export",
                    "log",
                    "prune",
                    "results",
                    "rollback",
                    "run",
                ],
                "canceled",
            ),
            (&["cancel", "skip"], "Ctrl-C ended the wait"),
        ],
    },
];

/// Returns every exit code with its general meaning, for `tinyci --help`.
pub(crate) fn all() -> String {
    list(TABLE.iter().map(|row| (row.code, row.meaning)))
}

/// Returns the exit codes of a command, for its help.
pub(crate) fn of(command: &str) -> String {
    list(TABLE.iter().filter_map(|row| Some((row.code, row.meaning_for(command)?))))
}

impl ExitCode {
    fn meaning_for(&self, command: &str) -> Option<&'static str> {
        let own = self.commands.iter().find(|(names, _)| names.contains(&command));
        own.map(|(_, meaning)| *meaning).or(self.others)
    }
}

fn list(rows: impl Iterator<Item = (u8, &'static str)>) -> String {
    let lines = rows.map(|(code, meaning)| format!("\n  {code:<4} {meaning}"));
    format!("Exit codes:{}", lines.collect::<String>())
}

#[cfg(test)]
mod tests {
    use tinyci::{Outcome, deploy::DeployOutcome};

    use super::*;

    #[test]
    fn the_table_has_every_code_of_the_library() {
        let outcomes = Outcome::ALL.map(|outcome| outcome.exit_code());
        let deployments = DeployOutcome::ALL.map(|outcome| outcome.exit_code());
        for code in outcomes.into_iter().chain(deployments) {
            assert!(TABLE.iter().any(|row| i32::from(row.code) == code), "{code}");
        }
    }

    #[test]
    fn a_command_has_its_own_meanings_and_the_common_ones() {
        assert_eq!(
            of("log"),
            "Exit codes:\n  0    success\n  2    usage error: an invalid argument or setting, or an \
             unknown revision\n  4    tinyci could not do its work\n  130  canceled"
        );
        assert!(of("deploy").contains("\n  5    it awaits approval"));
    }

    #[test]
    fn every_line_fits_on_a_terminal() {
        for text in TABLE.iter().flat_map(|row| {
            row.commands.iter().map(|it| it.1).chain([row.meaning]).chain(row.others)
        }) {
            assert!(text.len() <= 73, "{} bytes: {text}", text.len());
        }
    }
}
