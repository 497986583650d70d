//! Values of scripts as JSON, in records and across the C ABI.

use crate::model::{
    error::{Error, ErrorKind},
    function::Value,
};

impl Value {
    /// Returns the value as one line of JSON. A float that JSON cannot represent becomes `null`.
    ///
    /// ```
    /// let value: tinyci::Value = [("jobs", 2)].into_iter().collect();
    /// assert_eq!(value.to_json(), r#"{"jobs":2}"#);
    /// ```
    pub fn to_json(&self) -> String {
        value_json(self).to_string()
    }

    /// Parses any JSON. An integer that does not fit into 64 bits becomes a float.
    ///
    /// ```
    /// use tinyci::Value;
    ///
    /// let value = Value::from_json(r#"{"jobs": 2}"#)?;
    /// assert_eq!(value.get("jobs").and_then(Value::as_int), Some(2));
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`InvalidArg`](ErrorKind::InvalidArg) if the text is not valid JSON.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let value: serde_json::Value = serde_json::from_str(text).map_err(|source| {
            Error::new(ErrorKind::InvalidArg, "invalid JSON").with_source(source)
        })?;
        Ok(read_value(value))
    }
}

/// Converts a value to JSON. A number that JSON cannot represent becomes null.
pub(super) fn value_json(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Bool(value) => (*value).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::String(text) => text.clone().into(),
        Value::Array(list) => list.iter().map(value_json).collect(),
        Value::Map(map) => {
            map.iter().map(|(key, value)| (key.clone(), value_json(value))).collect()
        }
    }
}

pub(super) fn read_value(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(value) => Value::Bool(value),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(number) => Value::Int(number),
            None => Value::Float(number.as_f64().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(text),
        serde_json::Value::Array(list) => Value::Array(list.into_iter().map(read_value).collect()),
        serde_json::Value::Object(map) => {
            Value::Map(map.into_iter().map(|(key, value)| (key, read_value(value))).collect())
        }
    }
}
