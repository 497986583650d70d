//! The repositories that an engine opens, and what it leaves alone in them.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, process::Command};

use tinyci::{
    CancelToken, Engine, ErrorKind, Outcome, Selection, builds::CompactOptions,
    install::InstallOptions, pipeline::Phase,
};

use crate::support::{
    TestRepo,
    stage::{Ran, Stage},
    succeed,
};

const GREEN: &str = "build: \"true\"\n";

#[test]
fn a_bare_repository_runs_what_was_pushed() {
    let (server, stage) = (TestRepo::bare(), Stage::with(GREEN));
    stage.repo.git(&["push", "-q", server.path().to_str().unwrap(), "main"]);
    let engine = Engine::open(server.path()).unwrap();
    assert!(engine.is_bare() && engine.path() == server.path());
    assert_eq!(Ran::of(&engine, &Selection::pending()).outcome(), Outcome::Success);
    assert_eq!(server.verdict("main").as_deref(), Some("success"));
    assert!(server.path().join("builds/tinyci.log").is_file());
    assert!(server.path().join("tinyci/lock").is_file());
}

#[test]
fn builds_are_hidden_from_a_work_trees_git() {
    let stage = Stage::with(GREEN);
    stage.repo.write("sub/builds/kept", "");
    assert!(!stage.engine().is_bare());
    for _ in 0..2 {
        stage.run();
        assert_eq!(stage.repo.git(&["status", "--porcelain"]), "?? sub/");
    }
    let exclude = fs::read_to_string(stage.repo.path().join(".git/info/exclude")).unwrap();
    assert_eq!(exclude.matches("/builds/\n").count(), 1, "{exclude}");
}

#[test]
fn builds_that_are_tracked_are_refused() {
    let stage = Stage::new();
    stage.repo.write("builds/mine", "");
    stage.commit(GREEN);
    let run = |engine: &Engine| {
        engine.run(&Selection::pending(), &CancelToken::new(), &mut |_: &tinyci::Event| {})
    };
    let error = run(&stage.engine()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.report().contains("git config tinyci.buildsDir"), "{error}");
    assert_eq!(stage.word(stage.head()), None);
    let elsewhere = stage.builder().builds_dir("ci").open().unwrap();
    assert_eq!(run(&elsewhere).unwrap().exit_code(), 0);
    assert_eq!(stage.repo.git(&["status", "--porcelain"]), "");
}

#[test]
fn builds_that_no_commit_could_have_keep_a_run_from_beginning() {
    let stage = Stage::with(GREEN);
    fs::create_dir(stage.path("elsewhere")).unwrap();
    let builds = stage.repo.path().join("builds");
    std::os::unix::fs::symlink(stage.path("elsewhere"), &builds).unwrap();
    let mut observer = |_: &tinyci::Event| -> () { panic!("there is nothing to tell") };
    for _ in 0..4 {
        let ran = stage.engine().run(&Selection::pending(), &CancelToken::new(), &mut observer);
        assert_eq!(ran.unwrap_err().kind(), ErrorKind::Unsupported);
    }
    fs::remove_file(&builds).unwrap();
    assert_eq!(stage.run().outcome(), Outcome::Success, "no attempt was counted");
}

#[test]
fn a_builds_folder_may_be_named_by_a_path_with_dots() {
    let stage = Stage::with(GREEN);
    let name = stage.build_dir(stage.head());
    let name = name.file_name().unwrap();
    for (dir, place) in [("../beside", "../beside"), ("./below", "below"), ("a/../b", "b")] {
        stage.repo.git(&["config", "tinyci.buildsDir", dir]);
        Ran::of(&stage.engine(), &Selection::revision("HEAD").retry(true));
        assert!(stage.repo.path().join(place).join(name).join("export").is_dir(), "{dir}");
        assert_eq!(stage.repo.git(&["status", "--porcelain"]), "", "{dir}");
    }
    stage.repo.git(&["config", "tinyci.buildsDir", "."]);
    let again = Selection::revision("HEAD").retry(true);
    let error = stage.engine().run(&again, &CancelToken::new(), &mut |_: &tinyci::Event| {});
    let error = error.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.message().contains("the working tree itself"), "{error}");
}

/// A work tree that is linked to the stage's repository, on a branch of its own.
fn linked(stage: &Stage) -> PathBuf {
    let path = stage.path("linked");
    stage.repo.git(&["worktree", "add", "-q", "-b", "side", path.to_str().unwrap()]);
    let mut commit = stage.repo.command_in(&path);
    commit.args(["commit", "-q", "--allow-empty", "-m", "in the linked one"]);
    succeed("git commit", &commit.output().unwrap());
    path
}

