//! What running one commit would do: [`DryRun`].

use std::fmt;

use super::{commit::CommitId, outcome::Outcome, pipeline::StepName, record::LeftOut};

/// What a run of one commit would do, step by step, if every command passed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DryRun {
    /// The commit.
    pub commit: CommitId,
    /// What would become of it: success, skipped, or a failure that needs no command to fail. None
    /// if that is not known, since the dry_run of a step [`ends`](StepDryRun::ends).
    pub outcome: Option<Outcome>,
    /// Why, where the steps do not say it: what would be left out and by what, or what is wrong
    /// with its config, of which then only `after_all` would run.
    pub reason: Option<String>,
    /// The builds and tests that would be left out, in order.
    pub left_out: Vec<LeftOut>,
    /// The steps that would be taken, in their order. Hooks that follow a failure are not among
    /// them.
    pub steps: Vec<StepDryRun>,
}

/// What one step would do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepDryRun {
    /// Which phase or hook.
    pub name: StepName,
    /// How many hooks of the embedding program would be called first. What they do is not known.
    pub hook_callbacks: usize,
    /// What would become of it, unless its dry run [`ends`](Self::ends). The steps that follow
    /// are then what would be done if it passed.
    pub outcome: Option<Outcome>,
    /// Why it would be skipped or fail.
    pub reason: Option<String>,
    /// Why nothing is known from some point on: it depends on what a command prints, which
    /// `assume` can say, or on what a function gives back; or it would go on for too long.
    pub ends: Option<String>,
    /// What it would do, in order; of branches that run at once, one after the other.
    pub actions: Vec<Action>,
}

/// One thing that a step would do, or what it would decide by.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// A question was asked of the commit, and really answered.
    Decision {
        /// The question, such as `changed("src/**")`.
        question: String,
        /// The answer.
        answer: bool,
        /// The file and line that asks.
        at: String,
    },
    /// A command would run.
    Command {
        /// The command in one line.
        command: String,
        /// The label of its output, in branches and groups.
        label: Option<String>,
        /// What the script is told of its output.
        output: Assumption,
    },
    /// A function that acts would be called: its name with what it would be given.
    Call(String),
    /// Something that the log would say of the commit.
    Note(String),
}

/// What a script is told of the output of a command that did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Assumption {
    /// The script does not ask for it, only that the command passed.
    Passed,
    /// It asks, and nobody knows. Where it only passes the output on, ``⟨output of `command`⟩`` is
    /// shown; where it looks into it, the dry run of the step ends.
    Unknown,
    /// It asks, and got this text, which the caller assumes.
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
