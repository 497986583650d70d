//! Writing notes, with none and with many there, beside git's own.
//!
//! The library writes notes only as a part of something else. So two things are measured:
//! - an attempt that ends before it begins, because the commit's config is not valid. It writes two
//!   notes, the record and the word, and does everything else that an attempt does but the export
//!   and the commands: it plans, counts, makes a folder and a log. Its peer writes two notes.
//! - `Engine::forget`, which removes one note, and opens the repository for it.
//!
//! ```sh
//! cargo bench --bench notes -- --commits 100 --notes 10000 --rounds 9
//! ```

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so by a panic")]

mod support;

use std::path::Path;

use support::{
    Options, Table,
    repository::{Repository, Stream},
    succeed, time,
};
use tinyci::{CancelToken, Engine, Event, Outcome, Selection};

const INVALID_CONFIG: &str = "build: [\n";

const ADD: &str = r"
set -e
for commit in $(git rev-list --reverse main); do
    git notes --ref runs/tinyci add -m '{}' $commit
    git notes --ref tinyci-result add -m failure $commit
done";

const REMOVE: &str = r"
set -e
for commit in $(git rev-list main); do
    git notes --ref tinyci-result remove $commit
done";

fn main() {
    if support::answer_timed_call(work) {
        return;
    }
    let options = Options::read(&["rounds", "commits", "notes"]);
    let rounds = options.number("rounds", 9);
    for notes in [0, options.number("notes", 10_000)] {
        let template =
            Repository::imported(&Stream::history(options.number("commits", 100), INVALID_CONFIG));
        if notes > 0 {
            template.import(&Stream::old_notes(notes));
        }
        let commits = template.ask_git(&["rev-list", "main"]);
        compare(&template, notes, commits.lines().count(), rounds);
    }
}

/// What a timed call does.
fn work(task: &str, engine: &Engine, _: &Path) {
    if task == "run" {
        let (all, cancel) = (Selection::pending(), CancelToken::new());
        let summary = engine.run(&all, &cancel, &mut |_: &Event| {}).expect("the run begins");
        assert!(summary.records.iter().all(|record| record.outcome == Outcome::Failure));
    } else {
        let records = engine.records(&tinyci::RecordFilter::new()).expect("the notes can be read");
        for record in records {
            assert!(engine.forget(&record.commit.to_string()).expect("the notes can be written"));
        }
    }
}

fn compare(template: &Repository, notes: usize, commits: usize, rounds: usize) {
    let mut table =
        Table::new(format!("two notes for one of {commits} commits, beside {notes}"), commits);
    table.add("git notes add, twice", || shell(&template.copy(), ADD));
    add_library(&mut table, template, "run", "Engine::run, config not valid");
    table.run(rounds);

    let noted = template.copy();
    succeed(noted.program("sh").args(["-c", ADD]));
    let mut table =
        Table::new(format!("to remove one of {commits} notes, beside {notes}"), commits);
    table.add("git notes remove", || shell(&noted.copy(), REMOVE));
    add_library(&mut table, &noted, "forget", "Engine::forget");
    table.run(rounds);
}

fn shell(repository: &Repository, script: &str) -> std::time::Duration {
    time(|| succeed(repository.program("sh").args(["-c", script])))
}

fn add_library<'a>(
    table: &mut Table<'a>,
    template: &'a Repository,
    task: &'static str,
    name: &str,
) {
    for (name, tuned) in [(name.to_owned(), false), (format!("{name}, tuned"), true)] {
        table.add(&name, move || {
            support::library(tuned, task, &template.copy().path(), Path::new(""))
        });
    }
}