#[test]
fn a_linked_work_tree_has_its_own_head_and_shares_the_rest() {
    let stage = Stage::with(GREEN);
    let path = linked(&stage);
    let side = stage.repo.git(&["rev-parse", "side"]).parse().unwrap();
    for engine in [
        Engine::open(&path).unwrap(),
        Engine::discover(&path).unwrap(),
        Engine::open(path.join(".git")).unwrap(),
    ] {
        assert_eq!(engine.resolve("HEAD").unwrap(), side);
        assert_eq!(engine.commit("HEAD").unwrap().branch.unwrap(), "side");
        assert_eq!(engine.path(), stage.repo.path());
    }
    assert_eq!(stage.engine().resolve("HEAD").unwrap(), stage.head());

    let engine = Engine::open(&path).unwrap();
    assert_eq!(Ran::of(&engine, &Selection::revision("HEAD")).record().commit, side);
    assert_eq!(stage.word(side).as_deref(), Some("success"));
    assert!(stage.build_dir(side).is_dir() && !path.join("builds").exists());
    assert_eq!(stage.run().record().commit, stage.head());
}

#[test]
fn a_git_directory_that_lies_elsewhere_is_no_work_tree() {
    let stage = Stage::new();
    let top = stage.path("top");
    let git_dir = stage.path("store/app");
    fs::create_dir(stage.path("store")).unwrap();
    stage.repo.git(&[
        "init",
        "-q",
        &format!("--separate-git-dir={}", git_dir.display()),
        top.to_str().unwrap(),
    ]);
    fs::write(top.join(".tinyci.yml"), GREEN).unwrap();
    for args in [&["add", "."][..], &["commit", "-q", "-m", "first"]] {
        succeed("git", &stage.repo.command_in(&top).args(args).output().unwrap());
    }
    let engine = Engine::open(&top).unwrap();
    assert_eq!(Ran::of(&engine, &Selection::pending()).outcome(), Outcome::Success);
    assert!(top.join("builds/tinyci.log").is_file() && git_dir.join("tinyci/lock").is_file());
}

#[test]
fn object_formats_and_ref_storages_of_tomorrow_are_named() {
    for option in ["--object-format=sha256", "--ref-format=reftable"] {
        let stage = Stage::new();
        let path = stage.path("other");
        stage.repo.git(&["init", "-q", option, path.to_str().unwrap()]);
        let error = Engine::open(&path).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let value = option.split_once('=').unwrap().1;
        assert!(error.message().contains(value), "{error}");
    }
}

#[test]
fn what_is_no_repository_is_said_to_be_none() {
    let stage = Stage::new();
    fs::create_dir(stage.path("empty")).unwrap();
    for name in ["empty", "missing"] {
        assert_eq!(Engine::open(stage.path(name)).unwrap_err().kind(), ErrorKind::NotARepo);
        assert_eq!(Engine::discover(stage.path(name)).unwrap_err().kind(), ErrorKind::NotARepo);
    }
    fs::create_dir(stage.repo.path().join("sub")).unwrap();
    let below = stage.repo.path().join("sub");
    assert_eq!(Engine::open(&below).unwrap_err().kind(), ErrorKind::NotARepo);
    assert_eq!(Engine::discover(&below).unwrap().path(), stage.repo.path());
}

#[test]
fn an_empty_repository_has_nothing_due() {
    for repo in [TestRepo::new(), TestRepo::bare()] {
        let engine = Engine::open(repo.path()).unwrap();
        assert!(Ran::of(&engine, &Selection::pending()).summary.records.is_empty());
        assert!(engine.records(&tinyci::RecordFilter::new()).unwrap().is_empty());
        let error = engine.resolve("HEAD").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("has no commit yet"), "{error}");
    }
}

#[test]
fn a_head_without_a_commit_does_not_keep_other_branches_waiting() {
    let stage = Stage::with(GREEN);
    let id = stage.head();
    stage.repo.git(&["branch", "-m", "main", "other"]);
    stage.repo.git(&["symbolic-ref", "HEAD", "refs/heads/absent"]);
    let ran = stage.run();
    assert_eq!((ran.outcome(), ran.record().commit), (Outcome::Success, id));
    assert_eq!(ran.record().branch.clone().unwrap(), "other");
}

