//! Checks calls: the function exists and accepts the number of arguments.

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::{
    findings::Findings,
    names::{ModuleValue, Names, Takes},
    walk::Body,
};
use crate::{
    script::syntax::nodes::{closure_made, variable},
    util::suggestion::did_you_mean,
};

pub(super) fn check(body: &Body<'_>, names: &Names<'_>, findings: &mut Findings<'_>) {
    body.each_node(&mut |path| match path.last() {
        // Searching for similar names is the most expensive part.
        _ if findings.is_full() => {}
        Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at)))
            if !call.is_operator_call() =>
        {
            if is_closure_creation(call) {
                return;
            }
            plain_call(body, names, call, *at, findings);
        }
        Some(ASTNode::Expr(Expr::MethodCall(call, at))) if !is_of_context(body, path) => {
            method_call(body, names, call, *at, findings);
        }
        Some(ASTNode::Expr(Expr::Variable(parts, _, at))) if !parts.2.is_empty() => {
            match parts.2.path.first().map(rhai::Ident::as_str) {
                Some("global") => global(body, &parts.1, *at, findings),
                Some(module) => module_value(body, names, module, &parts.1, *at, findings),
                None => {}
            }
        }
        _ => {}
    });
}

/// Returns true if the call only creates a closure.
fn is_closure_creation(call: &FnCallExpr) -> bool {
    &*call.name == "curry" && call.args.first().is_some_and(|it| closure_made(it).is_some())
}

/// Returns true if the call is a method of the context, which `members` checks.
fn is_of_context(body: &Body<'_>, path: &[ASTNode<'_>]) -> bool {
    path.iter().any(|node| match node {
        ASTNode::Expr(Expr::Dot(parts, ..)) => {
            let on_context = variable(&parts.lhs).is_some_and(|it| body.contexts.contains(it));
            let mut rest = &parts.rhs;
            // In `ctx.machine.has`, the call is a method of one of the context's objects.
            if let Expr::Dot(inner, ..) = rest
                && matches!(&inner.lhs, Expr::Property(property, _) if &*property.2 == "machine")
            {
                rest = &inner.rhs;
            }
            let first = if let Expr::Dot(inner, ..) = rest { &inner.lhs } else { rest };
            let called =
                matches!(path.last(), Some(ASTNode::Expr(last)) if std::ptr::eq(*last, first));
            on_context && called
        }
        _ => false,
    })
}

fn plain_call(
    body: &Body<'_>,
    names: &Names<'_>,
    call: &FnCallExpr,
    at: Position,
    findings: &mut Findings<'_>,
) {
    let name = &*call.name;
    if let Some(module) = call.namespace.path.first() {
        if call.namespace.path.len() == 1 {
            module_call(body, names, module.as_str(), call, at, findings);
        }
        return;
    }
    if let Some(refusal) = names.refusal(name) {
        return findings.add(at, refusal);
    }
    match names.function(body.unit, name) {
        None if body.sees(name) => findings.add(
            at,
            format!(
                "`{name}` is a variable; call the function in it with \
                              `{name}.call(…)`"
            ),
        ),
        None => {
            let hint = names.near_function(body.unit, name);
            findings.add(at, format!("there is no function `{name}`{hint}"));
        }
        Some(takes) if !takes.allows(call.args.len()) => {
            let signature = names.signature(name);
            findings.add(at, wrong_count(name, &takes, call.args.len(), &signature));
        }
        Some(_) if name == "exit" => findings.add(
            at,
            "`exit` is always an error, because it does not say how the step ended; use `return`, \
             `skip(reason)` or `fail(reason)`",
        ),
        Some(_) => {}
    }
}

fn module_call(
    body: &Body<'_>,
    names: &Names<'_>,
    module: &str,
    call: &FnCallExpr,
    at: Position,
    findings: &mut Findings<'_>,
) {
    let name = &*call.name;
    match names.module_function(body.unit, module, name) {
        None => {}
        Some(None) if names.private_in(body.unit, module, name).is_some() => {
            let file = names.private_in(body.unit, module, name).unwrap_or_default();
            findings
                .add(at, format!("`{name}` is private in `{file}`; only that file can call it"));
        }
        Some(None) => {
            let hint = names.near_module_function(body.unit, module, name);
            findings.add(at, format!("the module `{module}` has no function `{name}`{hint}"));
        }
        Some(Some(takes)) if !takes.allows(call.args.len()) => {
            let name = format!("{module}::{name}");
            findings.add(at, wrong_count(&name, &takes, call.args.len(), ""));
        }
        Some(Some(_)) => {}
    }
}

fn method_call(
    body: &Body<'_>,
    names: &Names<'_>,
    call: &FnCallExpr,
    at: Position,
    findings: &mut Findings<'_>,
) {
    let name = &*call.name;
    match names.method(body.unit, name) {
        None => {
            let hint = names.near_function(body.unit, name);
            findings.add(at, format!("there is no method `{name}`{hint}"));
        }
        Some(takes) if !takes.allows(call.args.len()) => {
            findings.add(at, wrong_count(&format!(".{name}"), &takes, call.args.len(), ""));
        }
        Some(_) => {}
    }
}

fn wrong_count(name: &str, takes: &Takes, given: usize, signature: &str) -> String {
    format!("`{name}` takes {}, not {given}{signature}", takes.in_words())
}

/// Checks that `global::NAME` is a constant of the same file.
fn global(body: &Body<'_>, name: &str, at: Position, findings: &mut Findings<'_>) {
    let constants: Vec<&str> = body.unit.ast.statements().iter().filter_map(constant).collect();
    if !constants.contains(&name) {
        let hint = did_you_mean(name, constants);
        findings.add(at, format!("this file has no constant `{name}`{hint}"));
    }
}

/// Checks that `module::NAME` is a constant that another file exports.
fn module_value(
    body: &Body<'_>,
    names: &Names<'_>,
    module: &str,
    name: &str,
    at: Position,
    findings: &mut Findings<'_>,
) {
    let message = match names.module_value(body.unit, module, name) {
        None | Some(ModuleValue::Constant) => return,
        Some(ModuleValue::NotExported(file)) => format!(
            "the constant `{name}` is private in `{file}`; to share it, write `export const \
             {name}` there"
        ),
        Some(ModuleValue::Function(params)) => {
            let params = params.join(", ");
            format!(
                "`{module}::{name}` is a function of a module and cannot be used as a value; write \
                 `|{params}| {module}::{name}({params})`"
            )
        }
        Some(ModuleValue::Absent(hint)) => {
            format!("the module `{module}` has no constant `{name}`{hint}")
        }
    };
    findings.add(at, message);
}

fn constant(statement: &Stmt) -> Option<&str> {
    match statement {
        Stmt::Var(variable, ..) => Some(&variable.0.name),
        _ => None,
    }
}
