//! `include/tinyci.h`, `include/tinyci.json` and `bindings/prototypes.h` are written from the
//! sources, and committed: these tests write them anew and compare.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    declarations::{Declarations, Doc},
    facts::describe::description,
};

/// The files with what C sees, in the order of the header.
const SOURCES: [&str; 21] = [
    "version",
    "code",
    "error",
    "text",
    "options",
    "engine",
    "selection",
    "commits",
    "pipeline",
    "vars",
    "cancel",
    "run",
    "event",
    "request",
    "outcome",
    "record",
    "records",
    "reports",
    "deploy",
    "maintenance",
    "artifacts",
];

/// If this variable is set, the test writes the files instead of comparing them.
const WRITE: &str = "TINYCI_WRITE_HEADER";

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

pub(crate) fn committed() -> Declarations {
    let text = fs::read_to_string(root().join("include/tinyci.h")).expect("include/tinyci.h");
    Declarations::parse(&text)
}

/// Generates the header from the sources.
fn header() -> String {
    let capi = root().join("src/capi");
    let mut config = cbindgen::Config::from_file(capi.join("cbindgen.toml")).expect("a config");
    config.after_includes = Some(version_macros());
    let builder = SOURCES.iter().fold(cbindgen::Builder::new(), |builder, name| {
        builder.with_src(capi.join(format!("{name}.rs")))
    });
    let mut text = Vec::new();
    builder.with_config(config).generate().expect("a header").write(&mut text);
    finished(&String::from_utf8(text).expect("the header is text"))
}

/// The version macros, from the version in Cargo.toml.
fn version_macros() -> String {
    let (version, number) = version();
    let [major, minor, patch] = version.split('.').collect::<Vec<_>>()[..] else {
        panic!("{version}")
    };
    let define = |doc: &str, name: &str, value: &str| {
        format!("\n/**\n * {doc}\n */\n#define TINYCI_VERSION{name} {value}\n")
    };
    [
        define(
            "The version of this header. `tinyci_version()` returns that of the library.",
            "",
            &format!("\"{version}\""),
        ),
        define("The major version.", "_MAJOR", major),
        define("The minor version.", "_MINOR", minor),
        define("The patch version.", "_PATCH", patch),
        define(
            "The version as a number that increases with it: 1.2.3 is 1002003.",
            "_NUMBER",
            &number.to_string(),
        ),
    ]
    .concat()
}

/// The package's version in Cargo.toml, and its number.
fn version() -> (String, u32) {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let line =
        manifest.lines().find_map(|line| line.strip_prefix("version = ")).expect("a version");
    let version = line.trim_matches('"').to_owned();
    let numbers: Vec<u32> = version.split('.').map(|it| it.parse().expect("a number")).collect();
    let number = numbers[0] * 1_000_000 + numbers[1] * 1_000 + numbers[2];
    (version, number)
}

/// Fixes what cbindgen has no option for.
fn finished(header: &str) -> String {
    let line = |text: &str| {
        let negative = text.strip_prefix("#define ").and_then(|it| it.split_once(" -"));
        if let Some((name, number)) = negative {
            // `x -TINYCI_IO` would be a decrement.
            return format!("#define {name} (-{number})\n");
        }
        // Renamed types come with a space too many.
        let is_code = !text.trim_start().starts_with(['#', '*', '/']);
        if is_code { format!("{}\n", text.replace("* ", "*")) } else { format!("{text}\n") }
    };
    header.trim_start().lines().map(line).collect()
}

fn prototypes(declarations: &Declarations) -> String {
    let head = "/* Written from include/tinyci.h for parsers of C that know no preprocessor. */\n";
    format!("{head}{}", declarations.prototypes())
}

#[test]
fn the_committed_files_are_what_the_sources_say() {
    let header = header();
    let declarations = Declarations::parse(&header);
    for (path, text) in [
        ("include/tinyci.h", header),
        ("include/tinyci.json", description(&declarations)),
        ("bindings/prototypes.h", prototypes(&declarations)),
    ] {
        let file = root().join(path);
        if env::var_os(WRITE).is_some() {
            fs::write(&file, text).expect("a file to write");
        } else if fs::read_to_string(&file).ok().as_deref() != Some(&text) {
            panic!("{path} is not what src/capi/ says: {WRITE}=1 cargo test --test capi header");
        }
    }
}

