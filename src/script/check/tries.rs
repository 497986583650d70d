//! Finds values at the end of `try` and `catch`, which have no value.

use std::collections::BTreeSet;

use rhai::{ASTFlags, ASTNode, Expr, Stmt};

use super::{
    common_mistakes::is_used,
    findings::Findings,
    names::Names,
    values::pointer,
    walk::{Body, File},
};

/// The hint of messages about the value of `try`.
const INSTEAD: &str = "declare a variable before the `try`, and assign to it inside";

/// The functions of all files that end with `try`, and so return null.
pub(super) struct Tries {
    /// Functions by file and name.
    ending: BTreeSet<(String, String)>,
}

impl Tries {
    pub(super) fn new(files: &[File<'_>]) -> Self {
        let bodies = files.iter().flat_map(|file| &file.bodies).filter(|body| ends_with_try(body));
        let ending = bodies.filter_map(|body| {
            let function = body.function?;
            Some((body.unit.source.name.to_string(), function.name.to_string()))
        });
        Self { ending: ending.collect() }
    }

    /// Checks one function for values that `try` discards, and for uses of functions that end with
    /// `try`.
    pub(super) fn check(
        &self,
        body: &Body<'_>,
        file: &File<'_>,
        names: &Names<'_>,
        findings: &mut Findings<'_>,
    ) {
        body.each_node(&mut |path| match path {
            [.., ASTNode::Stmt(Stmt::TryCatch(parts, _))] => {
                lost_at_the_end(parts.body.statements(), findings);
                lost_at_the_end(parts.branch.statements(), findings);
            }
            [around @ .., ASTNode::Expr(Expr::FnCall(call, at))] if is_used(body, around) => {
                let own = (body.unit.source.name.to_string(), call.name.to_string());
                let ends = match call.namespace.path.first() {
                    None => self.ending.contains(&own),
                    Some(module) => {
                        let path = names.imported_path(body.unit, module.as_str());
                        path.is_some_and(|path| self.ending.contains(&(path.to_owned(), own.1)))
                    }
                };
                if ends {
                    let name = &call.name;
                    let message = format!(
                        "`{name}` ends with `try`, which has no value; {INSTEAD}, and end with it"
                    );
                    findings.add(*at, message);
                }
                let calls = matches!(&*call.name, "retry" | "timeout" | "group" | "with");
                let given = call.args.iter().filter(|_| calls);
                for (given, closure) in given.filter_map(|it| Some((it, pointer(it, body, file)?)))
                {
                    if self.ending.contains(&(body.unit.source.name.to_string(), closure.name)) {
                        let message = format!(
                            "this ends with `try`, which has no value; {INSTEAD}, and end with it"
                        );
                        findings.add(given.position(), message);
                    }
                }
            }
            _ => {}
        });
    }
}

fn ends_with_try(body: &Body<'_>) -> bool {
    let (mut is_try, mut returns) = (false, false);
    body.each_node(&mut |path| match path {
        [ASTNode::Stmt(statement)] => {
            is_try = matches!(statement, Stmt::TryCatch(..));
            returns |= is_return(statement);
        }
        [.., ASTNode::Stmt(statement)] => returns |= is_return(statement),
        _ => {}
    });
    is_try && !returns
}

/// Returns true for a `return` with a value. A `throw` has the same type of statement.
fn is_return(statement: &Stmt) -> bool {
    matches!(statement, Stmt::Return(Some(_), flags, _) if !flags.contains(ASTFlags::BREAK))
}

/// Reports a value at the end of a block whose value is discarded.
fn lost_at_the_end(block: &[Stmt], findings: &mut Findings<'_>) {
    match block.last() {
        Some(Stmt::Expr(expression)) if is_value(expression) => {
            let message =
                format!("`try` and `catch` have no value, so this one is lost; {INSTEAD}");
            findings.add(expression.start_position(), message);
        }
        Some(Stmt::If(parts, _)) => {
            lost_at_the_end(parts.body.statements(), findings);
            lost_at_the_end(parts.branch.statements(), findings);
        }
        Some(Stmt::Block(block)) => lost_at_the_end(block.statements(), findings),
        _ => {}
    }
}

/// Returns true if an expression only yields a value.
fn is_value(expression: &Expr) -> bool {
    match expression {
        Expr::Variable(..)
        | Expr::BoolConstant(..)
        | Expr::IntegerConstant(..)
        | Expr::FloatConstant(..)
        | Expr::CharConstant(..)
        | Expr::StringConstant(..)
        | Expr::InterpolatedString(..)
        | Expr::Array(..)
        | Expr::Map(..) => true,
        // Some people write `a() && b()` instead of `if`.
        Expr::FnCall(call, _) => call.is_operator_call(),
        Expr::Dot(parts, ..) => match &parts.rhs {
            Expr::Property(..) => true,
            inner => is_value(inner),
        },
        Expr::Index(parts, ..) => is_value(&parts.lhs) || matches!(parts.lhs, Expr::Property(..)),
        _ => false,
    }
}
