//! The placeholders `<%= … %>` in the commands of `sh`. Each contains one expression of the
//! language.

use std::{
    cell::{Cell, OnceCell},
    ops::Range,
    sync::Arc,
};

use rhai::{AST, Dynamic, Engine, ParseErrorType, Scope};

use super::context::Context;
use crate::{
    model::{error::Position, pipeline::Template},
    rules::interpolate::{DEPLOY_ONLY, interpolate_expressions},
    script::{
        errors::parse_message,
        session::{
            ending::Stop,
            shared::{Frame, Session},
            untrusted::Parts,
        },
        syntax::literals::placeholder_at,
        values::{
            kind::plain_text,
            thrown::{Thrown, throw},
        },
    },
};

/// The escape sequence for `<%`.
const ESCAPED: &str = "<%%";

/// Maximum size of an expression in bytes. It also limits the cost of parsing.
const BYTES_MAX: usize = 4096;

/// Fills in the placeholders of a command: only those that are complete within one literal of the
/// script. Any other `<%` belongs to a value and stays as it is. So do placeholders in `data`, the
/// parts that are untrusted.
pub(in crate::script) fn fill(
    engine: &Engine,
    session: &Arc<Session>,
    text: &str,
    data: &Parts,
) -> Result<String, Thrown> {
    let Some(script) = session.script.as_ref().filter(|_| text.contains("<%")) else {
        return Ok(text.to_owned());
    };
    // Computed only if needed, because it is expensive.
    let cover = OnceCell::new();
    let is_literal = |part: &Range<usize>| {
        cover.get_or_init(|| script.literals().cover(text)).has_in_one_literal(part)
    };
    let (mut filled, mut from) = (String::with_capacity(text.len()), 0);
    while let Some(at) = text[from..].find("<%").map(|at| from + at) {
        filled.push_str(&text[from..at]);
        let placeholder = placeholder_at(text, at);
        let placeholder = placeholder.filter(|it| script.literals().contains_placeholder(it));
        let escape = at..at + ESCAPED.len();
        let (value, end) = match placeholder {
            Some(it) if !data.hold(&(at..at + it.len())) => {
                (value_of(engine, session, it)?, at + it.len())
            }
            None if text[at..].starts_with(ESCAPED)
                && !data.hold(&escape)
                && is_literal(&escape) =>
            {
                ("<%".to_owned(), escape.end)
            }
            _ => ("<%".to_owned(), at + "<%".len()),
        };
        filled.push_str(&value);
        from = end;
    }
    filled.push_str(&text[from..]);
    Ok(filled)
}

/// Returns the value of a placeholder in a script.
fn value_of(engine: &Engine, session: &Arc<Session>, placeholder: &str) -> Result<String, Thrown> {
    if names_ref(placeholder) {
        session.host.asked_for_ref();
    }
    let template = Template::new(placeholder, Position::new(1, 1));
    let stopped = Cell::new(None);
    let filled = interpolate_expressions(&template, &session.vars, "", &|expression| {
        evaluate(engine, session, expression, &stopped)
    });
    filled.map_err(|error| match stopped.take() {
        Some(stop) => stop.into_error(),
        None => throw(error.message()),
    })
}

/// Returns true if a placeholder in the text contains a word for the branch or a tag.
pub(in crate::script) fn names_ref(text: &str) -> bool {
    let inside = text.split("<%").skip(1).map(|rest| rest.split("%>").next().unwrap_or(rest));
    let mut words = inside.flat_map(|it| it.split(|letter: char| !letter.is_ascii_alphanumeric()));
    words.any(|word| ["branch", "tag", "tags"].contains(&word))
}

/// Returns the value of an expression without effects as a string. If the evaluation is stopped,
/// `stopped` gets the reason.
pub(in crate::script) fn evaluate(
    engine: &Engine,
    session: &Arc<Session>,
    expression: &str,
    stopped: &Cell<Option<Stop>>,
) -> Result<String, String> {
    let mut scope = Scope::new();
    scope.push_constant("ctx", Context(session.clone()));
    for name in session.vars.names() {
        scope.push_constant(name, session.vars.get(name).unwrap_or_default().to_owned());
    }
    let ast = parse(engine, &scope, expression)?;
    let frame = Frame { in_placeholder: true, ..Frame::clone(&session.frame()) };
    let value = session.within(frame, || engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast));
    let value = value.map_err(|error| {
        stopped.set(Stop::of(&error));
        not_one(expression, &crate::script::errors::message::message(error.unwrap_inner(), None))
    })?;
    plain_text(&value.flatten_clone())
        .filter(|text| !text.contains(&session.sentinel))
        .ok_or_else(|| not_one(expression, "its value is not a string or number"))
}

/// Parses an expression of a placeholder without evaluating it.
pub(in crate::script) fn parse(
    engine: &Engine,
    scope: &Scope<'_>,
    expression: &str,
) -> Result<AST, String> {
    let not_one = |why: &str| Err(not_one(expression, why));
    if expression.len() > BYTES_MAX {
        return Err(format!("an expression in a placeholder can have at most {BYTES_MAX} bytes"));
    }
    // TinyCI 0.5 ran text in backquotes. Here it would silently be a string.
    if expression.contains('`') {
        return not_one("write strings in double quotes");
    }
    engine.compile_expression_with_scope(scope, expression).or_else(|error| {
        not_one(&match error.err_type() {
            ParseErrorType::VariableUndefined(name) if name == DEPLOY_ONLY => of_deploy(name),
            other => parse_message::parse_message(other, ""),
        })
    })
}

pub(in crate::script) fn of_deploy(name: &str) -> String {
    format!("`{name}` exists only in `deploy`")
}

/// Returns the message for an invalid placeholder.
pub(in crate::script) fn not_one(expression: &str, why: &str) -> String {
    format!("`{expression}` is not a valid placeholder: {why}; a placeholder cannot run Ruby code")
}
