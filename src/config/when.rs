//! Parses the keys of a step that determine when it runs, how often, and with which secrets.

use super::document::{Document, Node, Value};
use crate::{
    model::{error::Error, pipeline::When},
    rules::glob::{GlobFault, Names, PathGlobs, names_fault},
    util::suggestion::did_you_mean_or_list,
};

/// The maximum number of retries. More are probably a mistake.
const RETRIES_MAX: u32 = 1_000;

/// The conditions of a step.
const KEYS: [&str; 4] = ["branch", "tag", "changed", "message"];

/// The conditions of a whole commit.
const COMMIT_KEYS: [&str; 3] = ["branch", "tag", "message"];

/// Parses the conditions of a step.
pub(super) fn when(document: &Document<'_>, node: &Node) -> Result<When, Error> {
    conditions(document, node, &KEYS)
}

/// Parses the conditions of a whole commit.
pub(super) fn of_commit(document: &Document<'_>, node: &Node) -> Result<When, Error> {
    conditions(document, node, &COMMIT_KEYS)
}

fn conditions(document: &Document<'_>, node: &Node, keys: &[&str]) -> Result<When, Error> {
    let expected = "a map of conditions such as `{branch: main}`";
    let entries = match &node.value {
        Value::Mapping(entries) if !entries.is_empty() => entries,
        _ => return Err(unexpected(document, node, expected)),
    };
    let mut when = When::default();
    for (key, value) in entries {
        let name = key.text().unwrap_or_else(|| key.kind());
        let list = match name {
            _ if !keys.contains(&name) => {
                return Err(document.error(key, not_a_condition(name, keys)));
            }
            "branch" => &mut when.branch,
            "tag" => &mut when.tag,
            "changed" => &mut when.changed,
            _ => &mut when.message,
        };
        if !list.is_empty() {
            return Err(document.error(key, format!("duplicate key `{name}`")));
        }
        let find_fault = match name {
            "branch" => |globs: &[String]| names_fault(Names::Branches, globs),
            "tag" => |globs: &[String]| names_fault(Names::Tags, globs),
            "changed" => |globs: &[String]| PathGlobs::new(globs).err(),
            _ => |globs: &[String]| names_fault(Names::Messages, globs),
        };
        let all = if name == "changed" { "**" } else { "*" };
        let expected = format!("a glob or an array of globs (`{all}` matches everything)");
        *list = globs(document, value, &expected, find_fault)?;
    }
    Ok(when)
}

/// Parses a glob or an array of globs. Fails for a glob that can never match.
pub(super) fn globs(
    document: &Document<'_>,
    node: &Node,
    expected: &str,
    find_fault: fn(&[String]) -> Option<GlobFault>,
) -> Result<Vec<String>, Error> {
    let globs = strings(document, node, expected)?;
    let Some(fault) = find_fault(&globs) else { return Ok(globs) };
    let at = match &node.value {
        Value::Array(nodes) => nodes.get(fault.index).unwrap_or(node),
        _ => node,
    };
    Err(document.error(at, fault.message))
}

fn not_a_condition(name: &str, keys: &[&str]) -> String {
    if name == "changed" {
        return "`changed` is a condition of a step, not of the whole commit; move it to the `when` \
                of `build`, `test` or a hook"
            .to_owned();
    }
    let hint = did_you_mean_or_list(name, keys);
    format!("`{name}` is not a condition{hint}")
}

/// Parses the number of extra attempts of a command.
pub(super) fn retries(document: &Document<'_>, node: &Node) -> Result<u32, Error> {
    let plain = match node.value {
        Value::Number => document.source.plain(document.offset(node)),
        _ => "",
    };
    let retries = plain.parse().ok().filter(|retries| *retries <= RETRIES_MAX);
    retries.ok_or_else(|| unexpected(document, node, "an int from 0 to 1000"))
}

/// Parses the names of the secrets that the step's commands get.
pub(super) fn secrets(document: &Document<'_>, node: &Node) -> Result<Vec<String>, Error> {
    let expected = "the name of a secret (letters, digits and `_`, not beginning with a digit) or an \
                  array of names";
    let names = strings(document, node, expected)?;
    let is_name = |name: &String| {
        let letters = |it: char| it.is_ascii_alphanumeric() || it == '_';
        name.chars().all(letters) && !name.starts_with(|it: char| it.is_ascii_digit())
    };
    if names.iter().all(is_name) { Ok(names) } else { Err(unexpected(document, node, expected)) }
}

/// Parses a string or a non-empty array of strings.
pub(super) fn strings(
    document: &Document<'_>,
    node: &Node,
    expected: &str,
) -> Result<Vec<String>, Error> {
    let nodes = match &node.value {
        Value::Array(nodes) if !nodes.is_empty() => nodes.iter().collect(),
        Value::Text(_) => vec![node],
        _ => return Err(unexpected(document, node, expected)),
    };
    let text = |node: &Node| match node.text() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(unexpected(document, node, expected)),
    };
    nodes.into_iter().map(text).collect()
}

pub(super) fn unexpected(document: &Document<'_>, node: &Node, expected: &str) -> Error {
    document.error(node, format!("expected {expected}, got {}", node.kind()))
}
