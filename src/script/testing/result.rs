//! What a phase, or a whole run, came to in a test.

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

/// What a phase did.
#[derive(Clone, Debug, Default)]
pub(super) struct Done {
    /// Its commands, whole.
    pub(super) commands: Vec<String>,
    pub(super) actions: Vec<Action>,
    pub(super) warnings: Vec<String>,
    pub(super) output: Vec<String>,
}

impl Done {
    pub(super) fn append(&mut self, other: Done) {
        self.commands.extend(other.commands);
        self.actions.extend(other.actions);
        self.warnings.extend(other.warnings);
        self.output.extend(other.output);
    }
}

/// What a phase came to, or a run of all of them.
#[derive(Clone, Debug)]
pub(super) struct PhaseResult {
    /// The phase, or `run`.
    pub(super) name: String,
    /// The word for it.
    pub(super) outcome: String,
    /// Why, in one sentence.
    pub(super) reason: Option<String>,
    /// All that failed, each in one line.
    pub(super) failures: Vec<String>,
    pub(super) done: Done,
    pub(super) remembered: BTreeMap<String, Value>,
    /// The steps of a run.
    pub(super) steps: Vec<PhaseResult>,
}

impl PhaseResult {
    fn ok(&self) -> bool {
        self.outcome == "success"
    }

    pub(super) fn count(&self, glob: &str) -> usize {
        let matches = |it: &&String| glob::text_matches(glob.as_bytes(), it.as_bytes());
        self.done.commands.iter().filter(matches).count()
    }

    /// Lines that tell it to a person.
    pub(super) fn notes(&self) -> Vec<String> {
        let reason = self.reason.iter().map(|reason| format!(": {reason}"));
        let mut notes = vec![format!(
            "`{}` ended as {}{}",
            self.name,
            self.outcome,
            reason.collect::<String>()
        )];
        notes.extend(self.failures.iter().skip(1).map(|failure| format!("also failed: {failure}")));
        notes.extend(command_notes(&self.done.commands));
        notes
    }
}

/// How many commands a failure shows.
const SHOWN_MAX: usize = 30;

/// The commands that ran, each as a line.
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

/// A command in one line.
pub(super) fn line(command: &str) -> String {
    let mut lines = command.trim().lines();
    let first = lines.next().unwrap_or_default().to_owned();
    if lines.next().is_some() { format!("{first} …") } else { first }
}

/// What tests call the result of a phase. Clones share everything.
#[derive(Clone)]
pub(super) struct ResultObject(pub(super) Arc<PhaseResult>);

/// The properties of a result, for "did you mean".
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
        .register_get("commands", move |it: &mut ResultObject| list(&it.0.done.commands))
        .register_get("actions", move |it: &mut ResultObject| {
            let acts = it.0.done.actions.iter();
            acts.map(|act| Dynamic::from(act.to_string())).collect::<Array>()
        })
        .register_get("warnings", move |it: &mut ResultObject| list(&it.0.done.warnings))
        .register_get("output", move |it: &mut ResultObject| list(&it.0.done.output))
        .register_get("remembered", |it: &mut ResultObject| {
            let entries = it.0.remembered.iter();
            entries.map(|(key, value)| (key.into(), dynamic_of(value.clone()))).collect::<Map>()
        })
        .register_fn("count", |it: &mut ResultObject, glob: &str| {
            i64::try_from(it.0.count(glob)).unwrap_or(i64::MAX)
        })
        .register_fn("step", step);
}

/// What one step of a run came to.
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
