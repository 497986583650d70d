//! Parses the keys of `deploy` that determine what may be deployed where, and when.

use super::{
    document::{Document, Node, Value},
    when::{globs, strings, unexpected},
};
use crate::{
    model::{
        error::Error,
        pipeline::{DeployRules, ENVIRONMENT_NAME, is_environment},
    },
    rules::glob::{Names, names_fault},
};

/// Parses the rules in the body of `deploy`. The caller has already refused unknown keys.
pub(super) fn rules(document: &Document<'_>, body: &Node) -> Result<DeployRules, Error> {
    let mut rules = DeployRules::default();
    let Value::Mapping(entries) = &body.value else { return Ok(rules) };
    for (key, value) in entries {
        match key.text() {
            Some("branch") => {
                let find_fault = |globs: &[String]| names_fault(Names::Branches, globs);
                rules.branch =
                    globs(document, value, "a branch or an array of branches", find_fault)?;
            }
            Some("environment") => rules.environment = environments(document, value)?,
            Some("approve") => rules.approve = bool_value(document, value)?,
            Some("auto") => rules.auto = bool_value(document, value)?,
            _ => {}
        }
    }
    Ok(rules)
}

fn environments(document: &Document<'_>, node: &Node) -> Result<Vec<String>, Error> {
    let names = strings(document, node, "the name of an environment or an array of names")?;
    match names.iter().find(|name| !is_environment(name)) {
        Some(name) => {
            let message = format!("{name:?} cannot name an environment; use {ENVIRONMENT_NAME}");
            Err(document.error(node, message))
        }
        None => Ok(names),
    }
}

fn bool_value(document: &Document<'_>, node: &Node) -> Result<bool, Error> {
    let plain = match node.value {
        Value::Boolean => document.source.plain(document.offset(node)).to_ascii_lowercase(),
        _ => String::new(),
    };
    match plain.as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(unexpected(document, node, "`true` or `false`")),
    }
}
