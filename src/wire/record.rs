//! Records, summaries, plans and commits as JSON.

use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned};

use super::{
    unknown,
    value::{read_value, value_json},
    version::VERSION,
};
use crate::{model::dry_run::DryRun, wire::dry_run::DryRunJson};
use crate::{
    model::{
        commit::{Commit, CommitId, GitString, cut},
        error::{Error, ErrorKind},
        job::{Job, Plan},
        outcome::{Exit, Outcome},
        pipeline::{Format, StepName},
        record::{CommandRecord, LeftOut, LeftOutBy, Record, StepFailure, StepRecord, Summary},
        record_size::share,
    },
    util::hex,
    wire::{
        artifact::{ArtifactJson, ArtifactTotalJson},
        deployment::DeploymentJson,
        intervention::InterventionJson,
    },
};

/// The most bytes of one reason or error, because `git log` shows notes.
const TEXT_BYTES_MAX: usize = 4096;

impl Record {
    /// Returns one line of JSON, as `refs/notes/runs/tinyci` stores it.
    ///
    /// `counts` is only present if false: then the outcome is not the commit's verdict.
    ///
    /// A step with many commands keeps the first, the last and the failed ones. `omitted_commands`
    /// and `omitted_failures` are the numbers of the others. A command, reason or error is cut at 4
    /// KiB, with a note at its end. Commands are cut shorter if those of a step have more than 32
    /// KiB together. Times are truncated to milliseconds. A branch that is not UTF-8 has U+FFFD in
    /// `branch`, and its bytes in `branch_hex`.
    ///
    /// ```
    /// let line = concat!(
    ///     r#"{"finished":"2026-11-24T19:50:00.123Z","outcome":"success","v":1,"job_id":"r1","#,
    ///     r#""commit":"f40785cbc4422f39c36118fbae071932774cb5b6","#,
    ///     r#""tree":"4b825dc642cb6eb9a060e54bf8d69288fbee4904","branch":"main","#,
    ///     r#""started":"2026-11-24T19:49:58.000Z","duration_ms":2123,"machine":"ci","steps":[]}"#,
    /// );
    /// let record = tinyci::Record::from_json(line)?;
    /// assert!(record.passed());
    /// assert_eq!(record.to_json(), line);
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    pub fn to_json(&self) -> String {
        json(&RecordJson::of(self))
    }

    /// Parses a record, even if a newer tinyci wrote it. Ignores unknown steps and exits; an
    /// unknown outcome becomes [`Error`](Outcome::Error). Keeps unknown fields:
    /// [`to_json`](Record::to_json) writes them again.
    ///
    /// # Errors
    ///
    /// Returns [`NewerFormat`](ErrorKind::NewerFormat) if its version (`v`) is newer. Returns
    /// [`InvalidArg`](ErrorKind::InvalidArg) if the text is not a JSON object with the required
    /// fields: `job_id`, `commit`, `tree`, `outcome` and `finished`.
    pub fn from_json(text: &str) -> Result<Self, Error> {
        let value: RecordJson = serde_json::from_str(text).map_err(|source| {
            Error::new(ErrorKind::InvalidArg, "not a tinyci record").with_source(source)
        })?;
        value.into_record()
    }
}

impl StepRecord {
    /// Returns one line of JSON, in the same form as in a [`Record`].
    pub fn to_json(&self) -> String {
        json(&StepJson::of(self))
    }
}

impl Summary {
    /// Returns one line of JSON.
    ///
    /// ```
    /// let summary = tinyci::Summary::default();
    /// let expected = concat!(
    ///     r#"{"v":1,"exit_code":0,"records":[],"already_tested":[],"unconfigured":[],"out_of_attempts":[],"#,
    ///     r#""baselined":0,"canceled":false}"#,
    /// );
    /// assert_eq!(summary.to_json(), expected);
    /// ```
    pub fn to_json(&self) -> String {
        json(&SummaryJson::of(self))
    }
}

impl Commit {
    /// Returns one line of JSON.
    ///
    /// `time` is in seconds since 1970, as in the names of build directories. Strings that are not
    /// UTF-8 have U+FFFD. For a branch, `branch_hex` has the bytes.
    pub fn to_json(&self) -> String {
        json(&CommitJson::of(self))
    }
}

