//! Checks that no cost grows faster than the work: with the number of refs, of commits and of verdicts.

use std::{
    fmt::Write as _,
    io::Write,
    process::{Command, Stdio},
};

use super::counts::{can_count, counted};
use crate::support::{
    TestRepo,
    program::{run, tinyci},
};

/// Returns a repository with a tested commit on `main`, and this number of other branches, each with a
/// commit of its own if `are_apart`. All refs and objects are files, so each reading makes calls.
fn repo_with(branches: usize, are_apart: bool) -> TestRepo {
    let repo = TestRepo::new();
    repo.git(&["config", "core.fsync", "none"]);
    repo.write(".tinyci.yml", "build: 'true'\n");
    let base = repo.commit("base");
    let mut updates = String::new();
    for number in 0..branches {
        let tip = match are_apart {
            true => {
                let tree = format!("{base}^{{tree}}");
                repo.git(&["commit-tree", "-p", &base, "-m", &number.to_string(), &tree])
            }
            false => base.clone(),
        };
        writeln!(updates, "create refs/heads/b{number} {tip}").unwrap();
    }
    feed(repo.command().args(["update-ref", "--stdin"]), &updates);
    run(&repo, &["run", "--all"]).with_code(0);
    repo
}

fn feed(command: &mut Command, input: &str) {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

/// Returns the number of system calls of the program with these arguments.
fn calls(repo: &TestRepo, args: &[&str]) -> u64 {
    let mut command = tinyci(repo.path());
    command.args(args);
    counted(&command, &repo.outside().join("table"))
}

#[test]
fn a_report_grows_with_the_branches_and_not_with_their_square() {
    if !can_count() {
        return;
    }
    let (few, many) = (repo_with(20, true), repo_with(100, true));
    for words in [&["status"][..], &["results"], &["results", "--outcome", "success", "-n", "1"]] {
        let (few, many) = (calls(&few, words), calls(&many, words));
        let shown = format!("{words:?}: {few} calls with 20 branches, {many} with 100");
        eprintln!("{shown}");
        assert!(many < 5 * few, "{shown}");
    }
}

#[test]
fn a_commit_costs_the_same_with_one_ref_and_with_hundreds() {
    if !can_count() {
        return;
    }
    let of_a_commit = |branches: usize| {
        let repo = repo_with(branches, false);
        let run_of = |commits: usize| {
            (0..commits).for_each(|number| drop(repo.commit(&number.to_string())));
            (calls(&repo, &["run", "--all"]), commits as u64)
        };
        let ((few, less), (many, more)) = (run_of(5), run_of(25));
        many.saturating_sub(few) / (more - less)
    };
    let (alone, among_many) = (of_a_commit(1), of_a_commit(300));
    let shown = format!("{alone} calls for a commit with 1 branch, {among_many} with 300");
    eprintln!("{shown}");
    assert!(among_many < alone + alone / 5, "{shown}");
}
