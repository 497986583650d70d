//! Calls: whether there is such a function, and whether it takes what it is given.

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::{
    Findings,
    names::{Names, Takes},
    walk::{Body, closure_made, variable},
};
use crate::{
    duration::parse_duration,
    pipeline::stays_below,
    script::{
        registry::{self, ScriptOption},
        types::Type,
    },
    suggestion::did_you_mean,
};

pub(super) fn judge(body: &Body<'_>, names: &Names<'_>, findings: &mut Findings<'_>) {
    body.each_node(&mut |path| match path.last() {
        // Looking for near names is the dearest part.
        _ if findings.is_full() => {}
        Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at)))
            if !call.is_operator_call() =>
        {
            if is_making(call) {
                return;
            }
            plain_call(body, names, call, *at, findings);
            if registry::function(&call.name).is_some() && !call.is_qualified() {
                arguments(call, findings);
            }
        }
        Some(ASTNode::Expr(Expr::MethodCall(call, at))) if !is_of_context(body, path) => {
            method_call(body, names, call, *at, findings);
        }
        Some(ASTNode::Expr(Expr::Variable(parts, _, at))) if !parts.2.is_empty() => {
            global(body, &parts.2, &parts.1, *at, findings);
        }
        _ => {}
    });
}

/// Whether it only makes a closure.
fn is_making(call: &FnCallExpr) -> bool {
    &*call.name == "curry" && call.args.first().is_some_and(|it| closure_made(it).is_some())
}

/// Whether the call stands right behind the context, where `members` judges it.
fn is_of_context(body: &Body<'_>, path: &[ASTNode<'_>]) -> bool {
    path.iter().any(|node| match node {
        ASTNode::Expr(Expr::Dot(parts, ..)) => {
            let on_context = variable(&parts.lhs).is_some_and(|it| body.contexts.contains(it));
            let mut rest = &parts.rhs;
            // `ctx.host.has`: the call may stand behind one of the context's objects.
            if let Expr::Dot(inner, ..) = rest
                && matches!(&inner.lhs, Expr::Property(property, _) if &*property.2 == "host")
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
        None if body.sees(name) => findings
            .add(at, format!("`{name}` is a variable: call what it holds with `{name}.call(…)`")),
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
            "`exit` is always an error, because it does not say what became of the phase: use \
             `return`, `skip(reason)` or `fail(reason)`",
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
            findings.add(at, format!("nothing has a method `{name}`{hint}"));
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

/// `global::NAME` is a constant of the same file.
fn global(
    body: &Body<'_>,
    namespace: &rhai::Namespace,
    name: &str,
    at: Position,
    findings: &mut Findings<'_>,
) {
    if namespace.path.first().is_none_or(|module| module.as_str() != "global") {
        return;
    }
    let constants: Vec<&str> = body.unit.ast.statements().iter().filter_map(constant).collect();
    if !constants.contains(&name) {
        let hint = did_you_mean(name, constants);
        findings.add(at, format!("this file has no constant `{name}`{hint}"));
    }
}

fn constant(statement: &Stmt) -> Option<&str> {
    match statement {
        Stmt::Var(variable, ..) => Some(&variable.0.name),
        _ => None,
    }
}

/// What is given to a function of the API, as far as it is written out.
fn arguments(call: &FnCallExpr, findings: &mut Findings<'_>) {
    let Some(function) = registry::function(&call.name) else { return };
    for (parameter, argument) in function.params.iter().zip(&call.args) {
        if let Type::Options(known) = parameter.takes {
            options(known, argument, findings);
        }
        match parameter.name {
            "function" => called_too_early(function.name, argument, findings),
            name @ ("limit" | "time") => time(name, argument, findings),
            "path" => below("path", argument, findings),
            "command" => not_empty(function.name, argument, findings),
            _ => {}
        }
    }
}

fn options(known: &[ScriptOption], argument: &Expr, findings: &mut Findings<'_>) {
    let Expr::Map(map, _) = argument else { return };
    for (key, value) in &map.0 {
        let names = known.iter().map(|option| option.name);
        if !names.clone().any(|name| name == key.name) {
            let hint = match did_you_mean(&key.name, names.clone()) {
                hint if !hint.is_empty() => hint,
                _ => format!("; there are {}", names.collect::<Vec<_>>().join(", ")),
            };
            findings.add(key.pos, format!("there is no option `{}`{hint}", key.name));
        } else if matches!(&*key.name, "timeout" | "backoff") {
            time(&key.name, value, findings);
        } else if key.name == "cwd" {
            below("cwd", value, findings);
        }
    }
}

/// `retry(3, sh("x"))` runs the command before `retry` begins.
fn called_too_early(name: &str, argument: &Expr, findings: &mut Findings<'_>) {
    let message = match argument {
        Expr::FnCall(call, _) if registry::function(&call.name).is_some() => format!(
            "this calls `{}` before `{name}` begins: write `|| {}(…)`",
            call.name, call.name
        ),
        Expr::StringConstant(..) | Expr::IntegerConstant(..) | Expr::BoolConstant(..) => {
            format!("`{name}` takes a function here, such as `|| sh(\"…\")`")
        }
        _ => return,
    };
    findings.add(argument.position(), message);
}

/// A path that is written out stays in the export.
fn below(what: &str, value: &Expr, findings: &mut Findings<'_>) {
    if let Expr::StringConstant(path, at) = value
        && !stays_below(path)
    {
        findings.add(*at, format!("`{what}` names something below the export, not `{path}`"));
    }
}

/// A command that is written out is one.
fn not_empty(name: &str, value: &Expr, findings: &mut Findings<'_>) {
    let is_empty = match value {
        Expr::StringConstant(text, _) => text.trim().is_empty(),
        Expr::Array(words, _) => words.is_empty(),
        _ => false,
    };
    if is_empty {
        findings.add(value.position(), format!("`{name}` has no command to run here"));
    }
}

/// A time that is written out is one.
fn time(what: &str, value: &Expr, findings: &mut Findings<'_>) {
    let (time, found, at) = match value {
        Expr::StringConstant(text, at) => (parse_duration(text), format!("\"{text}\""), at),
        Expr::IntegerConstant(seconds, at) => {
            (parse_duration(&seconds.to_string()), seconds.to_string(), at)
        }
        _ => return,
    };
    let is_limit = matches!(what, "limit" | "timeout");
    if time.is_none_or(|time| is_limit && time.is_zero()) {
        let message =
            format!("`{what}` takes a time such as `\"90s\"` or `\"10m\"`, not `{found}`");
        findings.add(*at, message);
    }
}
