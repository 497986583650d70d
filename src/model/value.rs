//! Accessors and conversions of [`Value`].

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
};

use super::{
    error::{Error, ErrorKind},
    function::Value,
};

impl Value {
    /// Returns true if this is null.
    ///
    /// ```
    /// assert!(tinyci::Value::from(()).is_null());
    /// assert!(tinyci::Value::from(None::<i64>).is_null());
    /// ```
    pub fn is_null(&self) -> bool {
        matches!(self, Value::Null)
    }

    /// Returns the value of a bool.
    ///
    /// ```
    /// assert_eq!(tinyci::Value::from(true).as_bool(), Some(true));
    /// assert_eq!(tinyci::Value::from(1).as_bool(), None);
    /// ```
    pub fn as_bool(&self) -> Option<bool> {
        match self {
            Value::Bool(value) => Some(*value),
            _ => None,
        }
    }

    /// Returns the value of an integer. Returns `None` for a float, even without a fraction.
    ///
    /// ```
    /// assert_eq!(tinyci::Value::from(42).as_int(), Some(42));
    /// assert_eq!(tinyci::Value::from(42.0).as_int(), None);
    /// ```
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Value::Int(number) => Some(*number),
            _ => None,
        }
    }

    /// Returns the value of a float or an integer. An integer of more than 53 bits is rounded.
    ///
    /// ```
    /// assert_eq!(tinyci::Value::from(0.5).as_float(), Some(0.5));
    /// assert_eq!(tinyci::Value::from(42).as_float(), Some(42.0));
    /// ```
    pub fn as_float(&self) -> Option<f64> {
        match self {
            Value::Float(number) => Some(*number),
            Value::Int(number) => Some(*number as f64),
            _ => None,
        }
    }

    /// Returns the value of a string.
    ///
    /// ```
    /// assert_eq!(tinyci::Value::from("main").as_str(), Some("main"));
    /// ```
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the elements of an array.
    ///
    /// ```
    /// let value = tinyci::Value::from(["a", "b"]);
    /// assert_eq!(value.as_array().and_then(|items| items[1].as_str()), Some("b"));
    /// ```
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the entries of a map.
    ///
    /// ```
    /// let value: tinyci::Value = [("jobs", 2)].into_iter().collect();
    /// assert!(value.as_map().is_some_and(|map| map.contains_key("jobs")));
    /// ```
    pub fn as_map(&self) -> Option<&BTreeMap<String, Value>> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the value for a key of a map. Returns `None` if this is not a map or has no such
    /// key.
    ///
    /// ```
    /// let value: tinyci::Value = [("jobs", 2)].into_iter().collect();
    /// assert_eq!(value.get("jobs").and_then(|jobs| jobs.as_int()), Some(2));
    /// ```
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.as_map()?.get(key)
    }

    /// Returns the value of a string, without a copy.
    ///
    /// ```
    /// assert_eq!(tinyci::Value::from("main").into_string().as_deref(), Some("main"));
    /// ```
    pub fn into_string(self) -> Option<String> {
        match self {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the elements of an array, without a copy.
    ///
    /// ```
    /// assert_eq!(tinyci::Value::from([1, 2]).into_array().map(|items| items.len()), Some(2));
    /// ```
    pub fn into_array(self) -> Option<Vec<Value>> {
        match self {
            Value::Array(items) => Some(items),
            _ => None,
        }
    }

    /// Returns the entries of a map, without a copy.
    ///
    /// ```
    /// let value: tinyci::Value = [("jobs", 2)].into_iter().collect();
    /// assert_eq!(value.into_map().map(|map| map.len()), Some(1));
    /// ```
    pub fn into_map(self) -> Option<BTreeMap<String, Value>> {
        match self {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    /// Returns the name of the type: `null`, `bool`, `int`, `float`, `string`, `array` or `map`.
    ///
    /// ```
    /// assert_eq!(tinyci::Value::from("main").type_name(), "string");
    /// ```
    pub fn type_name(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "bool",
            Value::Int(_) => "int",
            Value::Float(_) => "float",
            Value::String(_) => "string",
            Value::Array(_) => "array",
            Value::Map(_) => "map",
        }
    }

    fn is_not(&self, expected: &str) -> Error {
        let found = match self {
            Value::Null => "null".to_owned(),
            Value::Int(_) | Value::Array(_) => format!("an {}", self.type_name()),
            _ => format!("a {}", self.type_name()),
        };
        Error::new(ErrorKind::InvalidArg, format!("expected {expected}, got {found}"))
    }
}

impl From<()> for Value {
    fn from((): ()) -> Self {
        Value::Null
    }
}

/// Implements `From` for the integer types that fit into an `i64`, and for both float types.
macro_rules! from_numbers {
    ($($number:ty => $variant:ident),+) => {$(
        impl From<$number> for Value {
            fn from(number: $number) -> Self {
                Value::$variant(number.into())
            }
        }
    )+};
}

from_numbers!(bool => Bool, i8 => Int, i16 => Int, i32 => Int, i64 => Int);
from_numbers!(u8 => Int, u16 => Int, u32 => Int, f32 => Float, f64 => Float);

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::String(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::String(text)
    }
}

impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::String(text.clone())
    }
}

