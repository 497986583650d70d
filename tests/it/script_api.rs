//! What the functions of scripts promise beside the plain running of commands.

use crate::script_run::{build_error, build_output, run};

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
    assert!(output.starts_with("… (523359 bytes before this are not shown)\n"), "{}", &output[..80]);
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
}
