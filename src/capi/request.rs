//! [`tinyci_request`]: a request to the host program, and its answer.

use std::{
    ffi::{CString, c_char},
    sync::{Arc, OnceLock},
};

use super::{
    code::{TINYCI_AGAIN, TINYCI_OK, tinyci_code},
    error::{ErrorOut, Failure},
    event::{StreamNumber, TINYCI_STREAM_STDERR, TINYCI_STREAM_STDOUT},
    guard,
    handle::{Handle, Sealed, handle},
    pending_request::{Answer, PendingRequest, Subject},
    text::{CBytes, CText, borrowed, c_path, c_text},
};
use crate::{
    Error, ErrorKind, Value, Vars,
    executor::{Exit, Output, Stream},
    pipeline::StepName,
};

/// The type of a value that a script passes.
pub type ValueNumber = i32;

/// `()` in a script, `null` in JSON.
pub const TINYCI_VALUE_NULL: ValueNumber = 1;
/// `true` or `false`.
pub const TINYCI_VALUE_BOOL: ValueNumber = 2;
/// A 64-bit integer.
pub const TINYCI_VALUE_INT: ValueNumber = 3;
/// A floating-point number.
pub const TINYCI_VALUE_FLOAT: ValueNumber = 4;
/// A string.
pub const TINYCI_VALUE_STRING: ValueNumber = 5;
/// An array, which you read as JSON.
pub const TINYCI_VALUE_ARRAY: ValueNumber = 6;
/// A map, which you read as JSON.
pub const TINYCI_VALUE_MAP: ValueNumber = 7;

/// A request of a run to your program. You own it after you take it. Only the job that made the
/// request waits for the answer, until it is canceled or its time limit is over.
///
/// Answer it once, from any thread, now or later. The functions that answer it consume it, also if
/// they return an error: do not use or free it afterwards.
///
/// There are three ways not to give an answer. `tinyci_request_fail` refuses: the step and the
/// commit fail. `tinyci_request_abort` says that your program itself failed: the commit gets no
/// verdict and is tested again. An answer that returns `TINYCI_INVALID_ARG` also aborts. If you
/// free a request without an answer, its step fails, so that no commit becomes green by mistake.
pub struct tinyci_request(Sealed<Request>);

handle!(tinyci_request, Request, "request");

/// The contents of a [`tinyci_request`]. Strings are created on first use.
pub struct Request {
    pending: Arc<PendingRequest>,
    vars: Vars,
    name: OnceLock<CString>,
    commit: OnceLock<CString>,
    step: OnceLock<CString>,
    job: OnceLock<CString>,
    label: OnceLock<Option<CString>>,
    question: OnceLock<Option<CString>>,
    export_dir: OnceLock<CString>,
    command: OnceLock<CString>,
    arguments: Vec<Argument>,
}

/// The strings of an argument.
#[derive(Default)]
struct Argument {
    text: OnceLock<Option<CString>>,
    json: OnceLock<CString>,
}

impl tinyci_request {
    pub(super) fn of(pending: Arc<PendingRequest>) -> Self {
        let count = match &pending.subject {
            Subject::Function { arguments, .. } => arguments.len(),
            _ => 0,
        };
        tinyci_request::new(Request {
            pending,
            vars: Vars::new(),
            name: OnceLock::new(),
            commit: OnceLock::new(),
            step: OnceLock::new(),
            job: OnceLock::new(),
            label: OnceLock::new(),
            question: OnceLock::new(),
            export_dir: OnceLock::new(),
            command: OnceLock::new(),
            arguments: std::iter::repeat_with(Argument::default).take(count).collect(),
        })
    }
}

impl Drop for Request {
    /// Fails the step if there was no answer.
    fn drop(&mut self) {
        self.pending.leave();
    }
}

impl Request {
    fn name(&self) -> String {
        match &self.pending.subject {
            Subject::Hook(hook, _) => StepName::from(*hook).to_string(),
            Subject::Function { name, .. } | Subject::Secret(name) => name.clone(),
            Subject::Approval { environment, .. } => environment.clone(),
            Subject::Command(command) => command.program.to_string(),
        }
    }

    fn argument(&self, index: usize) -> Option<(&Value, &Argument)> {
        match &self.pending.subject {
            Subject::Function { arguments, .. } => {
                arguments.get(index).zip(self.arguments.get(index))
            }
            _ => None,
        }
    }

