//! Trees that git would never write, each in a commit that is tested. tinyci exports a tree as
//! `git archive` does, or fails its commit.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use super::{
    calls::call,
    dice::{Dice, again, seed},
};
use crate::support::{TestRepo, succeed};

const NAMES: [&[u8]; 22] = [
    b"a",
    b"b",
    b"A",
    b"dir",
    b"-rf",
    b" ",
    b"new\nline",
    b"\xff\xfe",
    b"caf\xc3\xa9",
    b"...",
    b".gitattributes",
    b".gitignore",
    b".gitmodules",
    b"con",
    b".git",
    b".GIT",
    b"git~1",
    b".",
    b"..",
    b"",
    b"a/b",
    b"/etc",
];

const MODES: [&str; 12] = [
    "100644", "100644", "100755", "100664", "120000", "40000", "40000", "040000", "160000", "0",
    "140000", "100644",
];

const BLOBS: [&[u8]; 7] = [
    b"text\n",
    b"",
    b"../../outside",
    b"a\0b",
    b"* text eol=crlf\n",
    b"a -diff\n[attr]x y\n",
    b"/etc",
];

/// Makes trees, and records if an object that a tree needs is missing.
struct Maker<'a> {
    repo: &'a TestRepo,
    dice: &'a mut Dice,
    lacks: bool,
}

/// Stores an object even if it is malformed.
fn store(repo: &TestRepo, kind: &str, bytes: &[u8]) -> String {
    let mut git = repo.command();
    git.args(["hash-object", "-t", kind, "--literally", "-w", "--stdin"]);
    let mut git = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    git.stdin.take().unwrap().write_all(bytes).unwrap();
    succeed("git hash-object", &git.wait_with_output().unwrap())
}

fn line(mode: &str, name: &[u8], id: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&id[at..at + 2], 16).unwrap();
    let id: Vec<u8> = (0..40).step_by(2).map(digits).collect();
    [mode.as_bytes(), b" ", name, b"\0", &id].concat()
}

impl Maker<'_> {
    fn entry(&mut self, depth: usize) -> Vec<u8> {
        let mode = *self.dice.pick(&MODES);
        // Mostly names that are allowed, because one forbidden name is enough to refuse a tree.
        let names = if self.dice.below(12) == 0 { NAMES.len() } else { 14 };
        let long = vec![b'n'; 200 + self.dice.below(60)];
        let name = match self.dice.below(30) {
            0 => &long[..],
            _ => NAMES[self.dice.below(names)],
        };
        let id = match (self.dice.below(40), mode) {
            (0, _) => {
                self.lacks |= mode != "160000";
                "12".repeat(20)
            }
            (1, _) => store(self.repo, "blob", b"of another kind"),
            (_, "40000" | "040000") if depth < 3 => self.tree(depth + 1, &[]),
            (_, "40000" | "040000") => store(self.repo, "tree", b""),
            _ => {
                let contents = *self.dice.pick(&BLOBS);
                store(self.repo, "blob", contents)
            }
        };
        line(mode, name, &id)
    }

    /// Stores a tree of these entries and random ones. They are not sorted, and can occur twice.
    fn tree(&mut self, depth: usize, first: &[u8]) -> String {
        let mut bytes = first.to_vec();
        for _ in 0..self.dice.below(5) {
            bytes.extend(self.entry(depth));
        }
        if self.dice.below(40) == 0 {
            bytes.extend(b"100644 cut");
        }
        store(self.repo, "tree", &bytes)
    }
}

/// Returns every path below a directory.
fn paths(root: &Path) -> BTreeSet<Vec<u8>> {
    use std::os::unix::ffi::OsStrExt;
    let (mut found, mut left) = (BTreeSet::new(), vec![root.to_path_buf()]);
    while let Some(dir) = left.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            found.insert(path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec());
            if path.symlink_metadata().unwrap().is_dir() {
                left.push(path);
            }
        }
    }
    found
}

/// Returns the paths that `git archive` writes and tar extracts, or the error if one of them
/// refuses.
fn archived(repo: &TestRepo, commit: &str) -> Result<BTreeSet<Vec<u8>>, String> {
    let dir = tempfile::tempdir().unwrap();
    let tar = repo.command().args(["archive", commit]).output().unwrap();
    if !tar.status.success() {
        return Err(String::from_utf8_lossy(&tar.stderr).into_owned());
    }
    let mut extract = Command::new("tar")
        .args(["--no-same-owner", "-xf", "-"])
        .current_dir(dir.path())
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // tar may refuse a name and exit before its input ends.
    let _ = extract.stdin.take().unwrap().write_all(&tar.stdout);
    let ended = extract.wait_with_output().unwrap();
    if !ended.status.success() {
        return Err(String::from_utf8_lossy(&ended.stderr).into_owned());
    }
    Ok(paths(dir.path()))
}

