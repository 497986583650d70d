//! [`Pipeline`]: the contents of a config. Each phase or hook is a [`Step`] of commands or a
//! function.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Component, Path},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use super::error::{Error, ErrorKind, Position};

/// The phases: two of a job, and one that deploys a green commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// `build`
    Build,
    /// `test`
    Test,
    /// `deploy`: not part of a run. It starts when a person or program requests it, or after a
    /// green run if the config says `auto`.
    Deploy,
}

/// The points before and after the phases at which a config or a hook callback can act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Hook {
    /// Before the build. If it fails, the job ends.
    BeforeBuild,
    /// After a build that succeeded.
    AfterBuildSuccess,
    /// After a build that failed or timed out.
    AfterBuildFailure,
    /// After every build, following the two above.
    AfterBuild,
    /// Before the test. If it fails, the job ends.
    BeforeTest,
    /// After a test that succeeded.
    AfterTestSuccess,
    /// After a test that failed or timed out.
    AfterTestFailure,
    /// After every test, following the two above.
    AfterTest,
    /// Once at the end of each job, whatever the outcome.
    AfterAll,
}

/// The name of a [`Step`]: a phase or a hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StepName {
    /// A phase.
    Phase(Phase),
    /// A hook.
    Hook(Hook),
}

impl StepName {
    /// All steps in the order of a job, then `deploy`, which is not part of a job. Of `…_success`
    /// and `…_failure` only one runs.
    pub const ALL: [StepName; 12] = [
        StepName::Hook(Hook::BeforeBuild),
        StepName::Phase(Phase::Build),
        StepName::Hook(Hook::AfterBuildSuccess),
        StepName::Hook(Hook::AfterBuildFailure),
        StepName::Hook(Hook::AfterBuild),
        StepName::Hook(Hook::BeforeTest),
        StepName::Phase(Phase::Test),
        StepName::Hook(Hook::AfterTestSuccess),
        StepName::Hook(Hook::AfterTestFailure),
        StepName::Hook(Hook::AfterTest),
        StepName::Hook(Hook::AfterAll),
        StepName::Phase(Phase::Deploy),
    ];

    /// Returns the name used in configs: `before_build`, `build`, …
    pub fn as_str(self) -> &'static str {
        match self {
            StepName::Phase(Phase::Build) => "build",
            StepName::Phase(Phase::Test) => "test",
            StepName::Phase(Phase::Deploy) => "deploy",
            StepName::Hook(Hook::BeforeBuild) => "before_build",
            StepName::Hook(Hook::AfterBuildSuccess) => "after_build_success",
            StepName::Hook(Hook::AfterBuildFailure) => "after_build_failure",
            StepName::Hook(Hook::AfterBuild) => "after_build",
            StepName::Hook(Hook::BeforeTest) => "before_test",
            StepName::Hook(Hook::AfterTestSuccess) => "after_test_success",
            StepName::Hook(Hook::AfterTestFailure) => "after_test_failure",
            StepName::Hook(Hook::AfterTest) => "after_test",
            StepName::Hook(Hook::AfterAll) => "after_all",
        }
    }
}

impl StepName {
    /// Returns the phase that this step can leave out or fail: the phase itself, or that of a
    /// `before_*` hook.
    pub(crate) fn decides(self) -> Option<Phase> {
        match self {
            StepName::Phase(phase) => Some(phase),
            StepName::Hook(Hook::BeforeBuild) => Some(Phase::Build),
            StepName::Hook(Hook::BeforeTest) => Some(Phase::Test),
            StepName::Hook(_) => None,
        }
    }
}

impl StepName {
    /// Returns the phase of this step, or the phase that it is a hook of. `None` for `after_all`.
    pub(crate) fn phase(self) -> Option<Phase> {
        match self {
            StepName::Phase(phase) => Some(phase),
            StepName::Hook(
                Hook::BeforeBuild
                | Hook::AfterBuildSuccess
                | Hook::AfterBuildFailure
                | Hook::AfterBuild,
            ) => Some(Phase::Build),
            StepName::Hook(
                Hook::BeforeTest
                | Hook::AfterTestSuccess
                | Hook::AfterTestFailure
                | Hook::AfterTest,
            ) => Some(Phase::Test),
            StepName::Hook(Hook::AfterAll) => None,
        }
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for StepName {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = StepName::ALL.into_iter().find(|step| step.as_str() == text);
        known.ok_or_else(|| {
            Error::new(ErrorKind::InvalidArg, format!("unknown phase or hook `{text}`"))
        })
    }
}

impl From<Phase> for StepName {
    fn from(phase: Phase) -> Self {
        StepName::Phase(phase)
    }
}

impl From<Hook> for StepName {
    fn from(hook: Hook) -> Self {
        StepName::Hook(hook)
    }
}

/// The languages of a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `.tinyci.yml`
    Yaml,
    /// `.tinyci.rhai`
    Rhai,
}

