//! What others chose in the texts of scripts: it is refused where a shell would run it, it is no
//! template, and what the script wrote itself is never taken for it.

use std::fmt::Write;

use tinyci::{
    CancelToken, Engine, Event, EventKind, Format, Outcome, Pipeline, Record, Selection,
    script::TestOptions,
};

use crate::support::TestRepo;

/// How many cases of each kind the short tests look at, and the long ones.
const CASES: usize = 150;
const CASES_LONG: usize = 1_000;

/// How many of them share a commit.
const CASES_PER_COMMIT: usize = 25;

struct Ran {
    record: Record,
    output: String,
}

impl Ran {
    fn of(repo: &TestRepo) -> Self {
        let engine = Engine::open(repo.path()).unwrap();
        let mut output = Vec::new();
        let mut observer = |event: &Event| {
            if let EventKind::Output { bytes, .. } = &event.kind {
                output.extend_from_slice(bytes);
            }
        };
        let selection = Selection::revision("HEAD").retry(true);
        let summary = engine.run(&selection, &CancelToken::new(), &mut observer).unwrap();
        let record = summary.records.into_iter().next().expect("one attempt");
        Self { record, output: String::from_utf8_lossy(&output).into_owned() }
    }

    fn error(&self) -> &str {
        self.record.steps.iter().find_map(|step| step.error.as_deref()).unwrap_or_default()
    }
}

/// A run of a commit with this script and subject.
fn run(script: &str, subject: &str) -> Ran {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", script);
    repo.commit(subject);
    Ran::of(&repo)
}

fn build(body: &str) -> String {
    format!("fn build(ctx) {{ {body} }}")
}

/// Reads all that others chose, so that all of it is looked for.
const READ_ALL: &str = "let read = [ctx.subject, ctx.message, ctx.author, ctx.branch, ctx.tags, \
                        ctx.tag, ctx.changes];";

#[test]
fn texts_of_the_script_s_own_pass_whatever_the_commit_says() {
    for (body, subject) in [
        ("sh(\"echo fmt --check && echo test\");", "echo fmt"),
        ("sh(\"false test || true\");", "test || true"),
        ("sh(\"false test || true\");", "|"),
        ("sh(\"false test || true\");", "false test || true"),
        ("let cmd = \"echo it; true\"; sh(cmd + \" --all\");", "echo it; true"),
        ("for t in [\"all\", \"doc\"] { sh(`echo make ${t}`); }", "echo make all"),
        (
            "sh([\"echo a\", \"echo b\"].reduce(|a, b| if a == () { b } else { a + \"; \" + b }));",
            "echo a; echo b",
        ),
        ("for n in 1..3 { sh(`echo shard ${n}`); }", "echo shard 2"),
        ("let m = #{ \"echo key\": 1 }; for key in m.keys() { sh(key); }", "echo key"),
        (
            "let how = switch 1 { 1 => \"echo one\", _ => \"\" }; how += \" more\"; sh(how);",
            "echo one more",
        ),
        ("sh(`\necho first\necho second\n`);", "first\necho"),
        ("remember(\"it\", \"echo kept\"); sh(recall(\"it\"));", "echo kept"),
    ] {
        let ran = run(&build(&format!("{READ_ALL} {body}")), subject);
        assert_eq!(ran.record.outcome, Outcome::Success, "{body} {subject:?}: {}", ran.error());
    }
    let repo = TestRepo::new();
    repo.write("ci/all.rhai", "fn all() { \"echo a && echo b\" }\n");
    let script =
        format!("import \"ci/all\" as ci; {}", build(&format!("{READ_ALL} sh(ci::all());")));
    repo.write(".tinyci.rhai", script);
    repo.commit("echo a && echo b");
    let ran = Ran::of(&repo);
    assert_eq!(ran.record.outcome, Outcome::Success, "{}", ran.error());
}

