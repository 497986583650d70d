//! Tests of a pipeline: there is no script to be tested.

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

/// The places that were entered.
#[derive(Default)]
pub(crate) struct Hits(());

impl Hits {
    pub(crate) fn coverage(&self, script: &Script) -> Coverage {
        script.never()
    }
}

/// A file of tests that was read.
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

/// What a test asks to be run.
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

/// Runs what tests ask for.
pub(crate) trait StepRunner: Send + Sync {
    fn run(&self, job: TestJob<'_>) -> TestEnd;
}
