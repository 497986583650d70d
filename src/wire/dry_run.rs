//! Dry runs as JSON, for `plan --json`.

use serde::Serialize;

use super::{
    record::{LeftOutJson, json},
    version::VERSION,
};
use crate::model::{
    dry_run::{Action, Assumption, DryRun, StepDryRun},
    outcome::Outcome,
};

impl DryRun {
    /// Returns one line of JSON.
    ///
    /// The keys are `v`, `commit`, `outcome`, `reason` (if it would be skipped or its config is
    /// invalid), `left_out` as in a record, and `steps`.
    ///
    /// A step has `name`, `outcome`, `hook_callbacks` (the number of hook callbacks that come
    /// first) and `actions`. It has a `reason` if it would be skipped or fail. If its dry run ends
    /// early, `ends` is the reason, and the `outcome` of the step and the commit is `unknown`.
    ///
    /// The `action` of an action is one of:
    ///
    /// - `decision`, with `question`, `answer`, and the `file` and `line` of the condition;
    /// - `command`, with `command`, an optional `label`, and the assumed `output`. That is `passed`
    ///   if the script does not use it, `unknown`, or `given` with the `text`;
    /// - `call`, with the `call` as a script would write it;
    /// - `note`, with a `note` as in the log.
    ///
    /// ```no_run
    /// let engine = tinyci::Engine::open("/srv/git/app.git")?;
    /// println!("{}", engine.dry_run("main", &[])?.to_json());
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        json(&Versioned { v: VERSION, dry_run: DryRunJson::of(self) })
    }
}

#[derive(Serialize)]
struct Versioned<'a> {
    v: u32,
    #[serde(flatten)]
    dry_run: DryRunJson<'a>,
}

#[derive(Serialize)]
pub(super) struct DryRunJson<'a> {
    commit: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutJson<'static>>,
    steps: Vec<StepJson<'a>>,
}

#[derive(Serialize)]
pub(super) struct StepJson<'a> {
    name: &'static str,
    outcome: &'static str,
    hook_callbacks: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<&'a str>,
    actions: Vec<ActionJson<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "action", rename_all = "snake_case")]
enum ActionJson<'a> {
    Decision {
        question: &'a str,
        answer: bool,
        file: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<usize>,
    },
    Command {
        command: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        label: Option<&'a str>,
        output: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        text: Option<&'a str>,
    },
    Call {
        call: &'a str,
    },
    Note {
        note: &'a str,
    },
}

impl<'a> DryRunJson<'a> {
    pub(super) fn of(dry_run: &'a DryRun) -> Self {
        Self {
            commit: dry_run.commit.to_string(),
            outcome: outcome_name(dry_run.outcome),
            reason: dry_run.reason.as_deref(),
            left_out: dry_run.left_out.iter().map(LeftOutJson::of).collect(),
            steps: dry_run.steps.iter().map(StepJson::of).collect(),
        }
    }
}

/// Returns the name of the outcome, or `unknown`.
fn outcome_name(outcome: Option<Outcome>) -> &'static str {
    outcome.map_or("unknown", Outcome::name)
}

impl<'a> StepJson<'a> {
    pub(super) fn of(step: &'a StepDryRun) -> Self {
        Self {
            name: step.name.as_str(),
            outcome: outcome_name(step.outcome),
            hook_callbacks: step.hook_callbacks,
            reason: step.reason.as_deref(),
            ends: step.ends.as_deref(),
            actions: step.actions.iter().map(ActionJson::of).collect(),
        }
    }
}

impl<'a> ActionJson<'a> {
    fn of(action: &'a Action) -> Self {
        match action {
            Action::Decision { question, answer, at } => {
                let (file, line) = at.rsplit_once(':').unwrap_or((at, ""));
                ActionJson::Decision { question, answer: *answer, file, line: line.parse().ok() }
            }
            Action::Command { command, label, output } => {
                let (output, text) = match output {
                    Assumption::Passed => ("passed", None),
                    Assumption::Unknown => ("unknown", None),
                    Assumption::Given(text) => ("given", Some(text.as_str())),
                };
                ActionJson::Command { command, label: label.as_deref(), output, text }
            }
            Action::Call(call) => ActionJson::Call { call },
            Action::Note(note) => ActionJson::Note { note },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        commit::CommitId,
        pipeline::{Hook, Phase},
    };

    #[test]
    fn every_kind_of_action_has_its_keys() {
        let decision = Action::Decision {
            question: "changed(\"a\")".into(),
            answer: true,
            at: ".tinyci.rhai:5".into(),
        };
        let command = |label: Option<&str>, output| Action::Command {
            command: "make".into(),
            label: label.map(str::to_owned),
            output,
        };
        let actions = vec![
            decision,
            command(Some("api"), Assumption::Passed),
            command(None, Assumption::Given("v1".into())),
            Action::Call("warn(\"w\")".into()),
        ];
        let step = |name, outcome, reason: Option<&str>, actions| StepDryRun {
            name,
            hook_callbacks: 1,
            outcome: Some(outcome),
            reason: reason.map(str::to_owned),
            ends: None,
            actions,
        };
        let dry_run = DryRun {
            commit: CommitId::from_bytes([0; 20]),
            outcome: Some(Outcome::Success),
            reason: None,
            left_out: Vec::new(),
            steps: vec![
                step(Phase::Build.into(), Outcome::Success, None, actions),
                step(Hook::AfterAll.into(), Outcome::Skipped, Some("no need"), Vec::new()),
            ],
        };
        let expected = format!(
            concat!(
                r#"{{"v":1,"commit":"{}","outcome":"success","steps":["#,
                r#"{{"name":"build","outcome":"success","hook_callbacks":1,"actions":["#,
                r#"{{"action":"decision","question":"changed(\"a\")","answer":true,"#,
                r#""file":".tinyci.rhai","line":5}},"#,
                r#"{{"action":"command","command":"make","label":"api","output":"passed"}},"#,
                r#"{{"action":"command","command":"make","output":"given","text":"v1"}},"#,
                r#"{{"action":"call","call":"warn(\"w\")"}}]}},"#,
                r#"{{"name":"after_all","outcome":"skipped","hook_callbacks":1,"#,
                r#""reason":"no need","actions":[]}}]}}"#
            ),
            "0".repeat(40)
        );
        assert_eq!(dry_run.to_json(), expected);
    }
}
