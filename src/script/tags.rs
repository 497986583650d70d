//! `<%= … %>` as one expression of the language, in YAML's commands and in the texts of `sh`.

use std::sync::Arc;

use rhai::{ASTNode, Dynamic, Engine, Expr, Scope, Stmt};

use super::{
    commands::plain_text,
    context::{Context, Facts},
    functions,
    host::Host,
    message, registry,
    session::{Session, Thrown, throw},
};
use crate::{
    error::{Error, Position},
    function::{Effect, HostFunction},
    interpolate::{Vars, interpolate_expressions},
    pipeline::Template,
};

/// Fills the tags of a text that a script runs.
pub(super) fn fill(engine: &Engine, session: &Arc<Session>, text: &str) -> Result<String, Thrown> {
    if !text.contains("<%") {
        return Ok(text.to_owned());
    }
    let template = Template::new(text, Position::new(1, 1));
    let filled = interpolate_expressions(&template, &session.vars, "", &|expression| {
        evaluate(engine, session, expression)
    });
    filled.map_err(|error| throw(error.message()))
}

/// Fills the tags of a text of a YAML config.
pub(crate) fn interpolate_template(
    template: &Template,
    vars: &Vars,
    config_name: &str,
    facts: &Facts,
    host: &Arc<dyn Host>,
    functions: &[HostFunction],
) -> Result<String, Error> {
    interpolate_expressions(template, vars, config_name, &|expression| {
        let session = Session::new(host.clone(), None, facts.clone(), vars.clone(), None);
        let engine = functions::engine(&session, functions);
        evaluate(&engine, &session, expression)
    })
}

/// The value of an expression that only looks things up, as a text.
fn evaluate(engine: &Engine, session: &Arc<Session>, expression: &str) -> Result<String, String> {
    let mut scope = Scope::new();
    scope.push_constant("ctx", Context(session.clone()));
    for name in session.vars.names() {
        scope.push_constant(name, session.vars.get(name).unwrap_or_default().to_owned());
    }
    let not_one = |why: String| {
        format!("`{expression}` is no expression that a tag can take: {why}; a tag runs no Ruby")
    };
    // The ancestor ran what stands in back-quotes; here it would silently be a text.
    if expression.contains('`') {
        return Err(not_one("a text stands in double quotes".to_owned()));
    }
    let ast = engine
        .compile_expression_with_scope(&scope, expression)
        .map_err(|error| not_one(message::parse_message(error.err_type(), "")))?;
    if let Some(call) = acting_call(&ast) {
        return Err(not_one(format!("`{call}` acts, and a tag only looks things up")));
    }
    let value = engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast);
    let value = value.map_err(|error| not_one(super::report::message(&error, None)))?;
    plain_text(&value.flatten_clone())
        .filter(|text| !text.contains(&session.sentinel))
        .ok_or_else(|| not_one("it gives no text or number".to_owned()))
}

/// The name of a function of ours in an expression that does more than look things up.
fn acting_call(ast: &rhai::AST) -> Option<String> {
    let mut found = None;
    ast.walk(&mut |path: &[ASTNode<'_>]| {
        let call = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _))) => call,
            Some(ASTNode::Stmt(Stmt::FnCall(call, _))) => call,
            _ => return true,
        };
        let function = registry::function(&call.name);
        if function.is_some_and(|function| function.effect != Effect::Pure) {
            found = Some(call.name.to_string());
        }
        found.is_none()
    });
    found
}
