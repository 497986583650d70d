//! Malformed commits in the history of a repository that is tested.

use std::{io::Write, process::Stdio};

use super::{
    calls::call,
    dice::{Dice, again, seed},
};
use crate::support::{TestRepo, succeed};

const GREEN: &str = "build: \"true\"\n";

/// Stores a commit with this text, even if it is malformed.
fn store(repo: &TestRepo, text: &[u8]) -> String {
    let mut command = repo.command();
    command.args(["hash-object", "-t", "commit", "--literally", "-w", "--stdin"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(text).unwrap();
    succeed("hash-object", &child.wait_with_output().unwrap())
}

/// Well-formed and malformed lines, to be put between the parents and the message.
const LINES: [&[u8]; 18] = [
    b"author A <a@b> 1334833756 -0700",
    b"author A <a@b> 18446744073709548016 +0100",
    b"author A 1334833756 -0700",
    b"author A <a@b\n> 1334833756 -0700",
    b"author <> 1 +0000",
    b"author \xff\xfe <\xe9@b> 1 +0000",
    b"committer A <a@b> 1334833756 -0700",
    b"committer A <a@b> -5 +0000",
    b"committer A <a@b> 9223372036854775807 +9999",
    b"committer A <a@b> 9223372036854775808 +0000",
    b"committer nobody",
    b"committer A <a@b> 1334833756 -0700 and more",
    b"encoding ISO-8859-1",
    b"encoding none\x00of these",
    b"gpgsig -----BEGIN\n nothing",
    b"mergetag object 0\n type",
    b"x",
    b" ",
];

const MESSAGES: [&[u8]; 6] =
    [b"", b"\n", b"subject\n", b"gr\xfcn\n\nbody", b"a\0b\n", b"\n\n\n  late subject  \n more\n"];

/// Stores a commit of random lines and a random message, on top of another one.
fn malformed(repo: &TestRepo, dice: &mut Dice, parent: &str) -> String {
    let tree = repo.git(&["rev-parse", &format!("{parent}^{{tree}}")]);
    let mut text = format!("tree {tree}\nparent {parent}\n").into_bytes();
    for _ in 0..dice.below(5) {
        text.extend(*dice.pick(&LINES));
        text.push(b'\n');
    }
    text.push(b'\n');
    text.extend(*dice.pick(&MESSAGES));
    store(repo, &text)
}

#[test]
fn malformed_commits_below_hinder_nothing() {
    let seed = seed(7);
    let (mut dice, repo) = (Dice::new(seed), TestRepo::new());
    let mut tip = repo.commit("root");
    for _ in 0..60 {
        tip = malformed(&repo, &mut dice, &tip);
    }
    repo.git(&["reset", "-q", "--hard", &tip]);
    let tested = repo.commit_config(GREEN);
    let what = again(seed);
    for args in [
        &["run", "--all"][..],
        &["results"],
        &["results", "--json"],
        &["status"],
        &["status", "--json"],
        &["plan"],
        &["log", "-c", "HEAD"],
        &["results", "HEAD~30..HEAD"],
        &["run", "HEAD~5...HEAD"],
    ] {
        let ended = call(repo.path(), args, &what);
        assert_eq!(ended.status.code(), Some(0), "{what} {args:?}: {}", ended.err);
    }
    assert_eq!(repo.verdict(&tested).as_deref(), Some("success"), "{what}");
}

/// Tests and deploys malformed commits that have a config.
#[test]
fn malformed_commits_are_tested_like_others() {
    let seed = seed(11);
    let (mut dice, repo) = (Dice::new(seed), TestRepo::new());
    let mut tip = repo.commit_config("build: \"true\"\ndeploy: \"true\"\n");
    let mut commits = Vec::new();
    for _ in 0..12 {
        tip = malformed(&repo, &mut dice, &tip);
        commits.push(tip.clone());
    }
    repo.git(&["update-ref", "refs/heads/main", &tip]);
    let what = again(seed);
    let ended = call(repo.path(), &["run", "--all"], &what);
    assert_eq!(ended.status.code(), Some(0), "{what}: {}\n{}", ended.out, ended.err);
    for commit in &commits {
        assert_eq!(repo.verdict(commit).as_deref(), Some("success"), "{what}: {commit}");
    }
    let ended = call(repo.path(), &["deploy", "--yes", "HEAD"], &what);
    assert_eq!(ended.status.code(), Some(0), "{what}: {}\n{}", ended.out, ended.err);
    let deployed = repo.git(&["rev-parse", "refs/tinyci/deployments/production^2"]);
    assert_eq!(deployed, tip);
    // git can read the author and the subject of tinyci's commit, although its parent is malformed.
    let ours = repo.git(&["log", "-1", "--format=%an %s", "refs/tinyci/deployments/production"]);
    assert!(!ours.trim().is_empty(), "{ours}");
}

#[test]
fn what_cannot_be_read_is_said_once_and_is_empty() {
    let repo = TestRepo::new();
    let root = repo.commit_config("build: echo \"by=$TINYCI_AUTHOR.\"\n");
    let tree = repo.git(&["rev-parse", "HEAD^{tree}"]);
    let people = "author A 1334833756 -0700\ncommitter A <a@b> 1334833756 -0700\n";
    let text = format!("tree {tree}\nparent {root}\n{people}\nsubject\n");
    let commit = store(&repo, text.as_bytes());
    repo.git(&["update-ref", "refs/heads/main", &commit]);
    let ended = call(repo.path(), &["run", "--all"], "no address");
    assert_eq!(repo.verdict(&commit).as_deref(), Some("success"));
    let said = format!("commit {} is malformed: cannot read its author", &commit[..7]);
    assert_eq!(ended.text().matches(&said).count(), 1);
    let log = call(repo.path(), &["log", "-c", &commit], "no address").out;
    assert!(log.contains("by=."), "{log}");
}
