//! Checks that imports only go down from layer to layer.

use super::{
    imports::{imports, named_modules},
    sources::{module, sources},
};

/// Every directory of the library, from the bottom up. Imports only go down: a file may name
/// directories of lower layers, and its own.
const LAYERS: [&[&str]; 7] = [
    // Code that does not depend on tinyci.
    &["util"],
    // Data, and the traits that connect the other layers.
    &["model"],
    // Pure logic.
    &["rules"],
    // Formats: configs and JSON.
    &["config", "wire"],
    // Adapters, one for each external interface.
    &["process", "repo", "script", "script_stub", "trace", "workspace"],
    // Services, which combine adapters.
    &["builds", "export", "install"],
    // The engine, which uses all of them.
    &["engine"],
];

/// Directories whose files and directories have an order too, from the bottom up. The ones in one
/// line may import each other.
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
            // A public name of lib.rs would hide which module is used.
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

/// Returns the position of a file in the order of a directory. Returns `None` for files outside of
/// the directory, for its contents page, and for the program's `main.rs`, which may import
/// everything.
fn place(file: &str, dir: &str, order: &[&str]) -> Option<usize> {
    let name = file.strip_prefix(dir)?.strip_prefix('/')?.split(['/', '.']).next()?;
    if matches!(name, "mod" | "main") {
        return None;
    }
    let place = order.iter().position(|line| line.split(' ').any(|known| known == name));
    assert!(place.is_some(), "src/{file} is not in ORDERS");
    place
}

/// Returns the leaves of `pub use crate::{a::B, c::{D, e}};`, the names that an embedding program
/// can use.
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
            // Only the C ABI has requests as JSON, but the code is in the module for all versioned
            // JSON.
            let is_json = name == "wire" && file == "capi/event.rs";
            let is_module = sources["lib.rs"].contains(&format!("\npub mod {name};\n"));
            let allowed = public.contains(name) || is_module || is_json || name == "util";
            assert!(allowed, "src/{file} names `crate::{name}`, which is not public");
        }
    }
}
