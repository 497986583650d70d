//! Tags in the texts that commands are: whether anything could fill them in.

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

/// Judges tags. An engine is made for them only where there are any.
pub(super) struct Tags<'a> {
    functions: &'a [HostFunction],
    own: &'a Vars,
    judge: OnceCell<ExpressionValidator<'a>>,
}

impl<'a> Tags<'a> {
    /// `own` are the variables of the embedding program.
    pub(super) fn new(functions: &'a [HostFunction], own: &'a Vars) -> Self {
        Self { functions, own, judge: OnceCell::new() }
    }

    /// What is wrong with a text that a step runs, or any step where none is named.
    fn faults(&self, text: &str, step: Option<StepName>) -> Vec<String> {
        let names = Vars::for_step(step, self.own);
        let judge = self.judge.get_or_init(|| ExpressionValidator::new(self.functions));
        let given = |expression: &str| judge.check(expression, &names).map(|()| "x".to_owned());
        let template = Template::new(text, Position::new(1, 1));
        let faults = faults_of(&template, &names, &given);
        faults.into_iter().map(|fault| fault.message).collect()
    }
}

/// The step that alone runs what stands in this body: that of the phase it is, or is a closure of,
/// if no other function calls that. `phases` says whether functions of the file can be phases.
fn only_step(body: &Body<'_>, file: &File<'_>, phases: bool) -> Option<StepName> {
    let step = body.written_in.filter(|_| phases)?.parse().ok()?;
    let called = names::called(file);
    body.written_in.is_some_and(|name| !called.contains(name)).then_some(step)
}

/// Warns of every placeholder that begins in a literal and does not end in it: what fills it in looks
/// at literals, so that it is none. One that is all of a command is an error.
fn judge_broken(body: &Body<'_>, findings: &mut Findings<'_>) {
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

/// True if a text has a placeholder that it does not close.
fn opens_placeholder(text: &str) -> bool {
    let begins = text.match_indices("<%=").map(|(at, _)| at);
    begins.into_iter().any(|at| placeholder_at(text, at).is_none())
}

pub(super) fn judge(
    body: &Body<'_>,
    (file, phases): (&File<'_>, bool),
    tags: &Tags<'_>,
    findings: &mut Findings<'_>,
) {
    judge_broken(body, findings);
    let step = OnceCell::new();
    body.each_node(&mut |path| match path.last() {
        Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
            if matches!(&*call.name, "sh" | "try_sh" | "capture") && !call.is_qualified() =>
        {
            goes_on_after_failure(call, findings);
            // A text with `${…}` in it is known only when it runs.
            let Some(Expr::StringConstant(text, at)) = call.args.first() else { return };
            if text.contains("<%") && !findings.is_full() {
                let step = *step.get_or_init(|| only_step(body, file, phases));
                tags.faults(text, step).into_iter().for_each(|fault| findings.add(*at, fault));
            }
        }
        _ => {}
    });
}

/// A text of several lines that goes on after a command that failed.
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
    if let Some(lost) = shell_text::lost_failure(&text) {
        let name = &call.name;
        let shown = lost.replace(UNKNOWN, "…");
        let message = format!(
            "if `{shown}` fails, the shell still runs the next line and the failure is lost; write \
             `set -e` as the first line, or call `{name}` for each command"
        );
        findings.warn(given.position(), message);
    }
}