    /// Answers the request, if this kind of answer fits.
    fn answer(&self, function: &str, answer: Answer) -> Result<(), Failure> {
        let fits = match (&self.pending.subject, &answer) {
            (_, Answer::Failed { .. } | Answer::Aborted { .. })
            | (Subject::Hook(..), Answer::Passed(_) | Answer::Skipped { .. })
            | (Subject::Function { .. }, Answer::Value(_))
            | (Subject::Secret(_), Answer::Bytes(_))
            | (Subject::Secret(_), Answer::Value(Value::Null | Value::String(_)))
            | (Subject::Approval { .. }, Answer::Passed(_) | Answer::Value(Value::Null))
            | (Subject::Command(_), Answer::Exited(_)) => true,
            (Subject::Approval { .. }, Answer::Value(Value::String(who))) => !who.trim().is_empty(),
            _ => false,
        };
        if !fits {
            let message = format!("`{function}` cannot answer {}", what(&self.pending.subject));
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        Ok(self.pending.answer(answer)?)
    }
}

/// Answers and consumes a request. An invalid answer is a mistake of the host program, not of the
/// commit, so it aborts the request.
fn answered(
    request: Option<Box<tinyci_request>>,
    err: ErrorOut<'_>,
    answer: impl FnOnce(&mut Request) -> Result<(), Failure>,
) -> tinyci_code {
    guard::consume(request, err, |mut request| {
        answer(&mut request).inspect_err(|failure| {
            // If the first answer came too late, so does this one.
            let _ =
                request.pending.answer(Answer::Aborted { message: failure.to_string(), code: 0 });
        })
    })
}

fn what(subject: &Subject) -> &'static str {
    match subject {
        Subject::Hook(..) => "a hook",
        Subject::Function { .. } => "a function",
        Subject::Secret(_) => "a request for a secret",
        Subject::Approval { .. } => "a request for an approval",
        Subject::Command(_) => "a command",
    }
}

fn value_kind(value: &Value) -> i32 {
    match value {
        Value::Null => TINYCI_VALUE_NULL,
        Value::Bool(_) => TINYCI_VALUE_BOOL,
        Value::Int(_) => TINYCI_VALUE_INT,
        Value::Float(_) => TINYCI_VALUE_FLOAT,
        Value::String(_) => TINYCI_VALUE_STRING,
        Value::Array(_) => TINYCI_VALUE_ARRAY,
        Value::Map(_) => TINYCI_VALUE_MAP,
    }
}

/// Returns a string that is created once.
fn cached(cell: &OnceLock<CString>, text: impl FnOnce() -> String) -> *const c_char {
    borrowed(Some(cell.get_or_init(|| c_text(&text()))))
}

/// Returns the name that a request is about: the hook, the function, the secret, or the environment
/// to approve. For a COMMAND, returns the command as one line for people; to run it, use
/// `tinyci_request_command_json`.
///
/// @param request  The request, or NULL.
/// @return The name, valid as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_name(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| cached(&request.name, || request.name()))
}

/// Returns the commit that is being tested or deployed.
///
/// @param request  The request, or NULL.
/// @return The full id in hexadecimal digits, valid as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_commit(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        cached(&request.commit, || request.pending.context.commit.id.to_string())
    })
}

/// Returns the id of the job that made the request. `tinyci_event_job_id` returns the same for its
/// events.
///
/// @param request  The request, or NULL.
/// @return The job id, valid as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_job_id(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        cached(&request.job, || request.pending.context.job_id.to_string())
    })
}

/// Returns the step that made the request.
///
/// @param request  The request, or NULL.
/// @return The name, such as `build`, valid as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_step(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        cached(&request.step, || request.pending.context.step.to_string())
    })
}

/// Returns the label of the `parallel` task or group of a script that made the request.
///
/// @param request  The request, or NULL.
/// @return The label, valid as long as the request; NULL if there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_label(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        let label = || request.pending.context.label.as_deref().map(c_text);
        borrowed(request.label.get_or_init(label).as_ref())
    })
}

/// Returns the question of a script for the person who approves.
///
/// @param request  The request, or NULL.
/// @return The question, valid as long as the request; NULL if the config only requires an
///         approval, for other kinds of requests, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_question(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        let Subject::Approval { question, .. } = &request.pending.subject else {
            return std::ptr::null();
        };
        borrowed(request.question.get_or_init(|| question.as_deref().map(c_text)).as_ref())
    })
}

/// Returns the export directory, which contains the commit's files. For an APPROVAL, it may not
/// exist yet.
///
/// @param request  The request, or NULL.
/// @return The path, valid as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_export_dir(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        let path = || c_path(&request.pending.context.export_dir);
        borrowed(Some(request.export_dir.get_or_init(path)))
    })
}

