//! What a commit asks for: phases and hooks, each a [`Step`] of commands or a function.

use std::{
    collections::BTreeMap,
    fmt,
    path::{Component, Path},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use super::error::{Error, ErrorKind, Position};

/// The phases: two of a run, and one that promotes what a run has found green.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Phase {
    /// `build`
    Build,
    /// `test`
    Test,
    /// `deploy`: no part of a run. It follows when somebody asks for it, or by itself where the
    /// config says `auto`.
    Deploy,
}

/// The points around the phases at which a config or an embedding program may act.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Hook {
    /// Before the build. Failing, it halts the run.
    BeforeBuild,
    /// After a build that passed.
    AfterBuildSuccess,
    /// After a build that failed or timed out.
    AfterBuildFailure,
    /// After every build, behind the two above.
    AfterBuild,
    /// Before the test. Failing, it halts the run.
    BeforeTest,
    /// After a test that passed.
    AfterTestSuccess,
    /// After a test that failed or timed out.
    AfterTestFailure,
    /// After every test, behind the two above.
    AfterTest,
    /// Once, last, always.
    AfterAll,
}

/// A phase or a hook: what a [`Step`] is the body of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum StepName {
    /// A phase.
    Phase(Phase),
    /// A hook.
    Hook(Hook),
}

impl StepName {
    /// Every step there is, in the order of a run (of `…_success` and `…_failure` only one runs),
    /// and `deploy`, which is none of a run's.
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

    /// The name as configs spell it: `before_build`, `build`, …
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
    /// The phase that this step can leave out or make red: itself, or that of a `before_*` hook.
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
    /// The phase that this step is, or is a hook of; none of `after_all`.
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

/// The languages a pipeline can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Format {
    /// `.tinyci.yml`
    Yaml,
    /// `.tinyci.rhai`
    Rhai,
}

impl Format {
    /// Every language there is.
    pub const ALL: [Format; 2] = [Format::Yaml, Format::Rhai];

    /// The file that holds it, at the root of a commit's tree.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Yaml => ".tinyci.yml",
            Format::Rhai => ".tinyci.rhai",
        }
    }

    /// The name used in records: `yaml` or `rhai`.
    pub fn name(self) -> &'static str {
        match self {
            Format::Yaml => "yaml",
            Format::Rhai => "rhai",
        }
    }
}

/// A text with `<%= … %>` tags, and where it stands in the config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Template {
    /// The text as written.
    pub text: String,
    /// Where it begins.
    pub position: Position,
}

impl Template {
    /// A text at a place.
    pub fn new(text: impl Into<String>, position: Position) -> Self {
        Self { text: text.into(), position }
    }
}

/// What a [`Step`] does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Body {
    /// Commands, one after the other; the first that fails ends the step.
    Commands(Vec<Template>),
    /// A function of the script with the step's name, and where it stands.
    Function(Position),
}

/// One phase or hook of a pipeline, as the config has it: nothing is filled in yet.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Which phase or hook.
    pub name: StepName,
    /// What it does.
    pub body: Body,
    /// Variables for its commands' environment.
    pub env: BTreeMap<String, Template>,
    /// The directory to run in, below the export.
    pub cwd: Option<Template>,
    /// How long the whole step may take.
    pub timeout: Option<Duration>,
    /// The conditions under which it runs.
    pub when: When,
    /// How many times more each command is tried if it fails.
    pub retries: u32,
    /// The secrets that its commands get, each in the variable of its name.
    pub secrets: Vec<String>,
}

/// Conditions for a [`Step`], or for a whole commit: all that are given must hold.
///
/// Of a build or test a false one leaves out the whole phase, its hooks included. If that is
/// `changed`, which is asked first, the phase counts as passed; any other makes the commit
/// `skipped`. A false one of a hook leaves out that hook alone.
///
/// Each is a list of globs, one of which must match; `!glob` takes matches away. Those of `changed` are
/// over paths and read as in `.gitignore`; in the others `*` stands for any letters. None of them is one
/// that can never match: see [`globs`](crate::guide::globs).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct When {
    /// The branch that the commit is judged for.
    pub branch: Vec<String>,
    /// A tag that names the commit.
    pub tag: Vec<String>,
    /// A path that differs from the nearest green ancestor; every path does where there is none.
    pub changed: Vec<String>,
    /// The commit's whole message, without white space at its ends.
    pub message: Vec<String>,
}

impl Step {
    /// A step of these commands, with nothing else said.
    pub fn new(name: StepName, commands: Vec<Template>) -> Self {
        Self::of(name, Body::Commands(commands))
    }

