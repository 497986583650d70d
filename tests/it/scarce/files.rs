//! No inodes, a read-only file system, directories without write permission.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use super::scene::{assert_sound, both};
use crate::support::{
    TestRepo,
    program::{like, run_in, tinyci},
    small_disk::SmallDisk,
    succeed,
};

/// Creates empty files until the disk has this number of free inodes. Returns their directory.
fn use_inodes(dir: &Path, but: usize) -> PathBuf {
    let ballast = dir.join("ballast");
    fs::create_dir(&ballast).unwrap();
    let made = (0..).take_while(|number| File::create(ballast.join(number.to_string())).is_ok());
    let made = made.count();
    for number in made.saturating_sub(but)..made {
        fs::remove_file(ballast.join(number.to_string())).unwrap();
    }
    ballast
}

#[test]
fn a_disk_without_inodes_loses_no_verdict() {
    let client = TestRepo::new();
    (0..5).for_each(|number| client.write(&number.to_string(), "text\n"));
    client.write(".tinyci.yml", super::scene::CONFIG);
    let Some(disk) = SmallDisk::mount_with(client.outside().join("disk"), "nr_inodes=600") else {
        eprintln!("skipped: this user may not mount a file system");
        return;
    };
    let server = disk.path.join("server.git");
    let path = server.to_str().unwrap();
    client.git(&["init", "-q", "--bare", path]);
    let mut ends = Vec::new();
    for free in [0, 1, 2, 4, 7, 11, 16, 22, 29, 37, 200] {
        let id = client.commit("another");
        client.git(&["push", "-q", path, "HEAD:refs/heads/main"]);
        let ballast = use_inodes(&disk.path, free);
        let output = tinyci(&server).args(["run", "--all"]).output().unwrap();
        fs::remove_dir_all(ballast).unwrap();
        let told = both(&output);
        let passed = output.status.code() == Some(0);
        assert!(passed || output.status.code() == Some(4), "{free} inodes: {told}");
        assert!(passed || told.contains("No space left on device"), "{free} inodes: {told}");
        assert!(!told.contains("panicked"), "{free} inodes: {told}");
        let show = ["-C", path, "notes", "--ref", "tinyci-result", "show", &id];
        assert_eq!(client.try_git(&show).status.success(), passed, "{free} inodes: {told}");
        run_in(&server, &["run", "--all"]).with_code(0);
        assert_eq!(succeed("git notes", &client.try_git(&show)), "success");
        assert_sound(&server, &format!("{free} inodes"));
        fs::remove_dir_all(server.join("builds")).unwrap();
        ends.push(passed);
    }
    assert!(ends.contains(&true) && ends.contains(&false), "{ends:?}");
}

/// Runs a command on a repository whose file system is read-only. Returns `None` if this user
/// cannot mount it so.
fn read_only(repo: &TestRepo, words: &str) -> Option<Output> {
    let plain = tinyci(repo.path());
    let mut command = like(&plain, "unshare");
    let script = format!(
        "mount --bind . . && mount -o remount,ro,bind . && cd \"$PWD\" && exec \"$0\" {words}"
    );
    command.args(["-Urm", "sh", "-c", &script]).arg(plain.get_program());
    let output = command.output().ok()?;
    let err = String::from_utf8_lossy(&output.stderr);
    if err.contains("unshare:") || err.contains("mount:") {
        eprintln!("skipped: {err}");
        return None;
    }
    Some(output)
}

#[test]
fn a_read_only_file_system_can_be_read_and_is_named() {
    let repo = TestRepo::new();
    let id = repo.commit_config(super::scene::CONFIG);
    for words in ["plan", "results", "status", "log", "settings"] {
        let Some(output) = read_only(&repo, words) else { return };
        assert_eq!(output.status.code(), Some(0), "{words}: {}", both(&output));
    }
    for words in ["run --all", "results --forget HEAD", "prune --keep 3", "compact", "install"] {
        let Some(output) = read_only(&repo, words) else { return };
        let told = both(&output);
        assert_eq!(output.status.code(), Some(4), "{words}: {told}");
        assert!(told.contains("Read-only file system"), "{words}: {told}");
        assert!(told.contains(repo.path().to_str().unwrap()), "{words}: {told}");
    }
    run_in(repo.path(), &["run", "--all"]).with_code(0);
    assert_eq!(repo.verdict(&id).as_deref(), Some("success"));
    assert_sound(repo.path(), "read-only");
}

/// Sets or clears the attribute that makes a directory immutable, also for root. Returns false if
/// that fails, for example because the file system does not have the attribute.
fn set_immutable(dir: &Path, on: bool) -> bool {
    let flag = if on { "+i" } else { "-i" };
    let output = Command::new("chattr").arg(flag).arg(dir).output();
    output.is_ok_and(|output| output.status.success())
}

#[test]
fn a_directory_that_cannot_be_written_is_named() {
    let repo = TestRepo::bare();
    let client = TestRepo::new();
    client.write(".tinyci.yml", super::scene::CONFIG);
    let commit = || {
        let id = client.commit("another");
        client.git(&["push", "-q", repo.path().to_str().unwrap(), "main"]);
        id
    };
    let first = commit();
    run_in(repo.path(), &["run", "--all"]).with_code(0);
    assert_eq!(repo.verdict(&first).as_deref(), Some("success"));
    for name in ["tinyci", "builds", "refs/notes", "refs/notes/runs"] {
        let id = commit();
        let dir = repo.path().join(name);
        if !set_immutable(&dir, true) {
            eprintln!("skipped: `chattr +i` does not work on {}", dir.display());
            return;
        }
        let said = run_in(repo.path(), &["run", "--all"]);
        assert!(set_immutable(&dir, false));
        let told = format!("{}{}", said.out, said.err);
        assert_eq!(said.code, Some(4), "{name}: {told}");
        assert!(told.contains("Operation not permitted"), "{name}: {told}");
        assert!(told.contains(name), "{name}: {told}");
        assert_eq!(repo.verdict(&id), None, "{name}");
        run_in(repo.path(), &["run", "--all"]).with_code(0);
        assert_eq!(repo.verdict(&id).as_deref(), Some("success"), "{name}");
        assert_sound(repo.path(), name);
    }
}
