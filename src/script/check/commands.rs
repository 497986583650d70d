//! Checks the commands of a script: its placeholders, and failures that the shell ignores.

use std::cell::OnceCell;

use rhai::{ASTNode, Expr, FnCallExpr, Stmt};

use super::{
    expression::ExpressionValidator,
    findings::Findings,
    names,
    walk::{Body, File},
};
use crate::{
    model::{
        error::Position,
        function::HostFunction,
        pipeline::{StepName, Template},
    },
    rules::{
        interpolate::{Vars, faults_of},
        shell_text::{self, UNKNOWN},
    },
    script::syntax::literals::placeholder_at,
};

/// Checks placeholders. The engine for that is created only if there are any.
pub(super) struct PlaceholderChecker<'a> {
    functions: &'a [HostFunction],
    own: &'a Vars,
    validator: OnceCell<ExpressionValidator<'a>>,
}

impl<'a> PlaceholderChecker<'a> {
    /// `own` contains the variables of the embedding program.
    pub(super) fn new(functions: &'a [HostFunction], own: &'a Vars) -> Self {
        Self { functions, own, validator: OnceCell::new() }
    }

    /// Returns the errors of a command that this step runs, or any step if it is `None`.
    fn faults(&self, text: &str, step: Option<StepName>) -> Vec<String> {
        let names = Vars::for_step(step, self.own);
        let validator = self.validator.get_or_init(|| ExpressionValidator::new(self.functions));
        let given = |expression: &str| validator.check(expression, &names).map(|()| "x".to_owned());
        let template = Template::new(text, Position::new(1, 1));
        let faults = faults_of(&template, &names, &given);
        faults.into_iter().map(|fault| fault.message).collect()
    }
}

/// Returns the only step that runs this body. The body is the step's function or a closure in it,
/// and no other function calls the step.
fn only_step(body: &Body<'_>, file: &File<'_>, is_pipeline: bool) -> Option<StepName> {
    let step = body.written_in.filter(|_| is_pipeline)?.parse().ok()?;
    let called = names::called(file);
    body.written_in.is_some_and(|name| !called.contains(name)).then_some(step)
}

/// Warns of placeholders that begin in a literal but do not end in it, because only complete ones
/// are filled in. If such a literal is a whole command, another check reports an error.
fn warn_of_broken_placeholders(body: &Body<'_>, findings: &mut Findings<'_>) {
    body.each_node(&mut |path| {
        let [around @ .., ASTNode::Expr(Expr::StringConstant(text, at))] = path else { return };
        let is_command = match around.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                matches!(&*call.name, "sh" | "try_sh" | "capture")
            }
            _ => false,
        };
        if !is_command && opens_placeholder(text) {
            findings.warn(
                *at,
                "the `%>` of this `<%=` is not in the same literal, so the command gets it \
                 unchanged; write the whole placeholder in one literal",
            );
        }
    });
}

/// Returns true if a string contains an unclosed placeholder.
fn opens_placeholder(text: &str) -> bool {
    let begins = text.match_indices("<%=").map(|(at, _)| at);
    begins.into_iter().any(|at| placeholder_at(text, at).is_none())
}

pub(super) fn check(
    body: &Body<'_>,
    file: &File<'_>,
    is_pipeline: bool,
    placeholders: &PlaceholderChecker<'_>,
    findings: &mut Findings<'_>,
) {
    warn_of_broken_placeholders(body, findings);
    let step = OnceCell::new();
    body.each_node(&mut |path| match path.last() {
        Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
            if matches!(&*call.name, "sh" | "try_sh" | "capture") && !call.is_qualified() =>
        {
            goes_on_after_failure(call, findings);
            // A string with `${…}` is known only at run time.
            let Some(Expr::StringConstant(text, at)) = call.args.first() else { return };
            if text.contains("<%") && !findings.is_full() {
                let step = *step.get_or_init(|| only_step(body, file, is_pipeline));
                placeholders
                    .faults(text, step)
                    .into_iter()
                    .for_each(|fault| findings.add(*at, fault));
            }
        }
        _ => {}
    });
}

/// Warns of a command of several lines that goes on after a failure.
fn goes_on_after_failure(call: &FnCallExpr, findings: &mut Findings<'_>) {
    let Some(given) = call.args.first() else { return };
    let text = match given {
        Expr::StringConstant(text, _) => text.to_string(),
        Expr::InterpolatedString(parts, _) => {
            let part = |part: &Expr| match part {
                Expr::StringConstant(text, _) => text.to_string(),
                _ => UNKNOWN.to_string(),
            };
            parts.iter().map(part).collect()
        }
        _ => return,
    };
    if let Some(message) = shell_text::lost_failure_warning(&text) {
        let message = format!("{message}, or call `{}` for each command", call.name);
        findings.warn(given.position(), message);
    }
}
