//! The functions of the language: names, parameters, results and the first sentence of their
//! documentation, all read from the engine. So the reference lists exactly the functions that
//! exist.

use std::collections::BTreeMap;

use rhai::{Engine, FuncInfo};

use crate::script::api::{registry, types::Type};

/// A function of the language, with all types that it takes with this number of parameters.
#[derive(Debug)]
pub(super) struct LanguageFunction {
    /// The type of its first argument, such as `string`.
    pub(super) of: &'static str,
    pub(super) name: String,
    pub(super) params: Vec<(String, Vec<Type>)>,
    pub(super) returns: Vec<Type>,
    /// One sentence.
    pub(super) doc: String,
}

/// Sentences for functions that the language does not document.
const DOCS: [(&str, &str); 5] = [
    ("append", "Add something to the end."),
    ("max", "Return the number that is larger than the other number."),
    ("min", "Return the number that is smaller than the other number."),
    ("to_float", "Convert the number into a floating-point number."),
    ("to_int", "Convert the number into an int."),
];

/// Returns all functions that a script can call, sorted by the type of the first argument.
pub(super) fn functions() -> Vec<LanguageFunction> {
    let in_order = |info: FuncInfo<'_>| {
        let params: Vec<String> =
            info.metadata.params_info.iter().map(ToString::to_string).collect();
        Some((params, described(&info)?))
    };
    let mut found = Engine::new().collect_fn_metadata(None, in_order, true);
    // The engine returns them in no fixed order.
    found.sort_by(|(one, _), (other, _)| one.cmp(other));
    let mut merged: BTreeMap<(usize, String, usize), LanguageFunction> = BTreeMap::new();
    for (_, function) in found {
        let place = OWNERS.iter().position(|owner| *owner == function.of).unwrap_or_default();
        let key = (place, function.name.clone(), function.params.len());
        match merged.get_mut(&key) {
            Some(known) => known.join(function),
            None => drop(merged.insert(key, function)),
        }
    }
    merged.into_values().collect()
}

impl LanguageFunction {
    /// Adds the types of another function of the same name and number of parameters.
    fn join(&mut self, other: Self) {
        let pairs = self.params.iter_mut().zip(other.params);
        for ((_, types), (_, more)) in pairs {
            add(types, more);
        }
        add(&mut self.returns, other.returns);
        if self.doc.is_empty() {
            self.doc = other.doc;
        }
    }
}

fn add(types: &mut Vec<Type>, more: Vec<Type>) {
    for of in more {
        if !types.contains(&of) {
            types.push(of);
        }
    }
}

/// The types of the first argument, in the order of the reference.
const OWNERS: [&str; 11] = [
    "string",
    "array",
    "map",
    "number",
    "char",
    "bytes",
    "range",
    "timestamp",
    "function",
    "any value",
    "none",
];

fn described(info: &FuncInfo<'_>) -> Option<LanguageFunction> {
    let data = info.metadata;
    let name = data.name.to_string();
    let is_word = name.starts_with(|it: char| it.is_alphabetic()) && !name.contains('$');
    if !is_word || registry::function(&name).is_some() {
        return None;
    }
    let mut params = Vec::new();
    for index in 0..data.num_params {
        let param = data.params_info.get(index).map_or("value: ?", |it| it.as_str());
        let (name, of) = param.split_once(':')?;
        let name = name.trim().trim_start_matches("mut ").to_owned();
        params.push((name, vec![type_of(of)?]));
    }
    let doc = sentence(data.comments.iter().map(|it| it.as_str()));
    let doc = if doc.is_empty() {
        DOCS.iter().find(|it| it.0 == name).map(|it| it.1.to_owned()).unwrap_or_default()
    } else {
        doc
    };
    // These take the name of a function as a string. Scripts use closures instead.
    if doc.contains("function named by") {
        return None;
    }
    let of = owner(params.first().and_then(|(_, types)| types.first()).copied());
    Some(LanguageFunction { of, name, params, returns: vec![type_of(&data.return_type)?], doc })
}

fn owner(first: Option<Type>) -> &'static str {
    match first {
        Some(Type::String) => "string",
        Some(Type::Array) => "array",
        Some(Type::Map) => "map",
        Some(Type::Int | Type::Number) => "number",
        Some(Type::Char) => "char",
        Some(Type::Bytes) => "bytes",
        Some(Type::Range) => "range",
        Some(Type::Timestamp) => "timestamp",
        Some(Type::Function) => "function",
        Some(_) => "any value",
        None => "none",
    }
}

/// Maps a type name of the language to a type. Returns `None` for types that scripts have no values
/// of.
fn type_of(name: &str) -> Option<Type> {
    let name = name.trim().trim_start_matches("&mut ").trim_start_matches('&');
    let name =
        name.strip_prefix("RhaiResultOf<").and_then(|it| it.strip_suffix('>')).unwrap_or(name);
    Some(match name.trim() {
        "INT" | "i64" => Type::Int,
        "FLOAT" | "f64" => Type::Number,
        "bool" => Type::Bool,
        "char" => Type::Char,
        "str" | "ImmutableString" | "String" => Type::String,
        "Array" => Type::Array,
        "Map" => Type::Map,
        "Blob" => Type::Bytes,
        "FnPtr" => Type::Function,
        "Instant" => Type::Timestamp,
        "Dynamic" | "RhaiResult" | "?" => Type::Any,
        "()" | "" => Type::Null,
        "ExclusiveRange" | "InclusiveRange" => Type::Range,
        name if name.starts_with("Range<i64") || name.starts_with("std::ops::Range<i64") => {
            Type::Range
        }
        "CharsStream" | "BitRange" | "StepRange<i64>" | "StepRange<FLOAT>" => Type::Iterator,
        _ => return None,
    })
}

/// Returns the first sentence of a doc comment.
fn sentence<'a>(comments: impl Iterator<Item = &'a str>) -> String {
    let lines = comments.flat_map(str::lines);
    let lines = lines.map(|line| line.trim_start().trim_start_matches('/').trim());
    let text: Vec<&str> =
        lines.take_while(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let text = text.join(" ");
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    let sentence = text.get(..end).unwrap_or_default().trim();
    let sentence = sentence.trim_end_matches([':', '.']);
    if sentence.is_empty() { String::new() } else { format!("{sentence}.") }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every function of the language's own metadata is described.
    #[test]
    fn every_function_of_texts_lists_and_maps_is_there_with_a_sentence() {
        let functions = functions();
        for function in &functions {
            assert!(function.doc.ends_with('.'), "{function:?}");
            assert!(!function.doc.contains('\n'), "{function:?}");
        }
        let names = crate::script::language::engine::engine().collect_fn_metadata(
            None,
            |info| {
                let first = info.metadata.params_info.first()?.to_string();
                let of_these = ["&str", "ImmutableString", "Array", "Map"];
                let of_these = of_these.iter().any(|it| first.trim_end().ends_with(it));
                (of_these && info.metadata.name.starts_with(|it: char| it.is_alphabetic()))
                    .then(|| info.metadata.name.to_string())
            },
            true,
        );
        assert!(names.len() > 100, "{names:?}");
        for name in names.iter().filter(|it| !it.contains('$')) {
            let known = registry::function(name).is_some()
                || functions.iter().any(|function| function.name == *name);
            assert!(known, "`{name}` is not described");
        }
    }
}
