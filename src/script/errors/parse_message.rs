//! Messages for errors of the language, for people who do not know its internals.

use rhai::{LexError, ParseErrorType};

use crate::{script::api::registry, util::suggestion::did_you_mean};

/// Returns the message for a script that cannot be parsed. `word` is the word at the position of
/// the error.
pub(in crate::script) fn parse_message(error: &ParseErrorType, word: &str) -> String {
    match error {
        ParseErrorType::VariableExpected
        | ParseErrorType::FnMissingName
        | ParseErrorType::PropertyExpected
            if !word.is_empty() =>
        {
            reserved(word)
        }
        ParseErrorType::BadInput(LexError::MalformedChar(text)) => format!(
            "`'{text}'` is not a single character; write a string in double quotes, or in \
             backquotes to use `${{…}}`"
        ),
        ParseErrorType::BadInput(LexError::ImproperSymbol(word, _)) if word == "eval" => {
            reserved(word)
        }
        ParseErrorType::BadInput(LexError::UnexpectedInput(word)) if word == "try" => {
            "`try` has no value; declare a variable before it and assign to it inside".to_owned()
        }
        ParseErrorType::BadInput(error) => plain(&error.to_string()),
        ParseErrorType::Reserved(word) => reserved(word),
        ParseErrorType::VariableUndefined(name) => undefined_variable(name, []),
        ParseErrorType::ModuleUndefined(name) => unknown_module(name),
        ParseErrorType::FnDuplicatedDefinition(name, parameters) => {
            format!("the function `{name}` with {parameters} parameters is defined twice")
        }
        ParseErrorType::ExprTooDeep => {
            "this expression is nested too deeply; move parts of it to variables or functions"
                .to_owned()
        }
        other => plain(&other.to_string()),
    }
}

/// Returns the message for a reserved word.
pub(in crate::script) fn reserved(word: &str) -> String {
    let hint = match word {
        "export" => "; the export directory is `ctx.export_dir`",
        "eval" => "; a script cannot run a string as code",
        word if !word.starts_with(char::is_alphabetic) => {
            return format!("`{word}` has no meaning in the language");
        }
        _ => "; choose another name, or put a map's key in quotes",
    };
    format!("the word `{word}` is reserved by the language{hint}")
}

/// Returns the message for an unknown module.
pub(in crate::script) fn unknown_module(name: &str) -> String {
    format!("there is no module `{name}` here; import one with `import \"path\" as {name};`")
}

/// Returns the message for a function that is used as a value before its definition.
pub(in crate::script) fn function_below(name: &str) -> String {
    format!(
        "the function `{name}` is defined further down and is not a value here; write \
         `Fn(\"{name}\")`"
    )
}

/// Returns the message for an undefined variable, with a hint.
pub(in crate::script) fn undefined_variable<'a>(
    name: &str,
    near: impl IntoIterator<Item = &'a str>,
) -> String {
    if name == "ctx" {
        return "there is no variable `ctx` here; a function sees only its parameters, so pass \
                `ctx` as one"
            .to_owned();
    }
    if registry::function(name).is_some() {
        return format!("`{name}` is a function; call it with `(…)`");
    }
    let constant =
        name.chars().all(|it| it.is_ascii_uppercase() || it.is_ascii_digit() || it == '_');
    let hint = match did_you_mean(name, near) {
        hint if !hint.is_empty() => hint,
        _ if constant => format!("; to read the constant of the file, write `global::{name}`"),
        _ => "; a function sees only its parameters and its own variables".to_owned(),
    };
    format!("there is no variable `{name}` here{hint}")
}

/// Converts a message of the language: without its capital letter and its list of types.
pub(in crate::script) fn plain(text: &str) -> String {
    let text = text.replace("&str | ImmutableString | String", "string");
    let mut chars = text.chars();
    match chars.next() {
        Some(first) if !chars.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => text,
    }
}
