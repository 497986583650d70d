//! An error of a running script, as a person wants it: what, where, and by which calls.

use std::fmt;

use rhai::{EvalAltResult, Position as RhaiPosition};

use super::{
    call::kind, check::is_closure, commands::command_error, ending::Thrown, errors,
    excerpt::excerpt, failure::Failures, imports::place, load::Script, message, registry, steps,
};
use crate::{
    model::{
        error::{Error, ErrorKind, Position},
        step::Host,
    },
    util::suggestion::did_you_mean,
};

/// Where an error is, and how the script got there.
#[derive(Clone, Debug)]
pub(super) struct Trace {
    /// The file and function it is in.
    file: String,
    function: String,
    /// The engine does not know where some of its errors are.
    position: Option<Position>,
    /// `file:line:col in function`, innermost call first.
    calls: Vec<String>,
    /// Where it was thrown again, if a script had caught it.
    again: Option<String>,
}

impl Trace {
    /// A place that is known, in a file of this script.
    pub(super) fn at(
        file: &str,
        function: &str,
        position: RhaiPosition,
        script: Option<&Script>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            function: function.to_owned(),
            position: known(file, position, script),
            calls: Vec::new(),
            again: None,
        }
    }

    /// An error that was thrown again is where it arose.
    fn go_to_origin(&mut self, error: &EvalAltResult, script: Option<&Script>) {
        let EvalAltResult::ErrorRuntime(value, _) = error else { return };
        let Some(origin) = errors::origin(value) else { return };
        let file = if origin.file.is_empty() { self.file.clone() } else { origin.file };
        let position = known(&file, origin.position, script);
        if position.is_some() && (position != self.position || file != self.file) {
            self.again = Some(format!("{self} in {}", self.function));
            (self.file, self.position) = (file, position);
        }
    }

    pub(super) fn is_known(&self) -> bool {
        self.position.is_some()
    }

    /// Adds how the script got to where this begins.
    pub(super) fn called_from(&mut self, outer: &Trace) {
        let call = outer.is_known().then(|| format!("{outer} in {}", outer.function));
        // What called the function may have told its place already.
        self.calls.extend(call.filter(|call| self.calls.last() != Some(call)));
        self.calls.extend(outer.calls.iter().cloned());
    }
}

/// `file:line:column`
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}:{position}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// A failure as an error of ours, with the lines that show it. `whereabouts` names phase and commit.
pub(super) fn error(
    message: String,
    trace: &Trace,
    script: &Script,
    phase: &str,
    whereabouts: &str,
    host: &dyn Host,
) -> Error {
    let begin = script.phase(phase).map_or(Position::new(1, 1), |phase| phase.position);
    let mask = |text: &str| host.masked(text);
    shown(message, trace, script, begin, &format!(", {whereabouts}"), Vec::new(), &mask)
}

/// The same of an error in any function of a script, with the place where it begins. `say` gives the
/// sentence, and notes that stand before the calls.
pub(super) fn located(
    thrown: &Thrown,
    script: &Script,
    (function, begin): (&str, Position),
    say: impl Fn(&EvalAltResult) -> (String, Vec<String>),
) -> Error {
    let (trace, innermost) = trace(thrown, &script.main.source.name, function, Some(script));
    let (message, notes) = say(innermost);
    shown(message, &trace, script, begin, "", notes, &str::to_owned)
}

/// `mask` takes secrets out of the line that is shown.
fn shown(
    message: String,
    trace: &Trace,
    script: &Script,
    begin: Position,
    whereabouts: &str,
    mut notes: Vec<String>,
    mask: &dyn Fn(&str) -> String,
) -> Error {
    let report = Error::new(ErrorKind::Script, message).with_path(trace.file.clone());
    let Some(source) = script.source(&trace.file) else { return report };
    // Where nothing is known the function is all there is.
    let position = trace.position.unwrap_or(begin);
    let whereabouts = match &trace.again {
        // In which function it arose nobody knows any more.
        Some(_) => format!(" in {}", whereabouts.trim_start_matches(", ")),
        None => format!(" in {}{whereabouts}", trace.function),
    };
    notes.extend(trace.again.iter().map(|again| format!("thrown again at {again}")));
    notes.extend(trace.calls.iter().map(|call| format!("called from {call}")));
    let lines = excerpt(source, position, &whereabouts, &notes, mask);
    report.with_position(position).with_excerpt(lines)
}

/// A place as it stands in the file.
fn known(file: &str, position: RhaiPosition, script: Option<&Script>) -> Option<Position> {
    let at = (!position.is_none()).then(|| place(position))?;
    let source = script.and_then(|script| script.source(file));
    Some(source.map_or(at, |source| source.original(at)))
}

/// Where an error is, and the error itself. The engine pairs the file of the function called with
/// the place of the call: a frame's place belongs to the file of the frame around it.
pub(super) fn trace<'e>(
    thrown: &'e EvalAltResult,
    file: &str,
    function: &str,
    script: Option<&Script>,
) -> (Trace, &'e EvalAltResult) {
    let mut trace = Trace::at(file, function, RhaiPosition::NONE, script);
    let mut innermost = thrown;
    loop {
        let (name, file, inner, position) = match innermost {
            EvalAltResult::ErrorInFunctionCall(name, file, inner, position) => {
                (function_name(name), file.as_str(), inner, *position)
            }
            EvalAltResult::ErrorInModule(file, inner, position) => {
                ("the top of the module".to_owned(), file.as_str(), inner, *position)
            }
            _ => break,
        };
        if let Some(position) = known(&trace.file, position, script) {
            let call = format!("{}:{position} in {}", trace.file, trace.function);
            trace.calls.insert(0, call);
        }
        if !file.is_empty() {
            trace.file = file.to_owned();
        }
        trace.function = name;
        innermost = inner;
    }
    trace.position = known(&trace.file, innermost.position(), script);
    trace.go_to_origin(innermost, script);
    (trace, innermost)
}

fn function_name(name: &str) -> String {
    if is_closure(name) { "closure".to_owned() } else { name.to_owned() }
}

/// What is wrong, in one sentence.
pub(super) fn message(error: &EvalAltResult, script: Option<&Script>) -> String {
    if let Some(command) = command_error(error) {
        return command.message();
    }
    if steps::are_spent(error) {
        return steps::TOO_MANY.to_owned();
    }
    if let Some(failures) = Failures::of(error) {
        return Failures(failures).message();
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
        EvalAltResult::ErrorTooManyOperations(_) => steps::TOO_MANY.to_owned(),
        EvalAltResult::ErrorStackOverflow(_) => {
            "the script calls too deep: a function may call itself without end".to_owned()
        }
        EvalAltResult::ErrorDataTooLarge(kind, _) => {
            format!("{} grows too large", message::plain(kind))
        }
        EvalAltResult::ErrorMismatchDataType(wanted, found, _) => {
            format!("expected {}, found {}", type_name(wanted), type_name(found))
        }
        EvalAltResult::ErrorTerminated(reason, _) if reason.is_string() => reason.to_string(),
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

/// A function of ours is called with more or fewer arguments than it takes.
pub(super) fn wrong_count(function: &registry::Function, arguments: usize) -> String {
    format!("`{}` cannot be called with {}", function.signature(), counted(arguments))
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
