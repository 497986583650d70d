//! What an expression is, as far as it can be seen without running it.

use std::{collections::BTreeSet, fmt};

use rhai::{Expr, FnCallExpr};

use super::walk::{Body, File};
use crate::script::{
    api::{registry, types::Type},
    syntax::nodes::{closure_made, variable},
};

/// The kind of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Truth,
    Int,
    Float,
    Text,
    Letter,
    List,
    Map,
    Function,
    Secret,
    Object,
}

impl Kind {
    /// In the words of the run's errors.
    pub(super) fn words(self) -> &'static str {
        match self {
            Kind::Nothing => "null (`()`)",
            Kind::Truth => "a bool",
            Kind::Int => "an int",
            Kind::Float => "a float",
            Kind::Text => "a string",
            Kind::Letter => "a character",
            Kind::List => "an array",
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

/// The kind of what an expression gives, where that is sure.
pub(super) fn kind(expression: &Expr, body: &Body<'_>, file: &File<'_>) -> Option<Kind> {
    plain_kind(expression).or_else(|| pointer(expression, body, file).map(|_| Kind::Function))
}

/// The same without what has to be looked up.
pub(super) fn plain_kind(expression: &Expr) -> Option<Kind> {
    Some(match expression {
        Expr::Unit(_) => Kind::Nothing,
        Expr::BoolConstant(..) | Expr::And(..) | Expr::Or(..) => Kind::Truth,
        Expr::IntegerConstant(..) => Kind::Int,
        Expr::FloatConstant(..) => Kind::Float,
        Expr::CharConstant(..) => Kind::Letter,
        Expr::StringConstant(..) | Expr::InterpolatedString(..) => Kind::Text,
        Expr::Array(..) => Kind::List,
        Expr::Map(..) => Kind::Map,
        Expr::FnCall(call, _) if !call.is_qualified() => given_by(call)?,
        other => closure_made(other).map(|_| Kind::Function)?,
    })
}

/// What an expression always gives, if that is nothing a text can hold.
pub(in crate::script) fn never_text(expression: &Expr) -> Option<&'static str> {
    plain_kind(expression).filter(|kind| !is_textual(*kind)).map(Kind::words)
}

/// The same of a type.
pub(in crate::script) fn is_never_text(holds: Type) -> Option<&'static str> {
    match holds {
        Type::OneOf(types) => {
            let all: Option<Vec<_>> = types.iter().map(|it| is_never_text(*it)).collect();
            all?.first().copied()
        }
        other => kind_of(other).filter(|kind| !is_textual(*kind)).map(Kind::words),
    }
}

pub(super) fn is_textual(kind: Kind) -> bool {
    matches!(kind, Kind::Text | Kind::Int | Kind::Float | Kind::Truth | Kind::Letter)
}

/// The kind of all values of a type, if they have one.
fn kind_of(of: Type) -> Option<Kind> {
    Some(match of {
        Type::Null => Kind::Nothing,
        Type::Bool => Kind::Truth,
        Type::Int | Type::Count => Kind::Int,
        Type::Char => Kind::Letter,
        Type::String => Kind::Text,
        Type::Array | Type::Strings => Kind::List,
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

/// Whether a literal is of a type, as far as its kind and those of its items tell.
pub(super) fn fits(wanted: Type, value: &Expr, kind: &dyn Fn(&Expr) -> Option<Kind>) -> bool {
    let items_fit = |of: Type| match value {
        Expr::Array(items, _) => items.iter().all(|item| fits(of, item, kind)),
        Expr::Map(map, _) => map.0.iter().all(|(_, item)| fits(of, item, kind)),
        _ => true,
    };
    let Some(found) = kind(value) else { return true };
    match wanted {
        Type::Any | Type::Object(_) => true,
        Type::Number => matches!(found, Kind::Int | Kind::Float),
        Type::Duration => matches!(found, Kind::Text | Kind::Int | Kind::Float),
        Type::Command => matches!(found, Kind::Text | Kind::List),
        Type::Bytes | Type::Range | Type::Timestamp | Type::Iterator | Type::Error => false,
        Type::Strings => found == Kind::List && items_fit(Type::String),
        Type::OneOf(types) => types.iter().any(|it| fits(*it, value, kind)),
        other => kind_of(other) == Some(found),
    }
}

/// What a call gives back, for functions that nothing can replace.
fn given_by(call: &FnCallExpr) -> Option<Kind> {
    match &*call.name {
        "Fn" => Some(Kind::Function),
        "curry" if call.args.first().is_some_and(|it| closure_made(it).is_some()) => {
            Some(Kind::Function)
        }
        "==" | "!=" | "<" | ">" | "<=" | ">=" => Some(Kind::Truth),
        name => kind_of(registry::function(name)?.returns),
    }
}

/// A function that is given as a value.
pub(super) struct Pointer {
    /// The function's name, or the closure's.
    pub(super) name: String,
    /// How people call it: `` `f` `` or `the closure`.
    pub(super) shown: String,
    /// How many arguments it can be called with.
    pub(super) counts: BTreeSet<usize>,
}

impl Pointer {
    pub(super) fn takes(&self, count: usize) -> bool {
        self.counts.contains(&count)
    }
}

/// The function of this file that an expression is: a closure, its variable, `f` or `Fn("f")`.
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