/// Returns whether the answer is no longer needed, so that you can stop long work early: the run
/// was canceled or freed, or a time limit is over.
///
/// @param request  The request, or NULL.
/// @return 1 if it is no longer needed, else 0; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_canceled(request: Option<&tinyci_request>) -> i32 {
    guard::peek(request, |request| i32::from(request.pending.is_canceled()))
}

/// Returns how many arguments a function was called with.
///
/// @param request  The request, or NULL.
/// @return The number of arguments; 0 for other kinds of requests and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_arg_count(request: Option<&tinyci_request>) -> usize {
    guard::peek(request, |request| request.arguments.len())
}

/// Returns the type of an argument.
///
/// @param request  The request, or NULL.
/// @param index    The index of the argument, from 0.
/// @return One of `TINYCI_VALUE_*`; 0 if there is no such argument.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_arg_kind(
    request: Option<&tinyci_request>,
    index: usize,
) -> ValueNumber {
    guard::peek(request, |request| {
        request.argument(index).map_or(0, |(value, _)| value_kind(value))
    })
}

/// Returns the value of an INT argument; for a BOOL, 1 or 0.
///
/// @param request  The request, or NULL.
/// @param index    The index of the argument, from 0.
/// @return The value; 0 for other types, and if there is no such argument.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_arg_int(request: Option<&tinyci_request>, index: usize) -> i64 {
    guard::peek(request, |request| match request.argument(index) {
        Some((Value::Int(number), _)) => *number,
        Some((Value::Bool(truth), _)) => i64::from(*truth),
        _ => 0,
    })
}

/// Returns the value of a FLOAT or INT argument.
///
/// @param request  The request, or NULL.
/// @param index    The index of the argument, from 0.
/// @return The value; 0 for other types, and if there is no such argument.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_arg_float(request: Option<&tinyci_request>, index: usize) -> f64 {
    guard::peek(request, |request| match request.argument(index) {
        Some((Value::Float(number), _)) => *number,
        Some((Value::Int(number), _)) => *number as f64,
        _ => 0.0,
    })
}

/// Returns the value of a STRING argument.
///
/// @param request  The request, or NULL.
/// @param index    The index of the argument, from 0.
/// @return The string, valid as long as the request; NULL for other types, and if there is no such
///         argument. U+FFFD replaces NUL characters; in `tinyci_request_arg_json`, they are
///         `\u0000`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_arg_string(
    request: Option<&tinyci_request>,
    index: usize,
) -> *const c_char {
    guard::peek(request, |request| {
        let Some((value, texts)) = request.argument(index) else { return std::ptr::null() };
        borrowed(texts.text.get_or_init(|| value.as_str().map(c_text)).as_ref())
    })
}

/// Returns an argument of any type as JSON.
///
/// @param request  The request, or NULL.
/// @param index    The index of the argument, from 0.
/// @return The JSON, valid as long as the request; NULL if there is no such argument.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_arg_json(
    request: Option<&tinyci_request>,
    index: usize,
) -> *const c_char {
    guard::peek(request, |request| {
        let Some((value, texts)) = request.argument(index) else { return std::ptr::null() };
        cached(&texts.json, || value.to_json())
    })
}

/// Returns the command of a COMMAND request as a JSON object:
///
/// `shell` is a string for `/bin/sh -c`; a command has either it or `argv`. `cwd` is the working
/// directory. `env` is the complete environment. `env_hex` contains the variables whose name or
/// value is not UTF-8, as pairs of hexadecimal strings; they replace those in `env`. `nice` is the
/// niceness, 0 if absent. `input` is the standard input, or `input_hex` if it is not UTF-8; without
/// both, it is empty. `timeout_ms` is the time left for the command; without it, there is no limit.
/// `output` is `merged` or `split`: whether to report the two streams separately.
///
/// @param request  The request, or NULL.
/// @return The JSON, valid as long as the request; NULL for other kinds of requests and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_command_json(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| match &request.pending.subject {
        Subject::Command(command) => cached(&request.command, || command.to_json()),
        _ => std::ptr::null(),
    })
}

/// Sets the value of a placeholder for the commands that follow a hook. It takes effect if the hook
/// passes.
///
/// @param request  The HOOK request. You still have to answer it.
/// @param name     The name: `a`-`z`, digits and `_`. Names that tinyci uses itself are refused.
///                 Copied.
/// @param value    The value: any string. Copied.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_set_var(
    request: Option<&mut tinyci_request>,
    name: CText<'_>,
    value: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(request, err, |request| {
        if !matches!(request.pending.subject, Subject::Hook(..)) {
            let message = "cannot set a variable: the request is not for a hook";
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        Ok(request.vars.set_own(name.required("name")?, value.required("value")?)?)
    })
}

