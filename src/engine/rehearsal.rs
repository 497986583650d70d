//! [`Engine::forecast`]: a run of one commit in which everything is decided and nothing is done.
//!
//! The script really runs, against a host that writes down what it would do. So predicates and
//! loops come to what they would come to, as far as that does not hang on what a command writes.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    conditions::{Subject, unmet},
    handle::{Engine, Shared, on_big_thread},
    scripts::{RepoLookups, Scripts, trigger},
    steps::{Surroundings, commit_facts},
};
use crate::{
    cancel::{CancelToken, CancelView},
    commit::Commit,
    error::{Error, ErrorKind},
    executor::{Command, Executor, Output, Program, Stream},
    forecast::{Act, Assumption, Forecast, StepForecast},
    function::{HostFunction, Value},
    glob,
    interpolate::Vars,
    job::Reason,
    mask::Masks,
    outcome::{Exit, Outcome},
    pipeline::{Body, Phase, Pipeline, Step, StepName},
    record::Record,
    repo::Repo,
    request_context::RequestContext,
    run::Run,
    script::{
        self, Approval, Changes, Facts, Host, Limits, PhaseCall, ScriptCommand, shown_program,
    },
    script_runner::{Memory, Ran, Sink, StepHost},
};

/// How long one step of a forecast may take: nothing in it waits, so that more is an endless loop.
const STEP_LIMIT: Duration = Duration::from_secs(60);

impl Engine {
    /// What a run of this commit would do, step by step, if every command passed: which commands,
    /// and the questions about the commit that decided. Nothing is run, written or sent, and hooks
    /// of the embedding program are not called.
    ///
    /// `assume` gives the output of commands that the script asks for: a glob over the command, in
    /// one line, and the text; the first that matches holds.
    ///
    /// ```no_run
    /// use tinyci::Engine;
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let forecast = engine.forecast("main", &[("git describe*".into(), "v1.2".into())])?;
    /// for step in &forecast.steps {
    ///     println!("{}", step.name);
    ///     step.acts.iter().for_each(|act| println!("  {act}"));
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for a revision that names no commit or one without a
    /// config, [`Config`](ErrorKind::Config) and [`Script`](ErrorKind::Script) where that is not
    /// valid, [`Git`](ErrorKind::Git) where the repository cannot be read.
    pub fn forecast(&self, revision: &str, assume: &[(String, String)]) -> Result<Forecast, Error> {
        on_big_thread("tinyci plan", || forecast(&self.shared, revision, assume))
    }
}

fn forecast(
    shared: &Shared,
    revision: &str,
    assume: &[(String, String)],
) -> Result<Forecast, Error> {
    let repo = shared.repo()?;
    let commit = repo.commit(repo.resolve(revision)?)?;
    let (pipeline, scripts) = Scripts::load(shared, &repo, &commit)?;
    rehearse(shared, &repo, &commit, (&pipeline, &scripts), assume)
}

/// What a run of a commit by this pipeline would do.
pub(super) fn rehearse(
    shared: &Shared,
    repo: &Repo,
    commit: &Commit,
    (pipeline, scripts): (&Pipeline, &Scripts),
    assume: &[(String, String)],
) -> Result<Forecast, Error> {
    let rehearsal = Rehearsal {
        shared,
        commit,
        tags: repo.tags_of(commit.id).unwrap_or_default(),
        pipeline,
        scripts,
        memory: Arc::default(),
        assume,
        environment: None,
    };
    let mut run = Run::new();
    let mut steps: Vec<StepForecast> = Vec::new();
    while let Some(name) = run.step() {
        let step = rehearsal.step(name, &steps)?;
        run.finish(step.as_ref().map_or(Outcome::Success, |(_, counts)| *counts));
        steps.extend(step.map(|(step, _)| step));
    }
    Ok(Forecast { commit: commit.id, outcome: run.outcome(), steps })
}

/// What the deployment of a commit would do, a line each, if every command passed. `run` is the
/// record of the run whose build it is.
pub(super) fn deploy_lines(
    shared: &Shared,
    repo: &Repo,
    (commit, pipeline, scripts): (&Commit, &Pipeline, &Scripts),
    environment: &str,
    run: Option<&Record>,
) -> Result<Vec<String>, Error> {
    let remembered = run.map(|run| run.remembered.clone()).unwrap_or_default();
    let rehearsal = Rehearsal {
        shared,
        commit,
        tags: repo.tags_of(commit.id).unwrap_or_default(),
        pipeline,
        scripts,
        memory: Arc::new(Memory::recalling(remembered)),
        assume: &[],
        environment: Some(environment),
    };
    let before = run.into_iter().flat_map(|run| &run.steps).map(|step| StepForecast {
        name: step.name,
        host_hooks: 0,
        outcome: step.outcome,
        reason: None,
        acts: Vec::new(),
    });
    let before: Vec<StepForecast> = before.collect();
    let work = || rehearsal.step(Phase::Deploy.into(), &before);
    let step = on_big_thread("tinyci plan", work)?;
    let Some((step, _)) = step else { return Ok(Vec::new()) };
    let mut lines: Vec<String> = step.acts.iter().map(Act::to_string).collect();
    let reason = step.reason.unwrap_or_default();
    match step.outcome {
        Outcome::Success => {}
        outcome => lines.push(format!("{outcome}: {reason}")),
    }
    Ok(lines)
}

