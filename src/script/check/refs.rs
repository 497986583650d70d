//! Finds where a script reads the branch or the tags, which makes its verdict specific to a ref.

use rhai::{ASTNode, Expr, Position, Stmt};

use super::{
    findings::Findings,
    walk::{Body, File},
};
use crate::{
    rules::interpolate::uses_tag,
    script::{
        functions::placeholders::names_ref,
        syntax::{nodes::variable, script::Script},
    },
};

/// Properties of the context that depend on the ref.
const OF_REF: [&str; 4] = ["branch", "tag", "tags", "newest_tag"];

/// Environment variables of commands that depend on the ref.
const VARIABLES: [&str; 3] = ["TINYCI_BRANCH", "TINYCI_TAG", "TINYCI_TAGS"];

/// Warns of the first read of the branch or the tags, unless an earlier file has one. Also warns of
/// each use of a tag that may be missing. Returns true if it warned of a read.
pub(super) fn check_file(
    file: &File<'_>,
    script: &Script,
    is_reported: bool,
    findings: &mut Findings<'_>,
) -> bool {
    let names_tags = script.when.tag.is_empty();
    let mut readings = Vec::new();
    for body in &file.bodies {
        readings.extend(readings_of(body));
        if names_tags {
            warn_of_tags(body, findings);
        }
    }
    let first = readings.into_iter().min_by_key(|(at, _)| *at);
    if let Some((at, what)) = first.filter(|_| !is_reported) {
        let message = format!(
            "the script reads {what} here, so its verdict is for one branch and its tags; a commit \
             that it skips is tested again for others"
        );
        findings.warn(at, message);
        return true;
    }
    false
}

/// Returns every read of the branch or the tags. `deploy` is excluded, because a deployment has no
/// verdict.
fn readings_of(body: &Body<'_>) -> Vec<(Position, String)> {
    let mut readings = Vec::new();
    if body.written_in == Some("deploy") {
        return readings;
    }
    body.each_node(&mut |path| {
        let (at, what) = match path.last() {
            Some(ASTNode::Expr(Expr::Dot(parts, ..)))
                if variable(&parts.lhs).is_some_and(|name| body.contexts.contains(name)) =>
            {
                match member(&parts.rhs) {
                    Some((name, at)) if OF_REF.contains(&name) => (at, format!("`ctx.{name}`")),
                    _ => return,
                }
            }
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                let Some(Expr::StringConstant(text, at)) = call.args.first() else { return };
                match &*call.name {
                    "env" if VARIABLES.contains(&text.as_str()) => (*at, format!("`{text}`")),
                    "sh" | "try_sh" | "capture" if names_ref(text) => {
                        (*at, "the branch or tags".to_owned())
                    }
                    _ => return,
                }
            }
            _ => return,
        };
        readings.push((at, what));
    });
    readings
}

/// Warns of each command that uses the placeholder `tag`.
fn warn_of_tags(body: &Body<'_>, findings: &mut Findings<'_>) {
    body.each_node(&mut |path| {
        let Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) =
            path.last()
        else {
            return;
        };
        if let Some(Expr::StringConstant(text, at)) = call.args.first()
            && matches!(&*call.name, "sh" | "try_sh" | "capture")
            && uses_tag(text)
        {
            findings.warn(
                *at,
                "the placeholder `tag` fails its step if no pushed tag selects the commit; limit \
                 the script to tags with `const WHEN = #{ tag: \"v*\" };`, or use \
                 `ctx.newest_tag(\"v*\")`, which returns a tag or null (`()`)",
            );
        }
    });
}

/// Returns the first name after the dot.
fn member(rest: &Expr) -> Option<(&str, Position)> {
    match rest {
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => member(&parts.lhs),
        Expr::Property(property, at) => Some((&property.2, *at)),
        Expr::MethodCall(call, at) => Some((&call.name, *at)),
        _ => None,
    }
}
