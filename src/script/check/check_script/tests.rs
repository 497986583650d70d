//! Tests of which errors and warnings are found, and of code that is accepted.

use super::*;
use crate::model::{
    function::{Effect, Value},
    script::TreeFile,
};

/// The files of a commit.
struct Files<'a>(&'a [(&'a str, &'a str)]);

impl Tree for Files<'_> {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        Ok(found.map_or(TreeFile::Absent, |(_, text)| TreeFile::File(text.as_bytes().to_vec())))
    }
}

const GO: &str =
    "export const N = 1; const OWN = 2; fn build(name) { } private fn own() { } fn two(a, b) { }";

fn found(text: &str) -> Vec<String> {
    let post = HostFunction::new("slack::post", 1..=2, Effect::External, "", |_| Ok(Value::Null));
    let notify = HostFunction::new("notify", 0..=0, Effect::External, "", |_| Ok(Value::Null));
    let functions = [post.unwrap(), notify.unwrap()];
    let mut vars = Vars::new();
    vars.set("own", "x").unwrap();
    let files = Files(&[("ci/go.rhai", GO)]);
    errors_of(check(text.as_bytes(), "x", &files, &functions, &vars))
}

fn errors_of(found: Vec<Finding>) -> Vec<String> {
    let errors = found.into_iter().filter(|it| it.severity == Severity::Error);
    errors.map(|it| it.error.to_string()).collect()
}

/// Returns the warnings for a script without errors.
fn warnings(text: &str) -> Vec<String> {
    let found = check(text.as_bytes(), "x", &Files(&[]), &[], &Vars::new());
    let warnings = found.into_iter().map(|it| {
        assert_eq!(it.severity, Severity::Warning, "{text}\n{}", it.error);
        it.error.to_string()
    });
    warnings.collect()
}

/// Checks that a step's body has exactly one finding, at this column and with these words.
#[track_caller]
fn one(body: &str, column: usize, words: &str) {
    whole(&format!("fn build(ctx) {{\n{body}\n}}"), 2, column, words);
}

#[track_caller]
fn whole(text: &str, line: usize, column: usize, words: &str) {
    let found = found(text);
    let [only] = &found[..] else { panic!("{text}\n{found:#?}") };
    assert!(only.starts_with(&format!("x:{line}:{column}: ")), "{text}\n{only}");
    assert!(only.contains(words), "{text}\n{only}");
}

#[track_caller]
fn nothing(text: &str) {
    assert_eq!(found(text), [""; 0], "{text}");
}

#[test]
fn functions_that_do_not_exist_are_found_wherever_they_are_called() {
    one("shh(\"x\");", 1, "there is no function `shh`; did you mean `sh`?");
    one("notfy();", 1, "did you mean `notify`?");
    one("retry(3, || shh(\"x\"));", 13, "`shh`");
    one("parallel([1], |x| { if x == 1 { shh(x); } });", 33, "`shh`");
    one("sh(`a ${shh(1)} b`);", 9, "`shh`");
    one("sh(`a ${ if true { shh(1) } else { 2 } } b`);", 20, "`shh`");
    one("let m = #{ a: [shh(1)] };", 16, "`shh`");
    one("switch 1 { 1 => shh(1), _ => 2 }", 17, "`shh`");
    one("loop { break shh(1); }", 14, "`shh`");
    one("try { sh(\"a\"); } catch (e) { shh2(1, e); }", 30, "`shh2`");
    one("let f = || 1; f(2);", 15, "`f` is a variable; call the function in it with `f.call(…)`");
    one("build_it(ctx);", 1, "there is no function `build_it`");
    whole("const X = 1; fn build() { } fn f() { xyzzy(1) }", 1, 38, "`xyzzy`");
}

#[test]
fn a_property_with_a_reserved_name_is_told_what_it_is_called() {
    one("print(ctx.export);", 11, "`export` is reserved by the language; the export directory");
    one("let m = #{}; m.default = 1;", 16, "`default` is reserved by the language");
}

#[test]
fn the_environment_of_a_deployment_is_none_of_a_run() {
    one("sh(\"echo <%= environment %>\");", 4, "`environment` exists only in `deploy`");
    one("retry(2, || sh(\"echo <%= environment %>\"));", 16, "exists only in `deploy`");
    one("sh(\"echo <%= environment + 1 %>\");", 4, "`environment` exists only in `deploy`");
    one("sh(\"echo <%= ctx.environment %>\");", 4, "`ctx.environment` exists only in `deploy`");
    whole(
        "fn build() {}\nfn after_all() { sh(\"<%= environment %>\"); }",
        2,
        21,
        "only in `deploy`",
    );
    nothing("fn build() {} fn deploy() { retry(2, || sh(\"x <%= environment %>\")); }");
    nothing("fn build(ctx) { sh(\"x <%= if ctx.environment == () { 1 } else { 2 } %>\"); }");
    // It depends on the caller.
    nothing("fn build() {} fn show() { sh(\"x <%= environment %>\"); } fn deploy() { show(); }");
    nothing("fn build() { sh(\"x <%= environment %>\"); } fn deploy() { build(); }");
}

#[test]
fn tags_in_commands_are_read() {
    one("sh(\"echo <%= comit %>\");", 4, "did you mean `commit`?");
    one("retry(3, || try_sh(`echo <%= ctx.sjbect %>`));", 20, "did you mean `subject`?");
    one(
        "let v = capture(\"echo <%= sh(1) %>\");",
        17,
        "`sh` has an effect, and a placeholder can only read values",
    );
    one("sh(\"echo <%= commit\");", 4, "`%>` is missing");
    nothing(
        "fn build(ctx) { sh(\"echo <%= own %> <%= ctx.short + 1 %> <%%\"); print(\"<%= x %>\"); }",
    );
}

