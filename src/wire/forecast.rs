//! What running a commit would do, as `plan --json` prints it.

use serde::Serialize;

use super::{record::LeftOutMirror, version::VERSION};
use crate::model::{
    forecast::{Act, Assumption, Forecast, StepForecast},
    outcome::Outcome,
};

impl Forecast {
    /// As one line of JSON.
    ///
    /// It has `v`, `commit`, `outcome`, `reason` where it would be skipped or its config is not
    /// valid, `left_out` as in a record, and `steps`, each with `name`, `outcome`, `host_hooks` (how
    /// many hooks of the embedding program come first), `reason` where it would be skipped or fail,
    /// `ends` where nothing is known of it from some point on, and why, and `acts`, in their order. An act is a `decision`, with `question`, `answer` and the `file`
    /// and `line` that ask; a `command`, with `command`, perhaps `label`, what the script is told of
    /// its `output` (`passed` if it only asks for that, `unknown`, or `given`) and that `text`; a
    /// `call`, with the `call` as a script would write it; or a `note` that the log would have too.
    /// The `outcome` of a step that `ends`, and then of the commit, is `unknown`.
    ///
    /// ```no_run
    /// let engine = tinyci::Engine::open("/srv/git/app.git")?;
    /// println!("{}", engine.forecast("main", &[])?.to_json());
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        let mirror = Versioned { v: VERSION, forecast: ForecastMirror::of(self) };
        // Mirrors hold nothing that JSON cannot: texts, numbers, lists.
        serde_json::to_string(&mirror).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Versioned<'a> {
    v: u32,
    #[serde(flatten)]
    forecast: ForecastMirror<'a>,
}

#[derive(Serialize)]
pub(super) struct ForecastMirror<'a> {
    commit: String,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutMirror<'static>>,
    steps: Vec<StepMirror<'a>>,
}

#[derive(Serialize)]
struct StepMirror<'a> {
    name: &'static str,
    outcome: &'static str,
    host_hooks: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ends: Option<&'a str>,
    acts: Vec<ActMirror<'a>>,
}

#[derive(Serialize)]
#[serde(tag = "act", rename_all = "snake_case")]
enum ActMirror<'a> {
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

impl<'a> ForecastMirror<'a> {
    pub(super) fn of(forecast: &'a Forecast) -> Self {
        Self {
            commit: forecast.commit.to_string(),
            outcome: outcome_name(forecast.outcome),
            reason: forecast.reason.as_deref(),
            left_out: forecast.left_out.iter().map(LeftOutMirror::of).collect(),
            steps: forecast.steps.iter().map(StepMirror::of).collect(),
        }
    }
}

/// The outcome's name, or that nobody knows it.
fn outcome_name(outcome: Option<Outcome>) -> &'static str {
    outcome.map_or("unknown", Outcome::name)
}

impl<'a> StepMirror<'a> {
    fn of(step: &'a StepForecast) -> Self {
        Self {
            name: step.name.as_str(),
            outcome: outcome_name(step.outcome),
            host_hooks: step.host_hooks,
            reason: step.reason.as_deref(),
            ends: step.ends.as_deref(),
            acts: step.acts.iter().map(ActMirror::of).collect(),
        }
    }
}

impl<'a> ActMirror<'a> {
    fn of(act: &'a Act) -> Self {
        match act {
            Act::Decision { question, answer, at } => {
                let (file, line) = at.rsplit_once(':').unwrap_or((at, ""));
                ActMirror::Decision { question, answer: *answer, file, line: line.parse().ok() }
            }
            Act::Command { command, label, output } => {
                let (output, text) = match output {
                    Assumption::Passed => ("passed", None),
                    Assumption::Unknown => ("unknown", None),
                    Assumption::Given(text) => ("given", Some(text.as_str())),
                };
                ActMirror::Command { command, label: label.as_deref(), output, text }
            }
            Act::Call(call) => ActMirror::Call { call },
            Act::Note(note) => ActMirror::Note { note },
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
    fn every_kind_of_act_has_its_keys() {
        let decision = Act::Decision {
            question: "changed(\"a\")".into(),
            answer: true,
            at: ".tinyci.rhai:5".into(),
        };
        let command = |label: Option<&str>, output| Act::Command {
            command: "make".into(),
            label: label.map(str::to_owned),
            output,
        };
        let acts = vec![
            decision,
            command(Some("api"), Assumption::Passed),
            command(None, Assumption::Given("v1".into())),
            Act::Call("warn(\"w\")".into()),
        ];
        let step = |name, outcome, reason: Option<&str>, acts| StepForecast {
            name,
            host_hooks: 1,
            outcome: Some(outcome),
            reason: reason.map(str::to_owned),
            ends: None,
            acts,
        };
        let forecast = Forecast {
            commit: CommitId::from_bytes([0; 20]),
            outcome: Some(Outcome::Success),
            reason: None,
            left_out: Vec::new(),
            steps: vec![
                step(Phase::Build.into(), Outcome::Success, None, acts),
                step(Hook::AfterAll.into(), Outcome::Skipped, Some("no need"), Vec::new()),
            ],
        };
        let expected = format!(
            concat!(
                r#"{{"v":1,"commit":"{}","outcome":"success","steps":["#,
                r#"{{"name":"build","outcome":"success","host_hooks":1,"acts":["#,
                r#"{{"act":"decision","question":"changed(\"a\")","answer":true,"#,
                r#""file":".tinyci.rhai","line":5}},"#,
                r#"{{"act":"command","command":"make","label":"api","output":"passed"}},"#,
                r#"{{"act":"command","command":"make","output":"given","text":"v1"}},"#,
                r#"{{"act":"call","call":"warn(\"w\")"}}]}},"#,
                r#"{{"name":"after_all","outcome":"skipped","host_hooks":1,"#,
                r#""reason":"no need","acts":[]}}]}}"#
            ),
            "0".repeat(40)
        );
        assert_eq!(forecast.to_json(), expected);
    }
}
