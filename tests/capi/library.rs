//! The libraries that `bindings/build-library.sh` builds: what they show, and to whom.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::header::{committed, root};

/// Builds and installs the libraries, once for all tests of this process, and says where.
pub(crate) fn prefix() -> &'static Path {
    static PREFIX: OnceLock<PathBuf> = OnceLock::new();
    PREFIX.get_or_init(|| {
        let prefix = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("capi");
        run(Command::new(root().join("bindings/build-library.sh")).arg(&prefix));
        prefix
    })
}

/// What a command prints; it has to succeed.
pub(crate) fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (out, err) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

/// Returns true, and says so, if one of the programs that a test needs is not installed.
/// `.ci/run` installs all of them.
pub(crate) fn are_missing(programs: &[&str]) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    let is_there = |name: &&str| env::split_paths(&path).any(|dir| dir.join(name).is_file());
    let Some(missing) = programs.iter().find(|name| !is_there(name)) else { return false };
    eprintln!("skipped: {missing} is not installed");
    true
}

/// What pkg-config says of the installed library.
pub(crate) fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let mut command = Command::new("pkg-config");
    command.args(arguments).arg("tinyci");
    command.env("PKG_CONFIG_PATH", prefix().join("lib/pkgconfig"));
    run(&mut command).split_whitespace().map(str::to_owned).collect()
}

/// The symbols that a library defines for others.
fn symbols(arguments: &[&str], library: &str) -> BTreeSet<String> {
    let path = prefix().join("lib").join(library);
    let listed = run(Command::new("nm").args(arguments).arg("--defined-only").arg(path));
    let names = listed.lines().filter_map(|line| line.split(' ').nth(2));
    names.map(str::to_owned).collect()
}

fn declared() -> BTreeSet<String> {
    committed().functions.into_iter().map(|it| it.name).collect()
}

#[test]
fn both_libraries_show_what_the_header_declares_and_nothing_else() {
    assert_eq!(symbols(&["-D"], "libtinyci.so"), declared());
    assert_eq!(symbols(&["-g"], "libtinyci.a"), declared());
}

#[test]
fn the_shared_library_is_named_by_its_abi_everywhere() {
    let header = committed();
    let abi = header.constants.iter().find(|it| it.name == "TINYCI_ABI").expect("TINYCI_ABI");
    let name = format!("libtinyci.so.{}", abi.value);
    let path = prefix().join("lib").join(&name);
    let dynamic = run(Command::new("readelf").arg("-d").arg(path));
    assert!(dynamic.contains(&format!("soname: [{name}]")), "{dynamic}");
    let link = std::fs::read_link(prefix().join("lib/libtinyci.so")).expect("a link");
    assert_eq!(link, Path::new(&name));
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let cargo_c = manifest.split("[package.metadata.capi.library]").nth(1).expect("its metadata");
    assert!(cargo_c.trim_start().starts_with(&format!("version = \"{}.", abi.value)));
}

#[test]
fn pkg_config_tells_the_version_of_the_header() {
    if are_missing(&["pkg-config"]) {
        return;
    }
    assert_eq!(pkg_config(&["--modversion"]), [env!("CARGO_PKG_VERSION")]);
}

/// A program that finds the package by CMake, and links either library.
#[test]
fn cmake_finds_both_libraries() {
    if are_missing(&["cmake", "make"]) {
        return;
    }
    let dir = tempfile::tempdir().expect("a folder");
    let lists = format!(
        "cmake_minimum_required(VERSION 3.21)\n\
         project(host C)\n\
         find_package(tinyci {} REQUIRED)\n\
         add_executable(shared main.c)\n\
         target_link_libraries(shared tinyci::tinyci)\n\
         add_executable(static main.c)\n\
         target_link_libraries(static tinyci::static)\n",
        env!("CARGO_PKG_VERSION")
    );
    let main = "#include <stdio.h>\n#include <tinyci.h>\n\
                int main(void) { return puts(tinyci_version()) < 0; }\n";
    std::fs::write(dir.path().join("CMakeLists.txt"), lists).expect("a file");
    std::fs::write(dir.path().join("main.c"), main).expect("a file");
    let mut configure = Command::new("cmake");
    configure.args(["-S", ".", "-B", "build"]).current_dir(dir.path());
    run(configure.arg(format!("-DCMAKE_PREFIX_PATH={}", prefix().display())));
    run(Command::new("cmake").args(["--build", "build"]).current_dir(dir.path()));
    for program in ["shared", "static"] {
        let said = run(&mut Command::new(dir.path().join("build").join(program)));
        assert_eq!(said.trim(), env!("CARGO_PKG_VERSION"));
    }
}

/// The libgit2 that tinyci brings must not be taken for the program's own.
#[test]
fn a_program_keeps_its_own_libgit2() {
    let found = Command::new("pkg-config").args(["--cflags", "--libs", "libgit2"]).output();
    let Some(found) = found.ok().filter(|output| output.status.success()) else {
        eprintln!("the system has no libgit2 to compile with (libgit2-dev): not tested");
        return;
    };
    let flags = String::from_utf8_lossy(&found.stdout).into_owned();
    let theirs = run(Command::new("pkg-config").args(["--modversion", "libgit2"]));
    let dir = tempfile::tempdir().expect("a folder");
    let main = "#include <git2.h>\n#include <stdio.h>\n#include <tinyci.h>\n\
        int main(int argc, char **argv) {\n\
            int major, minor, patch;\n\
            tinyci_engine *engine;\n\
            git_libgit2_init();\n\
            git_libgit2_version(&major, &minor, &patch);\n\
            printf(\"%d.%d.%d\\n\", major, minor, patch);\n\
            if (tinyci_engine_open(argv[argc - 1], NULL, &engine, NULL) != TINYCI_OK) return 1;\n\
            tinyci_engine_free(engine);\n\
            return git_libgit2_shutdown();\n\
        }\n";
    std::fs::write(dir.path().join("main.c"), main).expect("a file");
    run(Command::new("git").args(["init", "-q", "repo"]).current_dir(dir.path()));
    for linking in [vec!["--cflags", "--libs"], vec!["--cflags", "--libs", "--static"]] {
        let is_static = linking.contains(&"--static");
        let mut cc = Command::new("cc");
        cc.args(["main.c", "-o", "host"]).current_dir(dir.path());
        cc.args(flags.split_whitespace()).args(library_flags(is_static));
        run(&mut cc);
        let mut host = Command::new(dir.path().join("host"));
        host.arg("repo").current_dir(dir.path()).env("LD_LIBRARY_PATH", prefix().join("lib"));
        assert_eq!(run(&mut host).trim(), theirs.trim(), "static: {is_static}");
    }
}

/// What a C compiler has to be told to find header and library.
pub(crate) fn library_flags(is_static: bool) -> Vec<String> {
    if !is_static {
        return pkg_config(&["--cflags", "--libs"]);
    }
    let flags = pkg_config(&["--cflags", "--libs", "--static"]);
    let archive = prefix().join("lib/libtinyci.a").display().to_string();
    let named = |flag: String| if flag == "-ltinyci" { archive.clone() } else { flag };
    flags.into_iter().map(named).collect()
}
