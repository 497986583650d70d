//! What a commit with a script costs beside one with YAML that does the same: the time of processors
//! that the program and its commands take, since a script's own work is none of a disk's.
//!
//! ```sh
//! cargo bench --bench script -- --commits 50 --rounds 5
//! ```

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so by a panic")]

mod support;

use std::{fmt::Write, fs, time::Duration};

use support::{
    Options, Table,
    repository::{CONFIG, Repository, Stream},
    succeed,
};

/// The same in a script.
const SCRIPT: &str = "fn build(ctx) { sh(\"true\"); }\nfn test(ctx) { sh(\"true\"); }\n";

/// What the kernel counts in, on every machine.
const TICK: Duration = Duration::from_millis(10);

fn main() {
    let options = Options::read(&["rounds", "commits"]);
    let (rounds, commits) = (options.number("rounds", 5), options.number("commits", 50));
    let title = format!("processor time of one of {commits} commits, start included");
    let mut table = Table::new(title, commits);
    for (name, file, config) in [
        ("YAML", ".tinyci.yml", CONFIG.to_owned()),
        ("script", ".tinyci.rhai", SCRIPT.to_owned()),
        ("script of 1,000 lines", ".tinyci.rhai", long_script()),
    ] {
        let template = Repository::imported(&history(commits, file, &config));
        table.add(name, move || {
            let repository = template.copy();
            let before = time_of_children();
            succeed(&mut repository.tinyci(&["run", "--all"]));
            time_of_children() - before
        });
    }
    table.run(rounds);
}

/// Commits in a row, each with a file of its own.
fn history(commits: usize, file: &str, config: &str) -> Stream {
    let mut stream = Stream::default();
    for number in 0..commits {
        let parent = (number > 0).then(|| format!(":{number}"));
        stream.commit(parent.as_slice());
        if number == 0 {
            stream.file(file, config);
        }
        stream.file(&format!("{number:04}.txt"), "text\n");
    }
    stream
}

/// With helpers as people write them, none of which is called.
fn long_script() -> String {
    let mut script = SCRIPT.to_owned();
    for number in 1..250 {
        let body = format!(
            "    let x = if a > {number} {{ [a, b, \"text\"] }} else {{ #{{ k: `v${{b}}` }} }};\n    \
             sh([\"echo\", a.to_string(), x.to_string()]);\n"
        );
        // Writing to a String does not fail.
        let _ = write!(script, "fn helper_{number}(a, b) {{\n{body}}}\n");
    }
    script
}

/// The processor time of all children that have ended, and of theirs.
fn time_of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").expect("the kernel tells");
    let behind_name = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = behind_name.split(' ').skip(13).take(2);
    let ticks = ticks.map(|word| word.parse::<u32>().expect("a number of ticks"));
    TICK * ticks.sum::<u32>()
}
