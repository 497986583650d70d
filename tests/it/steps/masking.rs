//! A secret is nowhere in what a run or a deployment shows or keeps, whichever way it gets there.

use std::{fs, os::unix::fs::PermissionsExt};

use tinyci::{CancelToken, Engine, Event, Outcome, Record, RecordFilter, deploy::DeployOutcome};

use crate::support::stage::{Ran, Stage};

/// A secret that URLs and JSON write in other ways.
const SECRET: &str = "hunter\"2/2 \u{fc}22";

/// Ways to write it.
const FORMS: [&str; 7] = [
    SECRET,
    "aHVudGVyIjIvMiDDvDIy",
    "hunter%222%2F2%20%C3%BC22",
    "hunter%222%2f2+%c3%bc22",
    "hunter\\\"2/2 \u{fc}22",
    "hunter\\\"2/2 \\u00fc22",
    "hunter\\\"2\\/2 \\u00FC22",
];

/// What no form is without.
const TRACES: [&str; 2] = ["hunter", "aHVudGVy"];

/// Writes the secret in every way that commands have.
const LEAK: &str = r#"#!/bin/sh
printf 'plain %s\n' "$TOKEN"
printf %s "$TOKEN" | base64 -w0
printf '\nerror %s\n' "$TOKEN" >&2
cat forms
"#;

/// A repository whose commits may have the secret, with a program that gives it away.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.repo.write("leak", LEAK);
    let leak = stage.repo.path().join("leak");
    fs::set_permissions(leak, fs::Permissions::from_mode(0o755)).unwrap();
    stage.repo.write("forms", FORMS.map(|form| format!("{form}\n")).concat());
    stage.repo.write(&format!("artifacts/{}", SECRET.replace('/', "")), "named after a part");
    stage.repo.write(&format!("artifacts/{SECRET}"), "named after it");
    stage
}

/// An engine that has the secret, and one of two letters.
fn engine(stage: &Stage) -> Engine {
    let value = |name: &str| match name {
        "TOKEN" => Some(SECRET),
        "PIN" => Some("ab"),
        _ => None,
    };
    let builder = stage.builder().setting("secretRefs", "refs/heads/*");
    let builder = builder.secrets(move |name, _| Ok(value(name).map(|it| it.as_bytes().to_vec())));
    builder.open().unwrap()
}

/// Everything of a run that can be seen from outside, with names for messages.
fn sinks(stage: &Stage, engine: &Engine, ran: &Ran) -> Vec<(String, String)> {
    let mut sinks = vec![
        ("the build's log".to_owned(), stage.log_of(stage.head()).join("\n")),
        ("the log of all runs".to_owned(), stage.log().join("\n")),
        ("the output".to_owned(), ran.text()),
        ("the warnings".to_owned(), ran.warnings().join("\n")),
        ("the summary".to_owned(), ran.summary.to_json()),
        ("the summary's debug form".to_owned(), format!("{:?}", ran.summary)),
    ];
    let records = engine.records(&RecordFilter::new()).unwrap();
    sinks.extend(records.iter().map(|it| ("a record".to_owned(), it.to_json())));
    sinks.extend(ran.events.iter().flat_map(|event| {
        let lines = event.log_lines().join("\n");
        let debug = format!("{event:?}");
        [("an event", event.to_json()), ("an event's lines", lines), ("an event's form", debug)]
            .map(|(name, text)| (name.to_owned(), text))
    }));
    let notes = ["--notes=*", "--format=%N"];
    sinks.push(("the notes".to_owned(), stage.repo.git(&[&["log"], &notes[..]].concat())));
    #[cfg(feature = "cli")]
    for args in [&["results", "--json"][..], &["results"], &["log", "-c", "HEAD"], &["status"]] {
        let said = crate::support::program::run(&stage.repo, args);
        sinks.push((format!("{args:?}"), format!("{}{}", said.out, said.err)));
    }
    sinks
}