impl Format {
    /// All languages.
    pub const ALL: [Format; 2] = [Format::Yaml, Format::Rhai];

    /// Returns the name of the config file, at the root of a commit's tree.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Yaml => ".tinyci.yml",
            Format::Rhai => ".tinyci.rhai",
        }
    }

    /// Returns the name used in records: `yaml` or `rhai`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Yaml => "yaml",
            Format::Rhai => "rhai",
        }
    }
}

/// A string with placeholders `<%= … %>`, and its position in the config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Template {
    /// The string as written.
    pub text: String,
    /// The position of its first character.
    pub position: Position,
}

impl Template {
    /// Creates a template.
    pub fn new(text: impl Into<String>, position: Position) -> Self {
        Self { text: text.into(), position }
    }
}

/// The action of a [`Step`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// Commands, one after the other. The first that fails ends the step.
    Commands(Vec<Template>),
    /// The script function with the step's name, and its position.
    Function(Position),
}

/// One phase or hook of a pipeline, as in the config: placeholders are not yet filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The phase or hook.
    pub name: StepName,
    /// The action.
    pub body: Body,
    /// Environment variables for its commands.
    pub env: BTreeMap<String, Template>,
    /// The working directory, below the export.
    pub cwd: Option<Template>,
    /// The time limit of the whole step.
    pub timeout: Option<Duration>,
    /// The conditions under which it runs.
    pub when: When,
    /// The number of extra attempts for each command that fails.
    pub retries: u32,
    /// The secrets that its commands get, each in an environment variable with its name.
    pub secrets: Vec<String>,
}

/// Conditions for a [`Step`], or for a whole commit. All that are set must be true.
///
/// If a condition of a build or test is false, the whole phase is left out, including its hooks. If
/// that condition is `changed`, which is checked first, the phase counts as passed. With any other
/// condition, the commit becomes `skipped`. A false condition of a hook leaves out only that hook.
///
/// Each condition is a list of globs, at least one of which must match; `!glob` excludes matches.
/// The globs of `changed` match paths as in `.gitignore`. In the others, `*` stands for any
/// characters. A glob that can never match is an error: see [`globs`](crate::guide::globs).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct When {
    /// Globs for the branch that the commit is tested for.
    pub branch: Vec<String>,
    /// Globs for the tags of the commit.
    pub tag: Vec<String>,
    /// Globs for the paths that differ from the nearest green ancestor. Without such an ancestor,
    /// every path differs.
    pub changed: Vec<String>,
    /// Globs for the whole commit message, without white space at its ends.
    pub message: Vec<String>,
}

impl Step {
    /// Creates a step with these commands and no options.
    pub fn new(name: StepName, commands: Vec<Template>) -> Self {
        Self::of(name, Body::Commands(commands))
    }

    /// Creates a step that calls the script function with its name, at this position.
    pub fn function(name: StepName, position: Position) -> Self {
        Self::of(name, Body::Function(position))
    }

    fn of(name: StepName, body: Body) -> Self {
        Self {
            name,
            body,
            env: BTreeMap::new(),
            cwd: None,
            timeout: None,
            when: When::default(),
            retries: 0,
            secrets: Vec::new(),
        }
    }

    /// Returns its commands. Empty if it is a function of a script.
    pub fn commands(&self) -> &[Template] {
        match &self.body {
            Body::Commands(commands) => commands,
            Body::Function(_) => &[],
        }
    }
}

/// The rules of a config about its deployment: what may be deployed where, and when.
///
/// tinyci knows them without running anything.
///
/// ```
/// use tinyci::{Format, Pipeline};
/// let text = "build: make\ndeploy: {run: ./release, branch: [main, 'release-*'], approve: true}\n";
/// let pipeline = Pipeline::parse(text, Format::Yaml, ".tinyci.yml")?;
/// let rules = pipeline.deploy().expect("the config has a deployment");
/// assert!(rules.approve && !rules.auto);
/// assert!(rules.environments().eq(["production"]));
/// # Ok::<(), tinyci::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeployRules {
    /// Globs for the branches whose commits may be deployed. If empty, only HEAD's branch.
    pub branch: Vec<String>,
    /// The environments that can be deployed to. If empty, only `production`.
    pub environment: Vec<String>,
    /// True if a person must approve before the deployment starts.
    pub approve: bool,
    /// True if the deployment starts by itself after a green run.
    pub auto: bool,
}

