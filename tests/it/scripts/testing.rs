//! Tests of pipelines: `.tinyci.test.rhai` beside the script.

use tinyci::{
    Engine, ErrorKind, Format, Value,
    callback::{Effect, FunctionCall},
    check::{Checker, DefinitionsFormat},
    script::{Coverage, TestOptions, TestReport, TestResult},
};

use crate::support::TestRepo;

const SCRIPT: &str = r#"import "ci/go" as golang;
const SECRETS = ["TOKEN"];
fn before_build(ctx) {
    if !ctx.changed(["**", "!docs/**"]) { skip("docs only"); }
}
fn build(ctx) {
    parallel(["api", "web"], |name| golang::build(ctx, name));
}
fn test(ctx) {
    defer(|| {
        sh("docker-compose down");
    });
    sh("make test", #{ retries: 1 });
    remember("image", `app:${ctx.short}`);
}
fn after_test_failure(ctx) {
    warn(`${ctx.failure.command} (${ctx.failure.code}) at ${ctx.failure.at}: ${ctx.failure.tail}`);
}
fn deploy(ctx) {
    if ctx.branch != "main" {
        skip("only main is deployed");
    }
    approve(`Deploy ${ctx.short} to ${ctx.environment}?`);
    sh(["docker", "login", "-u", "ci"], #{ input: secret("TOKEN") });
    sh(["docker", "tag", recall("image"), "app:production"]);
    retry(3, || sh("docker push app:production"), #{ backoff: "1m" });
    print(capture("git describe"));
}
"#;

const MODULE: &str = r#"fn build(ctx, name) {
    if !ctx.changed(`services/${name}/**`) {
        return;
    }
    if ctx.machine.has("git") { sh(["go", "build", name]); }
    else {
        sh("never");

        sh("ever");
    }
}
fn unused() { 42 }
"#;

/// A repository that holds the script, its module and these tests.
fn repository(tests: &str) -> TestRepo {
    let repo = TestRepo::new();
    repo.write("ci/go.rhai", MODULE);
    repo.write(".tinyci.rhai", SCRIPT);
    repo.write(".tinyci.test.rhai", tests);
    repo.commit("with tests");
    repo
}

fn run(tests: &str) -> TestReport {
    let repo = repository(tests);
    Engine::open(repo.path()).unwrap().test_pipeline(&TestOptions::revision("HEAD")).unwrap()
}

#[track_caller]
fn passes(body: &str) {
    let report = run(&format!("fn test_it(t) {{\n{body}\n}}\n"));
    let failures: Vec<_> = report.tests.iter().filter_map(|it| it.failure.as_ref()).collect();
    assert!(report.passed(), "{}", failures[0].report());
    assert_eq!(report.tests.len(), 1);
}

#[test]
fn a_reason_that_a_test_sees_holds_no_secret() {
    let repo = repository(
        "fn test_it(t) { let r = t.build(#{ secrets: #{ TOKEN: \"hunter2222\" } }); \
         t.expect(r.reason.contains(\"it is ***\")); t.expect(!r.reason.contains(\"hunter\")); }",
    );
    repo.write(
        ".tinyci.rhai",
        "const SECRETS = [\"TOKEN\"];\nfn build() { sh(\"a\", #{ env: #{ T: secret(\"TOKEN\") } }); \
         throw `it is ${secret(\"TOKEN\")} and hunter2222`; }",
    );
    repo.commit("a script that gives its secret away");
    let engine = Engine::open(repo.path()).unwrap();
    let report = engine.test_pipeline(&TestOptions::revision("HEAD")).unwrap();
    assert!(report.passed(), "{:?}", report.tests[0].failure);
}

/// The report of a test that fails.
#[track_caller]
fn fails(body: &str) -> String {
    let report = run(&format!("fn test_it(t) {{\n{body}\n}}\n"));
    assert!(!report.passed());
    report.tests[0].failure.as_ref().unwrap().report()
}

#[test]
fn phases_are_called_with_made_up_commits_and_commands() {
    passes(
        r#"t.fake("docker push*", [1, #{ code: 7, stderr: "denied" }, 0]);
        t.fake("git describe", "v1.2\n");
        let r = t.deploy(#{ approved: true, remembered: #{ image: "app:1" } });
        t.expect(r.ok);
        t.expect_outcome(r, "success");
        t.expect_ran(r, "docker push *", 3);
        t.expect_not_ran(r, "docker build*");
        t.expect_equal(r.output[-1], "v1.2");
        t.expect_commands(r, ["docker login -u ci", "docker tag app:1 *", "docker push *",
            "docker push *", "docker push *", "git describe"]);
        t.expect(r.actions.contains("approve(\"Deploy 1234567 to production?\")"));"#,
    );
    passes(
        "t.expect_outcome(t.deploy(), \"awaiting_approval\");
         let r = t.deploy(#{ branch: \"topic\" });
         t.expect_outcome(r, \"skipped\");
         t.expect_equal(r.reason, \"only main is deployed\");
         t.expect_commands(r, []);",
    );
    passes(
        "let r = t.build(#{ changes: [\"services/web/x\"] });
         t.expect_commands(r, [\"go build web\"]);
         t.expect_equal(t.build().commands, [\"go build api\", \"go build web\"]);
         t.expect_commands(t.build(#{ programs: [] }), [\"never\", \"ever\", \"never\", \"ever\"]);",
    );
}

#[test]
fn functions_of_the_host_give_what_a_test_says() {
    let test = |body: &str| {
        let repo = TestRepo::new();
        repo.write(
            ".tinyci.rhai",
            "fn build() { let id = chat::post(\"begun\"); sh(`notify ${id} ${stage()}`); }\n",
        );
        repo.write(".tinyci.test.rhai", format!("fn test_it(t) {{ {body} }}\n"));
        repo.commit("with tests");
        let give = |value: &'static str| move |_: &FunctionCall<'_>| Ok(Value::from(value));
        let engine = Engine::builder(repo.path())
            .function("chat::post", 1..=1, Effect::External, "Posts.", give("sent"))
            .function("stage", 0..=0, Effect::Pure, "Which stage.", give("live"))
            .open()
            .unwrap();
        let report = engine.test_pipeline(&TestOptions::revision("HEAD")).unwrap();
        report.tests[0].failure.as_ref().map(tinyci::Error::report)
    };
    let ran = "t.expect_commands(t.build(), [\"notify 7 test\"]);";
    let both = "t.fake_call(\"chat::post\", 7); t.fake_call(\"stage\", \"test\");";
    assert_eq!(test(&format!("{both} {ran}")), None);
    assert_eq!(test("t.expect_commands(t.build(), [\"notify  live\"]);"), None);
    let unused = test("t.fake_call(\"stage\", 1);").unwrap();
    assert!(unused.starts_with("nothing called `stage`"), "{unused}");
    let unknown = test("t.fake_call(\"chat::pots\", 1);").unwrap();
    assert!(unknown.contains("no function `chat::pots`; did you mean `chat::post`?"), "{unknown}");
}

#[test]
fn a_run_takes_the_steps_that_a_run_takes() {
    passes(
        r#"let r = t.run(#{ changes: ["docs/a"] });
        t.expect_outcome(r, "skipped");
        t.expect_equal(r.reason, "docs only");
        t.expect_commands(r, []);"#,
    );
    passes(
        r#"t.fake("make test", #{ code: 2, stdout: "1 failed" });
        let r = t.run();
        t.expect_outcome(r, "failure");
        t.expect_equal(r.warnings, ["make test (2) at test: 1 failed"]);
        t.expect_equal(r.step("test").count("make test"), 2);
        t.expect_equal(r.step("build").outcome, "success");
        t.expect_equal(r.remembered, #{});"#,
    );
    // What one phase remembers is there for the next.
    passes(
        r#"t.fake("git describe", "v1");
        t.expect_equal(t.run(#{ commit: "feedfacefeed" }).remembered, #{ image: "app:feedfac" });
        t.expect_ran(t.deploy(#{ approved: true }), "docker tag app:feedfac app:production");"#,
    );
    passes(
        r#"t.fake("make test", #{ timed_out: true });
        t.expect_outcome(t.test(), "timed_out");"#,
    );
}

#[test]
fn nothing_waits_and_limits_of_time_pass() {
    let repo = TestRepo::new();
    let script = "const TIMEOUT = \"1h\";\n\
                  fn build(ctx) { timeout(\"1m\", || sleep(\"2m\")); }\n\
                  fn test(ctx) { while !try_sh(\"ready\").ok { sleep(\"10m\"); } }\n\
                  fn after_test(ctx) { parallel([1, 2, 3], |minutes| sleep(20 * 60)); }\n\
                  fn after_all(ctx) {\n    \
                  try { with(#{ timeout: \"1m\" }, || retry(3, || sh(\"false\"), #{ backoff: \"1m\" })); }\n    \
                  catch (e) { print(`${e.timed_out}`); }\n}\n";
    let tests = "fn test_it(t) {\n    t.fake(\"ready\", 1);\n    t.fake(\"false\", 1);\n    \
                 t.expect_outcome(t.build(), \"timed_out\");\n    \
                 t.expect_outcome(t.test(), \"timed_out\");\n    \
                 t.expect_equal(t.test().count(\"ready\"), 6);\n    \
                 t.expect_outcome(t.after_test(), \"success\");\n    \
                 t.expect_equal(t.after_all().output[1], \"true\");\n}\n";
    repo.write(".tinyci.rhai", script);
    repo.write(".tinyci.test.rhai", tests);
    repo.commit("a script that waits");
    let engine = Engine::open(repo.path()).unwrap();
    let report = engine.test_pipeline(&TestOptions::revision("HEAD")).unwrap();
    assert!(report.passed(), "{:?}", report.tests[0].failure);
}

#[test]
fn a_failure_shows_where_and_what_ran() {
    let report = run("fn deploys(t, r) {\n    t.expect(r.ok, \"deploys\");\n}\n\
                      fn test_it(t) {\n    t.fake(\"docker tag*\", 1);\n    \
                      deploys(t, t.deploy(#{ approved: true, remembered: #{ image: \"a\" } }));\n}\n");
    let error = report.tests[0].failure.as_ref().unwrap();
    let expected = "\
deploys
  --> .tinyci.test.rhai:2:7 in deploys
   |
 2 |     t.expect(r.ok, \"deploys\");
   |       ^
   = `deploy` ended as failure: command exited with status 1: docker tag a app:production (.tinyci.rhai:25:5)
   = ran: docker login -u ci
   = ran: docker tag a app:production
   = called from .tinyci.test.rhai:6:5 in test_it";
    assert_eq!(error.report(), expected);
    assert_eq!((error.kind(), error.position().unwrap().line), (ErrorKind::Script, 2));

    let text =
        fails("let r = t.build();\nt.expect_commands(r, [\"go build api\", \"go build wbe\"]);");
    let notes: Vec<&str> = text.lines().filter_map(|it| it.strip_prefix("   = ")).collect();
    assert_eq!(notes, ["  go build api", "- go build wbe", "+ go build web"], "{text}");
    let text = fails("t.expect_equal(t.build().commands.len(), 3);");
    assert!(text.contains("= expected: 3\n   = actual:   2"), "{text}");
}

#[test]
fn slips_are_told_with_what_was_probably_meant() {
    let cases = [
        ("t.bulid();", "`t` has no `bulid`; did you mean `build`?"),
        ("t.build(#{ brnach: \"x\" });", "a commit has no `brnach`; did you mean `branch`?"),
        ("t.build().outcom", "a result has no property `outcom`; did you mean `outcome`?"),
        (
            "t.expect_outcome(t.build(), \"faliure\");",
            "no outcome `faliure`; did you mean `failure`?",
        ),
        (
            "t.fake(\"x\", #{ exitcode: 1 });",
            "no `exitcode` (there are code, stdout, stderr, timed_out)",
        ),
        (
            "t.expect_ran(t.test(), \"mkae test*\");",
            "no command matches `mkae test*`; did you mean `make test`?",
        ),
        (
            "t.fake(\"mkae test\", 1); t.test();",
            "no command matched `mkae test`; did you mean `make test`?",
        ),
        ("t.after_all();", "the pipeline has no `after_all` (it has before_build, build, test, "),
        ("t.expect(t.build());", "`expect` takes a bool, not an object"),
        ("sh(\"rm -rf /\");", "`sh` is for pipelines and cannot be called in a test"),
        ("t.run().step(\"bulid\");", "the step `bulid` did not run; did you mean `build`?"),
    ];
    for (body, expected) in cases {
        let text = fails(body);
        assert!(text.contains(expected), "{body}: {text}");
        assert!(text.contains("--> .tinyci.test.rhai:2:"), "{body}: {text}");
    }
}

#[test]
fn nothing_passes_by_accident() {
    let unsaid = fails("t.deploy(#{ approved: true, remembered: #{ image: \"a\" } });");
    assert!(unsaid.contains("`t.fake(\"git describe\", \"its output\")`"), "{unsaid}");
    let more = fails("t.fake(\"make test\", [1]);\nt.test();");
    assert!(more.contains("the test gives 1 results for `make test`"), "{more}");
    let fewer = fails("t.fake(\"make test\", [1, 1, 1]);\nt.test();");
    assert!(fewer.starts_with("of 3 results for `make test`, only 2 were used"), "{fewer}");
    let caught = fails("try { t.expect(false); } catch { }");
    assert!(caught.starts_with("expected this to be true\n"), "{caught}");
    assert!(fails("loop { }").contains("endless loop"));
    assert!(fails("fail(\"no\");").contains("`fail` is for pipelines"));
    assert!(fails("throw \"no\";").starts_with("no\n"));
}

#[test]
fn the_same_on_every_machine() {
    let repo = TestRepo::new();
    repo.write(
        ".tinyci.rhai",
        "fn build(ctx) {\n    print(env(\"PATH\", \"no path\"));\n    print(env(\"TINYCI_BRANCH\"));\n    \
         print(env(\"DEPTH\", \"\"));\n    sh(`touch ${ctx.repo}/made <%= short %>`);\n    chat::post(\"hi\");\n    \
         if ctx.previous == \"failure\" { warn(`again ${ctx.base}`); }\n}\n",
    );
    repo.write(
        ".tinyci.test.rhai",
        "fn test_it(t) {\n    let r = t.build(#{ branch: \"b\", env: #{ DEPTH: \"1\" }, previous: \"failure\", base: \"c0ffee\" });\n    \
         t.expect_equal(r.output, [\"no path\", \"b\", \"1\"]);\n    \
         t.expect_equal(r.commands, [\"touch /repository/made 1234567\"]);\n    \
         t.expect(r.actions.contains(\"chat::post(\\\"hi\\\")\"));\n    \
         t.expect_equal(r.warnings, [\"again c0ffee\"]);\n}\n",
    );
    repo.commit("script");
    let post = |_: &FunctionCall<'_>| -> Result<Value, _> { Err("a test must not call it".into()) };
    let builder = Engine::builder(repo.path());
    let engine = builder.function("chat::post", 1..=1, Effect::External, "", post).open().unwrap();
    let report = engine.test_pipeline(&TestOptions::revision("HEAD")).unwrap();
    assert!(report.passed(), "{:?}", report.tests[0].failure.as_ref().map(|it| it.report()));
}

fn missed(coverage: &Coverage) -> Vec<(String, usize, usize)> {
    let files = coverage.files.iter();
    let ranges =
        files.flat_map(|it| it.uncovered.iter().map(|r| (it.file.clone(), r.first, r.last)));
    ranges.collect()
}

#[test]
fn coverage_is_of_tests_and_plan_together_modules_included() {
    let tests = "fn test_a(t) {\n    t.expect_outcome(t.deploy(), \"awaiting_approval\");\n}\n\
                 fn test_b(t) {\n    t.fake(\"make test\", 1);\n    t.run(#{ changes: [\"x\"] });\n}\n";
    let repo = repository(tests);
    let engine = Engine::open(repo.path()).unwrap();
    let options = TestOptions::revision("HEAD").coverage(true);
    let coverage = engine.test_pipeline(&options).unwrap().coverage.unwrap();
    let [script, module] = &coverage.files[..] else { panic!("{coverage:?}") };
    let main = ".tinyci.rhai".to_owned();
    let go = "ci/go.rhai".to_owned();
    // `remember` in `test` and the rest of `build` in the module only the plan enters.
    let expected = [(main.clone(), 21, 21), (main, 24, 27), (go.clone(), 7, 9), (go, 12, 12)];
    assert_eq!(missed(&coverage), expected, "{coverage:#?}");
    assert_eq!((script.lines - script.covered, module.lines - module.covered), (5, 3));
    assert_eq!(script.uncovered[0].source, "        skip(\"only main is deployed\");");
    assert_eq!(module.uncovered[0].source, "        sh(\"never\");\n\n        sh(\"ever\");");

    // Without the plan's commit there is only what the tests enter.
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in [(".tinyci.rhai", SCRIPT), (".tinyci.test.rhai", tests)] {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    std::fs::create_dir(folder.path().join("ci")).unwrap();
    std::fs::write(folder.path().join("ci/go.rhai"), MODULE).unwrap();
    let empty = TestRepo::new();
    let engine = Engine::open(empty.path()).unwrap();
    let options = TestOptions::directory(folder.path()).coverage(true);
    let coverage = engine.test_pipeline(&options).unwrap().coverage.unwrap();
    let places = missed(&coverage);
    assert!(places.contains(&(".tinyci.rhai".to_owned(), 14, 14)), "{places:?}");
}

#[test]
fn the_files_are_those_of_the_commit_or_of_the_folder() {
    let repo = repository("fn test_a(t) { t.expect(t.test().ok); }\n");
    repo.write(".tinyci.test.rhai", "fn test_edited(t) { t.expect(false); }\n");
    let engine = Engine::open(repo.path()).unwrap();
    let names = |options: &TestOptions| -> Vec<String> {
        let report = engine.test_pipeline(options).unwrap();
        report.tests.iter().map(|it: &TestResult| it.name.clone()).collect()
    };
    assert_eq!(names(&TestOptions::revision("HEAD")), ["test_a"]);
    assert_eq!(names(&TestOptions::directory(repo.path())), ["test_edited"]);
    assert_eq!(names(&TestOptions::directory(repo.path()).filter("edi")), ["test_edited"]);
    let kind = |options: &TestOptions| {
        let error = engine.test_pipeline(options).unwrap_err();
        (error.kind(), error.report())
    };
    let (none, text) = kind(&TestOptions::directory(repo.path()).filter("test_edted"));
    assert_eq!(none, ErrorKind::NotFound);
    assert!(text.contains("; did you mean `test_edited`? (there are test_edited)"), "{text}");
    repo.git(&["rm", "-q", "--cached", ".tinyci.test.rhai"]);
    repo.git(&["commit", "-q", "-m", "none"]);
    assert_eq!(kind(&TestOptions::revision("HEAD")).0, ErrorKind::NotFound);
    repo.write(".tinyci.test.rhai", "fn test_two(a, b) { }\n");
    let (kind_of_it, text) = kind(&TestOptions::directory(repo.path()));
    assert_eq!(kind_of_it, ErrorKind::Script);
    assert!(text.contains("a test takes one parameter; write `fn test_two(t)`"), "{text}");
    std::fs::remove_file(repo.path().join(".tinyci.rhai")).unwrap();
    repo.write(".tinyci.yml", "build: make\n");
    let (unsupported, text) = kind(&TestOptions::directory(repo.path()));
    assert_eq!(unsupported, ErrorKind::Unsupported);
    assert!(text.contains("tinyci convert"), "{text}");
}

/// The tests of an example are an example too.
#[test]
fn the_example_is_covered_by_its_tests() {
    let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let repo = TestRepo::new();
    for (from, to) in [("rhai", ".tinyci.rhai"), ("test.rhai", ".tinyci.test.rhai")] {
        let text = std::fs::read(examples.join(format!("docker-compose.{from}"))).unwrap();
        repo.write(to, text);
    }
    repo.commit("example");
    let engine = Engine::open(repo.path()).unwrap();
    let report = engine.test_pipeline(&TestOptions::revision("HEAD").coverage(true)).unwrap();
    let failed = report.tests.iter().find_map(|test| test.failure.as_ref());
    assert!(failed.is_none(), "{}", failed.unwrap().report());
    assert_eq!((report.tests.len(), report.coverage.unwrap().files[0].percent()), (4, 100));
}

#[cfg(feature = "cli")]
#[test]
fn the_program_shows_it() {
    use crate::support::program::run;
    let repo = repository(
        "fn test_good(t) { t.expect(t.test().ok); }\nfn test_bad(t) { t.expect(false); }\n",
    );
    let said = run(&repo, &["test-pipeline", "good"]).with_code(0);
    assert_eq!(said.out, "test_good ... ok\n1 passed, 0 failed, 1 filtered out\n");
    let said = run(&repo, &["test-pipeline"]).with_code(1);
    let expected = "test_good ... ok\ntest_bad ... failed\n\nexpected this to be true\n  --> \
                    .tinyci.test.rhai:2:20 in test_bad\n   |\n 2 | fn test_bad(t) { \
                    t.expect(false); }\n   |                    ^\n\n1 passed, 1 failed\n";
    assert_eq!(said.out, expected);
    let said =
        run(&repo, &["test-pipeline", "--commit", "HEAD", "good", "--coverage"]).with_code(0);
    let expected = "\nci/go.rhai: 33 % of lines covered (2 of 6)\n  3 |         return;\n    ⋮\n  \
                    7 |         sh(\"never\");\n  8 | \n  9 |         sh(\"ever\");\n    ⋮\n \
                    12 | fn unused() { 42 }\n";
    assert!(said.out.ends_with(expected), "{}", said.out);
    let said = run(&repo, &["test-pipeline", "--json", "--coverage"]).with_code(1);
    let json: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(json["passed"], false);
    assert_eq!(json["tests"][1]["failure"]["line"], 2);
    assert_eq!(json["tests"][1]["failure"]["column"], 20);
    assert_eq!(json["coverage"]["files"][1]["file"], "ci/go.rhai");
    assert_eq!(json["coverage"]["files"][1]["uncovered"][1]["first"], 7);
    run(&repo, &["test-pipeline", "nothing-like-it"]).with_code(2);
    run(&repo, &["test-pipeline", "--commit", "nowhere"]).with_code(2);
    repo.write(".tinyci.test.rhai", "fn test_bad(t) { t.expect(fal; }\n");
    let said = run(&repo, &["test-pipeline"]).with_code(1);
    assert!(said.err.contains("--> .tinyci.test.rhai:1:"), "{}", said.err);
}

#[test]
fn a_checker_tests_a_script_without_a_repository() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join(".tinyci.rhai"), "fn build() { sh(today()); }\n").unwrap();
    let tests =
        "fn test_build(t) { t.expect(t.build().ok); }\nfn test_other(t) { t.expect(false); }\n";
    std::fs::write(dir.path().join(".tinyci.test.rhai"), tests).unwrap();
    let today = |_: &FunctionCall<'_>| Ok(Value::from("date"));
    let checker = Checker::new(dir.path()).function("today", 0..=0, Effect::Pure, "", today);
    let report = checker.test(&["build"]).unwrap();
    assert_eq!((report.tests.len(), report.filtered_out, report.passed()), (1, 1, true));
    assert!(report.coverage.is_none());
    assert!(!checker.test(&[]).unwrap().passed());
    assert_eq!(checker.test(&["nothing"]).unwrap_err().kind(), ErrorKind::NotFound);
    let unknown = Checker::new(dir.path()).test(&["build"]).unwrap();
    assert!(!unknown.passed(), "`today` is registered with the other checker only");
}

/// Whatever a checker is asked, it reports what was registered wrongly.
#[test]
fn a_checker_reports_the_first_mistake_made_in_it() {
    let none = |_: &FunctionCall<'_>| Ok(Value::from(()));
    let checker = Checker::new(".").function("No Name", 0..=0, Effect::Pure, "", none).env("=", "");
    let mistakes = [
        checker.parse("build: make\n", Format::Yaml, "x").unwrap_err(),
        checker.check("build: make\n", Format::Yaml, "x").unwrap_err(),
        checker.definitions(DefinitionsFormat::Json).unwrap_err(),
        checker.test(&[]).unwrap_err(),
    ];
    for mistake in mistakes {
        assert_eq!(mistake.kind(), ErrorKind::InvalidArg);
        assert!(mistake.message().contains("`No Name`"), "{mistake}");
    }
}
