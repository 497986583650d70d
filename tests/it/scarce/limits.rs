//! Limits on descriptors, processes, memory and file size. The lowest limits let nothing start, and
//! the highest are sufficient.

use std::{
    fs::{self, Permissions},
    os::unix::{
        fs::{PermissionsExt, chown},
        process::CommandExt,
    },
    process::Command,
};

use super::scene::{Ended, Scene};
use crate::support::program::tinyci;

const NO_DESCRIPTORS: &[&str] = &["Too many open files", "No file descriptors available"];
const NO_PROCESSES: &[&str] = &["Resource temporarily unavailable"];
const NO_MEMORY: &[&str] = &[
    "Resource temporarily unavailable",
    "Cannot allocate memory",
    "out of memory",
    "Out of memory",
];
const TOO_LARGE: &[&str] = &["File too large"];

/// An account that no other process uses, so that only the test's own processes count.
const ACCOUNT: u32 = 54_321;

/// Checks a run under each limit. At least one run must test its commit, and at least one must be
/// refused.
#[track_caller]
fn check_each(scene: &mut Scene, flag: &str, limits: impl Iterator<Item = u64>, lacks: &[&str]) {
    let mut ends = Vec::new();
    for limit in limits {
        scene.commit();
        let flag = format!("{flag}={limit}:{limit}");
        let output = scene.run_limited(&[&flag]);
        ends.push(scene.check(&flag, &output, lacks));
    }
    assert!(ends.contains(&Ended::Tested) && ends.contains(&Ended::Refused), "{ends:?}");
}

#[test]
fn few_descriptors_lose_no_verdict() {
    check_each(&mut Scene::new(), "--nofile", [4, 8, 11, 13, 15, 64].into_iter(), NO_DESCRIPTORS);
}

/// Tests that objects do not count as missing if their pack cannot be opened.
#[test]
fn few_descriptors_lose_no_verdict_in_packs() {
    let mut scene = Scene::new();
    for limit in [8_u64, 9, 12, 14, 64] {
        scene.commit();
        scene.repo.git(&["gc", "-q"]);
        let flag = format!("--nofile={limit}:{limit}");
        let ended = scene.check(&flag, &scene.run_limited(&[&flag]), NO_DESCRIPTORS);
        assert_eq!(ended == Ended::Tested, limit == 64, "{flag}");
    }
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn every_number_of_descriptors_loses_no_verdict() {
    check_each(&mut Scene::new(), "--nofile", 4..=64, NO_DESCRIPTORS);
    let mut scene = Scene::new();
    for limit in 4_u64..=40 {
        scene.commit();
        scene.repo.git(&["gc", "-q"]);
        let flag = format!("--nofile={limit}:{limit}");
        scene.check(&flag, &scene.run_limited(&[&flag]), NO_DESCRIPTORS);
    }
}

#[test]
fn small_files_lose_no_verdict() {
    let mut scene = Scene::new();
    scene.write("large", [b'x'; 5000]);
    check_each(&mut scene, "--fsize", [0, 1, 200, 4999, 100_000].into_iter(), TOO_LARGE);
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn every_size_of_files_loses_no_verdict() {
    let mut scene = Scene::new();
    scene.write("large", [b'x'; 5000]);
    check_each(&mut scene, "--fsize", (0..6000).step_by(71), TOO_LARGE);
}

/// Limits the address space. The sizes grow by about the stacks of some threads, so that each run
/// gets a little further.
#[test]
fn little_memory_loses_no_verdict() {
    let mut scene = Scene::new();
    let mib = |mib: u64| mib << 20;
    check_each(&mut scene, "--as", [20, 48, 80, 112, 144, 1024].map(mib).into_iter(), NO_MEMORY);
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn every_size_of_memory_loses_no_verdict() {
    let mut scene = Scene::new();
    scene.write("large", vec![b'x'; 3 << 20]);
    let sizes = (20_u64..480).step_by(4).chain([2048]);
    check_each(&mut scene, "--as", sizes.map(|mib| mib << 20), NO_MEMORY);
}

/// Returns the scene if another account can use it: the limit on processes does not apply to root.
/// Returns `None` if this user is not root, or if the account cannot start the program.
fn of_account(scene: Scene) -> Option<Scene> {
    if !rustix::process::geteuid().is_root() {
        eprintln!("skipped: this user may not act as another one");
        return None;
    }
    fs::set_permissions(scene.repo.outside(), Permissions::from_mode(0o755)).unwrap();
    let program = tinyci(scene.repo.path());
    let mut version = Command::new(program.get_program());
    let ended = version.arg("--version").uid(ACCOUNT).gid(ACCOUNT).output();
    if !ended.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: another account cannot start {:?}", program.get_program());
        return None;
    }
    Some(scene)
}

#[test]
fn few_processes_lose_no_verdict() {
    let Some(mut scene) = of_account(Scene::new()) else { return };
    let mut ends = Vec::new();
    for limit in [1, 2, 3, 4, 5, 6, 64] {
        scene.commit();
        let git_dir = scene.repo.path();
        let mut handed_over = Command::new("chown");
        handed_over.args(["-R", &format!("{ACCOUNT}:{ACCOUNT}")]).arg(git_dir);
        assert!(handed_over.status().unwrap().success());
        let flag = format!("--nproc={limit}:{limit}");
        let mut command = scene.below("prlimit", &[&flag]);
        let output = command.uid(ACCOUNT).gid(ACCOUNT).env("HOME", git_dir).output().unwrap();
        // From here on, root uses the repository again.
        let mut taken_back = Command::new("chown");
        assert!(taken_back.args(["-R", "0:0"]).arg(git_dir).status().unwrap().success());
        chown(git_dir, Some(0), Some(0)).unwrap();
        ends.push(scene.check(&flag, &output, NO_PROCESSES));
    }
    assert_eq!(ends.first(), Some(&Ended::Refused), "{ends:?}");
    assert_eq!(ends.last(), Some(&Ended::Tested), "{ends:?}");
}
