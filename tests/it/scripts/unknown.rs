//! What a plan does not know: it says so, ends where that is looked at, and comes to an end itself.

use tinyci::{Engine, Outcome, Value, callback::Effect, plan::DryRun};

use crate::support::TestRepo;

const ENDS: &str = "the rest depends on the output of `cat VERSION`; pass it with `--assume`";

/// The plan of a build that has the output of a command in `v`.
fn build(statement: &str, assume: &[(String, String)]) -> DryRun {
    let text = format!(
        "fn build(ctx) {{\n    let v = capture(\"cat VERSION\");\n    {statement};\n    \
         sh(\"last\");\n}}\nfn test(ctx) {{ sh(\"make test\"); }}\n"
    );
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", text);
    repo.commit("script");
    engine(&repo).dry_run("HEAD", assume).unwrap()
}

fn engine(repo: &TestRepo) -> Engine {
    Engine::builder(repo.path())
        .function("queue::length", 0..=0, Effect::External, "", |_| Ok(Value::from(3)))
        .open()
        .unwrap()
}

fn acts(dry_run: &DryRun, step: usize) -> Vec<String> {
    dry_run.steps[step].actions.iter().map(ToString::to_string).collect()
}

/// Every kind of look, and some that a script or the language would swallow.
#[test]
fn whoever_looks_at_what_is_unknown_ends_the_dry_run_of_the_step() {
    let looks = [
        "v == \"1\"",
        "\"1\" != v",
        "v < \"2\"",
        "v in [\"1\"]",
        "\"1\" in v",
        "switch v { \"1\" => sh(\"one\"), _ => sh(\"other\") }",
        "switch [v] { [\"1\"] => 1, _ => 2 }",
        "if v { }",
        "while v { }",
        "v.split(\".\")",
        "v.len",
        "v.len()",
        "v.is_empty()",
        "v.contains(\"1\")",
        "v.starts_with(\"1\")",
        "parse_int(v)",
        "v.trim()",
        "v.replace(\"a\", \"b\")",
        "if v[0] == '1' { }",
        "if v[-1] == '1' { }",
        "if v[0..2] == \"v1\" { }",
        "for letter in v.chars() { }",
        "for letter in v { }",
        "for letter in `a${v}` { break; }",
        "let m = #{ a: 1 }; let x = m[v]",
        "let m = #{}; m[`k-${v}`] = 1",
        "[v, \"a\"].sort()",
        "[v].contains(\"a\")",
        "#{ a: v } == #{ a: \"1\" }",
        "sh(\"x\", #{ cwd: v })",
        "exists(v)",
        "read(v)",
        "ctx.changed(v)",
        "ctx.newest_tag(v)",
        "ctx.machine.has(v)",
        "sleep(v)",
        "remember(v, 1)",
        "try { if v == \"1\" { } } catch { sh(\"caught\") }",
        "retry(3, || v.len())",
        "[2, 1].sort(|a, b| if v == \"1\" { a - b } else { b - a })",
        "parallel([1], |x| if v == \"1\" { })",
        "group(\"a\", || v + \"x\" == \"y\")",
    ];
    for look in looks {
        let dry_run = build(look, &[]);
        let step = &dry_run.steps[0];
        assert_eq!((step.ends.as_deref(), step.outcome), (Some(ENDS), None), "{look}");
        assert_eq!(acts(&dry_run, 0), ["$ cat VERSION  (assuming success, output unknown)"]);
        assert_eq!(dry_run.outcome, None, "{look}");
        // What follows is what would be done if it passed.
        assert_eq!(acts(&dry_run, 1), ["$ make test"], "{look}");
        let known = build(look, &[("cat *".to_owned(), "1".to_owned())]);
        assert_eq!(known.steps[0].ends, None, "{look}");
    }
}

#[test]
fn what_is_only_passed_on_is_shown_and_ends_nothing() {
    let shown = "⟨output of `cat VERSION`⟩";
    for (statement, act) in [
        ("sh(`tag ${v}`)", format!("$ tag {shown}")),
        ("sh([\"tag\", \"v\" + v])", format!("$ tag v{shown}")),
        ("let s = \"\"; s += v; sh([\"tag\", s])", format!("$ tag {shown}")),
        ("let l = []; l.push(v); sh([\"tag\"] + l)", format!("$ tag {shown}")),
        ("let m = #{ v: v }; sh([\"tag\", m.v])", format!("$ tag {shown}")),
        ("sh([\"tag\"] + [v].map(|x| x + \"!\"))", format!("$ tag {shown}!")),
        ("sh(q(v))", format!("$ '{shown}'")),
        ("warn(v)", format!("warn(\"{shown}\")")),
        ("sh(\"x\", #{ env: #{ V: v }, input: v, label: v })", format!("[{shown}] $ x")),
    ] {
        let dry_run = build(statement, &[]);
        assert_eq!(dry_run.outcome, Some(Outcome::Success), "{statement}");
        assert_eq!(acts(&dry_run, 0)[1..], [act, "$ last".to_owned()], "{statement}");
    }
    let passed = build("let it = try_sh(\"x\"); if !it.ok || it.code != 0 { fail(\"no\") }", &[]);
    assert_eq!(passed.outcome, Some(Outcome::Success), "every command is taken to pass");
    let failed = build("fail(\"bad \" + v)", &[]);
    assert_eq!(failed.steps[0].reason, Some(format!("bad {shown}")));
}

