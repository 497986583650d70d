//! What a script may do in a plan with outputs that are not known.
//!
//! Such an output is replaced by a marker string that only the plan recognizes (`DryStage::look`).
//! A script may pass it on: in interpolation, `+`, arrays, maps and commands. If a script inspects
//! it, the dry run ends.
//!
//! Inspections are noticed in three ways. The functions of the language are wrapped. Its operators
//! are called as functions. An operator is inserted before the operands of `switch`, `if`, `while`
//! and indices. One inspection is not noticed: that of a character after an unknown part of a
//! string, by its index.

#![expect(deprecated, reason = "rhai marks the stored context of a call so to call it volatile")]

use std::{any::TypeId, iter, sync::Arc};

use rhai::{ASTNode, Array, Dynamic, Engine, Expr, FnPtr, ImmutableString, Map, Module, Stmt};

use crate::{
    model::{error::Position, function::HostFunction},
    script::{
        api::registry,
        language::engine,
        session::shared::Session,
        syntax::{
            script::Script,
            unit::{Unit, place},
        },
        values::thrown::Thrown,
    },
};

/// The operator inserted before a value that is inspected with everything in it.
const LOOK_INTO: &str = "tinyci_look_into";

/// The operator inserted before a value that is inspected alone.
const LOOK_AT: &str = "tinyci_look_at";

/// Functions that pass a string on, or reveal nothing about its contents.
const PASSING: [&str; 7] = ["+", "+=", "append", "to_string", "to_debug", "print", "debug"];

/// Functions of arrays that inspect the elements.
const LOOKING_AT_LISTS: [&str; 9] =
    ["==", "!=", "contains", "index_of", "sort", "order", "dedup", "min", "max"];

const COMPARISONS: [&str; 6] = ["==", "!=", "<", "<=", ">", ">="];

/// Operators that inspect their operands, besides comparisons.
const OPERATORS: [&str; 11] = ["-", "*", "/", "%", "**", "&", "|", "^", "<<", ">>", "contains"];

/// Makes an engine notice every inspection. `plain` is the same engine without that.
pub(in crate::script) fn watch(
    engine: &mut Engine,
    plain: Engine,
    session: &Arc<Session>,
    functions: &[HostFunction],
) {
    engine.set_fast_operators(false);
    for (name, whole) in [(LOOK_INTO, true), (LOOK_AT, false)] {
        let session = session.clone();
        engine.register_raw_fn(name, [TypeId::of::<Dynamic>(); 2], move |_, arguments| {
            let value = arguments.last().map(|it| it.flatten_clone()).unwrap_or_default();
            let looks = whole || value.is_string();
            if looks { session.look(&value).map(|()| value) } else { Ok(value) }
        });
    }
    watch_characters(engine, session);
    let plain = Arc::new(plain);
    for (name, types) in signatures(&plain, functions) {
        let (plain, session, called) = (plain.clone(), session.clone(), name.clone());
        engine.register_raw_fn(name, types, move |context, arguments| {
            look_at_native(&session, &called, arguments)?;
            let stored = context.store_data();
            stored.create_context(&plain).call_native_fn_raw(&called, true, arguments)
        });
    }
}

/// Makes `for` over a string inspect it.
fn watch_characters(engine: &mut Engine, session: &Arc<Session>) {
    let session = session.clone();
    let characters_of = move |text: Dynamic| -> Box<dyn Iterator<Item = Result<Dynamic, Thrown>>> {
        if let Err(end) = session.look(&text) {
            return Box::new(iter::once(Err(end)));
        }
        let chars: Vec<char> = text.to_string().chars().collect();
        Box::new(chars.into_iter().map(|letter| Ok(letter.into())))
    };
    let mut module = Module::new();
    module.set_iter_result(TypeId::of::<ImmutableString>(), characters_of);
    engine.register_global_module(module.into());
}

/// Returns the functions and operators of the language that inspect their arguments.
fn signatures(engine: &Engine, functions: &[HostFunction]) -> Vec<(String, Vec<TypeId>)> {
    let is_ours = |name: &str| {
        registry::function(name).is_some() || functions.iter().any(|it| it.name == name)
    };
    let looking = |info: rhai::FuncInfo<'_>| {
        let (name, types) = (info.metadata.name.as_str(), info.metadata.param_types.to_vec());
        let fits = info.namespace.is_empty() && !name.starts_with("index$") && !is_ours(name);
        (fits && inspects(name, &types)).then(|| (name.to_owned(), types))
    };
    let mut found = engine.collect_fn_metadata(None, looking, true);
    let (text, any) = (TypeId::of::<ImmutableString>(), TypeId::of::<Dynamic>());
    for name in COMPARISONS.into_iter().chain(OPERATORS) {
        found.push((name.to_owned(), vec![text, any]));
        found.push((name.to_owned(), vec![any, text]));
    }
    let chars = COMPARISONS.map(|name| (name.to_owned(), vec![TypeId::of::<char>(); 2]));
    found.extend(chars);
    found.push(("!".to_owned(), vec![text]));
    found
}

