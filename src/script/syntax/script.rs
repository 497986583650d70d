//! [`Script`]: a parsed script with everything it imports.

use std::{
    collections::BTreeMap,
    iter,
    sync::{Arc, OnceLock},
    time::Duration,
};

use super::{hits::Hits, literals::Literals, unit::Unit};
use crate::{
    model::{
        error::Position,
        pipeline::{DeployRules, Format, Pipeline, ScriptText, Step, StepName, When},
        script::{Tree, TreeFile},
    },
    script::text::source::Source,
};

/// Default time limit of a script's step.
pub(in crate::script) const TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// A script with everything it imports. It is cheap to clone, and equal for all commits with the
/// same files.
#[derive(Clone, Debug)]
pub(crate) struct Script {
    pub(in crate::script) main: Unit,
    pub(in crate::script) modules: Arc<BTreeMap<String, Unit>>,
    /// Its literals, collected when first needed.
    pub(in crate::script) literals: Arc<OnceLock<Literals>>,
    /// The variant that plans run, created when first needed.
    pub(in crate::script) in_plans: Arc<OnceLock<Script>>,
    pub(in crate::script) steps: BTreeMap<&'static str, StepFunction>,
    /// `const TIMEOUT`, the time limit of each step.
    pub(crate) timeout: Duration,
    /// `const SECRETS`: the names that `secret` accepts.
    pub(in crate::script) secrets: Vec<String>,
    /// `const WHEN`.
    pub(crate) when: When,
    /// `const DEPLOY`.
    pub(crate) deploy: DeployRules,
    /// The positions that were executed, if coverage is measured.
    pub(in crate::script) hits: Option<Arc<Hits>>,
}

/// A function whose name makes it a step.
#[derive(Clone, Copy, Debug)]
pub(in crate::script) struct StepFunction {
    /// True if it takes `ctx`.
    pub(in crate::script) takes_context: bool,
    pub(in crate::script) position: Position,
}

impl Script {
    /// Returns true if a script of these files would be equal to this one.
    pub(crate) fn is_of(&self, bytes: &[u8], name: &str, tree: &dyn Tree) -> bool {
        let is_same = |unit: &Unit, bytes: &[u8], name: &str| {
            Source::new(bytes, name).is_ok_and(|source| source == unit.source)
        };
        let mut modules = self.modules.iter();
        is_same(&self.main, bytes, name)
            && modules.all(|(path, unit)| match tree.entry(path) {
                Ok(TreeFile::File(bytes)) => is_same(unit, &bytes, &unit.source.name),
                _ => false,
            })
    }

    /// Returns this script with coverage measured when it runs.
    pub(crate) fn watched(&self, hits: &Arc<Hits>) -> Self {
        Self { hits: Some(hits.clone()), in_plans: Arc::default(), ..self.clone() }
    }

    /// Returns this script with changed syntax trees.
    pub(in crate::script) fn with_units(&self, change: &dyn Fn(&Unit) -> Unit) -> Self {
        let modules = self.modules.iter().map(|(path, unit)| (path.clone(), change(unit)));
        let modules = Arc::new(modules.collect());
        Self { main: change(&self.main), modules, in_plans: Arc::default(), ..self.clone() }
    }

    /// Returns the variant that plans run. It is created once for all steps and commits.
    pub(in crate::script) fn in_plans(&self, watched: fn(&Self) -> Self) -> &Self {
        self.in_plans.get_or_init(|| watched(self))
    }

    /// Returns the literals of all its files.
    pub(in crate::script) fn literals(&self) -> &Literals {
        let units = || iter::once(&self.main).chain(self.modules.values());
        self.literals.get_or_init(|| Literals::of(units()))
    }

    /// Returns the function of a step.
    pub(in crate::script) fn step(&self, name: &str) -> Option<StepFunction> {
        self.steps.get(name).copied()
    }

    /// Returns the names in `const SECRETS`.
    pub(crate) fn secrets(&self) -> &[String] {
        &self.secrets
    }

    /// Returns its pipeline.
    pub(crate) fn pipeline(&self) -> Pipeline {
        let all = StepName::ALL.into_iter().filter_map(|name| {
            let function = self.step(name.as_str())?;
            let mut step = Step::function(name, function.position);
            step.timeout = Some(self.timeout);
            Some(step)
        });
        let pipeline = Pipeline::new(Format::Rhai, &*self.main.source.name, all, Vec::new());
        let mut pipeline = pipeline.with_when(self.when.clone()).with_deploy(self.deploy.clone());
        let modules = self.modules.iter();
        pipeline.script = Some(Arc::new(ScriptText {
            main: self.main.source.text.clone(),
            modules: modules.map(|(path, unit)| (path.clone(), unit.source.text.clone())).collect(),
        }));
        pipeline
    }

    /// Returns the file with this name, to show an excerpt of it.
    pub(in crate::script) fn source(&self, name: &str) -> Option<&Source> {
        let main = Some(&self.main.source).filter(|source| &*source.name == name);
        main.or_else(|| self.modules.get(name).map(|unit| &unit.source))
    }
}
