//! What the functions of scripts promise beside the plain running of commands.

use std::{
    fs::{self, Permissions},
    os::unix::fs::{PermissionsExt, symlink},
};

use tinyci::{
    CancelToken, Engine, Error, Event, EventKind, Outcome, Selection,
    script::{TestOptions, TestResult},
};

use crate::{
    scripts::run::{build_error, build_output, run, run_with, script},
    support::TestRepo,
};

/// The lines of a text that hold a word.
fn lines_with<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    text.lines().filter(|line| line.contains(word)).collect()
}

#[test]
fn what_is_quiet_shows_its_output_once_it_fails() {
    let failing = |body: &str| run(&format!("fn build(ctx) {{ {body} }}")).output;
    let shown = failing(r#"sh("echo why; echo because >&2; exit 1", #{ quiet: true });"#);
    assert_eq!(shown, "why\nbecause\n");
    let shown = failing(r#"sh(["sh", "-c", "echo why; exit 1"], #{ quiet: true, label: "x" });"#);
    assert_eq!(shown, "[x] why\n");
    let shown = failing(r#"group("g", || sh("printf why; exit 1", #{ quiet: true }));"#);
    assert_eq!(shown, "[g] why\n");
    let shown = failing(r#"sh("echo why; sleep 60", #{ quiet: true, timeout: "300ms" });"#);
    assert_eq!(shown, "why\n");
    // What `capture` keeps for the script is shown for the same reason, beside what was anyway.
    let shown = failing(r#"capture("echo to err >&2; echo to out; exit 1");"#);
    assert_eq!((lines_with(&shown, "to err").len(), lines_with(&shown, "to out").len()), (1, 1));
    let shown = failing(r#"capture("echo to err >&2; echo to out; exit 1", #{ quiet: true });"#);
    assert_eq!((lines_with(&shown, "to err").len(), lines_with(&shown, "to out").len()), (1, 1));
}

#[test]
fn what_is_quiet_and_did_not_fail_in_the_end_stays_so() {
    let output = build_output(
        r#"sh("echo one", #{ quiet: true });
        sh("echo two; exit 3", #{ quiet: true, allow: 3 });
        try_sh("echo three; exit 1", #{ quiet: true });
        capture("echo four", #{ quiet: true });
        sh("echo five; test -e tried || { touch tried; exit 1; }",
            #{ quiet: true, retries: 1, backoff: "1ms" });"#,
    );
    for word in ["one", "two", "three", "four"] {
        assert!(lines_with(&output, word).is_empty(), "{word}: {output}");
    }
    assert_eq!(lines_with(&output, "five").len(), 1, "the line of the retry names it: {output}");
}

#[test]
fn of_what_is_quiet_and_long_the_end_is_shown() {
    let body = r#"sh("seq 1 100000; exit 1", #{ quiet: true });"#;
    let output = run(&format!("fn build(ctx) {{ {body} }}")).output;
    assert!(output.starts_with("… (523359 earlier bytes are not shown)\n"), "{}", &output[..80]);
    assert!(output.ends_with("\n99999\n100000\n") && output.len() < 66_000, "{}", output.len());
}

#[test]
fn a_command_that_is_tried_says_if_its_time_was_up() {
    let output = build_output(
        r#"let late = try_sh("sleep 60", #{ timeout: "50ms" });
        print(`${late.timed_out} ${late.ok} ${late.code}`);
        print(`${try_sh("exit 1").timed_out}`);"#,
    );
    assert_eq!(output, "true false \nfalse\n");
    assert!(build_error(r#"try_sh("true").timedout"#).contains("timedout"));
    let output = build_output(r#"print(try_sh("true")); print(`${try_sh("exit 2")}`);"#);
    assert_eq!(output, "the command passed\nthe command failed with status 2\n");
}

#[test]
fn every_error_has_the_same_properties() {
    let output = build_output(
        r#"for fails in [|| sh("exit 3"), || read("nope"), || parallel([1], |x| sh("exit 3"))] {
            try { fails.call(); } catch (e) {
                print(`${e.label} ${e.code} ${e.place != ()} ${e.failures.len()} ${e.timed_out}`);
            }
        }"#,
    );
    assert_eq!(output, " 3 false 1 false\n  false 1 false\n1 3 true 1 false\n");
    let error = build_error("retry(1, |x| x);");
    assert!(error.starts_with("the closure takes 1 argument, not 0"), "{error}");
    for (code, said) in [("256", "`256`"), ("[1, -1]", "`-1`")] {
        let error = build_error(&format!("sh(\"true\", #{{ allow: {code} }});"));
        assert!(error.starts_with(&format!("{said} is not an exit code")), "{error}");
    }
}

/// A commit with files of every kind, whose script has this as its build.
fn with_files(body: &str) -> TestRepo {
    let repo = TestRepo::new();
    repo.write("VERSION", "1.2\n");
    repo.write("src/main.rs", "fn main() {}");
    repo.write("latin1", b"caf\xe9");
    repo.write("large", vec![b'x'; (1 << 20) + 1]);
    let link = |target: &str, name: &str| symlink(target, repo.path().join(name)).unwrap();
    link("VERSION", "link");
    link("src", "folder-link");
    link("nowhere", "dangling");
    link("../outside", "out");
    link("/etc", "absolute");
    let other = TestRepo::new();
    other.write("a", "a");
    let id = other.commit("other");
    repo.write(".tinyci.rhai", format!("fn build(ctx) {{\n{body}\n}}"));
    repo.write("ci/m.rhai", "fn version() { read(\"VERSION\") }");
    repo.git(&["add", "--all"]);
    repo.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{id},module")]);
    repo.git(&["commit", "--quiet", "--message", "files"]);
    repo
}

#[test]
fn the_files_of_the_commit_are_seen_whatever_commands_do_to_the_export() {
    let repo = with_files(
        r#"import "ci/m" as m;
        sh("rm VERSION; echo 2 > src/main.rs; touch made");
        for path in ["VERSION", "src", "src/", "src/main.rs", "./VERSION", "link",
            "folder-link/main.rs", ".", "module", "absent", "made", "dangling", "VERSION/x", "version",
            "module/a"] {
            print(`${path} ${exists(path)}`);
        }
        print(read("VERSION") + read("folder-link/main.rs") + m::version() + read("link"));
        sh("echo <%= read(\"src/main.rs\").len %> <%= exists(\"made\") %>");"#,
    );
    let ran = run_with(&repo, |builder| builder);
    assert_eq!(ran.record.outcome, Outcome::Success, "{}", ran.error("build"));
    let expected = "VERSION true\nsrc true\nsrc/ true\nsrc/main.rs true\n./VERSION true\nlink \
                    true\nfolder-link/main.rs true\n. true\nmodule true\nabsent false\nmade false\n\
                    dangling false\nVERSION/x false\nversion false\nmodule/a false\n1.2\nfn main() \
                    {}1.2\n1.2\n\n12 false\n";
    assert_eq!(ran.output, expected);
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_what_to_do() {
    for (call, expected) in [
        (
            r#"read("absent")"#,
            "the commit has no file `absent`; to read a file that a command made",
        ),
        (r#"read("VERSION/x")"#, "the commit has no file `VERSION/x`"),
        (r#"read("src")"#, "cannot read `src`: it is a directory"),
        (r#"read("module")"#, "or submodule"),
        (r#"read("large")"#, "it is larger than 1 MiB; use a command"),
        (r#"read("latin1")"#, "it is not UTF-8"),
        (r#"read("")"#, "is outside of the commit"),
        (r#"read("../x")"#, "is outside of the commit"),
        (r#"exists("/etc/passwd")"#, "is outside of the commit"),
        (r#"exists("out")"#, "is outside of the commit"),
        (r#"exists("absolute/passwd")"#, "is outside of the commit"),
        (r#"exists("src/../../x")"#, "is outside of the commit"),
        ("exists(5)", "`exists` takes a string as its path, not an int"),
    ] {
        let ran = run_with(&with_files(&format!("{call};")), |builder| builder);
        assert_eq!(ran.record.outcome, Outcome::Failure, "{call}");
        let error = ran.error("build");
        assert!(error.contains(expected) && error.contains(".tinyci.rhai:2:1"), "{call}: {error}");
    }
    let output = build_output(r#"try { read("absent"); } catch (e) { print("caught"); }"#);
    assert_eq!(output, "caught\n");
}

#[test]
fn a_plan_knows_the_files_and_gives_them_as_its_reasons() {
    let repo = with_files(
        r#"if exists("VERSION") { sh(`make ${read("VERSION").split("\n")[0]}`); }
        if exists("made") { sh("never"); }"#,
    );
    let dry_run = Engine::open(repo.path()).unwrap().dry_run("HEAD", &[]).unwrap();
    let acts: Vec<String> = dry_run.steps[0].actions.iter().map(ToString::to_string).collect();
    assert!(acts.iter().any(|act| act.contains("make 1.2")), "{acts:?}");
    assert!(acts.iter().any(|act| act.contains(r#"exists("VERSION")"#)), "{acts:?}");
    assert!(!acts.iter().any(|act| act.contains("never")), "{acts:?}");
}

#[test]
fn a_test_of_a_pipeline_says_which_files_there_are() {
    let repo = TestRepo::new();
    repo.write(
        ".tinyci.rhai",
        r#"fn build(ctx) { if exists("src") { sh(["make", read("src/version")]); } }
        fn deploy(ctx) { sh(["put", read("src/version")]); }"#,
    );
    repo.write(
        ".tinyci.test.rhai",
        r#"fn test_with_files(t) {
            let commit = #{ files: #{ "src/version": "7" } };
            t.expect_ran(t.build(commit), "make 7");
            t.expect_ran(t.deploy(commit), "put 7");
            t.expect_commands(t.build(#{ files: #{ a: "" } }), []);
            let failed = t.deploy(#{ files: #{} });
            t.expect(failed.reason.contains("has no file `src/version`"), failed.reason);
        }
        fn test_without(t) { t.build(); }
        fn test_odd(t) { t.build(#{ files: #{ "/a": "" } }); }"#,
    );
    repo.commit("tests");
    let options = TestOptions::revision("HEAD");
    let report = Engine::open(repo.path()).unwrap().test_pipeline(&options).unwrap();
    let failure = |it: &TestResult| it.failure.as_ref().map(Error::report).unwrap_or_default();
    let failures: Vec<String> = report.tests.iter().map(failure).collect();
    assert_eq!(failures[0], "");
    assert!(
        failures[1].contains("asks for `src` of the commit, but the test does not define"),
        "{failures:?}"
    );
    assert!(failures[2].contains("`/a` is not a valid path in `files`"), "{failures:?}");
}

/// Each with what it says of itself; none of it is a word that only programmers of tinyci know.
const ERRORS: [(&str, &str); 8] = [
    (r#"sh("exit 3")"#, "command exited with status 3: exit 3"),
    (r#"sh("sleep 9", #{ timeout: "20ms" })"#, "command timed out: sleep 9"),
    (
        r#"recall("k")"#,
        "nothing was remembered as `k`; `recall(\"k\", fallback)` returns the fallback instead",
    ),
    (
        r#"sh(5)"#,
        "`sh` takes a string for the shell, or an array of a program and its arguments, as its command, not an int",
    ),
    ("1 / 0", "division by zero: 1 / 0"),
    (r#"let l = [1]; l[3]"#, "array index 3 out of bounds: only 1 element in array"),
    (r#"1.nothing(2)"#, "there is no function `nothing` for an int, an int"),
    (r#"throw "own words""#, "own words"),
];

#[test]
fn an_error_says_the_same_wherever_a_script_shows_it() {
    for (raise, said) in ERRORS {
        let repo = script(&format!(
            r#"fn build(ctx) {{
                try {{ {raise}; }} catch (e) {{
                    print(e);
                    print(`${{e}}`);
                    print("" + e);
                    print(e.to_string());
                    print([e]);
                    print(#{{ why: e }}.to_json());
                    warn(e);
                    warn([e, "more"]);
                    fail(e);
                }}
            }}"#
        ));
        let mut warnings = Vec::new();
        let engine = Engine::open(repo.path()).unwrap();
        let mut output = Vec::new();
        let mut observer = |event: &Event| match &event.kind {
            EventKind::Output { bytes, .. } => output.extend_from_slice(bytes),
            EventKind::Warning { message, .. } => warnings.push(message.clone()),
            _ => {}
        };
        let selection = Selection::revision("HEAD");
        let ran = engine.run(&selection, &CancelToken::new(), &mut observer).unwrap();
        let output = String::from_utf8(output).unwrap();
        let step = ran.records[0].steps.iter().find(|it| it.name.as_str() == "build").unwrap();
        let error = step.error.clone().unwrap_or_default();
        assert!(error.starts_with(said), "{raise}: {error}");
        let lines: Vec<&str> = output.lines().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines[..4], [said; 4], "{raise}");
        let json: serde_json::Value = serde_json::from_str(lines[5]).unwrap();
        assert_eq!(json["why"], said, "{raise}");
        assert!(warnings.iter().any(|it| it == said), "{raise}: {warnings:?}");
        let everything = format!("{output}{error}{warnings:?}");
        for word in
            ["CommandError", "ScriptError", "::", "Dynamic", "ErrorRuntime", "(line ", "i64"]
        {
            assert!(!everything.contains(word), "{raise}: {word} in {everything}");
        }
    }
}

#[test]
fn an_error_that_is_thrown_again_keeps_what_it_was_and_where() {
    for (raise, said) in
        ERRORS.iter().filter(|(_, said)| !said.contains("own words") && !said.contains("timed out"))
    {
        let body = format!("try {{\n  {raise};\n}} catch (e) {{\n\nthrow e;\n}}");
        let error = build_error(&body);
        assert!(error.starts_with(said), "{error}");
        assert!(error.contains("--> .tinyci.rhai:3:"), "{error}");
        assert!(error.contains("= thrown again at .tinyci.rhai:6:1 in build"), "{error}");
    }
    let output = build_output(
        r#"try { try { sh("echo x; exit 3"); } catch (e) { throw e; } }
        catch (e) { print(`${e.code} ${e.command} ${e.tail}${e.message} ${e.timed_out}`); }
        try { recall("k"); } catch (e) { print(`${e.code == ()} ${e.timed_out} ${e.message.contains("remembered")}`); }
        try { throw "own"; } catch (e) { print(e.message); }
        try { 1 / 0; } catch (e) { print(e.message); }"#,
    );
    let lines: Vec<&str> = output.lines().skip(1).collect();
    assert_eq!(
        lines[..2],
        ["3 echo x; exit 3 x", "command exited with status 3: echo x; exit 3 false"]
    );
    assert_eq!(lines[2..], ["true false true", "own", "division by zero: 1 / 0"]);
    // An error of a module keeps the file.
    let repo = TestRepo::new();
    repo.write("ci/m.rhai", "fn f() {\n    sh(\"exit 3\");\n}");
    repo.write(
        ".tinyci.rhai",
        "import \"ci/m\" as m;\nfn build() { try { m::f(); } catch (e) { throw e; } }",
    );
    repo.commit("module");
    let error = run_with(&repo, |builder| builder).error("build");
    assert!(error.contains("--> ci/m.rhai:2:5 in step build"), "{error}");
    // What is no error has a text as well.
    for (thrown, said) in [
        ("[1, \"a\"]", "[1, \"a\"]"),
        ("try_sh(\"true\")", "the script threw an object"),
        ("#{ a: 1 }", "#{\"a\": 1}"),
    ] {
        let error = build_error(&format!("throw {thrown};"));
        assert!(error.starts_with(said), "{error}");
    }
}

#[test]
fn what_with_says_holds_for_all_commands_in_it() {
    let output = build_output(
        r#"sh("mkdir -p a/b/c");
        let shown = || sh("echo $X $Y $(basename $PWD)");
        with(#{ env: #{ X: 1, Y: "y" }, cwd: "a" }, || {
            defer(|| sh("echo deferred $X $(basename $PWD)"));
            sh("echo $X $Y $(basename $PWD) <%= env(\"X\") %>");
            sh("echo $X $Y $(basename $PWD)", #{ env: #{ X: 2, Y: () }, cwd: "b" });
            with(#{ env: #{ X: "inner" }, cwd: "b" }, || {
                sh(["sh", "-c", "echo $X $Y $(basename $PWD)"], #{ cwd: "c" });
                print(env("X") + env("Y") + env("Z", "z"));
                with(#{ env: #{ X: () } }, || print(`${capture("echo ${X-gone}")} ${env("X", "none")}`));
                parallel([1], |n| sh("echo task $X $(basename $PWD)"));
                retry(2, || print(try_sh("echo tried $X").stdout.len()));
            });
            sh("echo again $X $(basename $PWD)");
        });
        print(with(#{}, || 42));
        sh("echo out ${X-unset}");"#,
    );
    let expected = "1 y a 1\n2 b\ninner y c\ninneryz\ngone none\n[1] task inner b\n12\nagain 1 a\n\
                    deferred 1 a\n42\nout unset\n";
    let shown: Vec<&str> = output.lines().filter(|line| !line.contains("tried")).collect();
    assert_eq!(shown.join("\n") + "\n", expected, "{output}");
}

#[test]
fn what_with_limits_is_ended_and_can_be_caught() {
    let output = build_output(
        r#"try { with(#{ timeout: "100ms" }, || { defer(|| print("cleaned")); sh("sleep 60"); }) }
        catch (e) { print(`${e.timed_out} ${e}`); }
        with(#{ timeout: "1m" }, || sh("echo in time"));"#,
    );
    assert_eq!(output, "cleaned\ntrue the time limit of 100ms has passed\nin time\n");
    assert!(build_error(r#"with(#{ timeout: 0 }, || 1);"#).contains("1"));
}

#[test]
fn what_with_cannot_say_is_an_error_that_names_it() {
    for (call, expected) in [
        (r#"with(#{ label: "x" }, || 1)"#, "`with` has no option `label`"),
        (r#"with(#{ evn: #{} }, || 1)"#, "`with` has no option `evn`; did you mean `env`?"),
        (
            r#"with(#{ env: [] }, || 1)"#,
            "takes a map of variables as its option `env`, not an array",
        ),
        (r#"with(#{ env: #{ "A=B": 1 } }, || 1)"#, "`A=B` is not a valid variable name"),
        (
            r#"with(#{ env: #{ A: [] } }, || 1)"#,
            "a string, a number, a secret or null (`()`) for `A`",
        ),
        (r#"with(#{ cwd: "../x" }, || 1)"#, "`../x` is outside the export directory"),
        (r#"with(#{ cwd: "/etc" }, || 1)"#, "`/etc` is outside the export directory"),
        (
            r#"with(#{ cwd: "a" }, || with(#{ cwd: ".." }, || 1))"#,
            "`..` is outside the export directory",
        ),
        (
            r#"with(#{ cwd: "." }, || sh("pwd", #{ cwd: "/etc" }))"#,
            "`/etc` is outside of the export directory",
        ),
        (r#"with(#{}, 5)"#, "takes a function such as `|| …` as its function, not an int"),
        (r#"with(|| 1)"#, "`with(options, function)` cannot be called with 1 argument"),
    ] {
        let error = build_error(&format!("{call};"));
        assert!(error.contains(expected), "{call}: {error}");
    }
}

/// A repository whose server has a secret, and whose script has this as its build.
fn with_secret(body: &str) -> TestRepo {
    let repo = TestRepo::new();
    let secrets = repo.outside().join("secrets");
    fs::create_dir_all(&secrets).unwrap();
    fs::set_permissions(&secrets, Permissions::from_mode(0o700)).unwrap();
    fs::write(secrets.join("TOKEN"), "supersecretvalue").unwrap();
    fs::set_permissions(secrets.join("TOKEN"), Permissions::from_mode(0o600)).unwrap();
    repo.git(&["config", "tinyci.secretsDir", secrets.to_str().unwrap()]);
    repo.git(&["config", "tinyci.secretRefs", "refs/heads/main"]);
    repo.write(
        ".tinyci.rhai",
        format!("const SECRETS = [\"TOKEN\"];\nfn build(ctx) {{\n{body}\n}}"),
    );
    repo.commit("secret");
    repo
}

#[test]
fn a_secret_that_with_gives_to_commands_stays_one() {
    let repo = with_secret(
        r#"with(#{ env: #{ T: secret("TOKEN") } }, || {
            sh("test \"$T\" = supersecretvalue; echo it is $T");
            parallel([1], |n| sh("echo $T", #{ env: #{ U: env("T") } }));
            try { print("text: " + env("T")); sh("echo " + env("T")); } catch (e) { print(e); }
            try { sh("echo <%= env(\"T\") %>"); } catch (e) { print(e); }
            sh("echo $T; exit 1", #{ quiet: true });
        });"#,
    );
    let ran = run_with(&repo, |builder| builder);
    assert!(!format!("{}{:?}", ran.output, ran.record).contains("supersecret"), "{}", ran.output);
    assert_eq!(ran.output.matches("it is ***\n").count(), 1, "{} {:?}", ran.output, ran.record);
    assert!(ran.output.contains("a secret cannot be part of a string"), "{}", ran.output);
    assert!(ran.output.contains("its value is not a string or number"), "{}", ran.output);
    assert!(ran.output.ends_with("***\n"), "what is quiet is masked too: {}", ran.output);
}

#[test]
fn a_plan_and_a_test_go_through_with_as_a_run_does() {
    let repo = TestRepo::new();
    repo.write(
        ".tinyci.rhai",
        r#"fn build(ctx) {
            with(#{ env: #{ V: "1" }, cwd: "src", timeout: "1m" }, || {
                defer(|| sh("make clean"));
                sh(`make ${env("V")}`);
            });
            sh("make last");
        }"#,
    );
    repo.write(
        ".tinyci.test.rhai",
        r#"fn test_it(t) { t.expect_commands(t.build(), ["make 1", "make clean", "make last"]); }"#,
    );
    repo.write("src/Makefile", "1:");
    repo.commit("with");
    let engine = Engine::open(repo.path()).unwrap();
    let dry_run = engine.dry_run("HEAD", &[]).unwrap();
    let acts: Vec<String> = dry_run.steps[0].actions.iter().map(ToString::to_string).collect();
    let order = ["make 1", "make clean", "make last"];
    assert!(acts.iter().zip(order).all(|(act, wanted)| act.contains(wanted)), "{acts:?}");
    let report = engine.test_pipeline(&TestOptions::revision("HEAD")).unwrap();
    assert!(report.passed(), "{:?}", report.tests[0].failure);
}

/// What a command prints of a secret is text, and a script can take it anywhere.
#[test]
fn a_secret_that_came_back_from_a_command_gets_nowhere() {
    let repo = with_secret(
        r#"let told = capture("echo $T", #{ env: #{ T: secret("TOKEN") } });
        print(told.len());
        for f in [|| remember("k", told), || remember(told, 1), || remember("k", #{ a: [told] }),
            || artifact(told)] {
            try { f.call(); print("kept"); } catch (e) { print(e); }
        }
        print(told);
        debug(told);
        warn(told);
        sh("echo in a label", #{ label: told });
        group(told, || sh("echo in a group"));
        try_sh(["echo", told]);
        try { sh("exit 7 # " + q(told)); } catch (e) { print(e); warn(e.command); print(e.message); }
        try { read(told) } catch (e) { print(e); }
        try { exists("../" + told) } catch (e) { print(e); }
        if exists(told) { print("there"); }
        with(#{ env: #{ V: told } }, || sh("echo $V"));
        sh(["sh", "-c", "echo on the way; exit 3", told], #{ label: told });
    }
    fn after_build_failure(ctx) {
        print(`${ctx.failure.command} ${ctx.failure.tail} ${ctx.failures[0].label}`);
        sh("env | grep -c supersecret || true");
    }
    fn after_all(ctx) {
        fail(capture("echo $T", #{ env: #{ T: secret("TOKEN") } }));"#,
    );
    let engine = Engine::open(repo.path()).unwrap();
    let mut events = Vec::new();
    let mut observer = |event: &Event| match &event.kind {
        EventKind::Output { bytes, .. } => events.push(String::from_utf8_lossy(bytes).into_owned()),
        other => events.push(format!("{other:?}")),
    };
    let selection = Selection::revision("HEAD");
    engine.run(&selection, &CancelToken::new(), &mut observer).unwrap();
    let all = events.join("\n");
    assert!(all.contains("16\n") && !all.contains("kept"), "{all}");
    assert_eq!(all.matches("contains a secret").count(), 4, "{all}");
    let notes = repo.git(&["notes", "--ref", "runs/tinyci", "show", "HEAD"]);
    let log = repo.git(&["cat-file", "--batch-all-objects", "--batch", "--buffer"]);
    for (what, text) in [("events", all), ("record", notes), ("objects", log)] {
        let found =
            text.split("supersecret").nth(1).map(|rest| rest.chars().take(80).collect::<String>());
        // The script's own text names the beginning of it.
        let found = found.filter(|rest| rest.starts_with("value"));
        assert_eq!(found, None, "{what}");
    }
    let skipped = with_secret(r#"skip(capture("echo $T", #{ env: #{ T: secret("TOKEN") } }));"#);
    let ran = run_with(&skipped, |builder| builder);
    assert_eq!(ran.record.outcome, Outcome::Skipped);
    assert!(!format!("{:?}", ran.record).contains("supersecret"), "{:?}", ran.record);
}
