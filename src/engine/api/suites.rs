//! [`Engine::test_pipeline`] and [`Checker::test`]: run the tests of a pipeline.

use std::{cell::RefCell, sync::Arc};

use super::{checker::Checker, folder::Folder, handle::Engine};
use crate::{
    engine::{
        context::{engine_call::EngineCall, registrations::Registrations, threads::on_big_thread},
        run::dry_run,
        step::{
            ChangeCheck, JobInfo, JobLimits, Memory, Steps,
            scripts::{CommitTree, LoadedPipeline, Scripts},
        },
    },
    model::{
        cancel::{CancelToken, CancelView},
        commit::Commit,
        error::{Error, ErrorKind},
        executor::EnvChange,
        job::{Job, Trigger},
        outcome::Outcome,
        pipeline::{Format, Hook},
        request_context::RequestContext,
        script::{TestEnd, TestSteps, Tree, TreeFile},
        step::{Progress, StepResult},
        test_report::{TestOptions, TestReport, TestResult, TestSource},
    },
    repo::Repo,
    rules::{interpolate::Vars, mask::Masks},
    script::{Hits, Script, StepRunner, Suite, TestJob},
    util::suggestion::did_you_mean,
};
/// The file of the tests, in the same directory as the script.
const TESTS: &str = ".tinyci.test.rhai";

impl Engine {
    /// Runs the tests of a pipeline: the functions `test_*` of `.tinyci.test.rhai`, which is in
    /// the same directory as `.tinyci.rhai`. Tests call the phases of the script with made-up
    /// commits and command results. They run, write and send nothing, and do not depend on the
    /// machine or the repository.
    ///
    /// With coverage, the report contains the lines of the script and its imports that neither a
    /// test nor the plan of the commit reached.
    ///
    /// ```no_run
    /// use tinyci::{Engine, script::TestOptions};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let report = engine.test_pipeline(&TestOptions::revision("main").coverage(true))?;
    /// for test in report.tests.iter().filter(|test| !test.passed()) {
    ///     println!("{}: {}", test.name, test.failure.as_ref().map_or(String::new(), |it| it.report()));
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision, a missing script or test file,
    /// and if the filters match no test; [`Script`](ErrorKind::Script) if one of the two files is
    /// invalid; [`Unsupported`](ErrorKind::Unsupported) for a YAML pipeline;
    /// [`Git`](ErrorKind::Git) and [`Io`](ErrorKind::Io) for read errors.
    pub fn test_pipeline(&self, options: &TestOptions) -> Result<TestReport, Error> {
        let env = self.shared.process_env();
        on_big_thread("tinyci test", || {
            test(EngineCall { shared: &self.shared, env: &env }, options)
        })
    }
}

impl Checker {
    /// Runs the tests of the script in the checker's directory: the functions `test_*` of
    /// `.tinyci.test.rhai`, with made-up commits and command results. Nothing runs for real.
    ///
    /// Runs only tests place names contain one of `filters`, or all tests if there is no filter.
    /// For coverage, which also counts what the plan of a commit enters, use
    /// [`Engine::test_pipeline`].
    ///
    /// ```
    /// use tinyci::check::Checker;
    ///
    /// let dir = tempfile::tempdir()?;
    /// std::fs::write(dir.path().join(".tinyci.rhai"), "fn build() { sh(\"make\"); }")?;
    /// let tests = "fn test_build(t) { t.expect(t.build().ok); }";
    /// std::fs::write(dir.path().join(".tinyci.test.rhai"), tests)?;
    /// let report = Checker::new(dir.path()).test(&[])?;
    /// assert!(report.passed());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Engine::test_pipeline`], and [`InvalidArg`](ErrorKind::InvalidArg) for the first
    /// mistake in this checker.
    pub fn test(&self, filters: &[&str]) -> Result<TestReport, Error> {
        on_big_thread("tinyci test", || {
            let tree = Folder::new(&self.dir);
            let place = format!("the directory `{}`", self.dir.display());
            let suites = Suites::load(self.registrations()?, &TestFiles { tree: &tree, place })?;
            let filters: Vec<String> = filters.iter().map(|it| (*it).to_owned()).collect();
            let (tests, filtered_out) = suites.run(&suites.script, &filters)?;
            Ok(TestReport { tests, filtered_out, coverage: None })
        })
    }
}

