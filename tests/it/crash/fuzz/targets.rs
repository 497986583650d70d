//! The targets of the fuzzer: one function for each kind of untrusted input. Each accepts any
//! bytes, and panics if a required property does not hold.
//!
//! The fuzzer in `tests/fuzz/` and the tests in `short.rs` call the same functions. The functions
//! use only public names, except `remote`.

use tinyci::{
    Format, Pipeline, Record, Selection, Value, Vars, check::Checker, deploy::Deployment,
    interpolate,
};

use super::ssh_address::SshAddress;

/// A target: its name, which is also the name of its corpus, and its function.
pub(crate) type Target = (&'static str, fn(&[u8]));

/// All targets.
pub(crate) const TARGETS: &[Target] = &[
    ("yaml", yaml),
    ("interpolation", interpolation),
    #[cfg(feature = "rhai")]
    ("rhai", rhai),
    ("notes", notes),
    ("hook_lines", hook_lines),
    ("remote", remote),
    ("answers", answers),
    #[cfg(feature = "capi")]
    ("capi", super::capi::call),
];

/// Reads a YAML config. Every problem has a position. If the config can be converted, the script is
/// valid.
fn yaml(data: &[u8]) {
    let report = Checker::new("/nowhere").check(data, Format::Yaml, ".tinyci.yml");
    let report = report.expect("YAML imports nothing");
    let Ok(pipeline) = Pipeline::parse(data, Format::Yaml, ".tinyci.yml") else {
        assert!(!report.is_valid(), "an invalid config has a problem");
        return;
    };
    pipeline.check_placeholders(&Vars::new());
    #[cfg(feature = "rhai")]
    if let Ok(script) = pipeline.to_rhai() {
        let parsed = Pipeline::parse(&script, Format::Rhai, ".tinyci.rhai");
        assert!(parsed.is_ok(), "{script} is not a script: {}", parsed.unwrap_err());
    }
    for problem in &report.problems {
        assert!(problem.position.is_some(), "{} has no place", problem.message);
    }
}

/// Fills in a template with a variable. An accepted value stays one word, and a template without
/// placeholders stays unchanged.
fn interpolation(data: &[u8]) {
    let (template, value) = halves(data);
    let mut vars = Vars::new();
    vars.set("x", value.as_str()).expect("a valid name");
    let Ok(filled) = interpolate(&template, &vars) else { return };
    if !template.contains("<%") {
        assert_eq!(filled, template, "a text without placeholders stays as it is");
    }
    if template == "<%= x %>" {
        let is_plain = |it: char| it.is_ascii_alphanumeric() || "_./:@+,=-".contains(it);
        assert!(value.chars().all(is_plain) && !value.is_empty(), "{value:?} is not one word");
    }
}

/// Reads and checks a script, but does not run it.
#[cfg(feature = "rhai")]
fn rhai(data: &[u8]) {
    let parsed = Pipeline::parse(data, Format::Rhai, ".tinyci.rhai");
    // An import of a missing file is an error of the check itself.
    if let Ok(report) = Checker::new("/nowhere").check(data, Format::Rhai, ".tinyci.rhai") {
        assert!(parsed.is_ok() || !report.is_valid(), "what does not parse has a problem");
    }
}

/// Reads lines of notes, which are records or deployments. Writing and reading one again does not
/// change it.
fn notes(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for line in text.lines() {
        if let Ok(record) = Record::from_json(line) {
            let again = Record::from_json(&record.to_json()).expect("a record that tinyci wrote");
            assert_eq!(again.to_json(), record.to_json());
        }
        if let Ok(deployment) = Deployment::from_json(line) {
            let json = deployment.to_json();
            let again = Deployment::from_json(&json).expect("a deployment that tinyci wrote");
            assert_eq!(again.to_json(), json);
        }
    }
}

/// Reads the standard input of a `post-receive` hook.
fn hook_lines(data: &[u8]) {
    if let Ok(selection) = Selection::hook_lines(data) {
        let lines = data.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count();
        assert_eq!(selection.selectors.len(), lines, "each line is one update");
    }
}

/// Reads the URL of a remote. ssh's destination is never empty, and never an option.
fn remote(data: &[u8]) {
    let url = String::from_utf8_lossy(data);
    if let Ok(address) = SshAddress::parse(&url) {
        assert!(!address.destination.is_empty(), "{url:?}");
        assert!(!address.destination.starts_with('-'), "{url:?} would be an option of ssh");
    }
}

/// Reads the JSON with which a host answers a request.
fn answers(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(value) = Value::from_json(&text) {
        let json = value.to_json();
        let again = Value::from_json(&json).expect("JSON that tinyci wrote");
        assert_eq!(again.to_json(), json);
    }
}

/// Returns two strings: the input before its first NUL, and the rest.
fn halves(data: &[u8]) -> (String, String) {
    let at = data.iter().position(|byte| *byte == 0).unwrap_or(data.len());
    let (first, second) = data.split_at(at);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(first), text(second.get(1..).unwrap_or_default()))
}
