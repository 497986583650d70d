//! Tests of which scripts load and which do not.

use std::time::Duration;

use super::*;
use crate::model::{error::ErrorKind, function::Effect, script::TreeFile};

/// The files of a commit.
struct Files<'a>(&'a [(&'a str, &'a str)]);

impl Tree for Files<'_> {
    fn entry(&self, path: &str) -> Result<TreeFile, Error> {
        let found = self.0.iter().find(|(name, _)| *name == path);
        Ok(match found {
            Some((_, "-> link")) => TreeFile::Link,
            Some((_, text)) => TreeFile::File(text.as_bytes().to_vec()),
            None => TreeFile::Absent,
        })
    }
}

fn load(text: &str, files: &[(&str, &str)]) -> Result<Script, Error> {
    let post = HostFunction::new("slack::post", 1..=2, Effect::External, "", |_| Ok(Value::Null));
    let notify = HostFunction::new("notify", 0..=0, Effect::External, "", |_| Ok(Value::Null));
    let functions = [post.unwrap(), notify.unwrap()];
    Script::load(text.as_bytes(), ".tinyci.rhai", &Files(files), &functions)
}

fn error(text: &str) -> String {
    let error = load(text, &[]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Script, "{error}");
    error.to_string()
}

#[test]
fn phases_are_functions_by_name_and_arity() {
    let script =
        load("fn build(ctx) { sh(\"a\"); } fn test() {} fn deploy(ctx) {} fn x(a, b) {}", &[]);
    let script = script.unwrap();
    let steps: Vec<_> = script.pipeline().steps().map(|step| step.name.to_string()).collect();
    assert_eq!(steps, ["build", "test", "deploy"]);
    assert!(script.pipeline().deploy().is_some() && script.step("x").is_none());
    assert!(script.step("build").unwrap().takes_context);
    assert!(!script.step("test").unwrap().takes_context);
    assert_eq!(script.timeout, TIMEOUT);
}

#[test]
fn only_imports_constants_and_functions_stand_at_the_top() {
    let step = "\nfn build() {}";
    for good in
        ["const A = 1;", "const A = [1, #{ a: \"x\" }, -1, 2 + 3];", ";", "export const B = 2;"]
    {
        assert!(load(&format!("{good}{step}"), &[]).is_ok(), "{good}");
    }
    for (bad, expected) in [
        ("let a = 1;", ".tinyci.rhai:1:1: `let` cannot"),
        ("  sh(\"x\");", ".tinyci.rhai:1:3: outside of functions only"),
        ("const A = sh(\"x\");", ".tinyci.rhai:1:11: a constant at the top"),
        ("const A = [1, \"x\".len()];", "a constant at the top"),
        ("if true { }", "outside of functions only"),
        ("for i in 0..9 { }", "outside of functions only"),
        ("try { } catch { }", "outside of functions only"),
    ] {
        let text = error(&format!("{bad}{step}"));
        assert!(text.contains(expected), "{bad}: {text}");
    }
}

#[test]
fn constants_are_read_without_running_anything() {
    let script = load(
        "const TIMEOUT = \"90s\"; const SECRETS = [\"A\", \"B\"];
         const DEPLOY = #{ branch: \"main\", environment: [\"a\", \"b\"], approve: true };
         fn build() {}",
        &[],
    )
    .unwrap();
    assert_eq!(script.timeout, Duration::from_secs(90));
    assert_eq!(script.secrets, ["A", "B"]);
    let deploy = DeployRules {
        branch: vec!["main".into()],
        environment: vec!["a".into(), "b".into()],
        approve: true,
        auto: false,
    };
    assert_eq!(script.deploy, deploy);
    for (bad, expected) in [
        ("const TIMEOUT = 90;", "`const TIMEOUT` takes a literal duration"),
        ("const TIMEOUT = \"0s\";", "`const TIMEOUT` takes a literal duration"),
        ("const TIMEOUT = \"1\" + \"s\";", "`const TIMEOUT` takes a literal duration"),
        ("const SECRETS = [1];", "`const SECRETS` takes a literal array"),
        ("const DEPLOY = #{ brunch: \"x\" };", "did you mean `branch`?"),
        ("const DEPLOY = #{ approve: 1 };", "a bool for `approve`"),
    ] {
        let text = error(&format!("{bad} fn build() {{}}"));
        assert!(text.contains(expected), "{bad}: {text}");
    }
}

