//! Tags in the texts that commands are: whether anything could fill them in.

use std::cell::OnceCell;

use rhai::{ASTNode, Expr, Stmt};

use super::{Findings, walk::Body};
use crate::{
    error::Position,
    function::HostFunction,
    interpolate::{Vars, interpolate_expressions},
    pipeline::Template,
    script::tags::ExpressionJudge,
};

/// Judges tags. An engine is made for them only where there are any.
pub(super) struct Tags<'a> {
    functions: &'a [HostFunction],
    names: Vars,
    judge: OnceCell<ExpressionJudge<'a>>,
}

impl<'a> Tags<'a> {
    /// `own` are the variables of the embedding program.
    pub(super) fn new(functions: &'a [HostFunction], own: &Vars) -> Self {
        Self { functions, names: Vars::in_any_tag(own), judge: OnceCell::new() }
    }

    fn fault(&self, text: &str) -> Option<String> {
        let judge = self.judge.get_or_init(|| ExpressionJudge::new(self.functions));
        let given =
            |expression: &str| judge.check(expression, &self.names).map(|()| "x".to_owned());
        let template = Template::new(text, Position::new(1, 1));
        let filled = interpolate_expressions(&template, &self.names, "", &given);
        filled.err().map(|error| error.message().to_owned())
    }
}

pub(super) fn judge(body: &Body<'_>, tags: &Tags<'_>, findings: &mut Findings<'_>) {
    body.each_node(&mut |path| match path.last() {
        Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)))
            if matches!(&*call.name, "sh" | "try_sh" | "capture") && !call.is_qualified() =>
        {
            // A text with `${…}` in it is known only when it runs.
            let Some(Expr::StringConstant(text, at)) = call.args.first() else { return };
            if text.contains("<%")
                && !findings.is_full()
                && let Some(fault) = tags.fault(text)
            {
                findings.add(*at, fault);
            }
        }
        _ => {}
    });
}