#[test]
fn numbers_of_arguments_are_checked() {
    one("sh();", 1, "`sh` takes 1 or 2 arguments, not 0: `sh(command, options?)`");
    one("retry(3, || sh(\"a\", 1, 2));", 13, "`sh` takes 1 or 2 arguments, not 3");
    one("notify(1);", 1, "`notify` takes no arguments, not 1");
    one("\"x\".starts_with();", 5, "`.starts_with` takes 1 argument, not 0");
    one("[1].fliter(|x| true);", 5, "there is no method `fliter`; did you mean `filter`?");
    whole("fn build() { f(1); } fn f(a, b) { } fn f() { }", 1, 14, "0 or 2 arguments, not 1");
    nothing(
        "fn build(ctx) { f(1); 2.g(); f(2, 3); } fn f(a) { } fn f(a, b) { } fn g() { this + 1 }",
    );
    nothing("fn build(ctx) { let m = #{ run: |x| x }; m.run(1); m.run.call(1); m.len(); }");
    nothing(
        "fn build(ctx) { let f = Fn(\"g\"); f.call(1); call(f, 1); f.curry(2).call(); } fn g(x) { }",
    );
    nothing(
        "fn build(ctx) { let a = [1, 2]; a.filter(|x| x in a).map(|x| -x).len(); type_of(a); }",
    );
}

#[test]
fn modules_are_known_by_what_they_hold() {
    let with = |body: &str| format!("import \"ci/go\" as golang;\nfn build(ctx) {{ {body} }}");
    nothing(&with("golang::build(1); golang::two(1, 2); slack::post(1); print(golang::N);"));
    for (body, words) in [
        ("golang::biuld(1);", "module `golang` has no function `biuld`; did you mean `build`?"),
        ("golang::build();", "`golang::build` takes 1 argument, not 0"),
        ("golang::own();", "`own` is private in `ci/go.rhai`"),
        ("golang::onw();", "module `golang` has no function `onw`"),
        ("print(golang::M);", "the module `golang` has no constant `M`"),
        ("print(golang::OWN);", "the constant `OWN` is private in `ci/go.rhai`"),
        ("parallel([1], golang::build);", "write `|name| golang::build(name)`"),
        ("print(slack::post);", "`slack::post` is a function of a module"),
        ("slack::pots(1);", "module `slack` has no function `pots`; did you mean `post`?"),
        ("slack::post();", "`slack::post` takes 1 or 2 arguments, not 0"),
    ] {
        let column = 17 + body.find("::").unwrap() + 2;
        whole(&with(body), 2, column, words);
    }
    nothing(&with(
        "print(golang::N + 1); parallel([1], |x| golang::build(x)); slack::post(golang::N);",
    ));
    nothing("import \"ci/go\" as golang;\nfn build(ctx) { print(f()); } fn f() { golang::N }");
    whole("const NAME = 1; fn build() { sh(global::NAMES) }", 1, 41, "did you mean `NAME`?");
    let errors = check(
        b"import \"a\" as a; fn build() { a::f(); }",
        "x",
        &Files(&[("a.rhai", "fn f() {\n  shh(1)\n}")]),
        &[],
        &Vars::new(),
    );
    let errors = errors_of(errors);
    assert_eq!(errors[0], "a.rhai:2:3: there is no function `shh`; did you mean `sh`?");
}

#[test]
fn the_context_is_asked_only_for_what_it_has() {
    one("sh(ctx.comit);", 8, "`ctx` has no property `comit`; did you mean `commit`?");
    one("sh(`a ${ctx.brunch}`);", 13, "did you mean `branch`?");
    one("sh(ctx.machine.so);", 16, "`ctx.machine` has no property `so`; did you mean `os`?");
    one("retry(2, || retry(2, || sh(ctx.xyzzy)));", 32, "it has commit, short, tree");
    one("if ctx.changed { sh(\"a\"); }", 8, "`ctx.changed` is a function");
    one("if ctx.chnaged(\"a\") { sh(\"a\"); }", 8, "did you mean `changed`?");
    one("if ctx.changed() { sh(\"a\"); }", 8, "takes 1 argument, not 0");
    one("sh(ctx.commit());", 8, "`ctx.commit` is not a function");
    one("if ctx.machine.hsa(\"go\") { }", 16, "did you mean `has`?");
    one("ctx.branch = \"x\";", 1, "read-only");
    whole("fn build(c) { sh(c.sah) }", 1, 20, "`sah`");
    whole("fn build(ctx) { f(ctx) } fn f(ctx) { sh(ctx.comit) }", 1, 45, "`comit`");
    nothing(
        "fn build(ctx) { sh(ctx.branch.to_upper()); ctx.tags[0].len(); ctx.failure?.code ?? 1; }",
    );
    nothing(
        "fn build(ctx) { ctx.machine.has(\"go\"); ctx.tags.map(|t| t.len()); ctx.changed([\"a\"]); }",
    );
    nothing("fn f(x) { x.anything } fn build() { let ctx = #{ own: 1 }; print(ctx.own); f(ctx) }");
    nothing("fn build() { [#{ a: 1 }].map(|ctx| ctx.a); }");
}