impl DeployRules {
    /// The default environment.
    pub const PRODUCTION: &'static str = "production";

    /// Returns the environments that can be deployed to.
    pub fn environments(&self) -> impl Iterator<Item = &str> {
        let unnamed = self.environment.is_empty().then_some(Self::PRODUCTION);
        self.environment.iter().map(String::as_str).chain(unnamed)
    }
}

/// Returns true if the path stays inside the export, or is the export itself. Does not follow
/// symbolic links.
pub(crate) fn stays_below(path: &str) -> bool {
    let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    !path.is_empty() && !path.contains('\0') && Path::new(path).components().all(stays)
}

/// The rules for environment names, for messages.
pub(crate) const ENVIRONMENT_NAME: &str =
    "at most 64 letters, digits, `-`, `_` and `.`, beginning with a letter or digit";

/// Returns true if this is a valid environment name. It becomes a part of refs and file names.
pub(crate) fn is_environment(name: &str) -> bool {
    let of_name = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    let begins = name.starts_with(|it: char| it.is_ascii_alphanumeric());
    let is_ref = !name.contains("..") && !name.ends_with('.') && !name.ends_with(".lock");
    begins && is_ref && name.chars().all(of_name) && name.len() <= 64
}

/// The contents of one config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pipeline {
    /// The language of the config.
    pub format: Format,
    /// The name of the config in errors.
    pub name: String,
    /// Parts of the config without effect. TinyCI 0.5 ignored these keys too. `run` shows the
    /// warnings, `check` refuses them.
    pub warnings: Vec<Warning>,
    /// The conditions of the whole commit: `branch`, `tag` and `message`. If one is false, the
    /// commit becomes `skipped` before it is exported.
    pub when: When,
    steps: BTreeMap<StepName, Step>,
    deploy: DeployRules,
    /// The source of its functions, if it is a script.
    pub(crate) script: Option<Arc<ScriptText>>,
}

/// The source of a script and of all files that it imports. With it, the script runs without these
/// files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScriptText {
    pub(crate) main: Arc<str>,
    /// The imported files by their paths.
    pub(crate) modules: BTreeMap<String, Arc<str>>,
}

impl Pipeline {
    /// Creates a pipeline with these steps. A later step replaces an earlier one of the same name.
    pub(crate) fn new(
        format: Format,
        name: impl Into<String>,
        steps: impl IntoIterator<Item = Step>,
        warnings: Vec<Warning>,
    ) -> Self {
        let steps = steps.into_iter().map(|step| (step.name, step)).collect();
        let (when, deploy) = (When::default(), DeployRules::default());
        Self { format, name: name.into(), warnings, when, steps, deploy, script: None }
    }

    /// Sets the conditions of the whole commit.
    #[must_use]
    pub(crate) fn with_when(self, when: When) -> Self {
        Self { when, ..self }
    }

    /// Sets the rules of the deployment.
    #[must_use]
    pub(crate) fn with_deploy(self, deploy: DeployRules) -> Self {
        Self { deploy, ..self }
    }

    /// Returns the step of this name, if the config has one.
    pub fn step(&self, name: impl Into<StepName>) -> Option<&Step> {
        self.steps.get(&name.into())
    }

    /// Returns the rules of the deployment, if the config has a step `deploy`.
    pub fn deploy(&self) -> Option<&DeployRules> {
        self.steps.contains_key(&Phase::Deploy.into()).then_some(&self.deploy)
    }

    /// Returns true if a script declares that it is for some branches or tags only. Then it counts
    /// as one that depends on the ref.
    pub(crate) fn asks_for_ref(&self) -> bool {
        let When { branch, tag, .. } = &self.when;
        self.format == Format::Rhai && !(branch.is_empty() && tag.is_empty())
    }

    /// Returns its steps in the order of a job, `deploy` last.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        StepName::ALL.into_iter().filter_map(|name| self.steps.get(&name))
    }
}

/// A part of a config that has no effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// The description in one sentence.
    pub message: String,
    /// The position.
    pub position: Position,
}

impl Warning {
    /// Creates a warning at a position.
    pub fn new(message: impl Into<String>, position: Position) -> Self {
        Self { message: message.into(), position }
    }
}
