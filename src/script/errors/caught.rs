//! Converts the language's errors into the error objects that `catch` gets.

use rhai::{Dynamic, EvalAltResult, Map, Position};

use super::{message, place::Place, script_error::ScriptError};

/// Converts the map that the language gives to `catch` into an error object. Returns `None` for all
/// other values.
pub(in crate::script) fn of_catch(value: &Dynamic) -> Option<Dynamic> {
    if !value.is_map() {
        return None;
    }
    let map = value.read_lock::<Map>()?;
    let message = message::message(&of_language(&map)?, None);
    Some(Dynamic::from(ScriptError { message, at: place_in(&map).unwrap_or_default() }))
}

fn place_in(map: &Map) -> Option<Place> {
    let number = |key: &str| map.get(key)?.as_int().ok().and_then(|it| u16::try_from(it).ok());
    let line = number("line").filter(|line| *line > 0)?;
    let position = Position::new(line, number("position")?);
    Some(Place { file: text(map, "source").unwrap_or_default(), position })
}

pub(in crate::script) fn text(map: &Map, key: &str) -> Option<String> {
    map.get(key)?.clone().into_string().ok()
}

/// Returns the error of the language that a map describes.
fn of_language(map: &Map) -> Option<EvalAltResult> {
    let (name, message) = (text(map, "error")?, text(map, "message")?);
    if !name.starts_with("Error") {
        return None;
    }
    let part = |key: &str| text(map, key);
    let none = Position::NONE;
    let known = match name.as_str() {
        "ErrorFunctionNotFound" => {
            part("function").map(|it| EvalAltResult::ErrorFunctionNotFound(it, none))
        }
        "ErrorVariableNotFound" => {
            part("variable").map(|it| EvalAltResult::ErrorVariableNotFound(it, none))
        }
        "ErrorPropertyNotFound" => {
            part("variable").map(|it| EvalAltResult::ErrorPropertyNotFound(it, none))
        }
        "ErrorAssignmentToConstant" => {
            part("variable").map(|it| EvalAltResult::ErrorAssignmentToConstant(it, none))
        }
        "ErrorDotExpr" => part("property").map(|it| EvalAltResult::ErrorDotExpr(it, none)),
        "ErrorMismatchDataType" => part("requested")
            .zip(part("actual"))
            .map(|(expected, found)| EvalAltResult::ErrorMismatchDataType(expected, found, none)),
        _ => None,
    };
    Some(known.unwrap_or_else(|| EvalAltResult::ErrorArithmetic(message, none)))
}
