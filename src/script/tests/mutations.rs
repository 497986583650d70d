//! Scripts that nobody wrote: the examples, damaged by a generator that damages the same way each
//! time. Whatever comes of it, reading, checking and running end, and what they say of a place is
//! a place of the file.

use std::time::{Duration, Instant};

use super::*;
use crate::{
    model::script::{PhaseEnd, Tree, TreeFile},
    script::text::source::Source,
    util::threads::big_thread,
};

const EXAMPLES: [&str; 5] = [
    DEPLOY,
    include_str!("../../../examples/minimal.rhai"),
    include_str!("../../../examples/monorepo.rhai"),
    include_str!("../../../examples/rust-matrix.rhai"),
    include_str!("../../../examples/static-site.rhai"),
];

const MODULE: &str = include_str!("../../../examples/ci/go.rhai");

/// What goes in: words of the language and of the API, and what editors and people leave behind.
const PIECES: [&str; 64] = [
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    "#{",
    "|",
    "||",
    "|x|",
    ";",
    ",",
    ".",
    "?.",
    "::",
    "`",
    "\"",
    "'",
    "${",
    "<%= ",
    "%>",
    "\\",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\u{feff}",
    "é",
    "日本",
    "👩‍👩‍👧",
    "//",
    "/*",
    "*/",
    "///",
    "#!",
    "fn ",
    "fn sh(c) { }",
    "fn build() { build() }",
    "let ",
    "const ",
    "import \"ci/go\" as x;",
    "loop { ",
    "while true { ",
    "for i in 0..9 { ",
    "switch 1 { _ => ",
    "try { ",
    "} catch (e) { ",
    "throw ",
    "return ",
    "break ",
    "if ",
    "else ",
    "this.",
    "global::",
    "ctx",
    "ctx.commit",
    "ctx.changed(\"*\")",
    "retry(2, || ",
    "parallel([1, 2], |x| ",
    "defer(|| ",
    "timeout(\"1ms\", || ",
    "secret(\"A\")",
    "Fn(\"build\")",
    "-9223372036854775808",
];

/// Numbers that look like chance and are the same each time.
struct Chance(u64);

impl Chance {
    /// A number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap()
    }

    /// A place of a text between two letters.
    fn place(&mut self, text: &str) -> usize {
        let at = self.below(text.len() + 1);
        (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap()
    }

    /// A short stretch of a text.
    fn stretch<'t>(&mut self, text: &'t str) -> (usize, &'t str) {
        let (first, second) = (self.place(text), self.place(text));
        let (begin, mut end) = (first.min(second), first.max(second));
        if end - begin > 40 {
            end = (begin + 1 + self.below(40)..).find(|at| text.is_char_boundary(*at)).unwrap();
        }
        (begin, &text[begin..end])
    }

    fn damaged(&mut self) -> String {
        let mut text = EXAMPLES[self.below(EXAMPLES.len())].to_owned();
        for _ in 0..=self.below(4) {
            match self.below(5) {
                0 => {
                    let (begin, cut) = self.stretch(&text);
                    let end = begin + cut.len();
                    text.replace_range(begin..end, "");
                }
                1 => {
                    let from = EXAMPLES[self.below(EXAMPLES.len())];
                    let (_, copied) = self.stretch(from);
                    text.insert_str(self.place(&text), copied);
                }
                _ => text.insert_str(self.place(&text), PIECES[self.below(PIECES.len())]),
            }
        }
        text
    }
}

/// The one module that the examples import.
struct Module;

impl Tree for Module {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        let module = || TreeFile::File(MODULE.as_bytes().to_vec());
        Ok(if path == "ci/go.rhai" { module() } else { TreeFile::Absent })
    }
}

/// An error has a place, and the place is one of its file.
#[track_caller]
fn stands_in_its_file(error: &Error, text: &str) {
    let Some(position) = error.position() else { return };
    let in_module = error.path().is_some_and(|path| path.ends_with("go.rhai"));
    let file = Source::new(if in_module { MODULE } else { text }.as_bytes(), "x").unwrap();
    let lines: Vec<&str> = file.text.split('\n').collect();
    let line = lines.get(position.line - 1);
    let columns = line.map_or(0, |line| line.chars().count()) + 1;
    assert!((1..=columns).contains(&position.column), "{position} of {text:?}\n{}", error.report());
}

/// Runs a phase with limits of a moment, and gives back how it failed.
fn run_phase(script: &Script, phase: &'static str) -> PhaseEnd {
    let mut script = script.clone();
    script.timeout = Duration::from_millis(100);
    let facts = Facts { step: phase.to_owned(), branch: Some("main".into()), ..Facts::default() };
    let deadline = Instant::now().checked_add(script.timeout);
    let host: Arc<dyn Host> = Arc::new(Recorder { approved: true, ..Recorder::default() });
    let work = move || {
        let (script, functions) = (&script, &[]);
        run(PhaseCall { script, phase, facts, vars: Vars::new(), host, deadline, functions })
    };
    big_thread("tinyci test").spawn(work).unwrap().join().unwrap()
}

/// Reads, checks and runs a script; says how many of its phases ran.
fn endure(text: &str) -> usize {
    let found = check(text.as_bytes(), ".tinyci.rhai", &Module, &[], &Vars::new());
    found.iter().for_each(|it| stands_in_its_file(&it.error, text));
    let script = match Script::load(text.as_bytes(), ".tinyci.rhai", &Module, &[]) {
        Ok(script) => script,
        Err(error) => {
            assert!(error.position().is_some(), "{text:?}\n{}", error.report());
            stands_in_its_file(&error, text);
            return 0;
        }
    };
    let phases = ["before_build", "build", "test", "after_all", "deploy"];
    let phases = phases.into_iter().filter(|phase| script.phase(phase).is_some());
    let ends = phases.map(|phase| run_phase(&script, phase));
    let ran = ends.inspect(|end| {
        if let Some(error) = &end.error {
            assert_ne!(error.kind(), ErrorKind::Panic, "{text:?}\n{}", error.report());
            stands_in_its_file(error, text);
        }
    });
    ran.count()
}

#[test]
fn damaged_examples_end_with_an_answer() {
    const ROUNDS: usize = 200;
    let mut chance = Chance(0x5eed);
    let (mut read, mut ran) = (0, 0);
    for _ in 0..ROUNDS {
        let text = chance.damaged();
        let phases = endure(&text);
        read += usize::from(phases > 0);
        ran += phases;
    }
    // Neither all nothing nor all unharmed.
    assert!(read > ROUNDS / 20 && read < ROUNDS && ran >= read, "{read} of {ROUNDS}, {ran}");
}
