//! A clock that jumps back and forth by years, at each call.

use std::{path::Path, process::Command};

use super::scene::{Ended, Scene, both};
use crate::support::{program::tinyci, succeed};

const YEARS: &str = "94608000";

/// Compiles the library that is loaded before the C library, and returns its path.
fn shim(dir: &Path) -> std::path::PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/scarce/jumping_clock.c");
    let library = dir.join("jumping_clock.so");
    let mut cc = Command::new("cc");
    cc.args(["-std=c11", "-O1", "-Wall", "-Werror", "-shared", "-fPIC", "-o"]);
    succeed("cc", &cc.arg(&library).arg(source).output().unwrap());
    library
}

fn jumping<'a>(command: &'a mut Command, library: &Path, jump: &str) -> &'a mut Command {
    command.env("LD_PRELOAD", library).env("SPAN", YEARS).env("JUMP", jump)
}

#[test]
fn a_jumping_clock_loses_no_verdict_and_ends_no_command() {
    let mut scene = Scene::new();
    let library = shim(&scene.repo.outside());
    scene.repo.git(&["config", "tinyci.jobTimeout", "60"]);
    scene.repo.git(&["config", "tinyci.commandTimeout", "60"]);
    for jump in ["back", "forth", "around", "back", "around", "forth"] {
        scene.commit();
        let mut run = tinyci(scene.repo.path());
        let output = jumping(run.args(["run", "--all"]), &library, jump).output().unwrap();
        assert_eq!(scene.check(jump, &output, &[]), Ended::Tested);
        for words in [&["status"][..], &["results", "--json"], &["plan"], &["compact", "-n", "2"]] {
            let mut command = tinyci(scene.repo.path());
            let output = jumping(command.args(words), &library, jump).output().unwrap();
            assert_eq!(output.status.code(), Some(0), "{jump} {words:?}: {}", both(&output));
        }
    }
    // The times of the records are years apart only if the library was loaded.
    let records = scene.repo.git(&["log", "--format=%ct", "refs/notes/runs/tinyci"]);
    let times: Vec<i64> = records.lines().map(|line| line.parse().unwrap()).collect();
    let span = times.iter().max().unwrap() - times.iter().min().unwrap();
    assert!(span > YEARS.parse().unwrap(), "{times:?}");
}