fn inspects(name: &str, types: &[TypeId]) -> bool {
    let of = |at: usize| types.get(at);
    let texts = [TypeId::of::<ImmutableString>(), TypeId::of::<char>(), TypeId::of::<Dynamic>()];
    let values = [TypeId::of::<Array>(), TypeId::of::<Map>()];
    match of(0) {
        // Functions with a callback pass the elements to it, and the callback inspects them itself.
        _ if types.contains(&TypeId::of::<FnPtr>()) => false,
        Some(first) if *first == TypeId::of::<Array>() => LOOKING_AT_LISTS.contains(&name),
        Some(first) if *first == TypeId::of::<Map>() => {
            matches!(name, "==" | "!=") || of(1).is_some_and(|key| texts.contains(key))
        }
        _ if PASSING.contains(&name) => false,
        _ => types.iter().any(|it| texts.contains(it) || values.contains(it)),
    }
}

fn look_at_native(session: &Session, name: &str, arguments: &[&mut Dynamic]) -> Result<(), Thrown> {
    let is_map = arguments.first().is_some_and(|first| first.is_map());
    if is_map && !matches!(name, "==" | "!=") {
        // The value of a key is only passed on.
        return arguments.get(1).map_or(Ok(()), |key| session.look(key));
    }
    arguments.iter().try_for_each(|argument| session.look(argument))
}

/// Returns the script with an operator inserted before everything that it inspects without a
/// function.
pub(in crate::script) fn watched(script: &Script) -> Script {
    let mut parser = engine::engine();
    // The operator needs the lowest precedence, so that it applies to the whole expression. The
    // parser accepts none below 2.
    let mut is_known = |operator| parser.register_custom_operator(operator, 2).is_ok();
    let is_known = [LOOK_AT, LOOK_INTO].into_iter().all(&mut is_known);
    let watched = |unit: &Unit| watched_unit(&parser, unit).filter(|_| is_known);
    script.with_units(&|unit| watched(unit).unwrap_or_else(|| unit.clone()))
}

/// Returns the file with inserted operators, or `None` if there is nothing to insert.
fn watched_unit(parser: &Engine, unit: &Unit) -> Option<Unit> {
    let mut looks: Vec<(Position, &str)> = Vec::new();
    unit.ast.walk(&mut |path: &[ASTNode<'_>]| {
        looks.extend(path.last().and_then(|node| look_of(unit, node)));
        true
    });
    let mut lines: Vec<String> = unit.source.text.lines().map(str::to_owned).collect();
    looks.sort_by_key(|(at, _)| (at.line, at.column));
    looks.dedup();
    let mut inserted = Vec::new();
    for (at, operator) in looks.iter().rev() {
        let line = lines.get_mut(at.line.checked_sub(1)?)?;
        let begin = line.char_indices().nth(at.column.checked_sub(1)?)?.0;
        let look = format!(" () {operator} ");
        line.insert_str(begin, &look);
        inserted.insert(0, (*at, look.len()));
    }
    let mut ast = parser.compile(lines.join("\n")).ok()?;
    ast.set_source(&*unit.source.name);
    let source = unit.source.clone().with_inserted(inserted);
    (!looks.is_empty()).then_some(Unit { source, ast })
}

/// Returns the beginning of the expression that a node inspects, and the operator to insert.
fn look_of<'l>(unit: &Unit, node: &ASTNode<'_>) -> Option<(Position, &'l str)> {
    let after = |at: rhai::Position, word: &str| {
        let at = place(at);
        let is_there = unit.source.word(at) == word;
        is_there.then(|| Position::new(at.line, at.column + word.len()))
    };
    match node {
        ASTNode::Stmt(Stmt::Switch(_, at)) => Some((after(*at, "switch")?, LOOK_INTO)),
        ASTNode::Stmt(Stmt::If(_, at)) => Some((after(*at, "if")?, LOOK_AT)),
        ASTNode::Stmt(Stmt::While(flow, at)) if !matches!(flow.expr, Expr::Unit(_)) => {
            Some((after(*at, "while")?, LOOK_AT))
        }
        ASTNode::Expr(Expr::Index(parts, ..)) => {
            let index = beginning(&parts.rhs);
            (!index.is_constant()).then(|| (place(index.position()), LOOK_AT))
        }
        _ => None,
    }
}

/// Returns the leftmost part of an expression.
fn beginning(expression: &Expr) -> &Expr {
    match expression {
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => beginning(&parts.lhs),
        Expr::FnCall(call, _) if call.is_operator_call() && call.args.len() > 1 => {
            call.args.first().map_or(expression, beginning)
        }
        other => other,
    }
}
