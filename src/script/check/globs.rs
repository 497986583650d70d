//! Checks that literal globs can match.

use rhai::{ASTNode, Expr, Position, Stmt};

use super::{findings::Findings, names::Names, walk::Body};
use crate::{
    rules::glob::{GlobFault, Names as GlobNames, PathGlobs, names_fault},
    script::syntax::{literal::literal, nodes::variable, unit::Unit},
};

/// A check of a list of globs of one kind.
type GlobCheck = fn(&[String]) -> Option<GlobFault>;

const OF_PATHS: GlobCheck = |globs| PathGlobs::new(globs).err();

const OF_TAGS: GlobCheck = |globs| names_fault(GlobNames::Tags, globs);

/// Checks the globs of `ctx.changed`, `ctx.newest_tag` and `matches`.
pub(super) fn check(body: &Body<'_>, names: &Names<'_>, findings: &mut Findings<'_>) {
    body.each_node(&mut |path| match path.last() {
        Some(ASTNode::Expr(Expr::Dot(parts, ..)))
            if variable(&parts.lhs).is_some_and(|name| body.contexts.contains(name)) =>
        {
            let call = match &parts.rhs {
                Expr::Dot(inner, ..) | Expr::Index(inner, ..) => &inner.lhs,
                call => call,
            };
            let Expr::MethodCall(call, _) = call else { return };
            match (&*call.name, &*call.args) {
                ("changed", [globs]) => check_literal(body.unit, globs, OF_PATHS, findings),
                ("newest_tag", [globs]) => check_literal(body.unit, globs, OF_TAGS, findings),
                _ => {}
            }
        }
        Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
            if &*call.name == "matches" && !call.is_qualified() =>
        {
            if let ([_, globs], false) = (&*call.args, names.replaces(body.unit, "matches")) {
                check_literal(body.unit, globs, OF_PATHS, findings);
            }
        }
        Some(ASTNode::Expr(Expr::MethodCall(call, _))) if &*call.name == "matches" => {
            if let ([globs], false) = (&*call.args, names.replaces(body.unit, "matches")) {
                check_literal(body.unit, globs, OF_PATHS, findings);
            }
        }
        _ => {}
    });
}

/// Checks globs that are literals, or a literal constant of the file.
fn check_literal(unit: &Unit, globs: &Expr, check: GlobCheck, findings: &mut Findings<'_>) {
    let globs = constant_value(unit, globs).unwrap_or(globs);
    let list = match literal(globs) {
        Some(value) => match (value.as_str(), value.as_array()) {
            (Some(text), _) => vec![text.to_owned()],
            (_, Some(list)) => {
                let texts = list.iter().map(|it| it.as_str().map(str::to_owned));
                let Some(texts) = texts.collect::<Option<Vec<String>>>() else { return };
                texts
            }
            _ => return,
        },
        None => return,
    };
    if let Some(fault) = check(&list) {
        findings.add(position(globs, fault.index), fault.message);
    }
}

fn position(globs: &Expr, index: usize) -> Position {
    match globs {
        Expr::Array(items, _) => items.get(index).unwrap_or(globs).start_position(),
        one => one.start_position(),
    }
}

/// Returns the value of `global::NAME`.
fn constant_value<'e>(unit: &'e Unit, expression: &Expr) -> Option<&'e Expr> {
    let Expr::Variable(parts, ..) = expression else { return None };
    if parts.2.path.first().is_none_or(|module| module.as_str() != "global") {
        return None;
    }
    unit.ast.statements().iter().find_map(|statement| match statement {
        Stmt::Var(variable, ..) if variable.0.name == parts.1 => Some(&variable.1),
        _ => None,
    })
}
