//! The types of the script API: their names in the reference, in errors, and in definition files.

/// The type of a parameter, result or property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Type {
    Any,
    Null,
    Bool,
    /// An integer.
    Int,
    /// An int or a float.
    Number,
    /// An int from 0 to 1000.
    Count,
    Char,
    String,
    /// A number of seconds, or a string with a unit.
    Duration,
    Array,
    /// An array of strings.
    Strings,
    Map,
    Bytes,
    Range,
    Timestamp,
    /// A value that `for` iterates over.
    Iterator,
    /// A string for the shell, or an array of a program and its arguments.
    Command,
    /// A map with these keys.
    Options(&'static [ScriptOption]),
    /// A map of functions.
    Functions,
    /// A map of arrays.
    Arrays,
    /// A map of environment variables.
    Variables,
    Function,
    Secret,
    /// The error that `catch` gets.
    Error,
    /// An object of the API, such as `ctx`.
    Object(&'static str),
    OneOf(&'static [Type]),
}

impl Type {
    /// Returns the name in the reference, such as `string or null`.
    pub(crate) fn name(self) -> String {
        match self {
            Type::Any => "any value".to_owned(),
            Type::Null => "null".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Int | Type::Count => "int".to_owned(),
            Type::Number => "number".to_owned(),
            Type::Char => "char".to_owned(),
            Type::String => "string".to_owned(),
            Type::Duration => "duration".to_owned(),
            Type::Command => "string or array".to_owned(),
            Type::Array => "array".to_owned(),
            Type::Strings => "array of strings".to_owned(),
            Type::Map | Type::Options(_) => "map".to_owned(),
            Type::Bytes => "bytes".to_owned(),
            Type::Range => "range".to_owned(),
            Type::Timestamp => "timestamp".to_owned(),
            Type::Iterator => "iterator".to_owned(),
            Type::Functions => "map of functions".to_owned(),
            Type::Arrays => "map of arrays".to_owned(),
            Type::Variables => "map of variables".to_owned(),
            Type::Function => "function".to_owned(),
            Type::Secret => "secret".to_owned(),
            Type::Error => "error".to_owned(),
            Type::Object(name) => format!("object `{name}`"),
            Type::OneOf(types) => one_of(types.iter().map(|it| it.name())),
        }
    }

    /// Returns the type with its article for a sentence, such as `a string or an array`.
    pub(crate) fn in_words(self) -> String {
        let words = match self {
            Type::Any => "any value",
            Type::Null => "null (`()`)",
            Type::Bool => "a bool",
            Type::Int => "an int",
            Type::Number => "a number",
            Type::Count => "an int from 0 to 1000",
            Type::Char => "a character",
            Type::String => "a string",
            Type::Duration => "a duration such as `\"90s\"` or `\"5m\"`, or a number of seconds,",
            Type::Array => "an array",
            Type::Strings => "an array of strings",
            Type::Map => "a map",
            Type::Bytes => "bytes",
            Type::Range => "a range",
            Type::Timestamp => "a timestamp",
            Type::Iterator => "an iterator",
            Type::Command => "a string for the shell, or an array of a program and its arguments,",
            Type::Options(_) => "a map such as `#{ timeout: \"5m\" }`",
            Type::Functions => "a map of functions",
            Type::Arrays => "a map of arrays such as `#{ db: [\"a\", \"b\"] }`",
            Type::Variables => "a map of variables",
            Type::Function => "a function such as `|| …`",
            Type::Secret => "a secret",
            Type::Error => "an error",
            Type::Object(name) => return format!("an object `{name}`"),
            Type::OneOf(types) => return one_of(types.iter().map(|it| it.in_words())),
        };
        words.to_owned()
    }

    /// Returns the type in the syntax of definition files.
    pub(crate) fn definition(self) -> String {
        match self {
            Type::Any | Type::Iterator | Type::Error => "?".to_owned(),
            Type::Null => "()".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Int | Type::Count => "int".to_owned(),
            Type::Number => "int | float".to_owned(),
            Type::Char => "char".to_owned(),
            Type::String => "String".to_owned(),
            Type::Duration => "String | int | float".to_owned(),
            Type::Command => "String | Array".to_owned(),
            Type::Array => "Array".to_owned(),
            Type::Strings => "[String]".to_owned(),
            Type::Map | Type::Functions | Type::Arrays | Type::Variables => "Map".to_owned(),
            Type::Bytes => "Blob".to_owned(),
            Type::Range => "Range".to_owned(),
            Type::Timestamp => "Instant".to_owned(),
            Type::Function => "FnPtr".to_owned(),
            Type::Secret => "Secret".to_owned(),
            Type::Object(name) => object_name(name),
            Type::Options(options) => {
                let field = |it: &ScriptOption| format!("{}: {}", it.name, it.takes.definition());
                let fields: Vec<String> = options.iter().map(field).collect();
                format!("#{{ {} }}", fields.join(", "))
            }
            Type::OneOf(types) => {
                types.iter().map(|it| it.definition()).collect::<Vec<_>>().join(" | ")
            }
        }
    }
}

/// Returns the type name of an object: `CtxResult` for `ctx.result`.
pub(in crate::script) fn object_name(name: &str) -> String {
    let words = name.split(['.', ' ', '_']).map(|word| {
        let mut chars = word.chars();
        chars.next().into_iter().flat_map(char::to_uppercase).chain(chars).collect::<String>()
    });
    words.collect()
}

/// Joins words: `a, b or c`.
pub(in crate::script) fn one_of(words: impl Iterator<Item = String>) -> String {
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
        const OPTIONAL: Type = Type::OneOf(&[Type::String, Type::Null]);
        assert_eq!(OPTIONAL.name(), "string or null");
        assert_eq!(OPTIONAL.in_words(), "a string or null (`()`)");
        assert_eq!(OPTIONAL.definition(), "String | ()");
        assert_eq!(Type::Object("ctx.result").definition(), "CtxResult");
    }
}

/// One key of a map of options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ScriptOption {
    pub(crate) name: &'static str,
    pub(crate) takes: Type,
    /// Description in Markdown.
    pub(crate) doc: &'static str,
}

/// Maximum number of attempts and retries. More is most likely a mistake.
pub(in crate::script) const COUNT_MAX: u32 = 1_000;

/// Maximum number of tasks of `parallel` and `matrix`. A matrix grows fast.
pub(in crate::script) const TASKS_MAX: usize = 1_000;
