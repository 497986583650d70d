//! Checks that the registry package has every file that readers and tests need, and no other file.

use std::process::Command;

use super::sources::root;
use crate::support::succeed;

/// The endings of files that belong to the package.
const ENDINGS: [&str; 18] = [
    "c", "cmake", "cpp", "go", "h", "hpp", "js", "json", "lua", "md", "mod", "py", "rb", "rhai",
    "rs", "sh", "toml", "txt",
];

/// Files with another ending, or with none.
const OTHERS: [&str; 5] = [
    "LICENSE",
    "Cargo.lock",
    "Cargo.toml.orig",
    "examples/symlink-switch.yml",
    ".cargo_vcs_info.json",
];

/// The maximum size of a file in bytes.
const SIZE_MAX: u64 = 1_000_000;

/// Returns the files of the package. Returns `None` inside the package, because it cannot be
/// packaged again.
fn files() -> Option<Vec<String>> {
    if root().join("Cargo.toml.orig").exists() {
        println!("left out: this is the package itself");
        return None;
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["package", "--list", "--allow-dirty", "--offline"]);
    let output = cargo.output().expect("cargo runs");
    Some(succeed("cargo package --list", &output).lines().map(str::to_owned).collect())
}

#[test]
fn the_package_has_no_stray_file() {
    for file in files().unwrap_or_default() {
        let ending = file.rsplit_once('.').map_or("", |(_, ending)| ending);
        assert!(
            ENDINGS.contains(&ending)
                || OTHERS.contains(&&*file)
                || file.starts_with("tests/fixtures/"),
            "what is {file}?"
        );
        let size = root().join(&file).metadata().map_or(0, |metadata| metadata.len());
        assert!(size <= SIZE_MAX, "{file} has {size} bytes");
    }
}

#[test]
fn the_package_has_what_the_readme_names() {
    let Some(files) = files() else { return };
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README.md");
    let is_path = |letter: char| letter.is_alphanumeric() || "/._-".contains(letter);
    let words = readme.split(|letter| !is_path(letter)).map(|word| word.trim_end_matches('.'));
    let named: Vec<&str> =
        words.filter(|word| !word.starts_with('/') && root().join(word).is_file()).collect();
    assert!(named.contains(&"examples/first-push.sh"), "{named:?}");
    for word in named {
        assert!(files.iter().any(|file| file == word), "the package lacks {word}");
    }
}