#[test]
fn what_was_not_read_is_not_looked_for() {
    let hidden = "let x = capture(\"git --version\"); sh(`echo ${x} | cat`);";
    let version = String::from_utf8(
        std::process::Command::new("git").arg("--version").output().unwrap().stdout,
    );
    let version = version.unwrap();
    let ran = run(&build(&format!("if ctx.changed(\"x\") {{ return; }} {hidden}")), version.trim());
    assert_eq!(ran.record.outcome, Outcome::Success, "{}", ran.error());
    let ran = run(&build(&format!("print(ctx.subject); {hidden}")), version.trim());
    assert_eq!(ran.record.outcome, Outcome::Failure);
}

#[test]
fn whatever_others_chose_is_refused_by_its_name_with_what_is_right() {
    let hostile = "x;touch${IFS}pwned";
    let each = |text: &str| {
        let repo = TestRepo::new();
        repo.git(&["checkout", "-q", "-b", hostile]);
        repo.write(hostile, "");
        repo.write(".tinyci.rhai", text);
        repo.git(&["add", "-A"]);
        let author = format!("--author={hostile} <a@b>");
        repo.git(&["commit", "-q", &author, "-m", &format!("{hostile}-s\n\nBody")]);
        repo.git(&["tag", &format!("{hostile}-t")]);
        Ran::of(&repo)
    };
    for (value, name, words) in [
        ("ctx.subject", "`ctx.subject`", "\"$TINYCI_SUBJECT\""),
        ("ctx.message", "`ctx.message`", "\"$TINYCI_MESSAGE\""),
        ("ctx.author", "`ctx.author`", "\"$TINYCI_AUTHOR\""),
        ("ctx.branch", "`ctx.branch`", "\"$TINYCI_BRANCH\""),
        ("ctx.tags[0]", "one of `ctx.tags`", "sh([\"program\", tag])"),
        ("ctx.newest_tag(\"*\")", "one of `ctx.tags`", "`q(tag)`"),
        (
            "ctx.changes.filter(|it| it != \".tinyci.rhai\")[0]",
            "a path of `ctx.changes`",
            "sh([\"program\", path])",
        ),
        ("env(\"TINYCI_SUBJECT\")", "`ctx.subject`", "`q(ctx.subject)`"),
        ("env(\"TINYCI_TAGS\")", "one of `ctx.tags`", "`q(tag)`"),
    ] {
        for text in [
            format!("`echo ${{{value}}}`"),
            format!("\"echo \" + {value} + \" end\""),
            format!("[\"echo\", \"a\", {value}].reduce(|a, b| `${{a ?? \"\"}} ${{b}}`)"),
            format!("\"echo @\".split(\"@\")[0] + {value}"),
            format!("[\"sh\", \"-ec\", `echo ${{{value}}}`]"),
            format!("`echo \"${{q({value})}}\"`"),
        ] {
            for function in ["sh", "try_sh", "capture"] {
                if function != "sh" && value != "ctx.subject" {
                    continue;
                }
                let ran = each(&build(&format!("{function}({text});")));
                assert_eq!(ran.record.outcome, Outcome::Failure, "{function}({text})");
                let error = ran.error();
                assert!(error.contains(name), "{text}: {error}");
                assert!(error.contains("touch${IFS}pwned"), "{text}: {error}");
                assert!(text.contains("q(") || error.contains(words), "{text}: {error}");
                for absent in ["TINYCI_TAGS", "TINYCI_CHANGES"] {
                    assert!(!error.lines().next().unwrap().contains(absent), "{error}");
                }
                assert!(ran.record.steps[0].commands.is_empty(), "{text}");
            }
        }
    }
}

