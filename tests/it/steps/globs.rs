//! Globs: what they match in a real run, a plan and a pipeline test, and that what can never match
//! is refused wherever something is narrowed by one.

use tinyci::{CancelToken, Engine, Outcome, Record, Selection, check::Severity, error::Position};

use crate::support::TestRepo;

/// Runs HEAD and returns what is on record.
fn run_head(repo: &TestRepo) -> Record {
    let engine = Engine::open(repo.path()).unwrap();
    let selection = Selection::revision("HEAD");
    let summary = engine.run(&selection, &CancelToken::new(), &mut |_: &_| {}).unwrap();
    summary.records.into_iter().next().unwrap()
}

/// Why a job failed: its config, or its step.
fn failure(record: &Record) -> String {
    let of_steps = record.steps.iter().filter_map(|step| step.error.clone());
    record.reason.clone().into_iter().chain(of_steps).collect()
}

/// Each place of a config that takes globs, with `@` for one, and the line and column of that.
const YAML_PLACES: [(&str, &str, (usize, usize)); 13] = [
    ("branch", "when: {branch: '@'}\nbuild: a\n", (1, 16)),
    ("tag", "when: {tag: [v*, '@']}\nbuild: a\n", (1, 18)),
    ("message", "when:\n  message: '@'\nbuild: a\n", (2, 12)),
    ("branch", "build:\n  run: a\n  when:\n    branch: [main, '@']\n", (4, 20)),
    ("branch", "build: {run: a, when: {branch: ['*', '!@']}}\n", (1, 38)),
    ("tag", "test: {run: a, when: {tag: '@'}}\n", (1, 28)),
    ("message", "test: {run: a, when: {message: '@'}}\n", (1, 32)),
    ("path", "test: {run: a, when: {changed: '@'}}\n", (1, 32)),
    ("path", "test:\n  run: a\n  when:\n    changed:\n      - '**'\n      - '!@'\n", (6, 9)),
    ("path", "build: a\nhooks: {after_build: {run: b, when: {changed: ['@']}}}\n", (2, 48)),
    ("branch", "build: a\ndeploy: {run: a, branch: '@'}\n", (2, 26)),
    ("branch", "build: a\ndeploy: {run: a, when: {branch: '@'}}\n", (2, 33)),
    ("path", "build: a\ndeploy: {run: a, when: {changed: [x, '@']}}\n", (2, 38)),
];

#[cfg(feature = "rhai")]
const SCRIPT_PLACES: [(&str, &str, (usize, usize)); 14] = [
    ("branch", "const WHEN = #{ branch: \"@\" };\nfn build() { }\n", (1, 25)),
    ("branch", "const WHEN = #{\n  branch: [\"main\", \"@\"]\n};\nfn build() { }\n", (2, 20)),
    ("tag", "const WHEN = #{ tag: \"@\" };\nfn build() { }\n", (1, 22)),
    ("message", "const WHEN = #{ message: \"@\" };\nfn build() { }\n", (1, 26)),
    ("branch", "const DEPLOY = #{ branch: [\"@\"] };\nfn build() { }\nfn deploy() { }\n", (1, 28)),
    ("path", "fn build(ctx) {\n  if ctx.changed(\"@\") { sh(\":\"); }\n}\n", (2, 18)),
    ("path", "fn build(ctx) {\n  if !ctx.changed([\"**\", \"!@\"]) { return; }\n}\n", (2, 26)),
    ("path", "const SRC = [\"@\"];\nfn build(ctx) { ctx.changed(global::SRC) }\n", (1, 14)),
    ("path", "fn build(ctx) {\n  parallel([1], |x| ctx.changed(\"@\"));\n}\n", (2, 33)),
    ("tag", "fn build(ctx) {\n  print(ctx.newest_tag(\"@\"));\n}\n", (2, 24)),
    ("tag", "fn build(ctx) { sh(\":\"); let x = ctx.newest_tag([\"v*\", \"@\"]); x }\n", (1, 56)),
    ("path", "fn build() {\n  \"a\".matches(\"@\")\n}\n", (2, 15)),
    ("path", "fn build() {\n  matches(\"a\", [\"@\"])\n}\n", (2, 17)),
    ("path", "fn build(ctx) {\n  ctx.changes.filter(|it| it.matches(\"@\"))\n}\n", (2, 38)),
];

