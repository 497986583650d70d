//! Conversion between script values and [`Value`].

use std::collections::BTreeMap;

use rhai::Dynamic;

use crate::model::function::Value;

/// Converts a script value. Returns `None` for types that only scripts have, such as functions.
pub(in crate::script) fn value_of(value: &Dynamic) -> Option<Value> {
    let value = value.flatten_clone();
    if value.is_unit() {
        return Some(Value::Null);
    }
    if let Ok(truth) = value.as_bool() {
        return Some(Value::Bool(truth));
    }
    if let Ok(number) = value.as_int() {
        return Some(Value::Int(number));
    }
    if let Ok(number) = value.as_float() {
        return Some(Value::Float(number));
    }
    if let Ok(letter) = value.as_char() {
        return Some(Value::String(letter.to_string()));
    }
    if value.is_string() {
        return value.into_string().ok().map(Value::String);
    }
    if let Some(list) = value.read_lock::<rhai::Array>() {
        return list.iter().map(value_of).collect::<Option<_>>().map(Value::Array);
    }
    let map = value.read_lock::<rhai::Map>()?;
    let entries = map.iter().map(|(key, value)| Some((key.to_string(), value_of(value)?)));
    entries.collect::<Option<BTreeMap<_, _>>>().map(Value::Map)
}

/// Converts a [`Value`] into a script value.
pub(in crate::script) fn dynamic_of(value: Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(truth) => truth.into(),
        Value::Int(number) => number.into(),
        Value::Float(number) => number.into(),
        Value::String(text) => text.into(),
        Value::Array(list) => Dynamic::from_array(list.into_iter().map(dynamic_of).collect()),
        Value::Map(map) => {
            let entries = map.into_iter().map(|(key, value)| (key.into(), dynamic_of(value)));
            Dynamic::from_map(entries.collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_survive_the_way_there_and_back() {
        let list = Value::Array(vec![Value::Null, true.into(), 7.into(), 1.5.into()]);
        let value: Value = [("a", list), ("b", "é".into())].into_iter().collect();
        assert_eq!(value_of(&dynamic_of(value.clone())), Some(value));
        let function = rhai::FnPtr::new("f").map(Dynamic::from);
        assert!(function.is_ok_and(|function| value_of(&function).is_none()));
    }
}
