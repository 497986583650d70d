//! [`Facts`]: the data about the commit and the earlier steps that a step can use.

use super::result::{Failed, StepResult};
use crate::{
    model::{
        commit::{Commit, CommitId, cut},
        outcome::{Exit, Outcome},
        pipeline::{Phase, StepName},
        record::Record,
    },
    util::version_order::newest,
};

/// The most bytes of a commit message in an environment variable: Linux refuses longer strings.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The data that a step can use. `ctx`, placeholders and the variables `TINYCI_*` are made from it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) commit: String,
    pub(crate) short: String,
    pub(crate) tree: String,
    pub(crate) branch: Option<String>,
    /// All tags of the commit, sorted.
    pub(crate) tags: Vec<String>,
    /// The tag that the job is for.
    pub(crate) tag: Option<String>,
    /// The tag that the step is for.
    pub(crate) step_tag: Option<String>,
    pub(crate) subject: String,
    pub(crate) message: String,
    pub(crate) author: String,
    pub(crate) time: i64,
    pub(crate) parents: Vec<String>,
    pub(crate) export_dir: String,
    pub(crate) build_dir: String,
    pub(crate) repo: String,
    pub(crate) job_id: String,
    /// The current step.
    pub(crate) step: String,
    pub(crate) environment: Option<String>,
    pub(crate) trigger: String,
    /// The results of the steps so far.
    pub(crate) progress: Progress,
    /// The outcome of the commit so far, in hooks after a phase.
    pub(crate) outcome: Option<String>,
    /// The verdict of the first parent, in the same hooks.
    pub(crate) previous: Option<String>,
    pub(crate) machine: String,
}

impl Facts {
    /// Returns the facts of a commit, as strings that the operating system accepts.
    pub(crate) fn of(commit: &Commit) -> Self {
        Self {
            commit: commit.id.to_string(),
            short: commit.id.short(),
            tree: commit.tree.to_string(),
            branch: commit.branch.as_ref().map(|branch| clean(&branch.to_str_lossy())),
            subject: clean(&commit.subject.to_str_lossy()),
            message: clean(&commit.message.to_str_lossy()),
            author: clean(&commit.author.to_str_lossy()),
            time: commit.time,
            parents: commit.parents.iter().map(CommitId::to_string).collect(),
            ..Self::default()
        }
    }

    /// Returns the tag that matches: the one that the job is for if it matches, else the newest
    /// matching one.
    pub(crate) fn tag_for(&self, matches: impl Fn(&str) -> bool) -> Option<String> {
        let pushed = self.tag.as_deref().filter(|tag| matches(tag));
        let tags = self.tags.iter().map(String::as_str).filter(|tag| matches(tag));
        pushed.or_else(|| newest(tags)).map(str::to_owned)
    }

    /// Returns the facts for commands. The names become the variables `TINYCI_*` in capitals.
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut variables = self.named();
        variables.push(("tags", self.tags.join(" ")));
        variables.extend(self.outcome.clone().map(|outcome| ("outcome", outcome)));
        variables.extend(self.previous.clone().map(|previous| ("previous", previous)));
        variables
    }

    /// Returns the facts for placeholders, by name.
    pub(crate) fn named(&self) -> Vec<(&'static str, String)> {
        let mut named = vec![
            ("commit", self.commit.clone()),
            ("short", self.short.clone()),
            ("tree", self.tree.clone()),
            ("subject", self.subject.clone()),
            ("message", self.message.clone()),
            ("author", self.author.clone()),
            ("time", self.time.to_string()),
            ("export", self.export_dir.clone()),
            ("target", self.build_dir.clone()),
            ("step", self.step.clone()),
            ("repo", self.repo.clone()),
            ("job_id", self.job_id.clone()),
        ];
        named.extend(self.environment.clone().map(|name| ("environment", name)));
        named.extend(self.branch.clone().map(|branch| ("branch", branch)));
        named.extend(self.step_tag.clone().map(|tag| ("tag", tag)));
        named
    }

    /// Returns the values that a person who pushes can choose. A shell must never interpret them.
    pub(crate) fn untrusted(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let single = [
            ("subject", Some(&self.subject)),
            ("message", Some(&self.message)),
            ("author", Some(&self.author)),
            ("branch", self.branch.as_ref()),
        ];
        let single = single.into_iter().filter_map(|(name, text)| Some((name, text?.trim())));
        let single = single.chain(self.step_tag.as_deref().map(|tag| ("tag", tag)));
        single.chain(self.tags.iter().map(|tag| ("tags", tag.as_str())))
    }
}

/// Makes a string acceptable for the operating system: limits its length and replaces NUL.
fn clean(text: &str) -> String {
    cut(text, MESSAGE_BYTES_MAX).replace('\0', "\u{fffd}")
}

/// The results of a job's steps so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// The outcome of `build`.
    pub(crate) build: Option<String>,
    /// The outcome of `test`.
    pub(crate) test: Option<String>,
    /// The failures of the last step that failed, the most severe first.
    pub(crate) failures: Vec<FailureFacts>,
}

/// One failure in a step, as scripts see it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct FailureFacts {
    /// The command that failed, else the reason why the step failed.
    pub(crate) command: String,
    pub(crate) code: Option<i64>,
    /// The phase or hook.
    pub(crate) at: String,
    /// The end of the command's output.
    pub(crate) tail: String,
    /// The label of the task or group.
    pub(crate) label: Option<String>,
    /// The position in the script.
    pub(crate) place: Option<String>,
    /// The failure in one sentence.
    pub(crate) message: String,
}

impl Progress {
    /// Returns the results of an earlier job of the commit.
    pub(crate) fn of(record: &Record) -> Self {
        let word = |phase: Phase| record.step(phase).map(|step| step.outcome.name().to_owned());
        Self { build: word(Phase::Build), test: word(Phase::Test), failures: Vec::new() }
    }

    /// Adds the result of a step.
    pub(crate) fn note(&mut self, result: &StepResult) {
        let outcome = result.record.outcome;
        let word = Some(outcome.name().to_owned());
        match result.record.name {
            StepName::Phase(Phase::Build) => self.build = word,
            StepName::Phase(Phase::Test) => self.test = word,
            StepName::Phase(Phase::Deploy) | StepName::Hook(_) => {}
        }
        if matches!(outcome, Outcome::Failure | Outcome::TimedOut) {
            self.failures = failures(result);
        }
    }
}

fn failures(result: &StepResult) -> Vec<FailureFacts> {
    let at = result.record.name.to_string();
    if result.failures.is_empty() {
        let command = result.reason.clone().unwrap_or_default();
        let message = command.clone();
        return vec![FailureFacts { command, at, message, ..FailureFacts::default() }];
    }
    result.failures.iter().map(|failed| facts_of(failed, at.clone())).collect()
}

fn facts_of(failed: &Failed, at: String) -> FailureFacts {
    let Failed { failure, tail } = failed;
    let code = match failure.exit {
        Some(Exit::Code(code)) => Some(i64::from(code)),
        _ => None,
    };
    FailureFacts {
        command: failure.command.as_ref().unwrap_or(&failure.message).clone(),
        code,
        at,
        tail: tail.clone(),
        label: failure.label.clone(),
        place: failure.place.clone(),
        message: failure.message.clone(),
    }
}