/// Globs that can never match, with what is right.
fn faults(of: &str) -> Vec<(&'static str, &'static str)> {
    match of {
        "branch" => vec![
            ("refs/heads/main", "write `main`"),
            ("origin/main", "write `main`"),
            ("refs/tags/v*", "write `v*` in `tag`"),
            ("a b", "has a space"),
            ("a..b", "has `..`"),
            ("a~1", "has one of"),
            ("v[0-9]", "support only `*`"),
        ],
        "tag" => vec![
            ("refs/tags/v*", "write `v*`"),
            ("refs/heads/main", "write `main` in `branch`"),
            ("v 1", "has a space"),
        ],
        "message" => vec![("wip ", "write `wip`")],
        _ => vec![
            ("./src/**", "write `src/**`"),
            ("../x", "write `/x`"),
            ("//a", "write `/a`"),
            ("src{a", "its `{` is not closed"),
            (".git/config", "a commit cannot contain"),
        ],
    }
}

/// Asserts that a config with such globs is refused by `check`, and by a run of its first commit, at
/// the place of the glob and with what is right.
fn assert_refused(file: &str, places: &[(&str, &str, (usize, usize))]) {
    let repo = TestRepo::new();
    for (of, config, (line, column)) in places {
        for (glob, right) in faults(of) {
            let config = config.replace('@', glob);
            repo.write(file, &config);
            repo.commit("config");
            let engine = Engine::open(repo.path()).unwrap();
            let report = engine.check("HEAD").unwrap();
            let found = report.problems.iter().find(|it| it.severity == Severity::Error).unwrap();
            assert!(found.message.contains(right), "{config}: {found:?}");
            assert_eq!(found.position, Some(Position::new(*line, *column)), "{config}: {found:?}");
            let record = run_head(&repo);
            assert_eq!(record.outcome, Outcome::Failure, "{config}");
            let reason = failure(&record);
            assert!(reason.contains(right), "{config}: {reason}");
            let planned =
                engine.dry_run("HEAD", &[]).map_or(Some(Outcome::Failure), |it| it.outcome);
            assert_eq!(planned, Some(Outcome::Failure), "{config}");
        }
    }
}

#[test]
fn what_can_never_match_is_refused_wherever_yaml_narrows() {
    assert_refused(".tinyci.yml", &YAML_PLACES);
}

#[cfg(feature = "rhai")]
#[test]
fn what_can_never_match_is_refused_wherever_a_script_narrows() {
    assert_refused(".tinyci.rhai", &SCRIPT_PLACES);
}

/// A glob that is computed is refused by its call, also where everything has changed, and alike by a
/// run, a plan and a test.
#[cfg(feature = "rhai")]
#[test]
fn a_computed_glob_that_can_never_match_fails_its_call() {
    for (call, right) in [
        ("ctx.changed(\"./\" + name)", "write `/src`"),
        ("ctx.changed([name, \"!\" + name])", "later ones exclude what earlier ones match"),
        ("ctx.changed([])", "an empty array"),
        ("ctx.newest_tag(\"refs/tags/\" + name)", "write `src`"),
        ("\"a\".matches(name + \"//\")", "write `/src/`"),
    ] {
        let repo = TestRepo::new();
        let script = format!("fn build(ctx) {{\n    let name = \"src\";\n    {call};\n}}\n");
        repo.write(".tinyci.rhai", &script);
        let test = "fn test_it(t) { t.expect_outcome(t.build(), \"failure\"); }\n";
        repo.write(".tinyci.test.rhai", test);
        repo.commit("script");
        let engine = Engine::open(repo.path()).unwrap();
        assert_eq!(engine.dry_run("HEAD", &[]).unwrap().outcome, Some(Outcome::Failure), "{call}");
        let report = engine.test_pipeline(&tinyci::script::TestOptions::revision("HEAD")).unwrap();
        assert!(report.passed(), "{call}: {report:?}");
        let record = run_head(&repo);
        let reason = failure(&record);
        assert!(reason.contains(right) && reason.contains("3:"), "{call}: {reason}");
    }
}