fn test(call: EngineCall<'_>, options: &TestOptions) -> Result<TestReport, Error> {
    let repo = call.shared.repo()?;
    match &options.source {
        TestSource::Revision(revision) => {
            let commit = repo.commit(repo.resolve(revision)?)?;
            let place = format!("commit {}", commit.id.short());
            let tree = CommitTree { repo: &repo, id: commit.id };
            run(call, &repo, options, &TestFiles { tree: &tree, place }, Some(&commit))
        }
        TestSource::Directory(folder) => {
            // The field is public, so it may contain a relative path.
            let folder = std::path::absolute(folder)
                .map_err(|_| Error::unresolved_path(ErrorKind::NotFound, folder))?;
            let place = format!("the directory `{}`", folder.display());
            let tree = Folder::new(folder);
            let head = repo.resolve("HEAD").and_then(|id| repo.commit(id)).ok();
            run(call, &repo, options, &TestFiles { tree: &tree, place }, head.as_ref())
        }
    }
}

/// The script and its tests, and the name of their place in errors.
struct TestFiles<'a> {
    tree: &'a dyn Tree,
    place: String,
}

impl TestFiles<'_> {
    fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.tree.entry(name)? {
            TreeFile::File(bytes) => Ok(Some(bytes)),
            TreeFile::Absent => Ok(None),
            TreeFile::Link => {
                let message =
                    format!("cannot read `{name}` of {}: it is a symbolic link", self.place);
                Err(Error::new(ErrorKind::Script, message).with_path(name))
            }
        }
    }

    fn script(&self) -> Result<Vec<u8>, Error> {
        let name = Format::Rhai.file_name();
        if let Some(bytes) = self.read(name)? {
            return Ok(bytes);
        }
        if self.read(Format::Yaml.file_name())?.is_some() {
            let yaml = Format::Yaml.file_name();
            let message =
                format!("cannot test `{yaml}` of {}: only scripts can have tests", self.place);
            let hint = format!("`tinyci convert > {name}`");
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint(hint));
        }
        Err(Error::new(ErrorKind::NotFound, format!("{} has no `{name}`", self.place)))
    }

    fn tests(&self) -> Result<Vec<u8>, Error> {
        self.read(TESTS)?.ok_or_else(|| {
            let message = format!("{} has no tests: `{TESTS}` is missing", self.place);
            Error::new(ErrorKind::NotFound, message)
                .with_hint("a test is `fn test_build(t) { t.expect(t.build().ok); }`")
        })
    }
}

fn run(
    call: EngineCall<'_>,
    repo: &Repo,
    options: &TestOptions,
    files: &TestFiles<'_>,
    commit: Option<&Commit>,
) -> Result<TestReport, Error> {
    let suites = Suites::load(&call.shared.options.registrations, files)?;
    let hits = Arc::new(Hits::default());
    let script = suites.script.clone();
    let script = if options.coverage { script.watched(&hits) } else { script };
    let (tests, filtered_out) = suites.run(&script, &options.filters)?;
    if let Some(commit) = commit.filter(|_| options.coverage) {
        let scripts = Scripts::new(Some(script.clone()), &suites.registered.functions);
        let loaded = LoadedPipeline { pipeline: script.pipeline(), scripts };
        let job = Job::new(commit.clone(), Trigger::Named);
        dry_run::job(call, repo, &job, &loaded, &[])?;
    }
    let coverage = options.coverage.then(|| hits.coverage(&script));
    Ok(TestReport { tests, filtered_out, coverage })
}

/// A script and its tests, with the functions that both can call.
struct Suites<'a> {
    script: Script,
    tests: Suite,
    registered: &'a Registrations,
}

impl<'a> Suites<'a> {
    fn load(registered: &'a Registrations, files: &TestFiles<'_>) -> Result<Self, Error> {
        let (name, functions) = (Format::Rhai.file_name(), &registered.functions);
        let script = Script::load(&files.script()?, name, files.tree, functions)?;
        let tests = Suite::load(&files.tests()?, TESTS, files.tree, functions)?;
        Ok(Self { script, tests, registered })
    }

