//! What the program says of itself, and of a command line that it can't make sense of.

use std::{
    fs::File,
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use tempfile::TempDir;

use crate::support::{
    TestRepo,
    program::{Said, run, run_in, tinyci},
};

const COMMANDS: [&str; 17] = [
    "install",
    "uninstall",
    "run",
    "plan",
    "cancel",
    "skip",
    "results",
    "log",
    "check",
    "export",
    "compact",
    "prune",
    "status",
    "setup-remote",
    "settings",
    "completions",
    "version",
];

fn anywhere(args: &[&str]) -> Said {
    run_in(Path::new("/"), args)
}

#[test]
fn without_a_word_it_shows_its_help_and_fails() {
    let said = anywhere(&[]).with_code(2);
    for command in COMMANDS {
        assert!(said.err.contains(&format!("\n  {command}")), "{command}: {}", said.err);
    }
}

#[test]
fn the_help_tells_the_exit_codes() {
    let said = anywhere(&["--help"]).with_code(0);
    for code in ["0", "1", "2", "3", "4", "5", "130"] {
        assert!(said.out.lines().any(|line| line.starts_with(&format!("  {code} "))), "{code}");
    }
}

#[test]
fn every_command_has_help_and_both_ways_to_ask_agree() {
    for command in COMMANDS {
        let asked = anywhere(&["help", command]).with_code(0);
        assert_eq!(anywhere(&[command, "--help"]).with_code(0).out, asked.out);
        assert!(asked.out.contains(&format!("Usage: tinyci {command}")), "{}", asked.out);
    }
}

#[test]
fn what_git_calls_is_documented_but_not_in_the_way() {
    assert!(!anywhere(&["run", "-h"]).out.contains("--hook"));
    assert!(anywhere(&["run", "--help"]).out.contains("--hook"));
}

#[test]
fn a_run_of_nothing_in_particular_is_refused_and_names_all() {
    let repo = TestRepo::new();
    let said = run_in(repo.path(), &["run"]).with_code(2);
    assert!(said.err.contains("--all"), "{}", said.err);
    assert_eq!(said.out, "");
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let cases: [&[&str]; 10] = [
        &["frobnicate"],
        &["run", "--frobnicate"],
        &["run", "--all", "--commit", "HEAD"],
        &["run", "--all", "HEAD"],
        &["run", "--all", "--jobs", "0"],
        &["run", "--all", "--timeout", "soon"],
        &["results", "--outcome", "green"],
        &["results", "--format", "%x"],
        &["compact", "-n", "many"],
        &["compact", "-b", ""],
    ];
    for args in cases {
        let said = anywhere(args).with_code(2);
        assert_eq!(said.out, "", "{args:?}");
        assert!(!said.err.is_empty(), "{args:?}");
    }
}

#[test]
fn the_ancestors_spellings_are_understood() {
    let dir = TempDir::new().unwrap();
    let cases: [&[&str]; 6] = [
        &["run", "-a"],
        &["run", "-c", "HEAD"],
        &["install", "-a"],
        &["log", "--num-lines", "3", "-c", "HEAD"],
        &["compact", "--num_builds_to_leave", "3", "--builds_to_leave=a,b"],
        &["-q", "-D", ".", "compact", "--builds-to-leave", "a"],
    ];
    for args in cases {
        // It got as far as looking for a repository.
        let said = run_in(dir.path(), args).with_code(4);
        assert!(said.err.contains("not a git repository"), "{args:?}: {}", said.err);
    }
}

#[test]
fn outside_a_repository_it_says_so_in_one_line_and_a_hint() {
    let dir = TempDir::new().unwrap();
    let said = run_in(dir.path(), &["run", "--all"]).with_code(4);
    let lines: Vec<_> = said.err.lines().collect();
    assert!(
        matches!(lines[..], [error, hint]
        if error.starts_with("tinyci: ") && hint.starts_with("hint: ")),
        "{}",
        said.err
    );
}

#[test]
fn the_version_is_said_in_three_ways() {
    let expected = format!("tinyci {}\n", tinyci::VERSION);
    for word in ["version", "--version", "-V"] {
        assert_eq!(anywhere(&[word]).with_code(0).out, expected);
    }
}

#[test]
fn completions_are_scripts_that_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = anywhere(&["completions", shell]).with_code(0).out;
        for command in COMMANDS {
            assert!(script.contains(command), "{shell} does not know {command}");
        }
    }
    let script = anywhere(&["completions", "bash"]).out;
    let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
    anywhere(&["completions", "basic"]).with_code(2);
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = tinyci(Path::new("/")).args(["completions", "zsh"]).stdout(writer).output();
    let said = Said::of(&output.unwrap()).with_code(0);
    assert_eq!(said.err, "");
}

/// Everything that prints, in a repository with a tested commit.
const PRINTS: [&[&str]; 22] = [
    &["--help"],
    &["--version"],
    &["help", "run"],
    &["run", "--help"],
    &["version"],
    &["completions", "zsh"],
    &["plan"],
    &["plan", "--json"],
    &["plan", "HEAD"],
    &["results"],
    &["results", "--json"],
    &["log"],
    &["log", "-c", "HEAD~1"],
    &["settings"],
    &["settings", "--json"],
    &["status"],
    &["status", "--json"],
    &["check"],
    &["convert"],
    &["export", "HEAD", "../exported"],
    &["deployments", "--json"],
    &["run", "--retry", "HEAD"],
];

/// A repository with a commit that was tested and deployed, and another that is pending.
fn repo_to_print() -> TestRepo {
    let repo = TestRepo::new();
    repo.commit_config("build: echo built\ndeploy: echo deployed\n");
    run(&repo, &["run", "--all"]).with_code(0);
    run(&repo, &["deploy", "--yes"]).with_code(0);
    repo.commit("pending");
    repo
}

#[test]
fn no_output_is_lost_without_an_error() {
    for args in PRINTS {
        let repo = repo_to_print();
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = tinyci(repo.path()).args(args).stdout(full).output().unwrap();
        let said = Said::of(&output);
        assert_eq!(said.code, Some(4), "{args:?}: {}", said.err);
        assert!(said.err.contains("cannot write to standard output"), "{args:?}: {}", said.err);
    }
}

#[test]
fn a_closed_pipe_is_no_error_for_any_command() {
    for args in PRINTS {
        let repo = repo_to_print();
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = tinyci(repo.path()).args(args).stdout(writer).output().unwrap();
        let said = Said::of(&output);
        assert_eq!((said.code, said.err.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_full_disk_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = tinyci(Path::new("/")).args(["completions", "zsh"]).stdout(full).output();
    let said = Said::of(&output.unwrap()).with_code(4);
    assert!(said.err.contains("cannot write to standard output"), "{}", said.err);
}
