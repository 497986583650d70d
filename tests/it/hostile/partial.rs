//! Partial clones. Missing objects are not damage there.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use super::calls::call;
use crate::support::TestRepo;

/// The end of every message about missing objects.
const REMEDY: &str = "hint: `git fetch --refetch --no-filter` gets what is missing";

/// A server with two verdicts, and a clone of it without the contents of files.
struct Scene {
    server: TestRepo,
    work: TestRepo,
    clone: PathBuf,
    tip: String,
}

/// Creates a program `ssh` that runs every command on this machine, and returns its path.
fn local_ssh(dir: &Path) -> PathBuf {
    let path = dir.join("ssh");
    fs::write(&path, "#!/bin/sh\nfor last; do :; done\nexec sh -c \"$last\"\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

impl Scene {
    fn new(prefix: &str) -> Self {
        let (server, work) = (TestRepo::bare(), TestRepo::new());
        work.write("file", "old");
        work.commit_config("build: \"true\"\n");
        work.write("file", "new");
        let tip = work.commit("second");
        work.git(&["push", "-q", server.path().to_str().unwrap(), "main"]);
        call(server.path(), &["run", "--all"], "the server");
        server.git(&["config", "uploadpack.allowFilter", "true"]);
        let clone = work.outside().join("partial");
        let ssh = format!("core.sshCommand={}", local_ssh(&work.outside()).display());
        let url = format!("{prefix}{}", server.path().display());
        let options = ["-c", &ssh, "--filter=blob:none"];
        let rest = ["-q", "--no-checkout", &url, clone.to_str().unwrap()];
        work.git(&[&["clone"][..], &options, &rest].concat());
        let scene = Self { server, work, clone, tip };
        scene.git(&["fetch", "-q", "origin", "+refs/notes/*:refs/notes/*"]);
        scene
    }

    fn git(&self, args: &[&str]) -> String {
        let output = self.work.command_in(&self.clone).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

#[test]
fn results_are_fetched_and_what_needs_missing_contents_says_how_to_get_them() {
    for prefix in ["file://", "ssh://host"] {
        let scene = Scene::new(prefix);
        for args in [&["results"][..], &["status"], &["plan"], &["run", "--all"]] {
            let ended = call(&scene.clone, args, prefix);
            assert_eq!(ended.status.code(), Some(0), "{prefix} {args:?}: {}", ended.err);
        }
        let needed = call(&scene.clone, &["run", "--retry", &scene.tip], prefix);
        assert_eq!(needed.status.code(), Some(4), "{prefix}: {}", needed.err);
        let said = needed.text();
        assert!(said.contains("is not in this partial clone"), "{said}");
        assert!(said.contains("`git fetch --refetch --no-filter`"), "{said}");
        assert!(!said.contains("damaged") && !said.contains("broken"), "{said}");
        scene.git(&["fetch", "-q", "--refetch", "--no-filter"]);
        let ended = call(&scene.clone, &["run", "--retry", &scene.tip], prefix);
        assert_eq!(ended.status.code(), Some(0), "{prefix}: {}", ended.err);
    }
}

/// Tests a clone whose remote is away: results cannot be read, but no ref falls back to an older
/// state.
#[test]
fn without_its_remote_a_partial_clone_says_what_to_do_and_loses_nothing() {
    for prefix in ["file://", "ssh://host"] {
        let scene = Scene::new(prefix);
        let away = scene.server.path().with_extension("away");
        fs::rename(scene.server.path(), &away).unwrap();
        let notes = || scene.git(&["for-each-ref", "refs/notes"]);
        let before = notes();
        for args in [&["results"][..], &["status"], &["plan"], &["run", "--all"]] {
            let ended = call(&scene.clone, args, prefix);
            let said = ended.text();
            let warning = "lacks from `origin`: fatal: ";
            assert!(args == ["status"] || said.contains(warning), "{args:?}: {said}");
            assert!(said.contains(REMEDY) && !said.contains("git fsck"), "{args:?}: {said}");
            assert_eq!(notes(), before, "{prefix} {args:?}: {said}");
        }
        fs::rename(&away, scene.server.path()).unwrap();
        let ended = call(&scene.clone, &["results"], prefix);
        assert_eq!(ended.status.code(), Some(0), "{prefix}: {}", ended.err);
        assert_eq!(ended.out.matches("success").count(), 2, "{}", ended.out);
    }
}
