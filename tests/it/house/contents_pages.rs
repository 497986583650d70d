//! Checks that each `mod.rs` names the files of its directory and has no code.

use std::collections::BTreeMap;

use super::sources::{all_sources, files_below, module};

/// The beginnings of lines of code.
const ITEMS: [&str; 8] =
    ["fn ", "struct ", "enum ", "trait ", "impl ", "const ", "static ", "type "];

#[test]
fn a_contents_page_has_no_code_and_names_every_file_of_its_directory() {
    let sources = all_sources();
    check_pages("src", &sources);
    let lib = &sources["lib.rs"];
    assert!(!lib.contains("\nfn ") && !lib.contains("\nimpl "), "src/lib.rs has code");
}

#[test]
fn the_tests_have_contents_pages_too() {
    for dir in ["src/testing", "tests/it", "tests/capi"] {
        let files = files_below(dir);
        check_pages(dir, &files);
        if let Some(main) = files.get("main.rs") {
            check_page(&format!("{dir}/main.rs"), main, names_below("", &files));
        }
    }
}

fn check_pages(root: &str, files: &BTreeMap<String, String>) {
    for (page, text) in files {
        let Some(dir) = page.strip_suffix("mod.rs") else { continue };
        // The guide's page has an order and headings instead of a table.
        let is_guide = root == "src" && module(page) == "guide";
        let names = names_below(dir, files).filter(|_| !is_guide);
        check_page(&format!("{root}/{page}"), text, names);
    }
}

fn check_page<'a>(page: &str, text: &str, names: impl Iterator<Item = &'a str>) {
    for line in text.lines() {
        let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
        let line = line.trim_start_matches("pub ");
        assert!(!ITEMS.iter().any(|item| line.starts_with(item)), "{page} has code: {line}");
    }
    let docs: String = text.lines().filter(|line| line.starts_with("//")).collect();
    for name in names {
        assert!(docs.contains(&format!("`{name}`")), "{page} does not name `{name}`");
    }
}

/// Returns the files and directories of a directory, except its page and its tests.
fn names_below<'a>(
    dir: &'a str,
    files: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = &'a str> {
    let below = files.keys().filter_map(move |file| file.strip_prefix(dir));
    let names = below.map(|file| file.split(['/', '.']).next().unwrap_or_default());
    names.filter(|name| !["mod", "main", "lib", "tests"].contains(name))
}
