//! What Rust can call, C can call: the public calls of the library's sources beside the functions of
//! `include/tinyci.json`. A call that is new on either side has to be put into the table, or to be
//! left out of it for a reason.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::{
    header::root,
    reach_table::{NOT_IN_C, NOT_IN_RUST, REACHED},
};

/// What is not the library: the program, the C functions themselves, the guide and the tests' helpers.
const NOT_THE_LIBRARY: [&str; 4] = ["bin", "capi", "guide", "testing"];

/// The public calls in the sources: `Type::name`, or `name` of a function that belongs to no type.
fn rust_calls() -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for file in sources(&root().join("src")) {
        let text = fs::read_to_string(&file).expect("a source");
        let text = text.split("\n#[cfg(test)]\nmod ").next().unwrap_or_default();
        calls.extend(calls_of(text));
    }
    calls
}

fn sources(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if path.is_dir() && !NOT_THE_LIBRARY.contains(&name) {
            files.extend(sources(&path));
        } else if name.ends_with(".rs") {
            files.push(path);
        }
    }
    files
}

/// The public functions of a source, as rustfmt writes it: an item begins and ends at one indentation.
/// The compiler sees to it that `pub` means public (`unreachable_pub`).
fn calls_of(text: &str) -> Vec<String> {
    let mut calls = Vec::new();
    let mut owner: Option<Owner> = None;
    for line in text.lines() {
        let code = line.trim_start();
        let indent = line.len() - code.len();
        if let Some(begun) = Owner::begun_by(code, indent) {
            owner = Some(begun);
        } else if code == "}" && owner.as_ref().is_some_and(|owner| owner.indent == indent) {
            owner = None;
        } else if let Some(name) = called(code, owner.as_ref().is_some_and(|it| it.is_trait)) {
            calls.push(match &owner {
                Some(owner) => format!("{}::{name}", owner.name),
                None => name.to_owned(),
            });
        }
    }
    calls
}

/// The type or trait whose functions follow.
struct Owner {
    name: String,
    indent: usize,
    is_trait: bool,
}

impl Owner {
    fn begun_by(code: &str, indent: usize) -> Option<Self> {
        let is_trait = code.starts_with("pub trait ");
        let rest = match code.strip_prefix("pub trait ") {
            Some(rest) => rest,
            None => code.strip_prefix("impl").map(without_generics)?.strip_prefix(' ')?,
        };
        let name = rest.split([' ', '<', ':', '{']).next()?;
        // The macro that makes the ids of commits and trees.
        let name = if name == "$name" { "CommitId" } else { name };
        Some(Self { name: name.to_owned(), indent, is_trait })
    }
}

/// What follows `<…>`.
fn without_generics(text: &str) -> &str {
    if !text.starts_with('<') {
        return text;
    }
    let mut depth = 0;
    let end = text.find(|letter| {
        depth += i32::from(letter == '<') - i32::from(letter == '>');
        depth == 0
    });
    end.map_or(text, |end| &text[end + 1..])
}

/// The function that a line begins, if hosts can call it.
fn called(code: &str, is_in_trait: bool) -> Option<&str> {
    let code = code.strip_prefix("pub ").or_else(|| is_in_trait.then_some(code))?;
    let code = code.strip_prefix("const ").unwrap_or(code).strip_prefix("fn ")?;
    code.split(['(', '<']).next()
}

fn c_functions() -> BTreeSet<String> {
    let text = fs::read_to_string(root().join("include/tinyci.json")).expect("tinyci.json");
    let json: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let functions = json["functions"].as_array().expect("functions");
    functions.iter().map(|it| it["name"].as_str().expect("a name").to_owned()).collect()
}

/// Compares what there is with what the table has, and says what is too much on either side.
fn compare(what: &str, there: &BTreeSet<String>, listed: &BTreeSet<String>) {
    let missing: Vec<&String> = there.difference(listed).collect();
    assert!(missing.is_empty(), "put these {what} into tests/capi/reach_table.rs: {missing:#?}");
    let gone: Vec<&String> = listed.difference(there).collect();
    assert!(gone.is_empty(), "tests/capi/reach_table.rs has {what} that do not exist: {gone:#?}");
}

fn all<'a>(groups: impl Iterator<Item = &'a &'a [&'a str]>) -> Vec<String> {
    groups.flat_map(|group| group.iter()).map(|name| (*name).to_owned()).collect()
}

#[test]
fn c_reaches_every_call_of_rust_or_there_is_a_reason() {
    let mut listed = all(REACHED.iter().map(|(rust, _)| rust));
    listed.extend(all(NOT_IN_C.iter().map(|(rust, _)| rust)));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    listed.iter().for_each(|name| *counts.entry(name).or_default() += 1);
    let twice: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "listed more than once: {twice:?}");
    assert!(NOT_IN_C.iter().all(|(_, reason)| !reason.is_empty()));
    let calls = rust_calls();
    assert!(calls.len() > 200, "only {} calls were found", calls.len());
    compare("calls of Rust", &calls, &listed.iter().cloned().collect());
}

#[test]
fn every_function_of_c_is_beside_a_call_of_rust_or_there_is_a_reason() {
    let reached: BTreeSet<String> = all(REACHED.iter().map(|(_, c)| c)).into_iter().collect();
    let own: BTreeSet<String> = all(NOT_IN_RUST.iter().map(|(c, _)| c)).into_iter().collect();
    let both: Vec<&String> = reached.intersection(&own).collect();
    assert!(both.is_empty(), "in both lists: {both:?}");
    assert!(NOT_IN_RUST.iter().all(|(_, reason)| !reason.is_empty()));
    assert!(REACHED.iter().all(|(rust, c)| !rust.is_empty() && !c.is_empty()));
    compare("functions of C", &c_functions(), &reached.union(&own).cloned().collect());
}

#[test]
fn calls_are_found_where_they_are() {
    let text = "impl<R: Read<u8>> Reader<R> {\n    pub fn new() {\n        {\n        }\n    }\n\n    \
                pub(crate) fn own() {}\n    fn private() {}\n}\n\npub const fn free<T>() {}\n\n\
                pub trait Seen {\n    fn seen(&self);\n}\n\nfn other() {}\n\
                macro_rules! x {\n        impl $name {\n            pub fn short() {}\n        }\n}\n";
    assert_eq!(calls_of(text), ["Reader::new", "free", "Seen::seen", "CommitId::short"]);
}
