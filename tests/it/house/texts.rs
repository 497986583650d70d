//! Checks the contents of the CHANGELOG, SECURITY.md and the guide's chapter on embedding.

use std::fs;

use super::sources::root;

const EMBEDDING: &str = "src/guide/embedding.md";

#[test]
fn the_version_has_an_entry_in_the_changelog() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    let version = env!("CARGO_PKG_VERSION");
    assert!(changelog.contains(&format!("## {version}")), "CHANGELOG.md says nothing of {version}");
}

/// Checks the versions and features in the chapter. A program that uses git2 or rhai itself must
/// use the same ones.
#[test]
fn the_chapter_on_embedding_names_the_versions_that_a_host_must_share() {
    // In a package, Cargo.toml is generated, and Cargo.toml.orig is the original.
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

/// The attackers in the threat model. Each has a section with a table.
const ATTACKERS: [&str; 6] = [
    "Someone who can push",
    "Someone who writes a config that another person pushes",
    "Someone who forges notes",
    "Other users of the machine",
    "A remote that is fetched from, or asked with `-r`",
    "The program that embeds tinyci",
];

#[test]
fn the_threat_model_names_tests_that_exist() {
    let text = fs::read_to_string(root().join("SECURITY.md")).expect("SECURITY.md");
    let sections: Vec<&str> = text.split("\n### ").skip(1).collect();
    let titles: Vec<&str> = sections.iter().filter_map(|it| it.lines().next()).collect();
    assert_eq!(titles, ATTACKERS);
    for section in sections {
        let rows = section.lines().filter(|line| line.starts_with("| ")).skip(1);
        let (mut paths, mut unprotected) = (Vec::new(), 0);
        for row in rows {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").map(str::trim).collect();
            assert_eq!(cells.len(), 3, "{row}");
            let named = cells[2].split('`').skip(1).step_by(2).collect::<Vec<_>>();
            unprotected += usize::from(named.is_empty());
            paths.extend(named);
        }
        // At most one row of a table has no test, because only people or trust can protect from it.
        assert!(unprotected <= 1, "{section}");
        assert!(!paths.is_empty(), "{section}");
        for path in paths {
            let test =
                fs::read_to_string(root().join(path)).unwrap_or_else(|_| panic!("no {path}"));
            let holds_tests =
                test.contains("#[test]") || root().join(path).with_extension("").is_dir();
            assert!(holds_tests, "{path} has no test");
        }
    }
}

/// Checks that programs in the documentation are the ones that tests run. They may differ in
/// whitespace.
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
