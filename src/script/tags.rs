//! `<%= … %>` as one expression of the language, in YAML's commands and in the texts of `sh`.

use std::{
    cell::{Cell, OnceCell},
    ops::Range,
    sync::Arc,
};

use rhai::{AST, ASTNode, Dynamic, Engine, Expr, ParseErrorType, Scope, Stmt};

use super::{
    check,
    commands::plain_text,
    context::Context,
    functions,
    imports::Unit,
    literals::placeholder_at,
    load::parser,
    message, registry,
    session::{Frame, Session, Stop, Thrown, throw},
    source::Source,
    untrusted::Parts,
};
use crate::{
    model::{
        error::{Error, Position},
        function::{Effect, HostFunction},
        pipeline::Template,
        step::{Facts, Host},
    },
    rules::interpolate::{OF_DEPLOY, Vars, interpolate_expressions},
};

/// Stands for `<%`.
const ESCAPED: &str = "<%%";

/// More is no expression that a person would put into a tag; it also bounds what parsing it costs.
const BYTES_MAX: usize = 4096;

/// Fills the placeholders of a text that a script runs: those alone that the script has written,
/// whole and in one literal. Any other `<%` is a part of a value, and no value is a template. So are
/// those in `data`, the parts of the text that are others' words.
pub(super) fn fill(
    engine: &Engine,
    session: &Arc<Session>,
    text: &str,
    data: &Parts,
) -> Result<String, Thrown> {
    let Some(script) = session.script.as_ref().filter(|_| text.contains("<%")) else {
        return Ok(text.to_owned());
    };
    // Seldom asked for, and dearer than all the rest.
    let cover = OnceCell::new();
    let is_literal = |part: &Range<usize>| {
        cover.get_or_init(|| script.literals().cover(text)).has_in_one_literal(part)
    };
    let (mut filled, mut from) = (String::with_capacity(text.len()), 0);
    while let Some(at) = text[from..].find("<%").map(|at| from + at) {
        filled.push_str(&text[from..at]);
        let placeholder = placeholder_at(text, at);
        let placeholder = placeholder.filter(|it| script.literals().hold_placeholder(it));
        let escape = at..at + ESCAPED.len();
        let (value, end) = match placeholder {
            Some(it) if !data.hold(&(at..at + it.len())) => {
                (value_of(engine, session, it)?, at + it.len())
            }
            None if text[at..].starts_with(ESCAPED)
                && !data.hold(&escape)
                && is_literal(&escape) =>
            {
                ("<%".to_owned(), escape.end)
            }
            _ => ("<%".to_owned(), at + "<%".len()),
        };
        filled.push_str(&value);
        from = end;
    }
    filled.push_str(&text[from..]);
    Ok(filled)
}

/// What a placeholder of a script becomes.
fn value_of(engine: &Engine, session: &Arc<Session>, placeholder: &str) -> Result<String, Thrown> {
    if names_ref(placeholder) {
        session.host.asked_for_ref();
    }
    let template = Template::new(placeholder, Position::new(1, 1));
    let stopped = Cell::new(None);
    let filled = interpolate_expressions(&template, &session.vars, "", &|expression| {
        evaluate(engine, session, expression, &stopped)
    });
    filled.map_err(|error| match stopped.take() {
        Some(stop) => stop.thrown(),
        None => throw(error.message()),
    })
}

/// True if a placeholder of this text has a word in it that names the branch or a tag.
pub(super) fn names_ref(text: &str) -> bool {
    let inside = text.split("<%").skip(1).map(|rest| rest.split("%>").next().unwrap_or(rest));
    let mut words = inside.flat_map(|it| it.split(|letter: char| !letter.is_ascii_alphanumeric()));
    words.any(|word| ["branch", "tag", "tags"].contains(&word))
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
    let stopped = Cell::new(None);
    let filled = interpolate_expressions(template, vars, config_name, &|expression| {
        let session = Session::new(host.clone(), None, facts.clone(), vars.clone(), None);
        let engine = functions::engine(&session, functions);
        evaluate(&engine, &session, expression, &stopped)
    });
    filled.map_err(|error| match stopped.take() {
        Some(Stop::Fault(fault)) => Error::new(fault.kind(), fault.report()),
        _ => error,
    })
}

