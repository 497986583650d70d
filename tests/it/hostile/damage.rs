//! Damages one file of the git directory, of each kind. Every command still ends and gives a
//! reason, reads what git can still read, and loses no verdict that git could read.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use super::{
    calls::{Ended, call, limited},
    dice::{Dice, again, seed},
};
use crate::support::{TestRepo, program::run};

/// The commands that run after each damage. The first ones change the repository.
const COMMANDS: [&[&str]; 7] = [
    &["run", "--all"],
    &["results"],
    &["status"],
    &["plan"],
    &["prune", "--keep", "1"],
    &["compact", "-n", "1"],
    &["deploy", "--dry-run"],
];

/// A way to damage a file.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Truncate,
    Empty,
    Flip,
    Zero,
    Append,
    Delete,
}

const DAMAGES: [Damage; 6] =
    [Damage::Truncate, Damage::Empty, Damage::Flip, Damage::Zero, Damage::Append, Damage::Delete];

/// Returns a repository with verdicts, records and a deployment. Half of it is in a pack with all
/// of git's indices, half in loose objects. One commit is pending.
fn whole() -> TestRepo {
    let repo = TestRepo::new();
    let config = "build: echo built > out\ndeploy: \"true\"\n";
    let lines = |count: u32| (0..count).map(|it| format!("line {it}\n")).collect::<String>();
    for number in 0..4 {
        repo.write("text", lines(300 + number));
        repo.write("dir/other", format!("{number}"));
        repo.commit_config(&format!("{config}# {number}\n"));
    }
    repo.git(&["tag", "-a", "-m", "one", "v1"]);
    run(&repo, &["run", "--all"]).with_code(0);
    run(&repo, &["deploy", "--yes", "HEAD~1"]).with_code(0);
    repo.git(&["gc", "-q"]);
    repo.git(&["commit-graph", "write", "--reachable"]);
    repo.git(&["multi-pack-index", "write"]);
    for number in 4..6 {
        repo.write("text", lines(300 + number));
        repo.commit_config(&format!("{config}# {number}\n"));
    }
    run(&repo, &["run", "--all"]).with_code(0);
    repo.write("text", lines(310));
    repo.commit_config(config);
    repo
}

/// Returns the files that can be damaged, by kind. Paths are relative to the git directory. The
/// test first chooses a kind: otherwise it would choose loose objects nearly always.
fn kinds(git_dir: &Path) -> Vec<Vec<PathBuf>> {
    let mut kinds: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut left = vec![git_dir.to_path_buf()];
    while let Some(dir) = left.pop() {
        for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                left.push(path);
                continue;
            }
            let name = path.strip_prefix(git_dir).unwrap().to_path_buf();
            let text = name.to_str().unwrap();
            let kind = match () {
                () if text.starts_with("hooks/") => continue,
                () if text.starts_with("objects/pack/") => {
                    // The multi-pack index has no extension.
                    name.extension().or(name.file_name()).unwrap().to_str().unwrap()
                }
                () if text.starts_with("objects/info") => text,
                () if text.starts_with("objects/") => "objects",
                () if text.starts_with("refs/") => "refs",
                () if text.starts_with("logs/") => "logs",
                () => text,
            };
            kinds.entry(kind.to_owned()).or_default().push(name);
        }
    }
    let mut kinds: Vec<_> = kinds.into_values().collect();
    kinds.iter_mut().for_each(|files| files.sort());
    kinds
}

