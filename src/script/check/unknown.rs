//! Finds all undefined names. The language's own parser stops at the first one.

use std::collections::BTreeSet;

use rhai::{ASTNode, Expr, Position, Stmt};

use super::{findings::Findings, names::Names, walk::Body};
use crate::script::errors::parse_message;

/// Checks a function that was parsed without the rule that every name is defined.
pub(super) fn check(body: &Body<'_>, names: &Names<'_>, findings: &mut Findings<'_>) {
    let mut reported = BTreeSet::new();
    body.each_node(&mut |path| {
        let (name, at, message) = match path.last() {
            _ if findings.is_full() => return,
            Some(ASTNode::Expr(Expr::Variable(parts, _, at))) => {
                match parts.2.path.first() {
                    // The parser numbers the variables that it has seen declared. Captured
                    // variables are checked where the closure is created.
                    None if parts.0.is_some() || body.captured.contains(&*parts.1) => return,
                    None => (parts.1.to_string(), *at, variable(body, &parts.1, *at)),
                    Some(module) => unknown_module(body, names, module.as_str(), module.pos),
                }
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                let Some(module) = call.namespace.path.first() else { return };
                unknown_module(body, names, module.as_str(), module.pos)
            }
            _ => return,
        };
        if let Some(message) = message
            && reported.insert(name)
        {
            findings.add(at, message);
        }
    });
}

/// Returns the error for an undefined variable. A function is a value only after its definition.
fn variable(body: &Body<'_>, name: &str, at: Position) -> Option<String> {
    let own = body.unit.ast.iter_fn_def().filter(|function| *function.name == *name);
    let begins: Vec<Position> = own.map(|function| function.body.start_position()).collect();
    let is_above = |begin: &Position| *begin < at;
    if body.written_in != Some(name) && begins.iter().any(is_above) {
        return None;
    }
    Some(match begins.first() {
        Some(_) => parse_message::function_below(name),
        None => parse_message::undefined_variable(name, body.variable_names()),
    })
}

fn unknown_module(
    body: &Body<'_>,
    names: &Names<'_>,
    module: &str,
    at: Position,
) -> (String, Position, Option<String>) {
    let message =
        (!names.has_module(body.unit, module)).then(|| parse_message::unknown_module(module));
    (format!("{module}::"), at, message)
}
