//! Events as JSON, for `--json`.

use std::path::Path;

use serde::Serialize;

use super::{
    deployment::DeploymentJson,
    record::{CommitJson, JobJson, RecordJson, StepJson, Time, hex_unless_utf8, json},
    version::VERSION,
};
use crate::model::{
    event::{Event, EventKind, EventMeta},
    executor::Stream,
    pipeline::{Phase, StepName},
};

impl Event {
    /// Returns one line of JSON.
    ///
    /// All events have `event` (the kind), `v`, `sequence` and `time`, and, if they apply,
    /// `commit`, `job_id`, `step` and `label`. The other keys depend on the kind:
    ///
    /// - `planned`: `jobs`;
    /// - `job_started`: `details` and, if the commit is tested again, `retest_reason`;
    /// - `exported`: `dir`;
    /// - `step_started`: `opens`;
    /// - `output`: `stream` and `text`, with the bytes as `text_hex` if they are not UTF-8;
    /// - `step_finished` and `job_finished`: `record`;
    /// - `warning` and `waiting`: `message`;
    /// - `deploy_started` and `deploy_finished`: `deployment`;
    /// - `finished`: `outcome`.
    pub fn to_json(&self) -> String {
        let event = EventJson::of(self);
        json(&event)
    }
}

#[derive(Serialize)]
struct EventJson<'a> {
    event: &'static str,
    v: u32,
    sequence: u64,
    time: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    job_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<&'a str>,
    #[serde(flatten)]
    body: Body<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Body<'a> {
    Planned {
        jobs: Vec<JobJson<'a>>,
    },
    JobStarted {
        details: CommitJson<'a>,
        #[serde(skip_serializing_if = "Option::is_none")]
        retest_reason: Option<&'a str>,
    },
    Exported {
        dir: String,
    },
    StepStarted {
        #[serde(skip_serializing_if = "Option::is_none")]
        opens: Option<&'static str>,
    },
    Output {
        stream: &'static str,
        text: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        text_hex: Option<String>,
    },
    StepFinished {
        record: StepJson<'a>,
    },
    JobFinished {
        record: Box<RecordJson<'a>>,
    },
    Deployment {
        deployment: Box<DeploymentJson<'a>>,
    },
    Message {
        message: &'a str,
    },
    Finished {
        outcome: &'static str,
    },
}

impl<'a> EventJson<'a> {
    fn of(event: &'a Event) -> Self {
        let EventMeta { sequence, time, commit, job_id, step, label } = &event.meta;
        Self {
            event: kind(&event.kind),
            v: VERSION,
            sequence: *sequence,
            time: Time(*time),
            commit: commit.map(|id| id.to_string()),
            job_id: job_id.as_deref(),
            step: step.map(StepName::as_str),
            label: label.as_deref(),
            body: Body::of(&event.kind),
        }
    }
}

fn kind(kind: &EventKind) -> &'static str {
    match kind {
        EventKind::Planned { .. } => "planned",
        EventKind::JobStarted { .. } => "job_started",
        EventKind::Exported { .. } => "exported",
        EventKind::StepStarted { .. } => "step_started",
        EventKind::Output { .. } => "output",
        EventKind::StepFinished { .. } => "step_finished",
        EventKind::JobFinished { .. } => "job_finished",
        EventKind::Warning { .. } => "warning",
        EventKind::Waiting { .. } => "waiting",
        EventKind::DeployStarted { .. } => "deploy_started",
        EventKind::DeployFinished { .. } => "deploy_finished",
        EventKind::Finished { .. } => "finished",
    }
}

impl<'a> Body<'a> {
    fn of(kind: &'a EventKind) -> Self {
        match kind {
            EventKind::Planned { jobs, .. } => {
                Body::Planned { jobs: jobs.iter().map(JobJson::of).collect() }
            }
            EventKind::JobStarted { commit, retest_reason, .. } => Body::JobStarted {
                details: CommitJson::of(commit),
                retest_reason: retest_reason.as_deref(),
            },
            EventKind::Exported { dir, .. } => Body::Exported { dir: lossy(dir) },
            EventKind::StepStarted { opens, .. } => Body::StepStarted {
                opens: opens.map(|phase: Phase| StepName::from(phase).as_str()),
            },
            EventKind::Output { stream, bytes, .. } => output(*stream, bytes),
            EventKind::StepFinished { record, .. } => {
                Body::StepFinished { record: StepJson::of(record) }
            }
            EventKind::JobFinished { record, .. } => {
                Body::JobFinished { record: Box::new(RecordJson::of(record)) }
            }
            EventKind::Warning { message, .. } | EventKind::Waiting { message, .. } => {
                Body::Message { message }
            }
            EventKind::DeployStarted { deployment, .. }
            | EventKind::DeployFinished { deployment, .. } => {
                Body::Deployment { deployment: Box::new(DeploymentJson::of(deployment)) }
            }
            EventKind::Finished { outcome, .. } => Body::Finished { outcome: outcome.name() },
        }
    }
}

fn output(stream: Stream, bytes: &[u8]) -> Body<'static> {
    let stream = match stream {
        Stream::Stdout => "stdout",
        Stream::Stderr => "stderr",
    };
    let text_hex = hex_unless_utf8(bytes);
    Body::Output { stream, text: String::from_utf8_lossy(bytes).into_owned(), text_hex }
}

fn lossy(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn an_output_event_is_one_line_and_keeps_its_bytes() {
        let meta = EventMeta {
            sequence: 7,
            time: UNIX_EPOCH,
            commit: None,
            job_id: None,
            step: None,
            label: None,
        };
        let event = |bytes: &[u8]| {
            let kind = EventKind::Output { stream: Stream::Stdout, bytes: bytes.to_vec() };
            Event::new(meta.clone(), kind)
        };
        let expected = r#"{"event":"output","v":1,"sequence":7,"time":"1970-01-01T00:00:00.000Z","stream":"stdout","text":"a\n"}"#;
        assert_eq!(event(b"a\n").to_json(), expected);
        assert!(event(b"\xff\n").to_json().contains(r#""text_hex":"ff0a""#));
    }
}
