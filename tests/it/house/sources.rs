//! Reads the source files of the library and of the program.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the library's source files without their tests, by path below `src/`.
pub(crate) fn sources() -> BTreeMap<String, String> {
    let mut files = all_sources();
    files.retain(|name, _| !name.starts_with("bin/"));
    files
}

/// Returns the source files of the library and of the program, without their tests.
pub(crate) fn all_sources() -> BTreeMap<String, String> {
    files_below("src")
        .into_iter()
        .map(|(name, text)| (name, without_tests(&text)))
        .filter(|(name, _)| !name.starts_with("testing/"))
        .filter(|(name, _)| !name.ends_with("/tests.rs") && !name.contains("/tests/"))
        .collect()
}

/// Returns all Rust files below a directory of the project, by path below that directory.
pub(crate) fn files_below(dir: &str) -> BTreeMap<String, String> {
    let dir = root().join(dir);
    let mut files = BTreeMap::new();
    collect(&dir, &mut files);
    let name = |path: &Path| {
        let below = path.strip_prefix(&dir).expect("below that directory");
        below.to_string_lossy().into_owned()
    };
    files.into_iter().map(|(path, text)| (name(&path), text)).collect()
}

fn collect(dir: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(dir).expect("a directory of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(path.clone(), fs::read_to_string(&path).expect("a source file"));
        }
    }
}

/// Returns a source text without the tests at its end.
fn without_tests(text: &str) -> String {
    text.split("\nmod tests {").next().unwrap_or_default().to_owned()
}

/// Returns the first part of a path below `src/`: the directory, or the name of a file that is in
/// none.
pub(crate) fn module(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}
