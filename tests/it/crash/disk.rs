//! A disk that is full at any point of a run at which something is written.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::support::{
    TestRepo,
    program::{Said, run_in},
    server::builds_in,
    small_disk::SmallDisk,
    succeed,
};

/// A bare repository on a small disk, and a clone that commits are pushed from.
struct Stage {
    client: TestRepo,
    disk: SmallDisk,
    server: PathBuf,
}

impl Stage {
    fn new(config: &str) -> Option<Self> {
        let client = TestRepo::new();
        (0..40).for_each(|number| client.write(&format!("files/{number}"), vec![b'x'; 3000]));
        client.commit_config(config);
        let Some(disk) = SmallDisk::mount(client.outside().join("disk")) else {
            println!("skipped: this user may not mount a file system");
            return None;
        };
        let server = disk.path.join("server.git");
        let stage = Self { client, disk, server };
        stage.client.git(&["init", "-q", "--bare", stage.server.to_str().unwrap()]);
        // Otherwise tinyci would start nothing on a disk this small.
        stage.git(&["config", "tinyci.minFreeSpace", "0"]);
        Some(stage)
    }

    /// Pushes a new commit to the server, and returns its id.
    fn commit(&self) -> String {
        let id = self.client.commit("another");
        self.client.git(&["push", "-q", self.server.to_str().unwrap(), "HEAD:refs/heads/main"]);
        id
    }

    fn run(&self) -> Said {
        run_in(&self.server, &["run", "--all"])
    }

    fn verdict(&self, commit: &str) -> Option<String> {
        let server = self.server.to_str().unwrap();
        let args = ["-C", server, "notes", "--ref", "tinyci-result", "show", commit];
        let output = self.client.try_git(&args);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    fn git(&self, args: &[&str]) -> String {
        let args = [&["-C", self.server.to_str().unwrap()], args].concat();
        succeed(&format!("git {args:?}"), &self.client.try_git(&args))
    }

    #[track_caller]
    fn assert_sound(&self) {
        assert_eq!(self.git(&["fsck", "--full", "--strict", "--no-dangling"]), "");
        for commit in self.git(&["rev-list", "main"]).lines() {
            let word = self.verdict(commit);
            assert!(matches!(word.as_deref(), None | Some("success")), "{word:?}");
        }
        for build in builds_in(&self.server) {
            let entries = fs::read_dir(self.server.join("builds").join(build)).unwrap();
            for name in entries.map(|entry| entry.unwrap().file_name()) {
                assert!(!name.to_string_lossy().starts_with("export."), "{name:?}");
            }
        }
    }
}

fn locks_below(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap().flatten() {
        let path = entry.path();
        if entry.file_type().unwrap().is_dir() {
            found.extend(locks_below(&path));
        } else if path.extension().is_some_and(|extension| extension == "lock") {
            found.push(path);
        }
    }
    found
}

#[test]
fn a_full_disk_costs_no_verdict_and_is_named() {
    let Some(stage) = Stage::new("build: echo built\ntest: echo tested\n") else { return };
    let mut without_verdict = 0;
    // From no free space to enough: page by page where the notes are written, then in larger steps.
    for pages in (0..10).chain((10..130).step_by(10)) {
        let free = pages * 4096;
        let id = stage.commit();
        stage.disk.fill_but(free);
        let said = stage.run();
        let word = stage.verdict(&id);
        match said.code {
            Some(0) => assert_eq!(word.as_deref(), Some("success"), "{free} bytes free"),
            Some(4) => {
                assert_eq!(word, None, "{free} bytes free");
                let told = format!("{}{}", said.out, said.err);
                assert!(told.contains("No space left on device"), "{free} bytes free:\n{told}");
                assert!(!told.contains("panicked"), "{told}");
                without_verdict += 1;
            }
            code => panic!("{code:?} with {free} bytes free:\n{}{}", said.out, said.err),
        }
        stage.disk.free();
        stage.assert_sound();
        stage.run().with_code(0);
        assert_eq!(stage.verdict(&id).as_deref(), Some("success"), "{free} bytes free");
        assert_eq!(locks_below(&stage.server), [""; 0].map(PathBuf::from));
        fs::remove_dir_all(stage.server.join("builds")).unwrap();
    }
    assert!(without_verdict > 10, "the disk was hardly ever full");
}

/// Tests a build that fills the disk itself. The commit does not fail, because its verdict would be
/// final.
#[test]
fn a_build_that_fills_the_disk_is_judged_when_there_is_room() {
    let config = "build: head -c 20000000 /dev/zero > large || { echo failed; exit 1; }\n\
                  hooks:\n  after_all: echo cleaned\n";
    let Some(stage) = Stage::new(config) else { return };
    let id = stage.commit();
    let said = stage.run().with_code(4);
    assert!(said.err.contains("No space left on device"), "{}", said.err);
    assert!(said.out.contains("] cleaned"), "{}", said.out);
    assert_eq!(stage.verdict(&id), None);
    // A quiet run reports it, too.
    let said = run_in(&stage.server, &["run", "--quiet", "--retry", &id]).with_code(4);
    assert!(said.out.is_empty() && said.err.contains("No space left on device"), "{}", said.err);
}

#[test]
fn a_disk_that_is_all_but_full_is_told_of_before_anything_is_written() {
    let Some(stage) = Stage::new("build: echo built\n") else { return };
    stage.git(&["config", "tinyci.minFreeSpace", "3m"]);
    let id = stage.commit();
    stage.disk.fill_but(2 << 20);
    let said = stage.run().with_code(4);
    let told = "left, less than 3 MiB";
    assert!(said.out.contains(told), "{}{}", said.out, said.err);
    assert!(builds_in(&stage.server).is_empty());
    stage.disk.free();
    stage.run().with_code(0);
    assert_eq!(stage.verdict(&id).as_deref(), Some("success"));
}