/// Answers a HOOK: it passed, and the config's own hook of that name runs next. Answers an
/// APPROVAL: the deployment may continue, and its record has `the host` as approver. To name a
/// person, use `tinyci_request_return_string`.
///
/// @param request  The request; consumed.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CANCELED` if the answer is no longer needed; `TINYCI_INVALID_ARG`
///         if this function cannot answer this request. The request is then aborted.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_ok(
    request: Option<Box<tinyci_request>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        let vars = std::mem::take(&mut request.vars);
        request.answer("tinyci_request_ok", Answer::Passed(vars))
    })
}

/// Answers a HOOK: it passed, and the config's own hook of that name is skipped.
///
/// @param request  The request; consumed.
/// @param reason   The reason, for the record; NULL for none. Copied.
/// @param err      Where to store the error, or NULL.
/// @return As for `tinyci_request_ok`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_skip(
    request: Option<Box<tinyci_request>>,
    reason: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        let vars = std::mem::take(&mut request.vars);
        let reason = reason.optional("reason")?.unwrap_or("the host program skipped it").to_owned();
        request.answer("tinyci_request_skip", Answer::Skipped { reason, vars })
    })
}

/// Answers any request with a refusal: a decision about the commit. Its step fails, unless a script
/// catches the error of a function, a secret or a command.
///
/// If your program itself failed, use `tinyci_request_abort` instead.
///
/// @param request  The request; consumed.
/// @param message  The reason, for the record; NULL for none. Copied.
/// @param code     A number of your choice, added to the message in the record; 0 for none.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CANCELED` if the answer is no longer needed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_fail(
    request: Option<Box<tinyci_request>>,
    message: CText<'_>,
    code: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        let message =
            message.lossy().unwrap_or_else(|| "the host program refused the request".to_owned());
        request.answer("tinyci_request_fail", Answer::Failed { message, code })
    })
}

/// Aborts any request: your program cannot answer because it failed itself. Examples are a vault
/// that is down and a bug.
///
/// This is not a decision about the commit. Scripts cannot catch it, and of the remaining steps
/// only `after_all` runs. The outcome of the job is `TINYCI_OUTCOME_ERROR`, and a later run tests
/// the commit again until it is out of attempts. If `after_all` itself made the request, the
/// outcome does not change.
///
/// A deployment fails with this reason. If the request was for an approval before the deployment
/// began, it does not begin, and `tinyci_run_next` returns `TINYCI_HOST_FAULT`.
///
/// @param request  The request; consumed.
/// @param message  The reason, for the record; NULL for none. Copied.
/// @param code     A number of your choice, added to the message in the record; 0 for none.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CANCELED` if the answer is no longer needed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_abort(
    request: Option<Box<tinyci_request>>,
    message: CText<'_>,
    code: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        let message = message.lossy().unwrap_or_else(|| "the host program failed".to_owned());
        request.answer("tinyci_request_abort", Answer::Aborted { message, code })
    })
}

/// Answers a FUNCTION with null. Answers a SECRET: your program does not have it, and tinyci looks
/// in the directory `tinyci.secretsDir`. Answers an APPROVAL: there is no decision yet, and the
/// deployment awaits approval.
///
/// @param request  The request; consumed.
/// @param err      Where to store the error, or NULL.
/// @return As for `tinyci_request_ok`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_return_null(
    request: Option<Box<tinyci_request>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        request.answer("tinyci_request_return_null", Answer::Value(Value::Null))
    })
}

/// Answers a FUNCTION with a bool.
///
/// @param request  The request; consumed.
/// @param value    0 for false, any other number for true.
/// @param err      Where to store the error, or NULL.
/// @return As for `tinyci_request_ok`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_return_bool(
    request: Option<Box<tinyci_request>>,
    value: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        request.answer("tinyci_request_return_bool", Answer::Value(Value::Bool(value != 0)))
    })
}

/// Answers a FUNCTION with an integer.
///
/// @param request  The request; consumed.
/// @param value    The value.
/// @param err      Where to store the error, or NULL.
/// @return As for `tinyci_request_ok`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_return_int(
    request: Option<Box<tinyci_request>>,
    value: i64,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        request.answer("tinyci_request_return_int", Answer::Value(Value::Int(value)))
    })
}

/// Answers a FUNCTION with a floating-point number.
///
/// @param request  The request; consumed.
/// @param value    The value.
/// @param err      Where to store the error, or NULL.
/// @return As for `tinyci_request_ok`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_return_float(
    request: Option<Box<tinyci_request>>,
    value: f64,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        request.answer("tinyci_request_return_float", Answer::Value(Value::Float(value)))
    })
}