/// The value of an expression that only looks things up, as a text. `stopped` is told what ended it
/// that is no mistake in it.
fn evaluate(
    engine: &Engine,
    session: &Arc<Session>,
    expression: &str,
    stopped: &Cell<Option<Stop>>,
) -> Result<String, String> {
    let mut scope = Scope::new();
    scope.push_constant("ctx", Context(session.clone()));
    for name in session.vars.names() {
        scope.push_constant(name, session.vars.get(name).unwrap_or_default().to_owned());
    }
    let ast = parse(engine, &scope, expression)?;
    let frame = Frame { in_tag: true, ..Frame::clone(&session.frame()) };
    let value = session.within(frame, || engine.eval_ast_with_scope::<Dynamic>(&mut scope, &ast));
    let value = value.map_err(|error| {
        stopped.set(Stop::of(&error));
        not_one(expression, &super::report::message(error.unwrap_inner(), None))
    })?;
    plain_text(&value.flatten_clone())
        .filter(|text| !text.contains(&session.sentinel))
        .ok_or_else(|| not_one(expression, "it gives no text or number"))
}

/// An expression that only looks things up, read and not evaluated.
fn parse(engine: &Engine, scope: &Scope<'_>, expression: &str) -> Result<AST, String> {
    let not_one = |why: &str| Err(not_one(expression, why));
    if expression.len() > BYTES_MAX {
        return Err(format!("an expression in a tag can have {BYTES_MAX} bytes at most"));
    }
    // The ancestor ran what stands in back-quotes; here it would silently be a text.
    if expression.contains('`') {
        return not_one("a text stands in double quotes");
    }
    engine.compile_expression_with_scope(scope, expression).or_else(|error| {
        not_one(&match error.err_type() {
            ParseErrorType::VariableUndefined(name) if name == OF_DEPLOY => of_deploy(name),
            other => message::parse_message(other, ""),
        })
    })
}

fn of_deploy(name: &str) -> String {
    format!("`{name}` exists in `deploy` only")
}

/// Whether an expression asks the context for this and for nothing else.
fn is_property(ast: &AST, property: &str) -> bool {
    let [Stmt::Expr(expression)] = ast.statements() else { return false };
    let Expr::Dot(parts, ..) = &**expression else { return false };
    let of_context = matches!(&parts.lhs, Expr::Variable(name, ..) if name.1 == "ctx");
    of_context && matches!(&parts.rhs, Expr::Property(name, _) if name.2 == property)
}

/// What an expression always gives where that cannot be put into a text.
fn never_text(ast: &AST) -> Option<&'static str> {
    let [Stmt::Expr(expression)] = ast.statements() else { return None };
    if let Some(holds) = check::context_holds(expression) {
        return check::is_never_text(holds);
    }
    check::never_text(expression)
}

/// Why something in a tag cannot be its expression.
fn not_one(expression: &str, why: &str) -> String {
    format!("`{expression}` is no expression that a tag can take: {why}; a tag runs no Ruby")
}

/// Says of an expression whether it may be one, if nothing is known that it could name.
pub(crate) fn may_be_expression(_: &str) -> Result<(), String> {
    Ok(())
}

/// Finds what is wrong with the expressions in tags before there is anything to evaluate them for.
pub(crate) struct ExpressionValidator<'a> {
    parser: Engine,
    functions: &'a [HostFunction],
}

impl<'a> ExpressionValidator<'a> {
    /// `functions` are those of the embedding program, which expressions may call.
    pub(crate) fn new(functions: &'a [HostFunction]) -> Self {
        Self { parser: parser(functions), functions }
    }

    /// `names` are the plain names that tags can take beside `ctx`.
    pub(crate) fn check(&self, expression: &str, names: &Vars) -> Result<(), String> {
        let mut scope = Scope::new();
        for name in names.names().chain(["ctx"]) {
            scope.push_constant(name, ());
        }
        let ast = parse(&self.parser, &scope, expression)?;
        if names.get(OF_DEPLOY).is_none() && is_property(&ast, OF_DEPLOY) {
            return Err(not_one(expression, &of_deploy(expression)));
        }
        let source = Source::new(expression.as_bytes(), "").map_err(|error| error.report())?;
        let acts = acting_call(&ast, self.functions);
        let never = never_text(&ast).map(|kind| format!("it gives {kind}, and no text or number"));
        let fault = || check::expression_fault(&Unit { source, ast }, self.functions);
        match acts.or_else(fault).or(never) {
            Some(fault) => Err(not_one(expression, &fault)),
            None => Ok(()),
        }
    }
}

/// The first call, as far as it is written out, of a function that does more than look things up.
fn acting_call(ast: &AST, functions: &[HostFunction]) -> Option<String> {
    let effect = |name: &str| {
        let lent = functions.iter().find(|function| function.name == name);
        let ours = registry::function(name).map(|function| function.effect);
        ours.or_else(|| lent.map(|function| function.effect))
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
            found = Some(format!("`{name}` acts, and a tag only looks things up"));
        }
        found.is_none()
    });
    found
}
