//! Functions that an embedding program lends to scripts, over values of our own.

use std::{
    collections::BTreeMap,
    fmt,
    ops::{Deref, RangeInclusive},
    sync::Arc,
};

use super::{
    answer::{HookError, answered},
    error::{Error, ErrorKind},
    request_context::RequestContext,
};

/// What scripts and the functions of an embedding program exchange.
///
/// ```
/// use tinyci::Value;
/// let value = Value::from("main");
/// assert_eq!(value.as_str(), Some("main"));
/// assert_eq!(Value::from(vec![1_i64, 2]), Value::Array(vec![1.into(), 2.into()]));
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// `()`
    #[default]
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A text.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// An object map.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// The whole number, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// The truth value, if it is one.
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(truth) => Some(*truth),
            _ => None,
        }
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(list) => Some(list),
            _ => None,
        }
    }

    /// The value under this key, if it is an object map that has it.
    pub fn get(&self, key: &str) -> Option<&Value> {
        match self {
            Value::Map(map) => map.get(key),
            _ => None,
        }
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::Null
    }
}

impl From<bool> for Value {
    fn from(truth: bool) -> Self {
        Value::Bool(truth)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Value::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Value::Float(number)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(list: Vec<T>) -> Self {
        Value::Array(list.into_iter().map(Into::into).collect())
    }
}

impl<K: Into<String>, T: Into<Value>> FromIterator<(K, T)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(entries: I) -> Self {
        Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

impl Value {
    /// The value as a script would write it.
    pub(crate) fn literal(&self) -> String {
        match self {
            Value::Null => "()".to_owned(),
            Value::Bool(truth) => truth.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Float(number) => number.to_string(),
            Value::String(text) => format!("{text:?}"),
            Value::Array(list) => {
                let items: Vec<String> = list.iter().map(Value::literal).collect();
                format!("[{}]", items.join(", "))
            }
            Value::Map(map) => {
                let entry = |(key, value): (&String, &Value)| format!("{key}: {}", value.literal());
                let entries: Vec<String> = map.iter().map(entry).collect();
                format!("#{{ {} }}", entries.join(", "))
            }
        }
    }
}

/// What calling a function does to the world: a plan, which changes nothing, has to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// It computes or looks something up. A plan calls it.
    Pure,
    /// It directs the script: calls the function it is given, ends the phase. A plan follows it.
    Control,
    /// It acts: runs a command, sends a message, stores a value. A plan lists the call and does
    /// not make it.
    External,
}

impl Effect {
    /// The name used in JSON and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Pure => "pure",
            Effect::Control => "control",
            Effect::External => "external",
        }
    }
}

type Callable = dyn Fn(&FunctionCall<'_>) -> Result<Value, HookError> + Send + Sync;

/// One call of a function that a host lends to scripts: the slice of its arguments, and where it
/// comes from.
#[derive(Clone, Debug)]
pub struct FunctionCall<'a> {
    arguments: &'a [Value],
    context: &'a RequestContext,
}

impl<'a> FunctionCall<'a> {
    pub(crate) fn new(arguments: &'a [Value], context: &'a RequestContext) -> Self {
        Self { arguments, context }
    }

    /// The commit, the step and the limits of the call.
    pub fn context(&self) -> &RequestContext {
        self.context
    }
}

impl Deref for FunctionCall<'_> {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        self.arguments
    }
}

/// One function of an embedding program.
#[derive(Clone)]
#[cfg_attr(not(feature = "rhai"), expect(dead_code, reason = "only scripts call it"))]
pub(crate) struct HostFunction {
    /// `name` or `module::name`.
    pub(crate) name: String,
    /// How many arguments it takes.
    pub(crate) arguments: RangeInclusive<usize>,
    pub(crate) effect: Effect,
    pub(crate) doc: String,
    call: Arc<Callable>,
}

/// The most arguments that a function can take: scripts need no more, and engines register each
/// number apart.
const ARGUMENTS_MAX: usize = 8;

impl HostFunction {
    /// A function under a name that scripts can spell.
    pub(crate) fn new(
        name: &str,
        arguments: RangeInclusive<usize>,
        effect: Effect,
        doc: &str,
        call: impl Fn(&FunctionCall<'_>) -> Result<Value, HookError> + Send + Sync + 'static,
    ) -> Result<Self, Error> {
        let words: Vec<&str> = name.split("::").collect();
        if words.len() > 2 || !words.iter().all(|word| is_word(word)) {
            let message = format!(
                "`{name}` is not the name of a function: it is `name` or `module::name`, of a-z, \
                 0-9 and `_`"
            );
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        if arguments.is_empty() || *arguments.end() > ARGUMENTS_MAX {
            let message = format!(
                "the function `{name}` takes {} to {} arguments; from 0 to {ARGUMENTS_MAX} can be \
                 had, the smaller number first",
                arguments.start(),
                arguments.end()
            );
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        let (name, doc) = (name.to_owned(), doc.to_owned());
        Ok(Self { name, arguments, effect, doc, call: Arc::new(call) })
    }

    /// Calls it.
    pub(crate) fn call(&self, call: &FunctionCall<'_>) -> Result<Value, Error> {
        answered(&format!("the function `{}`", self.name), || (self.call)(call))
    }
}

impl fmt::Debug for HostFunction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostFunction").field("name", &self.name).finish_non_exhaustive()
    }
}

fn is_word(word: &str) -> bool {
    let letters = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '_';
    word.starts_with(|it: char| it.is_ascii_lowercase()) && word.chars().all(letters)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn names_and_numbers_of_arguments_are_checked() {
        let new = |name, arguments| {
            HostFunction::new(name, arguments, Effect::Pure, "", |_| Ok(Value::Null))
        };
        for good in ["post", "slack::post", "a_1"] {
            assert!(new(good, 0..=1).is_ok(), "{good}");
        }
        for bad in ["", "a::b::c", "::a", "A", "1a", "a b", "a-b", "_a"] {
            assert_eq!(new(bad, 0..=1).unwrap_err().kind(), ErrorKind::InvalidArg, "{bad}");
        }
        #[allow(clippy::reversed_empty_ranges)]
        for bad in [2..=1, 0..=9] {
            assert_eq!(new("f", bad).unwrap_err().kind(), ErrorKind::InvalidArg);
        }
    }
}