#[test]
fn names_that_are_nearly_a_phase_are_not_lost() {
    let with = |function: &str| format!("fn build() {{ }}\n{function}");
    for (name, hint) in [
        ("tset", "did you mean `test`?"),
        ("biuld", "did you mean `build`?"),
        ("after_test_sucess", "did you mean `after_test_success`?"),
        ("after_sucess", "did you mean `after_build_success` or `after_test_success`?"),
        ("depoly", "did you mean `deploy`?"),
        ("befor_build", "did you mean `before_build`?"),
    ] {
        whole(&with(&format!("fn {name}(ctx) {{ }}")), 2, 1, hint);
    }
    nothing("fn build() { biuld() } fn biuld() { }");
    nothing("fn build() { parallel([1], Fn(\"tests\")) } fn tests(x) { }");
    nothing("fn build() { } fn image(ctx) { 1 } fn compose() { }");
}

#[test]
fn arguments_that_are_written_out_are_judged() {
    one("sh(\"a\", #{ timout: \"5m\" });", 12, "no option `timout`; did you mean `timeout`?");
    one("capture(\"a\", #{ color: 1 });", 17, "the options are env, cwd, input");
    one("retry(3, || 1, #{ timeout: \"1s\" });", 19, "the options are backoff");
    one("sh(\"a\", #{ timeout: \"5x\" });", 21, "`timeout` takes a duration such as `\"90s\"`");
    one("timeout(\"soon\", || 1);", 9, "`limit` takes a duration");
    one("sh(\"a\", #{ cwd: \"../x\" });", 17, "inside the export directory, not `../x`");
    one("artifact(\"/etc/passwd\");", 10, "outside of the export directory");
    one("artifact([\"a\", \"../*\"]);", 16, "outside of the export directory");
    one("artifact(\"./dist/*\");", 10, "write `dist/*`");
    one("artifact([\"!*.map\", \"dist\"]);", 10, "begin with the files to keep");
    one("artifact([]);", 10, "no artifacts given");
    one("capture(\" \");", 9, "`capture` has no command");
    one("sh([]);", 4, "`sh` has no command");
    one("sh(\"a\", #{ timeout: 0 });", 21, "`timeout` takes a duration such as");
    one("timeout(\"0s\", || 1);", 9, "not `\"0s\"`");
    one("retry(3, sh(\"a\"));", 10, "this calls `sh` before `retry` begins; write `|| sh(…)`");
    one("defer(\"rm -rf x\");", 7, "`defer` takes a function here");
    one("exit();", 1, "`exit` is always an error");
}

