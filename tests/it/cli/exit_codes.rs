//! The exit code of every way in which a command can end.

use std::{
    fs,
    io::{BufRead, BufReader},
    os::unix::fs::{chown, symlink},
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::{
    TestRepo, eventually,
    program::{Said, run, run_in, signal, tinyci},
    server::{Gate, builds_in},
};

const GREEN: &str = "build: \"true\"\n";
const RED: &str = "build: \"false\"\n";

/// A repository with a commit for each of these configs.
fn repo_with(configs: &[&str]) -> (TestRepo, Vec<String>) {
    let repo = TestRepo::new();
    let commits = configs.iter().map(|config| repo.commit_config(config)).collect();
    (repo, commits)
}

/// Takes the blob of a file away, as a broken disk or a careless copy does.
fn lose_blob(repo: &TestRepo, commit: &str, file: &str) {
    let blob = repo.git(&["rev-parse", &format!("{commit}:{file}")]);
    let (folder, name) = blob.split_at(2);
    fs::remove_file(repo.path().join(".git/objects").join(folder).join(name)).unwrap();
}

/// The rows of a table with a code and its meaning.
fn rows<'a>(
    text: &'a str,
    row: impl Fn(&'a str) -> Option<(&'a str, &'a str)>,
) -> Vec<(u8, &'a str)> {
    let rows = text.lines().filter_map(row);
    rows.filter_map(|(code, meaning)| Some((code.trim().parse().ok()?, meaning.trim()))).collect()
}

#[test]
fn the_guide_has_the_table_of_the_help() {
    let help = run_in(Path::new("/"), &["--help"]).with_code(0).out;
    let (_, codes) = help.split_once("Exit codes:\n").unwrap();
    let in_help = rows(codes, |line| line.trim_start().split_once(' '));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/results.md");
    let guide = fs::read_to_string(path).unwrap();
    let (_, table) = guide.split_once("# Exit codes\n").unwrap();
    let in_guide =
        rows(table, |line| line.strip_prefix('|')?.trim_end_matches('|').split_once('|'));
    assert_eq!(in_guide, in_help);
    assert_eq!(in_help.len(), 7, "{in_help:?}");
}

#[test]
fn nothing_wrong_is_0() {
    let (repo, _) = repo_with(&[GREEN]);
    let out = repo.outside().join("out");
    for args in [
        &["run", "--all"][..],
        &["run", "--all"],
        &["run", "HEAD"],
        &["run", "--retry", "HEAD"],
        &["plan"],
        &["results"],
        &["results", "--forget", "HEAD"],
        &["results", "--forget", "HEAD"],
        &["log"],
        &["log", "-c", "HEAD"],
        &["check"],
        &["check", "--commit", "HEAD"],
        &["export", "HEAD", out.to_str().unwrap()],
        &["compact", "-n", "0"],
        &["install"],
        &["install"],
        &["uninstall"],
        &["uninstall"],
        &["version"],
        &["help"],
        &["--help"],
        &["completions", "bash"],
    ] {
        let said = run(&repo, args);
        assert_eq!(said.code, Some(0), "{args:?}\n{}{}", said.out, said.err);
        assert_eq!(said.err, "", "{args:?}");
    }
    assert_eq!(run(&repo, &["results", "--outcome", "failure"]).with_code(0).out, "");
    let unconfigured = TestRepo::new();
    unconfigured.commit("no config");
    run(&unconfigured, &["run", "--all"]).with_code(0);
    run(&unconfigured, &["run", "HEAD"]).with_code(0);
    let empty = TestRepo::bare();
    run(&empty, &["run", "--all"]).with_code(0);
    run(&empty, &["results"]).with_code(0);
}

#[test]
fn a_red_commit_is_1_and_stays_so() {
    for config in [RED, "build: [\n", "build: echo <%= nothing %>\n", "test: sleep 60\n"] {
        let (repo, _) = repo_with(&[GREEN, config, GREEN]);
        repo.git(&["config", "tinyci.jobTimeout", "1s"]);
        run(&repo, &["run", "--all"]).with_code(1);
        run(&repo, &["run", "HEAD~1"]).with_code(1);
        run(&repo, &["run", "HEAD~2..HEAD"]).with_code(1);
        run(&repo, &["run", "HEAD"]).with_code(0);
        run(&repo, &["run", "--all"]).with_code(0);
    }
    let (repo, _) = repo_with(&["build: [\n"]);
    run(&repo, &["check"]).with_code(1);
}

#[test]
fn what_is_not_understood_is_2() {
    let (repo, _) = repo_with(&[GREEN]);
    for args in [
        &[][..],
        &["frobnicate"],
        &["run"],
        &["run", "--frobnicate"],
        &["run", "nothing"],
        &["run", "--commit", "nothing"],
        &["run", "nothing..HEAD"],
        &["run", "HEAD:.tinyci.yml"],
        &["run", "--timeout", "soon", "--all"],
        &["results", "nothing"],
        &["results", "--forget", "nothing"],
        &["log", "-c", "nothing"],
        &["log", "-c", "HEAD"],
        &["check", "nothing"],
        &["check", "--commit", "nothing"],
        &["export", "nothing", "out"],
        &["plan", "nothing"],
        &["-r", "nothing", "log"],
        &["completions", "cmd"],
    ] {
        let said = run(&repo, args);
        assert_eq!(said.code, Some(2), "{args:?}\n{}{}", said.out, said.err);
        assert_ne!(said.err, "", "{args:?}");
    }
    repo.git(&["config", "tinyci.jobs", "many"]);
    let said = run(&repo, &["run", "--all"]).with_code(2);
    assert!(said.err.contains("tinyci.jobs"), "{}", said.err);
}

#[test]
fn another_run_is_3() {
    let repo = TestRepo::new();
    let gate = Gate::new(repo.outside().join("gate"));
    let id = repo.commit_config(&format!("build: {}\n", gate.command()));
    let mut running = tinyci(repo.path()).args(["run", "-qa"]).spawn().unwrap();
    gate.reached_by(&id);
    run(&repo, &["run", "--all", "--no-wait"]).with_code(3);
    run(&repo, &["run", "HEAD", "--no-wait"]).with_code(3);
    // These need no lock.
    for args in [&["results"][..], &["plan"], &["log"], &["compact", "-n", "0"], &["install"]] {
        run(&repo, args).with_code(0);
    }
    assert_eq!(builds_in(repo.path()), [format!("1500000060_{id}")], "it is in use");
    gate.open();
    assert_eq!(running.wait().unwrap().code(), Some(0));
}

#[test]
fn no_repository_that_could_be_used_is_4() {
    let empty = TempDir::new().unwrap();
    for args in [&["run", "--all"][..], &["results"], &["log"], &["install"], &["compact"]] {
        let said = run_in(empty.path(), args).with_code(4);
        assert_eq!(said.err.lines().count(), 2, "{args:?}\n{}", said.err);
    }
    let sha256 = empty.path().join("sha256");
    let git = |args: &[&str]| Command::new("git").args(args).output().unwrap();
    git(&["init", "-q", "--object-format=sha256", sha256.to_str().unwrap()]);
    let said = run_in(&sha256, &["run", "--all"]).with_code(4);
    assert!(said.err.to_lowercase().contains("sha256"), "{}", said.err);
}

/// Only root can give a repository away, so that for others there is nothing to try.
#[test]
fn a_repository_of_another_user_is_4_and_the_remedy_works() {
    for repo in [TestRepo::new(), TestRepo::bare()] {
        let git_dir = repo.path().join(repo.git(&["rev-parse", "--git-dir"]));
        let given = [repo.path(), &git_dir].map(|path| chown(path, Some(12_345), None).is_ok());
        let home = repo.outside().join("home");
        fs::create_dir(&home).unwrap();
        let at_home = |mut command: Command| {
            command.env("HOME", &home).env_remove("GIT_CONFIG_GLOBAL");
            Said::of(&command.output().unwrap())
        };
        let results = || {
            let mut command = tinyci(repo.path());
            command.arg("results");
            at_home(command)
        };
        let said = results();
        if given.contains(&false) || said.code == Some(0) {
            println!("skipped: this user cannot give a repository away, or trusts them all");
            return;
        }
        assert_eq!((said.code, said.err.lines().count()), (Some(4), 2), "{}", said.err);
        let mut remedy = Command::new("/bin/sh");
        remedy.args(["-c", said.err.split('`').nth(3).unwrap()]);
        at_home(remedy).with_code(0);
        results().with_code(0);
    }
}

#[test]
fn builds_that_are_not_ours_to_write_are_4() {
    let (repo, _) = repo_with(&[GREEN]);
    repo.write("builds/kept", "tracked");
    let tracked = repo.commit("tracked builds");
    let said = run(&repo, &["run", "--all"]).with_code(4);
    assert!(said.err.contains("git tracks it"), "{}", said.err);
    assert_eq!(repo.verdict(&tracked), None);

    let (repo, commits) = repo_with(&[GREEN]);
    let elsewhere = repo.outside().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    symlink(&elsewhere, repo.path().join("builds")).unwrap();
    let said = run(&repo, &["run", "--all"]).with_code(4);
    assert!(said.err.contains("symbolic link"), "{}", said.err);
    assert!(said.err.contains("git config tinyci.buildsDir"), "{}", said.err);
    assert_eq!(repo.verdict(&commits[0]), None);
    assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
}

/// What the machinery cannot do for one commit, it says of that commit, and does for the others.
#[test]
fn a_commit_without_a_verdict_is_4_whatever_the_others_are() {
    let (repo, commits) = repo_with(&[RED, GREEN]);
    repo.write("lost", "nobody knows what this was");
    let broken = repo.commit("a file that will be lost");
    lose_blob(&repo, &broken, "lost");
    fs::remove_file(repo.path().join("lost")).unwrap();
    repo.git(&["rm", "-q", "--cached", "lost"]);
    let last = repo.commit("without it");
    let said = run(&repo, &["run", "--all"]).with_code(4);
    assert!(said.out.contains(&format!("No verdict for {broken}: ")), "{}", said.out);
    let words = [&commits[0], &commits[1], &broken, &last].map(|commit| repo.verdict(commit));
    assert_eq!(words.map(Option::unwrap_or_default), ["failure", "success", "", "success"]);
    for _ in 0..2 {
        run(&repo, &["run", &broken]).with_code(4);
    }
    // It was given up: that does not make it green.
    let said = run(&repo, &["run", &broken]).with_code(4);
    assert!(said.out.contains("after 3 attempts without a verdict"), "{}", said.out);
    run(&repo, &["run", "--retry", &broken]).with_code(4);
}

#[test]
fn an_interrupted_command_is_130_whatever_came_before() {
    let (repo, _) = repo_with(&[RED]);
    let gate = Gate::new(repo.outside().join("gate"));
    let held = repo.commit_config(&format!("build: {}\n", gate.command()));
    let child = tinyci(repo.path()).args(["run", "-qa"]).spawn().unwrap();
    gate.reached_by(&held);
    let mut following = tinyci(repo.path());
    let mut following = following.args(["log", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(following.stdout.take().unwrap());
    told.read_line(&mut String::new()).unwrap();
    signal(&following, Signal::INT);
    assert_eq!(following.wait().unwrap().code(), Some(130));
    signal(&child, Signal::INT);
    Said::of(&child.wait_with_output().unwrap()).with_code(130);
}

/// A reader who has seen enough ends what only reports, and not what runs.
#[test]
fn a_closed_standard_output_is_no_failure() {
    let (repo, commits) = repo_with(&["build: seq 100000\n", "build: seq 100000; false\n"]);
    let shell = |line: &str| {
        let script = format!("{line}; echo $? >&3");
        let mut command = Command::new("/bin/bash");
        command.args(["-c", &format!("{{ {script}; }} 3>&1 >/dev/null")]);
        let path = Path::new(env!("CARGO_BIN_EXE_tinyci")).parent().unwrap();
        let path = format!("{}:{}", path.display(), std::env::var("PATH").unwrap());
        command.current_dir(repo.path()).env("PATH", path).env("GIT_CONFIG_GLOBAL", "/dev/null");
        String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
    };
    assert_eq!(shell("set -o pipefail; tinyci run HEAD~1 | true"), "0");
    assert_eq!(shell("tinyci run HEAD >&-"), "1");
    eventually("both have a verdict", || commits.iter().all(|id| repo.verdict(id).is_some()));
    assert_eq!(shell("set -o pipefail; tinyci log | true"), "0");
    assert_eq!(shell("set -o pipefail; tinyci results | true"), "0");
    assert_eq!(shell("set -o pipefail; tinyci help | true"), "0");
}
