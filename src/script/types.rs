//! What a value can be: the types that the tables of the API name, as people read them and as a running
//! script is held to them.

use rhai::{Array, Blob, Dynamic, FnPtr, Map};

use super::{call, errors, registry::ScriptOption, secret::Secret};

/// What a function takes or gives, or what a property holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Any,
    Nothing,
    Bool,
    /// A whole number.
    Int,
    /// A whole number or one with a fraction.
    Number,
    /// A whole number from 0 to 1000.
    Count,
    Letter,
    Text,
    /// A number of seconds, or a text with a unit.
    Time,
    List,
    /// A list of texts.
    Texts,
    Map,
    Bytes,
    /// A text for the shell, or a list of a program and its arguments.
    Command,
    /// A map of these keys.
    Options(&'static [ScriptOption]),
    /// A map of functions.
    Functions,
    /// A map of lists.
    Lists,
    /// A map of variables for commands.
    Variables,
    Function,
    Secret,
    /// What `catch` gets.
    Error,
    /// One of the API's own objects, such as `ctx`.
    Object(&'static str),
    OneOf(&'static [Type]),
}

impl Type {
    /// `text or ()`: as documentation says it.
    pub(crate) fn name(self) -> String {
        match self {
            Type::Any => "any value".to_owned(),
            Type::Nothing => "()".to_owned(),
            Type::Bool => "true or false".to_owned(),
            Type::Int | Type::Count => "whole number".to_owned(),
            Type::Number => "number".to_owned(),
            Type::Letter => "letter".to_owned(),
            Type::Text => "text".to_owned(),
            Type::Time => "time".to_owned(),
            Type::Command => "text or list".to_owned(),
            Type::List => "list".to_owned(),
            Type::Texts => "list of texts".to_owned(),
            Type::Map | Type::Options(_) => "map".to_owned(),
            Type::Bytes => "bytes".to_owned(),
            Type::Functions => "map of functions".to_owned(),
            Type::Lists => "map of lists".to_owned(),
            Type::Variables => "map of variables".to_owned(),
            Type::Function => "function".to_owned(),
            Type::Secret => "secret".to_owned(),
            Type::Error => "error".to_owned(),
            Type::Object(name) => format!("object `{name}`"),
            Type::OneOf(types) => one_of(types.iter().map(|it| it.name())),
        }
    }

    /// `a text or a list`: what a call takes, for a sentence.
    pub(crate) fn in_words(self) -> String {
        let article = |name: String| format!("a {name}");
        match self {
            Type::Any => self.name(),
            Type::Nothing => "`()`".to_owned(),
            Type::Bool => "`true` or `false`".to_owned(),
            Type::Int => "a whole number".to_owned(),
            Type::Count => "a number from 0 to 1000".to_owned(),
            Type::Bytes => self.name(),
            Type::Time => "a time such as `\"90s\"`, `\"5m\"` or a number of seconds".to_owned(),
            Type::Command => {
                "a text for the shell, or a list of a program and its arguments,".to_owned()
            }
            Type::Options(_) => "a map such as `#{ timeout: \"5m\" }`".to_owned(),
            Type::Lists => "a map of lists such as `#{ db: [\"a\", \"b\"] }`".to_owned(),
            Type::Function => "a function such as `|| …`".to_owned(),
            Type::Error => "an error".to_owned(),
            Type::Object(name) => format!("an object `{name}`"),
            Type::OneOf(types) => one_of(types.iter().map(|it| it.in_words())),
            _ => article(self.name()),
        }
    }

    /// True if a value is of this type, as far as that can be seen from outside.
    pub(super) fn accepts(self, value: &Dynamic) -> bool {
        match self {
            Type::Any => true,
            Type::Nothing => value.is_unit(),
            Type::Bool => value.is_bool(),
            Type::Int => value.is_int(),
            Type::Number => value.is_int() || value.is_float(),
            Type::Count => {
                value.as_int().is_ok_and(|it| (0..=call::COUNT_MAX.into()).contains(&it))
            }
            Type::Letter => value.is_char(),
            Type::Text => value.is_string(),
            Type::Time => call::time(value).is_some(),
            Type::Command => value.is_string() || value.is_array(),
            Type::List => value.is_array(),
            Type::Texts => {
                let list = value.read_lock::<Array>();
                list.is_some_and(|list| {
                    list.iter().all(|it| Type::Text.accepts(&it.flatten_clone()))
                })
            }
            Type::Map | Type::Options(_) | Type::Variables => value.is_map(),
            Type::Functions => every(value, Type::Function),
            Type::Lists => every(value, Type::List),
            Type::Bytes => value.is::<Blob>(),
            Type::Function => value.is::<FnPtr>(),
            Type::Secret => value.is::<Secret>(),
            Type::Error => errors::sentence(value).is_some(),
            // Nothing of the API takes one: it is what the API gives.
            Type::Object(_) => true,
            Type::OneOf(types) => types.iter().any(|it| it.accepts(value)),
        }
    }
}

/// True if a value is a map all of whose values are of a type.
fn every(value: &Dynamic, of: Type) -> bool {
    let map = value.read_lock::<Map>();
    map.is_some_and(|map| map.values().all(|it| of.accepts(&it.flatten_clone())))
}

/// `a, b or c`
fn one_of(words: impl Iterator<Item = String>) -> String {
    let words: Vec<String> = words.collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_has_a_name_words_and_a_definition() {
        const OPTIONAL: Type = Type::OneOf(&[Type::Text, Type::Nothing]);
        assert_eq!(OPTIONAL.name(), "text or ()");
        assert_eq!(OPTIONAL.in_words(), "a text or `()`");
    }

    #[test]
    fn values_are_told_apart() {
        let list: Dynamic = vec![Dynamic::from("a"), Dynamic::from(1_i64)].into();
        assert!(Type::List.accepts(&list) && !Type::Texts.accepts(&list));
        assert!(Type::Time.accepts(&"90s".into()) && !Type::Time.accepts(&"soon".into()));
        assert!(Type::Count.accepts(&1000_i64.into()) && !Type::Count.accepts(&(-1_i64).into()));
        assert!(Type::OneOf(&[Type::Text, Type::List]).accepts(&list));
    }
}