impl Job {
    /// Returns one line of JSON.
    ///
    /// The keys are `trigger` and `commit`. `tag` is the tag that the commit is tested for, if any.
    /// If the commit is tested again, `retest_reason` has the ref and the reason.
    pub fn to_json(&self) -> String {
        json(&JobJson::of(self))
    }
}

impl Plan {
    /// Returns one line of JSON.
    ///
    /// ```
    /// let plan = tinyci::plan::Plan::default();
    /// assert_eq!(plan.to_json(), r#"{"v":1,"jobs":[],"out_of_attempts":[],"baselined":[]}"#);
    /// ```
    pub fn to_json(&self) -> String {
        json(&PlanJson::of(self))
    }

    /// Returns the same with `dry_runs`: the actions of these commits' steps. Each has the form of
    /// [`DryRun::to_json`](crate::plan::DryRun::to_json), without `v`.
    ///
    /// ```
    /// let plan = tinyci::plan::Plan::default();
    /// let json = plan.to_json_with(&[]);
    /// assert_eq!(json, r#"{"v":1,"jobs":[],"out_of_attempts":[],"baselined":[],"dry_runs":[]}"#);
    /// ```
    pub fn to_json_with(&self, dry_runs: &[DryRun]) -> String {
        let dry_runs = dry_runs.iter().map(DryRunJson::of).collect();
        json(&DetailedPlanJson { plan: PlanJson::of(self), dry_runs })
    }
}

#[derive(Serialize, Deserialize)]
pub(super) struct RecordJson<'a> {
    finished: Time,
    outcome: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient")]
    v: u32,
    job_id: Cow<'a, str>,
    commit: Cow<'a, str>,
    tree: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    branch: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    branch_hex: Option<String>,
    #[serde(default, deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    tags: Vec<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    trigger: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    intervention: Option<InterventionJson<'a>>,
    #[serde(default, deserialize_with = "lenient")]
    started: Option<Time>,
    #[serde(default, deserialize_with = "lenient")]
    duration_ms: u64,
    #[serde(default, deserialize_with = "lenient")]
    machine: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    config_format: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient_list")]
    steps: Vec<StepJson<'a>>,
    #[serde(default, deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    left_out: Vec<LeftOutJson<'a>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "is_false")]
    asked_for_ref: bool,
    #[serde(
        default,
        deserialize_with = "lenient",
        skip_serializing_if = "serde_json::Map::is_empty"
    )]
    remembered: serde_json::Map<String, serde_json::Value>,
    #[serde(default, deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    artifacts: Vec<ArtifactJson>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    artifact_total: Option<ArtifactTotalJson>,
    /// Only written if false, because most records are their commit's verdict.
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    counts: Option<bool>,
    /// Fields that a newer version of tinyci wrote.
    #[serde(flatten)]
    unknown: serde_json::Map<String, serde_json::Value>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct LeftOutJson<'a> {
    step: Cow<'a, str>,
    by: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
pub(super) struct StepJson<'a> {
    name: Cow<'a, str>,
    outcome: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    error: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient")]
    duration_ms: u64,
    #[serde(default, deserialize_with = "lenient_list")]
    commands: Vec<CommandJson<'a>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "is_zero")]
    omitted_commands: usize,
    #[serde(default, deserialize_with = "lenient_list", skip_serializing_if = "Vec::is_empty")]
    failures: Vec<FailureJson<'a>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "is_zero")]
    omitted_failures: usize,
}

/// One failure in a step. The exit has the same keys as that of a command.
#[derive(Serialize, Deserialize)]
pub(super) struct FailureJson<'a> {
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    label: Option<Cow<'a, str>>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    place: Option<Cow<'a, str>>,
    message: Cow<'a, str>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    command: Option<Cow<'a, str>>,
    #[serde(flatten)]
    exit: ExitJson,
}

#[derive(Serialize, Deserialize)]
struct CommandJson<'a> {
    command: Cow<'a, str>,
    #[serde(flatten)]
    exit: ExitJson,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "is_false")]
    allowed: bool,
    #[serde(default, deserialize_with = "lenient")]
    duration_ms: u64,
}

/// The exit of a command: at most one of the four. None is set if the command could not be started.
#[derive(Serialize, Deserialize)]
struct ExitJson {
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "is_false")]
    timed_out: bool,
    #[serde(default, deserialize_with = "lenient", skip_serializing_if = "is_false")]
    canceled: bool,
}

