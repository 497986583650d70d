//! Words that must not come back, each with its replacement.
//!
//! Add a row when a word is no longer used. `APART` lists the files that keep a word, because the
//! Ruby gem reads or writes it, or because it has another meaning there.

#![allow(clippy::expect_used, reason = "helpers of tests fail by a panic too")]

use std::{collections::BTreeMap, fs, path::Path};

use super::sources::root;

/// The kinds of text in which a word can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Area {
    /// README.md, and the README.md of each binding.
    Readme,
    /// The chapters of the guide.
    Guide,
    /// Comments and strings of the command line, which contain its help.
    Help,
    /// The comments of include/tinyci.h.
    Header,
    /// Strings of the library, which contain its error messages.
    Errors,
    /// Comments of the library.
    Comments,
    /// The code of the library and the command line, without comments and strings.
    Identifiers,
}

use Area::{Comments, Errors, Guide, Header, Help, Identifiers, Readme};

/// The texts that users read.
const USERS: &[Area] = &[Readme, Guide, Help, Header, Errors];
/// The texts that users or developers read.
const PROSE: &[Area] = &[Readme, Guide, Help, Header, Errors, Comments];
const CODE: &[Area] = &[Identifiers];

/// Phrases, in any case, even across lines, each with its replacement and the texts that it must
/// not be in. After a colon, a replacement explains how to choose.
const PHRASES: &[(&str, &str, &[Area])] = &[
    ("behaviour", "behavior", &[Readme, Guide, Help, Header, Errors]),
    ("colour", "color", PROSE),
    ("flavour", "flavor", PROSE),
    ("honoured", "honored", PROSE),
    ("licence", "license", PROSE),
    ("whoever", "the actor: tinyci, the run, git, your program, anyone who", &[Help, Header]),
    ("somebody", "the actor, or a person", &[Readme, Help]),
    ("nobody", "the actor, or no one", &[Readme, Help]),
    ("one's own", "your own", USERS),
    ("lent", "registered", USERS),
    ("lends", "registers", &[Readme, Guide, Help, Errors]),
    ("speaks for", "is", &[Readme, Help, Header]),
    ("what came of", "the outcome of, the result of", &[Readme, Guide, Help, Errors]),
    ("what became of", "the outcome of, the result of", &[Readme, Help]),
    ("comes to", "is, results in", USERS),
    ("is met", "is found", USERS),
    ("is told", "gets, is reported", &[Readme, Help, Header, Errors]),
    ("hang up", "disconnect", &[Guide, Help, Header, Comments]),
    ("has been looked", "a person has checked", PROSE),
    ("rehearsal", "dry run", PROSE),
    ("rehearses", "is a dry run", PROSE),
    ("is a rehearsal", "is a dry run", PROSE),
    ("so many", "N", &[Readme, Help]),
    ("queued", "pending", &[Readme, Guide, Help, Header, Errors, Comments]),
    ("any more", "no longer", &[Help]),
    ("work tree", "working tree", &[Help]),
    ("folder", "directory", &[Help]),
    ("ancestor", "TinyCI 0.5, the Ruby gem", &[Help]),
    ("roof", "interface", PROSE),
    ("rooms", "modules", PROSE),
];

