//! Runs the targets of the fuzzer for a short time, with the inputs of the committed corpora and
//! random changes of them. `tests/fuzz/run.sh` runs them longer, with a fuzzer that measures which
//! code an input reaches.

use std::{
    fs,
    io::Read,
    path::Path,
    time::{Duration, Instant},
};

use super::targets::TARGETS;
use crate::support::Chance;

/// The seed of the random changes.
const SEED: u64 = 7;

/// The number of inputs of each target besides its corpus, and the time after which it stops early
/// on a busy machine.
const INPUTS: u64 = 3_000;
const TIME: Duration = Duration::from_secs(2);

/// The maximum length of an input in bytes. The `bounds` tests cover the cost of longer ones.
const BYTES_MAX: usize = 4_096;

/// Parts that are special in the input of some target.
const PARTS: [&str; 24] = [
    "<%= ",
    " %>",
    "<%%",
    "\n",
    ": ",
    "- ",
    "[",
    "{",
    "&a ",
    "*a",
    "\"",
    "'",
    "#{",
    "|x| ",
    "sh(",
    "${",
    "\u{0}",
    "refs/heads/",
    "ssh://",
    "{\"v\":1,",
    "\\u0000",
    "1e999",
    "\u{feff}",
    "-",
];

/// Changes an input in up to eight places: changes a byte, inserts a special part, repeats or
/// removes a piece, inserts a piece of another input, or truncates it.
fn change(input: &mut Vec<u8>, other: &[u8], chance: &mut Chance) {
    for _ in 0..=chance.below(8) {
        let at = chance.below(input.len() + 1);
        let end = (at + chance.below(32)).min(input.len());
        match chance.below(6) {
            0 if at < input.len() => input[at] = chance.next() as u8,
            1 => drop(input.drain(at..end)),
            2 => drop(input.splice(at..at, chance.one(&PARTS).bytes())),
            3 => {
                let piece = input[at..end].repeat(1 + chance.below(16));
                drop(input.splice(at..at, piece));
            }
            4 => {
                let begin = chance.below(other.len() + 1);
                let piece = other[begin..].iter().take(64).copied().collect::<Vec<_>>();
                drop(input.splice(at..end, piece));
            }
            _ => input.truncate(at.max(1)),
        }
    }
    input.truncate(BYTES_MAX);
}

/// Returns the inputs of a corpus: the ones in named files, and the ones in the archive that the
/// fuzzer found.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/fuzz").join(target);
    let mut paths: Vec<_> = fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect();
    paths.sort();
    let mut inputs = Vec::new();
    for path in paths {
        let bytes = fs::read(&path).unwrap();
        if path.extension().is_none_or(|extension| extension != "gz") {
            inputs.push(bytes);
            continue;
        }
        let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&*bytes));
        for entry in archive.entries().unwrap() {
            let mut input = Vec::new();
            entry.unwrap().read_to_end(&mut input).unwrap();
            inputs.push(input);
        }
    }
    inputs
}

fn assert_no_panic(target: &str, call: fn(&[u8]), input: &[u8]) {
    let caught = std::panic::catch_unwind(|| call(input));
    assert!(caught.is_ok(), "seed {SEED}: {target} panics: {}", input.escape_ascii());
}

#[test]
fn no_input_makes_a_target_panic() {
    for (name, call) in TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        let (mut chance, begun) = (Chance::new(SEED), Instant::now());
        for input in &inputs {
            assert_no_panic(name, *call, input);
        }
        for _ in 0..INPUTS {
            let mut input = chance.one(&inputs).clone();
            let other = chance.one(&inputs);
            change(&mut input, other, &mut chance);
            assert_no_panic(name, *call, &input);
            if begun.elapsed() > TIME {
                break;
            }
        }
    }
}

#[test]
fn the_fuzzer_has_a_program_and_a_corpus_for_each_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    if root.join("Cargo.toml.orig").exists() {
        println!("left out: the package does not contain the programs of the fuzzer");
        return;
    }
    let names = |dir: &str| {
        let files = fs::read_dir(root.join(dir)).unwrap();
        let name =
            |path: std::path::PathBuf| path.file_stem().unwrap().to_string_lossy().into_owned();
        let mut names: Vec<String> = files.map(|file| name(file.unwrap().path())).collect();
        names.sort();
        names
    };
    let programs = names("tests/fuzz/fuzz_targets");
    assert_eq!(programs, names("tests/fixtures/fuzz"));
    for (name, _) in TARGETS {
        assert!(programs.iter().any(|it| it == name), "{name}");
    }
    let manifest = fs::read_to_string(root.join("tests/fuzz/Cargo.toml")).unwrap();
    for name in &programs {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not a program");
    }
}
