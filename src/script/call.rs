//! The arguments of a call, read with errors that say what would be right.

use std::{sync::Arc, time::Duration};

use rhai::{Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use super::{
    registry::{Param, ScriptOption},
    secret::{self, Secret},
    session::{Session, Thrown, throw},
    types::Type,
};
use crate::util::{duration::parse_duration, suggestion::did_you_mean};

/// One call of a function of ours.
pub(super) struct Call<'a> {
    pub(super) name: &'static str,
    pub(super) context: NativeCallContext<'a>,
    pub(super) session: &'a Arc<Session>,
}

impl Call<'_> {
    pub(super) fn engine(&self) -> &Engine {
        self.context.engine()
    }

    /// The file and line of the call.
    pub(super) fn place(&self) -> String {
        let line = self.context.call_position().line().unwrap_or_default();
        format!("{}:{line}", self.context.call_source().unwrap_or_default())
    }

    /// An error about one of the arguments.
    pub(super) fn mistake(&self, argument: &str, takes: &str, found: &Dynamic) -> Thrown {
        throw(format!("`{}` takes {takes} as its {argument}, not {}", self.name, kind(found)))
    }

    /// Refuses an argument that is of another type than the table says.
    pub(super) fn fits(&self, param: &Param, value: &Dynamic) -> Result<(), Thrown> {
        self.has_type(param.name, param.takes, value)
    }

    fn has_type(&self, argument: &str, wanted: Type, value: &Dynamic) -> Result<(), Thrown> {
        if wanted.accepts(value) {
            return Ok(());
        }
        if value.is::<Secret>() {
            secret::refuse(self.session, value)?;
        }
        Err(self.mistake(argument, &wanted.in_words(), value))
    }

    pub(super) fn text(&self, argument: &str, value: &Dynamic) -> Result<String, Thrown> {
        let text = value.flatten_clone().into_immutable_string();
        text.map(|text: ImmutableString| text.to_string())
            .map_err(|_| self.mistake(argument, &Type::Text.in_words(), value))
    }

    pub(super) fn function(&self, argument: &str, value: &Dynamic) -> Result<FnPtr, Thrown> {
        let function = value.flatten_clone().try_cast::<FnPtr>();
        function.ok_or_else(|| self.mistake(argument, &Type::Function.in_words(), value))
    }

    /// A text such as `"90s"`, or a number of seconds.
    pub(super) fn time(&self, argument: &str, value: &Dynamic) -> Result<Duration, Thrown> {
        time(value).ok_or_else(|| self.mistake(argument, &Type::Time.in_words(), value))
    }

    /// A time that something may take: none at all is a slip, in YAML too.
    pub(super) fn limit(&self, argument: &str, value: &Dynamic) -> Result<Duration, Thrown> {
        let time = self.time(argument, value)?;
        if time.is_zero() {
            let message =
                format!("the {argument} of `{}` is 0: a limit is 1 ms or more", self.name);
            return Err(throw(message));
        }
        Ok(time)
    }

    pub(super) fn count(&self, argument: &str, value: &Dynamic) -> Result<u32, Thrown> {
        let count = value.flatten_clone().as_int().ok().and_then(|it| u32::try_from(it).ok());
        count
            .filter(|count| *count <= COUNT_MAX)
            .ok_or_else(|| self.mistake(argument, &Type::Count.in_words(), value))
    }

    /// How often something is tried in all: not at all is a slip.
    pub(super) fn attempts(&self, value: &Dynamic) -> Result<u32, Thrown> {
        let count = self.count("attempts", value)?;
        if count == 0 {
            let takes = format!("a number from 1 to {COUNT_MAX}");
            return Err(throw(format!("`{}` takes {takes} as its attempts, not 0", self.name)));
        }
        Ok(count)
    }

    /// The options of a call: a map whose keys are all known, with values of their types.
    pub(super) fn options(
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
        let hint = did_you_mean(key, known.iter().copied());
        let names = known.join(", ");
        throw(format!("`{}` has no option `{key}`{hint} (there are {names})", self.name))
    }
}

/// Attempts and retries beyond this are slips.
pub(super) const COUNT_MAX: u32 = 1_000;

/// How many tasks `parallel` and `matrix` can have: a matrix grows fast.
pub(super) const TASKS_MAX: usize = 1_000;

/// What a value is, for a sentence.
pub(super) fn kind(value: &Dynamic) -> &'static str {
    match value.flatten_clone() {
        it if it.is_unit() => "nothing (`()`)",
        it if it.is_bool() => "a truth value",
        it if it.is_int() || it.is_float() => "a number",
        it if it.is_string() => "a text",
        it if it.is_char() => "a letter",
        it if it.is_array() => "a list",
        it if it.is_map() => "a map",
        it if it.is_fnptr() => "a function",
        it if it.is::<super::secret::Secret>() => "a secret",
        _ => "an object",
    }
}

/// A time: a text with its unit, or a number of seconds.
pub(super) fn time(value: &Dynamic) -> Option<Duration> {
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
