//! The rules of the code that a compiler does not check.

#![allow(clippy::expect_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Every directory of the library, from the bottom up. Imports only go down: a file may name
/// directories of lower layers, and its own.
const LAYERS: [&[&str]; 7] = [
    // What knows nothing of tinyci.
    &["util"],
    // Data, and the traits between the others.
    &["model"],
    // Logic: pure.
    &["rules"],
    // Texts and data: configs, JSON.
    &["config", "wire"],
    // Adapters: one outside thing each.
    &["process", "repo", "script", "workspace"],
    // Services: combine adapters.
    &["builds", "export", "install"],
    // Drives them all.
    &["engine"],
];

/// The same for the directories of the engine.
const ENGINE: [&str; 5] = ["context", "step", "run", "deploy", "api"];

/// As many files may import each other in a circle.
const CIRCLE_MAX: usize = 5;

/// Where the language and what it calls still import each other.
const KNOWN_CIRCLE: &str = "script";

/// Outside things, and the only module that may name them.
const ABSENCES: [(&str, &str); 5] = [
    ("git2::", "repo"),
    ("rhai::", "script"),
    ("posix_spawn", "process"),
    ("process::Command", "process"),
    ("tar::", "builds"),
];

/// What makes files that other accounts may have to use, and the files that may: everything else
/// goes through `Sharing`, or `repo/objects/shared_write.rs`.
const MAKERS: [(&str, &[&str]); 4] = [
    // What is fetched is no part of a repository.
    ("fs::create_dir", &["util/sharing.rs", "workspace/artifact_writer.rs"]),
    // Files without a name, and hooks, which are executable.
    ("tempfile_in", &["util/sharing.rs", "process/input.rs", "install/hooks.rs"]),
    ("treebuilder(", &[]),
    ("odb()?.write(", &["repo/objects/shared_write.rs"]),
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
        .filter(|(name, _)| !name.starts_with("bin/") && !name.starts_with("testing/"))
        .filter(|(name, _)| !name.ends_with("/tests.rs"))
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

/// The directory of a file below `src/`.
fn module(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
}

/// The modules that a text names through `crate::`, outside comments.
fn named_modules(text: &str) -> Vec<String> {
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

#[test]
fn every_file_is_in_a_layer() {
    let sources = sources();
    for file in sources.keys().filter(|file| *file != "lib.rs") {
        let known =
            layer(module(file)).is_some() || ["guide", "capi", "public"].contains(&module(file));
        assert!(known && file.contains('/'), "src/{file} is in no directory of LAYERS");
    }
    for known in LAYERS.concat() {
        assert!(sources.keys().any(|file| module(file) == known), "no file is in {known}");
    }
}

#[test]
fn imports_only_go_down() {
    for (file, text) in sources() {
        let Some(from) = layer(module(&file)) else { continue };
        for name in named_modules(&text).iter().filter(|name| *name != module(&file)) {
            // A public name of lib.rs would hide which module is meant.
            let to = layer(name);
            assert!(to.is_some(), "src/{file} names `crate::{name}`, which is no module");
            assert!(to < Some(from), "src/{file} names `{name}`, which is not in a lower layer");
        }
    }
}

#[test]
fn the_directories_of_the_engine_import_only_downwards() {
    let place = |file: &str| {
        let dir = file.strip_prefix("engine/")?.split_once('/')?.0;
        Some(
            ENGINE
                .iter()
                .position(|known| *known == dir)
                .unwrap_or_else(|| panic!("src/{file} is in no directory of ENGINE")),
        )
    };
    for (file, imported) in imports() {
        for other in imported {
            let (Some(from), Some(to)) = (place(&file), place(&other)) else { continue };
            assert!(to <= from, "src/{file} imports src/{other}");
        }
    }
}

#[test]
fn circles_of_imports_are_small() {
    let imports = imports();
    let reached: BTreeMap<&String, BTreeSet<&String>> =
        imports.keys().map(|file| (file, reachable(&imports, file))).collect();
    for (file, others) in &reached {
        let circle: Vec<_> = others.iter().filter(|other| reached[*other].contains(file)).collect();
        let is_known = module(file) == KNOWN_CIRCLE;
        assert!(is_known || circle.len() <= CIRCLE_MAX, "files that import each other: {circle:?}");
    }
}

/// What a file imports, and what that imports.
fn reachable<'a>(
    imports: &'a BTreeMap<String, BTreeSet<String>>,
    file: &'a String,
) -> BTreeSet<&'a String> {
    let mut found = BTreeSet::new();
    let mut next = vec![file];
    while let Some(file) = next.pop() {
        next.extend(imports[file].iter().filter(|other| found.insert(*other)));
    }
    found
}

/// Which files each file imports. What a contents page passes on is the file's that it is from.
fn imports() -> BTreeMap<String, BTreeSet<String>> {
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
fn the_c_abi_sees_only_public_names() {
    let sources = sources();
    let public = public_names(&sources["lib.rs"]);
    assert!(public.iter().any(|name| name == "Engine"), "{public:?}");
    for (file, text) in sources.iter().filter(|(file, _)| module(file) == "capi") {
        for name in
            named_modules(text).iter().filter(|name| !["capi", "VERSION"].contains(&&***name))
        {
            // Requests as JSON are C's alone, and written where all versioned JSON is.
            let is_json = name == "wire" && file == "capi/event.rs";
            let is_module = sources["lib.rs"].contains(&format!("\npub mod {name};\n"));
            let allowed = public.contains(name) || is_module || is_json;
            assert!(allowed, "src/{file} names `crate::{name}`, which is not public");
        }
    }
}

#[test]
fn each_outside_thing_has_one_module() {
    for (file, text) in sources() {
        for (thing, home) in ABSENCES {
            let names = text.lines().any(|line| {
                let line = line.trim_start();
                line.contains(thing) && !line.starts_with("//")
            });
            assert!(
                !names || module(&file) == home,
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
    for (file, text) in sources().iter().filter(|(file, _)| *file != "repo/config/libgit2.rs") {
        for line in text.lines().filter(|line| !line.trim_start().starts_with("//")) {
            for word in forbidden {
                assert!(!line.contains(word), "src/{file} uses `{word}`: {}", line.trim());
            }
        }
    }
}

#[test]
fn a_contents_page_has_no_code_and_names_every_file_of_its_directory() {
    let sources = sources();
    for (page, text) in &sources {
        let Some(dir) = page.strip_suffix("mod.rs") else { continue };
        let items = ["fn ", "struct ", "enum ", "trait ", "impl ", "const ", "static ", "type "];
        for line in text.lines() {
            let line = line.trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ");
            let line = line.trim_start_matches("pub ");
            assert!(
                !items.iter().any(|item| line.starts_with(item)),
                "src/{page} has code: {line}"
            );
        }
        let docs: String = text.lines().filter(|line| line.starts_with("//")).collect();
        let files = sources.keys().filter_map(|file| file.strip_prefix(dir));
        let names = files.map(|file| file.split(['/', '.']).next().unwrap_or_default());
        for name in names.filter(|name| !["mod", "tests"].contains(name)) {
            let is_named = docs.contains(&format!("`{name}`"));
            assert!(is_named || module(page) == "guide", "src/{page} does not name `{name}`");
        }
    }
    let lib = &sources["lib.rs"];
    assert!(!lib.contains("\nfn ") && !lib.contains("\nimpl "), "src/lib.rs has code");
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