/// Literals that a function refuses at run time are refused here too.
#[test]
fn literals_that_every_run_refuses_are_errors() {
    for (body, column, words) in [
        ("sh(5);", 4, "`sh` takes a string for the shell, or an array of a program"),
        ("try_sh(#{});", 8, "not a map"),
        ("sh(|| 1);", 4, "not a function"),
        ("sh([\"a\", [1]]);", 10, "as a program's arguments, not an array"),
        ("sh([\"a\", ()]);", 10, "not null"),
        ("sh([\"\", \"x\"]);", 4, "`sh` has no command"),
        ("sh(\"a\", \"5m\");", 9, "takes a map such as"),
        (
            "sh(\"a\", #{ retries: -1 });",
            21,
            "an int from 0 to 1000 as its option `retries`, not -1",
        ),
        ("sh(\"a\", #{ retries: 1001 });", 21, "not 1001"),
        ("sh(\"a\", #{ retries: \"2\" });", 21, "not a string"),
        ("sh(\"a\", #{ retries: 1.5 });", 21, "not a float"),
        ("sh(\"a\", #{ timeout: -1 });", 21, "not `-1`"),
        ("sh(\"a\", #{ timeout: 0.0 });", 21, "`timeout` takes a duration"),
        ("sh(\"a\", #{ timeout: true });", 21, "`timeout` takes a duration"),
        ("sh(\"a\", #{ backoff: \"x\" });", 21, "`backoff` takes a duration"),
        ("sh(\"a\", #{ env: #{ \"A=B\": 1 } });", 20, "`A=B` is not a valid variable name"),
        ("sh(\"a\", #{ env: #{ A: [1] } });", 23, "a secret or null (`()`) for `A`"),
        ("sh(\"a\", #{ env: [] });", 17, "a map of variables"),
        ("sh(\"a\", #{ cwd: \"/srv\" });", 17, "inside the export directory, not `/srv`"),
        (
            "sh(\"a\", #{ cwd: `/srv/${ctx.short}` });",
            17,
            "inside the export directory, not `/srv/…`",
        ),
        ("sh(\"a\", #{ cwd: 1 });", 17, "a string"),
        ("sh(\"a\", #{ input: 1 });", 19, "a string, bytes or a secret"),
        ("sh(\"a\", #{ label: 1 });", 19, "a string as its option `label`"),
        ("sh(\"a\", #{ quiet: 1 });", 19, "takes a bool"),
        ("sh(\"a\", #{ allow: \"3\" });", 19, "an int or an array"),
        ("sh(\"a\", #{ allow: [\"3\"] });", 20, "an exit code or an array"),
        ("sh(\"a\", #{ allow: 256 });", 19, "`256` is not an exit code"),
        ("sh(\"a\", #{ allow: [3, -1] });", 23, "`-1` is not an exit code"),
        ("\"a\".sh(#{ quiet: 1 });", 18, "takes a bool"),
        ("retry(0, || 1);", 7, "an int from 1 to 1000 as its attempts, not 0"),
        ("retry(\"3\", || 1);", 7, "not a string"),
        (
            "retry(2, |x| x);",
            10,
            "`retry` calls this function with no arguments, but the closure takes 1",
        ),
        ("timeout(|| 1, || 1);", 9, "`limit` takes a duration"),
        ("timeout(\"1m\", 5);", 15, "`timeout` takes a function here"),
        ("group(1, || 1);", 7, "a string as its name, not an int"),
        ("defer(|x| x);", 7, "calls this function with no arguments"),
        ("parallel(5);", 10, "`parallel` takes an array and a function"),
        ("parallel(3, |x| x);", 10, "`parallel` takes an array and a function"),
        ("parallel([1]);", 10, "`parallel` takes an array and a function"),
        ("parallel(#{ a: || 1 }, |x| x);", 10, "`parallel` takes an array and a function"),
        ("parallel(#{ a: 1 });", 16, "takes a function here"),
        ("parallel(#{ a: |x| x });", 16, "calls this function with no arguments"),
        ("parallel([1], || 1);", 15, "with 1 argument, but the closure takes no arguments"),
        ("let f = |a, b| a; parallel([1], f);", 33, "the closure takes 2 arguments"),
        ("matrix([1], |m| m);", 8, "a map of arrays such"),
        ("matrix(#{ a: 1 }, |m| m);", 14, "an array as its axis `a`, not an int"),
        ("matrix(#{ a: \"x\" }, |m| m);", 14, "an array as its axis `a`"),
        ("matrix(#{ a: [1] }, || 1);", 21, "with 1 argument"),
        ("skip(1);", 6, "as its reason, not an int"),
        ("fail(());", 6, "as its reason, not null"),
        ("env(1);", 5, "a string as its name"),
        ("q([]);", 3, "a string, a number, a bool or a character"),
        ("remember(1, 2);", 10, "a string as its key"),
        ("remember(\"a\", || 1);", 15, "not a function"),
        ("remember(\"a\", [1, || 1]);", 19, "not a function"),
        ("remember(\"a\", try_sh(\"x\"));", 15, "not an object"),
        ("recall(5);", 8, "a string as its key"),
        ("artifact(5);", 10, "a string"),
        ("artifact(\"../x\");", 10, "outside of the export directory"),
        ("sleep(\"soon\");", 7, "`time` takes a duration"),
        ("sleep(-1);", 7, "`time` takes a duration"),
        ("sleep(\"2h\");", 7, "the time limit of a step is 3600s"),
        ("Fn(\"nope\");", 4, "there is no function `nope`"),
        ("let f = |a| a; f.call();", 18, "the closure takes 1 argument, not 0"),
        ("ctx.changed(1);", 13, "a string or an array of strings"),
        ("ctx.changed([\"a\", 1]);", 13, "a string or an array of strings"),
        ("ctx.newest_tag(#{});", 16, "a string or an array of strings"),
        ("ctx.machine.has([]);", 17, "`ctx.machine.has` takes a string"),
    ] {
        one(body, column, words);
    }
    for fine in [
        "sh([\"a\", 1, 2.5, true, 'x']); sh(\"a\", #{ allow: [1, 2], retries: 0, env: #{ A: (), B: 1 } });",
        "retry(1, || 1); sleep(0); sleep(1.5); sleep(\"1h\"); timeout(90, || 1); defer(|| 1);",
        "let x = 1; retry(2, || x); parallel([x], |y| x + y); matrix(#{}, |m| m); parallel([], |m| m);",
        "let f = |a| a; f = |a, b| a; f.call(1, 2); let g = |a| a; g.call(1); g.curry(1).call();",
        "parallel([1], Fn(\"two\")); Fn(\"two\").call(1); let h = Fn(\"two\"); parallel([1], h);",
        "remember(\"a\", [1, #{ b: () }]); env(\"A\", []); recall(\"b\", || 1); q(1); q(true);",
        "sh(\"a\", #{ cwd: `a/${ctx.short}`, input: capture(\"b\"), label: `x${1}` });",
        "ctx.changed([\"a\", \"!b\"]); let two = 5; print(two);",
    ] {
        nothing(&format!("fn build(ctx) {{ {fine} }} fn two(x) {{ x }}"));
    }
    nothing("const TIMEOUT = \"3h\"; fn build() { sleep(\"2h\"); }");
    whole("const TIMEOUT = \"1m\"; fn build() { sleep(61); }", 1, 42, "a step is 60s");
    whole("fn f(a, b) { }\nfn build() { parallel([1], f); }", 2, 28, "but `f` takes 2 arguments");
}

