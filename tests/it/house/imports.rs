//! Finds out which files each file of the library and of the program imports.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::all_sources;

/// The path that stands for `crate` in the program, which is a separate crate.
const PROGRAM: &str = "crate::bin::tinyci";

/// Returns the modules that a source text names through `crate::`, outside comments.
pub(crate) fn named_modules(text: &str) -> Vec<String> {
    let code: String = text
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| [line, "\n"])
        .collect();
    let mut modules = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            modules.extend(top_names(group));
        } else {
            modules.push(word(rest));
        }
    }
    modules
}

/// Returns the first words of a group's members: `a` and `c` for `a::b, c::{d, e}}`.
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

/// Returns the files that each file imports. If a contents page re-exports a name, the import
/// counts as one of the file that defines it.
pub(crate) fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let sources = all_sources();
    let files: BTreeMap<String, &String> =
        sources.keys().map(|file| (module_path(file), file)).collect();
    let mut paths: BTreeMap<&String, Vec<Vec<String>>> = BTreeMap::new();
    let mut passed_on = BTreeMap::new();
    for (file, text) in &sources {
        let (code, own) = (code_of(text), module_path(file));
        let mut found = Vec::new();
        let mut rest = String::new();
        for (at, statement) in code.split("use ").enumerate() {
            let (tree, after) = match statement.split_once(';') {
                Some((tree, after)) if at > 0 => (tree, after),
                _ => ("", statement),
            };
            for leaf in leaves(tree) {
                let Some(leaf) = absolute(&leaf, &own) else { continue };
                if file.ends_with("mod.rs")
                    && let Some(name) = leaf.last()
                {
                    passed_on.insert(format!("{own}::{name}"), leaf.clone());
                }
                found.push(leaf);
            }
            rest.push_str(after);
        }
        found.extend(inline_paths(&rest).iter().filter_map(|path| absolute(path, &own)));
        paths.insert(file, found);
    }
    let target = |path: &Vec<String>| {
        let mut path = path.clone();
        for _ in 0..4 {
            let passed = (1..=path.len()).find_map(|end| {
                let name = path[..end].join("::");
                // A module can have the same name as a function in it.
                let on = passed_on.get(&name).filter(|_| !files.contains_key(&name))?;
                Some(on.iter().chain(&path[end..]).cloned().collect())
            });
            let Some(passed) = passed else { break };
            path = passed;
        }
        (1..=path.len()).rev().find_map(|end| files.get(&path[..end].join("::"))).copied()
    };
    let of = |(file, paths): (&&String, &Vec<Vec<String>>)| {
        let others = paths.iter().filter_map(target).filter(|other| other != file);
        ((*file).clone(), others.cloned().collect())
    };
    paths.iter().map(of).collect()
}

/// Returns the module path of a file: `crate::repo::notes::notes_ref` for
/// `repo/notes/notes_ref.rs`, `crate::repo::notes` for `repo/notes/mod.rs`. For files of the
/// program, it begins with [`PROGRAM`].
fn module_path(file: &str) -> String {
    let name = file.trim_end_matches(".rs").trim_end_matches("/mod").trim_end_matches("/main");
    if name == "lib" { "crate".to_owned() } else { format!("crate::{}", name.replace('/', "::")) }
}

/// Returns a source text without its comments, and without the paths in `pub(in …)`.
fn code_of(text: &str) -> String {
    let lines = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    let code: String = lines.flat_map(|line| [line, "\n"]).collect();
    let mut parts = code.split("pub(in ");
    let mut without = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        without.push_str(part.split_once(')').map_or(part, |(_, rest)| rest));
    }
    without
}

/// Returns the paths of a tree of imports: `a::b` and `a::c::d` for `a::{b, c::d}`.
fn leaves(tree: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    let mut open: Vec<Vec<String>> = vec![Vec::new()];
    let mut path: Vec<String> = Vec::new();
    let mut close = |path: &mut Vec<String>, above: &Vec<String>| {
        if !path.is_empty() {
            let name = |part: &&String| *part != "self" || above.is_empty();
            found.push(above.iter().chain(path.iter().filter(name)).cloned().collect());
        }
        path.clear();
    };
    let mut letters = tree.char_indices().peekable();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '{' => {
                let above = open.last().into_iter().flatten().chain(&path).cloned().collect();
                open.push(above);
                path.clear();
            }
            ',' | '}' => {
                close(&mut path, open.last().unwrap_or(&Vec::new()));
                if letter == '}' {
                    open.pop();
                }
            }
            _ if letter.is_alphabetic() || letter == '_' => {
                let word = word(&tree[at..]);
                for _ in 1..word.chars().count() {
                    letters.next();
                }
                // The name after `as` is not imported.
                if !tree[..at].trim_end().ends_with(" as") && word != "as" {
                    path.push(word);
                }
            }
            _ => {}
        }
    }
    close(&mut path, &Vec::new());
    found
}

/// Returns the paths in code that begin with `crate`, `super` or `self`.
fn inline_paths(code: &str) -> Vec<Vec<String>> {
    let begins = ["crate::", "super::", "self::"];
    let found = begins.iter().flat_map(|begin| code.match_indices(begin));
    let path = |(at, _): (usize, &str)| {
        let text: String = code[at..]
            .chars()
            .take_while(|letter| letter.is_alphanumeric() || matches!(letter, '_' | ':'))
            .collect();
        text.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect()
    };
    found.map(path).collect()
}

/// Returns a path that begins at the crate, or `None` if it belongs to another crate.
fn absolute(path: &[String], own: &str) -> Option<Vec<String>> {
    let mut base: Vec<String> = own.split("::").map(str::to_owned).collect();
    let mut rest = path;
    match path.first().map(String::as_str) {
        Some("crate") if own.starts_with(PROGRAM) => base.truncate(PROGRAM.split("::").count()),
        Some("crate") => base.truncate(1),
        Some("self") => {}
        Some("super") => drop(base.pop()),
        _ => return None,
    }
    rest = &rest[1..];
    while rest.first().is_some_and(|part| part == "super") {
        base.pop();
        rest = &rest[1..];
    }
    base.extend(rest.iter().cloned());
    Some(base)
}
