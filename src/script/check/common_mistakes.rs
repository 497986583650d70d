//! Finds habits from other languages that are valid here but mean something else.

use rhai::{ASTNode, Expr, FnCallExpr, Position, Stmt};

use super::{
    findings::Findings,
    members::root,
    names::Names,
    walk::{Body, File},
};
use crate::script::{
    api::{registry, tester::RESULT},
    syntax::{
        nodes::{closure_made, is_closure, variable},
        script::Script,
        unit::place,
    },
};

/// Properties of a commit that are free text. In a shell command, they are nearly always refused.
const FREE_TEXTS: [&str; 3] = ["subject", "message", "author"];

pub(super) fn check(
    body: &Body<'_>,
    file: &File<'_>,
    script: &Script,
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) {
    body.each_node(&mut |path| {
        if let Some(ASTNode::Expr(expression)) = path.last() {
            interpolation_in_quotes(body, expression, findings);
            used_in_place(body, names, path, findings);
            secrets(script, path, findings);
            stored_closures(path, findings);
            absent_keys(body, expression, findings);
        }
        if let Some((call, _)) = called(path) {
            free_text(body, call, findings);
            changes_in_tasks(file, call, names, findings);
        }
    });
    statements_without_effect(body, findings);
}

/// Returns the function that the innermost node calls.
fn called<'p>(path: &[ASTNode<'p>]) -> Option<(&'p FnCallExpr, Position)> {
    match path.last() {
        Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
            Some((call, *at))
        }
        _ => None,
    }
}

/// Finds `"…${name}"`: only backquoted strings are interpolated. A shell's own `${HOME}` is
/// accepted.
fn interpolation_in_quotes(body: &Body<'_>, expression: &Expr, findings: &mut Findings<'_>) {
    let Expr::StringConstant(text, at) = expression else { return };
    let tags = text.match_indices("${").filter_map(|(begin, _)| {
        let inside = text.get(begin + 2..)?.split('}').next()?;
        let end = inside.find(|it: char| !it.is_alphanumeric() && it != '_');
        let word = inside.get(..end.unwrap_or(inside.len()))?;
        let rest = inside.get(word.len()..)?;
        let meant = body.sees(word) && (rest.is_empty() || rest.starts_with(['.', '[']))
            || rest.starts_with("::") && rest.contains('(')
            || rest.starts_with('(') && !word.is_empty();
        meant.then_some(inside)
    });
    // The parser does not distinguish a backquoted string without `${…}`.
    if let Some(inside) = tags.into_iter().next()
        && body.unit.source.character(place(*at)) != Some('`')
    {
        let message = format!(
            "`${{{inside}}}` is not replaced in double quotes; put the string in backquotes"
        );
        findings.add(*at, message);
    }
}

/// Finds `let t = s.trim();`: the method changes `s` and returns null.
fn used_in_place(
    body: &Body<'_>,
    names: &Names<'_>,
    path: &[ASTNode<'_>],
    findings: &mut Findings<'_>,
) {
    let [around @ .., ASTNode::Expr(Expr::Dot(parts, ..))] = path else { return };
    // In `s.trim().len()`, `len` is called on null.
    let chained = match &parts.rhs {
        Expr::Dot(inner, ..) => in_place(names, &inner.lhs),
        _ => None,
    };
    let (call, at) = match (chained, in_place(names, &parts.rhs)) {
        (Some(found), _) => found,
        (None, Some(found)) if is_used(body, around) => found,
        _ => return,
    };
    let name = &*call.name;
    let message = format!(
        "`{name}` changes the value itself and returns null (`()`); call it as a statement of its \
         own, then use the variable"
    );
    findings.add(at, message);
}

fn in_place<'e>(names: &Names<'_>, expression: &'e Expr) -> Option<(&'e FnCallExpr, Position)> {
    match expression {
        Expr::MethodCall(call, at)
            if names.is_in_place(&call.name) && !names.keys.contains(&*call.name) =>
        {
            Some((call, *at))
        }
        _ => None,
    }
}

/// Returns true if the value inside these nodes is used. The only statement of a closure is its
/// result, unless it may be there to change a captured variable.
pub(super) fn is_used(body: &Body<'_>, around: &[ASTNode<'_>]) -> bool {
    match around {
        [.., ASTNode::Stmt(Stmt::Expr(_))] => {
            let own = body.function.is_some_and(|it| is_closure(&it.name))
                && around.len() == 1
                && body.statement_count == 1;
            own && matches!(around, [ASTNode::Stmt(Stmt::Expr(whole))]
                if root(whole).is_some_and(|name| !body.captured.contains(name)))
        }
        // Later in the same chain.
        [.., ASTNode::Expr(Expr::Dot(..) | Expr::Index(..))] => {
            around.split_last().is_some_and(|(_, around)| is_used(body, around))
        }
        _ => true,
    }
}