#[test]
fn what_another_step_read_is_known_too() {
    let script = "fn before_build(ctx) { remember(\"list\", [#{ title: ctx.subject }]); }\n\
                  fn build() { sh(\"echo \" + recall(\"list\")[0].title); }\n\
                  fn after_build_failure(ctx) { print(\"after\"); }";
    let ran = run(script, "x; touch pwned");
    assert_eq!(ran.record.outcome, Outcome::Failure);
    assert!(ran.error().contains("`ctx.subject`"), "{}", ran.error());
    let repo = TestRepo::new();
    repo.write("$(touch pwned)", "");
    repo.write(
        ".tinyci.rhai",
        "fn before_build(ctx) { remember(\"files\", ctx.changes); }\n\
         fn build() { for file in recall(\"files\") { sh(`cat ${file}`); } }\n",
    );
    repo.commit("files");
    let ran = Ran::of(&repo);
    assert!(ran.error().contains("a path of `ctx.changes`"), "{}", ran.error());
    let script = "fn build(ctx) { sh([\"false\", ctx.subject]); }\n\
                  fn after_build_failure(ctx) { sh(\"echo \" + ctx.failure.command); }";
    let ran = run(script, "x; touch pwned");
    let after = ran.record.steps.iter().find(|it| it.name.as_str() == "after_build_failure");
    let error = after.unwrap().error.clone().unwrap_or_default();
    assert!(error.contains("`ctx.subject`"), "{error}");
}

