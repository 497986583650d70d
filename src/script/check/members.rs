//! Checks that the properties and methods of `ctx` exist.

use rhai::{ASTNode, Expr, Stmt};

use super::{
    findings::Findings,
    values::{fits, plain_kind},
    walk::Body,
};
use crate::{
    script::{
        api::{registry::PROPERTIES, types::Type},
        syntax::nodes::variable,
    },
    util::suggestion::did_you_mean,
};

pub(super) fn check(body: &Body<'_>, findings: &mut Findings<'_>) {
    body.each_node(&mut |path| match path.last() {
        _ if findings.is_full() => {}
        Some(ASTNode::Expr(Expr::Dot(parts, ..)))
            if variable(&parts.lhs).is_some_and(|name| body.contexts.contains(name)) =>
        {
            member("ctx", &parts.rhs, findings);
        }
        Some(ASTNode::Stmt(Stmt::Assignment(parts)))
            if root(&parts.1.lhs).is_some_and(|name| body.contexts.contains(name)) =>
        {
            findings.add(
                parts.1.lhs.start_position(),
                "`ctx` is read-only; store values in variables, or with `remember`",
            );
        }
        _ => {}
    });
}

/// Returns the variable at the beginning of an assignment's target.
pub(super) fn root(target: &Expr) -> Option<&str> {
    match target {
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => root(&parts.lhs),
        other => variable(other),
    }
}

/// Checks the rest of a chain after an object of the context.
fn member(object: &str, rest: &Expr, findings: &mut Findings<'_>) {
    let (first, behind) = match rest {
        Expr::Dot(parts, ..) => (&parts.lhs, Some(&parts.rhs)),
        Expr::Index(parts, ..) => (&parts.lhs, None),
        other => (other, None),
    };
    match first {
        Expr::Property(property, at) => {
            let name = &*property.2;
            let path = format!("{object}.{name}");
            if method(&path).is_some() {
                let message = format!("`{path}` is a function; call it with `(…)`");
                findings.add(*at, message);
            } else if property_type(&path).is_none() {
                findings.add(*at, unknown(object, name));
            } else if let Some(behind) = behind.filter(|_| is_object(&path)) {
                member(&path, behind, findings);
            }
        }
        Expr::MethodCall(call, at) => {
            let path = format!("{object}.{}", call.name);
            match method(&path) {
                Some(_) if call.args.len() == 1 => takes(&path, &call.args[0], findings),
                Some(signature) => {
                    let given = call.args.len();
                    findings.add(*at, format!("`{signature}` takes 1 argument, not {given}"));
                }
                None if property_type(&path).is_some() => {
                    findings.add(*at, format!("`{path}` is not a function; remove the `(…)`"));
                }
                None => findings.add(*at, unknown(object, &call.name)),
            }
        }
        _ => {}
    }
}

/// Checks the argument of a method of the context, as far as it is a literal.
fn takes(path: &str, argument: &Expr, findings: &mut Findings<'_>) {
    let method = PROPERTIES.iter().find(|property| property.path.split('(').next() == Some(path));
    let param = method.and_then(|method| method.params.first());
    if let Some(param) = param
        && !fits(param.takes, argument, &plain_kind)
    {
        let takes = param.takes.in_words();
        findings.add(argument.position(), format!("`{path}` takes {takes}"));
    }
}

/// Returns the path of a method of the context, with its parameter.
fn method(path: &str) -> Option<&'static str> {
    let paths = PROPERTIES.iter().map(|property| property.path);
    paths.filter(|it| it.contains('(')).find(|it| it.split('(').next() == Some(path))
}

/// Returns the type of a property of the context.
fn property_type(path: &str) -> Option<Type> {
    PROPERTIES.iter().find(|property| property.path == path).map(|property| property.holds)
}

/// Returns the type of an expression that is the context or only a property of it.
pub(in crate::script) fn context_type(expression: &Expr) -> Option<Type> {
    let mut path = "ctx".to_owned();
    let mut rest = match expression {
        Expr::Dot(parts, ..) if variable(&parts.lhs) == Some("ctx") => &parts.rhs,
        other => return (variable(other) == Some("ctx")).then_some(Type::Object("ctx")),
    };
    loop {
        let (first, behind) = match rest {
            Expr::Dot(parts, ..) => (&parts.lhs, Some(&parts.rhs)),
            other => (other, None),
        };
        let Expr::Property(property, _) = first else { return None };
        path = format!("{path}.{}", property.2);
        match behind {
            Some(behind) => rest = behind,
            None => return property_type(&path),
        }
    }
}

fn is_object(path: &str) -> bool {
    match property_type(path) {
        Some(Type::Object(_)) => true,
        Some(Type::OneOf(types)) => types.iter().any(|it| matches!(it, Type::Object(_))),
        _ => false,
    }
}

fn unknown(object: &str, name: &str) -> String {
    let prefix = format!("{object}.");
    let below = PROPERTIES.iter().filter_map(|property| property.path.strip_prefix(&*prefix));
    let names = below.filter_map(|path| path.split('(').next()).filter(|path| !path.contains('.'));
    let hint = match did_you_mean(name, names.clone()) {
        hint if !hint.is_empty() => hint,
        _ => format!("; it has {}", names.collect::<Vec<_>>().join(", ")),
    };
    format!("`{object}` has no property `{name}`{hint}")
}
