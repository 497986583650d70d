//! Checks that circles of imports are small.

use std::collections::{BTreeMap, BTreeSet};

use super::imports::imports;

/// The maximum number of files that may import each other in a circle.
const CIRCLE_MAX: usize = 5;

#[test]
fn circles_of_imports_are_small() {
    let imports = imports();
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|file| (file, reachable(&imports, file))).collect();
    for (file, others) in &reached {
        let circle: Vec<_> = others.iter().filter(|other| reached[*other].contains(file)).collect();
        assert!(circle.len() <= CIRCLE_MAX, "files that import each other: {circle:?}");
    }
}

/// Returns the files that a file imports, directly and indirectly.
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
