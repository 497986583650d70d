//! What is found, where, and what is left alone.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::{
    function::{Effect, Value},
    script::imports::TreeFile,
};

/// The files of a commit, as a list.
struct Files<'a>(&'a [(&'a str, &'a str)]);

impl Tree for Files<'_> {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        Ok(found.map_or(TreeFile::Absent, |(_, text)| TreeFile::File(text.as_bytes().to_vec())))
    }
}

const GO: &str = "export const N = 1; fn build(name) { } private fn own() { } fn two(a, b) { }";

fn found(text: &str) -> Vec<String> {
    let post =
        HostFunction::new("slack::post", 1..=2, Effect::External, "", |_| Ok(Value::Nothing));
    let notify = HostFunction::new("notify", 0..=0, Effect::External, "", |_| Ok(Value::Nothing));
    let functions = [post.unwrap(), notify.unwrap()];
    let mut vars = Vars::new();
    vars.set("own", "x").unwrap();
    let errors = check(text.as_bytes(), "x", &Files(&[("ci/go.rhai", GO)]), &functions, &vars);
    errors.iter().map(ToString::to_string).collect()
}

/// Exactly one thing is found in the body of a phase, at this column, with these words.
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
    one("let f = || 1; f(2);", 15, "`f` is a variable: call what it holds with `f.call(…)`");
    one("build_it(ctx);", 1, "there is no function `build_it`");
    whole("const X = 1; fn build() { } fn f() { xyzzy(1) }", 1, 38, "`xyzzy`");
}

#[test]
fn a_property_with_a_reserved_name_is_told_what_it_is_called() {
    one("print(ctx.export);", 11, "`export` is reserved by the language; the folder of the export");
    one("let m = #{}; m.default = 1;", 16, "`default` is reserved by the language");
}

#[test]
fn the_environment_of_a_deployment_is_none_of_a_run() {
    one("sh(\"echo <%= environment %>\");", 4, "`environment` exists in `deploy` only");
    one("retry(2, || sh(\"echo <%= environment %>\"));", 16, "exists in `deploy` only");
    one("sh(\"echo <%= environment + 1 %>\");", 4, "`environment` exists in `deploy` only");
    one("sh(\"echo <%= ctx.environment %>\");", 4, "`ctx.environment` exists in `deploy` only");
    whole("fn build() {}\nfn after_all() { sh(\"<%= environment %>\"); }", 2, 21, "`deploy` only");
    nothing("fn build() {} fn deploy() { retry(2, || sh(\"x <%= environment %>\")); }");
    nothing("fn build(ctx) { sh(\"x <%= if ctx.environment == () { 1 } else { 2 } %>\"); }");
    // Who calls a function decides.
    nothing("fn build() {} fn show() { sh(\"x <%= environment %>\"); } fn deploy() { show(); }");
    nothing("fn build() { sh(\"x <%= environment %>\"); } fn deploy() { build(); }");
}

#[test]
fn tags_in_commands_are_read() {
    one("sh(\"echo <%= comit %>\");", 4, "did you mean `commit`?");
    one("retry(3, || try_sh(`echo <%= ctx.sjbect %>`));", 20, "did you mean `subject`?");
    one("let v = capture(\"echo <%= sh(1) %>\");", 17, "`sh` acts, and a tag only looks things up");
    one("sh(\"echo <%= commit\");", 4, "is not closed by `%>`");
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
    one("[1].fliter(|x| true);", 5, "nothing has a method `fliter`; did you mean `filter`?");
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
        ("golang::own();", "module `golang` has no function `own`"),
        ("slack::pots(1);", "module `slack` has no function `pots`; did you mean `post`?"),
        ("slack::post();", "`slack::post` takes 1 or 2 arguments, not 0"),
    ] {
        let column = 17 + body.find("::").unwrap() + 2;
        whole(&with(body), 2, column, words);
    }
    whole("const NAME = 1; fn build() { sh(global::NAMES) }", 1, 41, "did you mean `NAME`?");
    let errors = check(
        b"import \"a\" as a; fn build() { a::f(); }",
        "x",
        &Files(&[("a.rhai", "fn f() {\n  shh(1)\n}")]),
        &[],
        &Vars::new(),
    );
    assert_eq!(errors[0].to_string(), "a.rhai:2:3: there is no function `shh`; did you mean `sh`?");
}