    /// A step that calls the script's function of its name, which stands at this place.
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

    /// Its commands; none where it is a function of a script.
    pub fn commands(&self) -> &[Template] {
        match &self.body {
            Body::Commands(commands) => commands,
            Body::Function(_) => &[],
        }
    }
}

/// What a config says of its deployment beside what it does: who may be deployed where, and when.
///
/// Nothing of it is executed to be known.
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
    /// The branches whose commits may be deployed, as globs; HEAD's branch alone where none is
    /// named.
    pub branch: Vec<String>,
    /// The environments that can be deployed to; `production` alone where none is named.
    pub environment: Vec<String>,
    /// Whether a person has to approve before it begins.
    pub approve: bool,
    /// Whether it follows a green run by itself.
    pub auto: bool,
}

impl DeployRules {
    /// The environment that is meant where none is named.
    pub const PRODUCTION: &'static str = "production";

    /// The environments that can be deployed to.
    pub fn environments(&self) -> impl Iterator<Item = &str> {
        let unnamed = self.environment.is_empty().then_some(Self::PRODUCTION);
        self.environment.iter().map(String::as_str).chain(unnamed)
    }
}

/// Whether a path names something below the export, or the export itself. Links are not looked at.
pub(crate) fn stays_below(path: &str) -> bool {
    let stays = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    !path.is_empty() && !path.contains('\0') && Path::new(path).components().all(stays)
}

/// What an environment can be called, for messages.
pub(crate) const ENVIRONMENT_NAME: &str =
    "at most 64 letters, digits, `-`, `_` and `.`, beginning with a letter or digit";

/// Whether this can name an environment: it becomes a part of refs and file names.
pub(crate) fn is_environment(name: &str) -> bool {
    let of_name = |it: char| it.is_ascii_alphanumeric() || "-_.".contains(it);
    let begins = name.starts_with(|it: char| it.is_ascii_alphanumeric());
    let is_ref = !name.contains("..") && !name.ends_with('.') && !name.ends_with(".lock");
    begins && is_ref && name.chars().all(of_name) && name.len() <= 64
}

/// Everything that one config says.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pipeline {
    /// The language it was written in.
    pub format: Format,
    /// The name its errors give it.
    pub name: String,
    /// What it says without effect: keys that the ancestor ignored too. `run` shows them,
    /// `check` refuses them.
    pub warnings: Vec<Warning>,
    /// The conditions of the whole commit: `branch`, `tag` and `message`. A false one makes it
    /// `skipped` before anything is exported.
    pub when: When,
    steps: BTreeMap<StepName, Step>,
    deploy: DeployRules,
    /// Where its functions stand, if it is a script.
    pub(crate) script: Option<Arc<ScriptText>>,
}

/// The text of a script with that of every file it imports, so that it can be run without them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScriptText {
    pub(crate) main: Arc<str>,
    /// By their paths.
    pub(crate) modules: BTreeMap<String, Arc<str>>,
}

impl Pipeline {
    /// A pipeline of these steps; a later one replaces an earlier one of the same name.
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

    /// The same pipeline with conditions of the whole commit.
    #[must_use]
    pub(crate) fn with_when(self, when: When) -> Self {
        Self { when, ..self }
    }

    /// The same pipeline with what it says of its deployment.
    #[must_use]
    pub(crate) fn with_deploy(self, deploy: DeployRules) -> Self {
        Self { deploy, ..self }
    }

    /// The step of this name, if the config has one.
    pub fn step(&self, name: impl Into<StepName>) -> Option<&Step> {
        self.steps.get(&name.into())
    }

    /// What it says of its deployment, if it has one: a step `deploy`.
    pub fn deploy(&self) -> Option<&DeployRules> {
        self.steps.contains_key(&Phase::Deploy.into()).then_some(&self.deploy)
    }

    /// True if it is a script that is for some branches or tags alone, as one is that asks for them
    /// when it runs.
    pub(crate) fn asks_for_ref(&self) -> bool {
        let When { branch, tag, .. } = &self.when;
        self.format == Format::Rhai && !(branch.is_empty() && tag.is_empty())
    }

    /// Its steps in the order of a run, `deploy` last.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        StepName::ALL.into_iter().filter_map(|name| self.steps.get(&name))
    }
}

/// Something a config says without effect.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Warning {
    /// What, in one sentence.
    pub message: String,
    /// Where.
    pub position: Position,
}

impl Warning {
    /// A remark at a place.
    pub fn new(message: impl Into<String>, position: Position) -> Self {
        Self { message: message.into(), position }
    }
}