#[test]
fn settings_and_builders_refuse_refs_that_can_never_match() {
    let repo = TestRepo::new();
    repo.commit("x");
    for (key, value, right) in [
        ("refs", "main", "write `refs/heads/main`"),
        ("refs", "refs/heads", "write `refs/heads/*`"),
        ("refs", "refs/heads/a b", "has a space"),
        ("secretRefs", "origin/main", "write `refs/heads/main`"),
        ("secretRefs", "refs/head/main", "only branches"),
        ("approve", "prod uction", "expected the name of an environment"),
        ("approve", "a..b", "expected the name of an environment"),
    ] {
        repo.git(&["config", &format!("tinyci.{key}"), value]);
        let error = Engine::open(repo.path()).unwrap_err().to_string();
        assert!(error.contains(right), "{key} {value}: {error}");
        repo.git(&["config", "--unset", &format!("tinyci.{key}")]);
        let error = Engine::builder(repo.path()).setting(key, value).open().unwrap_err();
        assert!(error.to_string().contains(right), "{key} {value}: {error}");
    }
    let error = Engine::builder(repo.path()).refs(["main"]).open().unwrap_err().to_string();
    assert!(error.contains("write `refs/heads/main`"), "{error}");
    assert!(Engine::builder(repo.path()).refs(["refs/heads/*", "refs/pull/*"]).open().is_ok());
}

/// A submodule is a directory and a link is a file, whatever they are called, when they come, change
/// and go.
#[test]
fn globs_see_what_a_path_is() {
    let globs = ["src/", "sub/", "link/", "'caf?.txt'", "'[a-z]/\"q\"'", "link", "'*.{c,h}'"];
    let step = |glob: &str| format!("{{run: ':', when: {{changed: [{glob}]}}}}");
    let steps = globs.map(step);
    let repo = TestRepo::new();
    repo.write("a", "x");
    let base = repo.commit("base");
    // What came with each commit, and which of the globs it is for.
    let cases: [(&str, &str, &[usize]); 4] = [
        ("160000", "sub", &[1]),
        ("120000", "link", &[5]),
        ("100644", "b/\"q\"", &[4]),
        ("100644", "src/x.h", &[0, 6]),
    ];
    for (glob_index, step) in steps.iter().enumerate() {
        repo.git(&["reset", "-q", "--hard", &base]);
        repo.write(".tinyci.yml", format!("build: {step}\ntest: ':'\n"));
        repo.commit(&format!("config {glob_index}"));
        assert_eq!(run_head(&repo).outcome, Outcome::Success);
        for (mode, path, matched) in cases {
            let object =
                if mode == "160000" { base.clone() } else { repo.git(&["rev-parse", "HEAD:a"]) };
            repo.git(&["update-index", "--add", "--cacheinfo", &format!("{mode},{object},{path}")]);
            repo.git(&["commit", "-q", "-m", &format!("add {path} {glob_index}")]);
            let left_out = run_head(&repo).left_out;
            assert_eq!(left_out.is_empty(), matched.contains(&glob_index), "{step} {path}");
        }
    }
}