/// Names in exact case, each with its replacement.
const NAMES: &[(&str, &str)] = &[
    ("ANSWER_COMMAND", "HANDLER_EXECUTOR"),
    ("Compacted", "CompactedBuild"),
    ("Compaction", "CompactReport"),
    ("Forecast", "DryRun"),
    ("Forgotten", "ForgetReport"),
    ("Installed", "InstallReport"),
    ("JudgedCommit", "LatestVerdict"),
    ("MergedResults", "MergeReport"),
    ("MissedLines", "UncoveredLines"),
    ("NoVerdict", "Error"),
    ("Pinned", "ProtectedBuild"),
    ("Pruned", "PrunedBuild"),
    ("Pruning", "PruneReport"),
    ("RunningRun", "ActiveRun"),
    ("StepForecast", "StepDryRun"),
    ("as_list", "as_array"),
    ("forecast", "dry_run"),
    ("foreign_lines", "unrecognized_lines"),
    ("host_hooks", "hook_callbacks"),
    ("judged_by_remote", "tested_by_remote"),
    ("log_limit_bytes", "log_limit"),
    ("output_limit", "log_limit"),
    ("passed_over", "ineligible"),
    ("show_bytes", "format_bytes"),
    ("tinyci_status", "tinyci_code"),
    ("unlock_deploys", "unlock_deployments"),
    ("Bell", "Notifier"),
    ("Begun", "PendingCommand"),
    ("Books", "RunState"),
    ("Bound", "LogLimiter"),
    ("Bounds", "StopConditions"),
    ("Census", "TextStats"),
    ("Desk", "ApprovalGate"),
    ("Drive", "RunDriver"),
    ("ExpressionJudge", "ExpressionValidator"),
    ("Guarded", "GuardState"),
    ("Happened", "EventHandle"),
    ("InHand", "ActiveJob"),
    ("Inherited", "EnvFilter"),
    ("Intent", "RefLockOwner"),
    ("Judged", "JobResult"),
    ("Ledger", "DeploymentHistory"),
    ("Lent", "HostFunction"),
    ("Merging", "NotesMerge"),
    ("Meta", "EventMeta"),
    ("Mirror", "RecordJson and its like"),
    ("Noted", "NoteIndex"),
    ("Nowhere", "NullSink"),
    ("Occupied", "BuildLock"),
    ("Origin", "RequestContext"),
    ("OwnRef", "AtomicRef"),
    ("Reach", "Reachability"),
    ("Said", "SourceResults"),
    ("Seen", "WalkState"),
    ("Sides", "ThreeWay"),
    ("Site", "JobContext"),
    ("Stay", "RunEnd"),
    ("Surroundings", "CommitInfo"),
    ("Survey", "ScanResult"),
    ("Turn", "WaitResult"),
    ("Undone", "ExportWarning"),
    ("Voice", "JobReporter"),
    ("VoiceSink", "ReporterSink"),
    ("Watch", "Watchdog"),
    ("Worked", "WorkResult"),
    ("as_unsettled", "as_unfinished"),
    ("everything_said", "all_sources"),
    ("give_threads", "release_threads"),
    ("is_hurried", "is_kill_requested"),
    ("judge_top", "check_top_level"),
    ("leave_backlog", "advance_baseline"),
    ("newer_word", "newer_verdict"),
    ("note_look", "mark_scanned"),
    ("only_settled", "nothing_pending"),
    ("owes_look", "scan_requested"),
    ("retire_ancestor", "replace_gem_hook"),
    ("statuses_are_thrown_away", "sigchld_is_ignored"),
    ("take_threads", "acquire_threads"),
    ("tally", "update_attempts"),
    ("tell_pusher", "report_to_pusher"),
    ("work_off", "worker_loop"),
    ("write_word", "write_verdict"),
    ("yields", "may_hand_over"),
];

/// Phrases that must not come back in the bindings: in their code, comments and messages. A phrase
/// with a capital letter is a name, and its case must match.
const BINDINGS: &[(&str, &str)] = &[
    ("anybody", "the actor, or anyone"),
    ("nobody", "the actor, or no one"),
    ("somebody", "the actor, or a person"),
    ("whoever", "the actor: tinyci, the run, git, your program"),
    ("any more", "no longer"),
    ("anymore", "no longer"),
    ("in the midst", "while, during"),
    ("is told", "gets"),
    ("lends", "registers"),
    ("lent", "registered"),
    ("one's own", "your own"),
    ("so many", "N"),
    ("speaks for", "is"),
    ("stands in", "is in"),
    ("what became of", "the outcome of, the record of"),
    ("what came of", "the outcome of, the result of"),
    ("what remains of", "the record of"),
    ("a text", "a string"),
    ("desk", "dispatcher"),
    ("due", "pending"),
    ("folder", "directory"),
    ("judged", "tested"),
    ("judges", "tests"),
    ("no_verdict", "error"),
    ("NoVerdict", "OutcomeError"),
    ("OnCommand", "Executor"),
    ("passed_over", "ineligible"),
    ("Refused", "Refusal"),
    ("work tree", "working tree"),
    ("attempt at", "job of"),
];

/// Words that are allowed in a file, each with the file.
const APART: &[(&str, &str)] = &[];

/// A part of a file, as words with their line numbers.
struct Part {
    file: String,
    words: Vec<(usize, String)>,
}

