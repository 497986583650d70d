//! Checks the public interface of the crate against a list, so that a review shows each change.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// The public modules that are also directories of the library.
const DIRECTORIES: [&str; 3] = ["builds", "install", "script"];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn text(below_src: &str) -> String {
    fs::read_to_string(src().join(below_src)).unwrap()
}

/// Returns the public modules by name, with the source text of their page.
fn pages() -> BTreeMap<String, String> {
    let public = fs::read_dir(src().join("public")).unwrap();
    let names = public.map(|entry| entry.unwrap().path().file_stem().unwrap().to_owned());
    let names = names.filter_map(|name| name.into_string().ok()).filter(|name| name != "mod");
    let files = names.map(|name| (name.clone(), text(&format!("public/{name}.rs"))));
    let dirs = DIRECTORIES.map(|name| (name.to_owned(), text(&format!("{name}/mod.rs"))));
    files.chain(dirs).collect()
}

/// Returns the names that a page re-exports: the last word of each path in a `pub use`.
fn passed_on(page: &str) -> Vec<String> {
    let code: Vec<&str> = page.lines().filter(|line| !line.starts_with("//")).collect();
    let code = code.join("\n");
    let uses = code.split("pub use ").skip(1).filter_map(|rest| rest.split_once(';'));
    let words = uses.flat_map(|(tree, _)| tree.split(['{', '}', ',', ' ', '\n']));
    let leaves = words.filter(|word| !word.is_empty() && !word.ends_with("::"));
    leaves.map(|word| word.rsplit("::").next().unwrap().to_owned()).collect()
}

/// Returns every public item by name, with its public path.
fn items() -> BTreeMap<String, String> {
    let pages = pages();
    let lib = passed_on(&text("lib.rs"));
    let root = lib.iter().filter(|name| !pages.contains_key(*name));
    let root = root.map(|name| (name.clone(), format!("tinyci::{name}")));
    let of_page = |(module, page): (&String, &String)| {
        let path = format!("tinyci::{module}");
        let names = passed_on(page).into_iter();
        names.map(|name| (name.clone(), format!("{path}::{name}"))).collect::<Vec<_>>()
    };
    let mut items = BTreeMap::new();
    for (name, path) in root.chain(pages.iter().flat_map(of_page)) {
        if let Some(other) = items.insert(name, path.clone()) {
            panic!("{path} is {other} too: one item has one path");
        }
    }
    items
}

fn sources(dir: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let is_other = ["bin", "capi", "testing"].iter().any(|name| path.ends_with(name));
        if path.is_dir() && !is_other {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push(text.split("#[cfg(test)]\nmod ").next().unwrap().to_owned());
        }
    }
}

fn word(text: &str) -> &str {
    let end = text.find(|letter: char| !letter.is_alphanumeric() && letter != '_');
    &text[..end.unwrap_or(text.len())]
}

/// Returns the item whose definition or `impl` begins on this line.
fn owner(line: &str) -> Option<&str> {
    if let Some(rest) = line.strip_prefix("impl") {
        let name = if rest.starts_with('<') { rest.split_once("> ")?.1 } else { rest.trim() };
        return (!line.contains(" for ")).then(|| word(name));
    }
    let kinds = ["pub struct ", "pub enum ", "pub trait "];
    kinds.iter().find_map(|kind| line.strip_prefix(kind)).map(word)
}

/// Returns the member that a line of an item begins: a function, a field or a variant. All members
/// of an open item are public.
fn member(line: &str, is_open: bool) -> Option<&str> {
    let line = line.strip_prefix("    ").filter(|line| line.starts_with(char::is_alphabetic))?;
    let public = line.strip_prefix("pub ").or(is_open.then_some(line))?;
    let name = public.strip_prefix("const ").unwrap_or(public);
    Some(word(name.strip_prefix("fn ").unwrap_or(name)))
}

/// Returns every public path, sorted.
fn public_paths() -> BTreeSet<String> {
    let items = items();
    let mut texts = Vec::new();
    sources(&src(), &mut texts);
    let mut paths: BTreeSet<String> = items.values().cloned().collect();
    for text in &texts {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.ends_with('{')) {
            let Some(path) = owner(line).and_then(|name| items.get(name)) else { continue };
            let is_open = line.starts_with("pub enum ") || line.starts_with("pub trait ");
            let body = lines[at + 1..].iter().take_while(|line| **line != "}");
            let members = body.filter_map(|line| member(line, is_open));
            paths.extend(members.map(|name| format!("{path}::{name}")));
        }
    }
    paths
}

#[test]
fn the_list_of_public_names_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/house/public_api.txt");
    let found: String = public_paths().iter().map(|path| format!("{path}\n")).collect();
    let listed = fs::read_to_string(&file).unwrap_or_default();
    if found != listed {
        let (old, new): (BTreeSet<&str>, BTreeSet<&str>) =
            (listed.lines().collect(), found.lines().collect());
        let gone: Vec<_> = old.difference(&new).collect();
        let added: Vec<_> = new.difference(&old).collect();
        fs::write(&file, &found).unwrap();
        panic!("public_api.txt was written anew, review it: gone {gone:?}, added {added:?}");
    }
}

#[test]
fn what_a_first_program_uses_is_at_the_root() {
    let items = items();
    for name in [
        "CancelToken",
        "CommitId",
        "Engine",
        "EngineBuilder",
        "Error",
        "ErrorKind",
        "Event",
        "EventKind",
        "Format",
        "Hook",
        "Outcome",
        "Pipeline",
        "Record",
        "Selection",
        "Summary",
        "Verdict",
        "interpolate",
    ] {
        assert_eq!(items.get(name), Some(&format!("tinyci::{name}")));
    }
}

#[test]
fn each_public_module_says_what_it_is_for_with_an_example() {
    for (name, page) in pages() {
        let docs: Vec<&str> = page.lines().take_while(|line| line.starts_with("//!")).collect();
        assert!(docs.iter().any(|line| line.starts_with("//! ```")), "{name} has no example");
        assert!(docs.len() > 3, "{name} says nothing");
    }
}
