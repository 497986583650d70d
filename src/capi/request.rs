//! [`tinyci_request`]: something that a run asks its host for, and the answer.

use std::{
    ffi::{CString, c_char},
    sync::{Arc, OnceLock},
};

use super::{
    ask::{Answer, PendingRequest, Subject},
    error::{ErrorOut, Failure},
    event::{StreamNumber, TINYCI_STREAM_STDERR, TINYCI_STREAM_STDOUT},
    guard,
    handle::{Handle, Sealed, handle},
    status::{TINYCI_AGAIN, TINYCI_OK, tinyci_code},
    text::{CBytes, CText, borrowed, c_path, c_text},
};
use crate::{
    Error, ErrorKind, Value, Vars,
    executor::{Exit, Output, Stream},
    pipeline::StepName,
};

/// The kind of a value that a script passes.
pub type ValueNumber = i32;

/// Nothing: `()` in a script, `null` in JSON.
pub const TINYCI_VALUE_NULL: ValueNumber = 1;
/// `true` or `false`.
pub const TINYCI_VALUE_BOOL: ValueNumber = 2;
/// A whole number of 64 bits.
pub const TINYCI_VALUE_INT: ValueNumber = 3;
/// A number with a fraction.
pub const TINYCI_VALUE_FLOAT: ValueNumber = 4;
/// A text.
pub const TINYCI_VALUE_STRING: ValueNumber = 5;
/// An array, to be read as JSON.
pub const TINYCI_VALUE_ARRAY: ValueNumber = 6;
/// An object map, to be read as JSON.
pub const TINYCI_VALUE_MAP: ValueNumber = 7;

/// Something that a run asks its host for. Owned by the host once it was taken; only the job that
/// asked waits for the answer, as long as its limits and cancels let it.
///
/// It is answered once, from any thread, now or later. The functions that answer it take it for
/// good, also if they give an error: it must not be used or freed after them.
///
/// There are three ways not to give what is asked for. `tinyci_request_fail` refuses: the step fails,
/// and so does the commit, for good. `tinyci_request_abort` says that the host itself failed: there is
/// no verdict, and the commit is tried again; an answer that gives `TINYCI_INVALID_ARG` says the same.
/// One that is freed without an answer fails its step, so that nothing turns green by an oversight.
pub struct tinyci_request(Sealed<Request>);

handle!(tinyci_request, Request, "request");

