//! How phases of scripts end: what counts of all that happened, what no script can catch, and where
//! deferred functions run.

use tinyci::{
    CancelToken, Engine, Event, EventKind, Outcome, Record, Selection, Value,
    callback::Effect,
    deploy::{DeployOutcome, DeployRequest, Deployment},
    executor::Exit,
    record::{StepFailure, StepRecord},
};

use crate::support::TestRepo;

fn engine(repo: &TestRepo) -> Engine {
    Engine::builder(repo.path())
        .function("look", 0..=0, Effect::Pure, "", |_| Ok(Value::Null))
        .function("act", 0..=0, Effect::External, "", |_| Ok(Value::Null))
        .open()
        .unwrap()
}

fn script(text: &str) -> TestRepo {
    let repo = TestRepo::new();
    repo.write(".tinyci.rhai", text);
    repo.write("page", "a page");
    repo.commit("script");
    repo
}

fn run(repo: &TestRepo) -> Record {
    let selection = Selection::revision("HEAD");
    let summary = engine(repo).run(&selection, &CancelToken::new(), &mut |_: &Event| {}).unwrap();
    summary.records.into_iter().next().unwrap()
}

/// The build of a script whose `build` has this body.
fn build(body: &str) -> StepRecord {
    let functions = "fn deep(n) { deep(n + 1) }\n";
    let record = run(&script(&format!("{functions}fn build(ctx) {{ {body} }}")));
    record.steps.into_iter().next().unwrap()
}

/// The last words of its commands.
fn ran(step: &StepRecord) -> Vec<&str> {
    let words = step.commands.iter().map(|it| it.command.trim_end_matches('\''));
    words.map(|it| it.rsplit(' ').next().unwrap()).collect()
}

fn told(failure: &StepFailure) -> (Option<&str>, Option<&str>, &str) {
    (failure.label.as_deref(), failure.place.as_deref(), &failure.message)
}

#[test]
fn what_speaks_for_the_whole_phase_is_an_error_where_other_parts_of_it_run() {
    for call in ["skip", "approve"] {
        for (body, inside) in [
            ("parallel([1], |it| CALL);", "a task"),
            ("parallel(#{ a: || retry(3, || CALL) });", "a task"),
            ("matrix(#{ a: [1] }, |it| group(\"g\", || CALL));", "a task"),
            ("parallel([1], |it| timeout(\"1m\", || CALL));", "a task"),
            ("parallel([1], |it| [1].map(|x| CALL));", "a task"),
            ("parallel([1], |it| defer(|| CALL));", "a deferred function"),
            ("defer(|| CALL);", "a deferred function"),
            ("defer(|| retry(3, || group(\"g\", || CALL)));", "a deferred function"),
            ("group(\"g\", || defer(|| CALL));", "a deferred function"),
            ("retry(2, || defer(|| CALL));", "a deferred function"),
            ("defer(|| parallel([1], |it| CALL));", "a task"),
            ("parallel([1], |it| { try { CALL } catch { } });", "a task"),
        ] {
            let body = body.replace("CALL", &format!("{call}(\"x\")"));
            let step = if call == "skip" {
                build(&format!("{body} sh(\"echo on\");"))
            } else {
                deployment(&format!("{body} sh(\"echo on\");")).1.unwrap()
            };
            assert_eq!(step.outcome, Outcome::Failure, "{body}");
            let expected = format!("`{call}` cannot be called in {inside}");
            let message = &step.failures[0].message;
            assert!(message.starts_with(&expected) && message.contains("`return`"), "{message}");
            // Deferred functions run at the end of the body.
            assert!(body.starts_with("defer") || ran(&step).is_empty(), "{body}");
        }
    }
}

/// A deployment of a script whose `deploy` has this body, with its step if it has one.
fn deployment(body: &str) -> (Deployment, Option<StepRecord>) {
    let repo = script(&format!("fn build() {{ }}\nfn deploy(ctx) {{ {body} }}"));
    run(&repo);
    let mut steps = Vec::new();
    let mut observer = |event: &Event| {
        if let EventKind::StepFinished { record, .. } = &event.kind {
            steps.push(record.clone());
        }
    };
    let request = DeployRequest::revision("HEAD");
    let ended = engine(&repo).deploy("production", request, &CancelToken::new(), &mut observer);
    (ended.unwrap(), steps.into_iter().next())
}

