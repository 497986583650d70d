//! `tinyci check`.

use std::{fs, io::Write, process::Stdio};

use tempfile::TempDir;

use crate::support::{
    TestRepo,
    program::{Said, run, run_in, tinyci},
};

fn folder_with(config: &str) -> TempDir {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join(".tinyci.yml"), config).unwrap();
    dir
}

#[test]
fn a_valid_config_is_valid_in_silence_too() {
    let dir = folder_with("build: make\ntest: make check\nhooks:\n  after_all: make clean\n");
    assert_eq!(run_in(dir.path(), &["check"]).with_code(0).out, ".tinyci.yml is valid\n");
    assert_eq!(run_in(dir.path(), &["check", "-q"]).with_code(0).out, "");
    let here = dir.path().to_str().unwrap();
    assert!(run_in("/".as_ref(), &["check", "-D", here]).with_code(0).out.contains(here));
}

#[test]
fn an_error_shows_the_place_and_what_would_be_right() {
    let dir = folder_with("build: make\ntest: [\n");
    let said = run_in(dir.path(), &["check"]).with_code(1);
    assert!(said.out.starts_with(".tinyci.yml:"), "{}", said.out);

    let dir = folder_with("build: make\nhooks:\n  befor_build: x\n");
    let said = run_in(dir.path(), &["check"]).with_code(1);
    let lines: Vec<_> = said.out.lines().collect();
    assert!(lines[0].starts_with(".tinyci.yml:3:3: "), "{}", said.out);
    assert!(lines[0].contains("before_build"), "{}", said.out);
    assert_eq!(lines[1..], ["  befor_build: x", "  ^"]);
}

#[test]
fn what_a_run_forgives_is_refused_here() {
    let dir = folder_with("build: make\ncolour: red\n");
    let said = run_in(dir.path(), &["check", "--json"]).with_code(1);
    let report: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(report["v"], 1);
    assert_eq!(report["valid"], false);
    assert_eq!(
        (&report["problems"][0]["line"], &report["problems"][0]["column"]),
        (&2.into(), &1.into())
    );
    assert!(report["problems"][0]["message"].as_str().unwrap().contains("colour"));
}