#[derive(Serialize)]
struct SummaryJson<'a> {
    v: u32,
    exit_code: i32,
    records: Vec<RecordJson<'a>>,
    already_tested: Vec<TestedJson>,
    unconfigured: Vec<String>,
    out_of_attempts: Vec<String>,
    baselined: usize,
    canceled: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    deployments: Vec<DeploymentJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

#[derive(Serialize)]
struct TestedJson {
    commit: String,
    outcome: &'static str,
}

#[derive(Serialize)]
struct PlanJson<'a> {
    v: u32,
    jobs: Vec<JobJson<'a>>,
    out_of_attempts: Vec<String>,
    baselined: Vec<String>,
}

impl<'a> PlanJson<'a> {
    fn of(plan: &'a Plan) -> Self {
        Self {
            v: VERSION,
            jobs: plan.jobs.iter().map(JobJson::of).collect(),
            out_of_attempts: ids(&plan.out_of_attempts),
            baselined: ids(&plan.baselined),
        }
    }
}

#[derive(Serialize)]
struct DetailedPlanJson<'a> {
    #[serde(flatten)]
    plan: PlanJson<'a>,
    dry_runs: Vec<DryRunJson<'a>>,
}

#[derive(Serialize)]
pub(super) struct JobJson<'a> {
    trigger: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tag: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retest_reason: Option<&'a str>,
    commit: CommitJson<'a>,
}

#[derive(Serialize)]
pub(super) struct CommitJson<'a> {
    id: String,
    tree: String,
    parents: Vec<String>,
    time: i64,
    author: Cow<'a, str>,
    subject: Cow<'a, str>,
    message: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    branch_hex: Option<String>,
}

impl<'a> RecordJson<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        Self {
            finished: Time(record.finished),
            outcome: record.outcome.name().into(),
            v: VERSION,
            job_id: record.job_id.as_str().into(),
            commit: record.commit.to_string().into(),
            tree: record.tree.to_string().into(),
            branch: record.branch.as_ref().map(GitString::to_str_lossy),
            branch_hex: record.branch.as_ref().map(GitString::as_bytes).and_then(hex_unless_utf8),
            tags: record.tags.iter().map(GitString::to_str_lossy).collect(),
            trigger: record.trigger.as_deref().map(Cow::from),
            reason: record.reason.as_deref().map(short),
            intervention: record.intervention.as_ref().map(InterventionJson::of),
            started: Some(Time(record.started)),
            duration_ms: whole_ms(record.duration),
            machine: record.machine.as_str().into(),
            config_format: record.config_format.map(|format| format.name().into()),
            steps: record.steps.iter().map(StepJson::of).collect(),
            left_out: record.left_out.iter().map(LeftOutJson::of).collect(),
            asked_for_ref: record.asked_for_ref,
            remembered: record
                .remembered
                .iter()
                .map(|(key, value)| (key.clone(), value_json(value)))
                .collect(),
            artifacts: record.artifacts.iter().map(ArtifactJson::of).collect(),
            artifact_total: record.artifact_total.as_ref().map(ArtifactTotalJson::of),
            counts: (!record.counts).then_some(false),
            unknown: unknown::fields_to_json(&record.unknown_fields),
        }
    }

    fn into_record(self) -> Result<Record, Error> {
        unknown::check_version("record", self.v)?;
        let duration = Duration::from_millis(self.duration_ms);
        let Time(finished) = self.finished;
        let started = self.started.map(|Time(started)| started);
        let (outcome, unknown) = read_outcome(&self.outcome);
        let branch = self
            .branch_hex
            .as_deref()
            .and_then(|digits| hex::decode(digits.as_bytes()))
            .map(GitString::new);
        Ok(Record {
            job_id: self.job_id.into_owned(),
            commit: self.commit.parse()?,
            tree: self.tree.parse()?,
            branch: branch.or_else(|| self.branch.map(|branch| GitString::from(&*branch))),
            tags: self.tags.iter().map(|tag| GitString::from(&**tag)).collect(),
            trigger: self.trigger.map(Cow::into_owned),
            outcome,
            reason: self.reason.map(Cow::into_owned).or(unknown),
            intervention: self.intervention.and_then(InterventionJson::into_intervention),
            started: started.or_else(|| finished.checked_sub(duration)).unwrap_or(finished),
            finished,
            duration,
            machine: self.machine.into_owned(),
            config_format: self.config_format.and_then(|name| parse_format(&name)),
            steps: self.steps.into_iter().filter_map(StepJson::into_step).collect(),
            left_out: self.left_out.iter().filter_map(LeftOutJson::left_out).collect(),
            asked_for_ref: self.asked_for_ref,
            remembered: self
                .remembered
                .into_iter()
                .map(|(key, value)| (key, read_value(value)))
                .collect(),
            artifacts: self.artifacts.into_iter().map(ArtifactJson::into_artifact).collect(),
            artifact_total: self.artifact_total.map(ArtifactTotalJson::into_total),
            counts: self.counts.unwrap_or(true),
            unknown_fields: unknown::fields_from_json(self.unknown),
        })
    }
}

