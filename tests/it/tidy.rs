//! The rules of the house that a compiler does not check.

#![allow(clippy::expect_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// Every room, from the ground up. Imports only fall: a file may name rooms of lower floors, and
/// among the words any other word.
const FLOORS: [&[&str]; 5] = [
    // Words: data and seams.
    &[
        "answer",
        "bytes",
        "cancel",
        "check_report",
        "clock",
        "commit",
        "deployment",
        "duration",
        "error",
        "failure",
        "artifact",
        "blob_id",
        "event",
        "executor",
        "forecast",
        "function",
        "glob",
        "hex",
        "intervention",
        "job",
        "not_removed",
        "request_context",
        "outcome",
        "pipeline",
        "record",
        "record_size",
        "selection",
        "setting",
        "sharing",
        "status",
        "step",
        "suggestion",
        "test_report",
        "version_order",
    ],
    // Decisions: pure.
    &[
        "approval_rules",
        "config",
        "environment",
        "interpolate",
        "ledger",
        "mask",
        "plan",
        "retention",
        "retest",
        "run",
        "shell_text",
        "wire",
    ],
    // Hands: one outside thing each.
    &["artifact_writer", "process", "repo", "script", "secret_dir", "workspace"],
    // Trades: combine hands.
    &["compact", "export", "install", "local_executor", "prune", "signatures"],
    // The engine drives them all.
    &["engine"],
];

/// Outside things, and the only room that may name them.
const ABSENCES: [(&str, &str); 5] = [
    ("git2::", "repo"),
    ("rhai::", "script"),
    ("posix_spawn", "process"),
    ("process::Command", "process"),
    ("tar::", "compact"),
];

/// What makes files that other accounts may have to use, and the files that may: everything else
/// goes through `Sharing`, or `repo/shared_write.rs`.
const MAKERS: [(&str, &[&str]); 4] = [
    // What is fetched is no part of a repository.
    ("fs::create_dir", &["sharing.rs", "artifact_writer.rs"]),
    // Files without a name, and hooks, which are executable.
    ("tempfile_in", &["sharing.rs", "process/input.rs", "install/hooks.rs"]),
    ("treebuilder(", &[]),
    ("odb()?.write(", &["repo/shared_write.rs"]),
];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The library's source files by path below `src/`, without their tests.
fn sources() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    collect(&root().join("src"), &mut files);
    let name = |path: &Path| {
        let below = path.strip_prefix(root().join("src")).expect("below src");
        below.to_string_lossy().into_owned()
    };
    files
        .into_iter()
        .map(|(path, text)| (name(&path), without_tests(&text)))
        .filter(|(name, _)| !name.starts_with("bin/") && !name.ends_with("/tests.rs"))
        .collect()
}

fn collect(dir: &Path, files: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(dir).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.insert(path.clone(), fs::read_to_string(&path).expect("a source file"));
        }
    }
}

fn without_tests(text: &str) -> String {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or_default().to_owned()
}

/// `repo/notes.rs` and `repo.rs` are both in room `repo`.
fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

fn floor(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The rooms that a text names through `crate::`, outside comments.
fn named_rooms(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut rooms = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            rooms.extend(top_names(group));
        } else {
            rooms.push(word(rest));
        }
    }
    rooms
}

