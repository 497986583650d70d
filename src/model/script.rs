//! What the engine and a script exchange, in builds with scripts and in those without.

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
    /// What stands at a path, whose parts are separated by `/`.
    fn entry(&self, path: &str) -> Result<TreeFile, Error>;

    /// What is said of an import whose file is absent.
    fn lacks(&self, path: &str) -> String {
        format!("cannot import `{path}`: the commit has no such file")
    }
}

/// What a path of a tree leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TreeFile {
    /// A regular file.
    File(Vec<u8>),
    /// A symbolic link, at the end of the path or on the way.
    Link,
    /// Nothing, or nothing that can be read as a file: a directory, a submodule, more than 1 MiB.
    Absent,
}

/// The result of a phase.
#[derive(Debug)]
pub(crate) struct ScriptEnd {
    pub(crate) outcome: Outcome,
    /// Why it failed.
    pub(crate) error: Option<Error>,
    /// Why it was skipped, or what it waits for.
    pub(crate) reason: Option<String>,
    /// Whether it waits for an approval.
    pub(crate) waits: bool,
    /// What left it out.
    pub(crate) left_out: Option<LeftOutBy>,
    /// What failed, the gravest first.
    pub(crate) failures: Vec<Failed>,
}

/// The steps that a call of a test runs.
#[derive(Clone, Copy, Debug)]
pub(crate) enum TestSteps {
    /// One of them.
    One(StepName),
    /// All of a run, in their order.
    All,
}

/// The result of a call of a test.
pub(crate) struct TestEnd {
    pub(crate) outcome: Outcome,
    /// Of a run, why it is skipped.
    pub(crate) reason: Option<String>,
    /// Each step, with what was remembered when it had ended.
    pub(crate) steps: Vec<(StepResult, BTreeMap<String, Value>)>,
}