impl LeftOutJson<'_> {
    pub(super) fn of(left_out: &LeftOut) -> Self {
        Self { step: left_out.step.as_str().into(), by: left_out.by.name().into() }
    }

    /// Treats an unknown cause as the strictest one, so that nothing is tested again because of it.
    fn left_out(&self) -> Option<LeftOut> {
        let known = LeftOutBy::ALL.into_iter().find(|by| by.name() == self.by);
        let step = self.step.parse().ok()?;
        Some(LeftOut { step, by: known.unwrap_or(LeftOutBy::Person) })
    }
}

impl<'a> StepJson<'a> {
    pub(super) fn of(step: &'a StepRecord) -> Self {
        Self {
            name: step.name.as_str().into(),
            outcome: step.outcome.name().into(),
            error: step.error.as_deref().map(short),
            duration_ms: whole_ms(step.duration),
            commands: commands_json(&step.commands),
            omitted_commands: step.omitted_commands,
            failures: failures_json(&step.failures),
            omitted_failures: step.omitted_failures,
        }
    }

    /// Returns `None` if this version does not know the step.
    fn into_step(self) -> Option<StepRecord> {
        let (outcome, unknown) = read_outcome(&self.outcome);
        Some(StepRecord {
            name: self.name.parse::<StepName>().ok()?,
            outcome,
            error: self.error.map(Cow::into_owned).or(unknown),
            duration: Duration::from_millis(self.duration_ms),
            commands: self.commands.into_iter().map(CommandJson::into_command).collect(),
            omitted_commands: self.omitted_commands,
            failures: self.failures.into_iter().map(FailureJson::into_failure).collect(),
            omitted_failures: self.omitted_failures,
        })
    }
}

impl<'a> CommandJson<'a> {
    fn of(command: &'a CommandRecord, bytes_max: usize) -> Self {
        Self {
            command: shortened(&command.command, bytes_max),
            exit: ExitJson::of(command.exit),
            allowed: command.allowed,
            duration_ms: whole_ms(command.duration),
        }
    }

    fn into_command(self) -> CommandRecord {
        let duration = Duration::from_millis(self.duration_ms);
        let (exit, allowed) = (self.exit.exit(), self.allowed);
        CommandRecord { command: self.command.into_owned(), exit, allowed, duration }
    }
}

impl<'a> FailureJson<'a> {
    fn of(failure: &'a StepFailure, bytes_max: usize) -> Self {
        let cut = |text: &'a Option<String>| Some(shortened(text.as_deref()?, bytes_max));
        Self {
            label: cut(&failure.label),
            place: cut(&failure.place),
            message: shortened(&failure.message, bytes_max),
            command: cut(&failure.command),
            exit: ExitJson::of(failure.exit),
        }
    }

    pub(super) fn into_failure(self) -> StepFailure {
        StepFailure {
            label: self.label.map(Cow::into_owned),
            place: self.place.map(Cow::into_owned),
            message: self.message.into_owned(),
            command: self.command.map(Cow::into_owned),
            exit: self.exit.exit(),
        }
    }
}

fn commands_json(commands: &[CommandRecord]) -> Vec<CommandJson<'_>> {
    let share = share(commands.iter().map(|command| command.command.len()));
    commands.iter().map(|command| CommandJson::of(command, share)).collect()
}

