//! Which files of the library import which.

use std::collections::{BTreeMap, BTreeSet};

use super::sources::sources;

/// The modules that a text names through `crate::`, outside comments.
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

/// Which files each file imports. What a contents page passes on is the file's that it is from.
pub(crate) fn imports() -> BTreeMap<String, BTreeSet<String>> {
    let sources = sources();
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
                // A module may have the name of a function in it.
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

/// `crate::repo::notes` for `repo/notes/notes_ref.rs` and `repo/notes/mod.rs`.
fn module_path(file: &str) -> String {
    let name = file.trim_end_matches(".rs").trim_end_matches("/mod");
    if name == "lib" { "crate".to_owned() } else { format!("crate::{}", name.replace('/', "::")) }
}

/// A text without comments, and without the places that visibilities name.
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

/// The paths of a tree of imports: `a::{b, c::d}` is `a::b` and `a::c::d`.
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
                // What follows `as` names nothing that is imported.
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

/// The paths in code that begin at the crate, or near the file.
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

/// A path from the crate on; none for one of another crate.
fn absolute(path: &[String], own: &str) -> Option<Vec<String>> {
    let mut base: Vec<String> = own.split("::").map(str::to_owned).collect();
    let mut rest = path;
    match path.first().map(String::as_str) {
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
