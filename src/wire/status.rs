//! What the person who looks after a server asks for: settings, how the repository stands, and what
//! housekeeping passed over.

use std::borrow::Cow;

use serde::Serialize;

use super::{
    deployment::DeploymentMirror,
    record::{CommitMirror, Time, hex_unless_utf8, ids},
    version::VERSION,
};
use crate::model::{
    not_removed::NotRemoved,
    setting::Setting,
    status::{BranchStatus, EnvironmentStatus, RunningRun, Status},
};

impl Setting {
    /// As one line of JSON: `key`, `values`, `origin` where something is set, `default`, `meaning`.
    pub fn to_json(&self) -> String {
        super::record::json(&SettingMirror {
            v: VERSION,
            key: &self.key,
            values: &self.values,
            origin: self.origin.as_deref(),
            default: self.default,
            meaning: self.meaning,
        })
    }
}

#[derive(Serialize)]
struct SettingMirror<'a> {
    v: u32,
    key: &'a str,
    values: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    default: &'a str,
    meaning: &'a str,
}

impl Status {
    /// As one line of JSON: `running`, `due`, `interrupted`, `judged_by_remote`, `held`, `branches`,
    /// `environments`, `free_bytes` and `warnings`, as the fields are documented. Ids are full, times RFC 3339.
    ///
    /// ```
    /// let expected = concat!(
    ///     r#"{"v":1,"due":[],"interrupted":[],"judged_by_remote":[],"held":[],"#,
    ///     r#""branches":[],"environments":[],"warnings":[]}"#,
    /// );
    /// assert_eq!(tinyci::status::Status::default().to_json(), expected);
    /// ```
    pub fn to_json(&self) -> String {
        super::record::json(&StatusMirror {
            v: VERSION,
            running: self.running.as_ref().map(RunningMirror::of),
            due: self.due.iter().map(CommitMirror::of).collect(),
            interrupted: ids(&self.interrupted),
            judged_by_remote: ids(&self.judged_by_remote),
            held: ids(&self.held),
            branches: self.branches.iter().map(BranchMirror::of).collect(),
            environments: self.environments.iter().map(EnvironmentMirror::of).collect(),
            free_bytes: self.free_bytes,
            warnings: &self.warnings,
        })
    }
}

#[derive(Serialize)]
struct StatusMirror<'a> {
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<RunningMirror<'a>>,
    due: Vec<CommitMirror<'a>>,
    interrupted: Vec<String>,
    judged_by_remote: Vec<String>,
    held: Vec<String>,
    branches: Vec<BranchMirror<'a>>,
    environments: Vec<EnvironmentMirror<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct RunningMirror<'a> {
    pid: u32,
    host: &'a str,
    since: Time,
    commits: Vec<RunningCommitMirror<'a>>,
}

#[derive(Serialize)]
struct RunningCommitMirror<'a> {
    commit: String,
    subject: Cow<'a, str>,
    since: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
}

#[derive(Serialize)]
struct BranchMirror<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
    tip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    judged: Option<JudgedMirror<'a>>,
}

#[derive(Serialize)]
struct JudgedMirror<'a> {
    commit: String,
    subject: Cow<'a, str>,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Time>,
}

#[derive(Serialize)]
struct EnvironmentMirror<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployed: Option<DeploymentMirror<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<DeploymentMirror<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<CommitMirror<'a>>,
}

/// What housekeeping passed over.
#[derive(Serialize)]
pub(crate) struct NotRemovedMirror<'a> {
    path: Cow<'a, str>,
    reason: &'a str,
}

impl<'a> NotRemovedMirror<'a> {
    pub(crate) fn list(all: &'a [NotRemoved]) -> Vec<Self> {
        let mirror =
            |it: &'a NotRemoved| Self { path: it.path.to_string_lossy(), reason: &it.reason };
        all.iter().map(mirror).collect()
    }
}

impl<'a> RunningMirror<'a> {
    fn of(run: &'a RunningRun) -> Self {
        let commits = run.commits.iter().map(|it| RunningCommitMirror {
            commit: it.commit.to_string(),
            subject: it.subject.to_str_lossy(),
            since: Time(it.since),
            step: it.step.as_deref(),
        });
        Self { pid: run.pid, host: &run.host, since: Time(run.since), commits: commits.collect() }
    }
}

impl<'a> BranchMirror<'a> {
    fn of(branch: &'a BranchStatus) -> Self {
        let judged = branch.judged.as_ref().map(|it| JudgedMirror {
            commit: it.commit.to_string(),
            subject: it.subject.to_str_lossy(),
            outcome: it.outcome.name(),
            finished: it.finished.map(Time),
        });
        Self {
            name: branch.name.to_str_lossy(),
            name_hex: hex_unless_utf8(branch.name.as_bytes()),
            tip: branch.tip.to_string(),
            judged,
        }
    }
}

impl<'a> EnvironmentMirror<'a> {
    fn of(environment: &'a EnvironmentStatus) -> Self {
        Self {
            name: &environment.name,
            remote: environment.remote.as_deref(),
            deployed: environment.deployed.as_ref().map(DeploymentMirror::of),
            latest: environment.latest.as_ref().map(DeploymentMirror::of),
            next: environment.next.as_ref().map(CommitMirror::of),
        }
    }
}
