//! Builds that hold what is not theirs: mounts, and files of another user. Nothing of the first is
//! touched, and neither holds up anything else.

use std::{
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::{
    TestRepo, mount,
    program::{Said, run, tinyci},
    server::builds_in,
    succeed, with_own_mounts,
};

/// A user who owns nothing.
const NOBODY: u32 = 61_234;

/// A repository of three commits that were run, and their ids.
fn three_builds() -> (TestRepo, Vec<String>) {
    let repo = TestRepo::new();
    let mut ids = vec![repo.commit_config("build: mkdir mnt; echo ours > file\n")];
    ids.extend((1..3).map(|number| repo.commit(&format!("commit {number}"))));
    run(&repo, &["run", "--all"]).with_code(0);
    (repo, ids)
}

fn build_of(repo: &TestRepo, id: &str) -> PathBuf {
    let name = builds_in(repo.path()).into_iter().find(|name| name.ends_with(id)).unwrap();
    repo.path().join("builds").join(name)
}

/// A directory outside the repository with a file in it, mounted here.
fn mount_precious(repo: &TestRepo, at: &Path) -> PathBuf {
    let precious = repo.outside().join("precious");
    fs::create_dir_all(&precious).unwrap();
    fs::write(precious.join("file"), "precious").unwrap();
    mount(&["--bind", precious.to_str().unwrap(), at.to_str().unwrap()]);
    precious
}

/// Everything in a directory, with the contents of files.
fn all_of(dir: &Path) -> String {
    let script = "find . | sort; find . -type f | sort | xargs -r -d '\\n' cat";
    let output = Command::new("sh").args(["-c", script]).current_dir(dir).output().unwrap();
    succeed(script, &output)
}

/// In the export, at the export, at the build, in a leftover of a killed run, and on a file.
const PLACES: [&str; 5] =
    ["export/mnt", "export", "", "export.20261130T094058Z-00f1e2d3c4b5a697/a/b", "export/file"];

fn mounted_in(repo: &TestRepo, build: &Path, place: &str) -> (PathBuf, PathBuf) {
    let at = if place.is_empty() { build.to_path_buf() } else { build.join(place) };
    if at.is_file() {
        let precious = repo.outside().join("precious");
        fs::create_dir_all(&precious).unwrap();
        fs::write(precious.join("file"), "precious").unwrap();
        mount(&["--bind", precious.join("file").to_str().unwrap(), at.to_str().unwrap()]);
        return (precious, at);
    }
    fs::create_dir_all(&at).unwrap();
    (mount_precious(repo, &at), at)
}

#[test]
fn prune_and_compact_leave_a_build_with_a_mount_as_it_is_and_go_on() {
    for place in PLACES {
        for how in [&["prune", "--keep", "1"][..], &["compact"]] {
            let (repo, ids) = three_builds();
            let build = build_of(&repo, &ids[0]);
            with_own_mounts(|| {
                let (precious, at) = mounted_in(&repo, &build, place);
                let before = (all_of(&precious), all_of(&build));
                let said = run(&repo, how).with_code(4);
                assert_eq!((all_of(&precious), all_of(&build)), before, "{how:?} {place}");
                let named = format!(
                    "a file system is mounted at `{0}`\nhint: `umount '{0}'`",
                    at.display()
                );
                assert!(said.err.contains(&named), "{how:?}: {}", said.err);
                let said = run(&repo, &[how, &["--json"]].concat()).with_code(4);
                let json = said.out;
                assert_eq!(said.err, "", "it stands in the JSON");
                let left: Value = serde_json::from_str(&json).unwrap();
                assert_eq!(left["not_removed"][0]["path"], build.to_str().unwrap(), "{json}");
                assert_eq!(left["not_removed"].as_array().unwrap().len(), 1, "{json}");
            });
            let folders = builds_in(repo.path());
            let other = folders.iter().any(|name| name.ends_with(&ids[1]));
            let done = build.exists() && (!other || folders.len() == 1);
            assert!(done, "{how:?} {place}: {folders:?}");
            // Once it is unmounted, it goes.
            run(&repo, how).with_code(0);
            assert!(!build.exists(), "{how:?} {place}");
        }
    }
}

#[test]
fn a_dry_run_names_the_mount_that_keeps_a_build() {
    let (repo, ids) = three_builds();
    let build = build_of(&repo, &ids[0]);
    with_own_mounts(|| {
        mount_precious(&repo, &build.join("export/mnt"));
        let said = run(&repo, &["prune", "--keep", "1", "--dry-run"]).with_code(0);
        let stays = format!("`{}` stays: a file system is mounted at `", build.display());
        assert!(said.err.contains(&stays), "{}", said.err);
        assert!(said.out.contains("Would remove 1 build,"), "{}", said.out);
    });
}

/// Only what is mounted in a build is not of it.
#[test]
fn builds_on_a_disk_of_their_own_go_as_ever() {
    let repo = TestRepo::new();
    with_own_mounts(|| {
        let builds = repo.path().join("builds");
        fs::create_dir(&builds).unwrap();
        mount(&["-t", "tmpfs", "none", builds.to_str().unwrap()]);
        let ids = [repo.commit_config("build: 'true'\n"), repo.commit("newer")];
        run(&repo, &["run", "--all"]).with_code(0);
        run(&repo, &["run", "--retry", &ids[1]]).with_code(0);
        run(&repo, &["compact"]).with_code(0);
        run(&repo, &["prune", "--keep", "1"]).with_code(0);
        let left = builds_in(repo.path());
        assert!(left.len() == 1 && left[0].ends_with(&ids[1]), "{left:?}");
    });
}

/// What is mounted counts as nobody's: a full disk elsewhere is no reason to remove builds.
#[test]
fn what_is_mounted_takes_no_room() {
    let (repo, ids) = three_builds();
    let build = build_of(&repo, &ids[2]);
    with_own_mounts(|| {
        let precious = mount_precious(&repo, &build.join("export/mnt"));
        fs::write(precious.join("large"), vec![1; 4_000_000]).unwrap();
        let json = run(&repo, &["prune", "--max-size", "1m", "--json"]).with_code(0).out;
        assert!(json.contains("\"removed\":[]"), "{json}");
    });
}

#[test]
fn links_to_mounts_go_with_their_build() {
    let (repo, ids) = three_builds();
    let build = build_of(&repo, &ids[0]);
    with_own_mounts(|| {
        let at = repo.outside().join("mounted");
        fs::create_dir(&at).unwrap();
        let precious = mount_precious(&repo, &at);
        std::os::unix::fs::symlink(&at, build.join("export/link")).unwrap();
        run(&repo, &["prune", "--keep", "1"]).with_code(0);
        assert!(!build.exists() && precious.join("file").exists());
    });
}

#[test]
fn a_retry_sets_the_old_export_aside_with_what_is_mounted_in_it() {
    for place in ["export/mnt", "export.removed/a", "export/file"] {
        let (repo, ids) = three_builds();
        let build = build_of(&repo, &ids[0]);
        with_own_mounts(|| {
            let (precious, _) = mounted_in(&repo, &build, place);
            for number in ["1", "2"] {
                fs::write(build.join("export/old"), number).unwrap();
                let said = run(&repo, &["run", "--retry", &ids[0]]).with_code(0);
                assert!(said.out.contains("warning: `"), "{place}: {}", said.out);
                assert!(said.out.contains("/export.removed/"), "{place}: {}", said.out);
                assert!(!build.join("export/old").exists(), "it was made anew");
            }
            assert_eq!(fs::read_to_string(precious.join("file")).unwrap(), "precious");
        });
        // The next one finds it unmounted.
        run(&repo, &["run", "--retry", &ids[0]]).with_code(0);
        let mut left: Vec<_> =
            fs::read_dir(&build).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        assert_eq!(left, ["export", "job.json", "tinyci.log"], "{place}");
    }
}

#[test]
fn a_retry_without_a_way_around_a_mount_has_no_verdict_and_names_it() {
    for place in ["export", ""] {
        let (repo, ids) = three_builds();
        let build = build_of(&repo, &ids[0]);
        with_own_mounts(|| {
            let (precious, at) = mounted_in(&repo, &build, place);
            fs::create_dir(precious.join("export")).unwrap();
            fs::write(precious.join("export/file"), "foreign").unwrap();
            let before = all_of(&precious);
            let said = run(&repo, &["run", "--retry", &ids[0]]).with_code(4);
            let named = format!("a file system is mounted at `{}`", at.display());
            assert!(said.out.contains(&named), "{place}: {}", said.out);
            assert_eq!(all_of(&precious), before);
        });
        assert_eq!(repo.verdict(&ids[0]).as_deref(), Some("success"), "as it was");
    }
}

#[test]
fn a_discarded_export_stays_aside_with_its_mount() {
    let repo = TestRepo::new();
    with_own_mounts(|| {
        let precious = repo.outside().join("precious");
        fs::create_dir(&precious).unwrap();
        fs::write(precious.join("file"), "precious").unwrap();
        let script = format!(
            "fn build(ctx) {{ sh(\"mkdir m; mount --bind {} m\"); discard_export(); }}",
            precious.display()
        );
        repo.write(".tinyci.rhai", script);
        repo.commit("script");
        let said = run(&repo, &["run", "--all"]).with_code(0);
        assert!(said.out.contains("hint: `umount '"), "{}", said.out);
        assert!(precious.join("file").exists());
    });
}

/// Runs tinyci as a user who may not remove what root has left in his builds.
fn as_nobody(repo: &TestRepo, args: &[&str]) -> Said {
    let mut command = tinyci(repo.path());
    command.args(args).env("HOME", repo.outside()).uid(NOBODY).gid(NOBODY);
    Said::of(&command.output().unwrap())
}

/// The same three builds, of that user, with a file of root's in each that is named, as a container
/// leaves it; none where nobody can be another.
fn with_foreign_files(in_builds: &[usize]) -> Option<(TestRepo, Vec<String>)> {
    let (repo, ids) = three_builds();
    let owner = format!("{NOBODY}:{NOBODY}");
    let owned = Command::new("chown").args(["-R", &owner]).arg(repo.outside()).output().unwrap();
    if !owned.status.success() {
        eprintln!("left out: only root can be another user");
        return None;
    }
    for number in in_builds {
        let cache = build_of(&repo, &ids[*number]).join("export/cache");
        fs::create_dir(&cache).unwrap();
        fs::write(cache.join("of-root"), "").unwrap();
    }
    Some((repo, ids))
}

#[test]
fn a_file_of_another_user_stops_no_housekeeping() {
    let Some((repo, ids)) = with_foreign_files(&[0]) else { return };
    let build = build_of(&repo, &ids[0]);
    let aside = PathBuf::from(format!("{}.removed", build.display()));
    let prune = &["prune", "--keep", "1", "--json"];
    let json = as_nobody(&repo, prune).with_code(4).out;
    let done: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(done["removed"].as_array().unwrap().len(), 1, "the other one went: {json}");
    let [left] = &done["not_removed"].as_array().unwrap()[..] else { panic!("{json}") };
    assert_eq!(left["path"], aside.to_str().unwrap());
    assert!(left["reason"].as_str().unwrap().contains("export/cache/of-root`"), "{json}");
    assert_eq!(all_of(&aside), ".\n./export\n./export/cache\n./export/cache/of-root");

    // It is a build no more, every run tries it again, and it goes once it can.
    let json = as_nobody(&repo, prune).with_code(4).out;
    let again: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(again["not_removed"], done["not_removed"], "{json}");
    assert_eq!(again["removed"].as_array().unwrap().len(), 0, "{json}");
    let said = as_nobody(&repo, &["run", "--retry", &ids[2]]).with_code(0);
    let warning = format!("warning: `{}` stays: ", aside.display());
    assert_eq!(said.out.matches(&warning).count(), 1, "{}", said.out);
    fs::remove_file(aside.join("export/cache/of-root")).unwrap();
    let said = as_nobody(&repo, &["run", "--retry", &ids[2]]).with_code(0);
    assert!(!said.out.contains("warning") && !aside.exists(), "{}", said.out);
}

#[test]
fn housekeeping_after_a_run_goes_on_past_such_files() {
    let Some((repo, ids)) = with_foreign_files(&[0, 1]) else { return };
    for key in ["tinyci.pruneKeep", "tinyci.compactKeep"] {
        let set = repo.command().args(["config", key, "1"]).uid(NOBODY).gid(NOBODY).output();
        succeed(key, &set.unwrap());
    }
    let said = as_nobody(&repo, &["run", "--retry", &ids[2]]).with_code(0);
    assert_eq!(said.out.matches("stays: ").count(), 2, "each once: {}", said.out);
    let folders = builds_in(repo.path());
    assert!(folders[..2].iter().all(|name| name.ends_with(".removed")), "{folders:?}");
}

#[test]
fn a_packed_build_whose_folder_does_not_go_is_an_archive_and_no_folder() {
    let Some((repo, ids)) = with_foreign_files(&[0]) else { return };
    let build = build_of(&repo, &ids[0]);
    let said = as_nobody(&repo, &["compact"]).with_code(4);
    assert!(said.err.contains(".removed` stays: "), "{}", said.err);
    assert_eq!(said.out.matches("Compacted ").count(), 2, "{}", said.out);
    assert!(!build.exists() && build.with_extension("tar.gz").exists());
    // A second build of that name finds another place aside.
    let said = as_nobody(&repo, &["run", "--retry", &ids[0]]).with_code(0);
    assert!(said.out.contains(".removed` stays: "), "{}", said.out);
    let cache = build.join("export/cache");
    fs::create_dir(&cache).unwrap();
    fs::write(cache.join("of-root"), "").unwrap();
    let said = as_nobody(&repo, &["compact", "-n", "0"]).with_code(4);
    assert!(said.err.contains(".removed-2` stays: "), "{}", said.err);
}

/// An old export that stands aside is no part of the build, and keeps it from no archive.
#[test]
fn a_build_with_an_old_export_aside_is_packed_without_it() {
    let Some((repo, ids)) = with_foreign_files(&[2]) else { return };
    let build = build_of(&repo, &ids[2]);
    let secret = build.join("export/cache/of-root");
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    as_nobody(&repo, &["run", "--retry", &ids[2]]).with_code(0);
    assert!(build.join("export.removed/cache/of-root").exists());
    let said = as_nobody(&repo, &["compact", "-n", "0"]).with_code(4);
    assert_eq!(said.out.matches("Compacted ").count(), 3, "{}", said.out);
    assert!(said.err.contains(".removed` stays: "), "{}", said.err);
    let listing = Command::new("tar").arg("-tzf").arg(build.with_extension("tar.gz")).output();
    let listing = succeed("tar", &listing.unwrap());
    assert!(listing.contains("/export/file") && !listing.contains("of-root"), "{listing}");
}

#[test]
fn a_retry_needs_only_the_rename() {
    let Some((repo, ids)) = with_foreign_files(&[0]) else { return };
    let build = build_of(&repo, &ids[0]);
    for number in 1..3 {
        let said = as_nobody(&repo, &["run", "--retry", &ids[0]]).with_code(0);
        assert_eq!(said.out.matches("of-root`: Permission denied").count(), number, "{}", said.out);
        assert!(!build.join("export/cache").exists());
        fs::create_dir(build.join("export/cache")).unwrap();
        fs::write(build.join("export/cache/of-root"), "").unwrap();
    }
}
