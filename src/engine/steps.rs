//! One step: what the host does there first, then the config's commands, one after the other.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use super::{
    conditions::{Subject, unmet},
    desk::Desk,
    host::HookCall,
    job::Site,
    scripts::Scripts,
    voice::Voice,
};
use crate::{
    cancel::CancelView,
    commit::{Commit, cut},
    environment::{EnvChange, StepEnv, Variables, change},
    error::{Error, ErrorKind},
    event::Event,
    executor::{Command, Output, Program, Stream},
    interpolate::Vars,
    mask::Masks,
    outcome::Outcome,
    pipeline::{Body, Hook, Phase, Pipeline, Step, StepName, Template},
    record::{CommandRecord, StepRecord},
    request_context::RequestContext,
    workspace::Build,
};

/// The longest commit message that goes into an environment: Linux refuses longer strings.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// The wait before a command that failed is tried again.
const BACKOFF: Duration = Duration::from_secs(1);

/// How long a wait sleeps before it looks at the cancel again.
const WAIT_SLICE: Duration = Duration::from_millis(20);

/// The steps of one attempt.
pub(super) struct Steps<'a> {
    pub(super) site: &'a Site<'a>,
    pub(super) commit: Arc<Commit>,
    /// Why the commit runs, in a word.
    #[cfg_attr(not(feature = "rhai"), expect(dead_code, reason = "only scripts are told it"))]
    pub(super) trigger: &'static str,
    /// What is being deployed to.
    pub(super) environment: Option<&'a str>,
    /// Where a deployment asks whether somebody approved.
    #[cfg_attr(not(feature = "rhai"), expect(dead_code, reason = "only scripts ask in a step"))]
    pub(super) desk: Option<&'a Desk>,
    pub(super) build: &'a Build,
    pub(super) run_id: Arc<str>,
    pub(super) pipeline: &'a Pipeline,
    pub(super) scripts: &'a Scripts,
    pub(super) tags: Vec<String>,
    /// The secrets that were used so far.
    pub(super) masks: Masks,
    /// The host's variables: the builder's, and what hooks set.
    pub(super) vars: Vars,
    /// How long the whole attempt may take; `after_all` gets as long again.
    pub(super) limit: Option<Duration>,
    pub(super) deadline: Option<Instant>,
    /// Whether the executor refused a command as none that it could ever run.
    pub(super) unsupported: bool,
    /// Whether a script asked for an approval that nobody has given.
    pub(super) waits: bool,
}

/// What the function of a step came to, beside its record.
pub(super) struct FunctionEnd {
    /// Whether the executor refused one of its commands as none that it could ever run.
    pub(super) unsupported: bool,
    /// Whether it asked for an approval that nobody has given.
    pub(super) waits: bool,
}

/// How a step ended: for the run, and on record if there was anything to do.
pub(super) struct StepEnd {
    pub(super) outcome: Outcome,
    pub(super) record: Option<StepRecord>,
}

