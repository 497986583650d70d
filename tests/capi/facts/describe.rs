//! `include/tinyci.json`: what the header declares, as data, and what each key of it means.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{
    groups::Groups,
    pointers::{Facts, Reader, frees},
    sources::Sources,
};
use crate::declarations::{Declarations, Function, Type};

/// The description of each key of the file, by its path.
const KEYS: [(&str, &str); 46] = [
    ("$schema", "Describes each key of this file. `[]` stands for each element of an array."),
    ("abi", "The N in `libtinyci.so.N`. A binding refuses a library with another ABI version."),
    ("version", "The version of tinyci that this file describes."),
    (
        "handles",
        "The opaque types. C programs have pointers to them and use them through functions.",
    ),
    ("handles[].name", "The type's name in C."),
    ("handles[].doc", "The documentation of the type."),
    (
        "handles[].free",
        "The function that frees an object; null if the object belongs to another one.",
    ),
    (
        "handles[].owners",
        "The types of the objects that it belongs to; empty if the caller owns it.",
    ),
    (
        "handles[].until",
        "The function whose next call on the owner ends the object; null if it is valid as long \
         as its owner.",
    ),
    ("types", "The other types that the header defines."),
    ("types[].name", "The type's name in C."),
    ("types[].type", "Its numeric type."),
    ("types[].doc", "The documentation of the type."),
    ("types[].group", "The group of its constants."),
    ("groups", "The groups of constants."),
    ("groups[].name", "The group's name."),
    (
        "groups[].kind",
        "`choice`: a value is one of the constants; a later version may add more. `flags`: a \
         value is a sum of constants, 0 for none. `code`: a value is what a call returns, \
         negative for errors; a later version may add more. `constant`: facts about the header.",
    ),
    ("groups[].type", "The C type of the group's numbers."),
    ("groups[].prefix", "The prefix of the names of its constants."),
    ("groups[].doc", "The documentation of the group."),
    ("constants", "The constants, each a `#define`."),
    ("constants[].name", "The constant's name in C."),
    ("constants[].value", "The value: a number or a string."),
    ("constants[].group", "The name of its group."),
    ("constants[].doc", "The documentation of the constant."),
    ("functions", "The functions."),
    ("functions[].name", "The function's name in C."),
    ("functions[].doc", "The documentation of the function."),
    (
        "functions[].threads",
        "The thread rule: `Any thread`, or `One thread at a time` for the same object.",
    ),
    ("functions[].since", "The first version of tinyci that has the function."),
    ("functions[].parameters", "The parameters, in order."),
    ("functions[].parameters[].name", "The parameter's name."),
    ("functions[].parameters[].type", "The parameter's C type."),
    ("functions[].parameters[].doc", "The documentation of the parameter."),
    (
        "functions[].parameters[].direction",
        "`in`: the call reads the argument or changes the object. `out`: the call stores a \
         result through the pointer; NULL or 0 unless it succeeds. `consumed`: the call takes \
         ownership of the object, also if it fails.",
    ),
    (
        "functions[].parameters[].ownership",
        "For `in`, `borrowed`: the argument stays the caller's, and the call copies or \
         references what it keeps. For `out`, `borrowed`: the result belongs to `owner`. For \
         `out`, `owned`: the caller owns the result and frees it with `free`. For `consumed`, \
         `owned`: the call owns the object. null for numbers.",
    ),
    (
        "functions[].parameters[].nullable",
        "True if NULL is allowed. If false, NULL gives TINYCI_INVALID_ARG; with a length of 0, \
         NULL is allowed.",
    ),
    ("functions[].parameters[].free", "The function that frees the result, or null."),
    ("functions[].parameters[].owner", "The parameter that the result belongs to, or null."),
    (
        "functions[].parameters[].length",
        "The parameter with the length in bytes, or null. A `const char *` without one ends \
         with NUL.",
    ),
    (
        "functions[].parameters[].length_of",
        "The parameter whose length in bytes this is, `return` for the returned bytes, or null.",
    ),
    (
        "functions[].parameters[].group",
        "The group of constants that its value comes from, or null.",
    ),
    (
        "functions[].returns",
        "The return value: `type` and `doc`. `ownership` is `borrowed` from `owner`, `owned` \
         and freed with `free`, `static` if it is never freed, or null for numbers and void. \
         `nullable`, `length` and `group` are as for parameters.",
    ),
    ("functions[].returns.type", "The C type of the return value, or `void`."),
    ("functions[].returns.doc", "The documentation of the return value; null for void."),
    ("functions[].returns.*", "See `functions[].returns`."),
];

