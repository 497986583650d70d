//! Functions that make one request to the host: `secret`, `env`, `remember`, `artifact` and others.

use rhai::Dynamic;

use super::call::{Call, first};
use crate::{
    model::function::Value,
    script::{
        errors::script_error,
        session::secrets,
        values::{
            conversion::{dynamic_of, value_of},
            secret::Secret,
            thrown::{Thrown, throw},
        },
    },
};

pub(in crate::script) fn secret(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let name = call.text("name", &first(arguments))?;
    let known = call.session.script.as_ref().map(|script| &script.secrets);
    let known: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
    if !known.contains(&name.as_str()) {
        let hint = crate::util::suggestion::did_you_mean(&name, known);
        let message = format!(
            "the secret `{name}` is not declared; write `const SECRETS = [\"{name}\"];` at the \
             top{hint}"
        );
        return Err(throw(message));
    }
    let value = call.session.host.secret(&name, call.session.limits());
    let value = value.map_err(|why| call.session.denied(why))?;
    call.session.host.mask_placeholder(&call.session.sentinel);
    Ok(Dynamic::from(Secret { name: name.into(), value: value.into() }))
}

pub(in crate::script) fn env(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let name = call.text("name", &first(arguments))?;
    let session = call.session;
    let known = match session.frame().settings.env.get(name.as_str()) {
        Some(value) => Some(value.clone()).filter(|value| !value.is_unit()),
        None => session.host.env(&name).map(|value| {
            session.untrusted.read_variable(&session.facts, &name);
            value.into()
        }),
    };
    match (known, arguments.get(1)) {
        // The value of a secret must not become a string.
        (Some(value), _) if value.is::<Secret>() => Ok(value),
        (Some(value), _) => Ok(value.to_string().into()),
        (None, Some(fallback)) => Ok(fallback.clone()),
        (None, None) => {
            let message = format!(
                "the variable `{name}` is not set; `env(\"{name}\", fallback)` returns the \
                 fallback instead"
            );
            Err(throw(message))
        }
    }
}

pub(in crate::script) fn remember(
    call: &Call<'_>,
    arguments: &[Dynamic],
) -> Result<Dynamic, Thrown> {
    let [key, value] = arguments else { return Ok(Dynamic::UNIT) };
    let key = call.text("key", key)?;
    secrets::refuse(call.session, value)?;
    let stored = value_of(value).ok_or_else(|| {
        call.mistake("value", "a string, a number, a bool, or an array or map of these", value)
    })?;
    call.session.act()?;
    let result = call.session.host.remember(&key, stored);
    result.map(|()| Dynamic::UNIT).map_err(|why| call.session.denied(why))
}

pub(in crate::script) fn recall(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let key = call.text("key", &first(arguments))?;
    match (call.session.host.recall(&key), arguments.get(1)) {
        (Some(value), _) => {
            each_text(&value, &mut |text| call.session.read_in(text));
            Ok(dynamic_of(value))
        }
        (None, Some(fallback)) => Ok(fallback.clone()),
        (None, None) => {
            let message = format!(
                "nothing was remembered as `{key}`; `recall(\"{key}\", fallback)` returns the \
                 fallback instead"
            );
            Err(throw(message))
        }
    }
}

/// Visits every string in a value.
fn each_text(value: &Value, visit: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(list) => list.iter().for_each(|value| each_text(value, visit)),
        Value::Map(map) => {
            for (key, value) in map {
                visit(key);
                each_text(value, visit);
            }
        }
        _ => {}
    }
}

pub(in crate::script) fn artifact(
    call: &Call<'_>,
    arguments: &[Dynamic],
) -> Result<Dynamic, Thrown> {
    let given = first(arguments);
    secrets::refuse(call.session, &given)?;
    let paths = match given.clone().into_array() {
        Ok(list) => list.iter().map(|path| call.text("paths", path)).collect::<Result<_, _>>()?,
        Err(_) => vec![call.text("paths", &given)?],
    };
    call.session.act()?;
    let result = call.session.host.artifact(&paths, call.session.limits());
    result.map(|()| Dynamic::UNIT).map_err(|why| call.session.denied(why))
}

pub(in crate::script) fn warn(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let message = first(arguments);
    secrets::refuse(call.session, &message)?;
    call.session.host.warn(&script_error::shown(&call.context, &message));
    Ok(Dynamic::UNIT)
}

pub(in crate::script) fn discard_export(call: &Call<'_>, _: &[Dynamic]) -> Result<Dynamic, Thrown> {
    call.session.act()?;
    call.session.host.discard_export();
    Ok(Dynamic::UNIT)
}
