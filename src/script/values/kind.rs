//! Type names of values, and values as strings and durations.

use std::time::Duration;

use rhai::Dynamic;

use crate::util::duration::parse_duration;

/// Returns the type of a value with its article, for a sentence.
pub(in crate::script) fn kind(value: &Dynamic) -> &'static str {
    match value.flatten_clone() {
        it if it.is_unit() => "null (`()`)",
        it if it.is_bool() => "a bool",
        it if it.is_int() => "an int",
        it if it.is_float() => "a float",
        it if it.is_string() => "a string",
        it if it.is_char() => "a character",
        it if it.is_array() => "an array",
        it if it.is_map() => "a map",
        it if it.is_fnptr() => "a function",
        it if it.is::<crate::script::values::secret::Secret>() => "a secret",
        _ => "an object",
    }
}

/// Reads a duration: a string with a unit, or a number of seconds.
pub(in crate::script) fn time(value: &Dynamic) -> Option<Duration> {
    let value = value.flatten_clone();
    if let Ok(seconds) = value.as_int() {
        return parse_duration(&seconds.to_string());
    }
    if let Ok(seconds) = value.as_float() {
        let time = Duration::try_from_secs_f64(seconds).ok()?;
        return (time <= Duration::from_secs(365 * 24 * 60 * 60)).then_some(time);
    }
    parse_duration(&value.into_immutable_string().ok()?)
}

/// Returns the string form of a simple value. Arrays, maps and objects have none.
pub(in crate::script) fn plain_text(value: &Dynamic) -> Option<String> {
    let plain = value.is_string() || value.is_int() || value.is_bool() || value.is_char();
    (plain || value.is_float()).then(|| value.to_string())
}