#[test]
fn an_error_shows_no_control_characters_of_others() {
    let ran = run(&build("sh(`echo ${ctx.subject}`);"), "\u{1b}[2J\u{7} red");
    let first = ran.error().lines().next().unwrap();
    assert!(first.contains(r#""\u{1b}[2J\u{7} red" in "echo \u{1b}[2J\u{7} red""#), "{first}");
    assert!(!ran.error().contains('\u{1b}'), "{}", ran.error());
}

#[test]
fn what_q_quoted_is_one_word_in_any_text() {
    let subject = "it's $(touch pwned) `touch pwned` \"; touch pwned; '";
    let ran = run(
        &build(
            "sh(`echo ${q(ctx.subject)} ${q(\"Subject: \" + ctx.subject)}`);
             sh(\"echo \\\"$(echo \" + q(ctx.subject) + \")\\\"\");
             sh(`# don't ask\necho \"it's\" ${q(ctx.subject)}`);
             let all = [ctx.subject, \"a b\"].map(|it| q(it));
             sh(\"printf '%s\\n' \" + all.reduce(|a, b| if a == () { b } else { a + \" \" + b }));
             sh([\"sh\", \"-c\", \"echo \\\"$1\\\"\", \"sh\", ctx.subject]);
             sh(\"echo \\\"$S\\\"\", #{ env: #{ S: ctx.subject } });
             sh(\"! test -e pwned\");",
        ),
        subject,
    );
    assert_eq!(ran.record.outcome, Outcome::Success, "{}", ran.error());
    let expected = format!(
        "{subject} Subject: {subject}\n{subject}\nit's {subject}\n{subject}\na b\n{subject}\n{subject}\n"
    );
    assert_eq!(ran.output, expected);
}

/// Ways for a placeholder to get into a text, and what `echo` then shows: it is filled if the script
/// has written it, and stays as it is otherwise.
#[test]
fn a_placeholder_is_filled_only_if_the_script_has_written_it() {
    let short = "SHORT";
    let data = "<%= env(\"HOME\") %>";
    for (body, expected) in [
        ("sh(\"echo '<%= short %>'\");", short),
        ("let t = \"'<%= short %>'\"; sh(\"echo \" + t);", short),
        ("sh(\"a|echo '<%= short %>'\".split(\"|\")[1]);", short),
        ("sh(`echo '${1}<%= short %>${2}'`);", "1SHORT2"),
        ("sh(\"echo '<%%= short %>'\");", "<%= short %>"),
        ("sh(`echo ${q(ctx.subject)}`);", data),
        ("sh(`echo ${q(\"<%= short %> \" + ctx.subject)}`);", "SHORT <%= env(\"HOME\") %>"),
        ("sh(`echo '${capture([\"cat\", \"data\"])}'`);", data),
        ("sh(`echo '${try_sh([\"cat\", \"data\"]).stdout.split(\"\\n\")[0]}'`);", data),
        ("remember(\"it\", ctx.subject); sh(`echo ${q(recall(\"it\"))}`);", data),
        ("sh(\"echo '<%= sho\" + \"rt %>'\");", "<%= short %>"),
        ("let name = \"short\"; sh(`echo '<%= ${name} %>'`);", "<%= short %>"),
        ("sh(\"echo '<\" + \"%%'\");", "<%%"),
        ("sh(`echo '<% ${1} %> <%'`);", "<% 1 %> <%"),
        ("sh([\"echo\", \"<%= short %>\"]);", "<%= short %>"),
        ("sh(\"echo \\\"$V\\\"\", #{ env: #{ V: \"<%= short %>\" } });", "<%= short %>"),
        ("sh(\"cat\", #{ input: \"<%= short %>\\n\" });", "<%= short %>"),
    ] {
        let repo = TestRepo::new();
        repo.write("data", format!("{data}\n"));
        repo.write(".tinyci.rhai", build(body));
        repo.commit(data);
        let ran = Ran::of(&repo);
        assert_eq!(ran.record.outcome, Outcome::Success, "{body}: {}", ran.error());
        let output = ran.output.replace(&ran.record.commit.short(), short);
        assert_eq!(output.lines().last(), Some(expected), "{body}");
        // Neither a plan nor a test fills in more.
        let engine = Engine::open(repo.path()).unwrap();
        let dry = engine.dry_run("HEAD", &[]).unwrap();
        assert!(!format!("{dry:?}").contains(&std::env::var("HOME").unwrap()), "{dry:?}");
    }
}

/// The script prints the placeholder itself somewhere; others' words are no template all the same.
#[test]
fn words_of_others_are_no_template_even_where_the_script_has_the_same_placeholder() {
    let ran = run(
        &build("sh(`echo <%= short %> ${q(ctx.subject)}; echo ${q(ctx.subject + \" it's\")}`);"),
        "it's <%= short %> <%%",
    );
    assert_eq!(ran.record.outcome, Outcome::Success, "{}", ran.error());
    let short = ran.record.commit.short();
    assert_eq!(ran.output, format!("{short} it's <%= short %> <%%\nit's <%= short %> <%% it's\n"));
}

#[test]
fn values_in_yaml_are_not_filled_in_again() {
    let repo = TestRepo::new();
    repo.write(
        ".tinyci.yml",
        "build: {run: 'echo \"$S\" <%%= short %>', env: {S: '<%= \"<\" + \"%= short %\" + \">\" %>'}}\n",
    );
    repo.commit("yaml");
    let ran = Ran::of(&repo);
    // Such a value cannot go in at all, as in any command.
    assert_eq!(ran.record.outcome, Outcome::Failure);
    assert!(ran.error().contains("unsafe in a command"), "{}", ran.error());
}

#[test]
fn a_plan_and_a_test_refuse_what_a_run_refuses() {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", build("for path in ctx.changes { sh(`cat ${path}`); }"));
    repo.write("$(touch pwned)", "");
    repo.write(
        ".tinyci.test.rhai",
        "fn test_refused(t) { let r = t.build(#{ changes: [\"$(touch pwned)\"] });\n\
         t.expect_outcome(r, \"failure\"); t.expect(r.reason.contains(\"`ctx.changes`\")); }\n\
         fn test_fine(t) { t.expect(t.build(#{ changes: [\"a\"] }).ok); }\n",
    );
    repo.commit("paths");
    let ran = Ran::of(&repo);
    assert!(ran.error().contains("a path of `ctx.changes`"), "{}", ran.error());
    let engine = Engine::open(repo.path()).unwrap();
    let dry = engine.dry_run("HEAD", &[]).unwrap();
    assert!(format!("{dry:?}").contains("a path of `ctx.changes`"), "{dry:#?}");
    let report = engine.test_pipeline(&TestOptions::revision("HEAD")).unwrap();
    assert!(report.tests.iter().all(|test| test.passed()), "{report:#?}");
}

/// What a commit holds may be long: it costs what it is long, and no more.
#[test]
fn a_long_text_of_data_costs_little() {
    let repo = TestRepo::new();
    repo.write("data", "<%= '".repeat(200_000));
    repo.write(
        ".tinyci.rhai",
        build("let data = capture(\"cat data\"); try { sh(\": <%= short %> \" + q(data)); } catch { }"),
    );
    repo.commit("long");
    let begun = std::time::Instant::now();
    let ran = Ran::of(&repo);
    assert_eq!(ran.record.outcome, Outcome::Success, "{}", ran.error());
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

/// Two thousand paths that a shell would take apart, in one text and in many.
#[test]
fn many_changes_cost_little() {
    let repo = TestRepo::new();
    for index in 0..2_000 {
        repo.write(&format!("app/(group {})/[slug {index}].txt", index % 20), "");
    }
    repo.write(
        ".tinyci.rhai",
        build(
            "let words = \"\"; for path in ctx.changes { words += \" \" + q(path); }
             for n in 0..40 { sh([\"sh\", \"-c\", \"true\" + words]); }
             sh(\"cat | wc -l\", #{ input: \"x\\n\" });",
        ),
    );
    repo.commit("many");
    let begun = std::time::Instant::now();
    let ran = Ran::of(&repo);
    assert_eq!(ran.record.outcome, Outcome::Success, "{}", ran.error());
    assert!(begun.elapsed().as_secs() < 60, "{:?}", begun.elapsed());
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % count
    }

    fn pick<'a>(&mut self, list: &[&'a str]) -> &'a str {
        list[self.below(list.len())]
    }
}

/// Texts by which a shell would make the file `pwned`.
const PAYLOADS: [&str; 24] = [
    "$(touch pwned)",
    "`touch pwned`",
    "x; touch pwned",
    "x && touch pwned",
    "x & touch pwned",
    "x || touch pwned; touch pwned",
    "x | touch pwned",
    "x;touch${IFS}pwned",
    "$(touch${IFS}pwned)",
    "touch pwned",
    "a\"; touch pwned; \"",
    "a'; touch pwned; '",
    "\" $(touch pwned) \"",
    "'$(touch pwned)'",
    "${x:=$(touch pwned)}",
    "x >pwned",
    ">pwned",
    ": >pwned x",
    "{ touch pwned; }",
    "(touch pwned)",
    "! touch pwned",
    "if :; then touch pwned; fi",
    "-n x; touch pwned; #",
    "\\$(touch pwned)\\`touch pwned\\`",
];

/// Those that a branch and a tag can be called.
const NAMES: [&str; 5] = [
    "$(touch${IFS}pwned)",
    "x;touch${IFS}pwned",
    "`touch${IFS}pwned`",
    "a'|touch${IFS}pwned|'",
    ">pwned",
];

/// A text of a script's that holds a value of others' whole, built in one of many ways.
fn hostile_text(dice: &mut Dice) -> String {
    let value = dice.pick(&[
        "ctx.subject",
        "ctx.message",
        "ctx.author",
        "ctx.branch",
        "ctx.tags[0]",
        "ctx.newest_tag(\"*\")",
        "ctx.changes.filter(|it| it != \".tinyci.rhai\")[0]",
        "env(\"TINYCI_SUBJECT\")",
        "env(\"TINYCI_AUTHOR\")",
        "kept(ctx.subject)",
        "ctx.subject.to_string()",
        "[ctx.subject][0]",
        "#{ a: ctx.message }.a",
    ]);
    let word = match dice.below(5) {
        0 => format!("q({value})"),
        1 => format!("q(\"see; \" + {value})"),
        _ => value.to_owned(),
    };
    let (before, after) = (
        dice.pick(&[
            "echo ",
            "echo \\\"",
            "echo '",
            "echo a; echo ",
            "",
            "true && ",
            "echo x;",
            "# ",
            "cat <<E\\n",
        ]),
        dice.pick(&["", " b", "\\\"", "'", "; echo b", " && true", "\\nE\\n", " #"]),
    );
    let text = match dice.below(6) {
        0 => format!("\"{before}\" + {word} + \"{after}\""),
        1 => format!("`${{\"{before}\"}}${{{word}}}${{\"{after}\"}}`"),
        2 => format!("joined([\"{before}\", {word}, \"{after}\"], \"; \")"),
        3 => format!("joined([\"{before}\", {word}, \"{after}\"], \" \")"),
        4 => format!("added(\"{before}\", {word}, \"{after}\")"),
        _ => format!("\"{before}@{after}\".split(\"@\")[0] + {word}"),
    };
    match dice.below(4) {
        0 => format!("[\"sh\", \"-c\", {text}]"),
        1 => format!("[\"env\", \"A=1\", \"/bin/sh\", \"-euc\", {text}]"),
        _ => text,
    }
}

const HELPERS: &str = "
fn kept(it) { remember(\"it\", it); recall(\"it\") }
fn joined(list, by) { let all = \"\"; for it in list { all += if all == \"\" { it } else { by + it }; } all }
fn added(a, b, c) { let all = a; all += b; all += c; all }
";

/// Whatever is let through runs nothing of what others chose.
fn nothing_is_run(cases: usize) {
    let mut dice = Dice(16);
    let (mut ran_at_all, mut refused) = (0, 0);
    for _ in 0..cases.div_ceil(CASES_PER_COMMIT) {
        let texts: Vec<String> = (0..CASES_PER_COMMIT).map(|_| hostile_text(&mut dice)).collect();
        let mut body = String::new();
        for text in &texts {
            let function = dice.pick(&["sh", "try_sh", "capture"]);
            let _ = writeln!(
                body,
                "try {{ {function}({text}, #{{ timeout: \"20s\" }}); }} catch (e) {{ print(`${{e}}`); }}\n\
                 sh([\"test\", \"!\", \"-e\", \"pwned\"]); print(\"one\");"
            );
        }
        let repo = TestRepo::new();
        repo.git(&["checkout", "-q", "-b", dice.pick(&NAMES)]);
        repo.write(&dice.pick(&PAYLOADS).replace('/', "_"), "");
        repo.write(".tinyci.rhai", format!("{HELPERS}{}", build(&body)));
        repo.git(&["add", "-A"]);
        let author = format!("--author={} <a@b>", dice.pick(&PAYLOADS).replace(['<', '>'], "|"));
        let message = dice.pick(&PAYLOADS);
        repo.git(&["commit", "-q", &author, "--cleanup=verbatim", "-m", message]);
        repo.git(&["tag", dice.pick(&NAMES)]);
        let ran = Ran::of(&repo);
        let shown = || format!("{message:?}\n{body}\n{}\n{}", ran.output, ran.error());
        assert_eq!(ran.record.outcome, Outcome::Success, "{}", shown());
        refused += ran.output.matches("the shell would run code in it").count();
        ran_at_all += ran.output.lines().filter(|line| *line == "one").count();
    }
    assert!(
        ran_at_all >= cases && refused > cases / 3 && refused < cases,
        "{refused} {ran_at_all}"
    );
}

/// A text that is the script's own, built in one of many ways, and what it comes to.
fn own_text(dice: &mut Dice) -> (String, String) {
    let word = |dice: &mut Dice| {
        dice.pick(&[
            "fmt",
            "test --all",
            "a; echo b",
            "$HOME",
            "it's",
            "x && echo y",
            "-v",
            "(a|b)",
        ])
    };
    let literal = |text: &str| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""));
    let (a, b) = (word(dice), word(dice));
    match dice.below(8) {
        0 => (literal(&format!("echo {a} {b}")), format!("echo {a} {b}")),
        1 => (format!("`echo ${{{}}} end`", literal(a)), format!("echo {a} end")),
        2 => (format!("{} + \" \" + {}", literal(a), literal(b)), format!("{a} {b}")),
        3 => (format!("joined([{}, {}], \"; \")", literal(a), literal(b)), format!("{a}; {b}")),
        4 => (format!("added(\"run \", {}, \" \" + 42)", literal(a)), format!("run {a} 42")),
        5 => (format!("#{{ {}: 1 }}.keys()[0] + \" all\"", literal(b)), format!("{b} all")),
        6 => (format!("kept({}) + ' ' + {}", literal(a), literal(b)), format!("{a} {b}")),
        _ => {
            let text = format!("`echo ${{q(\"<\" + ctx.subject)}} | cat\n${{{}}}`", literal(b));
            (text, format!(" | cat\n{b}"))
        }
    }
}

/// Nothing that the script wrote is refused, whatever parts of it others chose for theirs.
fn nothing_of_its_own_is_refused(cases: usize) {
    let mut dice = Dice(61);
    for _ in 0..cases.div_ceil(CASES_PER_COMMIT) {
        let texts: Vec<_> = (0..CASES_PER_COMMIT).map(|_| own_text(&mut dice)).collect();
        // Of one of the texts all, a half or any part.
        let (_, whole) = &texts[dice.below(CASES_PER_COMMIT)];
        let places: Vec<usize> = whole.char_indices().map(|(at, _)| at).collect();
        let subject = match dice.below(3) {
            0 => &whole[..],
            1 => &whole[..whole.len() / 2],
            _ => {
                let (one, two) = (dice.below(places.len()), dice.below(places.len()));
                &whole[places[one.min(two)]..=places[one.max(two)]]
            }
        };
        let subject = if subject.trim().is_empty() { "echo" } else { subject.trim() };
        // As a test of the pipeline: what is refused is refused before a shell is there.
        let calls: String = texts.iter().map(|(text, _)| format!("sh({text});\n")).collect();
        let repo = TestRepo::new();
        repo.write(".tinyci.rhai", format!("{HELPERS}{}", build(&format!("{READ_ALL}\n{calls}"))));
        let json = serde_json::to_string(subject).unwrap();
        repo.write(
            ".tinyci.test.rhai",
            format!(
                "fn test_own(t) {{ let r = t.build(#{{ subject: {json}, message: {json}, \
                 author: {json}, branch: {json}, tags: [{json}], changes: [{json}] }});\n\
                 t.expect(r.ok, r.reason ?? \"\"); }}\n"
            ),
        );
        repo.commit("own");
        let engine = Engine::open(repo.path()).unwrap();
        let report = engine.test_pipeline(&TestOptions::revision("HEAD")).unwrap();
        assert!(report.tests.iter().all(|it| it.passed()), "{subject:?}\n{calls}\n{report:#?}");
    }
}

#[test]
fn what_is_let_through_runs_nothing_of_what_others_chose() {
    nothing_is_run(CASES);
}

#[test]
fn what_the_script_wrote_is_let_through() {
    nothing_of_its_own_is_refused(CASES);
}

#[test]
#[ignore = "takes minutes: see .ci/long"]
fn the_same_of_many_more_texts() {
    nothing_is_run(CASES_LONG);
    nothing_of_its_own_is_refused(CASES_LONG);
}

/// A config that becomes a script keeps its verdict, whatever the commit says.
#[test]
fn a_converted_config_has_the_same_verdict() {
    let mut dice = Dice(33);
    for _ in 0..12 {
        let words = [
            "echo fmt --check",
            "false || true",
            "test -d . && echo it",
            "exit 3",
            "echo <%= short %>",
            "echo '<%%= x %>'",
        ];
        let (one, two) = (dice.pick(&words), dice.pick(&words));
        let json = |text: &str| serde_json::to_string(text).unwrap();
        let config = format!(
            "build: {{run: [{}, {}], env: {{S: '<%= short %>'}}}}\ntest: {}\n",
            json(one),
            json(two),
            json(&format!("{two}; {one}"))
        );
        let subject = dice.pick(&["echo fmt", one, two, "fmt --check", "; ", "<%= short %>"]);
        let repo = TestRepo::new();
        repo.write(".tinyci.yml", &config);
        repo.commit(subject);
        let of_config = Ran::of(&repo);
        let script =
            Pipeline::parse(&config, Format::Yaml, ".tinyci.yml").unwrap().to_rhai().unwrap();
        repo.git(&["rm", "-q", ".tinyci.yml"]);
        repo.write(".tinyci.rhai", script.replace("(ctx) {", &format!("(ctx) {{ {READ_ALL}")));
        repo.commit(subject);
        let of_script = Ran::of(&repo);
        let shown = |ran: &Ran| ran.output.replace(&ran.record.commit.short(), "SHORT");
        assert_eq!(
            of_script.record.outcome,
            of_config.record.outcome,
            "{script}\n{}",
            of_script.error()
        );
        assert_eq!(shown(&of_script), shown(&of_config), "{script}");
    }
}