#[test]
fn an_approval_comes_before_anything_that_has_an_effect() {
    for effect in [
        "sh(\"true\")",
        "try_sh(\"false\")",
        "capture(\"true\")",
        "remember(\"a\", 1)",
        "artifact(\"page\")",
        "discard_export()",
        "act()",
        "group(\"g\", || act())",
    ] {
        for body in [format!("{effect}; "), format!("try {{ {effect}; }} catch {{ }} ")] {
            let (ended, step) =
                deployment(&format!("{body} try {{ approve(\"?\"); }} catch {{ }}"));
            assert_eq!(ended.outcome, DeployOutcome::Failure, "{body}");
            let message = &step.unwrap().failures[0].message;
            assert!(message.starts_with("`approve` must come before any command"), "{message}");
        }
    }
    for body in [
        "look();",
        "print(1); debug(1); warn(\"w\");",
        "defer(|| sh(\"true\"));",
        "env(\"HOME\", 1); recall(\"a\", 1);",
        "group(\"g\", || { defer(|| act()); approve(\"?\"); });",
        "retry(3, || { defer(|| act()); approve(\"?\"); });",
        "defer(|| sh(\"true\")); try { approve(\"?\"); } catch { sh(\"true\"); }",
    ] {
        let (ended, step) = deployment(&format!("{body} approve(\"?\"); sh(\"true\");"));
        assert_eq!(ended.outcome, DeployOutcome::AwaitingApproval, "{body}");
        assert_eq!(ended.reason.as_deref(), Some("awaiting approval: ?"), "{body}");
        assert!(step.unwrap().commands.is_empty(), "{body}");
    }
}

#[test]
fn what_acted_before_it_was_skipped_is_a_failure_and_says_so() {
    for acts in ["sh(\"true\");", "remember(\"a\", 1);", "act();"] {
        let (ended, step) = deployment(&format!("{acts} skip(\"not today\");"));
        assert_eq!(ended.outcome, DeployOutcome::Failure, "{acts}");
        let reason = ended.reason.unwrap();
        assert_eq!(reason, "skipped after it had already acted: not today");
        let place = step.unwrap().failures[0].place.clone();
        assert!(place.is_some_and(|place| place.starts_with(".tinyci.rhai:2:")), "{acts}");
    }
    let (ended, _) = deployment("look(); skip(\"not today\");");
    assert_eq!(ended.outcome, DeployOutcome::Skipped);
    assert_eq!(ended.reason.as_deref(), Some("skipped: not today"));
}

#[test]
fn no_script_catches_what_ends_its_phase() {
    for ends in [
        "skip(\"s\")",
        "fail(\"f\")",
        "deep(0)",
        "{ let s = \"x\"; loop { s += s; } }",
        "{ let f = || 1; loop { let g = f; f = || g; } }",
        "exit()",
    ] {
        for around in [
            "try { ENDS; } catch { } sh(\"echo on\");",
            "retry(3, || { ENDS; });",
            "try { group(\"g\", || { ENDS; }); } catch { } sh(\"echo on\");",
            "try { timeout(\"1h\", || { ENDS; }); } catch { } sh(\"echo on\");",
            "try { [2, 1].map(|x| { ENDS; }); } catch { } sh(\"echo on\");",
            "let l = [2, 1]; l.sort(|a, b| { ENDS; }); sh(\"echo on\");",
            "let l = [2, 1]; l.sort_by(|a, b| { ENDS; }); sh(\"echo on\");",
            "[2, 1].order(|a, b| { ENDS; }); sh(\"echo on\");",
            "[2, 1].order_by(|a, b| { ENDS; }); sh(\"echo on\");",
            "let l = [2, 1]; l.dedup(|a, b| { ENDS; }); sh(\"echo on\");",
            "try { let m = #{ a: 1 }; m.retain(|k, v| { ENDS; }); } catch { } sh(\"echo on\");",
        ] {
            let body = around.replace("ENDS", ends);
            let step = build(&body);
            let outcome =
                if ends.starts_with("skip") { Outcome::Skipped } else { Outcome::Failure };
            assert_eq!((step.outcome, step.commands.len()), (outcome, 0), "{body}");
            assert_eq!(step.failures.len(), usize::from(outcome == Outcome::Failure), "{body}");
        }
    }
}

