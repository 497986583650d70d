//! Reads the arguments of a call. Errors name the expected type.

use std::{sync::Arc, time::Duration};

use rhai::{Array, Blob, Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use crate::{
    script::{
        api::{
            registry::Param,
            types::{self, COUNT_MAX, ScriptOption, Type},
        },
        errors::script_error,
        session::{secrets, shared::Session},
        values::{
            kind::{kind, time},
            secret::Secret,
            thrown::{Thrown, throw},
        },
    },
    util::suggestion::did_you_mean_or_list,
};

/// A call of a function of tinyci.
pub(in crate::script) struct Call<'a> {
    pub(in crate::script) name: &'static str,
    pub(in crate::script) context: NativeCallContext<'a>,
    pub(in crate::script) session: &'a Arc<Session>,
}

impl Call<'_> {
    pub(in crate::script) fn engine(&self) -> &Engine {
        self.context.engine()
    }

    /// Returns the file and line of the call.
    pub(in crate::script) fn place(&self) -> String {
        let line = self.context.call_position().line().unwrap_or_default();
        format!("{}:{line}", self.context.call_source().unwrap_or_default())
    }

    /// Returns the error for an argument of the wrong type.
    pub(in crate::script) fn mistake(
        &self,
        argument: &str,
        takes: &str,
        found: &Dynamic,
    ) -> Thrown {
        throw(format!("`{}` takes {takes} as its {argument}, not {}", self.name, kind(found)))
    }

    /// Refuses an argument with a type that differs from the table's.
    pub(in crate::script) fn fits(&self, param: &Param, value: &Dynamic) -> Result<(), Thrown> {
        self.has_type(param.name, param.takes, value)
    }

    fn has_type(&self, argument: &str, expected: Type, value: &Dynamic) -> Result<(), Thrown> {
        if expected.accepts(value) {
            return Ok(());
        }
        if value.is::<Secret>() {
            secrets::refuse(self.session, value)?;
        }
        Err(self.mistake(argument, &expected.in_words(), value))
    }

    pub(in crate::script) fn text(
        &self,
        argument: &str,
        value: &Dynamic,
    ) -> Result<String, Thrown> {
        let text = value.flatten_clone().into_immutable_string();
        text.map(|text: ImmutableString| text.to_string())
            .map_err(|_| self.mistake(argument, &Type::String.in_words(), value))
    }

    pub(in crate::script) fn function(
        &self,
        argument: &str,
        value: &Dynamic,
    ) -> Result<FnPtr, Thrown> {
        let function = value.flatten_clone().try_cast::<FnPtr>();
        function.ok_or_else(|| self.mistake(argument, &Type::Function.in_words(), value))
    }

    /// Reads a duration: a string such as `"90s"`, or a number of seconds.
    pub(in crate::script) fn time(
        &self,
        argument: &str,
        value: &Dynamic,
    ) -> Result<Duration, Thrown> {
        time(value).ok_or_else(|| self.mistake(argument, &Type::Duration.in_words(), value))
    }

    /// Reads a time limit. Zero is refused, as in YAML, because it is most likely a mistake.
    pub(in crate::script) fn limit(
        &self,
        argument: &str,
        value: &Dynamic,
    ) -> Result<Duration, Thrown> {
        let time = self.time(argument, value)?;
        if time.is_zero() {
            let message =
                format!("the {argument} of `{}` is 0, but must be at least 1 ms", self.name);
            return Err(throw(message));
        }
        Ok(time)
    }

    pub(in crate::script) fn count(&self, argument: &str, value: &Dynamic) -> Result<u32, Thrown> {
        let count = value.flatten_clone().as_int().ok().and_then(|it| u32::try_from(it).ok());
        count
            .filter(|count| *count <= COUNT_MAX)
            .ok_or_else(|| self.mistake(argument, &Type::Count.in_words(), value))
    }

    /// Reads a number of attempts. Zero is refused, because it is most likely a mistake.
    pub(in crate::script) fn attempts(&self, value: &Dynamic) -> Result<u32, Thrown> {
        let count = self.count("attempts", value)?;
        if count == 0 {
            let takes = format!("an int from 1 to {COUNT_MAX}");
            return Err(throw(format!("`{}` takes {takes} as its attempts, not 0", self.name)));
        }
        Ok(count)
    }

    /// Reads a map of options, all with known keys and values of the right type.
    pub(in crate::script) fn options(
        &self,
        value: Option<&Dynamic>,
        known: &[ScriptOption],
    ) -> Result<Map, Thrown> {
        let Some(value) = value else { return Ok(Map::new()) };
        let map = value.flatten_clone().try_cast::<Map>();
        let map = map.ok_or_else(|| self.mistake("options", &Type::Map.in_words(), value))?;
        for (key, value) in &map {
            let Some(option) = known.iter().find(|it| it.name == key.as_str()) else {
                return Err(self.unknown_option(key, known));
            };
            self.has_type(&format!("option `{key}`"), option.takes, &value.flatten_clone())?;
        }
        Ok(map)
    }

    fn unknown_option(&self, key: &str, known: &[ScriptOption]) -> Thrown {
        let known: Vec<&str> = known.iter().map(|it| it.name).collect();
        let hint = did_you_mean_or_list(key, &known);
        throw(format!("`{}` has no option `{key}`{hint}", self.name))
    }
}