/// Fails with all places where the secret stands, not the first alone.
#[track_caller]
fn nowhere(sinks: &[(String, String)]) {
    let lines = sinks.iter().flat_map(|(name, text)| text.lines().map(move |line| (name, line)));
    let leaks = lines.filter(|(_, line)| TRACES.iter().any(|trace| line.contains(trace)));
    let leaks: Vec<String> = leaks.map(|(name, line)| format!("{name}: {line}\n")).collect();
    assert!(leaks.is_empty(), "{}", leaks.concat());
}

#[track_caller]
fn error_of<'a>(record: &'a Record, name: &str) -> &'a str {
    let step = record.steps.iter().find(|step| step.name.as_str() == name);
    step.and_then(|step| step.error.as_deref()).unwrap_or_else(|| panic!("{record:#?}"))
}

#[test]
fn a_step_of_yaml_shows_and_keeps_no_secret() {
    let stage = stage();
    // A comment of the shell's, in single quotes of YAML.
    let commands = FORMS.map(|form| format!("    - ': # {form}'\n")).concat();
    stage.write(
        ".tinyci.yml",
        &format!(
            "build:\n  secrets: [TOKEN]\n  run:\n    - ./leak\n{commands}    - ./leak; exit 3\n\
             hooks:\n  after_build_failure: TOKEN= ./leak\n  \
             after_all: 'cat forms; echo <%= \"hunter%222%2F2%20%C3%BC22\" %>'\n"
        ),
    );
    stage.commit_more("A config");
    let engine = engine(&stage);
    let ran = Ran::of(&engine, &tinyci::Selection::pending());
    assert_eq!(ran.outcome(), Outcome::Failure);
    let commands = &ran.record().steps[0].commands;
    assert_eq!(commands.len(), FORMS.len() + 2);
    assert!(commands[1].command.contains("***"), "{commands:#?}");
    assert!(ran.text().contains("plain ***\n***\n"), "{}", ran.text());
    // A hook gets none of the secrets of the build, and they are masked there all the same.
    assert!(error_of(ran.record(), "after_all").contains("***"), "{:#?}", ran.record());
    nowhere(&sinks(&stage, &engine, &ran));
}

/// A config that takes the secret of two letters leads to a warning.
#[track_caller]
fn warns_of_short_secrets(name: &str, config: &str) {
    let stage = Stage::new();
    stage.write(name, config);
    stage.commit_more("A config");
    let warnings = Ran::of(&engine(&stage), &tinyci::Selection::pending()).warnings();
    let told = "parts of the secret `PIN` are shorter than 4 bytes and are not masked";
    assert!(warnings.iter().any(|it| it.contains(told)), "{warnings:?}");
}

#[test]
fn a_secret_too_short_to_be_masked_is_told_of_in_yaml() {
    warns_of_short_secrets(".tinyci.yml", "build: {run: 'true', secrets: [PIN]}\n");
}

#[cfg(feature = "rhai")]
#[test]
fn a_secret_too_short_to_be_masked_is_told_of_in_scripts() {
    let script = "const SECRETS = [\"PIN\"];\n\
                  fn build() { sh(\"true\", #{ env: #{ P: secret(\"PIN\") } }); }\n";
    warns_of_short_secrets(".tinyci.rhai", script);
}

/// What scripts begin with here: `forms` gives all forms, which do not stand in the script itself.
#[cfg(feature = "rhai")]
const BEGIN: &str = "const SECRETS = [\"TOKEN\"];\n\
                     fn forms() { capture(\"cat forms\").split(\"\\n\") }\n";

/// A run of a script whose first step has taken the secret.
#[cfg(feature = "rhai")]
fn run_script(text: &str) -> (Stage, Engine, Ran) {
    let stage = stage();
    let take = "fn before_build() { sh(\"true\", #{ env: #{ T: secret(\"TOKEN\") } }); }\n";
    stage.repo.write(".tinyci.rhai", format!("{BEGIN}{take}{text}"));
    stage.commit_more("A script");
    let engine = engine(&stage);
    let ran = Ran::of(&engine, &tinyci::Selection::pending());
    (stage, engine, ran)
}