#[test]
fn standard_input_is_a_file_too() {
    let mut child = tinyci("/".as_ref())
        .args(["check", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(b"build: 5\n").unwrap();
    let said = Said::of(&child.wait_with_output().unwrap()).with_code(1);
    assert!(said.out.starts_with("<stdin>:1:8: "), "{}", said.out);
    assert!(said.out.ends_with("\nbuild: 5\n       ^\n"), "{}", said.out);
}

/// What `tinyci check -` says of a text that an editor holds.
#[cfg(feature = "rhai")]
fn checked(dir: &std::path::Path, args: &[&str], text: &str) -> Said {
    let mut child = tinyci(dir)
        .args(["check", "-"])
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    Said::of(&child.wait_with_output().unwrap())
}

#[cfg(feature = "rhai")]
#[test]
fn standard_input_is_a_script_where_its_name_says_so() {
    let repo = TestRepo::new();
    repo.write("ci/a.rhai", "fn old() { sh(\"make\"); }\n");
    repo.commit("old");
    repo.write("ci/a.rhai", "fn fresh() { sh(\"make\"); }\n");
    let (old, new) = ["old", "fresh"]
        .map(|name| format!("import \"ci/a\" as a;\nfn build(ctx) {{ a::{name}(); }}\n"))
        .into();
    let named = ["--stdin-filename", ".tinyci.rhai"];
    assert_eq!(checked(repo.path(), &named, &new).with_code(0).out, ".tinyci.rhai is valid\n");
    let said = checked(repo.path(), &named, &old).with_code(1);
    assert!(said.out.starts_with(".tinyci.rhai:2:20: the module `a` has no function `old`"));
    // In a commit its own files are imported.
    let of_commit = [&named[..], &["--commit", "HEAD"]].concat();
    checked(repo.path(), &of_commit, &old).with_code(0);
    let said = checked(repo.path(), &of_commit, &new).with_code(1);
    assert!(said.out.starts_with(".tinyci.rhai:2:20: the module `a` has no function `fresh`"));
    assert!(said.out.contains("fn build(ctx) { a::fresh(); }"), "{}", said.out);
    let tests = ["--name", "x.test.rhai"];
    checked(repo.path(), &tests, "fn test_it(t) { t.expect(true); }").with_code(0);
    checked(repo.path(), &["--name", "ci.yml"], "build: make\n").with_code(0);

    let refused = run(&repo, &["check", "ci/a.rhai", "--stdin-filename", "x"]).with_code(2);
    assert!(refused.err.contains("tinyci check - --stdin-filename FILE"), "{}", refused.err);
    run(&repo, &["check", "ci/a.rhai", "--commit", "HEAD"]).with_code(2);
    run(&repo, &["check", "--stdin-filename", "x"]).with_code(2);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let dir = TempDir::new().unwrap();
    let said = run_in(dir.path(), &["check"]).with_code(2);
    assert!(said.err.contains(".tinyci.yml") && said.err.contains("--commit"), "{}", said.err);
    run_in(dir.path(), &["check", "nowhere.yml"]).with_code(2);
}

#[test]
fn bytes_that_are_no_text_have_a_place() {
    let dir = TempDir::new().unwrap();
    fs::write(dir.path().join("bad.yml"), b"build: caf\xe9\n").unwrap();
    let said = run_in(dir.path(), &["check", "bad.yml"]).with_code(1);
    assert!(said.out.starts_with("bad.yml:1:11: "), "{}", said.out);
}

#[test]
fn a_commits_own_config_is_checked() {
    let repo = TestRepo::new();
    repo.commit_config("build: 5\n");
    repo.commit_config("build: make\n");
    run(&repo, &["check", "--commit", "HEAD"]).with_code(0);
    let said = run(&repo, &["check", "-c", "HEAD~1"]).with_code(1);
    assert!(said.out.starts_with("HEAD~1:.tinyci.yml:1:8: "), "{}", said.out);
    run(&repo, &["check", "-c", "nothing"]).with_code(2);
}

#[test]
fn a_script_is_checked_with_what_it_imports() {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", "import \"ci/a\" as a;\nfn build(ctx) { a::make(ctx); }\n");
    repo.write("ci/a.rhai", "fn make(ctx) {\n\tretry(2, || shh(\"make\"));\n}\n");
    let said = run(&repo, &["check"]).with_code(1);
    let message = "there is no function `shh`; did you mean `sh`?";
    let lines = "   |\n 2 | \tretry(2, || shh(\"make\"));\n   | \t            ^\n";
    assert_eq!(said.out, format!("ci/a.rhai:2:14: {message}\n{lines}"));
    let commit = repo.commit("script");
    let said = run(&repo, &["check", "--commit", "HEAD"]).with_code(1);
    assert_eq!(said.out, format!("HEAD:ci/a.rhai:2:14: {message}\n{lines}"));
    let json = run(&repo, &["check", "--json", "-c", &commit]).with_code(1).out;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["problems"][0]["file"], format!("{commit}:ci/a.rhai"));
    assert_eq!(report["problems"][0]["column"], 14);

    repo.write("ci/a.rhai", "fn make(ctx) { sh(`make ${ctx.commit}`); }\n");
    assert_eq!(run(&repo, &["check"]).with_code(0).out, ".tinyci.rhai is valid\n");
    repo.write(".tinyci.yml", "build: make\n");
    let said = run(&repo, &["check"]).with_code(2);
    assert!(said.err.contains("a commit may have only one"), "{}", said.err);
    assert!(run(&repo, &["check", ".tinyci.rhai"]).with_code(0).out.contains("is valid"));
}

