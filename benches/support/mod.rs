//! What the benchmarks share: contenders that run in turn, and a table of how they compare.
//!
//! No machine is quiet for as long as a benchmark takes, so times that were taken one after the
//! other say little. Here all contenders of a table run once in each round, each round beginning
//! with another one, and are compared within their round. The first is the measure of the others.
//!
//! A call of the library is timed inside of a process that does nothing else, new each time: so
//! that no cache of one call serves the next, and so that it can be seen with and without
//! [`tinyci::tune_process`], which cannot be taken back.
//!
//! Everything happens in temporary folders: `TMPDIR` chooses the file system.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

pub(crate) mod repository;

use std::{
    env,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use tinyci::Engine;

/// The first word of the command line of a process that is to time a library call.
const TIMED_CALL: &str = "timed-call";

/// The options of a benchmark: `--name value`, given after `cargo bench --bench NAME --`.
pub(crate) struct Options(Vec<(String, String)>);

impl Options {
    /// Reads the command line, which may hold these options; ends the process for any other.
    pub(crate) fn read(names: &[&str]) -> Self {
        // cargo adds `--bench` to whatever it starts.
        let mut words = env::args().skip(1).filter(|word| word != "--bench");
        let mut options = Vec::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").filter(|name| names.contains(name));
            match (name, words.next()) {
                (Some(name), Some(value)) => options.push((name.to_owned(), value)),
                _ => usage(names),
            }
        }
        Self(options)
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn number(&self, name: &str, default: usize) -> usize {
        let text = self.text(name);
        text.map_or(default, |text| text.parse().expect("options take whole numbers"))
    }
}

fn usage(names: &[&str]) -> ! {
    let names: Vec<String> = names.iter().map(|name| format!("[--{name} VALUE]")).collect();
    eprintln!("usage: cargo bench --bench NAME -- {}", names.join(" "));
    std::process::exit(2);
}

/// Whatever does the work of a table's row, and says how long it took.
type Contest<'a> = Box<dyn FnMut() -> Duration + 'a>;

struct Contender<'a> {
    name: String,
    contest: Contest<'a>,
    milliseconds: Vec<f64>,
}

/// Contenders for the same work.
pub(crate) struct Table<'a> {
    title: String,
    /// How many pieces of work one contest does; the table shows the time of one.
    pieces: usize,
    contenders: Vec<Contender<'a>>,
}

impl<'a> Table<'a> {
    pub(crate) fn new(title: impl Into<String>, pieces: usize) -> Self {
        Self { title: title.into(), pieces, contenders: Vec::new() }
    }

    /// Adds a row; the first is the measure of the others.
    pub(crate) fn add(&mut self, name: &str, contest: impl FnMut() -> Duration + 'a) {
        let contest: Contest<'a> = Box::new(contest);
        self.contenders.push(Contender { name: name.to_owned(), contest, milliseconds: vec![] });
    }

    /// Runs every contender once in each round, and prints what came of it.
    pub(crate) fn run(mut self, rounds: usize) {
        for round in 0..rounds.max(1) {
            for turn in 0..self.contenders.len() {
                let index = (round + turn) % self.contenders.len();
                let contender = &mut self.contenders[index];
                let taken = (contender.contest)().as_secs_f64() * 1000.0;
                contender.milliseconds.push(taken / self.pieces.max(1) as f64);
            }
        }
        self.print(rounds);
    }

    fn print(&self, rounds: usize) {
        println!("\n{} ({rounds} rounds)", self.title);
        println!("{:44} {:>10}   {:>6} {:>6} {:>6}", "", "median ms", "min", "median", "max");
        let Some(measure) = self.contenders.first() else { return };
        for contender in &self.contenders {
            let ratios = contender.milliseconds.iter().zip(&measure.milliseconds);
            let ratios = sorted(ratios.map(|(own, other)| own / other));
            let (least, most) = (ratios[0], ratios[ratios.len() - 1]);
            let time = median(&sorted(contender.milliseconds.iter().copied()));
            let ratio = median(&ratios);
            println!("{:44} {time:>10.3}   {least:>6.3} {ratio:>6.3} {most:>6.3}", contender.name);
        }
    }
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// How long this takes.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let clock = Instant::now();
    work();
    clock.elapsed()
}

/// Runs a program to its end, deaf and mute; panics if it fails.
pub(crate) fn succeed(command: &mut Command) {
    let status = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    assert!(status.expect("the program is there").success(), "{command:?} failed");
}

/// How long the library needs for a task in the repository at `path`, asked of a process that
/// answers by [`answer_timed_call`]: opening the engine included, the process's own start not.
pub(crate) fn library(tuned: bool, task: &str, path: &Path, argument: &Path) -> Duration {
    let program = env::current_exe().expect("this program has a path");
    let mode = if tuned { "tuned" } else { "untuned" };
    let mut command = Command::new(program);
    command.args([TIMED_CALL, mode, task]).arg(path).arg(argument);
    let output = command.stderr(Stdio::inherit()).output().expect("this program starts again");
    assert!(output.status.success(), "{command:?} failed");
    let nanoseconds = String::from_utf8_lossy(&output.stdout).trim().parse();
    Duration::from_nanos(nanoseconds.expect("a number of nanoseconds"))
}

/// Does what [`library`] asks, if this process was started by it; says whether it was.
pub(crate) fn answer_timed_call(work: fn(task: &str, &Engine, argument: &Path)) -> bool {
    let words: Vec<_> = env::args().skip(1).collect();
    let [first, mode, task, path, argument] = words.as_slice() else { return false };
    if first != TIMED_CALL {
        return false;
    }
    if mode == "tuned" {
        tinyci::tune_process();
    }
    let taken = time(|| {
        let engine = Engine::open(path).expect("the repository opens");
        work(task, &engine, Path::new(argument));
    });
    println!("{}", taken.as_nanos());
    true
}
