//! Damaged scripts: the examples, changed by a generator with a fixed seed. Reading, checking and
//! running always end, and each position in an error exists in its file.

use std::time::{Duration, Instant};

use super::*;
use crate::{
    model::script::{ScriptEnd, Tree, TreeFile},
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

/// Fragments to insert: words of the language and of the API, and typical leftovers of editing.
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

/// A random number generator with a fixed sequence.
struct Random(u64);

impl Random {
    /// Returns a number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end.max(1) as u64).unwrap()
    }

    /// Returns a position between two characters of a text.
    fn place(&mut self, text: &str) -> usize {
        let at = self.below(text.len() + 1);
        (at..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap()
    }

    /// Returns a short part of a text, with its position.
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

/// The only module that the examples import.
struct Module;

impl Tree for Module {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        let module = || TreeFile::File(MODULE.as_bytes().to_vec());
        Ok(if path == "ci/go.rhai" { module() } else { TreeFile::Absent })
    }
}

/// Checks that an error's position exists in its file.
#[track_caller]
fn check_position(error: &Error, text: &str) {
    let Some(position) = error.position() else { return };
    let in_module = error.path().is_some_and(|path| path.ends_with("go.rhai"));
    let file = Source::new(if in_module { MODULE } else { text }.as_bytes(), "x").unwrap();
    let lines: Vec<&str> = file.text.split('\n').collect();
    let line = lines.get(position.line - 1);
    let columns = line.map_or(0, |line| line.chars().count()) + 1;
    assert!((1..=columns).contains(&position.column), "{position} of {text:?}\n{}", error.report());
}

/// Runs a step with short time limits, and returns its result.
fn run_step(script: &Script, step: &'static str) -> ScriptEnd {
    let mut script = script.clone();
    script.timeout = Duration::from_millis(100);
    let facts = Facts { step: step.to_owned(), branch: Some("main".into()), ..Facts::default() };
    let deadline = Instant::now().checked_add(script.timeout);
    let host: Arc<dyn Host> = Arc::new(Recorder { approved: true, ..Recorder::default() });
    let work = move || {
        let (script, functions) = (&script, &[]);
        run(StepCall { script, step, facts, vars: Vars::new(), host, deadline, functions })
    };
    big_thread("tinyci test").spawn(work).unwrap().join().unwrap()
}

/// Reads, checks and runs a script. Returns the number of steps that ran.
fn run_everything(text: &str) -> usize {
    let found = check(text.as_bytes(), ".tinyci.rhai", &Module, &[], &Vars::new());
    found.iter().for_each(|it| check_position(&it.error, text));
    let script = match Script::load(text.as_bytes(), ".tinyci.rhai", &Module, &[]) {
        Ok(script) => script,
        Err(error) => {
            assert!(error.position().is_some(), "{text:?}\n{}", error.report());
            check_position(&error, text);
            return 0;
        }
    };
    let steps = ["before_build", "build", "test", "after_all", "deploy"];
    let steps = steps.into_iter().filter(|step| script.step(step).is_some());
    let ends = steps.map(|step| run_step(&script, step));
    let ran = ends.inspect(|end| {
        if let Some(error) = &end.error {
            assert_ne!(error.kind(), ErrorKind::Panic, "{text:?}\n{}", error.report());
            check_position(error, text);
        }
    });
    ran.count()
}

#[test]
fn damaged_examples_end_with_an_answer() {
    const ROUNDS: usize = 200;
    let mut random = Random(0x5eed);
    let (mut read, mut ran) = (0, 0);
    for _ in 0..ROUNDS {
        let text = random.damaged();
        let steps = run_everything(&text);
        read += usize::from(steps > 0);
        ran += steps;
    }
    // Some scripts must still be readable, and some must not.
    assert!(read > ROUNDS / 20 && read < ROUNDS && ran >= read, "{read} of {ROUNDS}, {ran}");
}
