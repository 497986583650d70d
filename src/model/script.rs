//! Data that the engine and a script exchange. Builds without scripts use it too.

use std::collections::BTreeMap;

use super::{
    error::Error,
    function::Value,
    outcome::Outcome,
    pipeline::StepName,
    record::LeftOutBy,
    step::{Failed, StepResult},
};

/// The files of a commit.
pub(crate) trait Tree {
    /// Returns the file at a path, whose parts are separated by `/`.
    fn entry(&self, path: &str) -> Result<TreeFile, Error>;

    /// Returns the message for an import whose file is absent.
    fn lacks(&self, path: &str) -> String {
        format!("cannot import `{path}`: the commit has no such file")
    }
}

/// The contents of a path in a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TreeFile {
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link, as the last part of the path or an earlier one.
    Link,
    /// Not a readable file: missing, a directory, a submodule, or larger than 1 MiB.
    Absent,
}

/// The result of a phase.
#[derive(Debug)]
pub(crate) struct ScriptEnd {
    pub(crate) outcome: Outcome,
    /// The error, if it failed.
    pub(crate) error: Option<Error>,
    /// The reason why it was skipped, or the question to the approver.
    pub(crate) reason: Option<String>,
    /// True if it awaits approval.
    pub(crate) awaits_approval: bool,
    /// The cause, if it was left out.
    pub(crate) left_out: Option<LeftOutBy>,
    /// All failures, the most severe first.
    pub(crate) failures: Vec<Failed>,
}

/// The steps that a call in a pipeline test runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TestSteps {
    /// One step.
    One(StepName),
    /// All steps of a job, in order.
    All,
}

/// The result of a call in a pipeline test.
pub(crate) struct TestEnd {
    pub(crate) outcome: Outcome,
    /// The reason, if the job is skipped.
    pub(crate) reason: Option<String>,
    /// Each step, with the values that were stored by `remember` when it ended.
    pub(crate) steps: Vec<(StepResult, BTreeMap<String, Value>)>,
}
