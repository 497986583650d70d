//! The reference of the script API, written from the tables that scripts run by.

use std::fmt::Write;

use serde::Serialize;

use super::registry::{
    COMMAND_OPTIONS, FUNCTIONS, PROPERTIES, Param, RETRY_OPTIONS, ScriptOption, WITH_OPTIONS,
    phase_names,
};
use crate::function::HostFunction;

/// Everything that a script finds beside the language, the embedding program's functions included.
#[derive(Debug, Serialize)]
pub(crate) struct Definitions<'a> {
    v: u32,
    phases: Vec<&'static str>,
    functions: Vec<FunctionEntry<'a>>,
    command_options: Vec<Entry>,
    retry_options: Vec<Entry>,
    with_options: Vec<Entry>,
    context: Vec<PropertyEntry>,
}

#[derive(Debug, Serialize)]
struct FunctionEntry<'a> {
    name: &'a str,
    signature: String,
    /// How many arguments it takes, at least and at most.
    arguments: [usize; 2],
    /// Its parameters with what they take; none are known of the embedding program's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<ParamEntry>,
    #[serde(skip_serializing_if = "Option::is_none")]
    returns: Option<String>,
    effect: &'static str,
    doc: &'a str,
    /// `tinyci`, or `host` for one of the embedding program's.
    origin: &'static str,
}

#[derive(Debug, Serialize)]
struct ParamEntry {
    name: &'static str,
    takes: String,
    optional: bool,
}

impl ParamEntry {
    fn of(param: &Param) -> Self {
        Self { name: param.name, takes: param.takes.name(), optional: param.optional }
    }
}

#[derive(Debug, Serialize)]
struct Entry {
    name: &'static str,
    takes: String,
    doc: &'static str,
}

#[derive(Debug, Serialize)]
struct PropertyEntry {
    path: &'static str,
    holds: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    params: Vec<ParamEntry>,
    doc: &'static str,
}

impl<'a> Definitions<'a> {
    pub(crate) fn new(host: &'a [HostFunction]) -> Self {
        let own = FUNCTIONS.iter().map(|function| FunctionEntry {
            name: function.name,
            signature: function.signature(),
            arguments: [*function.counts().start(), *function.counts().end()],
            params: function.params.iter().map(ParamEntry::of).collect(),
            returns: Some(function.returns.name()),
            effect: function.effect.name(),
            doc: function.doc,
            origin: "tinyci",
        });
        let host = host.iter().map(|function| FunctionEntry {
            name: &function.name,
            signature: signature(function),
            arguments: [*function.arguments.start(), *function.arguments.end()],
            params: Vec::new(),
            returns: None,
            effect: function.effect.name(),
            doc: &function.doc,
            origin: "host",
        });
        let entry =
            |it: &ScriptOption| Entry { name: it.name, takes: it.takes.name(), doc: it.doc };
        let context = PROPERTIES.iter().map(|property| PropertyEntry {
            path: property.path,
            holds: property.holds.name(),
            params: property.params.iter().map(ParamEntry::of).collect(),
            doc: property.doc,
        });
        Self {
            v: 1,
            phases: phase_names().collect(),
            functions: own.chain(host).collect(),
            command_options: COMMAND_OPTIONS.iter().map(entry).collect(),
            retry_options: RETRY_OPTIONS.iter().map(entry).collect(),
            with_options: WITH_OPTIONS.iter().map(entry).collect(),
            context: context.collect(),
        }
    }

    /// One line of JSON.
    pub(crate) fn to_json(&self) -> String {
        // Texts and numbers always have a form in JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// A page for people.
    pub(crate) fn to_markdown(&self) -> String {
        let mut page = String::from("# The script API\n\n## Phases\n\n");
        let phases: Vec<String> = self.phases.iter().map(|name| format!("`{name}`")).collect();
        // Writing to a String does not fail.
        let _ = writeln!(
            page,
            "A function with one of these names, without parameters or with `ctx`, is a phase: {}.",
            phases.join(", ")
        );
        self.functions_of(&mut page, "Functions", "tinyci");
        self.functions_of(&mut page, "Functions of this program", "host");
        options(&mut page, "Options of `sh`, `try_sh` and `capture`", &self.command_options);
        options(&mut page, "Options of `retry`", &self.retry_options);
        options(&mut page, "Options of `with`", &self.with_options);
        page.push_str("\n## The context\n\n| | holds | |\n|---|---|---|\n");
        for PropertyEntry { path, holds, doc, .. } in &self.context {
            let _ = writeln!(page, "| `{path}` | {} | {} |", cell(holds), cell(doc));
        }
        page
    }

    fn functions_of(&self, page: &mut String, title: &str, origin: &str) {
        let mut functions = self.functions.iter().filter(|it| it.origin == origin).peekable();
        if functions.peek().is_none() {
            return;
        }
        let _ = writeln!(page, "\n## {title}");
        for function in functions {
            let FunctionEntry { signature, doc, effect, params, returns, .. } = function;
            let _ = writeln!(page, "\n### `{signature}`\n\n{doc}\n\nEffect: {effect}.");
            for ParamEntry { name, takes, .. } in params {
                let _ = writeln!(page, "`{name}`: {takes}.");
            }
            if let Some(returns) = returns {
                let _ = writeln!(page, "Returns: {returns}.");
            }
        }
    }
}

/// A host's parameters have no names: `post(a, b?)`.
fn signature(function: &HostFunction) -> String {
    let letters = ('a'..='z').enumerate().take(*function.arguments.end());
    let parameters: Vec<String> = letters
        .map(|(index, letter)| {
            let optional = if index < *function.arguments.start() { "" } else { "?" };
            format!("{letter}{optional}")
        })
        .collect();
    format!("{}({})", function.name, parameters.join(", "))
}

fn options(page: &mut String, title: &str, options: &[Entry]) {
    let _ = writeln!(page, "\n## {title}\n\n| | takes | |\n|---|---|---|");
    for Entry { name, takes, doc } in options {
        let _ = writeln!(page, "| `{name}` | {} | {} |", cell(takes), cell(doc));
    }
}

/// A text in a table's cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::function::{Effect, Value};

    fn host() -> [HostFunction; 1] {
        let doc = "Posts a message.";
        let post =
            HostFunction::new("slack::post", 1..=2, Effect::External, doc, |_| Ok(Value::Nothing));
        [post.unwrap()]
    }

    #[test]
    fn json_holds_every_function_the_host_s_too() {
        let host = host();
        let json = Definitions::new(&host).to_json();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        let functions = json["functions"].as_array().unwrap();
        assert_eq!(functions.len(), FUNCTIONS.len() + 1);
        let last = functions.last().unwrap();
        assert_eq!(last["signature"], "slack::post(a, b?)");
        assert_eq!((&last["origin"], &last["effect"]), (&"host".into(), &"external".into()));
        assert_eq!(json["context"].as_array().unwrap().len(), PROPERTIES.len());
    }

    #[test]
    fn the_page_names_everything_once() {
        let host = host();
        let page = Definitions::new(&host).to_markdown();
        for function in FUNCTIONS {
            assert_eq!(page.matches(&format!("### `{}(", function.name)).count(), 1);
        }
        assert!(page.contains("## Functions of this program\n\n### `slack::post(a, b?)`\n\nPosts"));
        assert!(!Definitions::new(&[]).to_markdown().contains("of this program"));
    }
}
