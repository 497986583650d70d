//! An error of a running script, as a person wants it: what, where, and by which calls.

use rhai::EvalAltResult;

use super::{
    call::kind,
    commands::command_error,
    errors::{self, Place},
    excerpt::excerpt,
    imports::place,
    load::Script,
    message, registry,
    session::Thrown,
};
use crate::{
    error::{Error, ErrorKind, Position},
    step::Host,
    suggestion::did_you_mean,
};

/// Where an error is, and how the script got there.
struct Trace<'e> {
    /// The error itself.
    innermost: &'e EvalAltResult,
    /// The file and function it is in.
    file: String,
    function: String,
    /// `file:line:col in function`, innermost call first.
    calls: Vec<String>,
}

/// An error as ours, with the lines that show it. `whereabouts` names phase and commit.
pub(super) fn error(
    thrown: &Thrown,
    script: &Script,
    phase: &str,
    whereabouts: &str,
    host: &dyn Host,
) -> Error {
    let say = |error: &EvalAltResult| (message(error, Some(script)), Vec::new());
    let begin = script.phase(phase).map_or(Position::new(1, 1), |phase| phase.position);
    let mask = |text: &str| host.masked(text);
    located(thrown, script, (phase, begin), &format!(", {whereabouts}"), say, &mask)
}

/// The same of any function of a script, with the place where it begins. `say` gives the sentence,
/// and notes that stand before the calls; `mask` takes secrets out of the line that is shown.
pub(super) fn located(
    thrown: &Thrown,
    script: &Script,
    (function, begin): (&str, Position),
    whereabouts: &str,
    say: impl Fn(&EvalAltResult) -> (String, Vec<String>),
    mask: &dyn Fn(&str) -> String,
) -> Error {
    let mut trace = trace(thrown, &script.main.source.name, function);
    let (message, mut notes) = say(trace.innermost);
    // The engine does not know where some of its errors are: then the function is all there is.
    let mut position = match trace.innermost.position() {
        position if position.is_none() => begin,
        position => place(position),
    };
    let mut whereabouts = format!(" in {}{whereabouts}", trace.function);
    if let Some(origin) = trace.thrown_again_from(script) {
        // In which function that was nobody knows any more.
        whereabouts = whereabouts.replacen(&format!("{}, ", trace.function), "", 1);
        notes.push(format!("thrown again at {}:{position} in {}", trace.file, trace.function));
        (trace.file, position) = (origin.file, place(origin.position));
    }
    let Some(source) = script.source(&trace.file) else {
        return Error::new(ErrorKind::Script, message).with_path(trace.file);
    };
    let report = Error::new(ErrorKind::Script, message).with_path(trace.file.clone());
    notes.extend(trace.calls.iter().map(|call| format!("called from {call}")));
    let lines = excerpt(source, position, &whereabouts, &notes, mask);
    report.with_position(position).with_excerpt(lines)
}

impl Trace<'_> {
    /// Where the error arose, if a script caught it and threw it again elsewhere.
    fn thrown_again_from(&self, script: &Script) -> Option<Place> {
        let EvalAltResult::ErrorRuntime(value, at) = self.innermost else { return None };
        let mut origin = errors::origin(value)?;
        if origin.file.is_empty() {
            origin.file.clone_from(&self.file);
        }
        let elsewhere = origin.file != self.file || origin.position != *at;
        let known = !origin.position.is_none() && script.source(&origin.file).is_some();
        (elsewhere && known).then_some(origin)
    }
}

/// The engine pairs the file of the function called with the place of the call: a frame's place
/// belongs to the file of the frame around it.
fn trace<'e>(thrown: &'e EvalAltResult, file: &str, phase: &str) -> Trace<'e> {
    let mut trace = Trace {
        innermost: thrown,
        file: file.to_owned(),
        function: phase.to_owned(),
        calls: Vec::new(),
    };
    loop {
        let (name, file, inner, position) = match trace.innermost {
            EvalAltResult::ErrorInFunctionCall(name, file, inner, position) => {
                (function_name(name), file.as_str(), inner, *position)
            }
            EvalAltResult::ErrorInModule(file, inner, position) => {
                ("the top of the module".to_owned(), file.as_str(), inner, *position)
            }
            _ => break,
        };
        if !position.is_none() {
            let call = format!("{}:{} in {}", trace.file, place(position), trace.function);
            trace.calls.insert(0, call);
        }
        if !file.is_empty() {
            trace.file = file.to_owned();
        }
        trace.function = name;
        trace.innermost = inner;
    }
    trace
}