#[cfg(feature = "rhai")]
#[test]
fn a_script_shows_no_secret_that_it_came_to_know() {
    let (stage, engine, ran) = run_script(
        r#"fn build() {
            sh("./leak", #{ env: #{ TOKEN: secret("TOKEN") } });
            let known = capture("printf %s \"$TOKEN\"", #{ env: #{ TOKEN: secret("TOKEN") } });
            print(known);
            debug(known);
            for form in forms() {
                print(form);
                // As a literal, what is escaped already is escaped twice.
                if !form.contains("\\") { debug(form); }
                warn(form);
                sh(["echo", form]);
                sh(["echo", "labelled"], #{ label: form });
                group(form, || sh(["echo", "in a group"]));
                parallel([form], |it| sh(["echo", "in a branch"]));
                matrix(#{ it: [form] }, |m| print("in a matrix"));
                sh("false", #{ retries: 1, backoff: "1ms", label: form, allow: 1 });
                try { sh(["sh", "-c", "echo \"$1\"; exit 3", "sh", form]); } catch (it) {
                    print(it);
                    print(it.command);
                    print(it.tail);
                }
            }
        }
        fn test() { sh(["sh", "-c", "cat forms; echo \"$1\"; exit 3", "sh", forms()[0]]); }
        fn after_test_failure(ctx) {
            print(ctx.failure.command);
            print(ctx.failure.tail);
            sh(["echo", ctx.failure.command, ctx.failure.tail]);
        }
        fn after_test() { skip(forms()[2]); }
        fn after_all() { fail(forms()[4]); }"#,
    );
    assert_eq!(ran.outcome(), Outcome::Failure);
    let outcomes = ran.steps();
    assert!(outcomes.contains(&"build success".to_owned()), "{:#?}", ran.record());
    for step in ["test", "after_test", "after_all"] {
        assert!(error_of(ran.record(), step).contains("***"), "{:#?}", ran.record());
    }
    assert!(ran.text().contains("[***] labelled"), "{}", ran.text());
    nowhere(&sinks(&stage, &engine, &ran));
}

#[cfg(feature = "rhai")]
#[test]
fn an_error_shows_no_secret_of_the_line_that_it_shows() {
    for ends in [
        "throw forms()[0]",
        "fail(`it is ${forms()[0]}`)",
        "skip(forms()[1])",
        "throw [forms()[3]]",
    ] {
        let (stage, engine, ran) = run_script(&format!("fn build() {{ {ends}; }}"));
        assert!(error_of(ran.record(), "build").contains("***"), "{:#?}", ran.record());
        nowhere(&sinks(&stage, &engine, &ran));
    }
}

/// Of a long text only a part is shown, which may end within a secret.
#[cfg(feature = "rhai")]
#[test]
fn a_secret_is_masked_before_a_text_is_cut() {
    let code = "fn build() { let x = [1]; if x[7] == 2 { return; } } //";
    for shown in [8, 12, 19] {
        let fill = " ".repeat(160 - shown - code.len());
        let word = "x".repeat(1_000 - shown - "false  ".len());
        let (stage, engine, ran) = run_script(&format!(
            "{code}{fill}{}\nfn after_build() {{ sh([\"false\", \"{word}\", forms()[0]]); }}",
            FORMS[1],
        ));
        assert!(error_of(ran.record(), "build").contains(" | fn build"), "{:#?}", ran.record());
        assert!(error_of(ran.record(), "after_build").contains("xx ***"), "{:#?}", ran.record());
        nowhere(&sinks(&stage, &engine, &ran));
    }
}

#[cfg(feature = "rhai")]
#[test]
fn a_secret_in_a_text_of_the_script_is_masked_wherever_that_is_shown() {
    for (ends, shown) in [
        ("print([`it is ${token}`])", "[\"it is ***\"]"),
        ("group(`g ${token}`, || sh(\"true; echo in it\"))", "[g ***] in it"),
        ("try { throw `it is ${token}` } catch (it) { print(it) }", "it is ***"),
    ] {
        let (stage, engine, ran) =
            run_script(&format!("fn build() {{ let token = secret(\"TOKEN\"); {ends}; }}"));
        assert!(ran.text().contains(shown), "{ends}: {}", ran.text());
        assert!(!format!("{:?}", sinks(&stage, &engine, &ran)).contains("secret-"), "{ends}");
    }
    for ends in ["fail(text)", "skip(text)", "throw text", "throw [text]", "remember(text, 1)"] {
        let (stage, engine, ran) = run_script(&format!(
            "fn build() {{ let text = `it is ${{secret(\"TOKEN\")}}`; {ends}; }}"
        ));
        assert!(error_of(ran.record(), "build").contains("***"), "{ends}: {:#?}", ran.record());
        assert!(ran.record().remembered.is_empty(), "{ends}");
        assert!(!format!("{:?}", sinks(&stage, &engine, &ran)).contains("secret-"), "{ends}");
    }
}

#[cfg(feature = "rhai")]
#[test]
fn a_value_that_holds_a_secret_is_not_remembered() {
    let (stage, engine, ran) = run_script(
        r#"fn build() {
            let refused = 0;
            let keep = |key, value| {
                try { remember(key, value); } catch (it) { refused += 1; print(`refused: ${it}`); }
            };
            let known = capture("printf %s \"$T\"", #{ env: #{ T: secret("TOKEN") } });
            keep.call("captured", known);
            for form in forms() {
                keep.call("text", `x${form}x`);
                keep.call("list", [1, [form]]);
                keep.call("map", #{ a: #{ b: form } });
                let map = #{};
                map[form] = 1;
                keep.call("key of a map", map);
                keep.call(form, 1);
            }
            try { sh(["sh", "-c", "cat forms; exit 3"]); } catch (it) {
                keep.call("tail", it.tail);
            }
            print(`${refused} values were refused`);
            remember("harmless", "what holds none");
        }"#,
    );
    assert_eq!(ran.outcome(), Outcome::Success, "{:#?}", ran.record());
    let count = 1 + 5 * FORMS.len();
    let text = ran.text();
    assert!(text.contains(&format!("{count} values were refused\n")), "{text}");
    // The end of a command's output is masked before a script is given it.
    assert_eq!(ran.record().remembered.keys().collect::<Vec<_>>(), ["harmless", "tail"]);
    nowhere(&sinks(&stage, &engine, &ran));
}

#[cfg(feature = "rhai")]
#[test]
fn the_tail_of_a_failure_can_be_remembered_without_the_secret() {
    let (stage, engine, ran) = run_script(
        "fn build() { sh(\"cat forms; exit 3\"); }\n\
         fn after_build_failure(ctx) { remember(\"tail\", ctx.failure.tail); }",
    );
    let kept = ran.record().remembered["tail"].as_str().unwrap().to_owned();
    assert!(kept.starts_with("***\n"), "{kept}");
    nowhere(&sinks(&stage, &engine, &ran));
}

#[cfg(feature = "rhai")]
#[test]
fn the_names_of_artifacts_hold_no_secret() {
    let (stage, engine, ran) = run_script(
        "fn build() { try { artifact(`artifacts/${forms()[0]}`); } catch (it) { print(it); } }\n\
         fn test() { artifact(`artifacts/nowhere/${forms()[2]}`); }",
    );
    assert_eq!(ran.outcome(), Outcome::Failure, "{:#?}", ran.record());
    nowhere(&sinks(&stage, &engine, &ran));
}

/// Everything of deployments that can be seen from outside.
fn deploy_sinks(stage: &Stage, engine: &Engine, events: &[Event]) -> Vec<(String, String)> {
    let kept = engine.deployments(None).unwrap().deployments;
    let kept = kept.iter().flat_map(|it| [it.to_json(), it.sentence(), format!("{it:?}")]);
    let mut sinks: Vec<(String, String)> =
        kept.map(|text| ("a deployment".to_owned(), text)).collect();
    sinks.extend(events.iter().map(|it| ("an event".to_owned(), it.to_json())));
    let on_ref = stage.repo.git(&["log", "--format=%B", "refs/tinyci/deployments/production"]);
    sinks.push(("the ref".to_owned(), on_ref));
    sinks.push(("the build's log".to_owned(), stage.log_of(stage.head()).join("\n")));
    sinks.push(("the log of all runs".to_owned(), stage.log().join("\n")));
    #[cfg(feature = "cli")]
    for args in [&["deployments", "--json"][..], &["deployments"], &["status", "--json"]] {
        let said = crate::support::program::run(&stage.repo, args);
        sinks.push((format!("{args:?}"), format!("{}{}", said.out, said.err)));
    }
    sinks
}

/// Runs and deploys what stands in this config.
fn deploy(name: &str, config: &str, outcome: DeployOutcome) {
    let stage = stage();
    stage.repo.write(name, config);
    stage.commit_more("A config");
    let engine = engine(&stage);
    let ran = Ran::of(&engine, &tinyci::Selection::pending());
    assert_eq!(ran.outcome(), Outcome::Success, "{:#?}", ran.record());
    let mut events = Vec::new();
    let mut observer = |event: &Event| events.push(event.clone());
    let done = engine.deploy("production", "HEAD", &CancelToken::new(), &mut observer).unwrap();
    assert_eq!(done.outcome, outcome, "{done:#?}");
    let mut sinks = deploy_sinks(&stage, &engine, &events);
    sinks.extend(self::sinks(&stage, &engine, &ran));
    nowhere(&sinks);
}

#[test]
fn a_deployment_of_yaml_shows_and_keeps_no_secret() {
    let config = "build: 'true'\ndeploy:\n  secrets: [TOKEN]\n  run:\n    - ./leak\n    \
                  - ': hunter%222%2F2%20%C3%BC22'\n    - ./leak; exit 3\n";
    deploy(".tinyci.yml", config, DeployOutcome::Failure);
}

#[cfg(feature = "rhai")]
#[test]
fn a_deployment_of_a_script_shows_and_keeps_no_secret() {
    let text = r#"fn build() { sh("true"); }
        fn deploy(ctx) {
            sh("./leak", #{ env: #{ TOKEN: secret("TOKEN") } });
            for form in forms() { print(form); warn(form); sh(["echo", form], #{ label: form }); }
            fail(`not ${forms()[0]}`);
        }"#;
    deploy(".tinyci.rhai", &format!("{BEGIN}{text}"), DeployOutcome::Failure);
}

#[cfg(feature = "rhai")]
#[test]
fn the_question_of_an_approval_holds_no_secret() {
    let text = r#"fn build() { sh("true"); }
        fn deploy(ctx) {
            secret("TOKEN");
            // No command may come before this.
            approve(`Is it hunter\"2/2 ü22, or aHVudGVyIjIvMiDDvDIy?`);
        }"#;
    deploy(".tinyci.rhai", &format!("{BEGIN}{text}"), DeployOutcome::AwaitingApproval);
}

/// What a step leaves on record is looked at again at the end: only a later step was given the
/// secret by which it is known.
#[cfg(feature = "rhai")]
#[test]
fn a_secret_that_a_later_step_uses_is_taken_out_of_what_was_kept_before() {
    let stage = stage();
    let script = r#"fn build() {
        let text = capture("sed -n 1p forms");
        remember("early", #{ a: [text], b: 1 });
        sh(["echo", text]);
    }
    fn test() { sh("true", #{ env: #{ T: secret("TOKEN") } }); }"#;
    stage.repo.write(".tinyci.rhai", format!("{BEGIN}{script}"));
    stage.commit_more("A script");
    let ran = Ran::of(&engine(&stage), &tinyci::Selection::pending());
    assert_eq!(ran.outcome(), Outcome::Success, "{:#?}", ran.record());
    let record = ran.record();
    let kept = record.to_json();
    assert!(!kept.contains("hunter"), "{kept}");
    assert_eq!(record.remembered["early"].get("a").unwrap().as_array().unwrap(), ["***".into()]);
    assert!(record.steps[0].commands[1].command.contains("***"), "{record:#?}");
}