/// The file's text. Panics with all that it cannot say.
pub(crate) fn description(header: &Declarations) -> String {
    let sources = Sources::read();
    let mut faults = Vec::new();
    let groups = Groups::read(&sources, &mut faults);
    let frees = frees(&sources, header);
    let reader = Reader { sources: &sources, groups: &groups, frees: &frees };
    let functions: Vec<Value> =
        header.functions.iter().map(|it| function(&reader, it, &mut faults)).collect();
    let constant = |name: &str| {
        let found = header.constants.iter().find(|it| it.name == name);
        found.map(|it| number_or_string(&it.value))
    };
    let whole = json!({
        "$schema": KEYS.iter().map(|(key, text)| (*key, *text)).collect::<BTreeMap<_, _>>(),
        "version": constant("TINYCI_VERSION"),
        "abi": constant("TINYCI_ABI"),
        "handles": handles(header, &frees, &functions, &mut faults),
        "types": types(header, &groups),
        "groups": described_groups(&groups),
        "constants": constants(header, &groups, &mut faults),
        "functions": functions,
    });
    assert!(faults.is_empty(), "src/capi/ does not say all of:\n- {}", faults.join("\n- "));
    serde_json::to_string_pretty(&whole).expect("JSON") + "\n"
}

fn number_or_string(value: &str) -> Value {
    let value = value.trim_matches(['(', ')']);
    value.parse::<i64>().map_or_else(|_| json!(value.trim_matches('"')), Value::from)
}

fn constants(header: &Declarations, groups: &Groups, faults: &mut Vec<String>) -> Vec<Value> {
    let mut described = Vec::new();
    for it in &header.constants {
        let group = groups.of_constant(&it.name);
        if group.is_none() {
            faults.push(format!("{} is in no group", it.name));
        }
        let value = number_or_string(&it.value);
        described.push(
            json!({ "name": it.name, "value": value, "group": group, "doc": it.doc.purpose }),
        );
    }
    described
}

fn described_groups(groups: &Groups) -> Vec<Value> {
    let groups = groups.by_type.values().map(|it| {
        json!({
            "name": it.name,
            "kind": it.kind,
            "type": it.number,
            "prefix": it.prefix,
            "doc": it.doc,
        })
    });
    groups.collect()
}

fn types(header: &Declarations, groups: &Groups) -> Vec<Value> {
    let types = header.types.iter().filter_map(|it| it.meaning.as_ref().map(|type_| (it, type_)));
    let types = types.map(|(it, meaning)| {
        let group = groups.by_type.get(&it.name).map(|group| &group.name);
        json!({ "name": it.name, "type": meaning, "doc": it.doc.purpose, "group": group })
    });
    types.collect()
}

fn handles(
    header: &Declarations,
    frees: &BTreeMap<String, String>,
    functions: &[Value],
    faults: &mut Vec<String>,
) -> Vec<Value> {
    let mut handles = Vec::new();
    for it in header.types.iter().filter(|it| it.meaning.is_none()) {
        let (owners, givers) = owners(it, functions);
        let free = frees.get(&it.name);
        if free.is_none() == owners.is_empty() {
            faults.push(format!("{}: who frees it? It has owners {owners:?}", it.name));
        }
        let until = it.doc.purpose.split_once("until the next `").map(|(_, rest)| rest);
        let until = until.and_then(|rest| rest.split('`').next());
        if until.is_some_and(|until| !givers.contains(until)) {
            faults.push(format!("{}: {until:?} does not give one", it.name));
        }
        handles.push(json!({
            "name": it.name,
            "doc": it.doc.purpose,
            "free": free,
            "owners": owners,
            "until": until,
        }));
    }
    handles
}

