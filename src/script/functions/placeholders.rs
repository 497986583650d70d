//! The placeholders `<%= … %>` in the texts of `sh`: each holds one expression of the language.

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

/// Stands for `<%`.
const ESCAPED: &str = "<%%";

/// More is no expression that a person would put into a tag; it also bounds what parsing it costs.
const BYTES_MAX: usize = 4096;

/// Fills the placeholders of a text that a script runs: those alone that the script has written,
/// whole and in one literal. Any other `<%` is a part of a value, and no value is a template. So are
/// those in `data`, the parts of the text that are others' words.
pub(in crate::script) fn fill(
    engine: &Engine,
    session: &Arc<Session>,
    text: &str,
    data: &Parts,
) -> Result<String, Thrown> {
    let Some(script) = session.script.as_ref().filter(|_| text.contains("<%")) else {
        return Ok(text.to_owned());
    };
    // Seldom asked for, and dearer than all the rest.
    let cover = OnceCell::new();
    let is_literal = |part: &Range<usize>| {
        cover.get_or_init(|| script.literals().cover(text)).has_in_one_literal(part)
    };
    let (mut filled, mut from) = (String::with_capacity(text.len()), 0);
    while let Some(at) = text[from..].find("<%").map(|at| from + at) {
        filled.push_str(&text[from..at]);
        let placeholder = placeholder_at(text, at);
        let placeholder = placeholder.filter(|it| script.literals().hold_placeholder(it));
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

/// What a placeholder of a script becomes.
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
        Some(stop) => stop.thrown(),
        None => throw(error.message()),
    })
}

/// True if a placeholder of this text has a word in it that names the branch or a tag.
pub(in crate::script) fn names_ref(text: &str) -> bool {
    let inside = text.split("<%").skip(1).map(|rest| rest.split("%>").next().unwrap_or(rest));
    let mut words = inside.flat_map(|it| it.split(|letter: char| !letter.is_ascii_alphanumeric()));
    words.any(|word| ["branch", "tag", "tags"].contains(&word))
}

/// The value of an expression that only looks things up, as a text. `stopped` is told what ended it
/// that is no mistake in it.
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
    let frame = Frame { in_tag: true, ..Frame::clone(&session.frame()) };
    let value = session.within(frame, || engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast));
    let value = value.map_err(|error| {
        stopped.set(Stop::of(&error));
        not_one(expression, &crate::script::errors::message::message(error.unwrap_inner(), None))
    })?;
    plain_text(&value.flatten_clone())
        .filter(|text| !text.contains(&session.sentinel))
        .ok_or_else(|| not_one(expression, "its value is not a string or number"))
}

/// An expression that only looks things up, read and not evaluated.
pub(in crate::script) fn parse(
    engine: &Engine,
    scope: &Scope<'_>,
    expression: &str,
) -> Result<AST, String> {
    let not_one = |why: &str| Err(not_one(expression, why));
    if expression.len() > BYTES_MAX {
        return Err(format!("an expression in a placeholder can have at most {BYTES_MAX} bytes"));
    }
    // The ancestor ran what stands in back-quotes; here it would silently be a text.
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

/// Why something in a tag cannot be its expression.
pub(in crate::script) fn not_one(expression: &str, why: &str) -> String {
    format!("`{expression}` is not a valid placeholder: {why}; a placeholder cannot run Ruby code")
}