/// What is behind it. Texts are made when they are asked for.
pub struct Request {
    asked: Arc<PendingRequest>,
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

/// One argument's texts.
#[derive(Default)]
struct Argument {
    text: OnceLock<Option<CString>>,
    json: OnceLock<CString>,
}

impl tinyci_request {
    pub(super) fn of(asked: Arc<PendingRequest>) -> Self {
        let count = match &asked.subject {
            Subject::Function { arguments, .. } => arguments.len(),
            _ => 0,
        };
        tinyci_request::new(Request {
            asked,
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
    /// Without an answer the step fails.
    fn drop(&mut self) {
        self.asked.leave();
    }
}

impl Request {
    fn name(&self) -> String {
        match &self.asked.subject {
            Subject::Hook(hook, _) => StepName::from(*hook).to_string(),
            Subject::Function { name, .. } | Subject::Secret(name) => name.clone(),
            Subject::Approval { environment, .. } => environment.clone(),
            Subject::Command(command) => command.program.to_string(),
        }
    }

    fn argument(&self, index: usize) -> Option<(&Value, &Argument)> {
        match &self.asked.subject {
            Subject::Function { arguments, .. } => {
                arguments.get(index).zip(self.arguments.get(index))
            }
            _ => None,
        }
    }

    /// Answers, if that is an answer to what was asked.
    fn answer(&self, function: &str, answer: Answer) -> Result<(), Failure> {
        let fits = match (&self.asked.subject, &answer) {
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
            let message = format!("`{function}` does not answer {}", what(&self.asked.subject));
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        Ok(self.asked.answer(answer)?)
    }
}

/// Has a request answered, and takes it for good. An answer that cannot be used is a mistake of the
/// host's, not the commit's.
fn answered(
    request: Option<Box<tinyci_request>>,
    err: ErrorOut<'_>,
    answer: impl FnOnce(&mut Request) -> Result<(), Failure>,
) -> tinyci_code {
    guard::consume(request, err, |mut request| {
        answer(&mut request).inspect_err(|failure| {
            // If the answer came too late, this one does too.
            let _ = request.asked.answer(Answer::Aborted { message: failure.to_string(), code: 0 });
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

/// A text that is made once.
fn made(cell: &OnceLock<CString>, text: impl FnOnce() -> String) -> *const c_char {
    borrowed(Some(cell.get_or_init(|| c_text(&text()))))
}

/// What is asked for: the hook's name, the function's, the secret's, the environment that is to be
/// approved of, or the command in one line as people read it; `tinyci_request_command_json` has it
/// as it is to be run.
///
/// @param request  The request, or NULL.
/// @return The name, which lives as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_name(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| made(&request.name, || request.name()))
}

/// The commit in work.
///
/// @param request  The request, or NULL.
/// @return The full id in hexadecimal digits, which lives as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_commit(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        made(&request.commit, || request.asked.context.commit.id.to_string())
    })
}

/// The attempt that asks: what `tinyci_event_job_id` gives of its events.
///
/// @param request  The request, or NULL.
/// @return The name of the attempt, which lives as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_job_id(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| made(&request.job, || request.asked.context.job_id.to_string()))
}

/// The phase or hook that asks.
///
/// @param request  The request, or NULL.
/// @return Its name, such as `build`, which lives as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_step(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| made(&request.step, || request.asked.context.step.to_string()))
}

/// The branch of a script's `parallel`, or its group, that asks.
///
/// @param request  The request, or NULL.
/// @return The label, which lives as long as the request; NULL where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_label(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        let label = || request.asked.context.label.as_deref().map(c_text);
        borrowed(request.label.get_or_init(label).as_ref())
    })
}

/// What a script asks in an APPROVAL, for the person who decides.
///
/// @param request  The request, or NULL.
/// @return The question, which lives as long as the request; NULL where the config only says that
///         somebody has to approve, for other requests and NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_question(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        let Subject::Approval { question, .. } = &request.asked.subject else {
            return std::ptr::null();
        };
        borrowed(request.question.get_or_init(|| question.as_deref().map(c_text)).as_ref())
    })
}

/// The folder that holds the commit's tree; of an APPROVAL, the one that will.
///
/// @param request  The request, or NULL.
/// @return The path, which lives as long as the request; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_export_dir(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| {
        let path = || c_path(&request.asked.context.export_dir);
        borrowed(Some(request.export_dir.get_or_init(path)))
    })
}

/// Whether nobody waits for the answer any more, so that long work can end early: the run was
/// canceled, its time is over, or it was freed.
///
/// @param request  The request, or NULL.
/// @return 1 if so, else 0; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_canceled(request: Option<&tinyci_request>) -> i32 {
    guard::peek(request, |request| i32::from(request.asked.is_canceled()))
}

/// How many arguments a function was called with.
///
/// @param request  The request, or NULL.
/// @return Their number; 0 for other requests and NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_arg_count(request: Option<&tinyci_request>) -> usize {
    guard::peek(request, |request| request.arguments.len())
}

/// What kind of value an argument is.
///
/// @param request  The request, or NULL.
/// @param index    Which argument, from 0.
/// @return One of `TINYCI_VALUE_*`; 0 where there is none.
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

/// The number that an INT argument is, or 1 and 0 for a BOOL.
///
/// @param request  The request, or NULL.
/// @param index    Which argument, from 0.
/// @return The number; 0 where the argument is neither or there is none.
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

/// The number that a FLOAT argument is, or an INT.
///
/// @param request  The request, or NULL.
/// @param index    Which argument, from 0.
/// @return The number; 0 where the argument is neither or there is none.
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

/// The text that a STRING argument is.
///
/// @param request  The request, or NULL.
/// @param index    Which argument, from 0.
/// @return The text, which lives as long as the request; NULL where the argument is none. A NUL in
///         it is U+FFFD here, and `\u0000` in the JSON.
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

/// An argument of any kind, as JSON.
///
/// @param request  The request, or NULL.
/// @param index    Which argument, from 0.
/// @return The JSON, which lives as long as the request; NULL where there is no such argument.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_arg_json(
    request: Option<&tinyci_request>,
    index: usize,
) -> *const c_char {
    guard::peek(request, |request| {
        let Some((value, texts)) = request.argument(index) else { return std::ptr::null() };
        made(&texts.json, || value.to_json())
    })
}