fn try_trees(usual: u64, count: usize) {
    let seed = seed(usual);
    let (mut dice, repo) = (Dice::new(seed), TestRepo::bare());
    let what = again(seed);
    let config = store(&repo, "blob", b"build: \"true\"\n");
    let first = line("100644", b".tinyci.yml", &config);
    let mut commits = Vec::new();
    for number in 0..count {
        let mut maker = Maker { repo: &repo, dice: &mut dice, lacks: false };
        let tree = maker.tree(0, &first);
        let lacks = maker.lacks;
        let text = format!(
            "tree {tree}\nauthor A <a@b> {number} +0000\ncommitter A <a@b> {number} +0000\n\nx\n"
        );
        let commit = store(&repo, "commit", text.as_bytes());
        fs::write(repo.path().join(format!("refs/heads/t{number}")), format!("{commit}\n"))
            .unwrap();
        commits.push((number, commit, lacks));
    }
    call(repo.path(), &["run", "--all"], &what);
    for (number, commit, lacks) in &commits {
        let verdict = repo.verdict(commit);
        let what = format!("{what}: tree {number} of {commit}: {verdict:?}");
        let built = repo.path().join(format!("builds/{number}_{commit}/export"));
        match verdict.as_deref() {
            Some("success") => {
                let ours = paths(&built);
                let theirs = archived(&repo, commit);
                assert_eq!(Ok(&ours), theirs.as_ref(), "{what}");
            }
            Some("failure") => {
                let reason = call(repo.path(), &["results", "--json", commit], &what).out;
                let named = ["cannot export", "malformed", "not a tree", "not a blob"];
                assert!(named.iter().any(|part| reason.contains(part)), "{what}: {reason}");
                assert!(!built.exists(), "{what}");
            }
            None => assert!(lacks, "{what}: nothing is missing"),
            other => panic!("{what}: {other:?}"),
        }
    }
    // A failed commit is not tested again. Only commits with missing objects stay pending.
    let ended = call(repo.path(), &["plan", "--json"], &what);
    for (_, commit, lacks) in &commits {
        assert!(*lacks || !ended.out.contains(commit), "{what}: {commit} is still pending");
    }
}

#[test]
fn trees_are_exported_as_git_does_or_fail_their_commit() {
    try_trees(3, 40);
}

#[test]
#[ignore = "3,000 trees take some minutes"]
fn trees_are_exported_as_git_does_or_fail_their_commit_in_3000() {
    let first = seed(100);
    (first..first + 30).for_each(|seed| try_trees(seed, 100));
}

/// Tests a tree that is deeper than git allows by default. Another commit still passes.
#[test]
fn a_tree_too_deep_fails_its_commit_alone() {
    let repo = TestRepo::new();
    let before = repo.commit_config("build: \"true\"\n");
    let config = repo.git(&["rev-parse", "HEAD:.tinyci.yml"]);
    let mut stream = b"commit refs/heads/deep\ncommitter A <a@b> 1 +0000\ndata 0\n".to_vec();
    stream.extend(format!("M 100644 {config} .tinyci.yml\n").into_bytes());
    stream.extend(format!("M 100644 {config} {}file\n", "d/".repeat(2048)).into_bytes());
    let mut import = repo.command();
    import.args(["-c", "core.maxTreeDepth=4096", "fast-import", "--quiet", "--force"]);
    let mut import = import.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    import.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(import.wait().unwrap().success());
    let deep = repo.git(&["rev-parse", "refs/heads/deep"]);
    let ended = call(repo.path(), &["run", "--all"], "a deep tree");
    assert_eq!(ended.status.code(), Some(1), "{}", ended.err);
    assert_eq!(repo.verdict(&before).as_deref(), Some("success"));
    assert_eq!(repo.verdict(&deep).as_deref(), Some("failure"));
    let ended = call(repo.path(), &["run", "--all"], "again");
    assert_eq!(ended.status.code(), Some(0), "nothing is pending: {}", ended.err);
}
