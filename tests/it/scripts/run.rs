//! Scripts in real builds: what they run, what they may know, and what becomes of the commit.

use std::{
    os::unix::fs::PermissionsExt,
    time::{Duration, Instant},
};

use tinyci::{
    CancelToken, Engine, EngineBuilder, Event, EventKind, Format, Outcome, Record, Selection,
    Value, callback::Effect, executor::Exit, pipeline::Phase,
};

use crate::support::{
    TestRepo,
    stage::{self, Stage},
};

/// What one run of HEAD showed and left.
pub(crate) struct Ran {
    pub(crate) record: Record,
    pub(crate) output: String,
}

impl Ran {
    pub(crate) fn error(&self, step: &str) -> String {
        let step = self.record.steps.iter().find(|it| it.name.as_str() == step).unwrap();
        step.error.clone().unwrap_or_default()
    }

    pub(crate) fn commands(&self) -> Vec<&str> {
        let commands = self.record.steps.iter().flat_map(|step| &step.commands);
        commands.map(|command| command.command.as_str()).collect()
    }
}

pub(crate) fn run_with(repo: &TestRepo, set: impl FnOnce(EngineBuilder) -> EngineBuilder) -> Ran {
    let engine = set(Engine::builder(repo.path())).open().unwrap();
    let mut output = Vec::new();
    let mut observer = |event: &Event| {
        if let EventKind::Output { bytes, .. } = &event.kind {
            output.extend_from_slice(bytes);
        }
    };
    let selection = Selection::revision("HEAD");
    let summary = engine.run(&selection, &CancelToken::new(), &mut observer).unwrap();
    let record = summary.records.into_iter().next().expect("one attempt");
    Ran { record, output: String::from_utf8(output).unwrap() }
}

pub(crate) fn script(text: &str) -> TestRepo {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", text);
    repo.commit("script");
    repo
}

pub(crate) fn run(text: &str) -> Ran {
    run_with(&script(text), |builder| builder)
}

#[test]
fn the_smallest_script_runs_like_the_smallest_config() {
    let repo = TestRepo::new();
    repo.write("build.sh", "#!/bin/sh\necho building\n");
    repo.write("test.sh", "#!/bin/sh\necho testing\n");
    repo.git(&["add", "."]);
    repo.git(&["update-index", "--chmod=+x", "build.sh", "test.sh"]);
    repo.write(
        ".tinyci.rhai",
        "fn build(ctx) { sh(\"./build.sh\"); }\nfn test(ctx)  { sh(\"./test.sh\"); }\n",
    );
    std::process::Command::new("chmod")
        .args(["+x", "build.sh", "test.sh"])
        .current_dir(repo.path())
        .status()
        .unwrap();
    let id = repo.commit("minimal");
    let ran = run_with(&repo, |builder| builder);
    assert_eq!(ran.record.outcome, Outcome::Success, "{:?}", ran.record);
    assert_eq!(ran.record.config_format, Some(Format::Rhai));
    assert_eq!(ran.output, "building\ntesting\n");
    assert_eq!(repo.verdict(&id).as_deref(), Some("success"));
    assert_eq!(ran.record.step(Phase::Build).unwrap().commands[0].exit, Some(Exit::Code(0)));
}

#[test]
fn a_failing_command_fails_its_phase_with_place_line_and_caret() {
    let repo = TestRepo::new();
    repo.write(
        "ci/go.rhai",
        "fn build(name) {\n    sh([\"sh\", \"-c\", `echo ${name}; exit 3`]);\n}\n",
    );
    repo.write(
        ".tinyci.rhai",
        "import \"ci/go\" as golang;\nfn build(ctx) {\n\tparallel([\"api\"], |name| golang::build(name));\n}\nfn after_build_failure(ctx) {\n  print(`${ctx.failure.command}|${ctx.failure.code}|${ctx.failure.at}|${ctx.failure.tail}|${ctx.result.build}`);\n}\n",
    );
    repo.commit("Add api");
    let ran = run_with(&repo, |builder| builder);
    assert_eq!(ran.record.outcome, Outcome::Failure);
    let short = ran.record.commit.short();
    assert_eq!(
        ran.error("build").lines().collect::<Vec<_>>(),
        [
            "command exited with status 3: sh -c echo api; exit 3",
            &format!("  --> ci/go.rhai:2:5 in build, step build, commit {short} \"Add api\""),
            "   |",
            " 2 |     sh([\"sh\", \"-c\", `echo ${name}; exit 3`]);",
            "   |     ^",
            "   = called from .tinyci.rhai:3:35 in closure",
            "   = called from .tinyci.rhai:3:2 in build",
        ]
    );
    assert!(ran.output.contains("[api] api\n"), "{}", ran.output);
    assert!(
        ran.output.ends_with("sh -c echo api; exit 3|3|build|api\n|failure\n"),
        "{}",
        ran.output
    );
}