#[test]
fn what_ends_the_phase_ends_it_however_it_is_called() {
    for (call, message) in [
        ("fail(3)", "`fail` takes a string or an error as its reason, not an int"),
        ("fail()", "`fail(reason)` cannot be called with 0 arguments"),
        ("fail(\"a\", 3)", "`fail(reason)` cannot be called with 2 arguments"),
        ("skip([1])", "`skip` takes a string or an error as its reason, not an array"),
        ("skip()", "`skip(reason)` cannot be called with 0 arguments"),
        ("Fn(\"skip\").call(1)", "`skip` takes a string or an error as its reason, not an int"),
        ("sh(\"<%= fail('a') %>\")", "a placeholder can only read values"),
    ] {
        let step = build(&format!("try {{ {call}; }} catch {{ }} sh(\"echo on\");"));
        assert_eq!((step.outcome, step.commands.len()), (Outcome::Failure, 0), "{call}");
        let failure = &step.failures[0];
        assert!(failure.message.contains(message), "{call}: {}", failure.message);
        assert!(failure.place.as_ref().is_some_and(|it| it.contains(":2:")), "{call}");
    }
    for call in
        ["approve()", "approve(#{})", "approve(\"a\", \"b\")", "sh(\"<%= approve('?') %>\")"]
    {
        let (ended, step) = deployment(&format!("try {{ {call}; }} catch {{ }} sh(\"echo on\");"));
        assert_eq!(ended.outcome, DeployOutcome::Failure, "{call}");
        assert!(step.is_none_or(|step| step.commands.is_empty()), "{call}");
    }
}

#[test]
fn a_closure_with_other_parameters_than_it_is_called_with_is_told_without_a_name() {
    let step = build("print([2, 1].order_by(|it| -it));");
    assert_eq!(step.failures[0].message, "the closure takes 1 argument, not 2");
}

#[test]
fn an_error_passes_through_a_comparer() {
    for call in ["l.sort", "l.sort_by", "l.order", "l.order_by", "l.dedup"] {
        let step = build(&format!("let l = [2, 1]; {call}(|a, b| {{ sh(\"exit 3\"); true }});"));
        assert_eq!(step.outcome, Outcome::Failure, "{call}");
        assert_eq!(ran(&step), ["3"], "{call}");
    }
}

#[test]
fn every_failure_is_recorded_with_its_label_and_place() {
    let step = build(
        "\nmatrix(#{ db: [\"pg\", \"my\", \"lite\"] }, |m| {\n  if m.db != \"pg\" { group(\"g\", || sh(\"exit 4\")); }\n  \
         sh(\"echo fine\"); });",
    );
    let told: Vec<_> = step.failures.iter().map(told).collect();
    let message = "command exited with status 4: exit 4";
    let place = Some(".tinyci.rhai:4:35");
    assert_eq!(told, [(Some("db=my/g"), place, message), (Some("db=lite/g"), place, message)]);
    assert_eq!(step.commands.len(), 3);
    let error = step.error.unwrap();
    assert!(error.starts_with("2 of 3 tasks failed: db=my/g: command exited"), "{error}");
    assert!(error.contains("= called from .tinyci.rhai:3:1 in build"), "{error}");

    // The gravest is told first, a second failure beside it; what the script caught is none.
    let step = build(
        "try { sh(\"exit 1\"); } catch { } retry(2, || { defer(|| sh(\"exit 3\")); sh(\"exit 2\"); }, #{ backoff: 0 });",
    );
    let messages: Vec<&str> = step.failures.iter().map(|it| it.message.as_str()).collect();
    assert_eq!(messages, [2, 3].map(|it| format!("command exited with status {it}: exit {it}")));
    let step = build("defer(|| sh(\"sleep 60\", #{ timeout: \"50ms\" })); sh(\"exit 2\");");
    assert_eq!((step.outcome, step.failures.len()), (Outcome::TimedOut, 2));
    assert_eq!(step.failures[0].command.as_deref(), Some("sleep 60"));
    let step = build("defer(|| sh(\"exit 4\")); skip(\"s\");");
    assert_eq!((step.outcome, step.failures.len()), (Outcome::Failure, 1));
}

