//! What the CHANGELOG and the guide's chapter on embedding have to say.

use std::fs;

use super::sources::root;

const EMBEDDING: &str = "src/guide/embedding.md";

#[test]
fn the_version_has_an_entry_in_the_changelog() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    let version = env!("CARGO_PKG_VERSION");
    assert!(changelog.contains(&format!("## {version}")), "CHANGELOG.md says nothing of {version}");
}

/// A program that uses git2 or rhai itself reads there which ones it must share.
#[test]
fn the_chapter_on_embedding_names_the_versions_that_a_host_must_share() {
    // In a package, cargo has written Cargo.toml anew, and keeps the one that people write.
    let written = root().join("Cargo.toml.orig");
    let manifest = if written.exists() { written } else { root().join("Cargo.toml") };
    let manifest = fs::read_to_string(manifest).expect("Cargo.toml");
    let chapter = fs::read_to_string(root().join(EMBEDDING)).expect(EMBEDDING);
    for name in ["git2", "rhai"] {
        let begin = format!("\n{name} = {{ version = \"");
        let line = manifest.split(&begin).nth(1).and_then(|rest| rest.lines().next());
        let line = line.unwrap_or_else(|| panic!("Cargo.toml requires no {name}"));
        let version = line.split('"').next().unwrap_or_default().trim_start_matches('~');
        assert!(chapter.contains(&format!("{name} {version}")), "{EMBEDDING}: {name} {version}");
        let features = line.split("features = [").nth(1).and_then(|rest| rest.split(']').next());
        for feature in features.unwrap_or_default().split(", ").filter(|it| !it.is_empty()) {
            let feature = feature.trim_matches('"');
            assert!(chapter.contains(&format!("`{feature}`")), "{EMBEDDING}: {name}'s {feature}");
        }
    }
}

/// The tests run these programs, which differ from the shown ones in white space at most.
#[test]
fn programs_that_are_shown_are_tested() {
    let shown = [
        (EMBEDDING, "c", "examples/c/run_pending.c"),
        ("bindings/go/README.md", "go", "examples/go/run_pending/main.go"),
    ];
    for (text, language, program) in shown {
        let read = |file: &str| fs::read_to_string(root().join(file)).expect("a file");
        let begin = format!("```{language}\n");
        let all = read(text);
        let block = all.split(&begin).nth(1).and_then(|rest| rest.split("```").next());
        let block = block.unwrap_or_else(|| panic!("{text} has no program in {language}"));
        let without_space = |text: &str| text.split_whitespace().collect::<String>();
        assert!(without_space(&read(program)).contains(&without_space(block)), "{text}: {program}");
    }
}