/// What all steps of a forecast share.
struct Rehearsal<'a> {
    shared: &'a Shared,
    commit: &'a Commit,
    tags: Vec<String>,
    pipeline: &'a Pipeline,
    scripts: &'a Scripts,
    memory: Arc<Memory>,
    assume: &'a [(String, String)],
    /// What would be deployed to, where that is what is rehearsed.
    environment: Option<&'a str>,
}

impl Rehearsal<'_> {
    /// What a step would do, and the outcome that counts for what follows: a step that its `when`
    /// leaves out counts as absent.
    fn step(
        &self,
        name: StepName,
        before: &[StepForecast],
    ) -> Result<Option<(StepForecast, Outcome)>, Error> {
        let host_hooks = self.shared.options.hooks.count(name);
        let config = self.pipeline.step(name);
        if config.is_none() && host_hooks == 0 {
            return Ok(None);
        }
        let (outcome, reason, acts) = (Outcome::Success, None, Vec::new());
        let mut step = StepForecast { name, host_hooks, outcome, reason, acts };
        let root = &self.shared.root;
        let subject = Subject { commit: self.commit, tags: &self.tags, root };
        if let Some(config) = config {
            if let Some(reason) = unmet(&subject, &config.when)? {
                step.outcome = Outcome::Skipped;
                step.reason = Some(reason);
                return Ok(Some((step, Outcome::Success)));
            }
            let host = Arc::new(self.host(name));
            let facts = self.facts(name, before);
            match &config.body {
                Body::Commands(_) => self.commands(config, &facts, &host, &mut step),
                Body::Function(_) => self.function(&facts, &host, &mut step),
            }
            step.acts = std::mem::take(&mut *host.acts());
        }
        let outcome = step.outcome;
        Ok(Some((step, outcome)))
    }

    fn commands(
        &self,
        config: &Step,
        facts: &Facts,
        host: &Arc<RehearsalHost>,
        step: &mut StepForecast,
    ) {
        let vars = self.vars(config.name);
        config.secrets.iter().for_each(|name| host.call("secret", name));
        let dynamic: Arc<dyn Host> = host.clone();
        let (name, functions) = (&self.pipeline.name, &self.shared.options.functions);
        for template in config.commands() {
            let filled =
                script::interpolate_template(template, &vars, name, facts, &dynamic, functions);
            match filled {
                Ok(text) => host.act(Act::Command {
                    // Who lets a deployment go on sees all of it.
                    command: match self.environment {
                        Some(_) => text.trim().to_owned(),
                        None => shown_program(&Program::Shell(text)),
                    },
                    label: None,
                    output: Assumption::Passed,
                }),
                Err(error) => {
                    step.outcome = Outcome::Failure;
                    step.reason = Some(error.report());
                    return;
                }
            }
        }
    }

    fn function(&self, facts: &Facts, host: &Arc<RehearsalHost>, step: &mut StepForecast) {
        let Some(script) = self.scripts.script() else { return };
        let end = script::run(PhaseCall {
            script,
            phase: step.name.as_str(),
            facts: facts.clone(),
            vars: self.vars(step.name),
            host: host.clone(),
            deadline: Instant::now().checked_add(STEP_LIMIT),
            functions: &self.shared.options.functions,
        });
        step.outcome = end.outcome;
        step.reason = end.error.map(|error| error.report()).or(end.reason);
    }

    fn surroundings(&self) -> Surroundings<'_> {
        let build = self.shared.workspace().build(&self.commit.build_name());
        Surroundings {
            commit: self.commit,
            export_dir: build.export_dir(),
            target_dir: build.dir().to_path_buf(),
            root: &self.shared.root,
            environment: self.environment,
            run_id: "plan",
        }
    }

    fn vars(&self, step: StepName) -> Vars {
        let mut vars = self.shared.options.vars.clone();
        for (name, value) in commit_facts(&self.surroundings(), step) {
            vars.set_fact(name, value);
        }
        vars
    }

    fn facts(&self, step: StepName, before: &[StepForecast]) -> Facts {
        let known = commit_facts(&self.surroundings(), step);
        let word = |phase: Phase| {
            let step = before.iter().find(|step| step.name == phase.into());
            step.map(|step| step.outcome.name().to_owned())
        };
        Facts {
            build: word(Phase::Build),
            test: word(Phase::Test),
            ..super::scripts::facts_of(
                self.commit,
                &known,
                self.tags.clone(),
                if self.environment.is_some() { "deploy" } else { trigger(Reason::Named) },
            )
        }
    }

    fn host(&self, step: StepName) -> RehearsalHost {
        let known = commit_facts(&self.surroundings(), step);
        let env = known
            .into_iter()
            .map(|(name, value)| (format!("TINYCI_{}", name.to_ascii_uppercase()), Some(value)));
        let lookups = RepoLookups::new(self.shared, self.commit, None);
        let inner = StepHost {
            executor: Arc::new(Never),
            context: RequestContext {
                commit: Arc::new(self.commit.clone()),
                run: self.surroundings().run_id.into(),
                step,
                label: None,
                export_dir: self.surroundings().export_dir,
                deadline: None,
                cancel: CancelView::new(&CancelToken::new(), 1),
            },
            sink: Arc::new(Nowhere),
            lookups: Arc::new(lookups),
            memory: self.memory.clone(),
            masks: Masks::default(),
            env: env.chain(self.shared.options.env.iter().cloned()).collect(),
            inherited: self.shared.settings.inherited.clone(),
            artifacts_dir: PathBuf::new(),
            command_timeout: None,
            ran: Ran::default(),
        };
        RehearsalHost { inner, acts: Mutex::default(), assume: self.assume.to_vec() }
    }
}