/// What a function gives back that is not called has no known type either.
#[test]
fn the_result_of_a_function_that_is_not_called_is_unknown() {
    let ends = "the rest depends on the result of the function `queue::length`";
    for look in [
        "if queue::length() > 3 { }",
        "if queue::length() == 0 { }",
        "if queue::length() { }",
        "if !queue::length() { }",
        "for i in queue::length() { }",
        "let x = queue::length().field",
        "let x = queue::length() * 2",
    ] {
        let dry_run = build(look, &[]);
        assert_eq!(dry_run.steps[0].ends.as_deref(), Some(ends), "{look}");
    }
    let dry_run = build("queue::length(); sh(`echo ${queue::length()}`)", &[]);
    assert_eq!(dry_run.outcome, Some(Outcome::Success));
    assert_eq!(acts(&dry_run, 0)[3], "$ echo ⟨result of `queue::length`⟩");
}

#[test]
fn what_a_step_remembers_after_its_dry_run_ended_is_unknown() {
    let repo = TestRepo::new();
    repo.write(
        ".tinyci.rhai",
        "fn build(ctx) { if capture(\"cat a\") == \"1\" { remember(\"k\", 1); } }\n\
         fn test(ctx) { sh(`x ${recall(\"k\", \"none\")}`); if recall(\"k\", 2) == 2 { sh(\"y\"); } }\n",
    );
    repo.commit("script");
    let dry_run = engine(&repo).dry_run("HEAD", &[]).unwrap();
    assert_eq!(acts(&dry_run, 1), ["$ x ⟨remembered value of `k`⟩"]);
    let ends = "the rest depends on the value that an earlier step remembers as `k`";
    assert_eq!(dry_run.steps[1].ends.as_deref(), Some(ends));
    let json = dry_run.to_json();
    assert!(json.contains(r#""outcome":"unknown","steps":[{"name":"build","outcome":"unknown""#));
    assert!(json.contains(&format!(r#""ends":"{ends}""#)), "{json}");
}

/// Waits pass without being waited for, and limits end what goes beyond them.
#[test]
fn a_plan_comes_to_an_end() {
    for (statement, outcome, sentence) in [
        ("loop { sh(\"x\"); sleep(\"10m\"); }", Some(Outcome::TimedOut), "the time limit"),
        ("sleep(\"2h\")", Some(Outcome::TimedOut), "the time limit"),
        ("timeout(\"1m\", || sleep(\"2m\"))", Some(Outcome::TimedOut), "the time limit of 60s"),
        ("try { timeout(\"1m\", || sleep(\"2m\")) } catch { }", Some(Outcome::Success), ""),
        ("parallel([1, 2], |x| sleep(\"40m\"))", Some(Outcome::Success), ""),
        ("loop { sh(\"x\"); }", None, "more than 2000 actions"),
        ("[1, 2, 3].sort(|a, b| { loop { } })", Some(Outcome::Failure), "too many operations"),
    ] {
        let dry_run = build(statement, &[]);
        assert_eq!(dry_run.outcome, outcome, "{statement}");
        let step = &dry_run.steps[0];
        let told = step.ends.as_ref().or(step.reason.as_ref()).cloned().unwrap_or_default();
        assert!(told.contains(sentence), "{statement}: {told}");
        assert!(step.actions.len() <= 2_000, "{statement}");
    }
}

/// What a plan puts into a script to see its looks moves no place that it tells of.
#[test]
fn places_in_a_plan_are_those_of_the_file() {
    let text = "import \"ci/m\" as m;\nfn build(ctx) {\n    let l = [1]; let i = 1;\n    \
                if ctx.branch == l[i - 1] { 1 } else if m::f(l) { sh(); }\n}\n";
    let module = "fn f(l) { let k = 0; if l[k] == 1 { if true { throw `no ${l[k]}`; } } }\n";
    let repo = TestRepo::new();
    repo.write("ci/m.rhai", module);
    repo.write(".tinyci.rhai", text);
    repo.commit("script");
    let step = engine(&repo).dry_run("HEAD", &[]).unwrap().steps.remove(0);
    let reason = step.reason.unwrap();
    let column = |text: &str, part: &str| text.find(part).unwrap() + 1;
    let thrown = format!("ci/m.rhai:1:{}", column(module, "throw"));
    let line = text.lines().nth(3).unwrap();
    let called = format!("called from .tinyci.rhai:4:{}", column(line, "m::f") + "m::".len());
    for part in [thrown, called] {
        assert!(reason.contains(&part), "{part}: {reason}");
    }
}