#[test]
fn a_shallow_clone_runs_what_it_has() {
    let stage = Stage::with(GREEN);
    stage.commit("build: echo two\n");
    let newest = stage.commit("build: echo three\n");
    let clone = stage.path("clone");
    let url = format!("file://{}", stage.repo.path().display());
    stage.repo.git(&["clone", "-q", "--depth", "1", &url, clone.to_str().unwrap()]);
    let engine = Engine::open(&clone).unwrap();
    assert_eq!(Ran::of(&engine, &Selection::pending()).commits(), [newest]);
    let error = engine.resolve("HEAD~1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.message().contains("shallow"), "{error}");
}

#[test]
fn an_export_is_what_git_archive_packs() {
    let stage = Stage::new();
    stage.repo.write("sub/dir/file", "one\n");
    stage.repo.write("run.sh", "#!/bin/sh\n");
    stage.repo.write(".gitattributes", "kept export-ignore\n*.txt text eol=crlf\n");
    stage.repo.write("kept", "");
    stage.repo.write("a.txt", "line\n");
    std::os::unix::fs::symlink("sub/dir/file", stage.repo.path().join("link")).unwrap();
    stage.commit_more("files");
    stage.repo.git(&["update-index", "--chmod=+x", "run.sh"]);
    stage.repo.git(&["commit", "-q", "-m", "executable"]);
    let engine = stage.engine();
    let (ours, theirs) = (stage.path("ours"), stage.path("theirs"));
    let done = engine.export("HEAD", &ours, &CancelToken::new()).unwrap();
    assert_eq!((done.commit, done.files), (stage.head(), 6));

    fs::create_dir(&theirs).unwrap();
    let script = "git -C \"$1\" archive HEAD | tar -x -C \"$2\" && touch \"$2/kept\" && \
                  diff -r --no-dereference \"$2\" \"$3\"";
    let mut compare = Command::new("sh");
    compare.args(["-c", script, "sh"]).args([stage.repo.path(), &theirs, &ours]);
    succeed("the comparison", &compare.output().unwrap());

    let again = engine.export("HEAD", &ours, &CancelToken::new()).unwrap_err();
    assert_eq!(again.kind(), ErrorKind::InvalidArg, "the folder is not empty");
    let missing = engine.export("v9", stage.path("none"), &CancelToken::new()).unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    assert!(!stage.path("none").exists());
}

#[test]
fn a_pipeline_can_be_looked_at() {
    let stage = Stage::with("build: {run: [one, two], timeout: 90s}\n");
    let pipeline = stage.engine().pipeline("HEAD").unwrap();
    let build = pipeline.step(Phase::Build).unwrap();
    let commands: Vec<&str> = build.commands().iter().map(|it| it.text.as_str()).collect();
    assert_eq!((commands, build.timeout.unwrap().as_secs()), (vec!["one", "two"], 90));

    stage.commit("build: 5\n");
    assert_eq!(stage.engine().pipeline("HEAD").unwrap_err().kind(), ErrorKind::Config);
    fs::remove_file(stage.repo.path().join(".tinyci.yml")).unwrap();
    stage.commit_more("none");
    assert_eq!(stage.engine().pipeline("HEAD").unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_config_beyond_all_measure_is_red_by_name_and_by_scan() {
    let large = format!("build: \"true\"\n#{}\n", "x".repeat(1 << 20));
    for selection in [Selection::revision("HEAD"), Selection::pending()] {
        let stage = Stage::with(&large);
        let ran = Ran::of(&stage.engine(), &selection);
        assert_eq!(ran.outcome(), Outcome::Failure);
        let reason = ran.record().reason.as_deref().unwrap();
        assert!(reason.contains("at most 1048576 are allowed"), "{reason}");
    }
}

#[test]
fn old_builds_become_archives() {
    let stage = Stage::with(GREEN);
    let (old, new) = (stage.head(), stage.commit("build: echo new\n"));
    stage.run();
    let engine = stage.engine();
    let done = engine.compact(&CompactOptions::new(), &CancelToken::new()).unwrap();
    let [packed] = done.compacted.as_slice() else { panic!("one is old: {done:?}") };
    assert!(!stage.build_dir(old).exists() && stage.build_dir(new).is_dir());
    let archive = format!("{}.tar.gz", stage.build_dir(old).display());
    assert!(packed.archive.display().to_string() == archive && packed.archive.is_file());
}

#[test]
fn an_install_can_be_undone() {
    let server = TestRepo::bare();
    let engine = Engine::open(server.path()).unwrap();
    let hook = server.path().join("hooks/post-receive");
    fs::write(&hook, "#!/bin/sh\necho mine\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    let before = fs::read(&hook).unwrap();
    engine.install(&InstallOptions::new()).unwrap();
    assert!(String::from_utf8_lossy(&fs::read(&hook).unwrap()).contains("tinyci"));
    engine.uninstall().unwrap();
    assert_eq!(fs::read(&hook).unwrap(), before);
}
