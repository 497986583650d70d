//! Rules about code that may be in only one place, or in none.

use super::sources::{all_sources, files_below, module, sources};

/// External interfaces, each with the only module that may name it.
const ABSENCES: [(&str, &str); 7] = [
    ("git2::", "repo"),
    ("libgit2_sys", "repo"),
    ("rhai::", "script"),
    ("posix_spawn", "process"),
    ("process::Command", "process"),
    ("tar::", "builds"),
    ("tracing::", "trace"),
];

/// Strings that only one file may contain. Other files call the functions of that file.
const ONCE: [(&str, &str); 4] = [
    ("PoisonError", "util/lock.rs"),
    ("STACK_BYTES", "util/threads.rs"),
    ("fn panic_text", "util/threads.rs"),
    ("downcast_ref::<&str>", "util/threads.rs"),
];

/// The files that differ between builds with and without scripts: one selects the module to mount,
/// the other tells C programs about it.
const BUILD_DEPENDENT: [&str; 2] = ["lib.rs", "capi/version.rs"];

/// Calls that create files or objects that other accounts may need, each with the files that may
/// make them. Other files use `Sharing` or `repo/objects/shared_write.rs`.
const MAKERS: [(&str, &[&str]); 5] = [
    // Fetched artifacts are not part of a repository.
    ("fs::create_dir", &["util/sharing.rs", "workspace/artifact_writer.rs"]),
    // Input files without a name, and unfinished files.
    ("tempfile_in", &["util/unfinished.rs", "process/input.rs"]),
    ("treebuilder(", &[]),
    ("unfinished::create", &["util/sharing.rs", "install/hooks.rs", "workspace/approval_mark.rs"]),
    // Writes existing objects again, to renew their times.
    ("odb.write(", &["repo/refs/restore.rs"]),
];

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

/// The modules that may have unsafe code: the C ABI, the functions that libgit2 calls, its options,
/// processes that the standard library cannot start, a signal handler, and the mounts of tests.
const UNSAFE: [&str; 8] = [
    "lib.rs: mod capi",
    "repo/config/mod.rs: pub(in crate::repo) mod libgit2",
    "repo/objects/mod.rs: pub(in crate::repo) mod database",
    "repo/objects/mod.rs: pub(in crate::repo) mod packs",
    "process/mod.rs: mod reaper",
    "process/mod.rs: mod spawn",
    "bin/tinyci/console/mod.rs: pub(crate) mod signals",
    "testing/mod.rs: mod mounts",
];

#[test]
fn unsafe_code_is_denied_but_in_the_modules_that_need_it() {
    let mut allowed = Vec::new();
    for (file, text) in files_below("src") {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate().filter(|(_, line)| line.contains("unsafe_code"))
        {
            match *line {
                "#![deny(unsafe_code)]" => {
                    assert!(["lib.rs", "bin/tinyci/main.rs"].contains(&&*file))
                }
                line => {
                    assert!(
                        line.starts_with("#[allow(unsafe_code, reason = \""),
                        "src/{file}: {line}"
                    );
                    let module = lines[at + 1].trim_end_matches(';');
                    allowed.push(format!("{file}: {module}"));
                }
            }
        }
    }
    for root in ["lib.rs", "bin/tinyci/main.rs"] {
        assert!(files_below("src")[root].contains("\n#![deny(unsafe_code)]\n"), "src/{root}");
    }
    let mut expected = UNSAFE.map(str::to_owned);
    expected.sort();
    allowed.sort();
    assert_eq!(allowed, expected);
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
fn what_util_has_is_written_nowhere_else() {
    for (file, text) in sources() {
        for (word, home) in ONCE {
            assert!(file == home || !text.contains(word), "src/{file}: `{word}` is {home}'s");
        }
    }
}

/// Ensures that every ref that tinyci reads is in the list in `repo/refs/hidden.rs`, which protects
/// refs from pushes.
#[test]
fn refs_of_tinyci_have_their_names_in_one_place() {
    for (file, text) in sources() {
        let mut code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let names = ["\"refs/notes/", "\"refs/tinyci/", "\"refs/notes\"", "\"refs/tinyci\""];
        let found = code.find(|line| names.iter().any(|name| line.contains(name)));
        let homes = [
            "model/stored_names.rs",
            "repo/refs/hidden.rs",
            "repo/refs/refspecs.rs",
            "install/hidden_refs.rs",
        ];
        assert!(
            found.is_none() || homes.contains(&&*file),
            "src/{file}: {}",
            found.unwrap_or_default()
        );
    }
    let names = &all_sources()["model/stored_names.rs"];
    let refs = names.split("mod refs {").nth(1).and_then(|text| text.split("\n}").next()).unwrap();
    let read = all_sources()["repo/refs/hidden.rs"].clone();
    let list = read
        .split("const READ")
        .nth(1)
        .and_then(|text| text.split("];").next())
        .unwrap()
        .to_owned();
    for line in refs.lines().filter_map(|line| line.trim().strip_prefix("pub(crate) const ")) {
        let name = line.split(':').next().unwrap();
        assert!(
            list.contains(&format!("({name}, ")),
            "`{name}` is not in the list of what is read"
        );
    }
}

#[test]
fn only_the_stub_of_scripts_differs_between_builds() {
    for (file, text) in files_below("src") {
        let mut code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let asks = code.any(|line| line.contains("feature = \"rhai\""));
        assert_eq!(asks, BUILD_DEPENDENT.contains(&&*file), "src/{file} and the feature `rhai`");
    }
}
