//! What jobs keep beyond their export: which files, what of them is on record, and how they are
//! listed and fetched.

use std::{
    collections::BTreeSet,
    env, fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tinyci::{
    CancelToken, Engine, ErrorKind, Event, EventKind, Outcome, Record, Selection,
    artifact::{ArtifactList, ArtifactOptions, ArtifactPlace, ArtifactWriter},
};

use crate::support::{
    program::{Said, run_in, tinyci},
    small_disk::SmallDisk,
    stage::Stage,
};

const FILES: &str = "mkdir -p dist/js report/a; printf app > dist/app; chmod 755 dist/app; \
                     printf js > dist/js/x.js; printf map > dist/js/x.map; echo r > report/a/r.xml; \
                     echo l > 'a log.log'; ln -s ../app dist/js/link; ln -s js dist/dir; \
                     ln -s /etc/passwd out; ln -s /etc etc; ln -s nowhere lost; mkfifo pipe";

/// A commit with a script, which finds [`FILES`] in its export.
fn stage(body: &str) -> Stage {
    let stage = Stage::new();
    stage.repo.write(".tinyci.rhai", format!("fn build() {{ sh({FILES:?}); {body} }}"));
    stage.repo.commit("script");
    stage
}

fn run(stage: &Stage) -> Record {
    let mut seen = |_: &Event| {};
    let summary = stage.engine().run(&Selection::revision("HEAD"), &CancelToken::new(), &mut seen);
    summary.unwrap().records.remove(0)
}

fn list(stage: &Stage) -> ArtifactList {
    stage.engine().artifacts(&ArtifactOptions::new("HEAD")).unwrap()
}

fn paths(list: &ArtifactList) -> Vec<&str> {
    list.artifacts.iter().map(|artifact| artifact.path.as_str()).collect()
}

/// The paths of all files below a directory, and of what is left of unfinished ones.
fn files(dir: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left = vec![dir.to_path_buf()];
    while let Some(at) = left.pop() {
        for entry in fs::read_dir(at).into_iter().flatten().flatten() {
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
                continue;
            }
            let path = entry.path();
            found.insert(path.strip_prefix(dir).unwrap().to_str().unwrap().to_owned());
        }
    }
    found
}

#[test]
fn a_file_a_directory_a_glob_and_a_list_are_kept_as_they_are() {
    for (kept, expected) in [
        ("\"dist/app\"", &["dist/app"][..]),
        ("\"./report/\"", &["report/a/r.xml"]),
        ("\"report\"", &["report/a/r.xml"]),
        ("\"dist/js/**\"", &["dist/js/link", "dist/js/x.js", "dist/js/x.map"]),
        ("\"*.log\"", &["a log.log"]),
        ("[\"dist\", \"!dist/dir\"]", &[]),
        (
            "[\"dist/js\", \"!*.map\", \"dist/app\", \"dist/a*\"]",
            &["dist/app", "dist/js/link", "dist/js/x.js"],
        ),
        ("[\"dist/js/*.js\", \"dist/js/x.*\"]", &["dist/js/x.js", "dist/js/x.map"]),
        ("`dist/js/link`", &["dist/js/link"]),
    ] {
        // A link to a directory fails before anything takes it away.
        let stage = stage(&format!("try {{ artifact({kept}); }} catch (e) {{ print(e); }}"));
        let record = run(&stage);
        assert_eq!(record.outcome, Outcome::Success, "{kept}");
        let found: Vec<&str> = record.artifacts.iter().map(|it| it.path.as_str()).collect();
        assert_eq!(found, expected, "{kept}");
        let (build, head) = (stage.build_dir(stage.head()), stage.head().to_string());
        let on_disk = files(&build.join("artifacts"));
        assert_eq!(on_disk, expected.iter().map(|path| (*path).to_owned()).collect(), "{kept}");
        for artifact in &record.artifacts {
            let path = build.join("artifacts").join(&artifact.path);
            assert!(path.symlink_metadata().unwrap().is_file(), "{kept}");
            let mode = path.metadata().unwrap().permissions().mode();
            let export = build.join("export").join(&artifact.path);
            assert_eq!(mode, export.metadata().unwrap().permissions().mode(), "{kept}");
            assert_eq!(artifact.executable, mode & 0o100 != 0, "{kept}");
            assert_eq!(artifact.bytes, path.metadata().unwrap().len());
            assert_eq!(artifact.blob, stage.repo.git(&["hash-object", path.to_str().unwrap()]));
        }
        let note = stage.repo.git(&["notes", "--ref", "runs/tinyci", "show", &head]);
        assert_eq!(Record::from_json(note.trim()).unwrap().artifacts, record.artifacts);
    }
}

