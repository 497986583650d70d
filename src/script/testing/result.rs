//! The result of a step, or of all steps, in a test.

use std::{collections::BTreeMap, sync::Arc};

use rhai::{Array, Dynamic, Engine, Map};

use crate::{
    model::{dry_run::Action, function::Value},
    rules::glob,
    script::values::{
        conversion::dynamic_of,
        thrown::{Thrown, throw},
    },
    util::suggestion::did_you_mean,
};

/// What a step did in a test.
#[derive(Clone, Debug, Default)]
pub(super) struct Recorded {
    /// Commands, not shortened.
    pub(super) commands: Vec<String>,
    pub(super) actions: Vec<Action>,
    pub(super) warnings: Vec<String>,
    pub(super) output: Vec<String>,
}

impl Recorded {
    pub(super) fn append(&mut self, other: Recorded) {
        self.commands.extend(other.commands);
        self.actions.extend(other.actions);
        self.warnings.extend(other.warnings);
        self.output.extend(other.output);
    }
}

/// The result of one call of `t`: a step, or all steps.
#[derive(Clone, Debug)]
pub(super) struct CallResult {
    /// Name of the step, or `run`.
    pub(super) name: String,
    /// Name of the outcome.
    pub(super) outcome: String,
    /// Reason, in one sentence.
    pub(super) reason: Option<String>,
    /// All failures, one line each.
    pub(super) failures: Vec<String>,
    pub(super) recorded: Recorded,
    pub(super) remembered: BTreeMap<String, Value>,
    /// Results of the steps, for `run`.
    pub(super) steps: Vec<CallResult>,
}

impl CallResult {
    fn ok(&self) -> bool {
        self.outcome == "success"
    }

    pub(super) fn count(&self, glob: &str) -> usize {
        let matches = |it: &&String| glob::text_matches(glob.as_bytes(), it.as_bytes());
        self.recorded.commands.iter().filter(matches).count()
    }

    /// Returns lines that describe the result.
    pub(super) fn notes(&self) -> Vec<String> {
        let reason = self.reason.iter().map(|reason| format!(": {reason}"));
        let mut notes = vec![format!(
            "`{}` ended as {}{}",
            self.name,
            self.outcome,
            reason.collect::<String>()
        )];
        notes.extend(self.failures.iter().skip(1).map(|failure| format!("also failed: {failure}")));
        notes.extend(command_notes(&self.recorded.commands));
        notes
    }
}

/// Maximum number of commands in a message.
const SHOWN_MAX: usize = 30;

/// Returns a line for each command that ran.
pub(super) fn command_notes(commands: &[String]) -> Vec<String> {
    if commands.is_empty() {
        return vec!["no command ran".to_owned()];
    }
    let mut notes: Vec<String> =
        commands.iter().take(SHOWN_MAX).map(|it| format!("ran: {}", line(it))).collect();
    let more = commands.len().saturating_sub(SHOWN_MAX);
    if more > 0 {
        notes.push(format!("and {more} more"));
    }
    notes
}

/// Shortens a command to one line.
pub(super) fn line(command: &str) -> String {
    let mut lines = command.trim().lines();
    let first = lines.next().unwrap_or_default().to_owned();
    if lines.next().is_some() { format!("{first} …") } else { first }
}

/// The result object of a test. Clones share their data.
#[derive(Clone)]
pub(super) struct ResultObject(pub(super) Arc<CallResult>);

/// The properties of a result, for suggestions.
pub(super) const PROPERTIES: [&str; 9] = [
    "ok",
    "outcome",
    "reason",
    "failures",
    "commands",
    "actions",
    "warnings",
    "output",
    "remembered",
];

/// The methods of a result, for suggestions.
pub(super) const METHODS: [&str; 2] = ["count", "step"];

pub(super) fn register(engine: &mut Engine) {
    let list = |texts: &[String]| -> Array { texts.iter().map(|it| it.clone().into()).collect() };
    engine
        .register_type_with_name::<ResultObject>("result")
        .register_get("ok", |it: &mut ResultObject| it.0.ok())
        .register_get("outcome", |it: &mut ResultObject| it.0.outcome.clone())
        .register_get("reason", |it: &mut ResultObject| {
            it.0.reason.clone().map_or(Dynamic::UNIT, Dynamic::from)
        })
        .register_get("failures", move |it: &mut ResultObject| list(&it.0.failures))
        .register_get("commands", move |it: &mut ResultObject| list(&it.0.recorded.commands))
        .register_get("actions", move |it: &mut ResultObject| {
            let actions = it.0.recorded.actions.iter();
            actions.map(|action| Dynamic::from(action.to_string())).collect::<Array>()
        })
        .register_get("warnings", move |it: &mut ResultObject| list(&it.0.recorded.warnings))
        .register_get("output", move |it: &mut ResultObject| list(&it.0.recorded.output))
        .register_get("remembered", |it: &mut ResultObject| {
            let entries = it.0.remembered.iter();
            entries.map(|(key, value)| (key.into(), dynamic_of(value.clone()))).collect::<Map>()
        })
        .register_fn("count", |it: &mut ResultObject, glob: &str| {
            i64::try_from(it.0.count(glob)).unwrap_or(i64::MAX)
        })
        .register_fn("step", step);
}

/// Returns the result of one step of a run.
fn step(result: &mut ResultObject, name: &str) -> Result<ResultObject, Thrown> {
    let steps = &result.0.steps;
    match steps.iter().find(|step| step.name == name) {
        Some(step) => Ok(ResultObject(Arc::new(step.clone()))),
        None => {
            let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
            let hint = did_you_mean(name, names.iter().copied());
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            Err(throw(format!("the step `{name}` did not run{hint} (these ran: {known})")))
        }
    }
}
