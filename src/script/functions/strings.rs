//! `matches` and `join`: string functions without effects.

use rhai::{Array, Dynamic, Engine};

use super::{call::Call, context::globs_of};
use crate::{
    rules::glob::{PathGlobs, path_of_text},
    script::{
        language::{limits::STRING_BYTES_MAX, strings},
        session::secrets,
        values::{
            kind::{kind, plain_text},
            thrown::{Thrown, throw},
        },
    },
};

/// Registers them for files of tests.
pub(in crate::script) fn register(engine: &mut Engine) {
    engine.register_fn("matches", |text: Dynamic, globs: Dynamic| matching(&text, globs));
    engine.register_fn("join", |list: Dynamic, separator: Dynamic| joined(&list, &separator));
}

/// Implements `matches(path, globs)`.
pub(in crate::script) fn matches(
    call: &Call<'_>,
    arguments: &[Dynamic],
) -> Result<Dynamic, Thrown> {
    let [text, globs] = arguments else { return Ok(Dynamic::UNIT) };
    arguments.iter().try_for_each(|it| secrets::refuse(call.session, it))?;
    matching(text, globs.clone()).map(Dynamic::from)
}

/// Implements `join(items, separator)`.
pub(in crate::script) fn join(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [list, separator] = arguments else { return Ok(Dynamic::UNIT) };
    arguments.iter().try_for_each(|it| secrets::refuse(call.session, it))?;
    joined(list, separator).map(Dynamic::from)
}

fn matching(text: &Dynamic, globs: Dynamic) -> Result<bool, Thrown> {
    let text = text_of("matches", "a string as its path", text)?;
    let globs = globs_of("matches", globs)?;
    let globs = PathGlobs::new(&globs).map_err(|fault| throw(fault.message))?;
    let (path, is_directory) = path_of_text(&text);
    Ok(globs.matches(path.as_bytes(), is_directory))
}

fn joined(list: &Dynamic, separator: &Dynamic) -> Result<String, Thrown> {
    let separator = text_of("join", "a string as its separator", separator)?;
    let list = list.flatten_clone();
    let items = list
        .read_lock::<Array>()
        .ok_or_else(|| throw(format!("`join` takes an array as its items, not {}", kind(&list))))?;
    let (mut joined, mut is_first) = (String::new(), true);
    for value in items.iter() {
        if !is_first {
            joined.push_str(&separator);
        }
        is_first = false;
        joined.push_str(&item(value)?);
        if joined.len() > STRING_BYTES_MAX {
            return Err(strings::too_long());
        }
    }
    Ok(joined)
}

/// Converts one element to a string.
fn item(value: &Dynamic) -> Result<String, Thrown> {
    plain_text(&value.flatten_clone()).ok_or_else(|| {
        throw(format!(
            "`join` takes an array of strings and numbers, but an element is {}",
            kind(value)
        ))
    })
}

fn text_of(name: &str, takes: &str, value: &Dynamic) -> Result<String, Thrown> {
    let text = value.flatten_clone().into_string();
    text.map_err(|_| throw(format!("`{name}` takes {takes}, not {}", kind(value))))
}
