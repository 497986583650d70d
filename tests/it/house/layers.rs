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
    &["process", "repo", "script", "workspace"],
    // Services: combine adapters.
    &["builds", "export", "install"],
    // Drives them all.
    &["engine"],
];

/// The same for the directories of the engine.
const ENGINE: [&str; 5] = ["context", "step", "run", "deploy", "api"];

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
