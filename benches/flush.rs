//! What flushing to the disk costs: the same runs with `core.fsync=none` and with the default, in turn.
//!
//! Two loads are compared. In the first, commits have commands that do nothing, so that the flushes are
//! as large a part of a job as they can be. In the second, each build takes some time (`--build`, in
//! milliseconds), as most builds do. Below them is the cost of one flush on this disk: a small file that
//! is written, flushed and renamed, as against one that is written and renamed.
//!
//! The temporary directory must be on a disk. In memory, a flush costs nothing.
//!
//! ```sh
//! TMPDIR=/var/tmp cargo bench --bench flush -- --commits 50 --rounds 9 --build 200
//! ```

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so by a panic")]

mod support;

use std::{
    fs::{self, File},
    io::Write,
    time::Duration,
};

use support::{
    Options, Table,
    repository::{Repository, Stream},
    succeed, time,
};

/// The files that are written to measure the disk.
const FILES: usize = 50;

fn main() {
    let options = Options::read(&["rounds", "commits", "build"]);
    let (rounds, commits) = (options.number("rounds", 9), options.number("commits", 50));
    compare("commands that do nothing", "true", commits, rounds);
    let build = Duration::from_millis(options.number("build", 200) as u64);
    let sleep = format!("sleep {}", build.as_secs_f64());
    compare(&format!("builds of {} ms", build.as_millis()), &sleep, commits, rounds);
    measure_disk(rounds);
}

fn compare(load: &str, command: &str, commits: usize, rounds: usize) {
    let config = format!("build: '{command}'\n");
    let template = Repository::imported(&Stream::history(commits, &config));
    let commits: usize =
        template.ask_git(&["rev-list", "--count", "main"]).parse().expect("a number");
    let mut table = Table::new(format!("one of {commits} commits, {load}"), commits);
    for (name, fsync) in [("core.fsync=none", Some("none")), ("the default", None)] {
        let template = &template;
        table.add(name, move || {
            let repository = template.copy();
            if let Some(fsync) = fsync {
                succeed(&mut repository.git(&["config", "core.fsync", fsync]));
            }
            let mut run = repository.tinyci(&["run", "--all"]);
            time(|| succeed(&mut run))
        });
    }
    table.run(rounds);
}

fn measure_disk(rounds: usize) {
    let mut table = Table::new("a small file that is written and renamed", FILES);
    for (name, is_flushed) in [("no flush", false), ("file and directory flushed", true)] {
        table.add(name, move || write_files(is_flushed));
    }
    table.run(rounds);
}

fn write_files(is_flushed: bool) -> Duration {
    let dir = tempfile::tempdir().expect("a temporary directory");
    time(|| {
        for number in 0..FILES {
            let (new, path) = (dir.path().join("new"), dir.path().join(number.to_string()));
            let mut file = File::create(&new).expect("a file");
            file.write_all(b"success\n").expect("room on the disk");
            if is_flushed {
                file.sync_all().expect("the disk works");
            }
            fs::rename(&new, &path).expect("the file is there");
            if is_flushed {
                File::open(dir.path()).and_then(|dir| dir.sync_all()).expect("the disk works");
            }
        }
    })
}