/// The error of a build whose script has this as its body.
pub(crate) fn build_error(body: &str) -> String {
    let ran = run(&format!("fn build(ctx) {{\n{body}\n}}"));
    assert_eq!(ran.record.outcome, Outcome::Failure, "{body}: {:?}", ran.record);
    ran.error("build")
}

/// The output of a build whose script has this as its body.
pub(crate) fn build_output(body: &str) -> String {
    let ran = run(&format!("fn build(ctx) {{\n{body}\n}}"));
    assert_eq!(ran.record.outcome, Outcome::Success, "{body}: {}", ran.error("build"));
    ran.output
}

#[test]
fn ctx_knows_the_commit_and_a_typo_is_an_error_with_its_place() {
    let repo = script(
        r#"fn build(ctx) {
            print(`${ctx.commit == ctx.parents[0]} ${ctx.short} ${ctx.branch} ${ctx.tags} ${ctx.subject}`);
            print(`${ctx.author} ${ctx.time} ${ctx.step} ${ctx.trigger} ${ctx.base} ${ctx.changes}`);
            print(`${ctx.machine.cpus > 0} ${ctx.machine.has("sh")} ${ctx.machine.has("no-such")} ${ctx.machine.os}`);
            print(`${ctx.environment}|${ctx.failure}|${ctx.result.build}|${ctx.previous}`);
            sh(["test", "-d", ctx.export_dir]);
        }"#,
    );
    repo.git(&["tag", "v1"]);
    let first = repo.git(&["rev-parse", "HEAD"]);
    repo.git(&["notes", "--ref", "tinyci-result", "add", "-m", "success", &first]);
    repo.write("src/a b.rs", "x");
    let id = repo.commit("Second; rm -rf /");
    let ran = run_with(&repo, |builder| builder);
    let os = std::env::consts::OS;
    let lines: Vec<&str> = ran.output.lines().collect();
    assert_eq!(
        lines[0],
        format!("false {} main [] Second; rm -rf /", &id[..7]),
        "{:?}",
        ran.record
    );
    assert_eq!(
        lines[1],
        format!("Ada <ada@example.org> 1500000120 build named {first} [\"src/a b.rs\"]")
    );
    assert_eq!(lines[2], format!("true true false {os}"));
    assert_eq!(lines[3], "|||success");
    let error = build_error("  sh(`echo ${ctx.comit}`);");
    assert!(
        error.starts_with(
            "ctx has no property `comit`; did you mean `commit`?\n  --> .tinyci.rhai:2:"
        ),
        "{error}"
    );
    assert!(build_error("ctx.commit = \"x\";").contains("`ctx.commit` is read-only"));
    assert!(build_error("ctx.failure.code").contains("null (`()`) has no property `code`"));
}