#[test]
fn what_is_wrong_is_told_in_plain_words_and_with_its_place() {
    for (bad, expected) in [
        ("", "has no step such as `build`"),
        ("fn biuld() {}", "`biuld` is not a step; did you mean `build`?"),
        ("fn build(a, b) {}", "takes `ctx` or no parameters, not 2 parameters"),
        ("fn build() {} fn build(ctx) {}", "with and without `ctx`"),
        ("fn build() {} fn sh(x) {}", "`sh` is a function of tinyci"),
        ("fn build() {} fn notify() {}", "`notify` is a function of the embedding program"),
        ("fn build() { let export = 1; }", "the export directory is `ctx.export_dir`"),
        ("fn build() { let match = 1; }", "the word `match` is reserved"),
        ("fn build() { sh(ctx.commit); }", "pass `ctx` as one"),
        ("const X = 1; fn build() { sh(X); }", "write `global::X`"),
        ("fn build() { slakc::post(1); }", "there is no module `slakc`"),
        ("fn build() { sh('make'); }", "write a string in double quotes"),
        ("fn build() { clean; }", "there is no variable `clean` here"),
        ("fn build() { sh; }", "`sh` is a function; call it"),
        ("fn build() { eval(\"1\"); }", "a script cannot run a string as code"),
        ("fn build() { let x = try { 1 } catch { 2 }; }", "`try` has no value"),
        ("fn build() { let m = #{ go: 1 }; }", "put a map's key in quotes"),
        ("fn build(m) { m.default }", "the word `default` is reserved"),
        ("fn build() { @ }", "`@` has no meaning"),
    ] {
        let text = error(bad);
        assert!(text.contains(expected), "{bad}: {text}");
    }
    let report = load("fn build() {\n\tlet go = 1;\n}", &[]).unwrap_err().report();
    let lines: Vec<_> = report.lines().collect();
    assert_eq!(
        lines[1..],
        ["  --> .tinyci.rhai:2:6", "   |", " 2 | \tlet go = 1;", "   | \t    ^"],
        "{report}"
    );
}

/// Builds of rhai without optimization have far lower default limits.
#[test]
fn ordinary_depths_are_parsed_in_every_build() {
    let terms = format!("fn build(ctx) {{ sh(\"a\" {}); }}", "+ \"b\" ".repeat(40));
    assert!(load(&terms, &[]).is_ok());
    let blocks = format!("fn build() {{ {} {} }}", "if true { ".repeat(15), "}".repeat(15));
    assert!(load(&blocks, &[]).is_ok());
    for deep in ["(", "[", "-", "!", "#{ a: ", "|| ", "if ", "while { ", "sh(", "`${"] {
        let text = format!("fn build() {{ {} }}", deep.repeat(10_000));
        let text = error(&text);
        assert!(text.starts_with(".tinyci.rhai:1:"), "{deep}: {text}");
    }
}

#[test]
fn a_host_s_module_and_constants_are_known_to_functions() {
    assert!(load("const X = 1; fn build() { slack::post(global::X); notify(); }", &[]).is_ok());
}

#[test]
fn imports_are_read_once_from_the_tree() {
    let files = [
        ("ci/a.rhai", "import \"ci/b\" as b; fn f() { b::f() }"),
        ("ci/b.rhai", "export const N = 1; fn f() { 1 }"),
    ];
    let text = "import \"ci/a\" as a; import \"ci/b.rhai\" as b; fn build() { a::f(); b::f(); }";
    let script = load(text, &files).unwrap();
    assert_eq!(script.modules.keys().collect::<Vec<_>>(), ["ci/a.rhai", "ci/b.rhai"]);
}

#[test]
fn imports_that_leave_the_tree_or_turn_in_circles_are_refused() {
    let import = |path: &str| format!("import \"{path}\" as x;\nfn build() {{ }}");
    for (path, expected) in [
        ("/etc/passwd", ".tinyci.rhai:1:1: `/etc/passwd` cannot be imported"),
        ("../x", "cannot be imported"),
        ("ci/../../x", "cannot be imported"),
        ("absent", "cannot import `absent.rhai`: the commit has no such file"),
        ("link", "symbolic link"),
        ("circle", "circle: circle.rhai → other.rhai → circle.rhai"),
        (".tinyci", "circle: .tinyci.rhai → .tinyci.rhai"),
        ("top", "top.rhai:1:1: outside of functions only"),
        ("mine", "mine.rhai:1:1: `sh` is a function of tinyci"),
    ] {
        let files = [
            ("link.rhai", "-> link"),
            ("circle.rhai", "import \"other\" as o;"),
            ("other.rhai", "fn f() { import \"circle\" as c; }"),
            ("top.rhai", "print(1);"),
            ("mine.rhai", "fn sh(c) { }"),
        ];
        let text = load(&import(path), &files).unwrap_err().to_string();
        assert!(text.contains(expected), "{path}: {text}");
    }
    let computed = "fn build() { let p = \"a\"; import p + \"b\" as x; }";
    assert!(error(computed).contains("literal string in quotes"));
    let many: String = (0..40).map(|n| format!("import \"m{n}\" as m{n};\n")).collect();
    let files: Vec<(String, &str)> = (0..40).map(|n| (format!("m{n}.rhai"), "")).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (&**name, *text)).collect();
    let text = load(&(many + "fn build() {}"), &files).unwrap_err().to_string();
    assert!(text.contains(":33:1: more than 32 modules"), "{text}");
}

/// The parser's time grows with the square of the number of names in a file.
#[test]
fn a_file_of_very_many_closures_is_refused_with_its_place() {
    let text = format!("fn build(ctx) {{\n{}}}\n", "defer(|| sh(ctx.commit));\n".repeat(9_500));
    let text = error(&text);
    let place = text.split(':').nth(1).and_then(|line| line.parse::<usize>().ok());
    assert!(place.is_some_and(|line| (2_000..9_500).contains(&line)), "{text}");
    assert!(text.contains("too many functions, closures and variables in this file"), "{text}");
}