/// `matches` and `join`, in each way they can be called.
#[cfg(feature = "rhai")]
#[test]
fn texts_are_matched_and_joined() {
    let script = r#"fn build(ctx) {
    print(["src/a.c".matches("src/**"), matches("a/b.md", "*.md"), "a".matches(["**", "!a"])].join(","));
    print([1, "b", true, 'c'].join("-") + join([], ","));
    print(ctx.changes.filter(|path| path.matches("*.{md,txt}")).join(" "));
    print("./sub/".matches("sub/"));
    try { [()].join(","); } catch (error) { print(error); }
    try { "a".join(","); } catch (error) { print(error); }
    try { 1.matches("a"); } catch (error) { print(error); }
}
"#;
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", script);
    repo.write("docs/a.txt", "");
    repo.write("b.md", "");
    repo.commit("script");
    let engine = Engine::open(repo.path()).unwrap();
    // `check` knows what the run finds of the two literals of a wrong kind, and says so in its words.
    let told: Vec<String> =
        engine.check("HEAD").unwrap().problems.into_iter().map(|it| it.message).collect();
    assert_eq!(
        told,
        [
            "`join` takes an array as its items, not a string",
            "`matches` takes a string as its path, not an int"
        ]
    );
    let mut output = String::new();
    let mut observer = |event: &tinyci::Event| {
        if let tinyci::EventKind::Output { bytes, .. } = &event.kind {
            output.push_str(&String::from_utf8_lossy(bytes));
        }
    };
    let summary = engine.run(&Selection::revision("HEAD"), &CancelToken::new(), &mut observer);
    assert_eq!(summary.unwrap().records[0].outcome, Outcome::Success, "{output}");
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!(lines[..4], ["true,true,false", "1-b-true-c", "b.md docs/a.txt", "true"]);
    for (line, said) in lines[4..].iter().zip([
        "`join` takes an array of strings and numbers, but an element is null (`()`)",
        "`join` takes an array as its items, not a string",
        "`matches` takes a string as its path, not an int",
    ]) {
        assert!(line.contains(said), "{line}");
    }
    assert_eq!(engine.dry_run("HEAD", &[]).unwrap().outcome, Some(Outcome::Success));
}

/// A script that brought its own helpers of these names keeps them.
#[cfg(feature = "rhai")]
#[test]
fn a_script_may_have_its_own_functions_over_texts() {
    let script = r#"fn join(list, separator) { "own" }
fn matches(text, glob) { glob == "./x" }
fn build() {
    if join("a", 2) != "own" || !matches("a", "./x") { fail("not own"); }
}
"#;
    let of_this = r#"fn join(separator) { `own${this.len()}` }
fn matches(glob) { glob == "./x" }
fn build() {
    if [1].join(2) != "own1" || !"a".matches("./x") { fail("not own"); }
}
"#;
    for script in [script, of_this] {
        let repo = TestRepo::new();
        repo.write(".tinyci.rhai", script);
        repo.commit("script");
        let engine = Engine::open(repo.path()).unwrap();
        assert!(engine.check("HEAD").unwrap().problems.is_empty(), "{:?}", engine.check("HEAD"));
        let record = run_head(&repo);
        assert_eq!(record.outcome, Outcome::Success, "{}", failure(&record));
    }
}

/// Tests of a pipeline have the functions too, and say of a path with a `/` at its end that it is a
/// submodule's.
#[cfg(feature = "rhai")]
#[test]
fn tests_of_a_pipeline_read_globs_alike() {
    let repo = TestRepo::new();
    let script = "fn build(ctx) { if ctx.changed([\"sub/\", \"*.{c,h}\"]) { sh(\"make\"); } }\n";
    repo.write(".tinyci.rhai", script);
    let tests = r#"fn test_globs(t) {
    for path in ["sub/", "sub/a", "src/a.c", "a.h/b"] {
        t.expect_ran(t.build(#{ changes: [path] }), "make");
    }
    t.expect_not_ran(t.build(#{ changes: ["sub", "a.cc"] }), "make");
    t.expect_equal(["a", "b"].join("+"), "a+b");
    t.expect_equal("a/b".matches("/a"), true);
}
fn test_nothing(t) { t.expect_not_ran(t.build(#{ changes: ["a.c"] }), ""); }
"#;
    repo.write(".tinyci.test.rhai", tests);
    repo.commit("script");
    let engine = Engine::open(repo.path()).unwrap();
    let report = engine.test_pipeline(&tinyci::script::TestOptions::revision("HEAD")).unwrap();
    let failed = report.tests.iter().filter_map(|it| it.failure.as_ref());
    let failed: Vec<String> = failed.map(|it| it.report()).collect();
    assert_eq!(failed.len(), 1, "{failed:?}");
    assert!(failed[0].contains("an empty glob matches no command"), "{failed:?}");
}
