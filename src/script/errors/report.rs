//! Reports of a running script's errors: message, position and calls.

use rhai::{EvalAltResult, Position as RhaiPosition};

use super::{
    command_error::command_error,
    failure::Failure,
    message, script_error,
    trace::{Trace, known},
};
use crate::{
    model::{
        error::{Error, ErrorKind, Position},
        outcome::Exit,
        step::Host,
    },
    script::{
        syntax::{nodes::is_closure, script::Script},
        text::excerpt::excerpt,
        values::thrown::Thrown,
    },
};

/// Returns the error for a failure, with an excerpt. `suffix` names the step and the commit.
pub(in crate::script) fn error(
    message: String,
    trace: &Trace,
    script: &Script,
    step: &str,
    suffix: &str,
    host: &dyn Host,
) -> Error {
    let begin = script.step(step).map_or(Position::new(1, 1), |function| function.position);
    let mask = |text: &str| host.masked(text);
    shown(message, trace, script, begin, &format!(", {suffix}"), Vec::new(), &mask)
}

/// Returns the error for an error in a function of a script. `describe` returns the message, and
/// notes that come before the calls.
pub(in crate::script) fn located(
    thrown: &Thrown,
    script: &Script,
    function: &str,
    begin: Position,
    describe: impl Fn(&EvalAltResult) -> (String, Vec<String>),
) -> Error {
    let (trace, innermost) = trace(thrown, &script.main.source.name, function, Some(script));
    let (message, notes) = describe(innermost);
    shown(message, &trace, script, begin, "", notes, &str::to_owned)
}

/// Builds the error. `mask` removes secrets from the line in the excerpt.
fn shown(
    message: String,
    trace: &Trace,
    script: &Script,
    begin: Position,
    suffix: &str,
    mut notes: Vec<String>,
    mask: &dyn Fn(&str) -> String,
) -> Error {
    let report = Error::new(ErrorKind::Script, message).with_path(trace.file.clone());
    let Some(source) = script.source(&trace.file) else { return report };
    // If the position is not known, the function's position is used.
    let position = trace.position.unwrap_or(begin);
    let suffix = match &trace.again {
        // The function in which it first occurred is no longer known.
        Some(_) => format!(" in {}", suffix.trim_start_matches(", ")),
        None => format!(" in {}{suffix}", trace.function),
    };
    notes.extend(trace.again.iter().map(|again| format!("thrown again at {again}")));
    notes.extend(trace.calls.iter().map(|call| format!("called from {call}")));
    let lines = excerpt(source, position, &suffix, &notes, mask);
    report.with_position(position).with_excerpt(lines)
}

/// Returns the trace of an error, and the innermost error. The engine pairs the file of the called
/// function with the position of the call. So a position belongs to the file of the enclosing call.
pub(in crate::script) fn trace<'e>(
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

impl Trace {
    /// Moves the position of an error that was thrown again to where it first occurred.
    fn go_to_origin(&mut self, error: &EvalAltResult, script: Option<&Script>) {
        let EvalAltResult::ErrorRuntime(value, _) = error else { return };
        let Some(origin) = script_error::origin(value) else { return };
        let file = if origin.file.is_empty() { self.file.clone() } else { origin.file };
        let position = known(&file, origin.position, script);
        if position.is_some() && (position != self.position || file != self.file) {
            self.again = Some(format!("{self} in {}", self.function));
            (self.file, self.position) = (file, position);
        }
    }
}

impl Failure {
    /// Converts an error into a failure. `begin` is the code in which its calls began.
    pub(in crate::script) fn of(
        error: &EvalAltResult,
        file: &str,
        function: &str,
        script: Option<&Script>,
    ) -> Self {
        let command = command_error(error).map(|command| command.failed);
        let is_timeout = command.as_ref().is_some_and(|command| command.exit == Exit::TimedOut);
        let (trace, innermost) = trace(error, file, function, script);
        let message = message::message(innermost, script);
        Self { trace: Some(trace), command, is_timeout, ..Self::new(message) }
    }
}
