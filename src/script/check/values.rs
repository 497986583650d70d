//! The types of expressions, as far as known without running them.

use std::{collections::BTreeSet, fmt};

use rhai::{Expr, FnCallExpr};

use super::walk::{Body, File};
use crate::script::{
    api::{registry, types::Type},
    syntax::nodes::{closure_made, variable},
};

/// The type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Int,
    Float,
    String,
    Char,
    Array,
    Map,
    Function,
    Secret,
    Object,
}

impl Kind {
    /// Returns the type with its article, as in errors at run time.
    pub(super) fn words(self) -> &'static str {
        match self {
            Kind::Null => "null (`()`)",
            Kind::Bool => "a bool",
            Kind::Int => "an int",
            Kind::Float => "a float",
            Kind::String => "a string",
            Kind::Char => "a character",
            Kind::Array => "an array",
            Kind::Map => "a map",
            Kind::Function => "a function",
            Kind::Secret => "a secret",
            Kind::Object => "an object",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.words())
    }
}

/// Returns the type of an expression, if it is certain.
pub(super) fn kind(expression: &Expr, body: &Body<'_>, file: &File<'_>) -> Option<Kind> {
    plain_kind(expression).or_else(|| pointer(expression, body, file).map(|_| Kind::Function))
}

/// Returns the type of an expression without looking up variables and functions.
pub(super) fn plain_kind(expression: &Expr) -> Option<Kind> {
    Some(match expression {
        Expr::Unit(_) => Kind::Null,
        Expr::BoolConstant(..) | Expr::And(..) | Expr::Or(..) => Kind::Bool,
        Expr::IntegerConstant(..) => Kind::Int,
        Expr::FloatConstant(..) => Kind::Float,
        Expr::CharConstant(..) => Kind::Char,
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => Kind::String,
        Expr::Array(..) => Kind::Array,
        Expr::Map(..) => Kind::Map,
        Expr::FnCall(call, _) if !call.is_qualified() => result_kind(call)?,
        other => closure_made(other).map(|_| Kind::Function)?,
    })
}

/// Returns the type of an expression, if it is certain and has no string form.
pub(in crate::script) fn never_text(expression: &Expr) -> Option<&'static str> {
    plain_kind(expression).filter(|kind| !is_textual(*kind)).map(Kind::words)
}

/// Returns the name of a type, if its values have no string form.
pub(in crate::script) fn is_never_text(value_type: Type) -> Option<&'static str> {
    match value_type {
        Type::OneOf(types) => {
            let all: Option<Vec<_>> = types.iter().map(|it| is_never_text(*it)).collect();
            all?.first().copied()
        }
        other => kind_of(other).filter(|kind| !is_textual(*kind)).map(Kind::words),
    }
}

pub(super) fn is_textual(kind: Kind) -> bool {
    matches!(kind, Kind::String | Kind::Int | Kind::Float | Kind::Bool | Kind::Char)
}

/// Returns the type of all values of an API type, if they have one.
fn kind_of(of: Type) -> Option<Kind> {
    Some(match of {
        Type::Null => Kind::Null,
        Type::Bool => Kind::Bool,
        Type::Int | Type::Count => Kind::Int,
        Type::Char => Kind::Char,
        Type::String => Kind::String,
        Type::Array | Type::Strings => Kind::Array,
        Type::Map | Type::Options(_) | Type::Functions | Type::Arrays | Type::Variables => {
            Kind::Map
        }
        Type::Function => Kind::Function,
        Type::Secret => Kind::Secret,
        Type::Object(_) => Kind::Object,
        Type::Any
        | Type::Number
        | Type::Duration
        | Type::Bytes
        | Type::Range
        | Type::Timestamp
        | Type::Iterator
        | Type::Command
        | Type::Error
        | Type::OneOf(_) => return None,
    })
}

/// Returns true if an expression may have this type, as far as it and its elements are literals.
pub(super) fn fits(expected: Type, value: &Expr, kind: &dyn Fn(&Expr) -> Option<Kind>) -> bool {
    let items_fit = |of: Type| match value {
        Expr::Array(items, _) => items.iter().all(|item| fits(of, item, kind)),
        Expr::Map(map, _) => map.0.iter().all(|(_, item)| fits(of, item, kind)),
        _ => true,
    };
    let Some(found) = kind(value) else { return true };
    match expected {
        Type::Any | Type::Object(_) => true,
        Type::Number => matches!(found, Kind::Int | Kind::Float),
        Type::Duration => matches!(found, Kind::String | Kind::Int | Kind::Float),
        Type::Command => matches!(found, Kind::String | Kind::Array),
        Type::Bytes | Type::Range | Type::Timestamp | Type::Iterator | Type::Error => false,
        Type::Strings => found == Kind::Array && items_fit(Type::String),
        Type::OneOf(types) => types.iter().any(|it| fits(*it, value, kind)),
        other => kind_of(other) == Some(found),
    }
}

/// Returns the result type of a function that nothing can replace.
fn result_kind(call: &FnCallExpr) -> Option<Kind> {
    match &*call.name {
        "Fn" => Some(Kind::Function),
        "curry" if call.args.first().is_some_and(|it| closure_made(it).is_some()) => {
            Some(Kind::Function)
        }
        "==" | "!=" | "<" | ">" | "<=" | ">=" => Some(Kind::Bool),
        name => kind_of(registry::function(name)?.returns),
    }
}

/// A function that is used as a value.
pub(super) struct Pointer {
    /// Name of the function or closure.
    pub(super) name: String,
    /// Name in messages: `` `f` `` or `the closure`.
    pub(super) shown: String,
    /// Numbers of arguments that it accepts.
    pub(super) counts: BTreeSet<usize>,
}

impl Pointer {
    pub(super) fn takes(&self, count: usize) -> bool {
        self.counts.contains(&count)
    }
}

/// Returns the function of this file that an expression refers to: a closure, its variable, `f` or
/// `Fn("f")`.
pub(super) fn pointer(expression: &Expr, body: &Body<'_>, file: &File<'_>) -> Option<Pointer> {
    if let Some((name, captured)) = closure_made(expression) {
        return closure(name, captured.len(), file);
    }
    match expression {
        Expr::FnCall(call, _) if &*call.name == "Fn" => match call.args.first() {
            Some(Expr::StringConstant(name, _)) => named(name, body),
            _ => None,
        },
        _ => {
            let name = variable(expression)?;
            match body.closure_in(name) {
                Some((name, captured)) => closure(name.clone(), *captured, file),
                None if body.sees(name) => None,
                None => named(name, body),
            }
        }
    }
}

fn closure(name: String, captured: usize, file: &File<'_>) -> Option<Pointer> {
    let params = file.body(&name)?.function?.params.len();
    let counts = [params.checked_sub(captured)?].into();
    Some(Pointer { name, shown: "the closure".to_owned(), counts })
}

fn named(name: &str, body: &Body<'_>) -> Option<Pointer> {
    let functions = body.unit.ast.iter_fn_def().filter(|function| *function.name == *name);
    let counts: BTreeSet<usize> = functions.map(|function| function.params.len()).collect();
    let shown = format!("`{name}`");
    (!counts.is_empty()).then(|| Pointer { name: name.to_owned(), shown, counts })
}