#[test]
fn every_source_is_in_the_header() {
    for entry in fs::read_dir(root().join("src/capi")).expect("src/capi") {
        let path = entry.expect("an entry").path();
        let Some(name) = path.file_stem().and_then(|name| name.to_str()) else { continue };
        let text = fs::read_to_string(&path).expect("a source");
        let is_seen = text.contains("no_mangle") || text.contains("\npub const TINYCI_");
        assert!(!is_seen || SOURCES.contains(&name), "src/capi/{name}.rs is not in SOURCES");
    }
}

#[test]
fn the_version_macros_are_those_of_the_manifest() {
    let (version, number) = version();
    let header = committed();
    let value = |name: &str| {
        let constant = header.constants.iter().find(|it| it.name == name);
        constant.map(|it| it.value.clone()).unwrap_or_default()
    };
    assert_eq!(value("TINYCI_VERSION"), format!("\"{version}\""));
    assert_eq!(value("TINYCI_VERSION_NUMBER"), number.to_string());
    let parts = ["MAJOR", "MINOR", "PATCH"].map(|part| value(&format!("TINYCI_VERSION_{part}")));
    assert_eq!(parts.join("."), version);
}

#[test]
fn every_item_is_documented() {
    let header = committed();
    for it in &header.constants {
        assert!(it.name.starts_with("TINYCI_"), "{}", it.name);
        assert!(!it.doc.purpose.is_empty(), "{} has no documentation", it.name);
    }
    for it in &header.types {
        assert!(it.name.starts_with("tinyci_"), "{}", it.name);
        assert!(!it.doc.purpose.is_empty(), "{} has no documentation", it.name);
        let is_handle = it.meaning.is_none();
        let owner = ["You own it", "belongs to"];
        assert!(!is_handle || says(&it.doc, &owner), "whose is a {}?", it.name);
    }
    for it in &header.functions {
        let Doc { purpose, parameters, returns, threads, since } = &it.doc;
        assert!(it.name.starts_with("tinyci_"), "{}", it.name);
        assert!(!purpose.is_empty(), "{} has no documentation", it.name);
        let documented: Vec<&str> = parameters.iter().map(|(name, _)| name.as_str()).collect();
        let declared: Vec<&str> = it.parameters.iter().map(|(_, name)| name.as_str()).collect();
        assert_eq!(documented, declared, "@param of {}", it.name);
        assert!(parameters.iter().all(|(_, text)| !text.is_empty()), "@param of {}", it.name);
        assert_eq!(returns.is_some(), it.returns != "void", "@return of {}", it.name);
        let threads = threads.as_deref().unwrap_or_default();
        let rule = threads.starts_with("Any thread") || threads.starts_with("One thread at a time");
        assert!(rule, "who may call {}? It says: {threads}", it.name);
        let since = since.as_deref().unwrap_or_default();
        assert!(is_released(since), "{} is there since `{since}`?", it.name);
    }
}

/// True for three numbers, of this version or an earlier one.
fn is_released(text: &str) -> bool {
    let numbers = |text: &str| -> Option<Vec<u32>> {
        text.split('.').map(|number| number.parse().ok()).collect()
    };
    let own = numbers(env!("CARGO_PKG_VERSION"));
    numbers(text).is_some_and(|since| since.len() == 3 && Some(since) <= own)
}