/// Returns failures in the form that is stored.
pub(super) fn failures_json(failures: &[StepFailure]) -> Vec<FailureJson<'_>> {
    let strings = failures.iter().flat_map(|it| {
        [&it.label, &it.place, &it.command].into_iter().flatten().chain([&it.message])
    });
    let share = share(strings.map(String::len));
    failures.iter().map(|failure| FailureJson::of(failure, share)).collect()
}

impl ExitJson {
    fn of(exit: Option<Exit>) -> Self {
        let (exit_code, signal) = match exit {
            Some(Exit::Code(code)) => (Some(code), None),
            Some(Exit::Signal(signal)) => (None, Some(signal)),
            Some(Exit::TimedOut | Exit::Canceled) | None => (None, None),
        };
        let (timed_out, canceled) = (exit == Some(Exit::TimedOut), exit == Some(Exit::Canceled));
        Self { exit_code, signal, timed_out, canceled }
    }

    fn exit(&self) -> Option<Exit> {
        match self {
            Self { timed_out: true, .. } => Some(Exit::TimedOut),
            Self { canceled: true, .. } => Some(Exit::Canceled),
            Self { signal: Some(signal), .. } => Some(Exit::Signal(*signal)),
            Self { exit_code, .. } => exit_code.map(Exit::Code),
        }
    }
}

impl<'a> SummaryJson<'a> {
    fn of(summary: &'a Summary) -> Self {
        let tested = summary.already_tested.iter().map(|(commit, outcome)| TestedJson {
            commit: commit.to_string(),
            outcome: outcome.name(),
        });
        Self {
            v: VERSION,
            exit_code: summary.exit_code(),
            records: summary.records.iter().map(RecordJson::of).collect(),
            already_tested: tested.collect(),
            unconfigured: ids(&summary.unconfigured),
            out_of_attempts: ids(&summary.out_of_attempts),
            baselined: summary.baselined,
            canceled: summary.canceled,
            deployments: summary.deployments.iter().map(DeploymentJson::of).collect(),
            error: summary.error.as_deref(),
        }
    }
}

impl<'a> JobJson<'a> {
    pub(super) fn of(job: &'a Job) -> Self {
        Self {
            trigger: job.trigger.name(),
            tag: job.tag.as_ref().map(GitString::to_str_lossy),
            retest_reason: job.retest_reason.as_deref(),
            commit: CommitJson::of(&job.commit),
        }
    }
}

impl<'a> CommitJson<'a> {
    pub(super) fn of(commit: &'a Commit) -> Self {
        Self {
            id: commit.id.to_string(),
            tree: commit.tree.to_string(),
            parents: ids(&commit.parents),
            time: commit.time,
            author: commit.author.to_str_lossy(),
            subject: commit.subject.to_str_lossy(),
            message: commit.message.to_str_lossy(),
            branch: commit.branch.as_ref().map(GitString::to_str_lossy),
            branch_hex: commit.branch.as_ref().map(GitString::as_bytes).and_then(hex_unless_utf8),
        }
    }
}

/// A time, as RFC 3339 in UTC with milliseconds.
pub(crate) struct Time(pub(crate) SystemTime);

impl Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A clock outside the years that RFC 3339 supports is wrong anyway.
        let time = Timestamp::try_from(self.0).unwrap_or(Timestamp::UNIX_EPOCH);
        serializer.collect_str(&format_args!("{time:.3}"))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(deserializer)?;
        let time: Timestamp = text.parse().map_err(serde::de::Error::custom)?;
        SystemTime::try_from(time).map(Self).map_err(serde::de::Error::custom)
    }
}

/// Deserializes a value. If its form is unknown, because a newer version wrote it, the value counts
/// as absent.
pub(super) fn lenient<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned + Default,
{
    let value = serde_json::Value::deserialize(deserializer)?;
    Ok(serde_json::from_value(value).unwrap_or_default())
}

/// Does the same for each element of an array.
pub(super) fn lenient_list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let values: Vec<serde_json::Value> = lenient(deserializer)?;
    Ok(values.into_iter().filter_map(|value| serde_json::from_value(value).ok()).collect())
}

