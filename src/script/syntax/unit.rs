//! One parsed file, and positions in it.

use rhai::{AST, Position as RhaiPosition, ScriptFuncDef};

use crate::{model::error::Position, script::text::source::Source};

/// A parsed file.
#[derive(Clone, Debug)]
pub(in crate::script) struct Unit {
    pub(in crate::script) source: Source,
    pub(in crate::script) ast: AST,
}

/// Converts a position of the language.
pub(in crate::script) fn place(position: RhaiPosition) -> Position {
    Position::new(position.line().unwrap_or(1), position.position().unwrap_or(1).max(1))
}

/// Returns where a function's declaration begins. The parser keeps only the position of its body,
/// so this searches for the last declaration of the name before it.
pub(in crate::script) fn declared_at(source: &Source, function: &ScriptFuncDef) -> Position {
    let body = place(function.body.start_position());
    let lines = source.text.lines().enumerate().take(body.line);
    let declarations = lines.flat_map(|(index, line)| {
        let begins = line.match_indices("fn ").filter(|(at, _)| {
            let rest = line[at + "fn ".len()..].trim_start();
            let rest = rest.strip_prefix(&*function.name);
            rest.is_some_and(|rest| rest.trim_start().starts_with('('))
        });
        let places =
            begins.map(move |(at, _)| Position::new(index + 1, line[..at].chars().count() + 1));
        places.filter(move |at| (at.line, at.column) < (body.line, body.column))
    });
    declarations.last().unwrap_or(body)
}
