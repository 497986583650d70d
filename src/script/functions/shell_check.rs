//! Refuses shell commands that contain untrusted values.

use std::ops::Range;

use crate::script::{
    session::{
        shared::Session,
        untrusted::{IN_VARIABLES, Parts, SHOWN_CHARACTERS, Value},
    },
    text::shell_quotes::ShellQuotes,
    values::thrown::{Thrown, throw},
};

/// Refuses a shell command with an untrusted value that the shell could run as code. Returns the
/// untrusted parts that are quoted.
pub(in crate::script) fn check(session: &Session, text: &str) -> Result<Parts, Thrown> {
    let search = session.untrusted.search();
    let search = search.filter(|search| search.occurrences(text).next().is_some());
    let Some((search, script)) = search.zip(session.script.as_ref()) else {
        return Ok(Parts::default());
    };
    let (cover, quoted) = (script.literals().cover(text), session.untrusted.quoted_parts(text));
    let (mut quotes, mut data) = (ShellQuotes::new(text), Vec::new());
    let mut offending: Option<(&Value, Range<usize>, bool)> = None;
    for (value, part) in search.occurrences(text) {
        if cover.is_own(text, part.clone()) {
            continue;
        }
        let word = quoted.enclosing(&part);
        let in_quotes = word.is_some_and(|word| !quotes.take_word_at(word));
        if in_quotes || word.is_none() && !value.is_quoted {
            // If the values overlap, the error names the longest one.
            let known = offending.filter(|(_, other, _)| other.len() >= part.len());
            offending = known.or(Some((value, part, in_quotes)));
        } else {
            data.push(part);
        }
    }
    match offending {
        Some((value, part, true)) => Err(throw(quoted_twice(value, text, part))),
        Some((value, part, false)) => Err(throw(refusal(value, text, part))),
        None => Ok(Parts::new(data)),
    }
}

fn refusal(value: &Value, text: &str, part: Range<usize>) -> String {
    let property = value.property;
    let (name, word) = (name(property), word(property));
    let variable = match property {
        _ if IN_VARIABLES.contains(&property) => {
            format!("; in a command it is also \"$TINYCI_{}\"", property.to_uppercase())
        }
        _ => String::new(),
    };
    format!(
        "this string contains {name} unquoted, {}, and the shell would run code in it; pass it as \
         an array element, `sh([\"program\", {word}])`, or quoted, `q({word})`{variable}",
        shown(text, part)
    )
}

fn quoted_twice(value: &Value, text: &str, part: Range<usize>) -> String {
    format!(
        "this string contains {} quoted by `q` inside other quotes, {}, and the shell would run \
         code in it; use the result of `q` only outside of other quotes",
        name(value.property),
        shown(text, part)
    )
}

/// Returns the name of a value of this property in errors.
pub(in crate::script) fn name(property: &str) -> String {
    match property {
        "changes" => "a path of `ctx.changes`".to_owned(),
        "tags" => "one of `ctx.tags`".to_owned(),
        _ => format!("`ctx.{property}`"),
    }
}

/// Returns the example expression for such a value in errors.
fn word(property: &str) -> String {
    match property {
        "changes" => "path".to_owned(),
        "tags" => "tag".to_owned(),
        _ => format!("ctx.{property}"),
    }
}

/// Returns a value with the text around it, escaped because it can contain control characters.
fn shown(text: &str, part: Range<usize>) -> String {
    let value = &text[part.clone()];
    let cut: String = value.chars().take(SHOWN_CHARACTERS).collect();
    let dots = if cut.len() < value.len() { " …" } else { "" };
    let before: Vec<char> = text[..part.start].chars().rev().take(SHOWN_CHARACTERS).collect();
    let before: String = before.into_iter().rev().collect();
    let after: String = text[part.end..].chars().take(SHOWN_CHARACTERS).collect();
    if before.is_empty() && after.is_empty() {
        return format!("{cut:?}{dots}");
    }
    format!("{cut:?}{dots} in {:?}", format!("{before}{cut}{dots}{after}"))
}