/// The command of a COMMAND, as one object of JSON: `shell`, a text for `/bin/sh -c`, or `argv`;
/// `cwd`; `env`, the whole environment that it is to have, and `env_hex`, if there are any, those of
/// its variables whose name or value is not UTF-8, as pairs in hex that take the place of what `env`
/// has; `nice`, how far it is to stand back when others need the processor, if at all; `input`, and
/// `input_hex` where that is not UTF-8, for its standard input, which is empty without; `timeout_ms`,
/// how long it may still take; `output`, `merged` or `split`: whether the two streams are told apart.
///
/// @param request  The request, or NULL.
/// @return The JSON, which lives as long as the request; NULL for other requests and NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_command_json(request: Option<&tinyci_request>) -> *const c_char {
    guard::peek(request, |request| match &request.asked.subject {
        Subject::Command(command) => made(&request.command, || command.to_json()),
        _ => std::ptr::null(),
    })
}

/// Sets a variable that the commands from here on can use in a tag, once the hook has passed.
///
/// @param request  The request of a HOOK, which goes on to be the host's.
/// @param name     The variable's name: `a`-`z`, digits and `_`, and none of tinyci's own. Copied.
/// @param value    Its value: any text. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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
        if !matches!(request.asked.subject, Subject::Hook(..)) {
            let message = "only a hook sets variables";
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        Ok(request.vars.set_own(name.required("name")?, value.required("value")?)?)
    })
}

/// Answers a HOOK: it passed, and the config's own hook of that name comes next; or an APPROVAL: the
/// deployment may go on, and its record says that the host approved. To have it say who, answer with
/// `tinyci_request_return_string`.
///
/// @param request  The request, which is gone then.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CANCELED` if nobody waits for it any more; `TINYCI_INVALID_ARG` if
///         this is no answer to that request, which fails then.
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

/// Answers a HOOK: it passed, and what the config has there is left out.
///
/// @param request  The request, which is gone then.
/// @param reason   Why, for the record; NULL for no reason. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return As `tinyci_request_ok`.
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
        let reason = reason.optional("reason")?.unwrap_or("the host said so").to_owned();
        request.answer("tinyci_request_skip", Answer::Skipped { reason, vars })
    })
}

/// Answers any request: the host refuses. That is a decision about the commit, whose step fails,
/// unless a script catches the error of a function, a secret or a command.
///
/// Where the host's own machinery failed, `tinyci_request_abort` is the answer.
///
/// @param request  The request, which is gone then.
/// @param message  Why, for the record; NULL for no reason. Copied.
/// @param code     A number of the host's own, which stands in the record behind the message; 0 for
///                 none.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CANCELED` if nobody waits for it any more.
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
        let message = message.lossy().unwrap_or_else(|| "the host failed the request".to_owned());
        request.answer("tinyci_request_fail", Answer::Failed { message, code })
    })
}

/// Answers any request: the host cannot answer it, since its own machinery failed, such as a vault
/// that is down, or a bug in its code.
///
/// That says nothing about the commit: no script can catch it, only `after_all` still runs, and the
/// attempt ends with `TINYCI_OUTCOME_ERROR`, to be tried again by a later run as often as
/// attempts are allowed. `after_all` itself decides nothing, also by this. A deployment fails, and
/// says why; one that asks for an approval before it begins does not begin, and `tinyci_run_next`
/// gives `TINYCI_HOST_FAULT`.
///
/// @param request  The request, which is gone then.
/// @param message  What failed, for the record; NULL for no reason. Copied.
/// @param code     A number of the host's own, which stands in the record behind the message; 0 for
///                 none.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CANCELED` if nobody waits for it any more.
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
        let message = message.lossy().unwrap_or_else(|| "the host did not say why".to_owned());
        request.answer("tinyci_request_abort", Answer::Aborted { message, code })
    })
}

/// Answers a FUNCTION with nothing; or a SECRET: the host has none of this name, and the folder of
/// `tinyci.secretsDir` is looked into; or an APPROVAL: nobody has approved yet, and the deployment
/// waits.
///
/// @param request  The request, which is gone then.
/// @param err      Where the error is to be stored, or NULL.
/// @return As `tinyci_request_ok`.
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