#[test]
fn what_is_no_file_of_the_export_is_refused_and_nothing_is_half_kept() {
    for (kept, why) in [
        ("\"nope/**\"", "`nope/**`: no file in the export directory matches"),
        ("[\"dist/app\", \"*.nope\"]", "`*.nope`: no file in the export directory matches"),
        ("[\"dist/app\", \"!**\"]", "excludes all artifacts"),
        ("\"nope\"", "cannot keep"),
        ("\"out\"", "not a regular file in the export"),
        ("\"etc/passwd\"", "not a regular file in the export"),
        ("\"lost\"", "not a regular file in the export"),
        ("[\"report\", \"pipe\"]", "`pipe`: it is a named pipe"),
        ("\"dist\"", "`dist/dir`: it is a link to a directory"),
        ("\".\"", "cannot keep"),
        ("\"../x\"", "is outside of the export directory"),
        ("\"../*\"", "is outside of the export directory"),
        ("\"/etc/passwd\"", "is outside of the export directory"),
        ("\"./dist/*\"", "write `dist/*`"),
        ("\"\"", "empty"),
        ("[]", "no artifacts given"),
        ("[\"!a\", \"dist\"]", "begin with the files to keep"),
    ] {
        // What is computed is not looked at before the run.
        let stage = stage(&format!("let it = {kept}; artifact(it);"));
        let record = run(&stage);
        assert_eq!(record.outcome, Outcome::Failure, "{kept}");
        let error = record.steps[0].error.clone().unwrap_or_default();
        assert!(error.contains(why), "{kept}: {error}");
        assert_eq!(record.artifacts, []);
        let build = stage.build_dir(stage.head());
        assert_eq!(files(&build.join("artifacts")), BTreeSet::new(), "{kept}");
        let names = fs::read_dir(&build).unwrap().flatten().map(|entry| entry.file_name());
        assert!(!names.into_iter().any(|name| name.to_string_lossy().contains("kept")), "{kept}");
    }
}

