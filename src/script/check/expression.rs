//! Checks the expressions in placeholders before they are evaluated.

use rhai::{AST, ASTNode, Engine, Expr, Scope, Stmt};

use super::{calls, findings::Findings, globs, members, names::Names, values, walk::File};
use crate::{
    model::function::{Effect, HostFunction},
    rules::interpolate::{DEPLOY_ONLY, Vars},
    script::{
        api::registry,
        functions::placeholders::{not_one, of_deploy, parse},
        load::loading::parser,
        syntax::unit::Unit,
        text::source::Source,
    },
};

/// Returns an error if a string cannot be an expression. Without known names, any string may be
/// one.
pub(crate) fn may_be_expression(_: &str) -> Result<(), String> {
    Ok(())
}

/// Checks the expressions in placeholders before they are evaluated.
pub(crate) struct ExpressionValidator<'a> {
    parser: Engine,
    functions: &'a [HostFunction],
}

impl<'a> ExpressionValidator<'a> {
    /// `functions` are those of the embedding program, which expressions can call.
    pub(crate) fn new(functions: &'a [HostFunction]) -> Self {
        Self { parser: parser(functions), functions }
    }

    /// Checks an expression. `names` are the names that placeholders can use besides `ctx`.
    pub(crate) fn check(&self, expression: &str, names: &Vars) -> Result<(), String> {
        let mut scope = Scope::new();
        for name in names.names().chain(["ctx"]) {
            scope.push_constant(name, ());
        }
        let ast = parse(&self.parser, &scope, expression)?;
        if names.get(DEPLOY_ONLY).is_none() && is_property(&ast, DEPLOY_ONLY) {
            return Err(not_one(expression, &of_deploy(expression)));
        }
        let source = Source::new(expression.as_bytes(), "").map_err(|error| error.report())?;
        let effect_call = call_with_effect(&ast, self.functions);
        let never =
            never_text(&ast).map(|kind| format!("its value is {kind}, not a string or number"));
        let fault = || expression_fault(&Unit { source, ast }, self.functions);
        match effect_call.or_else(fault).or(never) {
            Some(fault) => Err(not_one(expression, &fault)),
            None => Ok(()),
        }
    }
}

/// Returns true if an expression is only this property of the context.
fn is_property(ast: &AST, property: &str) -> bool {
    let [Stmt::Expr(expression)] = ast.statements() else { return false };
    let Expr::Dot(parts, ..) = &**expression else { return false };
    let of_context = matches!(&parts.lhs, Expr::Variable(name, ..) if name.1 == "ctx");
    of_context && matches!(&parts.rhs, Expr::Property(name, _) if name.2 == property)
}

/// Returns the type of an expression that can never be converted into a string.
fn never_text(ast: &AST) -> Option<&'static str> {
    let [Stmt::Expr(expression)] = ast.statements() else { return None };
    if let Some(value_type) = members::context_type(expression) {
        return values::is_never_text(value_type);
    }
    values::never_text(expression)
}

/// Returns the error for the first call of a function with an effect.
fn call_with_effect(ast: &AST, functions: &[HostFunction]) -> Option<String> {
    let effect = |name: &str| {
        let of_host = functions.iter().find(|function| function.name == name);
        let of_api = registry::function(name).map(|function| function.effect);
        of_api.or_else(|| of_host.map(|function| function.effect))
    };
    let mut found = None;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))) => call,
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => call,
            _ => return true,
        };
        let module = call.namespace.path.first().map(|module| format!("{}::", module.name));
        let name = format!("{}{}", module.unwrap_or_default(), call.name);
        if effect(&name).is_some_and(|effect| effect != Effect::Pure) {
            found = Some(format!("`{name}` has an effect, and a placeholder can only read values"));
        }
        found.is_none()
    });
    found
}

/// Returns the first error of an expression in a placeholder, which can use the context but no
/// functions of the script.
pub(in crate::script) fn expression_fault(
    unit: &Unit,
    functions: &[HostFunction],
) -> Option<String> {
    let mut file = File::new(unit, false);
    for top in file.bodies.iter_mut().filter(|body| body.function.is_none()) {
        top.contexts.insert("ctx".to_owned());
    }
    let files = [file];
    let names = Names::new(&files, functions);
    let mut findings = Findings::new(unit);
    for body in files.iter().flat_map(|file| &file.bodies) {
        calls::check(body, &names, &mut findings);
        members::check(body, &mut findings);
        globs::check(body, &names, &mut findings);
    }
    findings.found.into_iter().next().map(|(_, _, message, _)| message)
}
