//! Configs, scripts, trees and calls that could take unlimited time. Each command ends in spite of
//! them.
//!
//! The time limit is generous because test machines can be slow. Without the bounds of tinyci,
//! these inputs took minutes or did not end.

use std::{
    fmt::Write,
    fs,
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::support::{
    PATIENCE, TestRepo, eventually,
    program::{Said, signal, tinyci},
};

/// The longest time for a command that must end by itself.
const LIMIT: Duration = Duration::from_secs(60);

/// Runs the program and returns its result. Kills it and panics if it takes too long.
#[track_caller]
pub(super) fn ended(what: &str, dir: &Path, args: &[&str]) -> Said {
    let mut command = tinyci(dir);
    let (out, err) = (tempfile::tempfile().unwrap(), tempfile::tempfile().unwrap());
    command.args(args).stdout(out.try_clone().unwrap()).stderr(err.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > LIMIT {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{what}: `{args:?}` did not end");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let text = |mut file: fs::File| {
        use std::io::{Read, Seek};
        let mut bytes = Vec::new();
        file.rewind().and_then(|()| file.read_to_end(&mut bytes)).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    Said { code: child.wait().unwrap().code(), out: text(out), err: text(err) }
}

/// Returns a config of the maximum length: the beginning, as many parts as fit, and the end.
fn filled(begin: &str, part: &str, end: &str) -> String {
    let room = 256 * 1024 - begin.len() - end.len() - 1;
    format!("{begin}{}{end}\n", part.repeat(room / part.len()))
}

/// Returns YAML configs that once took a long time to read or to check, each with a part of the
/// expected output.
fn configs() -> Vec<(&'static str, String, &'static str)> {
    let aliases = ('b'..='i').fold("a: &a [x, x, x, x, x, x, x, x]\n".to_owned(), |text, name| {
        let before = char::from_u32(u32::from(name) - 1).unwrap();
        format!("{text}{name}: &{name} [{}]\n", vec![format!("*{before}"); 8].join(", "))
    });
    let directives = (0..9_000).fold(String::new(), |mut text, number| {
        writeln!(text, "%TAG !a{number}! x").unwrap();
        text
    });
    vec![
        ("arrays in arrays", filled("build: ", "[", ""), "nested too deeply"),
        ("maps in maps", filled("build: ", "{a: ", ""), "nested too deeply"),
        ("deep, and then long", filled(&format!("build: {}", "[".repeat(3_000)), ",", ""), ""),
        ("late", filled(&format!("a: \"{}\"\nbuild: ", "x".repeat(99_000)), "[", ""), "nested too"),
        ("in a second document", filled("build: x\n---\n", "[", ""), ""),
        (
            "after closed ones",
            filled(&format!("a: [{}]\nb: ", "[],".repeat(900)), "[", ""),
            "neste",
        ),
        ("blocks in blocks", filled("build:\n", "- ", "x"), "nested too deeply"),
        ("keys in keys", filled("", "? ", "x"), "nested too deeply"),
        ("brackets in a string", filled("build: \"", "[", "\""), "is valid"),
        ("braces in a command", filled("build: |\n  echo ", "${X} ", ""), "is valid"),
        ("aliases of aliases", aliases, "2000 values"),
        ("directives", directives + "---\nbuild: x\n", "16 YAML directives"),
        (
            "long commands",
            filled("build:\n", &format!("  - \"{}\"\n", "x".repeat(130)), ""),
            "valid",
        ),
        ("wrong placeholders", filled("build: \"", "<%= zz %>", "\""), "unknown placeholder"),
        ("expressions", filled("build: \"", "<%= 1+1 %>", "\""), "1000 placeholders"),
    ]
}

#[test]
fn a_config_is_read_or_refused_in_time_whatever_it_contains() {
    for (what, config, expected) in configs() {
        let repo = TestRepo::new();
        repo.commit_config(&config);
        let said = ended(what, repo.path(), &["check"]);
        assert!(matches!(said.code, Some(0 | 1)), "{what}: {:?}\n{:.300}", said.code, said.err);
        assert!(said.out.contains(expected), "{what}: {:.300}", said.out);
        if said.code == Some(1) {
            assert!(said.out.starts_with(".tinyci.yml:"), "{what} has a place: {:.300}", said.out);
        }
    }
}

#[test]
fn a_run_judges_a_config_that_is_too_deep_and_ends() {
    let repo = TestRepo::new();
    let commit = repo.commit_config(&filled("build: ", "[", ""));
    repo.git(&["config", "tinyci.jobTimeout", "2s"]);
    ended("a plan", repo.path(), &["plan"]).with_code(0);
    let said = ended("a plan of steps", repo.path(), &["plan", "main"]).with_code(4);
    assert!(said.err.contains("nested too deeply"), "{}", said.err);
    let said = ended("a run", repo.path(), &["run", "--all"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert_eq!(repo.verdict(&commit).as_deref(), Some("failure"));
}

/// Bodies of a step that end only because of a limit.
#[cfg(feature = "rhai")]
const BODIES: [&str; 14] = [
    "loop { }",
    "for i in 0..9223372036854775807 { }",
    "fn_twice(60);",
    "let s = \"x\"; loop { s += s; }",
    "let s = LONG; loop { s.replace(\"x\", s); }",
    "let s = LONG; loop { s.split(\"x\"); }",
    "let s = LONG; loop { s.to_upper(); }",
    "let s = LONG; loop { s.contains(\"xxxxxxxxxxxxxxxxy\"); }",
    "let s = LONG; loop { matches(s, \"*x*x*x*x*x*x*x*x*x*y\"); }",
    "let s = \"\"; s.pad(2, \"\"); loop { let s = \"\"; s.pad(16000000, \"xy\"); }",
    "let a = []; a.pad(90000, LONG.sub_string(0, 100)); join(a, LONG);",
    "loop { try { loop { } } catch { } }",
    "let a = []; for i in 0..90000 { a.push(90000 - i); } loop { a.sort(); }",
    "loop { try { parse_json(\"[\" + LONG) } catch { } }",
];

#[cfg(feature = "rhai")]
#[test]
fn a_script_ends_with_the_limit_of_its_job() {
    for body in BODIES {
        let repo = TestRepo::new();
        let long = "let LONG = \"x\"; while LONG.len() < 8000000 { LONG += LONG; }";
        let twice = "fn fn_twice(n) { fn_twice(n - 1); fn_twice(n - 1); }";
        let script = format!("{twice}\nfn build(ctx) {{ {long} {body} }}\n");
        repo.write(".tinyci.rhai", script);
        let commit = repo.commit("a script");
        repo.git(&["config", "tinyci.jobTimeout", "2s"]);
        let said = ended(body, repo.path(), &["run", "--all"]);
        assert_eq!(said.code, Some(1), "{body}: {}{}", said.out, said.err);
        let verdict = repo.verdict(&commit);
        assert!(verdict.is_some_and(|it| it != "success"), "{body}: {}", said.out);
    }
}

/// Creates a commit with few objects but a huge number of files, because its tree contains the same
/// trees many times. Returns its id.
fn tree_without_end(repo: &TestRepo) -> String {
    repo.write(".tinyci.yml", "build: 'true'\n");
    let config = repo.git(&["hash-object", "-w", ".tinyci.yml"]);
    let make = |kind: &str, mode: &str, id: &str| {
        let lines: String =
            (0..64).map(|number| format!("{mode} {kind} {id}\tn{number}\n")).collect();
        let list = repo.outside().join("list");
        fs::write(&list, lines).unwrap();
        let mut command = repo.command();
        let output = command.arg("mktree").stdin(fs::File::open(&list).unwrap()).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let mut tree = make("blob", "100644", &config);
    for _ in 0..6 {
        tree = make("tree", "040000", &tree);
    }
    let list = repo.outside().join("list");
    fs::write(&list, format!("100644 blob {config}\t.tinyci.yml\n040000 tree {tree}\tz\n"))
        .unwrap();
    let mut command = repo.command();
    let output = command.arg("mktree").stdin(fs::File::open(&list).unwrap()).output().unwrap();
    let root = String::from_utf8(output.stdout).unwrap();
    let commit = repo.git(&["commit-tree", "-m", "a tree", root.trim()]);
    repo.git(&["update-ref", "refs/heads/main", &commit]);
    commit
}

#[test]
fn an_export_ends_with_the_limit_of_its_job() {
    let repo = TestRepo::new();
    let commit = tree_without_end(&repo);
    repo.git(&["config", "tinyci.jobTimeout", "2s"]);
    let said = ended("an export", repo.path(), &["run", "--all"]);
    assert_eq!(said.code, Some(1), "{}{}", said.out, said.err);
    let reason = "took longer than the time limit of the job";
    assert!(said.out.contains(reason), "{}", said.out);
    assert_eq!(repo.verdict(&commit).as_deref(), Some("failure"));
    let builds = fs::read_dir(repo.path().join("builds")).unwrap().flatten();
    let builds: Vec<_> = builds.filter(|it| it.path().is_dir()).collect();
    for build in builds {
        assert!(!build.path().join("export").exists(), "what was written is gone");
    }
}

/// Starts the program with these arguments.
fn started(repo: &TestRepo, args: &[&str]) -> Child {
    let mut command = tinyci(repo.path());
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

#[test]
fn a_signal_ends_an_export() {
    for (args, place) in
        [(["run", "--all"].as_slice(), "builds"), (&["export", "main", "../export"], "../export/z")]
    {
        let repo = TestRepo::new();
        tree_without_end(&repo);
        let child = started(&repo, args);
        let place = repo.path().join(place);
        eventually("the export", || is_being_filled(&place));
        let begun = Instant::now();
        signal(&child, Signal::TERM);
        let said = Said::of(&child.wait_with_output().unwrap()).with_code(130);
        assert!(begun.elapsed() < LIMIT, "{args:?}: {}", said.err);
    }
}

/// Returns true if an export writes files below this directory. `z` is the huge tree.
fn is_being_filled(place: &Path) -> bool {
    let entries = fs::read_dir(place).into_iter().flatten().flatten();
    let name = place.file_name().unwrap_or_default();
    name == "z" && place.exists() || entries.into_iter().any(|it| is_filled_build(&it.path()))
}

fn is_filled_build(build: &Path) -> bool {
    let exports = fs::read_dir(build).into_iter().flatten().flatten();
    exports.into_iter().any(|it| it.path().join("z").exists())
}

#[test]
fn two_signals_end_a_process_whose_call_does_not_return() {
    let repo = TestRepo::new();
    // Every process that reads the packed refs from now on blocks, also libgit2 before it writes
    // the verdict.
    repo.commit_config("build: rm -f \"$TINYCI_REPO/.git/packed-refs\"; mkfifo \"$TINYCI_REPO/.git/packed-refs\"; touch \"$TINYCI_REPO/../made\"\n");
    let mut child = started(&repo, &["run", "--all"]);
    eventually("the command", || repo.outside().join("made").exists());
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begun.elapsed() < PATIENCE, "two signals do not end it");
        signal(&child, Signal::TERM);
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
