//! Functions that an embedding program registers for scripts, and [`Value`].

use std::{
    collections::BTreeMap,
    fmt,
    ops::{Deref, RangeInclusive},
    sync::Arc,
};

use super::{
    answer::{HookError, call_program},
    error::{Error, ErrorKind},
    request_context::RequestContext,
};

/// A value that scripts and your functions exchange.
///
/// Each type has a conversion with `From`, an accessor `as_*` that borrows, and one `into_*` that
/// takes. An accessor returns `None` for a value of another type. `TryFrom` returns an error instead,
/// which `?` turns into a refusal of your function.
///
/// ```
/// use tinyci::Value;
///
/// let release: Value = [("version", Value::from(42)), ("final", true.into())].into_iter().collect();
/// assert_eq!(release.get("version").and_then(Value::as_int), Some(42));
/// assert_eq!(release.get("final").and_then(Value::as_bool), Some(true));
/// assert_eq!(release.as_str(), None);
///
/// let error = String::try_from(Value::from(1.5)).unwrap_err();
/// assert_eq!(error.to_string(), "expected a string, got a float");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// No value; `()` in scripts.
    #[default]
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A floating point number.
    Float(f64),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Value>),
    /// A map from strings to values, `#{ … }` in scripts.
    Map(BTreeMap<String, Value>),
}

impl Value {
    /// Returns the value as a script literal.
    pub(crate) fn literal(&self) -> String {
        match self {
            Value::Null => "()".to_owned(),
            Value::Bool(value) => value.to_string(),
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

/// The effect of calling a function. A plan must not change anything, so it needs to know this.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Effect {
    /// Computes or looks up something. A plan calls it.
    Pure,
    /// Controls the script: it calls a function that it gets, or ends the phase. A plan executes
    /// it.
    Control,
    /// Acts: runs a command, sends a message or stores a value. A plan lists the call but does not
    /// make it.
    External,
}

impl Effect {
    /// Returns the name used in JSON and in tables.
    pub fn name(self) -> &'static str {
        match self {
            Effect::Pure => "pure",
            Effect::Control => "control",
            Effect::External => "external",
        }
    }
}

type Callable = dyn Fn(&FunctionCall<'_>) -> Result<Value, HookError> + Send + Sync;

/// One call of a registered function. It derefs to the arguments; [`context`](Self::context) names
/// the caller.
#[derive(Clone, Debug)]
pub struct FunctionCall<'a> {
    arguments: &'a [Value],
    context: &'a RequestContext,
}

impl<'a> FunctionCall<'a> {
    pub(crate) fn new(arguments: &'a [Value], context: &'a RequestContext) -> Self {
        Self { arguments, context }
    }

    /// Returns the commit, the step and the limits of the call.
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

/// One registered function of an embedding program.
#[derive(Clone)]
pub(crate) struct HostFunction {
    /// The name in scripts: `name` or `module::name`.
    pub(crate) name: String,
    /// The numbers of arguments that it takes.
    pub(crate) arguments: RangeInclusive<usize>,
    pub(crate) effect: Effect,
    pub(crate) doc: String,
    call: Arc<Callable>,
}

/// The most arguments that a function can take. rhai needs a separate registration for each number
/// of arguments, so they are limited.
const ARGUMENTS_MAX: usize = 8;

impl HostFunction {
    /// Creates a function. Fails if scripts cannot write the name or it takes too many arguments.
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
                "invalid function name `{name}`: expected `name` or `module::name`, made of a-z, \
                 0-9 and `_`"
            );
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        if arguments.is_empty() || *arguments.end() > ARGUMENTS_MAX {
            let message = format!(
                "invalid number of arguments for `{name}` ({} to {}): expected 0 to \
                 {ARGUMENTS_MAX}, the minimum first",
                arguments.start(),
                arguments.end()
            );
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        let (name, doc) = (name.to_owned(), doc.to_owned());
        Ok(Self { name, arguments, effect, doc, call: Arc::new(call) })
    }

    /// Calls the function.
    pub(crate) fn call(&self, call: &FunctionCall<'_>) -> Result<Value, Error> {
        call_program(&format!("the function `{}`", self.name), || (self.call)(call))
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
        #[expect(clippy::reversed_empty_ranges, reason = "a function may be registered so")]
        for bad in [2..=1, 0..=9] {
            assert_eq!(new("f", bad).unwrap_err().kind(), ErrorKind::InvalidArg);
        }
    }
}
