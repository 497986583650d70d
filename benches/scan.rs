//! Looking for commits without a verdict, beside what git needs for the same facts and beside the
//! way of tinyci's ancestor (`git log --notes`).
//!
//! ```sh
//! cargo bench --bench scan -- --commits 20000 --rounds 9 [--repo PATH]
//! ```
//!
//! `--repo` takes the branches of another repository instead of a synthetic history; it is cloned
//! and left alone.

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so by a panic")]

mod support;

use std::{
    path::Path,
    process::{Command, Stdio},
};

use support::{
    Options, Table,
    repository::{CONFIG, NOTES, Repository, Stream},
    succeed, time,
};
use tinyci::{Engine, Selection};

fn main() {
    if support::answer_timed_call(scan) {
        return;
    }
    let options = Options::read(&["rounds", "commits", "repo"]);
    let rounds = options.number("rounds", 9);
    let repository = match options.text("repo") {
        Some(path) => Repository::clone_of(Path::new(path)),
        None => {
            let commits = options.number("commits", 20_000);
            Repository::imported(&Stream::history(commits, CONFIG))
        }
    };
    let all = repository.ask_git(&["rev-list", "--branches"]);
    let count = all.lines().count();
    start(&repository, rounds);

    let mut table = Table::new(format!("none of {count} commits has a verdict"), 1);
    add_git(&mut table, &repository);
    table.add("git rev-list | git cat-file (has it a config?)", || time(|| configs(&repository)));
    add_scans(&mut table, &repository, &Repository::forget_scans);
    table.run(rounds);

    repository.import(&Stream::notes(all.lines()));
    let mut table = Table::new(format!("all of {count} have one, nothing is remembered"), 1);
    add_git(&mut table, &repository);
    add_scans(&mut table, &repository, &Repository::forget_scans);
    table.run(rounds);

    let mut table = Table::new(format!("nothing new on top of {count}"), 1);
    add_git(&mut table, &repository);
    let run = || time(|| succeed(&mut repository.tinyci(&["run", "--all"])));
    table.add("tinyci run --all", run);
    add_scans(&mut table, &repository, &|_| {});
    table.run(rounds);

    repository.import(&Stream::on_top(10));
    let mut table = Table::new(format!("10 new on top of {count}"), 1);
    add_git(&mut table, &repository);
    add_scans(&mut table, &repository, &|_| {});
    table.run(rounds);
}

/// What a timed call does.
fn scan(_: &str, engine: &Engine, _: &Path) {
    engine.pending_commits(&Selection::pending()).expect("the repository can be read");
}

fn start(repository: &Repository, rounds: usize) {
    let mut table = Table::new("to start and to end", 1);
    table.add("git --version", || time(|| succeed(&mut repository.git(&["--version"]))));
    table.add("tinyci version", || time(|| succeed(&mut repository.tinyci(&["version"]))));
    table.run(rounds.max(15));
}

/// git's ways: the two facts that a scan rests on, and the log that shows both at once.
fn add_git<'a>(table: &mut Table<'a>, repository: &'a Repository) {
    table.add("git rev-list --count --all; git notes list", || {
        time(|| {
            succeed(&mut repository.git(&["rev-list", "--count", "--all"]));
            succeed(&mut repository.git(&["notes", "--ref", NOTES, "list"]));
        })
    });
    let log = ["log", "--notes=tinyci*", "--format=%H %N", "--reverse", "--branches"];
    table.add("git log --notes --reverse", move || time(|| succeed(&mut repository.git(&log))));
}

/// Ours; `before` is done before each, untimed.
fn add_scans<'a>(
    table: &mut Table<'a>,
    repository: &'a Repository,
    before: &'a dyn Fn(&Repository),
) {
    table.add("tinyci plan", || {
        before(repository);
        time(|| succeed(&mut repository.tinyci(&["plan"])))
    });
    for (name, tuned) in [("Engine::scan", false), ("Engine::scan, tuned", true)] {
        table.add(name, move || {
            before(repository);
            support::library(tuned, "scan", &repository.path(), Path::new(""))
        });
    }
}

/// Asks git of every commit whether it has a config: what a scan must know of those without a
/// verdict.
fn configs(repository: &Repository) {
    let format = ["rev-list", "--branches", "--no-commit-header", "--format=%H:.tinyci.yml"];
    let mut list = repository.git(&format).stdout(Stdio::piped()).spawn().expect("git is there");
    let mut check: Command = repository.git(&["cat-file", "--batch-check"]);
    let names = list.stdout.take().expect("its output");
    let checked = check.stdin(names).stdout(Stdio::null()).status().expect("git is there");
    assert!(checked.success() && list.wait().expect("git ends").success());
}
