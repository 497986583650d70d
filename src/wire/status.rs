//! JSON for server administration: settings, the state of a repository, and files that could not be
//! removed.

use std::borrow::Cow;

use serde::Serialize;

use super::{
    deployment::DeploymentJson,
    record::{CommitJson, Time, hex_unless_utf8, ids},
    version::VERSION,
};
use crate::model::{
    not_removed::NotRemoved,
    setting::Setting,
    status::{ActiveRun, BranchStatus, EnvironmentStatus, Status},
};

impl Setting {
    /// Returns one line of JSON: `key`, `values`, `origin` if something is set, `default` (a string
    /// that `git config` takes, or null), `default_description` and `description`.
    pub fn to_json(&self) -> String {
        super::record::json(&SettingJson {
            v: VERSION,
            key: &self.key,
            values: &self.values,
            origin: self.origin.as_deref(),
            default: self.default,
            default_description: self.default_description,
            description: self.description,
        })
    }
}

#[derive(Serialize)]
struct SettingJson<'a> {
    v: u32,
    key: &'a str,
    values: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    default: Option<&'a str>,
    default_description: &'a str,
    description: &'a str,
}

impl Status {
    /// Returns one line of JSON. The keys are the fields of [`Status`]; ids are full, times RFC
    /// 3339.
    ///
    /// ```
    /// let expected = concat!(
    ///     r#"{"v":1,"pending":[],"unfinished":[],"tested_by_remote":[],"out_of_attempts":[],"#,
    ///     r#""branches":[],"environments":[],"warnings":[]}"#,
    /// );
    /// assert_eq!(tinyci::status::Status::default().to_json(), expected);
    /// ```
    pub fn to_json(&self) -> String {
        super::record::json(&StatusJson {
            v: VERSION,
            running: self.running.as_ref().map(RunningJson::of),
            pending: self.pending.iter().map(CommitJson::of).collect(),
            unfinished: ids(&self.unfinished),
            tested_by_remote: ids(&self.tested_by_remote),
            out_of_attempts: ids(&self.out_of_attempts),
            branches: self.branches.iter().map(BranchJson::of).collect(),
            environments: self.environments.iter().map(EnvironmentJson::of).collect(),
            free_bytes: self.free_bytes,
            warnings: &self.warnings,
        })
    }
}

#[derive(Serialize)]
struct StatusJson<'a> {
    v: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    running: Option<RunningJson<'a>>,
    pending: Vec<CommitJson<'a>>,
    unfinished: Vec<String>,
    tested_by_remote: Vec<String>,
    out_of_attempts: Vec<String>,
    branches: Vec<BranchJson<'a>>,
    environments: Vec<EnvironmentJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    free_bytes: Option<u64>,
    warnings: &'a [String],
}

#[derive(Serialize)]
struct RunningJson<'a> {
    pid: u32,
    machine: &'a str,
    since: Time,
    commits: Vec<RunningCommitJson<'a>>,
}

#[derive(Serialize)]
struct RunningCommitJson<'a> {
    commit: String,
    subject: Cow<'a, str>,
    since: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'a str>,
}

#[derive(Serialize)]
struct BranchJson<'a> {
    name: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_hex: Option<String>,
    tip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<LatestVerdictJson<'a>>,
}

#[derive(Serialize)]
struct LatestVerdictJson<'a> {
    commit: String,
    subject: Cow<'a, str>,
    outcome: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    finished: Option<Time>,
}

#[derive(Serialize)]
struct EnvironmentJson<'a> {
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    remote: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deployed: Option<DeploymentJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latest: Option<DeploymentJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<CommitJson<'a>>,
}

/// A path that could not be removed.
#[derive(Serialize)]
pub(crate) struct NotRemovedJson<'a> {
    path: Cow<'a, str>,
    reason: &'a str,
}

impl<'a> NotRemovedJson<'a> {
    pub(crate) fn list(all: &'a [NotRemoved]) -> Vec<Self> {
        let json =
            |it: &'a NotRemoved| Self { path: it.path.to_string_lossy(), reason: &it.reason };
        all.iter().map(json).collect()
    }
}

impl<'a> RunningJson<'a> {
    fn of(run: &'a ActiveRun) -> Self {
        let commits = run.commits.iter().map(|it| RunningCommitJson {
            commit: it.commit.to_string(),
            subject: it.subject.to_str_lossy(),
            since: Time(it.since),
            step: it.step.as_deref(),
        });
        Self {
            pid: run.pid,
            machine: &run.machine,
            since: Time(run.since),
            commits: commits.collect(),
        }
    }
}

impl<'a> BranchJson<'a> {
    fn of(branch: &'a BranchStatus) -> Self {
        let latest = branch.latest.as_ref().map(|it| LatestVerdictJson {
            commit: it.commit.to_string(),
            subject: it.subject.to_str_lossy(),
            outcome: it.outcome.name(),
            finished: it.finished.map(Time),
        });
        Self {
            name: branch.name.to_str_lossy(),
            name_hex: hex_unless_utf8(branch.name.as_bytes()),
            tip: branch.tip.to_string(),
            latest,
        }
    }
}

impl<'a> EnvironmentJson<'a> {
    fn of(environment: &'a EnvironmentStatus) -> Self {
        Self {
            name: &environment.name,
            remote: environment.remote.as_deref(),
            deployed: environment.deployed.as_ref().map(DeploymentJson::of),
            latest: environment.latest.as_ref().map(DeploymentJson::of),
            next: environment.next.as_ref().map(CommitJson::of),
        }
    }
}
