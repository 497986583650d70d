//! Refuses strings that contain a secret.
//!
//! A script can convert any value into a string. So the string form of a secret is not its value
//! but a random placeholder. Every function with an effect refuses strings that contain it.

use std::sync::Arc;

use rhai::{Dynamic, Engine};

use super::shared::Session;
use crate::script::values::{
    secret::Secret,
    thrown::{Thrown, throw},
};

pub(in crate::script) fn register(engine: &mut Engine, session: &Arc<Session>) {
    engine.register_type_with_name::<Secret>("secret");
    for name in [rhai::FUNC_TO_STRING, rhai::FUNC_TO_DEBUG] {
        let sentinel = session.sentinel.clone();
        engine.register_fn(name, move |_: &mut Secret| sentinel.clone());
    }
}

/// Refuses values that contain a secret in string form.
pub(in crate::script) fn refuse(session: &Session, value: &Dynamic) -> Result<(), Thrown> {
    let value = value.flatten_clone();
    if let Some(list) = value.read_lock::<rhai::Array>() {
        return list.iter().try_for_each(|value| refuse(session, value));
    }
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return map.values().try_for_each(|value| refuse(session, value));
    }
    let contains_secret = value.is::<Secret>()
        || value
            .read_lock::<rhai::ImmutableString>()
            .is_some_and(|it| it.contains(&session.sentinel));
    if contains_secret { Err(throw(ONLY_IN_OPTIONS)) } else { Ok(()) }
}

const ONLY_IN_OPTIONS: &str = "a secret cannot be part of a string or a command, because other \
                               users of this machine could read it; pass it in the option `env` or \
                               `input`";
