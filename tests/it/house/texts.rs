//! What README and CHANGELOG have to say.

#![allow(clippy::expect_used)]

use std::fs;

use super::sources::root;

#[test]
fn the_version_has_an_entry_in_the_changelog() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    let version = env!("CARGO_PKG_VERSION");
    assert!(changelog.contains(&format!("## {version}")), "CHANGELOG.md says nothing of {version}");
}

/// A program that uses git2 or rhai itself reads there which ones it must share.
#[test]
fn the_readme_names_the_versions_that_a_host_must_share() {
    // In a package, cargo has written Cargo.toml anew, and keeps the one that people write.
    let written = root().join("Cargo.toml.orig");
    let manifest = if written.exists() { written } else { root().join("Cargo.toml") };
    let manifest = fs::read_to_string(manifest).expect("Cargo.toml");
    let readme = fs::read_to_string(root().join("README.md")).expect("README.md");
    for name in ["git2", "rhai"] {
        let begin = format!("\n{name} = {{ version = \"");
        let line = manifest.split(&begin).nth(1).and_then(|rest| rest.lines().next());
        let line = line.unwrap_or_else(|| panic!("Cargo.toml requires no {name}"));
        let version = line.split('"').next().unwrap_or_default().trim_start_matches('~');
        assert!(readme.contains(&format!("{name} {version}")), "README.md: {name} {version}");
        let features = line.split("features = [").nth(1).and_then(|rest| rest.split(']').next());
        for feature in features.unwrap_or_default().split(", ").filter(|it| !it.is_empty()) {
            let feature = feature.trim_matches('"');
            assert!(readme.contains(&format!("`{feature}`")), "README.md: {name}'s {feature}");
        }
    }
}
