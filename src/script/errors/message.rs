//! Messages for the errors of a running script.

use rhai::EvalAltResult;

use super::{
    command_error::command_error, failure::Failures, operation_limit, parse_message, script_error,
};
use crate::{
    script::{
        api::registry,
        syntax::{nodes::is_closure, script::Script},
        values::kind::kind,
    },
    util::suggestion::did_you_mean,
};

/// Returns the message for an error.
pub(in crate::script) fn message(error: &EvalAltResult, script: Option<&Script>) -> String {
    if let Some(command) = command_error(error) {
        return command.message();
    }
    if operation_limit::is_operation_limit(error) {
        return operation_limit::TOO_MANY.to_owned();
    }
    if let Some(failures) = Failures::of(error) {
        return Failures(failures).message();
    }
    match error {
        EvalAltResult::ErrorRuntime(value, _) if value.is_unit() => {
            "the script threw null (`()`)".into()
        }
        EvalAltResult::ErrorRuntime(value, _) => script_error::thrown_text(value),
        EvalAltResult::ErrorVariableNotFound(name, _) => {
            parse_message::undefined_variable(name, [])
        }
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(signature, script),
        EvalAltResult::ErrorDotExpr(text, _) => unknown_property(text),
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            format!(
                "the map has no key `{name}`; write `map.get(\"{name}\") ?? …` for a default \
                     value"
            )
        }
        EvalAltResult::ErrorTooManyOperations(_) => operation_limit::TOO_MANY.to_owned(),
        EvalAltResult::ErrorStackOverflow(_) => {
            "the calls are nested too deeply; a function may call itself without end".to_owned()
        }
        EvalAltResult::ErrorDataTooLarge(kind, _) => {
            format!("{} grows too large", parse_message::plain(kind))
        }
        EvalAltResult::ErrorMismatchDataType(expected, found, _) => {
            format!("expected {}, got {}", type_name(expected), type_name(found))
        }
        EvalAltResult::ErrorTerminated(reason, _) if reason.is_string() => reason.to_string(),
        EvalAltResult::ErrorAssignmentToConstant(name, _) => {
            format!("`{name}` is a constant and cannot be changed")
        }
        EvalAltResult::ErrorDataRace(name, _) => {
            format!("{} is used by two calls at once", parse_message::plain(name))
        }
        EvalAltResult::ErrorParsing(error, _) => parse_message::parse_message(error, ""),
        other => without_position(&other.to_string()),
    }
}

/// Removes the position from a message of the engine, since it is shown separately.
fn without_position(text: &str) -> String {
    let text = text.split(" (line ").next().unwrap_or(text);
    parse_message::plain(text)
}

/// Returns a type with its article.
fn type_name(name: &str) -> String {
    match name.trim() {
        "i64" => "an int".to_owned(),
        "f64" => "a float".to_owned(),
        "()" => "null (`()`)".to_owned(),
        "bool" => "a bool".to_owned(),
        "array" => "an array".to_owned(),
        "map" => "a map".to_owned(),
        "Fn" | "FnPtr" => "a function".to_owned(),
        name if name.contains("tring") || name.contains("&str") => "a string".to_owned(),
        name => name.to_owned(),
    }
}

/// Returns the message for an unknown function, given as `name (type, type)`, with a suggestion.
fn unknown_function(signature: &str, script: Option<&Script>) -> String {
    let (name, arguments) = signature.split_once(" (").unwrap_or((signature, ")"));
    let name = name.trim();
    let arguments: Vec<String> = arguments
        .trim_end_matches(')')
        .split(", ")
        .filter(|argument| !argument.is_empty())
        .map(type_name)
        .collect();
    if let Some(function) = registry::function(name) {
        return wrong_count(function, arguments.len());
    }
    let own: Vec<(&str, usize)> = script
        .into_iter()
        .flat_map(|script| script.main.ast.iter_fn_def())
        .map(|function| (&*function.name, function.params.len()))
        .collect();
    if let Some((_, parameters)) = own.iter().find(|(own, _)| *own == name) {
        let name = if is_closure(name) { "the closure".to_owned() } else { format!("`{name}`") };
        return format!("{name} takes {}, not {}", counted(*parameters), arguments.len());
    }
    let known = registry::FUNCTIONS.iter().map(|function| function.name);
    let hint = did_you_mean(name, known.chain(own.iter().map(|(name, _)| *name)));
    let given =
        if arguments.is_empty() { String::new() } else { format!(" for {}", arguments.join(", ")) };
    format!("there is no function `{name}`{given}{hint}")
}

/// Returns the message for a wrong number of arguments of a function of tinyci.
pub(in crate::script) fn wrong_count(function: &registry::Function, arguments: usize) -> String {
    format!("`{}` cannot be called with {}", function.signature(), counted(arguments))
}

fn counted(arguments: usize) -> String {
    if arguments == 1 { "1 argument".to_owned() } else { format!("{arguments} arguments") }
}

/// Returns the message for an unknown property. The engine's message is `Unknown property 'x' - a
/// getter is not registered for type 'ctx'`.
fn unknown_property(text: &str) -> String {
    let quoted: Vec<&str> = text.split('\'').skip(1).step_by(2).collect();
    let [property, owner, ..] = quoted.as_slice() else { return without_position(text) };
    if text.contains("setter") || text.contains("assign") {
        return format!("`{owner}.{property}` is read-only");
    }
    let prefix = format!("{owner}.");
    let known = registry::PROPERTIES.iter().filter_map(|it| it.path.strip_prefix(&prefix));
    let known: Vec<&str> = known.filter(|name| !name.contains(['.', '('])).collect();
    let hint = match did_you_mean(property, known.iter().copied()) {
        hint if hint.is_empty() && !known.is_empty() => {
            format!("; the properties are {}", known.join(", "))
        }
        hint => hint,
    };
    let owner = if *owner == "()" { kind(&rhai::Dynamic::UNIT) } else { owner };
    format!("{owner} has no property `{property}`{hint}")
}