/// The types that a type's objects are borrowed from, and the functions that lend them.
fn owners<'a>(kind: &Type, functions: &'a [Value]) -> (BTreeSet<String>, BTreeSet<&'a str>) {
    let bare = |text: &str| text.replace("const ", "").replace(['*', ' '], "");
    let (mut owners, mut givers) = (BTreeSet::new(), BTreeSet::new());
    for function in functions {
        let parameters = function["parameters"].as_array().expect("parameters");
        for given in parameters.iter().chain([&function["returns"]]) {
            let Some(owner) = given["owner"].as_str() else { continue };
            if bare(given["type"].as_str().unwrap_or_default()) == kind.name {
                let owner = parameters.iter().find(|it| it["name"] == owner).expect("its owner");
                owners.insert(bare(owner["type"].as_str().unwrap_or_default()));
                givers.extend(function["name"].as_str());
            }
        }
    }
    (owners, givers)
}

fn function(reader: &Reader<'_>, it: &Function, faults: &mut Vec<String>) -> Value {
    let mut facts = reader.facts(it, faults);
    let of_result = facts.pop().unwrap_or_default();
    let parameters = it.parameters.iter().zip(facts).map(|((kind, name), facts)| {
        let doc = it.doc.parameters.iter().find(|(documented, _)| documented == name);
        let mut described = described(&facts);
        described["name"] = json!(name);
        described["type"] = json!(kind);
        described["doc"] = json!(doc.map(|(_, text)| text));
        described["direction"] = json!(facts.direction);
        described["length_of"] = json!(facts.length_of);
        described
    });
    let parameters: Vec<Value> = parameters.collect();
    let mut returns = described(&of_result);
    returns["type"] = json!(it.returns);
    returns["doc"] = json!(it.doc.returns);
    if it.doc.since.is_none() {
        faults.push(format!(
            "{}: since when? Its documentation has to end with `Any thread. Since {}.`",
            it.name,
            env!("CARGO_PKG_VERSION")
        ));
    }
    json!({
        "name": it.name,
        "doc": it.doc.purpose,
        "threads": it.doc.threads,
        "since": it.doc.since,
        "parameters": parameters,
        "returns": returns,
    })
}

fn described(facts: &Facts) -> Value {
    json!({
        "ownership": facts.ownership,
        "nullable": facts.nullable,
        "free": facts.free,
        "owner": facts.owner,
        "length": facts.length,
        "group": facts.group,
    })
}

/// The paths of all keys of a value.
fn paths(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (key, value) in object {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if key != "$schema" {
                    paths(value, &path, found);
                }
                found.insert(path);
            }
        }
        Value::Array(array) => {
            for value in array {
                paths(value, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

/// The excerpt in the guide's chapter on embedding.
#[test]
fn the_guide_shows_what_the_file_has() {
    let guide = std::fs::read_to_string(crate::header::root().join("src/guide/embedding.md"));
    let guide = guide.expect("the chapter");
    let excerpt = guide.split("```json\n").nth(1).and_then(|rest| rest.split("```").next());
    let excerpt: Value = serde_json::from_str(excerpt.expect("an excerpt")).expect("JSON");
    let whole: Value =
        serde_json::from_str(&description(&crate::header::committed())).expect("JSON");
    let functions = whole["functions"].as_array().expect("functions");
    let function = functions.iter().find(|it| it["name"] == excerpt["name"]).expect("a function");
    assert!(is_part_of(&excerpt, function), "{function:#}");
}

/// True if all that the excerpt says is in the whole.
fn is_part_of(excerpt: &Value, whole: &Value) -> bool {
    match (excerpt, whole) {
        (Value::Object(some), Value::Object(all)) => some
            .iter()
            .all(|(key, value)| all.get(key).is_some_and(|whole| is_part_of(value, whole))),
        (Value::Array(some), Value::Array(all)) => {
            some.len() == all.len() && some.iter().zip(all).all(|(some, all)| is_part_of(some, all))
        }
        _ => excerpt == whole,
    }
}

#[test]
fn the_description_describes_each_of_its_keys_and_no_other() {
    let text = description(&crate::header::committed());
    let value: Value = serde_json::from_str(&text).expect("JSON");
    let mut found = BTreeSet::new();
    paths(&value, "", &mut found);
    let described: BTreeSet<&str> = KEYS.iter().map(|(key, _)| *key).collect();
    let whole = |key: &str| match key.strip_prefix("functions[].returns.") {
        Some(rest) if !["type", "doc"].contains(&rest) => "functions[].returns.*".to_owned(),
        _ => key.to_owned(),
    };
    let found: BTreeSet<String> = found.iter().map(|key| whole(key)).collect();
    assert_eq!(found, described.into_iter().map(str::to_owned).collect());
}