#[test]
fn what_is_kept_again_is_on_record_once_as_it_is_now() {
    let stage = stage(
        "artifact(\"report\"); sh(\"echo more >> report/a/r.xml\"); artifact(\"report/**\");
         sh(\"rm -r report/a; echo file > report/a\"); artifact(\"report/a\"); artifact(\"dist/app\");",
    );
    let record = run(&stage);
    assert_eq!(record.outcome, Outcome::Success, "{:?}", record.steps);
    assert_eq!(paths(&list(&stage)), ["dist/app", "report/a"]);
    let kept = files(&stage.build_dir(stage.head()).join("artifacts"));
    assert_eq!(kept, ["dist/app", "report/a"].map(str::to_owned).into());
}

#[test]
fn of_many_files_the_record_has_the_first_and_the_list_is_beside_them() {
    let stage = Stage::new();
    let made = "mkdir many && cd many && seq 3000 | xargs -n 1000 touch && echo x > 7";
    stage.repo.write(".tinyci.rhai", format!("fn build() {{ sh({made:?}); artifact(\"many\"); }}"));
    stage.repo.commit("many");
    let record = run(&stage);
    assert_eq!(record.artifacts.len(), 100);
    assert!(record.to_json().len() < 16 << 10, "{}", record.to_json().len());
    let whole = list(&stage);
    assert_eq!((whole.artifacts.len(), whole.files, whole.bytes), (3000, 3000, 2));
    let read = Record::from_json(&record.to_json()).unwrap();
    assert_eq!(read.artifact_total, record.artifact_total);

    let packed = stage.engine();
    packed.compact(&tinyci::builds::CompactOptions::new().keep(0), &CancelToken::new()).unwrap();
    let from_archive = list(&stage);
    assert_eq!(from_archive.place, ArtifactPlace::Archive);
    assert_eq!(from_archive.artifacts, whole.artifacts);
    let out = stage.path("out");
    let options = ArtifactOptions::new("HEAD");
    let writer = ArtifactWriter::new(&out);
    packed.copy_artifacts(&options, &writer, &CancelToken::new()).unwrap();
    assert_eq!(files(&out).len(), 3000);
    assert_eq!(fs::read_to_string(out.join("many/7")).unwrap(), "x\n");
}

#[test]
fn a_cancel_and_a_deadline_end_a_copy_without_an_end() {
    let huge = "sh(\"truncate -s 4T huge\");";
    let canceled = stage(&format!("{huge} artifact(\"huge\");"));
    let token = CancelToken::new();
    let begun = Instant::now();
    let mut observer = |event: &Event| {
        if matches!(event.kind, EventKind::StepStarted { .. }) {
            let token = token.clone();
            let build = canceled.build_dir(canceled.head());
            // Once the copy has begun.
            std::thread::spawn(move || {
                let begun = || {
                    files(&build)
                        .iter()
                        .any(|path| path.contains(".kept-") && path.contains("huge"))
                };
                crate::support::eventually("a copy", begun);
                token.cancel();
            });
        }
    };
    let summary = canceled.engine().run(&Selection::revision("HEAD"), &token, &mut observer);
    assert_eq!(summary.unwrap().records[0].outcome, Outcome::Canceled);
    let late = stage(&format!(
        "{huge} let huge = || artifact(\"huge\");
         try {{ timeout(\"1s\", huge); }} catch (e) {{ print(e); }} timeout(\"1s\", huge);"
    ));
    let record = run(&late);
    assert!(!record.outcome.passed());
    assert!(record.steps[0].error.as_deref().unwrap_or_default().contains("limit of 1s"));
    assert!(begun.elapsed() < Duration::from_secs(60));
    for stage in [canceled, late] {
        let build = stage.build_dir(stage.head());
        assert!(!files(&build).iter().any(|it| it.contains("kept") || it.contains("artifacts")));
    }
}

#[test]
fn a_full_disk_gives_no_verdict_and_nothing_is_half_kept() {
    let stage = stage("sh(\"truncate -s 40M huge\"); artifact([\"dist/app\", \"huge\"]);");
    let Some(disk) = SmallDisk::mount(stage.path("disk")) else {
        println!("skipped: this user may not mount a file system");
        return;
    };
    let builds = disk.path.join("builds");
    stage.repo.git(&["config", "tinyci.buildsDir", builds.to_str().unwrap()]);
    stage.repo.git(&["config", "tinyci.minFreeSpace", "0"]);
    let record = run(&stage);
    assert_eq!(record.outcome, Outcome::Error);
    let error = record.steps[0].error.clone().unwrap_or_default();
    assert!(error.contains("huge`") && error.contains("No space left"), "{error}");
    assert_eq!(record.artifacts, []);
    let left = files(&builds);
    assert!(left.iter().any(|path| path.ends_with("export/dist/app")), "{left:?}");
    assert!(
        !left.iter().any(|path| path.contains("kept") || path.contains("artifacts")),
        "{left:?}"
    );
}

/// What the command line says in the stage's repository.
fn said(stage: &Stage, args: &[&str]) -> Said {
    run_in(stage.repo.path(), &[&["artifacts"], args].concat())
}

#[test]
fn the_newest_job_that_kept_anything_is_listed_and_fetched() {
    let stage =
        stage("if env(\"KEEP\", \"\") != \"no\" { artifact([\"dist/js\", \"dist/app\"]); }");
    let none = said(&stage, &[]).with_code(2);
    assert!(none.err.contains("has no artifacts"), "{}", none.err);
    let first = run(&stage);
    let mut again = tinyci(stage.repo.path());
    let again = again.args(["run", "--retry", "HEAD"]).env("KEEP", "no").output().unwrap();
    Said::of(&again).with_code(0);
    let shown = said(&stage, &[]).with_code(0).out;
    assert!(shown.starts_with(&format!("job {} of commit ", first.job_id)), "{shown}");
    assert!(shown.contains("(success): 4 files, 11 bytes"), "{shown}");
    assert!(shown.contains(&first.artifacts[0].blob) && shown.contains("  dist/app\n"), "{shown}");
    let json = said(&stage, &["--json"]).with_code(0).out;
    assert_eq!(ArtifactList::from_json(&json).unwrap().artifacts, first.artifacts);
    assert_eq!(said(&stage, &["HEAD", "--job", &first.job_id]).with_code(0).out, shown);
    let unknown = said(&stage, &["HEAD", "--job", "x"]).with_code(2);
    assert!(unknown.err.contains(&first.job_id), "{}", unknown.err);
    said(&stage, &["nowhere"]).with_code(2);

    let out = stage.path("out");
    let to = out.to_str().unwrap();
    said(&stage, &["HEAD", "dist/js/*", "dist/app", "!*.map", "-o", to]).with_code(0);
    let fetched = ["dist/app", "dist/js/link", "dist/js/x.js"].map(str::to_owned);
    assert_eq!(files(&out), fetched.into());
    assert_eq!(out.join("dist/app").metadata().unwrap().permissions().mode() & 0o111, 0o111);
    fs::write(out.join("dist/app"), "mine").unwrap();
    let refused = said(&stage, &["HEAD", "-o", to]).with_code(2);
    assert!(refused.err.contains("it already exists"), "{}", refused.err);
    assert!(!out.join("dist/js/x.map").exists(), "nothing is written before all can be");
    said(&stage, &["HEAD", "-o", to, "--force"]).with_code(0);
    assert_eq!(fs::read_to_string(out.join("dist/app")).unwrap(), "app");
    assert_eq!(said(&stage, &["HEAD", "dist/js/x.js", "dist/app", "-o", "-"]).out, "appjs");
    let near = said(&stage, &["HEAD", "dist/ap"]).with_code(2);
    assert!(near.err.contains("did you mean `dist/app`?"), "{}", near.err);
}

#[test]
fn what_is_not_what_the_job_kept_is_an_error_and_writes_nothing() {
    let stage = stage("artifact(\"dist/js\"); artifact(\"dist/app\");");
    run(&stage);
    let kept = stage.build_dir(stage.head()).join("artifacts/dist");
    let out = stage.path("out");
    let fetch = |path: &str| said(&stage, &["HEAD", path, "-o", out.to_str().unwrap()]);
    fs::write(kept.join("app"), "ape").unwrap();
    let differs = fetch("dist/app").with_code(4);
    assert!(differs.err.contains("was changed after the job"), "{}", differs.err);
    fs::write(kept.join("app"), "longer").unwrap();
    fetch("dist/app").with_code(4);
    fs::remove_file(kept.join("app")).unwrap();
    symlink(stage.repo.path().join(".tinyci.rhai"), kept.join("app")).unwrap();
    fetch("dist/app").with_code(4);
    fs::rename(kept.join("js"), stage.path("js")).unwrap();
    symlink(stage.path("js"), kept.join("js")).unwrap();
    fetch("dist/js/x.js").with_code(4);
    assert_eq!(files(&out), BTreeSet::new());

    let engine = stage.engine();
    let all = tinyci::builds::PruneOptions::new().keep(0);
    engine.prune(&all, &CancelToken::new()).unwrap();
    let listed = said(&stage, &[]).with_code(0);
    assert!(
        listed.out.contains("dist/app") && listed.err.contains("deleted with their build"),
        "{}",
        listed.err
    );
    let gone = fetch("dist/app").with_code(2);
    assert!(gone.err.contains("tinyci run --retry"), "{}", gone.err);
}

#[test]
fn a_forged_record_and_links_in_the_target_lead_nowhere() {
    let stage = stage("artifact(\"dist/app\"); artifact(\"report\");");
    let record = run(&stage);
    let victim = stage.path("victim");
    fs::create_dir(&victim).unwrap();
    let out = stage.path("out");
    fs::create_dir(&out).unwrap();
    symlink(&victim, out.join("dist")).unwrap();
    let to = out.to_str().unwrap();
    for force in [&[][..], &["--force"]] {
        said(&stage, &[&["HEAD", "dist/app", "-o", to], force].concat()).with_code(4);
    }
    fs::create_dir_all(out.join("report/a")).unwrap();
    fs::write(victim.join("r.xml"), "theirs").unwrap();
    symlink(victim.join("r.xml"), out.join("report/a/r.xml")).unwrap();
    said(&stage, &["HEAD", "report", "-o", to]).with_code(2);
    said(&stage, &["HEAD", "report", "-o", to, "--force"]).with_code(0);
    assert_eq!(fs::read_to_string(victim.join("r.xml")).unwrap(), "theirs");
    assert!(out.join("report/a/r.xml").symlink_metadata().unwrap().is_file());

    for path in ["../victim/x", "/tmp/x", "dist/../../victim/x", "", "dist//app"] {
        let mut forged = record.clone();
        forged.artifacts[0].path = path.to_owned();
        forged.job_id = format!("forged-{}", path.len());
        forged.finished += Duration::from_secs(60);
        let line = forged.to_json();
        stage.repo.git(&["notes", "--ref", "runs/tinyci", "append", "-m", &line, "HEAD"]);
        let refused = said(&stage, &["HEAD", "--job", &forged.job_id, "-o", to, "-f"]).with_code(2);
        assert!(refused.err.contains("invalid artifact in the record"), "{path}: {}", refused.err);
    }
    assert_eq!(files(&victim), ["r.xml".to_owned()].into());
}

#[test]
fn what_becomes_of_standard_output_is_told_from_here_and_from_a_remote() {
    let stage = stage("sh(\"head -c 3000000 /dev/zero > dist/big\"); artifact(\"dist/big\");");
    run(&stage);
    let (client, path) = client(&stage, "exec sh -c \"$*\"");
    let here: (&Path, &[&str]) = (stage.repo.path(), &["artifacts"]);
    for (dir, words) in [here, (client.path(), &["-r", "artifacts"])] {
        let fetch = |stdout: Stdio| {
            let mut command: Command = tinyci(dir);
            command.env("PATH", &path).args([words, &["HEAD", "dist/big", "-o", "-"]].concat());
            Said::of(&command.stdout(stdout).output().unwrap())
        };
        let full = fs::File::options().write(true).open("/dev/full").unwrap();
        let said = fetch(full.into()).with_code(4);
        assert!(said.err.contains("cannot write to standard output"), "{words:?}: {}", said.err);
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(fetch(writer.into()).with_code(0).err, "", "{words:?}");
    }
}

/// A clone whose remote `origin` is reached by a program in place of ssh, which runs this script
/// with the words of tinyci in `$@`.
fn client(stage: &Stage, script: &str) -> (crate::support::TestRepo, String) {
    let client = crate::support::TestRepo::new();
    let url = format!("ssh://host{}", stage.repo.path().display());
    client.git(&["remote", "add", "origin", &url]);
    let bin = client.outside().join("bin");
    fs::create_dir(&bin).unwrap();
    let program = |name: &str, text: &str| {
        fs::write(bin.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    program("ssh", &format!("shift; {script}"));
    program("tinyci", &format!("exec '{}' \"$@\"", env!("CARGO_BIN_EXE_tinyci")));
    let path = format!("{}:{}", bin.display(), env::var("PATH").unwrap());
    (client, path)
}

#[test]
fn files_come_from_a_remote_whole_and_checked() {
    let stage = stage(
        "sh(\"head -c 3000000 /dev/urandom > dist/big\"); artifact(\"dist/big\"); artifact(\"dist/app\");",
    );
    run(&stage);
    let fetch = |script: &str, args: &[&str]| {
        let (client, path) = client(&stage, script);
        let mut command: Command = tinyci(client.path());
        let output = command.env("PATH", path).args([&["-r", "artifacts"], args].concat()).output();
        let output = output.unwrap();
        (files(&client.path().join("out")), output.stdout.clone(), Said::of(&output), client)
    };
    let there = "exec sh -c \"$*\"";
    let (_, _, listed, _) = fetch(there, &[]);
    assert!(listed.with_code(0).out.contains("dist/app"));
    let (got, _, said, client) = fetch(there, &["HEAD", "-o", "out"]);
    said.with_code(0);
    assert_eq!(got, ["dist/app", "dist/big"].map(str::to_owned).into());
    let kept = stage.build_dir(stage.head()).join("artifacts/dist/big");
    let big = client.path().join("out/dist/big");
    assert_eq!(fs::read(&big).unwrap(), fs::read(&kept).unwrap());
    assert_eq!(
        client.path().join("out/dist/app").metadata().unwrap().permissions().mode() & 0o111,
        0o111
    );
    let (_, bytes, said, _) = fetch(there, &["HEAD", "dist/big", "-o", "-"]);
    said.with_code(0);
    assert_eq!(bytes, fs::read(&kept).unwrap());
    let (_, _, said, _) = fetch(there, &["HEAD", "nope", "-o", "out"]);
    assert!(said.with_code(2).err.contains("no artifact matches"));
    for (broken, why) in [
        // On its way the file is changed, cut off, or was never a list.
        ("sh -c \"$*\" | sed 's/^app/ape/'", "was changed after the job"),
        ("sh -c \"$*\" | head -c 1000000", "was changed after the job"),
        ("echo hello", "not a list of artifacts"),
        ("exit 255", "ssh failed"),
    ] {
        let (got, _, said, _) = fetch(broken, &["HEAD", "-o", "out"]);
        assert!(said.with_code(4).err.contains(why), "{broken}");
        assert!(!got.contains("dist/big"), "{broken}: {got:?}");
        assert!(!got.iter().any(|name| name.ends_with(".part")), "{broken}: {got:?}");
    }
    let evil = "echo '{\"v\":1,\"commit\":\"f40785cbc4422f39c36118fbae071932774cb5b6\",\"job_id\":\"r\",\
                \"outcome\":\"success\",\"place\":\"build\",\"files\":1,\"bytes\":0,\"artifacts\":[{\"path\":\
                \"../evil\",\"bytes\":0,\"blob\":\"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391\"}]}'";
    let (_, _, said, client) = fetch(evil, &["HEAD", "-o", "out"]);
    said.with_code(2);
    assert!(!client.path().join("evil").exists());
}

#[test]
fn a_job_that_ran_elsewhere_says_where_its_artifacts_are() {
    let stage = stage("artifact(\"dist/app\");");
    run(&stage);
    let clone = stage.path("clone");
    stage.repo.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
    run_in(&clone, &["setup-remote", "origin"]).with_code(0);
    let fetched = Command::new("git").args(["fetch", "-q"]).current_dir(&clone).status().unwrap();
    assert!(fetched.success());
    let said = run_in(&clone, &["artifacts"]).with_code(2);
    assert!(said.err.contains("tinyci -r artifacts"), "{}", said.err);
    let engine = Engine::open(&clone).unwrap();
    let error = engine.artifacts(&ArtifactOptions::new("HEAD")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