    /// Runs the tests that match the filters, and returns the number of the others.
    fn run(&self, script: &Script, filters: &[String]) -> Result<(Vec<TestResult>, usize), Error> {
        let matches_filters =
            |name: &str| filters.is_empty() || filters.iter().any(|it| name.contains(it.as_str()));
        if !self.tests.names().any(matches_filters) {
            return Err(no_test_error(&self.tests, filters));
        }
        let runner: Arc<dyn StepRunner> = Arc::new(EngineRunner::new(self.registered));
        let tests = self.tests.run(&runner, script, &self.registered.functions, matches_filters);
        let filtered_out = self.tests.names().count() - tests.len();
        Ok((tests, filtered_out))
    }
}

/// Runs the steps that tests call, like those of a real run.
struct EngineRunner {
    env: Vec<EnvChange>,
    vars: Vars,
}

impl EngineRunner {
    fn new(registered: &Registrations) -> Self {
        Self { env: registered.env.clone(), vars: registered.vars.clone() }
    }
}

impl StepRunner for EngineRunner {
    fn run(&self, job: TestJob<'_>) -> TestEnd {
        let (pipeline, scripts) =
            (job.script.pipeline(), Scripts::new(Some(job.script.clone()), job.functions));
        let context = RequestContext {
            commit: Arc::new(job.commit),
            job_id: job.facts.job_id.as_str().into(),
            step: Hook::BeforeBuild.into(),
            label: None,
            export_dir: job.facts.export_dir.clone().into(),
            deadline: None,
            cancel: CancelView::new(&CancelToken::new(), 1),
        };
        let passed =
            job.environment.iter().map(|(name, value)| (name.into(), value.into())).collect();
        let progress = job.facts.progress.clone();
        let is_retry = job.facts.trigger == Trigger::Retry.name();
        let mut steps = Steps {
            pipeline: &pipeline,
            scripts: &scripts,
            info: JobInfo {
                facts: job.facts,
                passed,
                env: self.env.clone(),
                limits: JobLimits::default(),
                change_check: ChangeCheck::new(&pipeline, is_retry).into(),
            },
            context,
            effects: job.effects,
            lookups: job.lookups,
            reporter: job.reporter,
            memory: Arc::new(Memory::recalling(job.remembered)),
            masks: Masks::default(),
            vars: self.vars.clone(),
            progress,
            command_timeout: None,
            nice: 0,
            by_hand: false,
        };
        match job.steps {
            TestSteps::All => run_all(&mut steps),
            TestSteps::One(name) => {
                let so_far = so_far(&steps.progress);
                let step = steps.step(name, so_far);
                let outcome = step.as_ref().map_or(Outcome::Success, StepResult::effective_outcome);
                let remembered = steps.memory.remembered();
                TestEnd {
                    outcome,
                    reason: None,
                    steps: step.into_iter().map(|it| (it, remembered.clone())).collect(),
                }
            }
        }
    }
}

/// Returns the outcome of a commit place phases have these results.
fn so_far(progress: &Progress) -> Outcome {
    let outcomes = [&progress.build, &progress.test].into_iter().flatten();
    let mut outcomes = outcomes.filter_map(|outcome| outcome.parse().ok());
    outcomes.find(|outcome: &Outcome| !outcome.passed()).unwrap_or(Outcome::Success)
}

/// Runs all steps, and collects the remembered values after each.
fn run_all(steps: &mut Steps<'_>) -> TestEnd {
    let memory = steps.memory.clone();
    let before = RefCell::new(Vec::new());
    let walked = match steps.whole_commit_unmet() {
        None => steps.walk(&|_| before.borrow_mut().push(memory.remembered())),
        Some(unmet) => steps.skip_commit(&unmet),
    };
    let reason = walked.skip_reason();
    let after = before.into_inner().into_iter().skip(1).chain([memory.remembered()]);
    let steps = walked.steps.into_iter().zip(after).collect();
    TestEnd { outcome: walked.outcome, reason, steps }
}

fn no_test_error(suite: &Suite, filters: &[String]) -> Error {
    let message = match filters.first() {
        Some(filter) if suite.names().next().is_some() => {
            let hint = did_you_mean(filter, suite.names());
            let known = suite.names().collect::<Vec<_>>().join(", ");
            format!("no test name contains `{filter}`{hint} (there are {known})")
        }
        _ => {
            format!("no tests in `{TESTS}`: expected a function such as `fn test_build(t) {{ … }}`")
        }
    };
    Error::new(ErrorKind::NotFound, message)
}