#[test]
fn the_context_is_asked_only_for_what_it_has() {
    one("sh(ctx.sah);", 8, "`ctx` has nothing called `sah`; did you mean `sha`?");
    one("sh(`a ${ctx.brunch}`);", 13, "did you mean `branch`?");
    one("sh(ctx.host.so);", 13, "`ctx.host` has nothing called `so`; did you mean `os`?");
    one("retry(2, || retry(2, || sh(ctx.xyzzy)));", 32, "it has sha, short, tree");
    one("if ctx.changed { sh(\"a\"); }", 8, "`ctx.changed` is a function");
    one("if ctx.chnaged(\"a\") { sh(\"a\"); }", 8, "did you mean `changed`?");
    one("if ctx.changed() { sh(\"a\"); }", 8, "takes 1 argument, not 0");
    one("sh(ctx.sha());", 8, "`ctx.sha` is no function");
    one("if ctx.host.hsa(\"go\") { }", 13, "did you mean `has`?");
    one("ctx.branch = \"x\";", 1, "read-only");
    whole("fn build(c) { sh(c.sah) }", 1, 20, "`sah`");
    whole("fn build(ctx) { f(ctx) } fn f(ctx) { sh(ctx.sah) }", 1, 45, "`sah`");
    nothing(
        "fn build(ctx) { sh(ctx.branch.to_upper()); ctx.tags[0].len(); ctx.failure?.code ?? 1; }",
    );
    nothing(
        "fn build(ctx) { ctx.host.has(\"go\"); ctx.tags.map(|t| t.len()); ctx.changed([\"a\"]); }",
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
    one("capture(\"a\", #{ color: 1 });", 17, "there are env, cwd, input");
    one("retry(3, || 1, #{ timeout: \"1s\" });", 19, "there are backoff");
    one("sh(\"a\", #{ timeout: \"5x\" });", 21, "`timeout` takes a time such as `\"90s\"`");
    one("timeout(\"soon\", || 1);", 9, "`limit` takes a time");
    one("sh(\"a\", #{ cwd: \"../x\" });", 17, "below the export, not `../x`");
    one("artifact(\"/etc/passwd\");", 10, "below the export");
    one("artifact([\"a\", \"../*\"]);", 16, "below the export");
    one("artifact(\"./dist/*\");", 10, "write `dist/*`");
    one("artifact([\"!*.map\", \"dist\"]);", 10, "begin with what to keep");
    one("artifact([]);", 10, "empty");
    one("capture(\" \");", 9, "`capture` has no command");
    one("sh([]);", 4, "`sh` has no command");
    one("sh(\"a\", #{ timeout: 0 });", 21, "`timeout` takes a time such as");
    one("timeout(\"0s\", || 1);", 9, "not `\"0s\"`");
    one("retry(3, sh(\"a\"));", 10, "this calls `sh` before `retry` begins: write `|| sh(…)`");
    one("defer(\"rm -rf x\");", 7, "`defer` takes a function here");
    one("exit();", 1, "`exit` is always an error");
}

#[test]
fn back_quotes_fill_in_and_double_quotes_do_not() {
    one("sh(\"make ${ctx.sha}\");", 4, "`${ctx.sha}` is not filled in between double quotes");
    one("let name = 1; sh(\"a ${name}\");", 18, "`${name}`");
    one("retry(2, || sh(\"${ctx.sha}\"));", 16, "`${ctx.sha}`");
    nothing("fn build(ctx) { sh(\"echo ${HOME} ${1} ${x:-y} $PATH\"); sh(`a ${ctx.sha}`); }");
}

#[test]
fn methods_that_give_nothing_back_are_not_used_for_what_they_give() {
    one("let s = \"a\"; let t = s.trim();", 24, "`trim` changes what it is called on");
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
    nothing("fn build() { let l = [()]; l[0] ?? 1; try { sh(\"a\") } catch (e) { e.code ?? 1 } }");
}

#[test]
fn statements_that_do_nothing_are_named() {
    one("let clean = 1; clean; sh(\"a\");", 16, "`clean` alone does nothing");
    one("\"make\"; sh(\"a\");", 1, "a text alone does nothing; a command is run by `sh(…)`");
    one("\"make\"", 1, "a text alone does nothing");
    one("if true { \"a\"; sh(\"b\"); }", 11, "a text alone");
    one("let a = 1; a == 2; sh(\"x\");", 12, "`==` compares");
    nothing("fn build(ctx) { sh(image(ctx)); } fn image(ctx) { `fml:${ctx.sha}` } fn f(x) { x }");
    nothing("fn build(ctx) { let x = if true { \"a\" } else { \"b\" }; sh(x); }");
}

#[test]
fn secrets_and_free_texts_stay_out_of_commands() {
    let with = |body: &str| format!("const SECRETS = [\"KEY\"];\nfn build(ctx) {{ {body} }}");
    nothing(&with("sh(\"a\", #{ env: #{ KEY: secret(\"KEY\") }, input: secret(\"KEY\") });"));
    whole(&with("sh(\"a\", #{ input: secret(\"KYE\") });"), 2, 42, "does not name `KYE`");
    whole(&with("sh(`a ${secret(\"KEY\")}`);"), 2, 25, "cannot be part of a text");
    whole(&with("sh(\"a \" + secret(\"KEY\"));"), 2, 27, "cannot be part of a text");
    one("sh(`echo ${ctx.subject}`);", 16, "write `\"$TINYCI_SUBJECT\"` in the command");
    nothing("fn build(ctx) { sh(`echo ${q(ctx.subject)} ${ctx.branch}`); sh([ctx.author]); }");
}

#[test]
fn nothing_runs_before_an_approval() {
    let words = "`sh` stands before `approve`";
    whole("fn deploy(ctx) { sh(\"a\"); approve(\"?\"); sh(\"b\"); }", 1, 18, words);
    nothing("fn deploy(ctx) { approve(\"?\"); sh(\"b\"); } fn build() { sh(\"a\"); }");
}

#[test]
fn every_finding_shows_its_line() {
    let errors = check(b"fn build(ctx) {\n\tshh(1);\n}", "ci.rhai", &Files(&[]), &[], &Vars::new());
    assert_eq!(
        errors[0].report(),
        "there is no function `shh`; did you mean `sh`?\n  --> ci.rhai:2:2\n   |\n 2 | \tshh(1);\n   | \t^"
    );
}

#[test]
fn what_cannot_be_loaded_is_the_only_finding() {
    whole("fn build( { }", 1, 11, "");
    whole("fn buidl() { }", 1, 1, "did you mean `build`?");
    whole("import \"no\" as no; fn build() { shh() }", 1, 1, "no file `no.rhai`");
}

/// A script that is long on purpose is judged in time that grows with its length.
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

/// Whatever the text, there is an answer.
#[test]
fn damaged_scripts_never_panic() {
    let text = "import \"ci/go\" as golang;\nconst SECRETS = [\"A\"];\nfn build(ctx) {\n  let l = [];\n  \
                for i in 0..3 { l.push(|| sh(`a ${ctx.sha} ${i}`)); }\n  golang::build(l[0]);\n  \
                switch ctx.branch { \"a\" => 1, _ => loop { break l.len(); } }\n}\n";
    for (index, letter) in text.char_indices() {
        for patch in ["", "`", "}", "|x| "] {
            let mut damaged = text.to_owned();
            damaged.replace_range(index..index + letter.len_utf8(), patch);
            found(&damaged);
        }
    }
}

/// What is found in the file of tests `x`, without the place of what is in it.
fn found_in_tests(text: &str) -> Vec<String> {
    let notify = HostFunction::new("notify", 0..=0, Effect::External, "", |_| Ok(Value::Nothing));
    let functions = [notify.unwrap()];
    let errors =
        check_tests(text.as_bytes(), "x", &Files(&[("ci/go.rhai", GO)]), &functions, &Vars::new());
    errors.iter().map(ToString::to_string).collect()
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
        ("t.expect_rna(t.build(), \"x\");", 3, "nothing has a method `expect_rna`; did you mean"),
        ("t.expect_equal(1);", 3, "`.expect_equal` takes 2 arguments, not 1"),
        ("t.build(1, 2);", 3, "`.build` takes 0 or 1 arguments, not 2"),
        ("t.build().count();", 11, "`.count` takes 1 argument, not 0"),
        ("sh(\"make\");", 1, "`sh` is for pipelines, and a test runs nothing itself"),
        ("notify();", 1, "there is no function `notify`"),
        ("helper(t);", 1, "there is no function `helper`"),
    ] {
        let found = found_in_tests(&format!("fn test_it(t) {{\n{body}\n}}"));
        let [only] = &found[..] else { panic!("{body}\n{found:#?}") };
        assert!(only.starts_with(&format!("x:2:{column}: ")), "{body}\n{only}");
        assert!(only.contains(words), "{body}\n{only}");
    }
    let found = found_in_tests("fn test_it() { }");
    assert!(found[0].contains("a test takes one parameter: `fn test_it(t)`"), "{found:?}");
    assert!(found_in_tests("fn test_it(t) { t.expect(truth); }")[0].contains("truth"));
}