#[test]
fn options_are_typed_and_unknown_ones_list_the_known() {
    for (body, expected) in [
        (
            r#"sh("x", #{ timeuot: "1s" });"#,
            "`sh` has no option `timeuot`; did you mean `timeout`?",
        ),
        (r#"sh("x", #{ timeout: "soon" });"#, "takes a duration such as"),
        (r#"sh("x", #{ cwd: "../x" });"#, "`../x` is outside of the export directory"),
        (r#"sh("x", #{ retries: -1 });"#, "takes an int from 0"),
        (
            r#"sh("x", #{ env: ["A"] });"#,
            "takes a map of variables as its option `env`, not an array",
        ),
        (r#"sh("x", 5);"#, "takes a map such as"),
        (r#"sh(5);"#, "takes a string for the shell, or an array"),
        (r#"sh([]);"#, "its array is empty"),
        (r#"sh(["a", []]);"#, "strings and numbers as a program's arguments, not an array"),
        (r#"sh();"#, "`sh(command, options?)` cannot be called with 0 arguments"),
        (r#"shh("x");"#, "there is no function `shh` for a string; did you mean `sh`?"),
        (r#"throw "my own words";"#, "my own words\n  --> .tinyci.rhai:2:"),
        (r#"recall("nothing");"#, "nothing was remembered as `nothing`"),
        (r#"env("NO_SUCH_VARIABLE");"#, "the variable `NO_SUCH_VARIABLE` is not set"),
        (r#"let m = #{}; m.b"#, "the map has no key `b`; write `map.get(\"b\") ?? …`"),
        (r#"approve("ok?");"#, "only `deploy` can ask for an approval"),
        (r#"artifact("absent");"#, "cannot keep"),
    ] {
        let error = build_error(body);
        assert!(error.contains(expected), "{body}: {error}");
    }
}

#[test]
fn commands_take_their_options_and_give_back_how_they_ended() {
    let output = build_output(
        r#"sh("mkdir sub; cat > sub/f", #{ input: "fed" });
        sh(["cat", "f"], #{ cwd: "sub" }); print("");
        sh("echo $A-$B-${HOME-unset}", #{ env: #{ A: 1, B: "two words", HOME: () } });
        sh("exit 4", #{ allow: [3, 4] });
        let ended = try_sh("echo out; echo err >&2; exit 7", #{ quiet: true });
        print(`${ended.ok} ${ended.code} ${ended.stdout.len()} ${ended.stderr}`);
        print(capture("printf 'a\nb\n\n'"));
        sh("echo labelled", #{ label: "x\ny" });
        try { sh("echo tail; exit 9"); } catch (e) { print(`${e.code} ${e.timed_out} ${e.tail} ${e.command}`); }
        try { sh("sleep 60", #{ timeout: "50ms" }); } catch (e) { print(`${e.timed_out} ${e.code}`); }
        sh("test -e tried || { touch tried; exit 1; }", #{ retries: 2, backoff: "1ms" });"#,
    );
    let expected = "fed\n1-two words-unset\nfalse 7 4 err\n\na\nb\n[x\u{fffd}y] labelled\ntail\n9 false tail\n \
                    echo tail; exit 9\ntrue \n";
    assert!(output.starts_with(expected), "{output}");
    assert!(output.contains("failed with status 1; retrying in 1ms (1 of 2)\n"), "{output}");
}

/// A relative directory in `PATH` is one of the export for commands, wherever this process stands.
#[test]
fn a_program_is_looked_for_where_commands_find_it() {
    let repo = script(
        r#"fn build(ctx) {
            print(`${ctx.machine.has("own-tool")}`);
            sh("mkdir tools; printf '#!/bin/sh\necho ran\n' >tools/own-tool; chmod 755 tools/*");
            print(`${ctx.machine.has("own-tool")} ${ctx.machine.has("Cargo.toml")}`);
            sh("own-tool");
        }"#,
    );
    let ran = run_with(&repo, |builder| builder.env("PATH", "tools:.:/usr/bin:/bin"));
    assert_eq!(ran.output, "false\ntrue false\nran\n");
}

#[test]
fn a_command_whose_exit_is_allowed_has_not_failed() {
    let stage = Stage::new();
    stage.write(
        ".tinyci.rhai",
        "fn build() { sh(\"exit 4\", #{ allow: 4 }); fail(\"enough\"); }\n\
         fn after_build_failure(ctx) { print(`${ctx.failure.command} ${ctx.failure.code}`); }\n\
         fn after_all() { sh(\"exit 5\", #{ allow: 5 }); }",
    );
    stage.commit_more("script");
    let ran = stage::Ran::of(&stage.engine(), &Selection::pending());
    assert_eq!(ran.text(), "enough \n");
    let lines: Vec<String> = ran.events.iter().flat_map(Event::log_lines).collect();
    assert!(!lines.iter().any(|line| line.contains("status")), "{lines:?}");
}

#[test]
fn a_command_that_passed_in_the_end_is_not_what_failed() {
    let ran = run(r#"fn build(ctx) {
            retry(2, || sh("test -e tried || { touch tried; exit 1; }"), #{ backoff: 0 });
            sh("echo seen; exit 3", #{ allow: 3 });
            fail("a reason of its own");
        }
        fn after_build_failure(ctx) { print(`${ctx.failure.command}|${ctx.failure.tail}|`); }"#);
    assert!(ran.output.ends_with("\na reason of its own||\n"), "{}", ran.output);
}

/// Other types of numbers would compare to nothing, and a `switch` would take the wrong arm.
#[test]
fn a_command_that_is_too_long_to_start_fails_and_is_shown_in_part() {
    let error = build_error("let s = \"x\"; s.pad(3000000, \"y\"); sh([\"echo\", s]);");
    assert!(error.starts_with("command exited with status 126: echo xyyy"), "{:.80}", error);
    assert!(error.len() < 2_000 && error.contains("yyy …\n"), "{}", error.len());
}

#[test]
fn numbers_that_cross_the_border_are_numbers_of_the_language() {
    let repo = script(
        r#"fn name(n) { switch n { 7 => "seven", _ => "another" } }
        fn build(ctx) {
            let ended = try_sh("exit 7");
            print(`${ended.code == 7} ${name(ended.code)} ${name(lent(0))} ${lent(0) == 7}`);
            remember("n", 7);
            print(`${name(recall("n"))} ${ctx.time > 0} ${ctx.machine.cpus >= 1} ${type_of(ctx.time)}`);
            try { sh("exit 7") } catch (e) { print(`${name(e.code)} ${e.code + 1}`); }
            let m = #{ a: 1 };
            print(`${m.get("a") ?? 3} ${m.get("b") ?? 3}`);
            sh("exit 7");
        }
        fn after_build_failure(ctx) { print(`${ctx.failure.code == 7} ${name(ctx.failure.code)}`); }"#,
    );
    let ran = run_with(&repo, |builder| {
        builder.function("lent", 1..=1, Effect::Pure, "", |_| Ok(Value::from(7)))
    });
    assert_eq!(
        ran.output,
        "true seven seven true\nseven true true i64\nseven 8\n1 3\ntrue seven\n",
        "{}",
        ran.error("build")
    );
}

#[test]
fn retry_timeout_group_and_defer_direct_the_script() {
    let output = build_output(
        r#"let n = retry(3, || { sh("echo x >> n; test $(wc -l < n) = 3"); "done" }, #{ backoff: "1ms" });
        print(n);
        group("outer", || group("inner", || sh("echo grouped")));
        try { timeout("50ms", || sh("sleep 60")); } catch (e) { print(`caught: ${e}`); }
        try { timeout("50ms", || { loop { } }); } catch (e) { print(`caught: ${e}`); }
        try { timeout("50ms", || sleep(60)); } catch (e) { print(`caught: ${e}`); }
        defer(|| print("first deferred, last done"));
        defer(|| sh("echo clean"));
        print("end of the body");"#,
    );
    let expected = "attempt 1 of 3 failed; retrying in 1ms\nattempt 2 of 3 failed; retrying in \
                    1ms\ndone\n[outer/inner] grouped\ncaught: the time limit of 50ms has \
                    passed\ncaught: the time limit of 50ms has passed\ncaught: the time limit of 50ms has \
                    passed\nend of the body\nclean\nfirst deferred, last done\n";
    assert_eq!(output, expected);
}

#[test]
fn what_is_deferred_runs_however_the_phase_ends_and_its_failure_counts() {
    let ran = run("fn build(ctx) { defer(|| sh(\"echo down\")); sh(\"exit 1\"); }");
    assert_eq!((ran.record.outcome, ran.output.as_str()), (Outcome::Failure, "down\n"));
    let ran = run("fn build(ctx) { defer(|| sh(\"echo down; exit 1\")); }");
    assert_eq!(ran.record.outcome, Outcome::Failure);
    assert!(ran.error("build").starts_with("command exited with status 1: echo down; exit 1"));
    let timed_out =
        "const TIMEOUT = \"200ms\"; fn build(ctx) { defer(|| sh(\"echo down\")); sleep(60); }";
    let ran = run(timed_out);
    assert_eq!((ran.record.outcome, ran.output.as_str()), (Outcome::TimedOut, "down\n"));
}

#[test]
fn skip_skips_the_commit_in_before_build_and_a_phase_elsewhere() {
    let repo =
        script("fn before_build(ctx) { skip(\"docs only\"); } fn build(ctx) { sh(\"echo no\"); }");
    let ran = run_with(&repo, |builder| builder);
    assert_eq!((ran.record.outcome, ran.output.as_str()), (Outcome::Skipped, ""));
    assert_eq!(ran.record.reason.as_deref(), Some("build left out: docs only"));
    assert_eq!(repo.verdict("HEAD").as_deref(), Some("skipped"));
    let ran = run(
        "fn build(ctx) { try { skip(\"no\"); } catch { } sh(\"echo never\"); } fn test(ctx) { print(ctx.result.build); }",
    );
    assert_eq!((ran.record.outcome, ran.output.as_str()), (Outcome::Skipped, "skipped\n"));
    let ran = run("fn build(ctx) { retry(3, || fail(\"enough\")); }");
    assert_eq!((ran.record.outcome, ran.error("build")), (Outcome::Failure, "enough".to_owned()));
    assert!(build_error("exit();").contains("`exit` does not say"));
}

#[test]
fn parallel_really_runs_at_once_with_copies_of_what_it_captures() {
    // Each branch waits for the other, so that both must run at the same time.
    let output = build_output(
        r#"let count = 0;
        let names = parallel(["a", "b"], |name| {
            count += 1;
            let other = if name == "a" { "b" } else { "a" };
            sh(`touch ${name}; while ! test -e ${other}; do sleep 0.01; done; printf 'one\nt'; sleep 0.05; echo wo`);
            `${name}${count}${ctx.short.len()}`
        });
        print(`${names}, ${count}`);
        let both = parallel(#{ x: || 1, y: || { sh("echo y"); 2 } });
        print(`${both.x + both.y}`);
        let all = matrix(#{ db: ["p", "s"], n: [1, 2] }, |m| `${m.db}${m.n}`);
        print(all.len());"#,
    );
    for line in output.lines() {
        let whole = ["[a] one", "[a] two", "[b] one", "[b] two", "[y] y"];
        assert!(whole.contains(&line) || !line.contains("] "), "{line}");
    }
    assert!(output.contains("[\"a17\", \"b17\"], 0\n"), "{output}");
    assert!(output.ends_with("[y] y\n3\n4\n"), "{output}");
}

#[test]
fn many_branches_may_use_one_captured_object() {
    let output = build_output(
        r#"let list = []; for i in 0..8 { list.push(i); }
        let counts = parallel(list, |i| {
            let n = 0;
            for j in 0..500 { if ctx.machine.has("sh") { n += 1; } }
            n
        });
        print(counts.reduce(|sum, n| sum + n, 0));"#,
    );
    assert_eq!(output, "4000\n");
}

#[test]
fn a_failing_branch_fails_the_phase_once_all_have_ended() {
    let ran = run(
        "fn build(ctx) { parallel([1, 2, 3], |n| sh(`test ${n} != 2 && echo ${n} >> done`)); } fn after_build_failure() { sh(\"sort done\"); }",
    );
    assert_eq!((ran.record.outcome, ran.output.as_str()), (Outcome::Failure, "1\n3\n"));
    assert!(
        ran.error("build").starts_with("command exited with status 1: test 2 != 2"),
        "{}",
        ran.error("build")
    );
}

#[test]
fn what_would_not_end_ends_and_the_process_lives() {
    for (body, expected) in [
        ("loop { }", "it may be in an endless loop"),
        ("fn_that_calls_itself(1)", "a function may call itself without end"),
        ("let s = \"x\"; loop { s += s; }", "grows too large"),
        ("let a = [0]; loop { a += a; }", "grows too large"),
        ("let f = || 1; loop { let g = f; f = || g; }", "more than 128 deep"),
        ("let a = []; loop { a = [a]; }", "more than 128 deep"),
        ("defer(|| loop { });", "it may be in an endless loop"),
        ("parallel([1, 2], |n| loop { });", "it may be in an endless loop"),
        ("defer_again();", "a function may call itself without end"),
        ("let s = \"x\"; loop { s = `${s}${s}`; }", "grows too large"),
        ("let b = blob(8); loop { b += b; }", "grows too large"),
        ("let s = \"x\"; s.pad(100000000, \"y\"); print(s.len());", "grows too large"),
        ("boom();", "the host panicked in the function `boom`: at the disco"),
        ("parallel([1], |n| boom());", "the host panicked in the function `boom`"),
    ] {
        let repo = script(&format!(
            "fn fn_that_calls_itself(n) {{ fn_that_calls_itself(n + 1) }} \
             fn defer_again() {{ defer(|| defer_again()); }} fn build(ctx) {{ {body} }}"
        ));
        let ran = run_with(&repo, |builder| {
            builder.function("boom", 0..=0, Effect::External, "Panics.", |_| panic!("at the disco"))
        });
        // A panic is the program's own fault, and not the script's.
        let outcome = if body.contains("boom") { Outcome::Error } else { Outcome::Failure };
        assert_eq!(ran.record.outcome, outcome, "{body}");
        assert!(ran.error("build").contains(expected), "{body}: {}", ran.error("build"));
    }
}

#[test]
fn a_deadline_holds_in_native_code_and_in_callbacks() {
    for body in [
        "sleep(60);",
        "sh(\"sleep 60\");",
        "retry(1000, || sh(\"exit 1\"));",
        "parallel([1], |n| sleep(60));",
        "let a = []; for i in 0..1000 { a.push(i); } let b = a; loop { a.map(|x| b.map(|y| x + y)); }",
        "slow();",
        "try { slow(); } catch { } slow();",
    ] {
        let repo = script(&format!("const TIMEOUT = \"300ms\"; fn build(ctx) {{ {body} }}"));
        let begun = Instant::now();
        let ran = run_with(&repo, |builder| {
            builder.function("slow", 0..=0, Effect::External, "", |_| {
                std::thread::sleep(Duration::from_millis(600));
                Ok(Value::Null)
            })
        });
        assert_eq!(ran.record.outcome, Outcome::TimedOut, "{body}: {:?}", ran.record.steps);
        assert!(begun.elapsed() < Duration::from_secs(30), "{body}");
        assert!(ran.error("build").contains("the time limit of the step `build`"), "{body}");
    }
}

#[test]
fn a_cancel_stops_a_script_wherever_it_is() {
    for body in ["sleep(60);", "loop { sh(\"true\"); }", "parallel([1, 2], |n| sh(\"sleep 60\"));"]
    {
        let repo = script(&format!(
            "fn build(ctx) {{ print(\"go\"); try {{ {body} }} catch {{ }} }} fn after_all() {{ sh(\"echo after\"); }}"
        ));
        let engine = Engine::open(repo.path()).unwrap();
        let cancel = CancelToken::new();
        let mut output = String::new();
        let summary = engine
            .run(&Selection::revision("HEAD"), &cancel, &mut |event: &Event| {
                if let EventKind::Output { bytes, .. } = &event.kind {
                    output.push_str(&String::from_utf8_lossy(bytes));
                    if output == "go\n" {
                        cancel.cancel();
                    }
                }
            })
            .unwrap();
        assert_eq!(summary.records[0].outcome, Outcome::Canceled, "{body}");
        assert!(output.ends_with("after\n"), "{body}: {output}");
        assert_eq!(repo.verdict("HEAD"), None);
    }
}

#[test]
fn a_shell_text_that_holds_what_a_pusher_chose_is_refused() {
    let repo = script("");
    let shell = |script: &str, message: &str| {
        repo.write(".tinyci.rhai", script);
        repo.commit(message);
        run_with(&repo, |builder| builder)
    };
    let hostile = "$(touch pwned)";
    let ran = shell("fn build(ctx) { sh(`echo ${ctx.subject}`); }", hostile);
    assert_eq!(ran.record.outcome, Outcome::Failure);
    let error = ran.error("build");
    assert!(
        error.contains("sh([\"program\", ctx.subject])") && error.contains("\"$TINYCI_SUBJECT\""),
        "{error}"
    );
    assert!(ran.commands().is_empty());
    let fine = r#"fn build(ctx) {
        sh(["echo", ctx.subject]);
        sh(`echo ${q(ctx.subject)}`);
        sh("echo \"$TINYCI_SUBJECT\"");
        sh("echo <%= short %> <%= ctx.branch %> <%= ctx.short + \"x\" %>");
        sh("! test -e pwned");
    }"#;
    let ran = shell(fine, hostile);
    let short = ran.record.commit.short();
    assert_eq!(
        ran.output,
        format!("{hostile}\n{hostile}\n{hostile}\n{short} main {short}x\n"),
        "{}",
        ran.error("build")
    );
    for (tag, expected) in [
        ("<%= subject %>", "write \"$TINYCI_SUBJECT\""),
        ("<%= ctx.subject %>", "unsafe in a command"),
        ("<%= sh(1) %>", "`sh` has an effect, and a placeholder can only read values"),
        ("<%= let x = 1 %>", "cannot run Ruby code"),
        ("<%= ctx.nope %>", "ctx has no property `nope`"),
    ] {
        let ran = shell(&format!("fn build(ctx) {{ sh(\"echo {tag}\"); }}"), "x y $z");
        assert!(ran.error("build").contains(expected), "{tag}: {}", ran.error("build"));
    }
}

#[test]
fn a_tag_cannot_act_however_it_names_the_function() {
    let repo = TestRepo::new();
    for expression in [
        "sh('touch pwned')",
        "'touch pwned'.sh()",
        "Fn('s' + 'h').call('touch pwned')",
        "['touch pwned'].map(Fn('sh'))",
        "['touch pwned'].map(|it| sh(it))",
        "wipe()",
        "Fn('wipe').call()",
    ] {
        let config = format!("build: 'echo <%= {} %>'\n", expression.replace('\'', "\""));
        repo.commit_config(&config);
        let ran = run_with(&repo, |builder| {
            builder.function("wipe", 0..=0, Effect::External, "", |_| panic!("called by a tag"))
        });
        assert_eq!(ran.record.outcome, Outcome::Failure, "{expression}");
        let error = ran.error("build");
        assert!(
            error.contains("has an effect, and a placeholder can only read values"),
            "{expression}: {error}"
        );
        assert!(ran.commands().is_empty(), "{expression}: {:?}", ran.commands());
    }
    repo.commit_config("build: 'echo <%= [\"NOBODY_SET\"].map(|it| env(it)) %>'\n");
    let error = run_with(&repo, |builder| builder).error("build");
    assert!(error.contains("the variable `NOBODY_SET` is not set"), "{error}");
}

#[test]
fn secrets_reach_env_and_input_and_nothing_else() {
    let repo = script(
        r#"const SECRETS = ["TOKEN"];
        fn build(ctx) {
            let token = secret("TOKEN");
            sh("echo $T; cat; printf %s $T | base64", #{ env: #{ T: token }, input: token });
            try { sh(`echo ${token}`); } catch (e) { print(e); }
            try { sh(["echo", "a" + token]); } catch (e) { print(e); }
            try { remember("x", token); } catch (e) { print(e); }
            try { warn(`w ${token}`); } catch (e) { print(e); }
            print(`p ${token}`);
            print(capture("echo $T", #{ env: #{ T: token } }));
            try { secret("OTHER"); } catch (e) { print(e); }
            sh(`exit 3 # hunter2222`);
        }"#,
    );
    let ran = run_with(&repo, |builder| builder);
    let refused = ran.error("build");
    assert!(refused.contains("git config --add tinyci.secretRefs refs/heads/main"), "{refused}");
    let dir = repo.outside().join("secrets");
    std::fs::create_dir(&dir).unwrap();
    std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o700)).unwrap();
    std::fs::write(dir.join("TOKEN"), "hunter2222").unwrap();
    std::fs::set_permissions(dir.join("TOKEN"), std::fs::Permissions::from_mode(0o600)).unwrap();
    repo.git(&["config", "tinyci.secretsDir", dir.to_str().unwrap()]);
    repo.git(&["config", "tinyci.secretRefs", "refs/heads/ma*"]);
    repo.commit("again");
    let ran = run_with(&repo, |builder| builder);
    let only = "a secret cannot be part of a string or a command";
    let output = &ran.output;
    assert!(output.starts_with("***\n***"), "{output}");
    assert_eq!(output.matches(only).count(), 4, "{output}");
    assert!(output.contains("p ***\n***\n"), "{output}");
    assert!(output.contains("const SECRETS = [\"OTHER\"]"), "{output}");
    assert!(
        ran.error("build").starts_with("command exited with status 3: exit 3 # ***"),
        "{}",
        ran.error("build")
    );
    let kept = [
        ran.record.to_json(),
        ran.output.clone(),
        std::fs::read_to_string(repo.path().join("builds/tinyci.log")).unwrap(),
    ];
    for text in kept {
        for form in ["hunter2222", "aHVudGVyMjIyMg"] {
            assert!(!text.contains(form), "{text}");
        }
    }
    let ran = run_with(
        &script(
            "const SECRETS = [\"A\"]; fn build() { sh(\"test \\\"$A\\\" = from-host\", #{ env: #{ A: secret(\"A\") } }); }",
        ),
        |builder| builder.secrets(|name, _| Ok(Some(format!("from-host-{name}").into_bytes()))),
    );
    assert!(
        ran.error("build").contains("the refs of this commit may not use secrets"),
        "{}",
        ran.error("build")
    );
}

#[test]
fn what_is_remembered_and_kept_stands_in_the_record() {
    let repo = script(
        r#"fn build(ctx) {
            sh("mkdir bin; printf app > bin/app; ln -s /etc/passwd link");
            remember("image", `app:${ctx.short}`);
            remember("list", [1, true, #{ a: () }]);
            artifact("bin/app");
            try { artifact("link"); } catch (e) { print(e); }
            let big = "x"; big.pad(70000, "x");
            try { remember("big", big); } catch (e) { print(e); }
        }
        fn after_all(ctx) { print(recall("image")); print(recall("none", 7)); discard_export(); }"#,
    );
    let ran = run_with(&repo, |builder| builder);
    let short = ran.record.commit.short();
    assert!(ran.output.ends_with(&format!("app:{short}\n7\n")), "{}", ran.output);
    assert!(
        ran.output.contains("`link`: it is not a regular file")
            && ran.output.contains("more than 65536"),
        "{}",
        ran.output
    );
    assert_eq!(ran.record.remembered["image"], Value::from(format!("app:{short}")));
    assert_eq!(ran.record.remembered.len(), 2);
    let blob = repo.git(&["hash-object", ".tinyci.rhai"]);
    assert_ne!(ran.record.artifacts[0].blob, blob);
    let build = std::fs::read_dir(repo.path().join("builds"))
        .unwrap()
        .flatten()
        .map(|it| it.path())
        .find(|it| it.is_dir())
        .unwrap();
    let kept = build.join("artifacts/bin/app");
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "app");
    assert_eq!(ran.record.artifacts[0].blob, repo.git(&["hash-object", kept.to_str().unwrap()]));
    assert!(!build.join("export").exists());
    let again = Record::from_json(&ran.record.to_json()).unwrap();
    assert_eq!((again.remembered, again.artifacts), (ran.record.remembered, ran.record.artifacts));
}

#[test]
fn a_host_lends_functions_over_values_of_its_own() {
    let repo = script(
        r#"fn build(ctx) {
            print(slack::post("hi", #{ to: ["a", "b"], n: 2 }));
            print(shout("hey"));
            try { slack::post("x"); } catch (e) { print(e); }
            slack::post(|| 1);
        }"#,
    );
    let ran = run_with(&repo, |builder| {
        builder
            .function("slack::post", 1..=2, Effect::External, "Posts.", |arguments| {
                let options = arguments.get(1).ok_or("no options")?;
                let to = options.get("to").and_then(Value::as_array).map_or(0, <[Value]>::len);
                Ok(Value::from(format!("{} to {to}", arguments[0].as_str().unwrap_or_default())))
            })
            .function("shout", 1..=1, Effect::Pure, "Shouts.", |arguments| {
                Ok(arguments[0].as_str().unwrap_or_default().to_uppercase().into())
            })
    });
    assert_eq!(ran.output, "hi to 2\nHEY\n`slack::post` failed: no options\n");
    assert!(
        ran.error("build").contains("`slack::post` cannot take a function as its argument 1"),
        "{}",
        ran.error("build")
    );
    let clash = Engine::builder(repo.path())
        .function("sh", 0..=0, Effect::Pure, "", |_| Ok(Value::Null))
        .open()
        .unwrap_err();
    assert!(clash.message().contains("is reserved"));
}

#[test]
fn a_script_that_cannot_be_read_fails_its_commit_with_the_place() {
    let repo = script("fn build(ctx) {\n  sh(\"a\"\n}");
    let ran = run_with(&repo, |builder| builder);
    assert_eq!(ran.record.outcome, Outcome::Failure);
    let reason = ran.record.reason.unwrap();
    assert!(reason.contains("--> .tinyci.rhai:3:1\n   |\n 3 | }\n   | ^"), "{reason}");
    repo.write(".tinyci.yml", "build: x");
    repo.commit("both");
    let ran = run_with(&repo, |builder| builder);
    assert_eq!(ran.record.outcome, Outcome::Failure);
    assert!(ran.record.reason.unwrap().contains("has both"));
}

/// An engine keeps what it parsed last, and every commit has its own files all the same.
#[test]
fn each_commit_has_its_own_script_and_modules() {
    let repo = TestRepo::new();
    let main = "import \"ci/m\" as m;\nfn build(ctx) { sh([\"echo\", m::word()]); }\n";
    let other = "fn build(ctx) { sh([\"echo\", \"main\"]); }\n";
    let word = |word: &str| format!("fn word() {{ \"{word}\" }}\n");
    let steps: [(&str, Option<String>, Option<&str>); 6] = [
        (main, Some(word("one")), Some("echo one")),
        (main, Some(word("one")), Some("echo one")),
        (main, Some(word("two")), Some("echo two")),
        (main, None, None),
        (other, Some(word("two")), Some("echo main")),
        (main, Some(word("one")), Some("echo one")),
    ];
    for (number, (main, module, _)) in steps.iter().enumerate() {
        repo.write(".tinyci.rhai", main);
        repo.write("number", number.to_string());
        match module {
            Some(module) => repo.write("ci/m.rhai", module),
            None => std::fs::remove_file(repo.path().join("ci/m.rhai")).unwrap(),
        }
        repo.commit(&number.to_string());
    }
    let engine = Engine::open(repo.path()).unwrap();
    let selection = Selection::pending();
    let summary = engine.run(&selection, &CancelToken::new(), &mut |_: &Event| {}).unwrap();
    assert_eq!(summary.records.len(), steps.len());
    for (record, (.., command)) in summary.records.iter().zip(&steps) {
        let commands = record.steps.iter().flat_map(|step| &step.commands);
        let ran: Vec<&str> = commands.map(|it| it.command.as_str()).collect();
        assert_eq!(ran, command.iter().copied().collect::<Vec<_>>());
        assert_eq!(record.outcome.passed(), command.is_some());
    }
}

#[test]
fn the_modules_are_those_of_the_commit_and_keep_their_functions_in_callbacks() {
    let repo = TestRepo::new();
    repo.write("ci/util.rhai", "import \"ci/more\" as more;\nfn twice(x) { retry(1, || helper(more::double(x))) }\nfn helper(x) { print(x); x }\n");
    repo.write("ci/more.rhai", "export const N = 2; fn double(x) { x * global::N }");
    repo.write(
        ".tinyci.rhai",
        "import \"ci/util\" as util;\nfn build(ctx) { sh(\"rm -rf ci\"); defer(|| util::twice(5)); parallel([1, 2], |n| util::twice(n)); own(); }\nfn own() { retry(1, || util::twice(4)); }\n",
    );
    repo.commit("modules");
    let ran = run_with(&repo, |builder| builder);
    assert_eq!(ran.record.outcome, Outcome::Success, "{}", ran.error("build"));
    let mut lines: Vec<&str> = ran.output.lines().collect();
    lines[..2].sort_unstable();
    assert_eq!(lines, ["[1] 2", "[2] 4", "8", "10"]);
}
