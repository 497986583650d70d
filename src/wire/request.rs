//! Requests to a host and script values as JSON, for the C ABI.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    os::unix::ffi::OsStrExt,
    time::{Instant, SystemTime},
};

use serde::Serialize;

use super::{
    record::{Time, hex_unless_utf8, json, whole_ms},
    value::value_json,
    version::VERSION,
};
use crate::{
    model::{
        executor::{Command, OutputMode, Program},
        function::Value,
        outcome::Outcome,
        request_context::RequestContext,
    },
    util::hex,
};

/// A request, in the sequence of a run's events.
#[derive(Serialize)]
pub(crate) struct RequestJson<'a> {
    event: &'static str,
    v: u32,
    sequence: u64,
    time: Time,
    commit: String,
    job_id: &'a str,
    step: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    export_dir: String,
    /// The remaining time for an answer, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    #[serde(flatten)]
    body: RequestBody<'a>,
}

/// The kind of request, with its data.
#[derive(Serialize)]
#[serde(untagged)]
pub(crate) enum RequestBody<'a> {
    Hook { name: &'static str, outcome: &'static str },
    Function { name: &'a str, arguments: Vec<serde_json::Value> },
    Secret { name: &'a str },
    Approval { environment: &'a str, question: Option<&'a str> },
    Command { command: CommandJson<'a> },
}

impl<'a> RequestBody<'a> {
    pub(crate) fn hook(name: &'static str, outcome: Outcome) -> Self {
        RequestBody::Hook { name, outcome: outcome.name() }
    }

    pub(crate) fn function(name: &'a str, arguments: &[Value]) -> Self {
        RequestBody::Function { name, arguments: arguments.iter().map(value_json).collect() }
    }

    pub(crate) fn command(command: &'a Command) -> Self {
        RequestBody::Command { command: CommandJson::of(command) }
    }
}

impl<'a> RequestJson<'a> {
    pub(crate) fn of(
        event: &'static str,
        sequence: u64,
        time: SystemTime,
        context: &'a RequestContext,
        body: RequestBody<'a>,
    ) -> Self {
        Self {
            event,
            v: VERSION,
            sequence,
            time: Time(time),
            commit: context.commit.id.to_string(),
            job_id: &context.job_id,
            step: context.step.as_str(),
            label: context.label.as_deref(),
            export_dir: context.export_dir.to_string_lossy().into_owned(),
            timeout_ms: context.deadline.map(remaining_ms),
            body,
        }
    }

    /// Returns one line of JSON.
    pub(crate) fn to_json(&self) -> String {
        json(self)
    }
}

/// A command for the host to run.
#[derive(Serialize)]
pub(crate) struct CommandJson<'a> {
    /// A command line for `/bin/sh -c`.
    #[serde(skip_serializing_if = "Option::is_none")]
    shell: Option<&'a str>,
    /// A program and its arguments, instead of `shell`.
    #[serde(skip_serializing_if = "Option::is_none")]
    argv: Option<&'a [String]>,
    cwd: String,
    /// The complete environment.
    env: BTreeMap<&'a str, Cow<'a, str>>,
    /// The variables whose name or value is not UTF-8: both in hexadecimal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    env_hex: Vec<[String; 2]>,
    #[serde(skip_serializing_if = "is_zero")]
    nice: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    input: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_hex: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout_ms: Option<u64>,
    output: &'static str,
}

impl<'a> CommandJson<'a> {
    fn of(command: &'a Command) -> Self {
        let (shell, argv) = match &command.program {
            Program::Shell(text) => (Some(text.as_str()), None),
            Program::Argv(words) => (None, Some(words.as_slice())),
        };
        let input = command.input.as_deref();
        let named = command.env.iter().filter_map(|(name, value)| Some((name.to_str()?, value)));
        let strings = named.map(|(name, value)| (name, value.to_string_lossy()));
        let pairs = command.env.iter().map(|(name, value)| [name, value]);
        let others = pairs.filter(|pair| pair.iter().any(|text| text.to_str().is_none()));
        Self {
            shell,
            argv,
            cwd: command.cwd.to_string_lossy().into_owned(),
            env: strings.collect(),
            env_hex: others.map(|pair| pair.map(|text| hex::encode(text.as_bytes()))).collect(),
            nice: command.nice,
            input: input.map(|bytes| String::from_utf8_lossy(bytes).into_owned()),
            input_hex: input.and_then(hex_unless_utf8),
            timeout_ms: command.deadline.map(remaining_ms),
            output: match command.output {
                OutputMode::Merged => "merged",
                OutputMode::Split => "split",
            },
        }
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as serde calls it")]
fn is_zero(nice: &u8) -> bool {
    *nice == 0
}

impl Command {
    /// Returns one line of JSON.
    pub(crate) fn to_json(&self) -> String {
        json(&CommandJson::of(self))
    }
}

fn remaining_ms(deadline: Instant) -> u64 {
    whole_ms(deadline.saturating_duration_since(Instant::now()))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_command_has_all_that_is_needed_to_run_it() {
        let mut command = Command::new(Program::Shell("make".to_owned()), "/tmp/x");
        command.env = BTreeMap::from([("A".into(), "1".into())]);
        let bytes = |bytes: &'static [u8]| OsStr::from_bytes(bytes).to_owned();
        command.env.extend([("B".into(), bytes(b"\xff")), (bytes(b"\xfe"), "c".into())]);
        command.input = Some(b"\xff".to_vec());
        let expected = r#"{"shell":"make","cwd":"/tmp/x","env":{"A":"1","B":"�"},"env_hex":[["42","ff"],["fe","63"]],"input":"�","input_hex":"ff","output":"merged"}"#;
        assert_eq!(command.to_json(), expected);
    }

    #[test]
    fn values_go_through_json_and_back() {
        let text = r#"{"a":[null,true,1,1.5,"x"]}"#;
        assert_eq!(Value::from_json(text).unwrap().to_json(), text);
        assert!(Value::from_json("{").is_err());
        assert!(Value::from_json(&"[".repeat(100_000)).is_err(), "deeper than any stack");
        assert_eq!(Value::Float(f64::NAN).to_json(), "null");
    }
}