/// A constant that was meant for tinyci but has no effect must not be lost silently.
#[test]
fn constants_that_are_nearly_known_are_errors_unless_they_are_read() {
    for (text, column, words) in [
        ("const DEPLOYS = #{ approve: true };", 7, "did you mean `DEPLOY`?"),
        ("const deploy = #{};", 7, "did you mean `DEPLOY`?"),
        ("const SECRET = [\"A\"];", 7, "did you mean `SECRETS`?"),
        ("const TIMEOUTS = \"1m\";", 7, "did you mean `TIMEOUT`?"),
        ("const WHENS = #{};", 7, "did you mean `WHEN`?"),
        ("fn f() { const DEPLOY = #{}; }", 16, "tinyci does not use `const DEPLOY` in a function"),
        ("fn f() { const WHENS = #{}; }", 16, "move `const WHEN` to the top"),
    ] {
        let text = format!("{text} fn build() {{ }}");
        whole(&text, 1, column, words);
        let error = Script::load(text.as_bytes(), "x", &Files(&[]), &[]).unwrap_err();
        assert!(error.message().contains(words), "{text}: {error}");
    }
    let read = "const DEPLOYS = [\"a\"]; fn build() { print(global::DEPLOYS); }";
    assert!(warnings(read)[0].contains("did you mean `DEPLOY`?"));
    assert!(
        warnings("const VERSION = 1; fn build() { }")[0].contains("nothing reads the constant")
    );
    // It is used, but incorrectly, and reported once.
    let read = b"const VERSION = 1; fn build() { print(VERSION); }";
    assert_eq!(check(read, "x", &Files(&[]), &[], &Vars::new()).len(), 1);
    for quiet in [
        "const VERSION = 1; const ALL = [VERSION]; fn build() { print(global::ALL); }",
        "fn build() { const deploy = 1; const DEPLOY = 2; print(DEPLOY); }",
        "const SECRETS = [\"A\"]; const DEPLOY = #{}; const TIMEOUT = \"1m\"; fn build() { }",
    ] {
        assert_eq!(warnings(quiet), [""; 0], "{quiet}");
    }
    let of_module = |module: &str, body: &str| {
        let text = format!("import \"a\" as a; fn build() {{ {body} }}");
        let files = [("a.rhai", module)];
        let found = check(text.as_bytes(), "x", &Files(&files), &[], &Vars::new());
        found.into_iter().map(|it| (it.severity, it.error.to_string())).collect::<Vec<_>>()
    };
    let found = of_module("const DEPLOY = #{ approve: true };", "");
    assert!(found[0].1.starts_with("a.rhai:1:7: tinyci does not use `const DEPLOY` in a file"));
    assert_eq!(found[0].0, Severity::Error);
    assert_eq!(of_module("export const DEPLOY = 1;", "print(a::DEPLOY);")[0].0, Severity::Warning);
    assert_eq!(of_module("const OTHER = 1;", "").len(), 0);
}

/// The language's own parser stops at the first one.
#[test]
fn all_unknown_names_are_told_at_once() {
    let text = "import \"a\" as a;\nfn build(ctx) { print(one); parallel([1], |x| x + two); \
                one += 1; nope::f(); print(zap::X); }\nfn f(list) { lits.len() }";
    let files = [("a.rhai", "fn g() { print(three); shh(1); }")];
    let errors = errors_of(check(text.as_bytes(), "x", &Files(&files), &[], &Vars::new()));
    let words =
        ["`one`", "`two`", "module `nope`", "module `zap`", "mean `list`?", "`three`", "`shh`"];
    assert_eq!(errors.len(), words.len(), "{errors:#?}");
    for (error, word) in errors.iter().zip(words) {
        assert!(error.contains(word), "{error}");
    }
    whole("fn build() { [1].map(f); } fn f(x) { x }", 1, 22, "is defined further down");
    let tests = found_in_tests("fn test_it(t) { t.expect(one); t.expect(two); }");
    assert_eq!(tests.len(), 2, "{tests:?}");
}

#[test]
fn back_quotes_fill_in_and_double_quotes_do_not() {
    one("sh(\"make ${ctx.commit}\");", 4, "`${ctx.commit}` is not replaced in double quotes");
    one("let name = 1; sh(\"a ${name}\");", 18, "`${name}`");
    one("retry(2, || sh(\"${ctx.commit}\"));", 16, "`${ctx.commit}`");
    nothing("fn build(ctx) { sh(\"echo ${HOME} ${1} ${x:-y} $PATH\"); sh(`a ${ctx.commit}`); }");
}

#[test]
fn methods_that_give_nothing_back_are_not_used_for_what_they_give() {
    one("let s = \"a\"; let t = s.trim();", 24, "`trim` changes the value itself");
    one("let s = \"a\"; sh(s.replace(\"a\", \"b\"));", 19, "`replace`");
    one("let s = \"a\"; print(s.trim().len());", 22, "`trim`");
    one("let s = \"a\"; if s.trim() == \"\" { }", 19, "`trim`");
    one("let l = [\" a\"].map(|s| s.trim());", 26, "`trim`");
    one("let l = []; let m = l.push(1);", 23, "`push`");
    nothing("fn build() { let s = \"a\"; s.trim(); s.replace(\"a\", \"b\"); sh(s); }");
    nothing("fn build() { let l = []; [1].for_each(|x| l.push(x)); print(l.len()); }");
    nothing("fn build() { trim(\"x\"); } fn trim(x) { x }");
}

#[test]
fn closures_that_a_loop_keeps_share_its_variable() {
    let words = "closures share the loop variable `i`";
    one("let l = []; for i in 0..3 { l.push(|| sh(`${i}`)); }", 36, words);
    one("let l = []; for i in 0..3 { l += || i; }", 34, words);
    one("let m = #{}; for i in 0..3 { m[`${i}`] = || i; }", 42, words);
    one("for i in 0..3 { defer(|| sh(`${i}`)); }", 23, words);
    nothing("fn build() { for i in 0..3 { retry(2, || sh(`${i}`)); [1].map(|x| x + i); } }");
    nothing("fn build() { let l = []; for i in 0..3 { l.push(|| 1); l.push(i); } }");
}

#[test]
fn branches_of_parallel_keep_what_they_change_to_themselves() {
    one("let n = 0; parallel([1], |x| { n += x; });", 32, "its own copy of `n`");
    one("let l = []; matrix(#{ a: [1] }, |m| l.push(m));", 37, "its own copy of `l`");
    one("let n = 0; parallel(#{ a: || { n = 1; } });", 32, "its own copy of `n`");
    nothing("fn build() { let n = 1; parallel([1], |x| { let m = n; m += x; m }); }");
}