#[test]
fn the_error_of_tasks_has_all_failures_and_throwing_it_again_keeps_them() {
    let step = build(
        "try { parallel(#{ a: || sh(\"exit 1\"), b: || throw \"no\", c: || 1 }); } catch (e) {
            sh(`test '${e.code}${e.label}${e.failures.len()}${e.failures[1].message}' = 1a2no`);
            throw e;
        }",
    );
    let labels: Vec<_> = step.failures.iter().map(|it| it.label.as_deref()).collect();
    assert_eq!(labels, [Some("a"), Some("b")]);
    let step = build(
        "try { parallel(#{ a: || sh(\"exit 1\"), b: || throw \"no\" }); } catch (e) { fail(e); }",
    );
    let of_a = (Some("a"), Some(".tinyci.rhai:2:41"), "command exited with status 1: exit 1");
    assert_eq!(told(&step.failures[0]), of_a);
    assert_eq!(step.failures[0].exit, Some(Exit::Code(1)));
    assert_eq!(told(&step.failures[1]), (Some("b"), Some(".tinyci.rhai:2:61"), "no"));
    let step = build(
        "group(\"g\", || {\ntry { sh(\"exit 7\"); } catch (e) { fail(e); }\n}); sh(\"echo on\");",
    );
    assert_eq!((step.commands.len(), step.failures[0].exit), (1, Some(Exit::Code(7))));
    let of_g = (Some("g"), Some(".tinyci.rhai:3:7"), "command exited with status 7: exit 7");
    assert_eq!(told(&step.failures[0]), of_g);
    let step = build("try { timeout(\"20ms\", || sleep(60)); } catch (e) { fail(e); }");
    assert_eq!((step.outcome, step.failures.len()), (Outcome::TimedOut, 1));
    let step = build(
        "try { timeout(\"20ms\", || sleep(60)); } catch (e) { sh(`test ${e.timed_out} = true`); }
         try { parallel([1, 2], |it| sh(\"exit 1\")); } catch { }",
    );
    assert_eq!((step.outcome, step.failures.len()), (Outcome::Success, 0));
}

#[test]
fn after_fail_nothing_begins_but_what_was_deferred() {
    // The other task is inside a command that goes on until the failure has been seen.
    let step = build(
        "parallel(#{
            a: || { sh(\"while ! test -e go; do sleep 0.01; done\"); fail(\"enough\"); },
            b: || { defer(|| sh(\"echo down\")); sh(\"touch go; while ! test -e log; do sleep 0.01; \
             test $((n += 1)) -lt 100 || break; done\"); sh(\"echo never\"); },
            c: || sh(\"test -e go; echo x >> tries; false\", #{ retries: 1000, backoff: \"20ms\" }),
         });",
    );
    assert_eq!(step.outcome, Outcome::Failure);
    let ran = ran(&step);
    assert!(ran.contains(&"down") && !ran.contains(&"never"), "{ran:?}");
    assert!(ran.len() < 500, "the attempts end as well: {}", ran.len());
    assert_eq!(step.failures[0].message, "enough");
}

#[test]
fn deferred_functions_run_where_the_nearest_scope_ends_last_first() {
    let step = build(
        "defer(|| sh(\"echo phase\"));
         retry(2, || {
            defer(|| sh(\"rm made\"));
            defer(|| sh(\"echo attempt\"));
            sh(\"test ! -e made && touch made && test -e second || { touch second; exit 1; }\", #{ label: \"x\" });
         }, #{ backoff: 0 });
         group(\"g\", || { timeout(\"1m\", || defer(|| sh(\"echo group\"))); sh(\"echo in\"); });
         parallel([1], |it| { defer(|| { defer(|| sh(\"echo inner\")); sh(\"echo task\"); }); });
         sh(\"echo end\");",
    );
    let words = ran(&step);
    let tail = ["in", "group", "task", "inner", "end", "phase"];
    assert_eq!(words[words.len() - 6..], tail, "{words:?}");
    assert_eq!(words.iter().filter(|it| **it == "made").count(), 2, "{words:?}");
    assert_eq!(step.outcome, Outcome::Success, "{:?}", step.failures);
    // A failing one fails what it belongs to, which can be tried again or caught.
    let step = build(
        "retry(2, || defer(|| sh(\"test -e second || { touch second; exit 1; }\")), #{ backoff: 0 });
         try { group(\"g\", || defer(|| sh(\"exit 1\"))); } catch { }",
    );
    assert_eq!((step.outcome, step.commands.len()), (Outcome::Success, 3));
}

#[test]
fn a_cancel_is_the_gravest_and_deferred_functions_run_all_the_same() {
    let repo = script(
        "fn build(ctx) {
            defer(|| sh(\"echo phase\"));
            parallel(#{
                a: || {
                    defer(|| sh(\"echo task\"));
                    sh(\"while ! test -e red; do sleep 0.01; done; echo ready; sleep 60\");
                },
                b: || { defer(|| sh(\"touch red\")); sh(\"exit 1\"); },
            });
         }",
    );
    let cancel = CancelToken::new();
    let other = cancel.clone();
    let mut observer = |event: &Event| {
        if let EventKind::Output { bytes, .. } = &event.kind
            && bytes.windows(5).any(|it| it == b"ready")
        {
            other.cancel();
        }
    };
    let summary = engine(&repo).run(&Selection::revision("HEAD"), &cancel, &mut observer).unwrap();
    let step = &summary.records[0].steps[0];
    assert_eq!(step.outcome, Outcome::Canceled);
    assert_eq!(step.failures.len(), 1, "{:?}", step.failures);
    let ran = ran(step);
    let mut tasks = ran[1..3].to_vec();
    tasks.sort();
    assert_eq!(tasks, ["60", "red"], "in either order: both tasks ran at once");
    assert_eq!([&ran[..1], &ran[3..]].concat(), ["1", "task", "phase"]);
}