#[test]
fn words_that_are_gone_stay_gone() {
    let parts = parts();
    let mut found = Vec::new();
    for (phrase, instead, areas) in PHRASES {
        let is_one = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
        find(&parts, areas, phrase, instead, is_one, &mut found);
    }
    for (name, instead) in NAMES {
        find(&parts, CODE, name, instead, |word, wanted| word == wanted, &mut found);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn words_that_are_gone_stay_gone_in_the_bindings() {
    let sources: Vec<String> =
        files("bindings").into_iter().filter(|file| is_binding(file)).collect();
    assert!(sources.len() > 50, "where are the bindings? {sources:?}");
    let mut found = Vec::new();
    for file in sources {
        let text = fs::read_to_string(root().join(&file)).expect("a source of a binding");
        let part = Part { words: words(&text), file };
        let parts = BTreeMap::from([(Identifiers, vec![part])]);
        for (phrase, instead) in BINDINGS {
            let is_name = phrase.contains(char::is_uppercase);
            let is_one = |word: &str, wanted: &str| {
                if is_name { word == wanted } else { word.eq_ignore_ascii_case(wanted) }
            };
            find(&parts, CODE, phrase, instead, is_one, &mut found);
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Returns true if a file is a source file of a binding, but neither a test nor generated.
fn is_binding(file: &str) -> bool {
    let generated = ["/_constants.py", "/_ffi.py", "/abi.js", "/header.rb"];
    let ends = [".hpp", ".go", ".js", ".d.ts", ".py", ".rb"];
    let is_test = file.contains("/test") || file.ends_with("_test.go");
    let is_installed = file.contains("/node_modules/");
    ends.iter().any(|end| file.ends_with(end))
        && !generated.iter().any(|end| file.ends_with(end))
        && !is_test
        && !is_installed
}

#[test]
fn no_word_is_listed_in_vain() {
    let listed = PHRASES.iter().map(|row| row.0).chain(NAMES.iter().map(|row| row.0));
    let listed: Vec<&str> = listed.collect();
    for (word, file) in APART {
        assert!(listed.contains(word), "`{word}` is in APART alone");
        assert!(root().join(file).is_file(), "{file} is gone");
    }
    for (at, word) in listed.iter().enumerate() {
        assert!(!listed[..at].contains(word), "`{word}` is listed twice");
    }
}

fn find(
    parts: &BTreeMap<Area, Vec<Part>>,
    areas: &[Area],
    phrase: &str,
    instead: &str,
    is_one: impl Fn(&str, &str) -> bool,
    found: &mut Vec<String>,
) {
    let wanted: Vec<&str> = phrase.split(' ').collect();
    for part in areas.iter().flat_map(|area| &parts[area]) {
        if APART.contains(&(phrase, &*part.file)) {
            continue;
        }
        for window in part.words.windows(wanted.len()) {
            let same = window.iter().zip(&wanted).all(|((_, word), wanted)| is_one(word, wanted));
            if same {
                found.push(format!("{}:{}: `{phrase}`: write {instead}", part.file, window[0].0));
            }
        }
    }
}

/// Returns all texts that are searched.
fn parts() -> BTreeMap<Area, Vec<Part>> {
    let mut parts: BTreeMap<Area, Vec<Part>> = BTreeMap::new();
    let mut add = |area: Area, file: &str, text: &str| {
        parts.entry(area).or_default().push(Part { file: file.to_owned(), words: words(text) });
    };
    for file in files("src") {
        let text = fs::read_to_string(root().join(&file)).expect("a file of src");
        if file.ends_with(".md") {
            add(Guide, &file, &text);
        } else if file.ends_with(".rs") && !is_test(&file) {
            let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
            let source = Source::of(text);
            let is_help = file.starts_with("src/bin/");
            add(if is_help { Help } else { Comments }, &file, &source.comments);
            add(if is_help { Help } else { Errors }, &file, &source.strings);
            add(Identifiers, &file, &source.code);
        }
    }
    let read = |file: &str| fs::read_to_string(root().join(file)).expect("a file");
    add(Readme, "README.md", &read("README.md"));
    for language in ["cpp", "go", "node", "python", "ruby"] {
        let file = format!("bindings/{language}/README.md");
        add(Readme, &file, &read(&file));
    }
    add(Header, "include/tinyci.h", &Source::of(&read("include/tinyci.h")).comments);
    parts
}

fn is_test(file: &str) -> bool {
    file.ends_with("/tests.rs") || file.contains("/tests/") || file.starts_with("src/testing/")
}

/// Returns every file below a directory, by path from the root.
fn files(dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut next = vec![root().join(dir)];
    while let Some(path) = next.pop() {
        if path.is_dir() {
            let entries = fs::read_dir(&path).expect("a directory");
            next.extend(entries.map(|entry| entry.expect("an entry").path()));
        } else {
            found.push(below_root(&path));
        }
    }
    found.sort();
    found
}

fn below_root(path: &Path) -> String {
    path.strip_prefix(root()).expect("below the root").to_string_lossy().into_owned()
}

/// Returns the words of a text with their line numbers. Each punctuation mark is a separate word,
/// so that no phrase matches across it.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut words: Vec<(usize, String)> = Vec::new();
    let mut is_open = false;
    let mut line = 1;
    for letter in text.chars() {
        let is_letter = letter.is_alphanumeric() || matches!(letter, '_' | '\'');
        match words.last_mut() {
            Some((_, word)) if is_open && is_letter => word.push(letter),
            _ if is_letter || ".;:,()`|-".contains(letter) => {
                words.push((line, letter.to_string()));
            }
            _ => {}
        }
        is_open = is_letter;
        line += usize::from(letter == '\n');
    }
    words
}

/// A source file, split into code, comments and strings. Each has the lines of the whole file.
#[derive(Default)]
struct Source {
    code: String,
    comments: String,
    strings: String,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Code,
    LineComment,
    BlockComment,
    /// A string, which ends at a quote that is followed by this number of `#`.
    Text {
        hashes: usize,
        is_raw: bool,
    },
}

impl Source {
    fn of(text: &str) -> Self {
        let mut source = Self::default();
        let mut rest = text;
        let mut kind = Kind::Code;
        while let Some(letter) = rest.chars().next() {
            let (next, length) = step(kind, rest, source.code.chars().last());
            let taken = if length == 0 { letter.len_utf8() } else { length };
            let part = rest.get(..taken).unwrap_or(rest);
            for letter in part.chars() {
                source.push(kind, letter);
            }
            kind = next;
            rest = rest.get(taken..).unwrap_or_default();
        }
        source
    }

    fn push(&mut self, kind: Kind, letter: char) {
        let blank = if letter == '\n' { '\n' } else { ' ' };
        let pick = |own: bool| if own { letter } else { blank };
        self.code.push(pick(kind == Kind::Code));
        self.comments.push(pick(matches!(kind, Kind::LineComment | Kind::BlockComment)));
        self.strings.push(pick(matches!(kind, Kind::Text { .. })));
    }
}

/// Returns the kind of the text after this place, and the number of bytes of the mark or escape at
/// this place. 0 if there is none.
fn step(kind: Kind, rest: &str, before: Option<char>) -> (Kind, usize) {
    match kind {
        Kind::Code => code_step(rest, before),
        Kind::LineComment if rest.starts_with('\n') => (Kind::Code, 1),
        Kind::BlockComment if rest.starts_with("*/") => (Kind::Code, 2),
        Kind::Text { is_raw: false, .. } if rest.starts_with('\\') => {
            (kind, 1 + rest.chars().nth(1).map_or(0, char::len_utf8))
        }
        Kind::Text { hashes, .. } if ends_text(rest, hashes) => (Kind::Code, 1 + hashes),
        _ => (kind, 0),
    }
}

fn ends_text(rest: &str, hashes: usize) -> bool {
    let after = rest.strip_prefix('"');
    after.is_some_and(|after| {
        after.bytes().take(hashes).filter(|byte| *byte == b'#').count() == hashes
    })
}

fn code_step(rest: &str, before: Option<char>) -> (Kind, usize) {
    if !rest.starts_with(['/', 'b', 'r', '"', '\'']) {
        return (Kind::Code, 0);
    }
    if rest.starts_with("//") {
        return (Kind::LineComment, 2);
    }
    if rest.starts_with("/*") {
        return (Kind::BlockComment, 2);
    }
    let in_word = before.is_some_and(|letter| letter.is_alphanumeric() || letter == '_');
    let raw = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r')).filter(|_| !in_word);
    if let Some(after) = raw {
        let hashes = after.len() - after.trim_start_matches('#').len();
        if after[hashes..].starts_with('"') {
            let mark = rest.len() - after.len() + hashes + 1;
            return (Kind::Text { hashes, is_raw: true }, mark);
        }
    }
    if rest.starts_with('"') {
        return (Kind::Text { hashes: 0, is_raw: false }, 1);
    }
    // A character literal can be a quote. A lifetime has no closing quote.
    let letters: Vec<char> = rest.chars().take(4).collect();
    match letters[..] {
        ['\'', '\\', _, '\'', ..] => (Kind::Code, 4),
        ['\'', letter, '\'', ..] => (Kind::Code, 2 + letter.len_utf8()),
        _ => (Kind::Code, 0),
    }
}

#[test]
fn a_source_is_read_in_three_parts() {
    let text =
        "let quote = '\"'; // a \"comment\"\nsay(\"a \\\" text\", r#\"raw \"x\" it\"#); /* b */ x";
    let source = Source::of(text);
    let of = |text: &str| words(text).into_iter().map(|(_, word)| word).collect::<Vec<_>>();
    assert_eq!(of(&source.comments), ["a", "comment", "b"]);
    assert_eq!(of(&source.strings), ["a", "text", "raw", "x", "it"]);
    let code = of(&source.code);
    assert!(code.contains(&"say".to_owned()) && code.contains(&"x".to_owned()), "{code:?}");
    assert_eq!(source.code.lines().count(), 2);
}

#[test]
fn a_phrase_is_found_across_lines_and_not_across_thoughts() {
    let comment =
        Source::of("/// See: what Became\n/// of it. What became, of\nlet x = 1;").comments;
    let part = Part { file: "a.rs".to_owned(), words: words(&comment) };
    let parts = BTreeMap::from([(Comments, vec![part])]);
    let is_one = |word: &str, wanted: &str| word.eq_ignore_ascii_case(wanted);
    let mut found = Vec::new();
    find(&parts, &[Comments], "what became of", "the outcome of", is_one, &mut found);
    assert_eq!(found, ["a.rs:1: `what became of`: write the outcome of"]);
}
