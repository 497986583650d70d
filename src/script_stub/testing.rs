//! Tests of a pipeline, which cannot exist in this build.

use std::{collections::BTreeMap, sync::Arc};

use super::load::Script;
use crate::model::{
    commit::Commit,
    error::Error,
    function::{HostFunction, Value},
    script::{TestEnd, TestSteps, Tree},
    step::{Effects, Facts, Lookups, Reporter},
    test_report::{Coverage, TestResult},
};

/// The positions that were executed.
#[derive(Default)]
pub(crate) struct Hits(());

impl Hits {
    pub(crate) fn coverage(&self, script: &Script) -> Coverage {
        script.never()
    }
}

/// A file of tests. It cannot exist.
pub(crate) struct Suite(Script);

impl Suite {
    pub(crate) fn load(
        bytes: &[u8],
        name: &str,
        tree: &dyn Tree,
        functions: &[HostFunction],
    ) -> Result<Self, Error> {
        Script::load(bytes, name, tree, functions).map(Self)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.never::<std::iter::Empty<&str>>()
    }

    pub(crate) fn run(
        &self,
        _: &Arc<dyn StepRunner>,
        _: &Script,
        _: &[HostFunction],
        _: impl Fn(&str) -> bool,
    ) -> Vec<TestResult> {
        self.0.never()
    }
}

/// The steps that a test runs.
pub(crate) struct TestJob<'a> {
    pub(crate) script: &'a Script,
    pub(crate) functions: &'a [HostFunction],
    pub(crate) steps: TestSteps,
    pub(crate) facts: Facts,
    pub(crate) commit: Commit,
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) remembered: BTreeMap<String, Value>,
    pub(crate) effects: Arc<dyn Effects>,
    pub(crate) lookups: Arc<dyn Lookups>,
    pub(crate) reporter: Arc<dyn Reporter>,
}

/// Runs the steps of a test.
pub(crate) trait StepRunner: Send + Sync {
    fn run(&self, job: TestJob<'_>) -> TestEnd;
}