#[test]
fn who_frees_what_is_said_and_const_means_shareable() {
    let header = committed();
    for it in &header.functions {
        let returns = it.doc.returns.as_deref().unwrap_or_default();
        if it.returns.ends_with('*') {
            let owner = ["valid as long as the ", "Static", "free it with `", "free them with `"];
            assert!(owner.iter().any(|word| returns.contains(word)), "{}: {returns}", it.name);
        }
        for (kind, name) in it.parameters.iter().filter(|(kind, _)| kind.ends_with("**")) {
            let doc = it.doc.parameters.iter().find(|(it, _)| it == name).map(|(_, text)| text);
            let doc = doc.map(String::as_str).unwrap_or_default();
            let words = ["free it with `", "free them with `", "do not free it"];
            let said = name == "err" || words.iter().any(|words| doc.contains(words));
            assert!(said, "{}: who frees {kind}{name}? {doc}", it.name);
        }
        // The object that a function is about; the others are only read.
        let exclusive = it.parameters.first().is_some_and(|(kind, _)| {
            kind.starts_with("tinyci_") && kind.ends_with('*') && !kind.ends_with("**")
        });
        let one = it.doc.threads.as_deref().unwrap_or_default().starts_with("One thread");
        // What takes its object for good is the last use of it, and so needs no rule.
        let object = it.doc.parameters.first().map(|(_, text)| text.as_str()).unwrap_or_default();
        let is_last = object.contains("consumed");
        assert!(is_last || exclusive == one, "{}: `const` and the thread rule differ", it.name);
    }
}

#[test]
fn nothing_calls_back_and_nothing_odd_crosses() {
    let header = committed();
    let scalars =
        ["void", "int32_t", "int64_t", "uint32_t", "uint64_t", "size_t", "double", "tinyci_code"];
    let handles: BTreeSet<&str> = header.types.iter().map(|it| it.name.as_str()).collect();
    for it in &header.functions {
        let kinds = it.parameters.iter().map(|(kind, _)| kind).chain([&it.returns]);
        for kind in kinds {
            let bare = kind.trim_start_matches("const ").trim_end_matches(['*', ' ']);
            let bare = bare.trim_end_matches(" *const").trim();
            let pointer = kind.contains('*');
            let known = if pointer {
                handles.contains(bare) || ["char", "uint8_t", "size_t"].contains(&bare)
            } else {
                scalars.contains(&kind.as_str())
            };
            assert!(known, "{} has a `{kind}`", it.name);
        }
        assert!(it.returns != "tinyci_code" || takes_error(&it.parameters) || reads_only(&it.name));
    }
}

fn takes_error(parameters: &[(String, String)]) -> bool {
    parameters.last().is_some_and(|(kind, name)| kind == "tinyci_error **" && name == "err")
}

/// `tinyci_error_code` returns a code of another call.
fn reads_only(name: &str) -> bool {
    name == "tinyci_error_code"
}

fn says(doc: &Doc, words: &[&str]) -> bool {
    words.iter().any(|word| doc.purpose.contains(word))
}

/// Compiles sources, and fails with the output of the compiler.
fn compile(compiler: &str, standard: &str, sources: &[(&str, &str)]) {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in sources {
        fs::write(dir.path().join(name), text).expect("a source");
    }
    let output = Command::new(compiler)
        .args([standard, "-Wall", "-Wextra", "-pedantic", "-Werror", "-c"])
        .args(sources.iter().map(|(name, _)| name))
        .arg("-I")
        .arg(root().join("include"))
        .current_dir(dir.path())
        .output()
        .expect("a compiler");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{compiler} {standard}: {said}");
}

#[test]
fn the_header_is_clean_in_c_and_cpp_alone_and_twice() {
    let alone = "#include <tinyci.h>\nint a(void);\nint a(void) { return TINYCI_OK -TINYCI_IO; }\n";
    let twice = "#include <tinyci.h>\n#include <tinyci.h>\nint b(void);\nint b(void) { return TINYCI_ABI; }\n";
    compile("cc", "-std=c99", &[("a.c", alone), ("b.c", twice)]);
    compile("c++", "-std=c++17", &[("a.cc", alone), ("b.cc", twice)]);
    compile("cc", "-std=c99", &[("p.c", &prototype_unit())]);
}

/// The prototypes alone, whose types are those of C.
fn prototype_unit() -> String {
    let file = Path::new("bindings/prototypes.h");
    let text = fs::read_to_string(root().join(file)).expect("bindings/prototypes.h");
    assert!(!text.contains('#'), "no preprocessor is needed");
    format!(
        "#include <stddef.h>\n#include <stdint.h>\n{text}int p(void);\nint p(void) {{ return 0; }}\n"
    )
}
