//! Ends the dry run of a step when the script uses an output that a plan does not know.

use rhai::{Array, Dynamic, EvalAltResult, ImmutableString, Map};

use super::{ending::Stop, shared::Session};
use crate::script::values::thrown::Thrown;

impl Session {
    /// Ends the dry run of the step if the value contains something unknown.
    pub(in crate::script) fn look(&self, value: &Dynamic) -> Result<(), Thrown> {
        match self.host.dry() {
            Some(dry) if contains_match(value, &|text| dry.look(text)) => {
                Err(Stop::Unknown.into_error())
            }
            _ => Ok(()),
        }
    }

    /// Does the same for the arguments of a function of tinyci, except those that it only passes
    /// on.
    pub(in crate::script) fn look_at_arguments(
        &self,
        function: &str,
        arguments: &[Dynamic],
    ) -> Result<(), Thrown> {
        if !self.is_plan() {
            return Ok(());
        }
        for (index, argument) in arguments.iter().enumerate() {
            if takes_options(function, index) {
                self.look_at_options(argument)?;
            } else if !passes_on(function, index) {
                self.look(argument)?;
            }
        }
        Ok(())
    }

    fn look_at_options(&self, options: &Dynamic) -> Result<(), Thrown> {
        let Some(options) = options.read_lock::<Map>() else { return Ok(()) };
        let passed_on = |name: &str| matches!(name, "env" | "input" | "label");
        let mut looked_at = options.iter().filter(|(name, _)| !passed_on(name));
        looked_at.try_for_each(|(_, value)| self.look(value))
    }

    pub(in crate::script) fn is_plan(&self) -> bool {
        self.host.dry().is_some_and(|dry| dry.is_plan())
    }

    /// Ends the dry run if an error may exist only because of the plan.
    pub(in crate::script) fn look_at_error(&self, error: &EvalAltResult) {
        let Some(dry) = self.host.dry() else { return };
        match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
            | EvalAltResult::ErrorInModule(_, inner, _) => self.look_at_error(inner),
            EvalAltResult::ErrorStringBounds(..) => dry.look_at_error(false),
            EvalAltResult::ErrorMismatchDataType(..)
            | EvalAltResult::ErrorFunctionNotFound(..)
            | EvalAltResult::ErrorDotExpr(..)
            | EvalAltResult::ErrorIndexingType(..)
            | EvalAltResult::ErrorFor(..) => dry.look_at_error(true),
            _ => {}
        }
    }
}

fn takes_options(function: &str, index: usize) -> bool {
    match function {
        "sh" | "try_sh" | "capture" => index == 1,
        "with" => index == 0,
        _ => false,
    }
}

/// Returns true if a function of tinyci only shows an argument or gives it to a command.
fn passes_on(function: &str, index: usize) -> bool {
    match function {
        "sh" | "try_sh" | "capture" => index == 0,
        "remember" | "recall" | "env" => index == 1,
        "warn" | "fail" | "skip" | "approve" | "q" | "artifact" | "group" | "parallel"
        | "matrix" => true,
        _ => false,
    }
}

/// Returns true if a string in the value, at any depth, matches the predicate.
fn contains_match(value: &Dynamic, look: &dyn Fn(&str) -> bool) -> bool {
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return look(&text);
    }
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().any(|value| contains_match(value, look));
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.values().any(|value| contains_match(value, look));
    }
    value.as_char().is_ok_and(|letter| look(letter.encode_utf8(&mut [0; 4])))
}