impl Steps<'_> {
    /// Why no further step but `after_all` may begin.
    pub(super) fn stopped(&self) -> Option<Outcome> {
        if self.site.cancel.is_canceled() {
            return Some(Outcome::Canceled);
        }
        self.deadline.filter(|deadline| Instant::now() >= *deadline).map(|_| Outcome::TimedOut)
    }

    /// Whether there is anything to do at a step.
    pub(super) fn has(&self, name: StepName) -> bool {
        self.pipeline.step(name).is_some() || self.site.shared.options.hooks.has(name)
    }

    /// Does one step. An absent one succeeds without a trace.
    pub(super) fn step(&mut self, name: StepName, so_far: Outcome, voice: &mut Voice) -> StepEnd {
        let pipeline = self.pipeline;
        let config = pipeline.step(name);
        if !self.has(name) {
            return StepEnd { outcome: Outcome::Success, record: None };
        }
        let cancel = self.cancel_view(name);
        if cancel.is_canceled() {
            return StepEnd { outcome: Outcome::Canceled, record: None };
        }
        let clock = Instant::now();
        voice.enter(Some(name));
        let opens = self.opens(name);
        voice.say(|meta| Event::StepStarted { meta, opens });
        let mut record = StepRecord {
            name,
            outcome: Outcome::Success,
            error: None,
            duration: Duration::ZERO,
            commands: Vec::new(),
        };
        let mut skipped = self.host_hooks(name, so_far, &cancel, &mut record);
        if let (Some(step), Outcome::Success, false) = (config, record.outcome, skipped) {
            skipped = self.is_left_out(step, &mut record);
        }
        if let (Some(step), Outcome::Success, false) = (config, record.outcome, skipped) {
            match &step.body {
                Body::Commands(_) => self.commands(step, &cancel, &mut record, voice),
                Body::Function(_) => {
                    let end = self.scripts.run(self, step, &cancel, &mut record, voice);
                    self.unsupported |= end.unsupported;
                    self.waits |= end.waits;
                }
            }
        }
        record.duration = clock.elapsed();
        // A step left out by the host, or by its `when`, counts as absent.
        let outcome = record.outcome;
        if skipped {
            record.outcome = Outcome::Skipped;
        }
        let finished = record.clone();
        voice.say(|meta| Event::StepFinished { meta, record: finished });
        voice.enter(None);
        StepEnd { outcome, record: Some(record) }
    }

    /// Where a request of this step comes from.
    pub(super) fn context(
        &self,
        step: StepName,
        deadline: Option<Instant>,
        cancel: &CancelView,
    ) -> RequestContext {
        RequestContext {
            commit: self.commit.clone(),
            run: self.run_id.clone(),
            step,
            label: None,
            export_dir: self.build.export_dir(),
            deadline,
            cancel: cancel.clone(),
        }
    }

    fn cancel_view(&self, name: StepName) -> CancelView {
        let threshold = if name == Hook::AfterAll.into() { 2 } else { 1 };
        self.site.cancel.with_threshold(threshold)
    }

    /// The phase that begins with this step: with its `before_*` hook, if anything is to do there.
    fn opens(&self, name: StepName) -> Option<Phase> {
        let (phase, before) = match name {
            StepName::Phase(Phase::Build) | StepName::Hook(Hook::BeforeBuild) => {
                (Phase::Build, Hook::BeforeBuild)
            }
            StepName::Phase(Phase::Test) | StepName::Hook(Hook::BeforeTest) => {
                (Phase::Test, Hook::BeforeTest)
            }
            StepName::Phase(Phase::Deploy) => return Some(Phase::Deploy),
            StepName::Hook(_) => return None,
        };
        let before = StepName::Hook(before);
        let has_before =
            self.pipeline.step(before).is_some() || self.site.shared.options.hooks.has(before);
        (name == before || !has_before).then_some(phase)
    }

    /// Calls the host's hooks; says whether the config's is to be left out.
    fn host_hooks(
        &mut self,
        name: StepName,
        so_far: Outcome,
        cancel: &CancelView,
        record: &mut StepRecord,
    ) -> bool {
        let StepName::Hook(hook) = name else { return false };
        let hooks = &self.site.shared.options.hooks;
        if !hooks.has(name) {
            return false;
        }
        let context = self.context(name, self.deadline_of(name, None), cancel);
        if let Err(stop) = self.site.events.settle(&context) {
            record.outcome = stop;
            return false;
        }
        let call = HookCall {
            hook,
            context: &context,
            outcome: so_far,
            vars: &mut self.vars,
            mistake: None,
            skipped: None,
        };
        match catch_unwind(AssertUnwindSafe(|| hooks.call(call))) {
            Ok(Ok(None)) => false,
            Ok(Ok(Some(reason))) => {
                record.error = Some(format!("skipped: {reason}"));
                true
            }
            Ok(Err(error)) => {
                let stopped = || context.is_late().then_some(Outcome::TimedOut);
                let stopped = context.is_canceled().then_some(Outcome::Canceled).or_else(stopped);
                fail(record, &error, stopped.unwrap_or(Outcome::Failure));
                false
            }
            Err(panic) => {
                let message = format!("the host's hook panicked: {}", panic_text(&*panic));
                fail(record, &Error::new(ErrorKind::Panic, message), Outcome::Failure);
                false
            }
        }
    }

    /// Whether a step's conditions leave it out.
    fn is_left_out(&mut self, step: &Step, record: &mut StepRecord) -> bool {
        let root = &self.site.shared.root;
        let subject = Subject { commit: &self.commit, tags: &self.tags, root };
        match unmet(&subject, &step.when) {
            Ok(None) => false,
            Ok(Some(reason)) => {
                record.error = Some(format!("skipped: {reason}"));
                true
            }
            Err(error) => {
                fail(record, &error, Outcome::NoVerdict);
                false
            }
        }
    }

    /// Runs the commands of a step until one fails.
    fn commands(
        &mut self,
        step: &Step,
        cancel: &CancelView,
        record: &mut StepRecord,
        voice: &mut Voice,
    ) {
        let step_deadline = self.step_deadline(step);
        let vars = self.vars_of(step.name);
        let context = self.context(step.name, step_deadline, cancel);
        let secrets = match self.secret_env(step, &context) {
            Ok(secrets) => secrets,
            Err(error) if error.kind() == ErrorKind::HostAbort => {
                return fail(record, &error, Outcome::Failure);
            }
            Err(error) => return fail(record, &error, Outcome::NoVerdict),
        };
        for template in step.commands() {
            if cancel.is_canceled() {
                record.outcome = Outcome::Canceled;
                return;
            }
            let command = match self.command(step, template, &vars) {
                Ok(mut command) => {
                    change(&mut command.env, &secrets);
                    command.context = Some(context.clone());
                    command
                }
                Err(error) => return fail(record, &error, Outcome::Failure),
            };
            self.attempts(command, step.retries, step_deadline, cancel, record, voice);
            if record.outcome != Outcome::Success {
                return;
            }
        }
    }

    /// Runs one command until it passes, so many times more than once.
    fn attempts(
        &mut self,
        command: Command,
        retries: u32,
        step_deadline: Option<Instant>,
        cancel: &CancelView,
        record: &mut StepRecord,
        voice: &mut Voice,
    ) {
        for attempt in 1.. {
            let each = self.site.shared.settings.command_timeout;
            let each = each.and_then(|limit| Instant::now().checked_add(limit));
            let deadline = [step_deadline, each].into_iter().flatten().min();
            record.outcome = Outcome::Success;
            let command = command.clone().with_deadline(deadline);
            self.execute(command, cancel, record, voice);
            let late = || step_deadline.is_some_and(|deadline| Instant::now() >= deadline);
            let failed = matches!(record.outcome, Outcome::Failure | Outcome::TimedOut);
            if !failed || attempt > retries || late() {
                return;
            }
            let message = format!("failed; trying again in {BACKOFF:?} ({attempt} of {retries})\n");
            voice.output(Stream::Stdout, message.into_bytes());
            record.error = None;
            let begun = Instant::now();
            while begun.elapsed() < BACKOFF && !cancel.is_canceled() && !late() {
                thread::sleep(WAIT_SLICE);
            }
        }
    }

    /// When a step has to have ended: `after_all` has limits of its own.
    pub(super) fn step_deadline(&self, step: &Step) -> Option<Instant> {
        self.deadline_of(step.name, step.timeout)
    }

    fn deadline_of(&self, name: StepName, timeout: Option<Duration>) -> Option<Instant> {
        let begun = Instant::now();
        let own = timeout.and_then(|timeout| begun.checked_add(timeout));
        let of_run = if name == Hook::AfterAll.into() {
            self.limit.and_then(|limit| begun.checked_add(limit))
        } else {
            self.deadline
        };
        [own, of_run].into_iter().flatten().min()
    }

    fn execute(
        &mut self,
        command: Command,
        cancel: &CancelView,
        record: &mut StepRecord,
        voice: &mut Voice,
    ) {
        let clock = Instant::now();
        let executor = &self.site.executor;
        let (mut stdout, mut stderr) = (self.masks.stream(), self.masks.stream());
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let mut take = |output: Output| {
                let masked = match output.stream {
                    Stream::Stdout => &mut stdout,
                    Stream::Stderr => &mut stderr,
                };
                voice.output(output.stream, masked.push(output.bytes));
            };
            executor.execute(&command, &mut take, cancel)
        }));
        voice.output(Stream::Stdout, stdout.finish());
        voice.output(Stream::Stderr, stderr.finish());
        let ended = ended.unwrap_or_else(|panic| {
            let message = format!("the executor panicked: {}", panic_text(&*panic));
            Err(Error::new(ErrorKind::Panic, message))
        });
        let exit = ended.as_ref().ok().copied();
        record.commands.push(CommandRecord {
            command: self.masks.apply(&command.program.to_string()),
            exit,
            duration: clock.elapsed(),
        });
        match ended {
            Ok(exit) => record.outcome = exit.outcome(),
            Err(error) if error.kind() == ErrorKind::HostAbort => {
                fail(record, &error, Outcome::Failure);
            }
            Err(error) => {
                self.unsupported |= error.kind() == ErrorKind::Unsupported;
                fail(record, &error, Outcome::NoVerdict);
            }
        }
    }

    /// The secrets of a step as variables; from here on they are masked.
    fn secret_env(&self, step: &Step, context: &RequestContext) -> Result<Vec<EnvChange>, Error> {
        let secrets = self.site.shared.secrets(&self.commit, Some(self.site.events));
        let variable = |name: &String| {
            let value = secrets.value(name, context)?;
            self.masks.add(&value);
            let text = String::from_utf8(value).ok().filter(|text| !text.contains('\0'));
            let text = text.ok_or_else(|| {
                let message = format!("the secret `{name}` is not text and cannot be a variable");
                Error::new(ErrorKind::HostAbort, message)
            })?;
            Ok((name.clone(), Some(text)))
        };
        step.secrets.iter().map(variable).collect()
    }

    /// The command with its tags filled in.
    fn command(&self, step: &Step, template: &Template, vars: &Vars) -> Result<Command, Error> {
        let fill = |text: &Template| self.scripts.interpolate(self, text, vars, step.name);
        let text = fill(template)?;
        let export_dir = self.build.export_dir();
        let cwd = match &step.cwd {
            Some(cwd) => inside(&export_dir, &fill(cwd)?)?,
            None => export_dir,
        };
        let mut command = Command::new(Program::Shell(text), cwd);
        command.env = self.env(step.name);
        command.nice = self.site.shared.settings.nice;
        for (key, value) in &step.env {
            command.env.insert(key.into(), fill(value)?.into());
        }
        Ok(command)
    }

    /// What a command's tags may name: what tinyci knows of the commit, and the host's variables.
    pub(super) fn vars_of(&self, step: StepName) -> Vars {
        let mut vars = self.vars.clone();
        for (name, value) in self.facts(step) {
            vars.set_fact(name, value);
        }
        vars
    }

    /// The environment of every command of a step, before what the step itself sets.
    pub(super) fn env(&self, step: StepName) -> Variables {
        let step_env = StepEnv {
            passed: &self.site.env.passed,
            build_dir: self.build.dir(),
            facts: &self.facts(step),
            host: &self.site.shared.options.env,
        };
        step_env.variables()
    }

    /// The facts by their names in tags.
    pub(super) fn facts(&self, step: StepName) -> Vec<(&'static str, String)> {
        let surroundings = Surroundings {
            commit: &self.commit,
            export_dir: self.build.export_dir(),
            target_dir: self.build.dir().to_path_buf(),
            root: &self.site.shared.root,
            run_id: &self.run_id,
            environment: self.environment,
        };
        commit_facts(&surroundings, step)
    }
}