/// Serializes to one line. This cannot fail: the types contain only strings, numbers and arrays. All
/// control characters are escaped, so that a terminal can show the line, and so are those that change
/// the direction of text; serde escapes only those below U+0020.
pub(crate) fn json(value: &impl Serialize) -> String {
    let line = serde_json::to_string(value).unwrap_or_default();
    let is_escaped = |letter: char| {
        letter.is_control() || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    if !line.contains(is_escaped) {
        return line;
    }
    let mut escaped = String::with_capacity(line.len());
    for letter in line.chars() {
        match is_escaped(letter) {
            true => escaped.push_str(&format!("\\u{:04x}", u32::from(letter))),
            false => escaped.push(letter),
        }
    }
    escaped
}

pub(super) fn read_outcome(name: &str) -> (Outcome, Option<String>) {
    match name.parse() {
        Ok(outcome) => (outcome, None),
        Err(_) => {
            let reason = format!("unknown outcome `{name}` of a newer tinyci");
            (Outcome::Error, Some(reason))
        }
    }
}

fn parse_format(name: &str) -> Option<Format> {
    Format::ALL.into_iter().find(|format| format.name() == name)
}

/// Shortens a text to the limit, including the note about its length. So shortening twice changes
/// nothing.
pub(super) fn short(text: &str) -> Cow<'_, str> {
    shortened(text, TEXT_BYTES_MAX)
}

/// Returns as much of a text as fits, with a note about its whole length.
fn shortened(text: &str, bytes_max: usize) -> Cow<'_, str> {
    if text.len() <= bytes_max {
        return Cow::Borrowed(text);
    }
    let mark = format!("… [{} bytes in total]", text.len());
    let most = bytes_max.saturating_sub(mark.len());
    Cow::Owned(format!("{}{mark}", cut(text, most)))
}

pub(super) fn ids(ids: &[CommitId]) -> Vec<String> {
    ids.iter().map(CommitId::to_string).collect()
}