/// The first words of a group's members: `a::b, c::{d, e}}` names `a` and `c`.
fn top_names(group: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut depth = 0;
    let mut fresh = true;
    for (at, letter) in group.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            _ if fresh && depth == 0 && letter.is_alphabetic() => {
                names.push(word(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    names
}

fn word(text: &str) -> String {
    text.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect()
}

#[test]
fn every_file_has_a_room_and_every_room_a_file() {
    let sources = sources();
    for file in sources.keys().filter(|file| *file != "lib.rs") {
        assert!(
            floor(room(file)).is_some() || ["guide", "capi"].contains(&room(file)),
            "src/{file} is on no floor: add it to FLOORS"
        );
    }
    for known in FLOORS.concat() {
        assert!(sources.keys().any(|file| room(file) == known), "no file is in room {known}");
    }
}

#[test]
fn imports_only_fall() {
    for (file, text) in sources() {
        let Some(from) = floor(room(&file)) else { continue };
        for name in named_rooms(&text).iter().filter(|name| *name != room(&file)) {
            // A public name of lib.rs would hide which room is meant.
            let to = floor(name);
            assert!(to.is_some(), "src/{file} names `crate::{name}`, which is no room");
            let falls = to.is_some_and(|to| to < from || (from == 0 && to == 0));
            assert!(falls, "src/{file} names `{name}`, which is not on a lower floor");
        }
    }
}

/// The leaves of `pub use crate::{a::B, c::{D, e}};`: what an embedding program can name.
fn public_names(lib: &str) -> Vec<String> {
    let uses = lib.split("pub use crate::").skip(1);
    let uses = uses.filter_map(|text| text.split(';').next());
    let words =
        uses.flat_map(|text| text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')));
    let leaves = words.filter(|word| !word.is_empty() && !word.ends_with("::"));
    leaves.filter_map(|word| word.rsplit("::").next()).map(str::to_owned).collect()
}

#[test]
fn the_roof_sees_only_public_names() {
    let sources = sources();
    let public = public_names(&sources["lib.rs"]);
    assert!(public.iter().any(|name| name == "Engine"), "{public:?}");
    for (file, text) in sources.iter().filter(|(file, _)| room(file) == "capi") {
        for name in named_rooms(text).iter().filter(|name| !["capi", "VERSION"].contains(&&***name))
        {
            // Requests as JSON are C's alone, and written where all versioned JSON is.
            let is_json = name == "wire" && file == "capi/event.rs";
            let allowed = public.contains(name) || is_json;
            assert!(allowed, "src/{file} names `crate::{name}`, which is not public");
        }
    }
}

#[test]
fn words_name_each_other_without_a_cycle() {
    let mut left: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, text) in sources().iter().filter(|(file, _)| floor(room(file)) == Some(0)) {
        let word = room(file).to_owned();
        let others = named_rooms(text).into_iter().filter(|name| *name != word);
        left.entry(word.clone()).or_default().extend(others);
    }
    // What names no word that is left is sorted out, until nothing is left, or only cycles.
    while !left.is_empty() {
        let is_free = |names: &Vec<String>| !names.iter().any(|name| left.contains_key(name));
        let free = left.iter().find(|(_, names)| is_free(names)).map(|(word, _)| word.clone());
        let Some(free) = free else { panic!("words that name each other in a cycle: {left:?}") };
        left.remove(&free);
    }
}

#[test]
fn each_outside_thing_has_one_room() {
    for (file, text) in sources() {
        for (thing, home) in ABSENCES {
            let names = text.lines().any(|line| {
                let line = line.trim_start();
                line.contains(thing) && !line.starts_with("//")
            });
            assert!(
                !names || room(&file) == home,
                "src/{file} names `{thing}`, which lives in {home}"
            );
        }
    }
}

#[test]
fn what_is_made_is_shared_as_the_repository_says() {
    for (file, text) in sources() {
        for (maker, homes) in MAKERS {
            let makes = text.lines().any(|line| {
                let line = line.trim_start();
                line.contains(maker) && !line.starts_with("//")
            });
            assert!(
                !makes || homes.contains(&&*file),
                "src/{file} has `{maker}`, which knows nothing of core.sharedRepository"
            );
        }
    }
}

#[test]
fn a_library_leaves_the_process_to_its_host() {
    let forbidden = [
        "println!",
        "eprintln!",
        "print!(",
        "std::process::exit",
        "set_current_dir",
        "set_var(\"",
        "env::set_var",
        "remove_var",
        "git2::opts",
        "pre_exec",
        "todo!(",
        "unimplemented!(",
        "dbg!(",
    ];
    for (file, text) in sources().iter().filter(|(file, _)| *file != "repo/process_wide.rs") {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in forbidden {
                assert!(!line.contains(word), "src/{file} uses `{word}`: {}", line.trim());
            }
        }
    }
}

#[test]
fn a_contents_page_holds_no_code() {
    for (file, text) in sources().iter().filter(|(file, _)| file.ends_with("lib.rs")) {
        assert!(!text.contains("\nfn ") && !text.contains("\nimpl "), "src/{file} holds code");
    }
}

#[test]
fn the_version_has_an_entry_in_the_changelog() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).expect("CHANGELOG.md");
    let version = env!("CARGO_PKG_VERSION");
    assert!(changelog.contains(&format!("## {version}")), "CHANGELOG.md says nothing of {version}");
}

/// A program that uses git2 or rhai itself reads there which ones it must share.
#[test]
fn the_readme_names_the_versions_that_a_host_must_share() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
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