impl From<Cow<'_, str>> for Value {
    fn from(text: Cow<'_, str>) -> Self {
        Value::String(text.into_owned())
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl<T: Into<Value>> From<Vec<T>> for Value {
    fn from(items: Vec<T>) -> Self {
        Value::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for Value {
    fn from(items: [T; N]) -> Self {
        Value::Array(items.into_iter().map(Into::into).collect())
    }
}

impl<T: Clone + Into<Value>> From<&[T]> for Value {
    fn from(items: &[T]) -> Self {
        Value::Array(items.iter().cloned().map(Into::into).collect())
    }
}

impl<K: Into<String>, T: Into<Value>> From<BTreeMap<K, T>> for Value {
    fn from(map: BTreeMap<K, T>) -> Self {
        map.into_iter().collect()
    }
}

impl<K: Into<String>, T: Into<Value>, S> From<HashMap<K, T, S>> for Value {
    fn from(map: HashMap<K, T, S>) -> Self {
        map.into_iter().collect()
    }
}

impl<K: Into<String>, T: Into<Value>> FromIterator<(K, T)> for Value {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(entries: I) -> Self {
        Value::Map(entries.into_iter().map(|(key, value)| (key.into(), value.into())).collect())
    }
}

/// Implements `TryFrom` for integer types that may not fit into an `i64`.
macro_rules! try_from_large {
    ($($number:ty),+) => {$(
        impl TryFrom<$number> for Value {
            type Error = Error;

            /// Returns an error of the kind `InvalidArg` for a number above `i64::MAX`.
            fn try_from(number: $number) -> Result<Self, Error> {
                i64::try_from(number).map(Value::Int).map_err(|_| {
                    let message = format!("{number} is above the largest integer of scripts");
                    Error::new(ErrorKind::InvalidArg, message)
                })
            }
        }
    )+};
}

try_from_large!(u64, usize);

/// Implements `TryFrom` for the types that a value converts to. The error is of the kind
/// `InvalidArg`.
macro_rules! try_into {
    ($($target:ty, $expected:literal, $value:ident => $taken:expr;)+) => {$(
        impl TryFrom<Value> for $target {
            type Error = Error;

            fn try_from($value: Value) -> Result<Self, Error> {
                let type_error = $value.is_not($expected);
                $taken.ok_or(type_error)
            }
        }
    )+};
}

try_into! {
    bool, "a bool", value => value.as_bool();
    i64, "an int", value => value.as_int();
    f64, "a float", value => value.as_float();
    String, "a string", value => value.into_string();
    Vec<Value>, "an array", value => value.into_array();
    BTreeMap<String, Value>, "a map", value => value.into_map();
}

impl<'a> TryFrom<&'a Value> for &'a str {
    type Error = Error;

    fn try_from(value: &'a Value) -> Result<Self, Error> {
        value.as_str().ok_or_else(|| value.is_not("a string"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_goes_in_and_comes_out_again() {
        let values = [
            Value::from(()),
            true.into(),
            7_u32.into(),
            0.5_f32.into(),
            Cow::Borrowed("text").into(),
            (&[1_i64, 2][..]).into(),
            HashMap::from([("key", 1)]).into(),
        ];
        let names = ["null", "bool", "int", "float", "string", "array", "map"];
        assert_eq!(values.each_ref().map(Value::type_name), names);
        let [null, truth, int, float, text, array, map] = values;
        assert!(null.is_null() && !truth.is_null());
        assert_eq!(bool::try_from(truth).ok(), Some(true));
        assert_eq!(i64::try_from(int).ok(), Some(7));
        assert_eq!(f64::try_from(float).ok(), Some(0.5));
        assert_eq!(<&str>::try_from(&text).ok(), Some("text"));
        assert_eq!(String::try_from(text).ok().as_deref(), Some("text"));
        assert_eq!(Vec::try_from(array).ok(), Some(vec![Value::from(1), Value::from(2)]));
        assert_eq!(BTreeMap::try_from(map).ok(), Some(BTreeMap::from([("key".into(), 1.into())])));
    }

    #[test]
    fn a_value_of_another_type_is_named() {
        let text = |value: Value| String::try_from(value).map_err(|error| error.to_string());
        assert_eq!(text(Value::Null), Err("expected a string, got null".to_owned()));
        assert_eq!(text(1.into()), Err("expected a string, got an int".to_owned()));
        let error = i64::try_from(Value::from(1.0)).map_err(|error| error.kind());
        assert_eq!(error, Err(ErrorKind::InvalidArg));
        assert!(Value::try_from(u64::MAX).is_err() && Value::try_from(7_usize).is_ok());
    }
}