/// A closure's name is made up by the engine.
fn function_name(name: &str) -> String {
    if name.starts_with("anon$") { "closure".to_owned() } else { name.to_owned() }
}

/// What is wrong, in one sentence.
pub(super) fn message(error: &EvalAltResult, script: Option<&Script>) -> String {
    if let Some(command) = command_error(error) {
        return command.message();
    }
    match error {
        EvalAltResult::ErrorRuntime(value, _) if value.is_unit() => {
            "the script threw nothing".into()
        }
        EvalAltResult::ErrorRuntime(value, _) => errors::thrown_text(value),
        EvalAltResult::ErrorVariableNotFound(name, _) => message::undefined_variable(name, []),
        EvalAltResult::ErrorFunctionNotFound(signature, _) => unknown_function(signature, script),
        EvalAltResult::ErrorDotExpr(text, _) => unknown_property(text),
        EvalAltResult::ErrorPropertyNotFound(name, _) => {
            format!("the map has no `{name}`; `map.get(\"{name}\") ?? …` takes what holds then")
        }
        EvalAltResult::ErrorTooManyOperations(_) => {
            "the script takes too many steps: it may be in an endless loop".to_owned()
        }
        EvalAltResult::ErrorStackOverflow(_) => {
            "the script calls too deep: a function may call itself without end".to_owned()
        }
        EvalAltResult::ErrorDataTooLarge(kind, _) => {
            format!("{} grows too large", message::plain(kind))
        }
        EvalAltResult::ErrorMismatchDataType(wanted, found, _) => {
            format!("expected {}, found {}", type_name(wanted), type_name(found))
        }
        EvalAltResult::ErrorAssignmentToConstant(name, _) => {
            format!("`{name}` is a constant and cannot be changed")
        }
        EvalAltResult::ErrorDataRace(name, _) => {
            format!("{} is used by two calls at once", message::plain(name))
        }
        EvalAltResult::ErrorParsing(error, _) => message::parse_message(error, ""),
        other => without_position(&other.to_string()),
    }
}

/// The engine puts a position at the end of its sentences, which stands elsewhere with us.
fn without_position(text: &str) -> String {
    let text = text.split(" (line ").next().unwrap_or(text);
    message::plain(text)
}

/// The names of types as people say them.
fn type_name(name: &str) -> String {
    match name.trim() {
        "i64" => "a number".to_owned(),
        "f64" => "a number".to_owned(),
        "()" => "nothing".to_owned(),
        "bool" => "a truth value".to_owned(),
        "array" => "a list".to_owned(),
        "map" => "a map".to_owned(),
        "Fn" | "FnPtr" => "a function".to_owned(),
        name if name.contains("tring") || name.contains("&str") => "a text".to_owned(),
        name => name.to_owned(),
    }
}

/// `name (type, type)`, and what was probably meant.
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
        return format!(
            "`{}` cannot be called with {}",
            function.signature(),
            counted(arguments.len())
        );
    }
    let own: Vec<(&str, usize)> = script
        .into_iter()
        .flat_map(|script| script.main.ast.iter_fn_def())
        .map(|function| (&*function.name, function.params.len()))
        .collect();
    if let Some((_, parameters)) = own.iter().find(|(own, _)| *own == name) {
        return format!("`{name}` takes {}, not {}", counted(*parameters), arguments.len());
    }
    let known = registry::FUNCTIONS.iter().map(|function| function.name);
    let hint = did_you_mean(name, known.chain(own.iter().map(|(name, _)| *name)));
    let given =
        if arguments.is_empty() { String::new() } else { format!(" for {}", arguments.join(", ")) };
    format!("there is no function `{name}`{given}{hint}")
}

fn counted(arguments: usize) -> String {
    if arguments == 1 { "1 argument".to_owned() } else { format!("{arguments} arguments") }
}

/// `Unknown property 'x' - a getter is not registered for type 'ctx'`
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
        hint if hint.is_empty() && !known.is_empty() => format!("; there are {}", known.join(", ")),
        hint => hint,
    };
    let owner = if *owner == "()" { kind(&rhai::Dynamic::UNIT) } else { owner };
    format!("{owner} has no property `{property}`{hint}")
}