/// Answers a FUNCTION with a truth value.
///
/// @param request  The request, which is gone then.
/// @param value    0 for false, anything else for true.
/// @param err      Where the error is to be stored, or NULL.
/// @return As `tinyci_request_ok`.
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

/// Answers a FUNCTION with a whole number.
///
/// @param request  The request, which is gone then.
/// @param value    The number.
/// @param err      Where the error is to be stored, or NULL.
/// @return As `tinyci_request_ok`.
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

/// Answers a FUNCTION with a number with a fraction.
///
/// @param request  The request, which is gone then.
/// @param value    The number.
/// @param err      Where the error is to be stored, or NULL.
/// @return As `tinyci_request_ok`.
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

/// Answers a FUNCTION or a SECRET with a text; or an APPROVAL with who approves, such as
/// `Ada <ada@example.org>`, which the record keeps.
///
/// @param request  The request, which is gone then.
/// @param value    The text. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return As `tinyci_request_ok`; also `TINYCI_INVALID_ARG` for NULL and what is not UTF-8, and for
///         an approval by nobody.
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

/// Answers a SECRET with any bytes.
///
/// @param request  The request, which is gone then.
/// @param value    The bytes. Copied.
/// @param len      Their number.
/// @param err      Where the error is to be stored, or NULL.
/// @return As `tinyci_request_ok`; also `TINYCI_INVALID_ARG` for NULL with a number above 0.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_return_bytes(
    request: Option<Box<tinyci_request>>,
    value: CBytes<'_>,
    len: usize,
    err: ErrorOut<'_>,
) -> tinyci_code {
    answered(request, err, |request| {
        let value = value.of_length(len, "value")?.to_vec();
        request.answer("tinyci_request_return_bytes", Answer::Bytes(value))
    })
}

/// Answers a FUNCTION with any value, such as an array or a map.
///
/// @param request  The request, which is gone then.
/// @param value    The value as JSON. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return As `tinyci_request_ok`; also `TINYCI_INVALID_ARG` for what is not JSON.
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

/// Passes on what a COMMAND writes. It comes back as OUTPUT events, masked.
///
/// It never waits. Where much of it is still to be passed on nothing is taken, and the host pulls
/// events with `tinyci_run_next` before it tries again.
///
/// @param request  The request, which goes on to be the host's.
/// @param stream   `TINYCI_STREAM_STDOUT`, also for both at once, or `TINYCI_STREAM_STDERR`.
/// @param data     Any bytes, cut anywhere. Copied.
/// @param len      Their number.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_AGAIN` if nothing was taken; `TINYCI_CANCELED` if nobody waits for
///         the command any more: end it; `TINYCI_INVALID_ARG` for other requests.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_command_output(
    request: Option<&mut tinyci_request>,
    stream: StreamNumber,
    data: CBytes<'_>,
    len: usize,
    err: ErrorOut<'_>,
) -> tinyci_code {
    let mut taken = true;
    let status = guard::set(request, err, |request| {
        taken = command_output(request, stream, data.of_length(len, "data")?)?;
        Ok(())
    });
    if status == TINYCI_OK && !taken { TINYCI_AGAIN } else { status }
}

fn command_output(request: &Request, stream: i32, data: &[u8]) -> Result<bool, Failure> {
    if !matches!(request.asked.subject, Subject::Command(_)) {
        let message = "only a command has output";
        return Err(Error::new(ErrorKind::InvalidArg, message).into());
    }
    let stream = match stream {
        TINYCI_STREAM_STDOUT => Stream::Stdout,
        TINYCI_STREAM_STDERR => Stream::Stderr,
        _ => {
            let message = format!("`stream` is {stream}, which is none of TINYCI_STREAM_*");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
    };
    Ok(request.asked.add_output(Output { stream, bytes: data.to_vec() })?)
}

/// Answers a COMMAND: it has ended.
///
/// @param request    The request, which is gone then.
/// @param exit_code  Its exit code; not looked at if a signal ended it.
/// @param signal     The number of the signal that ended it; 0 for none.
/// @param err        Where the error is to be stored, or NULL.
/// @return As `tinyci_request_ok`. One that was ended because the run was canceled, or late, may be
///         answered in any way.
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

/// Frees a request. Without an answer its step fails.
///
/// @param request  The request, which is gone then, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_request_free(request: Option<Box<tinyci_request>>) {
    guard::free(request);
}
