//! Reads literal values without running anything.

use std::collections::BTreeMap;

use rhai::Expr;

use crate::{model::function::Value, script::values::conversion::value_of};

/// Returns the value of a literal expression, or `None` if it must be computed.
pub(in crate::script) fn literal(expression: &Expr) -> Option<Value> {
    Some(match expression {
        Expr::BoolConstant(truth, _) => Value::Bool(*truth),
        Expr::IntegerConstant(number, _) => Value::Int(*number),
        Expr::FloatConstant(number, _) => Value::Float(**number),
        Expr::CharConstant(letter, _) => Value::String(letter.to_string()),
        Expr::StringConstant(text, _) => Value::String(text.to_string()),
        Expr::Unit(_) => Value::Null,
        Expr::Array(items, _) => Value::Array(items.iter().map(literal).collect::<Option<_>>()?),
        Expr::Map(map, _) => {
            let entries =
                map.0.iter().map(|(key, value)| Some((key.name.to_string(), literal(value)?)));
            Value::Map(entries.collect::<Option<BTreeMap<_, _>>>()?)
        }
        Expr::DynamicConstant(value, _) => value_of(value)?,
        _ => return None,
    })
}