/// Returns true if the value is a map and all its values have this type.
fn every(value: &Dynamic, of: Type) -> bool {
    let map = value.read_lock::<Map>();
    map.is_some_and(|map| map.values().all(|it| of.accepts(&it.flatten_clone())))
}

/// Returns the first argument, or null if there is none.
pub(in crate::script) fn first(arguments: &[Dynamic]) -> Dynamic {
    arguments.first().cloned().unwrap_or_default()
}

impl Type {
    /// Returns true if a value has this type, as far as its parts can be inspected.
    pub(in crate::script) fn accepts(self, value: &Dynamic) -> bool {
        match self {
            Type::Any => true,
            Type::Null => value.is_unit(),
            Type::Bool => value.is_bool(),
            Type::Int => value.is_int(),
            Type::Number => value.is_int() || value.is_float(),
            Type::Count => {
                value.as_int().is_ok_and(|it| (0..=types::COUNT_MAX.into()).contains(&it))
            }
            Type::Char => value.is_char(),
            Type::String => value.is_string(),
            Type::Duration => time(value).is_some(),
            Type::Command => value.is_string() || value.is_array(),
            Type::Array => value.is_array(),
            Type::Strings => {
                let list = value.read_lock::<Array>();
                list.is_some_and(|list| {
                    list.iter().all(|it| Type::String.accepts(&it.flatten_clone()))
                })
            }
            Type::Map | Type::Options(_) | Type::Variables => value.is_map(),
            Type::Functions => every(value, Type::Function),
            Type::Arrays => every(value, Type::Array),
            Type::Bytes => value.is::<Blob>(),
            Type::Function => value.is::<FnPtr>(),
            Type::Secret => value.is::<Secret>(),
            Type::Error => script_error::sentence(value).is_some(),
            // No function takes these types; they are results.
            Type::Range | Type::Timestamp | Type::Object(_) | Type::Iterator => true,
            Type::OneOf(types) => types.iter().any(|it| it.accepts(value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_told_apart() {
        let list: Dynamic = vec![Dynamic::from("a"), Dynamic::from(1_i64)].into();
        assert!(Type::Array.accepts(&list) && !Type::Strings.accepts(&list));
        assert!(Type::Duration.accepts(&"90s".into()) && !Type::Duration.accepts(&"soon".into()));
        assert!(Type::Count.accepts(&1000_i64.into()) && !Type::Count.accepts(&(-1_i64).into()));
        assert!(Type::OneOf(&[Type::String, Type::Array]).accepts(&list));
    }
}