/// What the facts of a commit are made of.
pub(super) struct Surroundings<'a> {
    pub(super) commit: &'a Commit,
    pub(super) export_dir: PathBuf,
    pub(super) target_dir: PathBuf,
    /// The repository's folder.
    pub(super) root: &'a Path,
    pub(super) run_id: &'a str,
    pub(super) environment: Option<&'a str>,
}

/// The facts of a commit by their names in tags.
pub(super) fn commit_facts(
    surroundings: &Surroundings<'_>,
    step: StepName,
) -> Vec<(&'static str, String)> {
    let commit = surroundings.commit;
    let mut facts = vec![
        ("commit", commit.id.to_string()),
        ("short", commit.id.short()),
        ("tree", commit.tree.to_string()),
        ("subject", clean(&commit.subject.to_str_lossy())),
        ("message", clean(&commit.message.to_str_lossy())),
        ("author", clean(&commit.author.to_str_lossy())),
        ("time", commit.time.to_string()),
        ("export", surroundings.export_dir.to_string_lossy().into_owned()),
        ("target", surroundings.target_dir.to_string_lossy().into_owned()),
        ("phase", step.to_string()),
        ("repo", surroundings.root.to_string_lossy().into_owned()),
        ("run", surroundings.run_id.to_owned()),
    ];
    facts.extend(surroundings.environment.map(|name| ("environment", name.to_owned())));
    facts.extend(commit.branch.as_ref().map(|branch| ("branch", clean(&branch.to_str_lossy()))));
    facts
}

pub(super) fn fail(record: &mut StepRecord, error: &Error, outcome: Outcome) {
    record.outcome = outcome;
    record.error = Some(error.report());
}

/// A text of the commit's that the operating system takes: no NUL, not endless.
fn clean(text: &str) -> String {
    cut(text, MESSAGE_BYTES_MAX).replace('\0', "\u{fffd}")
}

/// A folder below the export, by a path that does not leave it.
fn inside(export_dir: &std::path::Path, below: &str) -> Result<std::path::PathBuf, Error> {
    use std::path::{Component, Path};
    let stays = Path::new(below)
        .components()
        .all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if stays {
        return Ok(export_dir.join(below));
    }
    let message = format!("`cwd: {below}` leaves the export; name a folder below it");
    Err(Error::new(ErrorKind::Config, message))
}

fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}
