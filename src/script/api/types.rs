//! What a value can be: the types that the tables of the API name, as people read them and as a running
//! script is held to them.

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
    Range,
    Moment,
    /// What a loop can go through.
    Sequence,
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
            Type::Range => "range".to_owned(),
            Type::Moment => "moment".to_owned(),
            Type::Sequence => "sequence".to_owned(),
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

    /// `a string or an array`: what a call takes, for a sentence.
    pub(crate) fn in_words(self) -> String {
        let words = match self {
            Type::Any => "any value",
            Type::Nothing => "null (`()`)",
            Type::Bool => "a bool",
            Type::Int => "an int",
            Type::Number => "a number",
            Type::Count => "an int from 0 to 1000",
            Type::Letter => "a character",
            Type::Text => "a string",
            Type::Time => "a duration such as `\"90s\"` or `\"5m\"`, or a number of seconds,",
            Type::List => "an array",
            Type::Texts => "an array of strings",
            Type::Map => "a map",
            Type::Bytes => "bytes",
            Type::Range => "a range",
            Type::Moment => "a timestamp",
            Type::Sequence => "a sequence",
            Type::Command => "a string for the shell, or an array of a program and its arguments,",
            Type::Options(_) => "a map such as `#{ timeout: \"5m\" }`",
            Type::Functions => "a map of functions",
            Type::Lists => "a map of arrays such as `#{ db: [\"a\", \"b\"] }`",
            Type::Variables => "a map of variables",
            Type::Function => "a function such as `|| …`",
            Type::Secret => "a secret",
            Type::Error => "an error",
            Type::Object(name) => return format!("an object `{name}`"),
            Type::OneOf(types) => return one_of(types.iter().map(|it| it.in_words())),
        };
        words.to_owned()
    }

    /// The type as files of definitions write it, which editors read.
    pub(crate) fn definition(self) -> String {
        match self {
            Type::Any | Type::Sequence | Type::Error => "?".to_owned(),
            Type::Nothing => "()".to_owned(),
            Type::Bool => "bool".to_owned(),
            Type::Int | Type::Count => "int".to_owned(),
            Type::Number => "int | float".to_owned(),
            Type::Letter => "char".to_owned(),
            Type::Text => "String".to_owned(),
            Type::Time => "String | int | float".to_owned(),
            Type::Command => "String | Array".to_owned(),
            Type::List => "Array".to_owned(),
            Type::Texts => "[String]".to_owned(),
            Type::Map | Type::Functions | Type::Lists | Type::Variables => "Map".to_owned(),
            Type::Bytes => "Blob".to_owned(),
            Type::Range => "Range".to_owned(),
            Type::Moment => "Instant".to_owned(),
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

/// `ctx.result` is `CtxResult`.
pub(in crate::script) fn object_name(name: &str) -> String {
    let words = name.split(['.', ' ', '_']).map(|word| {
        let mut letters = word.chars();
        letters.next().into_iter().flat_map(char::to_uppercase).chain(letters).collect::<String>()
    });
    words.collect()
}

/// `a, b or c`
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
        const OPTIONAL: Type = Type::OneOf(&[Type::Text, Type::Nothing]);
        assert_eq!(OPTIONAL.name(), "text or ()");
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
    /// What it says, in Markdown.
    pub(crate) doc: &'static str,
}

/// Attempts and retries beyond this are slips.
pub(in crate::script) const COUNT_MAX: u32 = 1_000;

/// How many tasks `parallel` and `matrix` can have: a matrix grows fast.
pub(in crate::script) const TASKS_MAX: usize = 1_000;