/// Writes down what a step asks for, and answers what can be answered without acting.
struct RehearsalHost {
    /// Answers as in a real run.
    inner: StepHost,
    acts: Mutex<Vec<Act>>,
    assume: Vec<(String, String)>,
}

impl RehearsalHost {
    fn acts(&self) -> MutexGuard<'_, Vec<Act>> {
        self.acts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn act(&self, act: Act) {
        self.acts().push(act);
    }

    fn call(&self, name: &str, argument: &str) {
        self.act(Act::Call(format!("{name}({argument:?})")));
    }
}

impl Host for RehearsalHost {
    fn command(
        &self,
        command: &ScriptCommand,
        output: &mut dyn FnMut(&Output),
    ) -> Result<Exit, Error> {
        let text = shown_program(&command.program);
        let assumed = self
            .assume
            .iter()
            .find(|(pattern, _)| glob::text_matches(pattern.as_bytes(), text.as_bytes()));
        let assumption = match (command.split, assumed) {
            (false, _) => Assumption::Passed,
            (true, None) => Assumption::Unknown,
            (true, Some((_, given))) => {
                output(&Output::stdout(given.as_bytes()));
                Assumption::Given(given.clone())
            }
        };
        let label = command.label.clone();
        self.act(Act::Command { command: text, label, output: assumption });
        Ok(Exit::Code(0))
    }

    fn print(&self, _label: Option<&str>, _text: &str) {}

    fn warn(&self, message: &str) {
        self.call("warn", message);
    }

    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        limits: Limits,
    ) -> Result<Value, Error> {
        Host::call(&self.inner, function, arguments, limits)
    }

    fn secret(&self, name: &str, _: Limits) -> Result<Vec<u8>, Error> {
        self.call("secret", name);
        Ok(name.as_bytes().to_vec())
    }

    fn env(&self, name: &str) -> Option<String> {
        self.inner.env(name)
    }

    fn remember(&self, key: &str, value: Value) -> Result<(), Error> {
        self.call("remember", key);
        self.inner.remember(key, value)
    }

    fn recall(&self, key: &str) -> Option<Value> {
        self.inner.recall(key)
    }

    fn artifact(&self, path: &str) -> Result<(), Error> {
        self.call("artifact", path);
        Ok(())
    }

    fn discard_export(&self) {
        self.act(Act::Call("discard_export()".to_owned()));
    }

    fn approve(&self, question: &str, _: Limits) -> Result<Approval, Error> {
        // Asked in a deployment alone. What follows is what it would do once somebody has.
        self.call("approve", question);
        Ok(Approval::Given)
    }

    fn changes(&self) -> Result<Arc<Changes>, Error> {
        self.inner.changes()
    }

    fn previous(&self) -> Result<Option<String>, Error> {
        self.inner.previous()
    }

    fn has_program(&self, name: &str) -> bool {
        self.inner.has_program(name)
    }

    fn is_canceled(&self, _cleanup: bool) -> bool {
        false
    }

    fn decided(&self, predicate: &str, answer: bool, at: &str) {
        let (question, at) = (predicate.to_owned(), at.to_owned());
        self.act(Act::Decision { question, answer, at });
    }

    fn rehearses(&self) -> bool {
        true
    }

    fn called(&self, function: &str, arguments: &[Value]) -> Value {
        let arguments: Vec<String> = arguments.iter().map(Value::literal).collect();
        self.act(Act::Call(format!("{function}({})", arguments.join(", "))));
        Value::Nothing
    }
}

/// Runs nothing: the host above asks it for nothing.
struct Never;

impl Executor for Never {
    fn execute(
        &self,
        _: &Command,
        _: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        Err(Error::new(ErrorKind::Unsupported, "a forecast runs nothing"))
    }
}

/// Where what a rehearsal says goes.
struct Nowhere;

impl Sink for Nowhere {
    fn output(&self, _: Option<&str>, _: Stream, _: Vec<u8>) {}

    fn settle(&self, _: &RequestContext) -> Result<(), Outcome> {
        Ok(())
    }

    fn warn(&self, _: String) {}
}
