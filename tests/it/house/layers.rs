//! Layers: imports only go down.

use super::{
    imports::{imports, named_modules},
    sources::{module, sources},
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
    &["process", "repo", "script", "script_stub", "trace", "workspace"],
    // Services: combine adapters.
    &["builds", "export", "install"],
    // Drives them all.
    &["engine"],
];

/// Directories whose own directories and files have an order too, from the bottom up. What stands
/// in one line may import each other.
const ORDERS: [(&str, &[&str]); 4] = [
    ("engine", &["context", "step", "run", "deploy", "api"]),
    (
        "script",
        &[
            "text",
            "api",
            "values",
            "syntax",
            "errors",
            "language",
            "load",
            "session",
            "functions",
            "run",
            "testing",
            "check",
            "definitions",
        ],
    ),
    ("bin/tinyci", &["console", "globals", "remote", "commands", "args"]),
    (
        "capi",
        &[
            "code error guard handle outcome text time",
            "notifier pending_request queue",
            "cancel callbacks options vars version",
            "engine",
            "pipeline record selection",
            "event request",
            "artifacts commits maintenance records reports",
            "run",
            "deploy",
        ],
    ),
];

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|modules| modules.contains(&module))
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
fn directories_in_an_order_import_only_downwards() {
    let imports = imports();
    for (dir, order) in ORDERS {
        for (file, imported) in &imports {
            let Some(from) = place(file, dir, order) else { continue };
            for other in imported {
                let to = place(other, dir, order);
                assert!(to <= Some(from), "src/{file} imports src/{other}");
            }
        }
    }
}

/// Where a file stands in the order of a directory; none for files elsewhere, the directory's own
/// contents page, and the program's `main.rs`, which stands above all.
fn place(file: &str, dir: &str, order: &[&str]) -> Option<usize> {
    let name = file.strip_prefix(dir)?.strip_prefix('/')?.split(['/', '.']).next()?;
    if matches!(name, "mod" | "main") {
        return None;
    }
    let place = order.iter().position(|line| line.split(' ').any(|known| known == name));
    assert!(place.is_some(), "src/{file} is not in ORDERS");
    place
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
            let allowed = public.contains(name) || is_module || is_json || name == "util";
            assert!(allowed, "src/{file} names `crate::{name}`, which is not public");
        }
    }
}
