//! Writing a commit's files, beside `git archive | tar -x`: with and without attributes.
//!
//! ```sh
//! cargo bench --bench export -- --files 4000 --rounds 7
//! ```

#![allow(clippy::expect_used, reason = "a benchmark that cannot run says so by a panic")]

mod support;

use std::{
    fmt::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use support::{
    Options, Table,
    repository::{Repository, Stream},
    succeed, time,
};
use tinyci::{CancelToken, Engine};

/// Of each fifty files, how many have which number of bytes at most.
const SIZES: [(u32, u32); 4] = [(20, 2_000), (40, 10_000), (49, 40_000), (50, 400_000)];

const ENDINGS: [&str; 6] = ["c", "h", "txt", "sh", "bin", "md"];

/// Attributes as many a project has them: every file is asked about, few are changed.
const ATTRIBUTES: &str = "\
* text=auto
*.txt ident
*.sh text eol=lf
*.bin binary
*.c diff=cpp
/folder/0/*.md eol=crlf
";

fn main() {
    if support::answer_timed_call(export) {
        return;
    }
    let options = Options::read(&["rounds", "files"]);
    let (rounds, files) = (options.number("rounds", 7), options.number("files", 4000));
    for attributes in [None, Some(ATTRIBUTES)] {
        let repository = Repository::imported(&tree(files, attributes));
        let with = if attributes.is_some() { "with" } else { "without" };
        compare(&repository, &format!("{files} files, {with} .gitattributes"), rounds);
    }
}

/// What a timed call does.
fn export(_: &str, engine: &Engine, dir: &Path) {
    engine.export("main", dir, &CancelToken::new()).expect("the commit can be exported");
}

fn compare(repository: &Repository, title: &str, rounds: usize) {
    // Never into the same folder: to remove thousands of files makes the next ones slower.
    let folders = std::cell::Cell::new(0);
    let next = || {
        folders.set(folders.get() + 1);
        repository.beside(&format!("export.{}", folders.get()))
    };
    check(repository, &next(), &next());
    let mut table = Table::new(title, 1);
    table.add("git archive | tar -x", || archive(repository, &next()));
    table.add("tinyci export", || program(repository, &next()));
    for (name, tuned) in [("Engine::export", false), ("Engine::export, tuned", true)] {
        table.add(name, move || support::library(tuned, "export", &repository.path(), &next()));
    }
    table.run(rounds);
}

/// Both ways must come to the same.
fn check(repository: &Repository, one: &PathBuf, other: &PathBuf) {
    archive(repository, one);
    program(repository, other);
    succeed(Command::new("diff").arg("-r").args([one, other]));
}

fn program(repository: &Repository, dir: &Path) -> Duration {
    time(|| succeed(repository.tinyci(&["export", "main"]).arg(dir)))
}

fn archive(repository: &Repository, dir: &Path) -> Duration {
    std::fs::create_dir(dir).expect("a new folder");
    time(|| {
        let mut archive = repository.git(&["archive", "main"]);
        let mut archive = archive.stdout(Stdio::piped()).spawn().expect("git is there");
        let mut tar = repository.program("tar");
        let packed = archive.stdout.take().expect("its output");
        let unpacked = tar.arg("-xC").arg(dir).stdin(packed).status().expect("tar is there");
        assert!(unpacked.success() && archive.wait().expect("git ends").success());
    })
}

/// One commit with this many files, thirty a folder.
fn tree(files: usize, attributes: Option<&str>) -> Stream {
    let mut stream = Stream::default();
    stream.commit(&[]);
    if let Some(attributes) = attributes {
        stream.file(".gitattributes", attributes);
    }
    let mut draw = Draw(7);
    for number in 0..files {
        let (folder, ending) = (number / 30, ENDINGS[number % ENDINGS.len()]);
        let length = draw.size();
        let name = format!("folder/{}/{}/{number}.{ending}", folder % 10, folder / 10);
        stream.file(&name, &draw.text(length));
    }
    stream
}

/// Numbers that look drawn and are the same in every run.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        ((self.0 >> 33) % u64::from(limit)) as u32
    }

    fn size(&mut self) -> usize {
        let draw = self.below(50);
        let most = SIZES.iter().find(|(below, _)| draw < *below).map_or(1, |(_, most)| *most);
        self.below(most) as usize
    }

    /// Lines that pack about as well as source code does.
    fn text(&mut self, length: usize) -> String {
        let mut text = String::new();
        while text.len() < length {
            let (one, other, word) = (self.below(40), self.below(9000), self.below(300));
            writeln!(text, "    let value_{one} = function_{word}({other});").expect("memory");
        }
        text
    }
}
