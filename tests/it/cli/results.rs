//! `tinyci results` and `tinyci log`: what is left of runs.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{
    TestRepo, eventually,
    program::{run, signal, tinyci},
};

/// A repository with a green, a red, and again a green commit, in this order.
fn tested() -> (TestRepo, [String; 3]) {
    let repo = TestRepo::new();
    let config = "build: echo building; test ! -e broken\n";
    let first = repo.commit_config(config);
    repo.write("broken", "");
    let second = repo.commit("break it");
    std::fs::remove_file(repo.path().join("broken")).unwrap();
    let third = repo.commit("mend it");
    run(&repo, &["run", "--all", "-q"]).with_code(1);
    (repo, [first, second, third])
}

#[test]
fn the_table_has_the_newest_first() {
    let (repo, commits) = tested();
    let said = run(&repo, &["results"]).with_code(0);
    let rows: Vec<Vec<&str>> =
        said.out.lines().map(|line| line.split_whitespace().collect()).collect();
    let expected = [
        (&commits[2], "success", "mend it"),
        (&commits[1], "failure", "break it"),
        (&commits[0], "success", "config"),
    ];
    assert_eq!(rows.len(), expected.len(), "{}", said.out);
    for (row, (commit, outcome, subject)) in rows.iter().zip(expected) {
        assert_eq!((row[0], row[1], row[4]), (&commit[..7], outcome, "main"));
        assert_eq!(row[5..].join(" "), subject);
    }
    assert!(!said.out.contains('\u{1b}'), "no colours in a pipe");
}

#[test]
fn the_ancestors_pipe_of_grep_and_cut_is_one_call() {
    let (repo, commits) = tested();
    let args = ["results", "--outcome", "success", "-n", "1", "--format", "%H"];
    assert_eq!(run(&repo, &args).with_code(0).out, format!("{}\n", commits[2]));
}

#[test]
fn every_placeholder_says_what_git_says() {
    let (repo, commits) = tested();
    let format = "%H|%s|%an|%ae|%ct|100%%%n";
    let ours = run(&repo, &["results", "HEAD~1", "--format", format]).with_code(0);
    let theirs = repo.git(&["log", "-1", &format!("--format={format}"), "HEAD~1"]);
    assert_eq!(ours.out.trim_end(), theirs);
    let ours = run(&repo, &["results", "HEAD~1", "--format", "%h %N %D %cI"]).with_code(0);
    let expected = format!("{} failure main 2017-07-14T02:42:00Z\n", &commits[1][..7]);
    assert_eq!(ours.out, expected);
}

#[test]
fn ranges_and_outcomes_select() {
    let (repo, commits) = tested();
    let ids = |args: &[&str]| {
        let args = [&["results", "--format", "%H"], args].concat();
        run(&repo, &args).with_code(0).out.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(ids(&["HEAD~2..HEAD"]), [commits[2].clone(), commits[1].clone()]);
    assert_eq!(ids(&["HEAD~2"]), [commits[0].clone()]);
    assert_eq!(ids(&["--outcome", "failure"]), [commits[1].clone()]);
    assert_eq!(ids(&["--outcome", "canceled"]), [""; 0]);
    run(&repo, &["results", "nothing"]).with_code(2);
}

#[test]
fn json_is_a_record_a_line() {
    let (repo, commits) = tested();
    let said = run(&repo, &["results", "--json", "-n", "2"]).with_code(0);
    let records: Vec<Value> =
        said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(records.len(), 2);
    assert_eq!(records[1]["commit"], commits[1].as_str());
    assert_eq!(records[1]["outcome"], "failure");
}

#[test]
fn a_word_that_was_written_by_hand_is_shown_too() {
    let repo = TestRepo::new();
    let head = repo.commit("by hand");
    repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "success"]);
    let said = run(&repo, &["results"]).with_code(0);
    let row: Vec<_> = said.out.split_whitespace().collect();
    assert_eq!(row[..4], [&head[..7], "success", "-", "-"]);
}

#[test]
fn a_forgotten_commit_is_pending_again() {
    let (repo, commits) = tested();
    let said = run(&repo, &["results", "--forget", "HEAD"]).with_code(0);
    assert_eq!(said.out, format!("{} is pending again\n", &commits[2][..7]));
    assert_eq!(repo.verdict(&commits[2]), None);
    let said = run(&repo, &["results", "--forget", "HEAD"]).with_code(0);
    assert_eq!(said.out, format!("{} had no verdict\n", &commits[2][..7]));
    assert!(run(&repo, &["plan"]).with_code(0).out.starts_with(&commits[2][..7]));
}

#[test]
fn the_log_is_shown_whole_or_in_part() {
    let (repo, commits) = tested();
    let whole = run(&repo, &["log"]).with_code(0);
    assert_eq!(whole.log_lines().iter().filter(|line| *line == "T building").count(), 3);
    let last = run(&repo, &["log", "-n", "2"]).with_code(0);
    let expected = ["T building".to_owned(), format!("T Finished {}", commits[2])];
    assert_eq!(last.log_lines(), expected);
    let of_one = run(&repo, &["log", "-c", &commits[1][..8]]).with_code(0);
    assert_eq!(of_one.log_lines()[0], format!("T Commit: {}", commits[1]));
    assert!(!of_one.out.contains(&commits[0]), "{}", of_one.out);
    run(&repo, &["log", "-c", "nothing"]).with_code(2);
}

#[test]
fn a_followed_log_goes_on_until_ctrl_c() {
    let (repo, _) = tested();
    let mut command = tinyci(repo.path());
    let mut child = command.args(["log", "-f", "-n", "1"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("Finished"));
    let head = repo.commit("later");
    run(&repo, &["run", "--all", "-q"]).with_code(0);
    assert!(lines.any(|line| line.unwrap().ends_with(&format!("Finished {head}"))));
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_followed_log_ends_with_its_reader() {
    let (repo, _) = tested();
    let mut command = tinyci(repo.path());
    let mut child = command.args(["log", "-f"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    repo.commit("later");
    run(&repo, &["run", "--all", "-q"]).with_code(0);
    eventually("it ends", || child.try_wait().unwrap().is_some());
}

#[test]
fn before_any_build_there_is_nothing_to_show() {
    let repo = TestRepo::new();
    repo.commit("nothing yet");
    assert_eq!(run(&repo, &["log"]).with_code(0).out, "");
    assert_eq!(run(&repo, &["results"]).with_code(0).out, "");
}