#[test]
fn a_key_that_a_map_may_lack_is_asked_for_with_get() {
    let words = "write `.get(\"b\") ?? …`";
    one("let m = #{}; print(m?.b ?? 3);", 23, words);
    one("let m = #{}; let x = m.b ?? 3;", 24, words);
    one("let m = #{ a: #{} }; m.a.b ?? 3", 26, words);
    one("let m = #{ a: #{} }; sh(m?.a?.b ?? \"x\");", 31, words);
    one("let m = #{}; print(m[\"b\"] ?? 3);", 22, words);
    nothing("fn build(ctx) { let m = #{}; print(m.get(\"b\") ?? 3); print(m.len() ?? 1); }");
    nothing("fn build(ctx) { print(ctx.branch ?? \"none\"); print(ctx.failure?.code ?? 1); }");
    nothing("fn build(ctx) { let f = ctx.failure; f?.code ?? 1; try_sh(\"a\").code ?? 2; }");
    nothing("fn after_test_failure(ctx) { for f in ctx.failures { warn(f.label ?? f.at); } }");
    nothing("fn build() { try { sh(\"a\"); } catch (e) { print(e.place ?? e.failures.len()); } }");
    nothing("fn build() { let l = [()]; l[0] ?? 1; try { sh(\"a\") } catch (e) { e.code ?? 1 } }");
}

#[test]
fn statements_that_do_nothing_are_named() {
    one("let clean = 1; clean; sh(\"a\");", 16, "`clean` alone does nothing");
    one("\"make\"; sh(\"a\");", 1, "a string alone does nothing; run a command with `sh(…)`");
    one("\"make\"", 1, "a string alone does nothing");
    one("if true { \"a\"; sh(\"b\"); }", 11, "a string alone");
    one("let a = 1; a == 2; sh(\"x\");", 12, "the comparison `==`");
    nothing(
        "fn build(ctx) { sh(image(ctx)); } fn image(ctx) { `fml:${ctx.commit}` } fn f(x) { x }",
    );
    nothing("fn build(ctx) { let x = if true { \"a\" } else { \"b\" }; sh(x); }");
}

#[test]
fn secrets_and_free_texts_stay_out_of_commands() {
    let with = |body: &str| format!("const SECRETS = [\"KEY\"];\nfn build(ctx) {{ {body} }}");
    nothing(&with("sh(\"a\", #{ env: #{ KEY: secret(\"KEY\") }, input: secret(\"KEY\") });"));
    whole(&with("sh(\"a\", #{ input: secret(\"KYE\") });"), 2, 42, "does not name `KYE`");
    whole(&with("sh(`a ${secret(\"KEY\")}`);"), 2, 25, "cannot be part of a string");
    whole(&with("sh(\"a \" + secret(\"KEY\"));"), 2, 27, "cannot be part of a string");
    one("sh(`echo ${ctx.subject}`);", 16, "write `\"$TINYCI_SUBJECT\"` in the command");
    nothing("fn build(ctx) { sh(`echo ${q(ctx.subject)} ${ctx.branch}`); sh([ctx.author]); }");
}

/// A deployment that waits has had no effect, and deferred functions have nothing to clean
/// up.
#[test]
fn nothing_runs_before_an_approval() {
    let deploy = |body: &str| format!("fn build() {{ sh(\"b\"); }}\nfn deploy(ctx) {{ {body} }}");
    for (body, words) in [
        ("sh(\"a\"); approve(\"?\"); sh(\"b\");", "`sh` runs before `approve`"),
        ("let v = capture(\"a\"); approve(v);", "`capture` runs before"),
        ("remember(\"a\", 1); approve(\"?\");", "`remember` runs before"),
        ("artifact(\"a\"); approve(\"?\");", "`artifact` runs before"),
        ("discard_export(); approve(\"?\");", "`discard_export` runs before"),
        ("notify(); approve(\"?\");", "`notify` runs before"),
        ("slack::post(1); approve(\"?\");", "`slack::post` runs before"),
        ("group(\"a\", || sh(\"x\")); approve(\"?\");", "`sh` runs before"),
        ("sh(\"a\"); if ctx.short == \"\" { approve(\"?\"); }", "`sh` runs before"),
        ("act(); approve(\"?\");", "`act` runs before"),
        ("sh(\"a\"); ask();", "`sh` runs before"),
        ("retry(2, || { sh(\"a\"); approve(\"?\"); });", "`sh` runs before"),
    ] {
        let text = deploy(body) + " fn act() { sh(\"x\"); } fn ask() { approve(\"?\"); }";
        let found = found(&text);
        assert!(found.len() == 1 && found[0].contains(words), "{body}: {found:?}");
    }
    for body in [
        "approve(\"?\"); sh(\"b\");",
        "print(1); defer(|| print(2)); approve(recall(\"a\", \"?\")); sh(\"b\");",
        "if ctx.short == \"\" { sh(\"a\"); return; } approve(\"?\"); sh(\"b\");",
        "group(\"a\", || approve(\"?\")); sh(\"b\");",
        "ask(); act();",
    ] {
        nothing(&(deploy(body) + " fn act() { sh(\"x\"); } fn ask() { approve(\"?\"); }"));
    }
}

/// Deferred functions do not run while a deployment waits, but they run after a refusal.
#[test]
fn what_is_deferred_before_an_approval_is_told_of() {
    let found = warnings("fn build() { } fn deploy() { defer(|| sh(\"a\")); approve(\"?\"); }");
    assert!(found.len() == 1 && found[0].contains("if a person refuses"), "{found:?}");
    let quiet =
        "fn build() { } fn deploy() { defer(|| print(1)); approve(\"?\"); defer(|| sh(\"a\")); }";
    assert_eq!(warnings(quiet), [""; 0]);
}