fn inflict(dice: &mut Dice, damage: Damage, path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    match damage {
        Damage::Delete => return fs::remove_file(path).unwrap(),
        Damage::Empty => bytes.clear(),
        Damage::Truncate => bytes.truncate(dice.below(bytes.len())),
        Damage::Append => bytes.extend(b"garbage"),
        Damage::Flip if bytes.is_empty() => bytes.push(0),
        Damage::Flip => {
            let place = dice.below(bytes.len());
            bytes[place] ^= 1 << dice.below(8);
        }
        Damage::Zero => {
            let from = dice.below(bytes.len());
            let length = dice.below(64);
            bytes.iter_mut().skip(from).take(length).for_each(|byte| *byte = 0);
        }
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

/// Runs git, which must end as well.
fn git(repo: &TestRepo, dir: &Path, args: &[&str]) -> Ended {
    let mut command: Command = repo.command_in(dir);
    command.args(args);
    limited(command, &format!("git {args:?}"))
}

/// Returns the verdicts that git can read, by commit.
fn verdicts(repo: &TestRepo, dir: &Path) -> BTreeMap<String, String> {
    let listed = git(repo, dir, &["notes", "--ref", "tinyci-result", "list"]);
    let mut verdicts = BTreeMap::new();
    for line in listed.out.lines() {
        // git also lists the remaining entries of a damaged tree.
        let Some((blob, commit)) = line.split_once(' ') else { continue };
        let word = git(repo, dir, &["cat-file", "blob", blob]);
        if word.status.success() {
            verdicts.insert(commit.to_owned(), word.out);
        }
    }
    verdicts
}

fn copied(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status().unwrap();
    assert!(copied.success());
}

/// Damages one file of a copy, and runs all commands.
fn try_one(whole: &TestRepo, seed: u64) {
    let mut dice = Dice::new(seed);
    let around = tempfile::tempdir().unwrap();
    let dir = around.path().join("repo");
    copied(whole.path(), &dir);
    let kinds = kinds(&dir.join(".git"));
    let files = dice.pick(&kinds).clone();
    let file = dice.pick(&files);
    let damage = *dice.pick(&DAMAGES);
    inflict(&mut dice, damage, &dir.join(".git").join(file));
    let what = format!("{} {damage:?} of {}", again(seed), file.display());

    let is_whole = git(whole, &dir, &["fsck", "--full"]).status.success();
    let before = verdicts(whole, &dir);
    for args in COMMANDS {
        let ended = call(&dir, args, &what);
        // tinyci reads every repository that `git fsck` finds sound. It creates lost state files of
        // its own again.
        let is_read = ended.status.code() != Some(4) || !is_whole;
        // git reads the name of a packed ref up to a NUL, and takes it for another ref. tinyci
        // refuses such a file, because one of its refs could be missing from it.
        let is_of_git =
            !["tinyci", "config", "packed-refs"].iter().any(|name| file.starts_with(name));
        assert!(is_read || !is_of_git, "{what}: {args:?}\n{}", ended.err);
    }
    let after = verdicts(whole, &dir);
    for (commit, word) in before {
        assert_eq!(after.get(&commit), Some(&word), "{what}: the verdict of {commit}");
    }
}

fn try_many(usual: u64, count: u64) {
    let (whole, first) = (whole(), seed(usual));
    let whole = &whole;
    thread::scope(|scope| {
        for part in 0..2 {
            scope.spawn(move || {
                for seed in (first + part..first + count).step_by(2) {
                    try_one(whole, seed);
                }
            });
        }
    });
}

#[test]
fn no_command_hangs_and_no_verdict_is_lost() {
    try_many(1, 16);
}

#[test]
#[ignore = "takes minutes: .ci/long"]
fn no_command_hangs_and_no_verdict_is_lost_in_300_damages() {
    try_many(1_000, 300);
}

#[test]
#[ignore = "takes half an hour: by hand"]
fn no_command_hangs_and_no_verdict_is_lost_in_5000_damages() {
    try_many(1_000_000, 5000);
}

/// Truncates a blob and then a commit. Commands that need the object fail and name its file.
#[test]
fn a_torn_object_is_named_and_where_it_is_not_needed_nothing_is_said() {
    let repo = TestRepo::new();
    let (first, second) = (repo.commit_config("build: \"true\"\n"), {
        repo.write("file", "contents");
        repo.commit("second")
    });
    let blob = repo.git(&["rev-parse", "HEAD:file"]);
    let path = |id: &str| repo.path().join(".git/objects").join(&id[..2]).join(&id[2..]);
    let torn = |id: &str, bytes: u64| {
        let file = path(id);
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::File::options().write(true).open(file).unwrap().set_len(bytes).unwrap();
    };
    torn(&blob, 10);
    let said = call(repo.path(), &["run", "--all"], "a torn blob");
    assert_eq!(said.status.code(), Some(4), "{}", said.err);
    assert_eq!(repo.verdict(&first).as_deref(), Some("success"), "it does not need the blob");
    assert_eq!(repo.verdict(&second), None);
    let text = said.text();
    assert!(text.contains(path(&blob).to_str().unwrap()), "{text}");
    assert!(text.contains("its end is missing"), "{text}");
    call(repo.path(), &["results"], "a torn blob that nothing needs");

    torn(&second, 60);
    for args in [&["run", "--all"][..], &["results"], &["status"], &["plan"]] {
        let said = call(repo.path(), args, "a torn commit");
        assert_eq!(said.status.code(), Some(4), "{args:?}: {}", said.err);
        for part in [path(&second).to_str().unwrap(), "`git fsck` shows", "git fetch --refetch"] {
            assert!(said.err.contains(part), "{args:?}: {part} is not in {}", said.err);
        }
    }
}