/// Answers a FUNCTION or a SECRET with a string. Answers an APPROVAL with the person who approves,
/// such as `Ada <ada@example.org>`, for the record.
///
/// @param request  The request; consumed.
/// @param value    The string. Copied.
/// @param err      Where to store the error, or NULL.
/// @return As for `tinyci_request_ok`. Also `TINYCI_INVALID_ARG` for NULL, for a string that is not
///         UTF-8, and for an empty approver.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_return_string(
    request: Option<Box<tinyci_request>>,
    value: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        let value = Value::from(value.required("value")?);
        request.answer("tinyci_request_return_string", Answer::Value(value))
    })
}

/// Answers a SECRET with bytes in any encoding.
///
/// @param request  The request; consumed.
/// @param value    The bytes. Copied.
/// @param length   The number of bytes.
/// @param err      Where to store the error, or NULL.
/// @return As for `tinyci_request_ok`. Also `TINYCI_INVALID_ARG` for NULL with a length above 0.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_return_bytes(
    request: Option<Box<tinyci_request>>,
    value: CBytes<'_>,
    length: usize,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        let value = value.of_length(length, "value")?.to_vec();
        request.answer("tinyci_request_return_bytes", Answer::Bytes(value))
    })
}

/// Answers a FUNCTION with a value of any type, such as an array or a map.
///
/// @param request  The request; consumed.
/// @param value    The value as JSON. Copied.
/// @param err      Where to store the error, or NULL.
/// @return As for `tinyci_request_ok`. Also `TINYCI_INVALID_ARG` for invalid JSON.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_return_json(
    request: Option<Box<tinyci_request>>,
    value: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        let value = Value::from_json(value.required("value")?)?;
        request.answer("tinyci_request_return_json", Answer::Value(value))
    })
}

/// Passes on the output of a COMMAND. It comes back as OUTPUT events, with secrets masked.
///
/// This never waits. If the buffer is full, it takes nothing and returns `TINYCI_AGAIN`: read
/// events with `tinyci_run_next`, then try again.
///
/// @param request  The COMMAND request. You still have to answer it.
/// @param stream   `TINYCI_STREAM_STDOUT`, also for merged streams, or `TINYCI_STREAM_STDERR`.
/// @param data     Bytes in any encoding, cut anywhere. Copied.
/// @param length   The number of bytes.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_AGAIN` if nothing was taken; `TINYCI_CANCELED` if the command is no
///         longer needed: stop it; `TINYCI_INVALID_ARG` for other kinds of requests.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_command_output(
    request: Option<&mut tinyci_request>,
    stream: StreamNumber,
    data: CBytes<'_>,
    length: usize,
    err: ErrorOut<'_>,
) -> tinyci_code {
    let mut taken = true;
    let code = guard::set(request, err, |request| {
        taken = command_output(request, stream, data.of_length(length, "data")?)?;
        Ok(())
    });
    if code == TINYCI_OK && !taken { TINYCI_AGAIN } else { code }
}

fn command_output(request: &Request, stream: i32, data: &[u8]) -> Result<bool, Failure> {
    if !matches!(request.pending.subject, Subject::Command(_)) {
        let message = "cannot pass on output: the request is not for a command";
        return Err(Error::new(ErrorKind::InvalidArg, message).into());
    }
    let stream = match stream {
        TINYCI_STREAM_STDOUT => Stream::Stdout,
        TINYCI_STREAM_STDERR => Stream::Stderr,
        _ => {
            let message = format!("invalid `stream` {stream}: expected one of TINYCI_STREAM_*");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
    };
    Ok(request.pending.add_output(Output { stream, bytes: data.to_vec() })?)
}

/// Answers a COMMAND that has ended.
///
/// @param request    The request; consumed.
/// @param exit_code  The exit code; ignored if a signal ended the command.
/// @param signal     The number of the signal that ended it; 0 for none.
/// @param err        Where to store the error, or NULL.
/// @return As for `tinyci_request_ok`. If you stopped the command because the run was canceled or a
///         time limit was over, any exit code will do.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_command_finish(
    request: Option<Box<tinyci_request>>,
    exit_code: i32,
    signal: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        let exit = if signal == 0 { Exit::Code(exit_code) } else { Exit::Signal(signal) };
        request.answer("tinyci_request_command_finish", Answer::Exited(exit))
    })
}

/// Frees a request. If it was not answered, its step fails.
///
/// @param request  The request, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_free(request: Option<Box<tinyci_request>>) {
    guard::free(request);
}