#[test]
fn only_what_deploy_calls_can_ask_for_an_approval() {
    let words = "only `deploy` can ask for an approval";
    one("approve(\"?\");", 1, words);
    one("retry(2, || approve(\"?\"));", 13, words);
    whole("fn test() { ask(); } fn deploy() { }\nfn ask() { approve(\"?\"); }", 2, 12, words);
    nothing("fn test() { } fn deploy() { ask(); } fn ask() { approve(\"?\"); }");
    nothing("fn test() { ask(); } fn deploy() { ask(); } fn ask() { approve(\"?\"); }");
}

/// A task ends with `return`. An approval that one task waits for would not stop the
/// others.
#[test]
fn tasks_and_what_is_deferred_cannot_skip_or_ask() {
    for (body, column, words) in [
        ("parallel([1], |x| skip(\"a\"));", 19, "`skip` cannot be called in a task of `parallel`"),
        ("parallel([1], |x| { if x == 1 { skip(\"a\"); } });", 33, "`return` to end the task"),
        ("parallel(#{ a: || skip(\"a\") });", 19, "task of `parallel`"),
        ("matrix(#{ a: [1] }, |m| skip(\"a\"));", 25, "task of `matrix`"),
        ("defer(|| skip(\"a\"));", 10, "in a deferred function"),
        ("let f = |x| skip(\"a\"); parallel([1], f);", 13, "task of `parallel`"),
        ("parallel([1], |x| retry(2, || skip(\"a\")));", 31, "task of `parallel`"),
        ("parallel([1], |x| gate());", 19, "`gate` calls `skip`"),
        ("parallel([1], |x| outer());", 19, "`outer` calls `skip`"),
        ("parallel(#{ a: Fn(\"gate\") });", 16, "`gate` calls `skip`"),
        ("defer(Fn(\"gate\"));", 7, "`gate` calls `skip`"),
        ("[1].parallel(|x| skip(\"a\"));", 18, "task of `parallel`"),
    ] {
        let text = format!(
            "fn build(ctx) {{\n{body}\n}}\nfn gate() {{ skip(\"a\"); }} fn outer() {{ gate(); }}"
        );
        whole(&text, 2, column, words);
    }
    let deploy = "fn build() { }\nfn deploy() { parallel([1], |x| approve(\"?\")); }";
    whole(deploy, 2, 33, "`approve` cannot be called in a task of `parallel`");
    nothing(
        "fn build() { if true { gate(); } parallel([1], |x| fail(\"a\")); } fn gate() { skip(1 + \"\"); }",
    );
    nothing(
        "fn build() { retry(2, || skip(\"a\")); group(\"a\", || skip(\"b\")); [1].map(|x| skip(\"c\")); }",
    );
    let module = [("a.rhai", "fn gate() { skip(\"a\"); }")];
    let text = b"import \"a\" as a; fn build() { parallel([1], |x| a::gate()); }";
    let errors = errors_of(check(text, "x", &Files(&module), &[], &Vars::new()));
    assert!(errors[0].contains("`gate` calls `skip`"), "{errors:?}");
}

#[test]
fn try_and_catch_give_no_value() {
    let words = "`try` and `catch` have no value";
    one("try { sh(\"a\"); \"ok\" } catch { }", 16, words);
    one("let v = 1; try { v += 1; } catch { v }", 36, words);
    one("try { if true { 1 } else { sh(\"a\"); } } catch { }", 17, words);
    one("try { sh(\"a\"); } catch (e) { e.code }", 30, words);
    let ending = "fn f() { try { capture(\"a\") } catch { capture(\"b\") } }";
    for (body, column) in [("print(f());", 7), ("let x = f();", 9), ("sh(`${f() + 1}`);", 7)] {
        whole(&format!("{ending}\nfn build() {{\n{body}\n}}"), 3, column, "`f` ends with `try`");
    }
    one(
        "let x = retry(2, || { try { capture(\"a\") } catch { warn(\"b\"); } });",
        18,
        "this ends with `try`",
    );
    nothing(&format!("{ending} fn build() {{ f(); if true {{ f(); }} }}"));
    nothing("fn f() { try { return capture(\"a\"); } catch { } } fn build() { print(f()); }");
    nothing("fn f() { let v = 1; try { v = 2; } catch { } v } fn build() { print(f()); }");
    nothing("fn build() { try { sh(\"a\"); } catch (e) { warn(e.code); } }");
}

#[test]
fn every_placeholder_of_a_text_is_looked_at() {
    let errors = found("fn build() { sh(\"a <%= comit %> <%= short %> <%= brnch %>\"); }");
    assert_eq!(errors.len(), 2, "{errors:?}");
}

#[test]
fn a_placeholder_that_can_never_be_text_is_refused() {
    for (tag, words) in [
        ("[1]", "its value is an array"),
        ("#{ a: 1 }", "its value is a map"),
        ("()", "its value is null"),
        ("ctx.tags", "its value is an array"),
        ("ctx.machine", "its value is an object"),
        ("ctx.failure", "its value is an object"),
    ] {
        one(&format!("sh(\"echo <%= {tag} %>\");"), 4, words);
    }
    nothing(
        "fn build(ctx) { sh(\"<%= ctx.tag %> <%= ctx.machine.os %> <%= ctx.tags[0] %> <%= 1 + 1 %>\"); }",
    );
}

