//! Every `programs/*.c`: built against either library, run plainly, under valgrind, and with gcc's
//! sanitizers. A program gets the path of a repository and that of an empty folder, checks for
//! itself, and ends with status 0; a leak is a failure too.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{
    header::root,
    library::{are_missing, library_flags, prefix, run},
};

/// How a program is built and run.
struct Way {
    name: &'static str,
    is_static: bool,
    compiler: &'static [&'static str],
    runner: &'static [&'static str],
}

const WAYS: [Way; 4] = [
    Way { name: "shared", is_static: false, compiler: &[], runner: &[] },
    Way { name: "static", is_static: true, compiler: &[], runner: &[] },
    Way {
        name: "valgrind",
        is_static: false,
        compiler: &["-g"],
        runner: &[
            "valgrind",
            "--quiet",
            "--error-exitcode=99",
            "--leak-check=full",
            "--errors-for-leak-kinds=definite,indirect",
            "--show-leak-kinds=definite,indirect",
            "--child-silent-after-fork=yes",
        ],
    },
    Way {
        name: "sanitizers",
        is_static: true,
        compiler: &["-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all"],
        runner: &[],
    },
];

#[test]
fn programs_run_shared() {
    run_all(&WAYS[0]);
}

#[test]
fn programs_run_static() {
    run_all(&WAYS[1]);
}

#[test]
fn programs_run_under_valgrind() {
    run_all(&WAYS[2]);
}

#[test]
fn programs_run_with_sanitizers() {
    run_all(&WAYS[3]);
}

fn run_all(way: &Way) {
    if are_missing(&["pkg-config"]) || way.runner.first().is_some_and(|it| are_missing(&[it])) {
        return;
    }
    let folder = root().join("tests/capi/programs");
    let entries = fs::read_dir(folder).expect("the programs");
    let mut programs: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    programs.retain(|path| path.extension().is_some_and(|extension| extension == "c"));
    programs.sort();
    assert!(!programs.is_empty());
    for program in programs {
        run_one(&program, way);
    }
}

fn run_one(source: &Path, way: &Way) {
    let dir = tempfile::tempdir().expect("a folder");
    let program = dir.path().join("program");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-D_GNU_SOURCE", "-pthread", "-Wall", "-Wextra", "-pedantic", "-Werror"]);
    cc.args(way.compiler).arg(source).arg("-o").arg(&program).args(library_flags(way.is_static));
    run(&mut cc);
    repository(&dir.path().join("repo"));
    fs::create_dir(dir.path().join("empty")).expect("a folder");
    let words: Vec<&str> =
        way.runner.iter().copied().chain([program.to_str().expect("a path")]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["repo", "empty"]).current_dir(dir.path());
    command.env("LD_LIBRARY_PATH", prefix().join("lib"));
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(
        output.status.success(),
        "{} {}: {}\n{said}",
        source.display(),
        way.name,
        output.status
    );
}

/// A repository of two commits. The subject of the second is in no encoding that git knows.
fn repository(path: &Path) {
    let git = |arguments: &[&str]| {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]);
        git.args(["-c", "i18n.commitEncoding=none"]).args(arguments).current_dir(path);
        run(&mut git)
    };
    fs::create_dir(path).expect("a folder");
    git(&["init", "-q", "-b", "main"]);
    fs::write(path.join(".tinyci.yml"), "build: echo built <%= commit %>\ntest: 'true'\n")
        .expect("a config");
    git(&["add", "."]);
    git(&["commit", "-q", "-m", "first"]);
    fs::write(path.join("message"), b"caf\xe9 second\n").expect("a message");
    git(&["commit", "-q", "--allow-empty", "-F", "message"]);
    fs::remove_file(path.join("message")).expect("the message");
}
