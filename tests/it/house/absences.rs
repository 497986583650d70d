//! What only one place may do, or none.

use super::sources::{files_below, module, sources};

/// Outside things, and the only module that may name them.
const ABSENCES: [(&str, &str); 6] = [
    ("git2::", "repo"),
    ("rhai::", "script"),
    ("posix_spawn", "process"),
    ("process::Command", "process"),
    ("tar::", "builds"),
    ("tracing::", "trace"),
];

/// Words that only one file contains. Every other file calls what it defines.
const ONCE: [(&str, &str); 4] = [
    ("PoisonError", "util/lock.rs"),
    ("STACK_BYTES", "util/threads.rs"),
    ("fn panic_text", "util/threads.rs"),
    ("downcast_ref::<&str>", "util/threads.rs"),
];

/// The files that differ between builds with scripts and those without: which of the two modules is
/// mounted, and what C is told of it.
const BUILD_DEPENDENT: [&str; 2] = ["lib.rs", "capi/version.rs"];

/// What makes files that other accounts may have to use, and the files that may: everything else
/// goes through `Sharing`, or `repo/objects/shared_write.rs`.
const MAKERS: [(&str, &[&str]); 5] = [
    // What is fetched is no part of a repository.
    ("fs::create_dir", &["util/sharing.rs", "workspace/artifact_writer.rs"]),
    // Files without a name.
    ("tempfile_in", &["util/unfinished.rs", "process/input.rs"]),
    ("treebuilder(", &[]),
    ("unfinished::create", &["util/sharing.rs", "install/hooks.rs", "workspace/approval_mark.rs"]),
    // What is there already is only made younger by it.
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

#[test]
fn only_the_stub_of_scripts_differs_between_builds() {
    for (file, text) in files_below("src") {
        let mut code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        let asks = code.any(|line| line.contains("feature = \"rhai\""));
        assert_eq!(asks, BUILD_DEPENDENT.contains(&&*file), "src/{file} and the feature `rhai`");
    }
}