#[cfg(feature = "rhai")]
#[test]
fn expressions_in_tags_are_read_and_not_run() {
    use tinyci::{Format, Value, callback::Effect, check::Checker};
    let check = |tag: &str| {
        let config = format!("build:\n  - make\n  - echo <%= {tag} %>\n");
        let checker = Checker::new(".")
            .var("release", "42")
            .function("host::today", 0..=0, Effect::Pure, "", |_| Ok(Value::from("x")))
            .function("wipe", 0..=0, Effect::External, "", |_| panic!("nothing is run"));
        let report = checker.check(config, Format::Yaml, ".tinyci.yml").unwrap();
        report.problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for fine in [
        "ctx.parents[0]",
        "ctx.branch ?? \"none\"",
        "ctx.short + \"-\" + release",
        "if ctx.changed(\"a\") { 1 } else { 2 }",
        "host::today()",
        "ctx.tags.len()",
    ] {
        assert_eq!(check(fine), [""; 0], "{fine}");
    }
    for (broken, words) in [
        ("ctx.parents[0", "`ctx.parents[0` is not a valid placeholder"),
        ("ctx.brunch", "`ctx` has no property `brunch`; did you mean `branch`?"),
        ("ctx.machine.so", "did you mean `os`?"),
        ("ctx.short + relaese", "there is no variable `relaese`"),
        ("ctx.short.lenn()", "there is no method `lenn`"),
        ("evn(\"A\")", "there is no function `evn`; did you mean `env`?"),
        ("env()", "`env` takes 1 or 2 arguments, not 0"),
        ("ctx.changed()", "takes 1 argument, not 0"),
        ("host::tody()", "did you mean `today`?"),
        ("hst::today()", "there is no module `hst`"),
        ("sh(\"x\")", "`sh` has an effect, and a placeholder can only read values"),
        ("\"x\".sh()", "`sh` has an effect"),
        ("wipe()", "`wipe` has an effect"),
        ("let x = 1", "a placeholder cannot run Ruby code"),
        ("`uname`", "write strings in double quotes"),
        (&"1+".repeat(3_000), "at most 4096 bytes"),
    ] {
        let found = check(broken);
        assert_eq!(found.len(), 1, "{broken}: {found:?}");
        assert!(found[0].starts_with("3:10: "), "{}", found[0]);
        assert!(found[0].contains(words), "{broken}: {}", found[0]);
    }
}

#[test]
fn what_a_deployment_alone_has_is_refused_in_a_run() {
    let dir = folder_with(
        "build: echo <%= environment %>\ntest: echo <%= ctx.environment %>\n\
         deploy: echo <%= environment %>\n",
    );
    let said = run_in(dir.path(), &["check"]).with_code(1);
    let lines = [
        ".tinyci.yml:1:13: the placeholder `environment` exists only in `deploy` (there are author, ",
        ".tinyci.yml:2:12: `ctx.environment` is not a valid placeholder: \
         `ctx.environment` exists only in `deploy`; ",
    ];
    for line in lines {
        assert!(said.out.lines().any(|found| found.starts_with(line)), "{}", said.out);
    }
    assert!(!said.out.contains(":3:"), "{}", said.out);
}

#[test]
fn a_repository_that_placeholders_cannot_name_is_a_warning() {
    let repo = TestRepo::new();
    repo.commit_config("build: make\n");
    assert_eq!(run(&repo, &["check"]).with_code(0).err, "");
    let spaced = repo.outside().join("my sites");
    fs::rename(repo.path(), &spaced).unwrap();
    for args in [&["check"][..], &["check", "--commit", "main"]] {
        let said = run_in(&spaced, args).with_code(0);
        assert!(said.err.contains("\"$TINYCI_EXPORT\""), "{}", said.err);
    }
}

#[test]
fn what_is_perhaps_not_meant_is_a_warning_and_no_error() {
    let dir = folder_with(
        "build: {run: make, when: {branch: main}}\ntest: {run: make test, when: {branch: dev}}\n\
         hooks: {after_all: echo <%= tag %>}\n",
    );
    let said = run_in(dir.path(), &["check"]).with_code(0);
    let lines: Vec<_> = said.out.lines().collect();
    assert!(lines[0].starts_with("warning: .tinyci.yml:2:13: no commit can be green"));
    assert!(
        lines[3].starts_with("warning: .tinyci.yml:3:20: `after_all` uses the placeholder `tag`")
    );
    assert_eq!(lines.last(), Some(&".tinyci.yml is valid"));
    assert_eq!(run_in(dir.path(), &["check", "-q"]).with_code(0).out, "");
    let json = run_in(dir.path(), &["check", "--json"]).with_code(0).out;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let problems = report["problems"].as_array().unwrap();
    let severities: Vec<_> = problems.iter().map(|it| it["severity"].as_str().unwrap()).collect();
    assert_eq!((&report["valid"], &problems[0]["line"]), (&true.into(), &2.into()));
    assert_eq!(severities, ["warning", "warning"]);

    // Whoever wants to hear of nothing more fails on warnings too, in silence as well.
    let said = run_in(dir.path(), &["check", "--strict"]).with_code(1);
    assert_eq!(said.out.matches("warning: ").count(), 2, "{}", said.out);
    assert!(!said.out.contains("is valid"), "{}", said.out);
    let quiet = run_in(dir.path(), &["check", "--strict", "-q"]).with_code(1);
    assert_eq!(quiet.out, said.out);
    run_in(dir.path(), &["check", "--strict", "--json"]).with_code(1);
    let fine = folder_with("build: make\n");
    run_in(fine.path(), &["check", "--strict"]).with_code(0);

    let dir = folder_with(
        "build: 5x\nhooks: {after_all: echo <%= tag %>}\ntest: echo <%= nope %>\nbiuld: x\n",
    );
    let json = run_in(dir.path(), &["check", "--json"]).with_code(1).out;
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    let found = report["problems"].as_array().unwrap().iter();
    let found: Vec<_> = found.map(|it| (it["line"].clone(), it["severity"].clone())).collect();
    let expected = [(2, "warning"), (3, "error"), (4, "error")];
    assert_eq!(found, expected.map(|(line, severity)| (line.into(), severity.into())));
}

#[cfg(feature = "rhai")]
#[test]
fn a_script_that_reads_its_ref_is_told_where() {
    let repo = TestRepo::new();
    for (reading, column) in [
        ("if ctx.branch == \"main\" { skip(\"x\"); }", 6),
        ("print(ctx.tags[0]);", 9),
        ("let x = ctx.tags.len();", 11),
        ("print(ctx.newest_tag(\"v*\"));", 9),
        ("print(env(\"TINYCI_BRANCH\"));", 9),
        ("sh(\"echo <%= branch %>\");", 6),
        ("sh(\"echo <%= ctx.tags[0] %>\");", 6),
        ("parallel([1], |it| print(ctx.branch));", 29),
    ] {
        let script =
            format!("import \"a\" as a;\nfn build(ctx) {{\n  {reading}\n  print(ctx.tags);\n}}\n");
        repo.write(".tinyci.rhai", script);
        repo.write("a.rhai", "fn f(ctx) { ctx.branch }\n");
        let said = run(&repo, &["check"]).with_code(0);
        let warnings: Vec<_> = said.out.lines().filter(|it| it.starts_with("warning: ")).collect();
        assert_eq!(warnings.len(), 1, "{reading}: {}", said.out);
        let place = warnings[0].trim_start_matches("warning: .tinyci.rhai:3:");
        let place: u32 = place.split(':').next().unwrap().parse().unwrap();
        assert!(place >= column && place <= column + 6, "{reading}: {}", said.out);
    }
    let of_module = "import \"a\" as a;\nfn build(ctx) { a::f(ctx); }\n";
    repo.write(".tinyci.rhai", of_module);
    assert!(run(&repo, &["check"]).out.starts_with("warning: a.rhai:1:"));
    repo.commit("module");
    let said = run(&repo, &["check", "-c", "HEAD"]).with_code(0);
    assert!(said.out.starts_with("warning: HEAD:a.rhai:1:"), "{}", said.out);

    let quiet = "fn build(ctx) { sh(`make ${ctx.short}`); }\n\
                 fn deploy(ctx) { if ctx.branch != \"main\" { skip(\"no\"); } sh(\"x\"); }\n";
    repo.write(".tinyci.rhai", quiet);
    assert_eq!(run(&repo, &["check"]).with_code(0).out, ".tinyci.rhai is valid\n");
    let tag = "fn build() { sh(\"echo <%= tag %>\"); }\n";
    repo.write(".tinyci.rhai", tag);
    assert!(run(&repo, &["check"]).out.contains("the placeholder `tag` fails its step"));
    repo.write(".tinyci.rhai", format!("const WHEN = #{{ tag: \"v*\" }};\n{tag}"));
    assert!(!run(&repo, &["check"]).out.contains("fails its step"));
}

#[cfg(feature = "rhai")]
#[test]
fn a_placeholder_in_parts_is_told() {
    let repo = TestRepo::new();
    let check = |body: &str| {
        repo.write(".tinyci.rhai", format!("fn build() {{\n{body}\n}}\n"));
        run(&repo, &["check"]).with_code(0).out
    };
    for (body, column) in [
        ("let x = 1; sh(`echo <%= ${x} %>`);", 15),
        ("let x = 1; sh(\"echo <%= \" + x + \" %>\");", 15),
        ("let t = \"<%= sho\"; sh(t + \"rt %>\");", 9),
        ("retry(2, || capture(`<%= a <%= ${1} %>`));", 21),
    ] {
        let said = check(body);
        let place = format!("warning: .tinyci.rhai:2:{column}: the `%>` of this `<%=");
        assert!(said.starts_with(&place), "{body}: {said}");
    }
    assert!(
        !check("sh(`echo <%= short %> ${1} <%%= x`); sh(\"<%= short %>\");").contains("warning")
    );
}

/// A constant that was meant for tinyci would otherwise be lost without a word, and with it an
/// approval: so it is an error by every way, and not only to who asks.
#[cfg(feature = "rhai")]
#[test]
fn a_misspelt_constant_is_an_error_by_every_way() {
    let module = "import \"ci/a\" as a;\n";
    for (name, constant, in_module) in [
        ("DEPLOYS", "const DEPLOYS = #{ approve: true };\n", ""),
        ("deploy", "const deploy = #{ approve: true };\n", ""),
        ("WHENS", "const WHENS = #{ branch: \"main\" };\n", ""),
        ("DEPLOY", module, "const DEPLOY = #{ approve: true };\n"),
        ("SECRET", module, "export const SECRET = [\"A\"];\n"),
    ] {
        let repo = TestRepo::new();
        repo.write("ci/a.rhai", in_module);
        repo.write(".tinyci.test.rhai", "fn test_it(t) { t.expect(t.build().ok); }\n");
        let script = "fn build() { sh(\"true\"); }\nfn deploy() { sh(\"touch \\\"$TINYCI_REPO/deployed\\\"\"); }\n";
        repo.write(".tinyci.rhai", format!("{constant}{script}"));
        let commit = repo.commit("one");
        let said = format!("tinyci does not use `const {name}`");
        for (args, code) in [
            (&["check"][..], 1),
            (&["check", "--commit", "HEAD"], 1),
            (&["plan", "HEAD"], 4),
            (&["test-pipeline"], 1),
            (&["run", "--all"], 1),
            (&["run", "--commit", "HEAD", "--retry"], 1),
            (&["deploy", "HEAD", "--force", "--yes"], 4),
        ] {
            let told = run(&repo, args).with_code(code);
            assert!(format!("{}{}", told.out, told.err).contains(&said), "{args:?}: {}", told.out);
        }
        assert_eq!(repo.verdict(&commit).as_deref(), Some("failure"));
        assert!(
            !repo.path().join("deployed").exists() && !repo.path().join(".git/deployed").exists()
        );
    }
}

/// What is an error for its literals alone would be one of every run, and nothing else is.
#[cfg(feature = "rhai")]
#[test]
fn what_check_refuses_a_run_refuses_too() {
    let bodies = [
        "sh(\"true\", #{ retries: -1 });",
        "sh(\"true\", #{ timeout: 0 });",
        "sh(\"true\", #{ timout: 1 });",
        "sh([]);",
        "sh(\"true\", #{ env: #{ \"A=B\": 1 } });",
        "sh(\"true\", #{ cwd: \"/\" });",
        "sh(\"true\", #{ cwd: \"..\" });",
        "sh(\"true\", #{ allow: \"1\" });",
        "retry(0, || 1);",
        "retry(1, |x| x);",
        "timeout(\"soon\", || 1);",
        "sleep(-1);",
        "parallel(3, |x| x);",
        "parallel([1], || 1);",
        "matrix(#{ a: 1 }, |m| m);",
        "remember(\"a\", || 1);",
        "secret(\"NOT_NAMED\");",
        "parallel([1], |x| skip(\"x\"));",
        "matrix(#{ a: [1] }, |m| gate());",
        "defer(|| skip(\"x\"));",
        "approve(\"?\");",
        "sh(\"echo <%= [1] %>\");",
        "sh(\"echo <%= ctx.parents %>\");",
        "print(one);",
        "parallel([1], a::own);",
        "print(a::HIDDEN);",
        "a::own_alone();",
    ];
    let repo = TestRepo::new();
    repo.write("ci/a.rhai", "const HIDDEN = 1; fn own(x) { x } private fn own_alone() { 1 }\n");
    for body in bodies {
        let script = format!(
            "import \"ci/a\" as a;\nfn build(ctx) {{ {body} }}\nfn gate() {{ skip(\"x\"); }}\n"
        );
        repo.write(".tinyci.rhai", script);
        let commit = repo.commit(body);
        run(&repo, &["check"]).with_code(1);
        run(&repo, &["run", "--commit", "HEAD"]).with_code(1);
        assert_eq!(repo.verdict(&commit).as_deref(), Some("failure"), "{body}");
    }
}
