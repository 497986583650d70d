//! Errors as scripts see them: the object that `catch` gets, and its string form.
//!
//! The language gives `catch` a map for one of its own errors. Neither that map nor a Rust type
//! name is useful to people. So the map becomes an error object when a script uses a variable that
//! contains it.

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FUNC_TO_DEBUG, FUNC_TO_STRING, ImmutableString, Map,
    NativeCallContext, format_map_as_json,
};

use super::{command_error::CommandError, failure::Failures, place::Place};
use crate::script::values::{conversion::value_of, kind::kind, thrown::Thrown};

/// The error of a function, as `catch` gets it.
#[derive(Clone, Debug)]
pub(in crate::script) struct ScriptError {
    pub(in crate::script) message: String,
    pub(in crate::script) at: Place,
}

/// Registers errors and their string forms.
pub(in crate::script) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<ScriptError>("error")
        .register_get("message", |it: &mut ScriptError| it.message.clone())
        // All errors have these properties, so one `catch` can handle any of them.
        .register_get("command", |_: &mut ScriptError| ())
        .register_get("code", |_: &mut ScriptError| ())
        .register_get("tail", |_: &mut ScriptError| ())
        .register_get("timed_out", |_: &mut ScriptError| false)
        .register_get("label", |_: &mut ScriptError| ())
        .register_get("place", |_: &mut ScriptError| ())
        .register_get("failures", |it: &mut ScriptError| vec![Dynamic::from(it.clone())])
        .register_get("message", |it: &mut ImmutableString| it.clone())
        .register_fn("to_json", to_json);
    for name in [FUNC_TO_STRING, FUNC_TO_DEBUG] {
        engine.register_fn(name, |it: &mut ScriptError| it.message.clone());
    }
}

/// Sets the position of the call if the error has none. An error that is only a string becomes an
/// object.
pub(in crate::script) fn placed(mut error: Thrown, at: Place) -> Thrown {
    if !error.position().is_none() {
        return error;
    }
    error.set_position(at.position);
    if let EvalAltResult::ErrorRuntime(value, _) = &mut *error
        && let Ok(message) = value.clone().into_string()
    {
        *value = Dynamic::from(ScriptError { message, at });
    }
    error
}

/// Returns the message of a value that is an error, or `None` for other values.
pub(in crate::script) fn sentence(value: &Dynamic) -> Option<String> {
    let value = value.flatten_clone();
    if let Some(error) = value.read_lock::<ScriptError>() {
        return Some(error.message.clone());
    }
    if let Some(error) = value.read_lock::<CommandError>() {
        return Some(error.message());
    }
    if let Some(failures) = value.read_lock::<Failures>() {
        return Some(failures.message());
    }
    None
}

/// Returns the message for any value that a script threw.
pub(in crate::script) fn thrown_text(value: &Dynamic) -> String {
    let known = value_of(&plain(value)).is_some();
    match sentence(value) {
        Some(sentence) => sentence,
        None if known => plain(value).to_string(),
        None => format!("the script threw {}", kind(value)),
    }
}

/// Returns where an error value first occurred.
pub(in crate::script) fn origin(value: &Dynamic) -> Option<Place> {
    if let Some(error) = value.read_lock::<ScriptError>() {
        return Some(error.at.clone());
    }
    if let Some(error) = value.read_lock::<CommandError>() {
        return Some(error.at.clone());
    }
    None
}

/// Returns the string form that a script would show.
pub(in crate::script) fn shown(context: &NativeCallContext<'_>, value: &Dynamic) -> String {
    as_text(FUNC_TO_STRING, context, &mut value.flatten_clone())
}

/// Returns the result of the language's conversion function, or the name of the type.
fn as_text(function: &str, context: &NativeCallContext<'_>, value: &mut Dynamic) -> String {
    let name = context.engine().map_type_name(value.type_name()).to_owned();
    let text = context.call_native_fn_raw(function, true, &mut [value]);
    text.ok().and_then(|text| text.into_string().ok()).unwrap_or(name)
}

/// Converts a map to JSON, with errors as their messages.
fn to_json(map: &mut Map) -> String {
    format_map_as_json(&map.iter().map(|(key, value)| (key.clone(), plain(value))).collect())
}

/// Replaces errors in a value by their messages, at any depth.
fn plain(value: &Dynamic) -> Dynamic {
    if let Some(sentence) = sentence(value) {
        return sentence.into();
    }
    if let Some(list) = value.read_lock::<Array>() {
        return Dynamic::from_array(list.iter().map(plain).collect());
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter().map(|(key, value)| (key.clone(), plain(value)));
        return Dynamic::from_map(entries.collect());
    }
    value.flatten_clone()
}
