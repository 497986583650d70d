//! What a commit costs beside its own commands: a run over commits whose build and test do
//! nothing, beside a shell loop that does as much by hand.
//!
//! ```sh
//! cargo bench --bench commit -- --commits 100 --rounds 9
//! ```

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so by a panic")]

mod support;

use std::{path::Path, process::Command};

use support::{
    Options, Table,
    repository::{CONFIG, Repository, Stream},
    succeed, time,
};
use tinyci::{CancelToken, Engine, Event, Selection};

/// The least that a person would write: an export, two commands, a verdict.
const LOOP: &str = r#"
set -e
for commit in $(git rev-list --reverse main); do
    export=builds/$commit/export
    mkdir -p "$export"
    git archive "$commit" | tar -xC "$export"
    sh -c "cd $export && true"
    sh -c "cd $export && true"
    git notes --ref tinyci-result add -m success "$commit"
done"#;

fn main() {
    if support::answer_timed_call(run) {
        return;
    }
    let options = Options::read(&["rounds", "commits"]);
    let (rounds, commits) = (options.number("rounds", 9), options.number("commits", 100));
    let template = Repository::imported(&Stream::history(commits, CONFIG));
    let commits: usize =
        template.ask_git(&["rev-list", "--count", "main"]).parse().expect("a number");
    let mut table = Table::new(format!("one of {commits} commits, start included"), commits);
    table.add("shell loop", || {
        on_a_copy(&template, |repository| {
            let mut shell = repository.program("sh");
            shell.args(["-c", LOOP]);
            shell
        })
    });
    table.add("tinyci run --all", || {
        on_a_copy(&template, |repository| repository.tinyci(&["run", "--all"]))
    });
    for (name, tuned) in [("Engine::run", false), ("Engine::run, tuned", true)] {
        let template = &template;
        table.add(name, move || {
            let repository = template.copy();
            support::library(tuned, "run", &repository.path(), Path::new(""))
        });
    }
    table.run(rounds);
}

/// What a timed call does.
fn run(_: &str, engine: &Engine, _: &Path) {
    let summary = engine
        .run(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| {})
        .expect("the run begins");
    assert!(!summary.records.is_empty() && summary.records.iter().all(|record| record.passed()));
}

fn on_a_copy(
    template: &Repository,
    program: impl FnOnce(&Repository) -> Command,
) -> std::time::Duration {
    let repository = template.copy();
    let mut program = program(&repository);
    time(|| succeed(&mut program))
}
