//! Files that import each other.

use std::collections::{BTreeMap, BTreeSet};

use super::{imports::imports, sources::module};

/// As many files may import each other in a circle.
const CIRCLE_MAX: usize = 5;

/// Where the language and what it calls still import each other.
const KNOWN_CIRCLE: &str = "script";

#[test]
fn circles_of_imports_are_small() {
    let imports = imports();
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|file| (file, reachable(&imports, file))).collect();
    for (file, others) in &reached {
        let circle: Vec<_> = others.iter().filter(|other| reached[*other].contains(file)).collect();
        let is_known = module(file) == KNOWN_CIRCLE;
        assert!(is_known || circle.len() <= CIRCLE_MAX, "files that import each other: {circle:?}");
    }
}

/// What a file imports, and what that imports.
fn reachable<'a>(
    imports: &'a BTreeMap<String, BTreeSet<String>>,
    file: &'a String,
) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        next.extend(imports[file].iter().filter(|other| found.insert(*other)));
    }
    found
}