pub(super) fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn is_zero(value: &usize) -> bool {
    *value == 0
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Returns the bytes in hexadecimal if they are not UTF-8, because the lossy string does not
/// preserve them.
pub(super) fn hex_unless_utf8(bytes: &[u8]) -> Option<String> {
    std::str::from_utf8(bytes).is_err().then(|| hex::encode(bytes))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;
    use crate::model::{
        artifact::{Artifact, ArtifactTotal},
        intervention::{Intervention, InterventionKind},
        job::Trigger,
        pipeline::{Hook, Phase},
    };

    fn command(text: &str, exit: Option<Exit>) -> CommandRecord {
        CommandRecord {
            command: text.to_owned(),
            exit,
            allowed: false,
            duration: Duration::from_millis(7),
        }
    }

    fn record() -> Record {
        let started = UNIX_EPOCH + Duration::from_millis(1_795_549_798_123);
        let exits =
            [Exit::Code(0), Exit::Code(-1), Exit::Signal(9), Exit::TimedOut, Exit::Canceled];
        let mut commands: Vec<_> =
            exits.into_iter().map(|exit| command("echo \"hé\u{1f}\"\nexit", Some(exit))).collect();
        commands.push(command("./missing", None));
        Record {
            job_id: "20261124T194958Z-1f".to_owned(),
            commit: "f40785cbc4422f39c36118fbae071932774cb5b6".parse().unwrap(),
            tree: "4b825dc642cb6eb9a060e54bf8d69288fbee4904".parse().unwrap(),
            branch: Some("main".into()),
            tags: vec!["v1".into()],
            trigger: Some("retest".to_owned()),
            outcome: Outcome::TimedOut,
            reason: Some("the run took\nlonger than 1 s".to_owned()),
            intervention: Some(Intervention::new(
                InterventionKind::CancelRun,
                "Ada <ada@example.org>",
                Some("enough \"of\" it"),
            )),
            started,
            finished: started + Duration::from_secs(2),
            duration: Duration::from_millis(2001),
            machine: "ci".to_owned(),
            config_format: Some(Format::Yaml),
            steps: vec![
                StepRecord {
                    name: Phase::Build.into(),
                    outcome: Outcome::Success,
                    error: None,
                    duration: Duration::from_millis(42),
                    commands,
                    failures: Vec::new(),
                    omitted_commands: 2_800,
                    omitted_failures: 0,
                },
                StepRecord {
                    name: Hook::AfterAll.into(),
                    outcome: Outcome::Failure,
                    error: Some("the host said no".to_owned()),
                    duration: Duration::ZERO,
                    commands: Vec::new(),
                    failures: failures(),
                    omitted_commands: 0,
                    omitted_failures: 3,
                },
            ],
            left_out: vec![LeftOut { step: Phase::Test.into(), by: LeftOutBy::Branch }],
            asked_for_ref: true,
            remembered: [
                ("image".to_owned(), "app:1".into()),
                (
                    "list".to_owned(),
                    vec![crate::model::function::Value::Null, 1.into(), 1.5.into(), true.into()]
                        .into(),
                ),
            ]
            .into(),
            artifacts: vec![Artifact {
                path: "bin/app".to_owned(),
                bytes: 3,
                blob: "f40785cbc4422f39c36118fbae071932774cb5b6".to_owned(),
                executable: true,
            }],
            artifact_total: Some(ArtifactTotal {
                files: 120,
                bytes: 360,
                list: "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391".to_owned(),
            }),
            counts: false,
            unknown_fields: Default::default(),
        }
    }

    /// Returns a failure of a command in a task, and one without a command.
    fn failures() -> Vec<StepFailure> {
        let of_task = StepFailure {
            label: Some("db=my".to_owned()),
            place: Some(".tinyci.rhai:4:7".to_owned()),
            message: "command exited with status 1: make".to_owned(),
            command: Some("make".to_owned()),
            exit: Some(Exit::Code(1)),
        };
        vec![of_task, StepFailure { message: "the host said no".to_owned(), ..Default::default() }]
    }

    fn read(line: &str) -> Record {
        Record::from_json(line).unwrap()
    }

    #[test]
    fn a_record_round_trips_on_one_line() {
        let record = record();
        let line = record.to_json();
        assert!(!line.contains(|character: char| character.is_control()), "{line}");
        assert_eq!(read(&line), record);
        assert!(line.starts_with(
            r#"{"finished":"2026-11-24T19:50:00.123Z","outcome":"timed_out","v":1,"job_id":"#
        ));
    }

    #[test]
    fn every_outcome_and_an_almost_empty_record_round_trip() {
        for outcome in Outcome::ALL {
            let (branch, reason, config, steps) = (None, None, None, Vec::new());
            let (remembered, artifacts) = (Default::default(), Vec::new());
            let bare = Record {
                outcome,
                branch,
                reason,
                config_format: config,
                steps,
                remembered,
                artifacts,
                artifact_total: None,
                counts: true,
                left_out: Vec::new(),
                ..record()
            };
            let line = bare.to_json();
            assert_eq!(read(&line), bare);
            assert!(!line.contains("null") && !line.contains("branch"), "{line}");
        }
    }

    #[test]
    fn a_branch_that_is_not_utf8_keeps_its_bytes() {
        let branch = GitString::new(*b"caf\xe9");
        let record = Record { branch: Some(branch), ..record() };
        let line = record.to_json();
        assert!(line.contains("\"branch\":\"caf\u{fffd}\",\"branch_hex\":\"636166e9\""), "{line}");
        assert_eq!(read(&line), record);
        let damaged = line.replace("636166e9", "636166e");
        assert_eq!(read(&damaged).branch, Some("caf\u{fffd}".into()));
    }

    #[test]
    fn times_are_cut_to_milliseconds() {
        let started = record().started + Duration::from_nanos(999_999);
        let read = read(&Record { started, ..record() }.to_json());
        assert_eq!(read.started, record().started);
    }

    #[test]
    fn long_texts_are_cut_once_at_a_character() {
        let mut record = record();
        let long = "é".repeat(5000);
        record.reason = Some(long.clone());
        record.steps =
            vec![StepRecord { commands: vec![command(&long, None)], ..record.steps[1].clone() }];
        let once = read(&record.to_json());
        for text in [&once.steps[0].commands[0].command, once.reason.as_ref().unwrap()] {
            assert!(text.len() <= TEXT_BYTES_MAX && text.len() > TEXT_BYTES_MAX - 4);
            assert!(text.ends_with("é… [10000 bytes in total]"), "{text}");
        }
        assert_eq!(read(&once.to_json()), once);
    }

    #[test]
    fn a_newer_record_is_read_as_far_as_possible() {
        let line = record().to_json();
        let steps = r#""steps":[{"name":"release","outcome":"success"},7,"#;
        let newer = line
            .replace("\"v\":1", "\"v\":[2,1],\"mood\":{\"good\":true}")
            .replace("\"steps\":[", steps)
            .replace("\"yaml\"", "\"toml\"")
            .replace("\"machine\":\"ci\"", "\"machine\":{\"name\":\"ci\"}")
            .replace("\"exit_code\":-1", "\"exit_code\":\"minus one\"");
        let mut expected = Record { config_format: None, machine: String::new(), ..record() };
        expected.unknown_fields.0.insert("mood".to_owned(), r#"{"good":true}"#.to_owned());
        expected.steps[0].commands[1].exit = None;
        assert_eq!(read(&newer), expected);
    }

    #[test]
    fn unknown_fields_are_written_again_and_unknown_versions_are_refused() {
        let line = record().to_json();
        let newer = line.replacen('{', r#"{"zeal":18446744073709551615,"mood":[1.50,null],"#, 1);
        let again = read(&newer).to_json();
        assert!(again.ends_with(r#","mood":[1.5,null],"zeal":18446744073709551615}"#), "{again}");
        assert_eq!(read(&again), read(&newer));

        let error = Record::from_json(&line.replace("\"v\":1", "\"v\":2")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NewerFormat);
        assert!(error.to_string().contains("(version 2; "), "{error}");
    }

    #[test]
    fn nothing_unknown_is_green() {
        let line = record().to_json().replace("timed_out\",\"v", "brilliant\",\"v");
        let line = line.replace("\"reason\"", "\"why\"");
        let record = read(&line);
        assert_eq!(record.outcome, Outcome::Error);
        assert!(record.reason.unwrap().contains("`brilliant`"));
    }

    #[test]
    fn only_a_whole_record_is_one() {
        let line = record().to_json();
        for bad in ["", "success", "{}", "[]", "null", &line[..line.len() - 1], &format!("{line}x")]
        {
            assert!(Record::from_json(bad).is_err(), "{bad}");
        }
        for key in ["finished", "outcome", "job_id", "commit", "tree"] {
            let bad = line.replacen(&format!("\"{key}\""), "\"other\"", 1);
            assert!(Record::from_json(&bad).is_err(), "{key}");
        }
        let bad = line.replace("f40785cbc4422f39c36118fbae071932774cb5b6", "f40785c");
        assert_eq!(Record::from_json(&bad).unwrap_err().kind(), ErrorKind::InvalidArg);
        let deep = line.replace("\"v\":1", &format!("\"v\":{}", "[".repeat(100_000)));
        assert!(Record::from_json(&deep).is_err());
    }

    #[test]
    fn a_plan_and_a_summary_as_json() {
        let record = record();
        let commit = Commit {
            id: record.commit,
            tree: record.tree,
            parents: vec![record.commit],
            time: 1_500_000_000,
            author: "Ada <ada@example.org>".into(),
            subject: GitString::new(*b"caf\xe9"),
            message: "a\n\nb\n".into(),
            branch: None,
        };
        let job = Job::new(commit, Trigger::Retry);
        let plan =
            Plan { jobs: vec![job], out_of_attempts: vec![record.commit], baselined: Vec::new() };
        let id = record.commit;
        let expected = format!(
            concat!(
                r#"{{"v":1,"jobs":[{{"trigger":"retry","commit":{{"id":"{id}","tree":"{tree}","#,
                r#""parents":["{id}"],"time":1500000000,"author":"Ada <ada@example.org>","#,
                r#""subject":"caf{odd}","message":"a\n\nb\n"}}}}],"out_of_attempts":["{id}"],"baselined":[]}}"#,
            ),
            id = id,
            tree = record.tree,
            odd = '\u{fffd}',
        );
        assert_eq!(plan.to_json(), expected);

        let tested = vec![(id, Outcome::Success)];
        let line = record.to_json();
        let summary =
            Summary { records: vec![record], already_tested: tested, ..Summary::default() };
        let json = summary.to_json();
        let rest = format!(r#""already_tested":[{{"commit":"{id}","outcome":"success"}}]"#);
        let expected = format!(r#"{{"v":1,"exit_code":1,"records":[{line}],{rest},"unconfigured""#);
        assert!(json.starts_with(&expected), "{json}");
    }
}
