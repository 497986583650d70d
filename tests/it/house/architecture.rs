//! Checks that ARCHITECTURE.md names only what exists.

#![allow(clippy::expect_used, reason = "helpers of tests fail by a panic too")]

use std::{fs, path::PathBuf};

use super::sources::root;

/// Beginnings of strings that look like paths of the project but are not.
const ELSEWHERE: [&str; 3] = ["refs/", "origin/", "mod.rs"];

/// The beginnings of definitions in Rust.
const DEFINITIONS: [&str; 8] =
    ["fn ", "struct ", "enum ", "trait ", "type ", "const ", "mod ", "union "];

fn page() -> String {
    fs::read_to_string(root().join("ARCHITECTURE.md")).expect("ARCHITECTURE.md")
}

/// Returns the page without its drawings.
fn without_drawings(page: &str) -> String {
    page.split("```").step_by(2).collect()
}

/// Returns the strings between backticks.
fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

fn is_path(span: &str) -> bool {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-".contains(letter);
    let is_file = span.contains('/') || span.ends_with(".rs");
    is_file && span.chars().all(plain) && !ELSEWHERE.iter().any(|begin| span.starts_with(begin))
}

/// Returns the path of a file that the page names, from the root or below `src/`, if it exists.
fn located(path: &str) -> Option<PathBuf> {
    let places = [root().join("src").join(path), root().join(path)];
    places.into_iter().find(|place| place.exists())
}

/// Returns the source text of a file, or of all files of a directory.
fn rust_of(path: &PathBuf) -> String {
    if path.is_dir() {
        let entries = fs::read_dir(path).expect("a directory");
        return entries.map(|entry| rust_of(&entry.expect("an entry").path())).collect();
    }
    fs::read_to_string(path).unwrap_or_default()
}

/// Returns true if the source text defines this name.
fn defines(text: &str, name: &str) -> bool {
    DEFINITIONS.iter().any(|definition| {
        let begin = format!("{definition}{name}");
        text.match_indices(&begin).any(|(at, _)| {
            let after = text[at + begin.len()..].chars().next();
            !after.is_some_and(|letter| letter.is_alphanumeric() || letter == '_')
        })
    })
}

fn is_name(span: &str) -> bool {
    let letters = |part: &str| {
        !part.is_empty() && part.chars().all(|letter| letter.is_alphanumeric() || letter == '_')
    };
    span.split("::").all(letters)
}

#[test]
fn each_path_that_it_names_exists() {
    let page = without_drawings(&page());
    let paths: Vec<&str> = code_spans(&page).into_iter().filter(|span| is_path(span)).collect();
    assert!(paths.len() > 80, "{paths:?}");
    // The registry package contains everything that the page names, except `.ci/` and the programs
    // of the fuzzer.
    let has_ci = root().join(".ci").exists();
    let is_left_out = |path: &str| path.starts_with(".ci/") || path.starts_with("tests/fuzz/");
    for path in paths.into_iter().filter(|path| has_ci || !is_left_out(path)) {
        assert!(located(path).is_some(), "ARCHITECTURE.md names `{path}`");
    }
}

/// Returns the anchor of a heading: its words in lower case, with hyphens between them.
fn anchor(line: &str) -> Option<String> {
    let words = line.strip_prefix('#')?.trim_start_matches('#').trim().to_lowercase();
    let kept = words.chars().filter(|it| it.is_alphanumeric() || " -".contains(*it));
    Some(kept.map(|it| if it == ' ' { '-' } else { it }).collect())
}

#[test]
fn each_link_leads_somewhere() {
    let page = page();
    let headings: Vec<String> = page.lines().filter_map(anchor).collect();
    for target in page.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        if let Some(anchor) = target.strip_prefix('#') {
            assert!(headings.iter().any(|it| it == anchor), "no heading has the anchor `{target}`");
            continue;
        }
        assert!(root().join(target).exists(), "ARCHITECTURE.md links to `{target}`");
    }
}

/// Checks each `Type::function` in `file.rs` of the answers. If several names come before a file,
/// the file must define each of them.
#[test]
fn each_answer_to_a_question_is_defined_where_it_says() {
    let page = page();
    let mut checked = 0;
    let mut is_question = false;
    for line in page.lines() {
        is_question = line.starts_with('|') && (is_question || line.contains("| the one place |"));
        let Some(answer) = line.split(" | ").nth(1).filter(|_| is_question) else { continue };
        let parts: Vec<&str> = answer.split('`').collect();
        for at in (1..parts.len()).step_by(2) {
            let joined = parts.get(at + 1).is_some_and(|text| [" in ", " and "].contains(text));
            if !is_name(parts[at]) || !joined {
                continue;
            }
            let file = parts[at..].iter().skip(2).step_by(2).find(|span| is_path(span));
            let file = file.unwrap_or_else(|| panic!("`{}` is in no file: {line}", parts[at]));
            let text = rust_of(&located(file).unwrap_or_else(|| panic!("no `{file}`")));
            let name = parts[at].rsplit("::").next().unwrap_or_default();
            assert!(defines(&text, name), "`{}` is not in `{file}`", parts[at]);
            checked += 1;
        }
    }
    assert!(checked > 60, "only {checked} answers were checked");
}

/// The questions of the first section, which newcomers ask.
#[test]
fn the_first_questions_are_answered_first() {
    let page = page();
    let first = page.split("\n## ").nth(1).expect("a first section");
    for question in [
        "Where is a step's environment made?",
        "Who may delete a build?",
        "What may a placeholder do?",
        "How is a C request answered?",
        "What does a record's field mean?",
    ] {
        assert!(first.contains(question), "ARCHITECTURE.md does not begin with: {question}");
    }
}