#[test]
fn a_text_of_several_lines_ends_at_a_failure_or_is_told_of() {
    let found = warnings("fn build(ctx) { sh(`\n  make ${ctx.short}\n  make test\n`); }");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("x:1:20: if `make …` fails, the shell still runs the next line"));
    assert!(warnings("fn build() { try_sh(\"a\\nb\"); }")[0].contains("call `try_sh` for each"));
    for fine in [
        "sh(`set -e\nmake\nmake test`);",
        "sh(`\n  make \\\n   test\n`);",
        "sh(`make ${ctx.short}\n`);",
        "sh(`${ctx.short}\nmake\nmake`);",
        "sh([\"a\", \"b\\nc\"]);",
    ] {
        assert_eq!(warnings(&format!("fn build(ctx) {{ {fine} }}")), [""; 0], "{fine}");
    }
}

#[test]
fn every_finding_shows_its_line() {
    let errors = check(b"fn build(ctx) {\n\tshh(1);\n}", "ci.rhai", &Files(&[]), &[], &Vars::new());
    assert_eq!(
        errors[0].error.report(),
        "there is no function `shh`; did you mean `sh`?\n  --> ci.rhai:2:2\n   |\n 2 | \tshh(1);\n   | \t^"
    );
}

#[test]
fn what_cannot_be_loaded_is_the_only_finding() {
    whole("fn build( { }", 1, 11, "");
    whole("fn buidl() { }", 1, 1, "did you mean `build`?");
    whole("import \"no\" as no; fn build() { shh() }", 1, 1, "cannot import `no.rhai`");
}

/// Checking a very long script takes time proportional to its length.
#[test]
fn long_and_hostile_scripts_end_soon() {
    let repeated = |text: &str| text.repeat(100_000 / text.len());
    let in_build = |body: String| format!("import \"ci/go\" as golang; fn build(ctx) {{ {body} }}");
    let calls = in_build(repeated("golang::build(1); sh(\"a\"); "));
    assert_eq!(found(&calls).len(), 0);
    let branches = in_build("parallel([1], |x| x);\n".repeat(1_000));
    assert_eq!(found(&branches).len(), 0);
    let faults = in_build(repeated("shh(1);\n"));
    assert_eq!(found(&faults).len(), FINDINGS_MAX);
    let many: String = (0..5_000).map(|n| format!("fn f{n}() {{}}\n")).collect();
    assert_eq!(found(&(many + "fn build() { }")).len(), 0);
    let deep = in_build(format!("{}1{}", "retry(1, || ".repeat(10), ")".repeat(10)));
    assert_eq!(found(&deep), [""; 0]);
}

/// Every text gets an answer.
#[test]
fn damaged_scripts_never_panic() {
    let text = "import \"ci/go\" as golang;\nconst SECRETS = [\"A\"];\nfn build(ctx) {\n  let l = [];\n  \
                for i in 0..3 { l.push(|| sh(`a ${ctx.commit} ${i}`)); }\n  golang::build(l[0]);\n  \
                switch ctx.branch { \"a\" => 1, _ => loop { break l.len(); } }\n}\n";
    for (index, letter) in text.char_indices() {
        for patch in ["", "`", "}", "|x| "] {
            let mut damaged = text.to_owned();
            damaged.replace_range(index..index + letter.len_utf8(), patch);
            found(&damaged);
        }
    }
}

/// Returns the findings in the file of tests `x`, without their excerpts.
fn found_in_tests(text: &str) -> Vec<String> {
    let notify = HostFunction::new("notify", 0..=0, Effect::External, "", |_| Ok(Value::Null));
    let functions = [notify.unwrap()];
    let errors =
        check_tests(text.as_bytes(), "x", &Files(&[("ci/go.rhai", GO)]), &functions, &Vars::new());
    errors_of(errors)
}

#[test]
fn a_file_of_tests_has_what_tests_have() {
    let good = r#"
import "ci/go" as ci;
fn commit() { #{ branch: "main" } }
fn test_all(t) {
    t.fake("make *", #{ output: "x" });
    let result = t.build(commit());
    t.expect(result.ok, "it is");
    t.expect_equal(result.count("make *"), 1);
    t.expect_ran(t.run().step("test"), "make *", 2);
    ci::build("x");
    print(result.output.len());
}"#;
    assert_eq!(found_in_tests(good), [""; 0]);
    for (body, column, words) in [
        ("t.expect_rna(t.build(), \"x\");", 3, "there is no method `expect_rna`; did you mean"),
        ("t.expect_equal(1);", 3, "`.expect_equal` takes 2 arguments, not 1"),
        ("t.build(1, 2);", 3, "`.build` takes 0 or 1 arguments, not 2"),
        ("t.build().count();", 11, "`.count` takes 1 argument, not 0"),
        ("t.build(#{ brunch: \"x\" });", 12, "a commit has no `brunch`; did you mean `branch`?"),
        ("t.run(#{ tags: 5 });", 10, "tags"),
        ("let b = 1; t.deploy(#{ branhc: b, branch: b });", 24, "a commit has no `branhc`"),
        ("sh(\"make\");", 1, "`sh` is for pipelines and cannot be called in a test"),
        ("notify();", 1, "there is no function `notify`"),
        ("helper(t);", 1, "there is no function `helper`"),
    ] {
        let found = found_in_tests(&format!("fn test_it(t) {{\n{body}\n}}"));
        let [only] = &found[..] else { panic!("{body}\n{found:#?}") };
        assert!(only.starts_with(&format!("x:2:{column}: ")), "{body}\n{only}");
        assert!(only.contains(words), "{body}\n{only}");
    }
    let found = found_in_tests("fn test_it() { }");
    assert!(found[0].contains("a test takes one parameter; write `fn test_it(t)`"), "{found:?}");
    assert!(found_in_tests("fn test_it(t) { t.expect(truth); }")[0].contains("truth"));
}
