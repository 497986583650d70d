//! The source files of the library, read as text.

#![allow(clippy::expect_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The library's source files by path below `src/`, without their tests.
pub(crate) fn sources() -> BTreeMap<String, String> {
    files_below("src")
        .into_iter()
        .map(|(name, text)| (name, without_tests(&text)))
        .filter(|(name, _)| !name.starts_with("bin/") && !name.starts_with("testing/"))
        .filter(|(name, _)| !name.ends_with("/tests.rs"))
        .collect()
}

/// All files in Rust below a directory of the project, by path below it.
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

/// A file up to the tests in it, which stand at its end.
fn without_tests(text: &str) -> String {
    text.split("\nmod tests {").next().unwrap_or_default().to_owned()
}

/// The directory of a file below `src/`.
pub(crate) fn module(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}
