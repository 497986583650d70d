//! [`DryRun`]: what a job would do.

use std::fmt;

use super::{commit::CommitId, outcome::Outcome, pipeline::StepName, record::LeftOut};

/// The steps of one commit and their actions, assuming that all commands succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DryRun {
    /// The commit.
    pub commit: CommitId,
    /// The expected outcome: success, skipped, or a failure that does not depend on a command.
    /// `None` if unknown, because the dry run of a step [`ends`](StepDryRun::ends) early.
    pub outcome: Option<Outcome>,
    /// The reason, if the steps do not show it: what leaves the commit out, or an error in its
    /// config. With an invalid config, only `after_all` would run.
    pub reason: Option<String>,
    /// The builds and tests that would be left out, in order.
    pub left_out: Vec<LeftOut>,
    /// The steps that would run, in order. Hooks that only run after a failure are not included.
    pub steps: Vec<StepDryRun>,
}

/// The actions of one step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepDryRun {
    /// The phase or hook.
    pub name: StepName,
    /// The number of hook callbacks that would run first. Their effects are not known.
    pub hook_callbacks: usize,
    /// The expected outcome, unless the dry run [`ends`](Self::ends) early. In that case, the
    /// following steps assume that this one succeeds.
    pub outcome: Option<Outcome>,
    /// The reason why it would be skipped or fail.
    pub reason: Option<String>,
    /// The reason why the dry run of this step ends early. It depends on a command's output, which
    /// `assume` can set, or on the result of a function. Or it would take too long.
    pub ends: Option<String>,
    /// The actions in order. Parallel tasks are listed one after the other.
    pub actions: Vec<Action>,
}

/// One action or decision of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// A condition on the commit, and its actual result.
    Decision {
        /// The condition, such as `changed("src/**")`.
        question: String,
        /// The result.
        answer: bool,
        /// The file and line of the condition.
        at: String,
    },
    /// A command that would run.
    Command {
        /// The command in one line.
        command: String,
        /// The label of its output, in parallel tasks and groups.
        label: Option<String>,
        /// The output that the script gets.
        output: Assumption,
    },
    /// A function with effects that would be called: its name and arguments.
    Call(String),
    /// A message that would be logged.
    Note(String),
}

/// The output of a command that a dry run assumes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assumption {
    /// The script does not use the output; the command is assumed to succeed.
    Passed,
    /// The script uses the output, which is unknown. If the script only passes it on, ``⟨output of
    /// `command`⟩`` is shown. If the script examines it, the dry run of the step ends.
    Unknown,
    /// The script uses the output and gets this text from the caller's assumptions.
    Given(String),
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Decision { question, answer, at } => write!(f, "{at} {question} = {answer}"),
            Action::Command { command, label, output } => {
                if let Some(label) = label {
                    write!(f, "[{label}] ")?;
                }
                write!(f, "$ {command}")?;
                match output {
                    Assumption::Passed => Ok(()),
                    Assumption::Unknown => f.write_str("  (assuming success, output unknown)"),
                    Assumption::Given(text) => write!(f, "  (assuming {text:?})"),
                }
            }
            Action::Call(text) | Action::Note(text) => f.write_str(text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn acts_are_lines() {
        let decision =
            Action::Decision { question: "changed(\"a\")".into(), answer: false, at: "x:5".into() };
        assert_eq!(decision.to_string(), "x:5 changed(\"a\") = false");
        let command = |output| Action::Command {
            command: "git describe".into(),
            label: Some("a".into()),
            output,
        };
        assert_eq!(command(Assumption::Passed).to_string(), "[a] $ git describe");
        let given = command(Assumption::Given("v1".into()));
        assert_eq!(given.to_string(), "[a] $ git describe  (assuming \"v1\")");
    }
}