/// Finds `fns.push(|| …)` in a loop, where all closures see the loop variable's last value.
fn stored_closures(path: &[ASTNode<'_>], findings: &mut Findings<'_>) {
    let Some(ASTNode::Expr(made)) = path.last() else { return };
    let Some((_, captured)) = closure_made(made) else { return };
    // The same closure is visited again one level deeper.
    if matches!(made, Expr::FnCall(..)) && matches!(path, [.., ASTNode::Stmt(Stmt::Expr(_)), _]) {
        return;
    }
    let [.., around, _] = path else { return };
    let is_stored = match around {
        ASTNode::Expr(Expr::MethodCall(call, _)) => {
            matches!(&*call.name, "push" | "insert" | "set")
        }
        ASTNode::Expr(Expr::FnCall(call, _)) => &*call.name == "defer",
        ASTNode::Stmt(Stmt::FnCall(call, _)) => &*call.name == "defer",
        ASTNode::Stmt(Stmt::Assignment(_)) => true,
        _ => false,
    };
    let loop_variable = path.iter().rev().find_map(|node| match node {
        ASTNode::Stmt(Stmt::For(parts, _)) => {
            let counter = parts.1.as_ref();
            let named = |name: &&String| {
                parts.0.name == name.as_str() || counter.is_some_and(|it| it.name == name.as_str())
            };
            captured.iter().find(named)
        }
        _ => None,
    });
    if let Some(name) = loop_variable.filter(|_| is_stored) {
        let message = format!(
            "closures share the loop variable `{name}` and all see its last value; create the \
             closure in a function that takes `{name}`, or pass the array to `parallel(array, \
             |{name}| …)`"
        );
        findings.add(made.position(), message);
    }
}

/// Finds `m.b ?? 3` and `m?.b ?? 3`: a map without `b` is an error, so `??` is not reached.
fn absent_keys(body: &Body<'_>, expression: &Expr, findings: &mut Findings<'_>) {
    let Expr::Coalesce(parts, _) = expression else { return };
    let Some(target) = parts.first() else { return };
    let Some((key, at)) = last_key(target) else { return };
    // Objects of tinyci are not maps, and their properties can be null.
    let is_of_tinyci =
        root(target).is_none_or(|name| body.contexts.contains(name)) || is_of_object(key);
    if !is_of_tinyci {
        let message = format!(
            "if the map has no `{key}`, this fails before `??` can apply; write `.get(\"{key}\") \
             ?? …`"
        );
        findings.add(at, message);
    }
}

/// Returns true if an object of tinyci other than `ctx` has this property: a failure, an error, the
/// result of a command or of a test.
fn is_of_object(key: &str) -> bool {
    let of_failure = registry::PROPERTIES.iter().map(|property| property.path);
    let of_failure = of_failure.filter_map(|path| path.strip_prefix("ctx.failure."));
    let others = registry::OBJECTS.iter().chain(&RESULT);
    let others = others.filter_map(|property| property.path.split('.').nth(1));
    of_failure.chain(others).any(|name| name == key)
}

/// Returns the key at the end of a chain such as `a.b["c"]`, if it is a literal.
fn last_key(target: &Expr) -> Option<(&str, Position)> {
    match target {
        Expr::Dot(parts, ..) | Expr::Index(parts, ..) => match &parts.rhs {
            Expr::Property(property, at) => Some((&*property.2, *at)),
            Expr::StringConstant(key, at) => Some((&**key, *at)),
            further => last_key(further),
        },
        _ => None,
    }
}

/// Finds secrets that are not declared, and secrets in strings.
fn secrets(script: &Script, path: &[ASTNode<'_>], findings: &mut Findings<'_>) {
    let Some((call, at)) = called(path) else { return };
    if &*call.name != "secret" || call.is_qualified() {
        return;
    }
    if let Some(Expr::StringConstant(name, at)) = call.args.first()
        && !script.secrets().iter().any(|known| *known == **name)
    {
        let message = format!(
            "`const SECRETS` does not name `{name}`; write `const SECRETS = [\"{name}\"];`"
        );
        findings.add(*at, message);
    }
    let in_text = match path {
        [.., ASTNode::Expr(Expr::InterpolatedString(..)), _] => true,
        [.., ASTNode::Stmt(Stmt::Expr(_)), _] => path
            .iter()
            .rev()
            .skip(2)
            .take(2)
            .any(|node| matches!(node, ASTNode::Expr(Expr::InterpolatedString(..)))),
        [.., ASTNode::Expr(Expr::FnCall(outer, _)), _] => outer.is_operator_call(),
        _ => false,
    };
    if in_text {
        let message = "a secret cannot be part of a string; pass it in the option `env` or \
                       `input`";
        findings.add(at, message);
    }
}

/// Finds commands such as `` sh(`echo ${ctx.subject}`) ``, which are refused for nearly every
/// commit.
fn free_text(body: &Body<'_>, call: &FnCallExpr, findings: &mut Findings<'_>) {
    if !matches!(&*call.name, "sh" | "try_sh" | "capture") {
        return;
    }
    let Some(Expr::InterpolatedString(parts, _)) = call.args.first() else { return };
    for part in parts {
        part.walk(&mut Vec::new(), &mut |path: &[ASTNode<'_>]| {
            if let [around @ .., ASTNode::Expr(Expr::Dot(parts, ..))] = path
                && variable(&parts.lhs).is_some_and(|name| body.contexts.contains(name))
                && let Expr::Property(property, at) = &parts.rhs
                && FREE_TEXTS.contains(&&*property.2)
                && !around.iter().any(is_quoting)
            {
                let name = &property.2;
                let message = format!(
                    "`ctx.{name}` can contain shell code, and the shell would run it; write \
                     `\"$TINYCI_{}\"` in the command, or pass `{}` an array of arguments",
                    name.to_uppercase(),
                    call.name
                );
                findings.add(*at, message);
            }
            true
        });
    }
}

/// Returns true for a call of `q`, whose result is one word.
fn is_quoting(node: &ASTNode<'_>) -> bool {
    matches!(node, ASTNode::Expr(Expr::FnCall(call, _)) if &*call.name == "q")
}

/// Finds assignments to captured variables in tasks of `parallel` and `matrix`. Tasks have copies,
/// so the change is lost.
fn changes_in_tasks(
    file: &File<'_>,
    call: &FnCallExpr,
    names: &Names<'_>,
    findings: &mut Findings<'_>,
) {
    if !matches!(&*call.name, "parallel" | "matrix") || call.is_qualified() {
        return;
    }
    let closures = call.args.iter().flat_map(|argument| match argument {
        Expr::Map(map, _) => map.0.iter().map(|(_, value)| value).collect(),
        other => vec![other],
    });
    for name in closures.filter_map(closure_made).map(|(name, _)| name) {
        let Some(task) = file.body(&name) else { continue };
        task.each_node(&mut |path| {
            let changed = match path.last() {
                Some(ASTNode::Stmt(Stmt::Assignment(parts))) => {
                    root(&parts.1.lhs).map(|name| (name, parts.1.lhs.start_position()))
                }
                Some(ASTNode::Expr(Expr::Dot(parts, ..))) => {
                    let at = parts.lhs.start_position();
                    in_place(names, &parts.rhs).and(variable(&parts.lhs)).map(|name| (name, at))
                }
                _ => None,
            };
            if let Some((name, at)) = changed
                && task.captured.contains(name)
            {
                let message = format!(
                    "each task of `{}` has its own copy of `{name}`, so this change is lost; \
                     return the value, and use the result of `{}`",
                    call.name, call.name
                );
                findings.add(at, message);
            }
        });
    }
}

/// Finds statements without effect, such as `clean;`. The last one of a block is its value, which
/// only steps ignore.
fn statements_without_effect(body: &Body<'_>, findings: &mut Findings<'_>) {
    let is_step = body.name().is_some_and(|name| registry::step_names().any(|step| step == name));
    let mut left = body.statement_count;
    body.each_node(&mut |path| {
        if let [ASTNode::Stmt(statement)] = path {
            left = left.saturating_sub(1);
            if left > 0 || is_step {
                without_effect(statement, findings);
            }
        }
        for block in path.last().into_iter().flat_map(blocks) {
            let values = block.split_last().map(|(_, before)| before).unwrap_or_default();
            values.iter().for_each(|statement| without_effect(statement, findings));
        }
    });
}

/// Returns the blocks directly in a node.
fn blocks<'n>(node: &ASTNode<'n>) -> Vec<&'n [Stmt]> {
    match node {
        ASTNode::Stmt(Stmt::If(parts, _) | Stmt::TryCatch(parts, _)) => {
            vec![parts.body.statements(), parts.branch.statements()]
        }
        ASTNode::Stmt(Stmt::While(parts, _) | Stmt::Do(parts, ..)) => vec![parts.body.statements()],
        ASTNode::Stmt(Stmt::For(parts, _)) => vec![parts.2.body.statements()],
        ASTNode::Stmt(Stmt::Block(block)) | ASTNode::Expr(Expr::Stmt(block)) => {
            vec![block.statements()]
        }
        _ => Vec::new(),
    }
}

fn without_effect(statement: &Stmt, findings: &mut Findings<'_>) {
    let Stmt::Expr(expression) = statement else { return };
    let message = match &**expression {
        Expr::Variable(parts, ..) => {
            format!("`{}` alone does nothing; call a function with `(…)`", parts.1)
        }
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => {
            "a string alone does nothing; run a command with `sh(…)`".to_owned()
        }
        Expr::FnCall(call, _) if matches!(&*call.name, "==" | "!=" | "<" | ">" | "<=" | ">=") => {
            format!("the result of the comparison `{}` is not used", call.name)
        }
        Expr::IntegerConstant(..) | Expr::BoolConstant(..) | Expr::Array(..) | Expr::Map(..) => {
            "this value alone does nothing".to_owned()
        }
        _ => return,
    };
    let first = match &**expression {
        Expr::FnCall(call, _) => call.args.first().unwrap_or(expression),
        other => other,
    };
    findings.add(first.start_position(), message);
}
