//! [`Steps`]: runs the steps of a job in order.

use super::host::CommandLog;
use super::scripts::Scripts;
use super::{
    conditions::{Unmet, all_left_out, left_out_sentence, unmet},
    context::{AfterPhase, JobInfo, StepContext},
    end::StepEnd,
    host::{Memory, StepHost},
};
use crate::{
    engine::context::job_reporter::JobReporter,
    model::{
        cancel::CancelView,
        error::Error,
        executor::{EnvChange, Program},
        outcome::Outcome,
        pipeline::{Body, Hook, Phase, Pipeline, Step, StepName, Template},
        record::{LeftOut, LeftOutBy, Record},
        request_context::RequestContext,
        step::{
            Denied, Effects, Host, Lookups, Progress, Reporter, RequestLimits, StepCommand,
            StepResult,
        },
    },
    rules::{interpolate::Vars, mask::Masks, run::StepSequence},
    workspace::Build,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The inputs of all steps of a job, and their results so far.
pub(in crate::engine) struct Steps<'a> {
    pub(in crate::engine) pipeline: &'a Pipeline,
    pub(in crate::engine) scripts: &'a Scripts,
    pub(in crate::engine) info: JobInfo,
    /// The request context of the job.
    pub(in crate::engine) context: RequestContext,
    pub(in crate::engine) effects: Arc<dyn Effects>,
    pub(in crate::engine) lookups: Arc<dyn Lookups>,
    pub(in crate::engine) reporter: Arc<dyn Reporter>,
    pub(in crate::engine) memory: Arc<Memory>,
    /// The masks of the secrets that were used so far.
    pub(in crate::engine) masks: Masks,
    /// The variables of the embedding program: from its builder and its hook callbacks.
    pub(in crate::engine) vars: Vars,
    pub(in crate::engine) progress: Progress,
    pub(in crate::engine) command_timeout: Option<Duration>,
    pub(in crate::engine) nice: u8,
    /// True if a person runs single steps. Then conditions are ignored and commands are printed.
    pub(in crate::engine) by_hand: bool,
}

/// The result of running all steps.
pub(in crate::engine) struct WalkResult {
    pub(in crate::engine) outcome: Outcome,
    /// The reason why the whole commit is skipped, if it is.
    pub(in crate::engine) reason: Option<String>,
    pub(in crate::engine) steps: Vec<StepResult>,
    /// The builds and tests that were left out.
    pub(in crate::engine) left_out: Vec<LeftOut>,
}

impl WalkResult {
    /// Returns the reason why the commit is skipped: what was left out, and by which condition.
    pub(in crate::engine) fn skip_reason(&self) -> Option<String> {
        if self.reason.is_some() {
            return self.reason.clone();
        }
        let mut reasons: Vec<(Vec<LeftOut>, &str)> = Vec::new();
        for left_out in self.left_out.iter().filter(|it| !it.by.counts_as_passed()) {
            let why = self.why(*left_out).unwrap_or_default();
            match reasons.last_mut().filter(|(_, known)| *known == why) {
                Some((phases, _)) => phases.push(*left_out),
                None => reasons.push((vec![*left_out], why)),
            }
        }
        let reasons: Vec<String> =
            reasons.iter().map(|(phases, why)| left_out_sentence(phases, why)).collect();
        (self.outcome == Outcome::Skipped && !reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Returns the reason of the step that left a phase out. `before_build` can leave out both
    /// phases.
    pub(super) fn why(&self, left_out: LeftOut) -> Option<&str> {
        let find_step = |name: StepName| {
            let mut steps = self.steps.iter();
            steps.find(|it| it.record.name == name && it.left_out == Some(left_out.by))
        };
        let decides = |name: &StepName| {
            let phase = name.decides().map(StepName::from);
            *name == left_out.step || phase == Some(left_out.step)
        };
        let found = StepName::ALL.into_iter().filter(decides).find_map(find_step);
        found.or_else(|| find_step(Hook::BeforeBuild.into()))?.reason.as_deref()
    }
}

impl Steps<'_> {
    /// Runs all steps in the order of [`StepSequence`]. Calls `on_begin` before each step.
    pub(in crate::engine) fn walk(&mut self, on_begin: &dyn Fn(StepName)) -> WalkResult {
        self.walk_on(StepSequence::new(), on_begin)
    }

    /// Runs only `after_all`, for a commit that already has this outcome before its first step.
    pub(in crate::engine) fn walk_after(
        &mut self,
        outcome: Outcome,
        on_begin: &dyn Fn(StepName),
    ) -> WalkResult {
        let mut run = StepSequence::new();
        run.stop(outcome);
        self.walk_on(run, on_begin)
    }

    /// Returns the result of a commit that is skipped as a whole, without running anything.
    pub(in crate::engine) fn skip_commit(&self, unmet: &Unmet) -> WalkResult {
        let left_out = all_left_out(self.pipeline, unmet.by);
        let reason = Some(left_out_sentence(&left_out, &unmet.reason));
        WalkResult { outcome: Outcome::Skipped, reason, steps: Vec::new(), left_out }
    }

    pub(super) fn walk_on(
        &mut self,
        mut run: StepSequence,
        on_begin: &dyn Fn(StepName),
    ) -> WalkResult {
        let mut walked = WalkResult {
            outcome: Outcome::Success,
            reason: None,
            steps: Vec::new(),
            left_out: Vec::new(),
        };
        while let Some(name) = run.step() {
            let last = name == Hook::AfterAll.into();
            if !last && let Some(stop) = self.stopped() {
                run.stop(stop);
                continue;
            }
            let (name, result) = match self.left_out_before_hooks(name) {
                Some((phase, end)) => {
                    on_begin(phase);
                    (phase, Some(self.finish_phase(phase, end, Instant::now())))
                }
                None => {
                    if self.has_work(name) {
                        on_begin(name);
                    }
                    (name, self.step(name, run.outcome()))
                }
            };
            self.advance(&mut run, name, result.as_ref(), &mut walked.left_out);
            walked.steps.extend(result);
            if last && self.context.cancel.is_killed() {
                return WalkResult { outcome: Outcome::Canceled, ..walked };
            }
        }
        for phase in self.memory.unchanged() {
            let step = StepName::from(phase);
            if !walked.left_out.iter().any(|known| known.step == step) {
                walked.left_out.push(LeftOut { step, by: LeftOutBy::Changed });
            }
        }
        WalkResult { outcome: run.outcome(), ..walked }
    }

    /// Moves the sequence to the next step, and notes the phases that were left out.
    pub(super) fn advance(
        &self,
        run: &mut StepSequence,
        name: StepName,
        result: Option<&StepResult>,
        left_out: &mut Vec<LeftOut>,
    ) {
        let last = name == Hook::AfterAll.into();
        let outcome = match result {
            None if self.has_work(name) => Outcome::Canceled,
            result => result.map_or(Outcome::Success, StepResult::effective_outcome),
        };
        match self.stopped() {
            Some(stop) if outcome != Outcome::Success && !last => return run.stop(stop),
            _ => {}
        }
        let by = result.and_then(|result| result.left_out);
        let Some((by, phase)) = by.zip(name.decides()) else { return run.finish(outcome) };
        let is_configured = |phase: &StepName| self.pipeline.step(*phase).is_some();
        match (name, by) {
            (StepName::Hook(Hook::BeforeBuild), LeftOutBy::Skip) => {
                run.finish(Outcome::Skipped);
                let phases = [Phase::Build, Phase::Test].map(StepName::from);
                let phases = phases.into_iter().filter(is_configured);
                left_out.extend(phases.map(|step| LeftOut { step, by }));
            }
            (StepName::Phase(_), _) | (_, LeftOutBy::Skip | LeftOutBy::Secret) => {
                run.leave_out(by.counts_as_passed());
                let phase = StepName::from(phase);
                let step = if is_configured(&phase) { phase } else { name };
                left_out.push(LeftOut { step, by });
            }
            // The condition of a hook leaves out that hook alone.
            (StepName::Hook(_), _) => run.finish(outcome),
        }
    }

    /// Decides before the first hook of a phase whether the phase is left out. The reasons are its
    /// conditions, or a secret that the ref may not use and that it or its `before_*` hook names.
    pub(super) fn left_out_before_hooks(&self, name: StepName) -> Option<(StepName, StepEnd)> {
        let StepName::Hook(Hook::BeforeBuild | Hook::BeforeTest) = name else { return None };
        let phase = StepName::from(name.decides()?);
        let step = self.pipeline.step(phase)?;
        let before = self.pipeline.step(name);
        let found = left_out_of(step, before, &|step| self.unmet(step), &|secret| {
            self.lookups.check_secret(secret)
        });
        match found {
            Ok(end) => Some((phase, end?)),
            Err(error) => Some((phase, StepEnd::error(Outcome::Error, error))),
        }
    }

    /// Returns the condition that skips the whole commit, if there is one.
    pub(in crate::engine) fn whole_commit_unmet(&self) -> Option<Unmet> {
        let (facts, forced) = (&self.info.facts, self.info.change_check.forced);
        self.memory.whole_commit_unmet(self.pipeline, facts, forced, &*self.reporter)
    }

    /// Returns the condition that leaves a step out, if there is one.
    pub(super) fn unmet(&self, step: &Step) -> Result<Option<Unmet>, Error> {
        let change_check = &self.info.change_check;
        let changed = |globs: &[String]| {
            change_check.has_changes(&*self.memory.changes(&*self.lookups)?, globs)
        };
        let found = unmet(&self.info.facts, &step.when, change_check.forced, &changed)?;
        if let Some(unmet) = found.as_ref().filter(|_| self.by_hand) {
            let message =
                format!("running `{}` by hand despite its condition: {}", step.name, unmet.reason);
            self.reporter.warn(message);
            return Ok(None);
        }
        if change_check.forced
            && found.is_none()
            && let Some(ignored) = unmet(&self.info.facts, &step.when, false, &changed)?
        {
            self.memory.report_ignored(&format!("`{}`", step.name), &ignored, &*self.reporter);
        }
        Ok(found)
    }

    /// Runs one step. Returns `None` if the step has nothing to do, or was canceled before it
    /// began.
    pub(in crate::engine) fn step(
        &mut self,
        name: StepName,
        so_far: Outcome,
    ) -> Option<StepResult> {
        let cancel = self.cancel_view(name);
        if !self.has_work(name) || cancel.is_canceled() {
            return None;
        }
        let begun = Instant::now();
        self.reporter.started(name, self.opened_phase(name));
        let config = self.pipeline.step(name);
        let mut end = self.hooks(name, so_far, &cancel);
        if let Some(step) = config.filter(|_| end.may_continue()) {
            end = self.configured(step, so_far, &cancel);
        }
        Some(self.finish_step(name, end, begun))
    }

    /// Records that a phase was left out before its first hook.
    pub(super) fn finish_phase(
        &mut self,
        phase: StepName,
        end: StepEnd,
        begun: Instant,
    ) -> StepResult {
        self.reporter.started(phase, phase.decides());
        self.finish_step(phase, end, begun)
    }

    /// Completes, reports and notes the result of a step.
    pub(super) fn finish_step(
        &mut self,
        name: StepName,
        end: StepEnd,
        begun: Instant,
    ) -> StepResult {
        let ends = self.effects.take_end();
        let end = if ends.is_some() {
            // The dry run continues as if the step had passed.
            self.memory.forget_remembered();
            StepEnd::of(Outcome::Success)
        } else {
            end
        };
        let mut result = StepResult { ends, ..end.into_result(name) };
        result.record.duration = begun.elapsed();
        self.mask(&mut result);
        self.progress.note(&result);
        self.reporter.finished(&result.record);
        result
    }

    /// Starts with the remembered values and the results of an earlier job of the commit.
    pub(in crate::engine) fn recall(&mut self, record: &Record) {
        self.memory = Arc::new(Memory::recalling(record.remembered.clone()));
        self.progress = Progress::of(record);
    }

    /// Stores the results of the steps in the record, and returns why the commit is skipped, if it
    /// is. Masks all results again, because a later step may have used a secret first.
    pub(in crate::engine) fn keep(
        &self,
        mut walked: WalkResult,
        record: &mut Record,
    ) -> Option<String> {
        walked.steps.iter_mut().for_each(|step| self.mask(step));
        let skip_reason = walked.skip_reason();
        record.steps = walked.steps.into_iter().map(|step| step.record).collect();
        record.left_out = walked.left_out;
        record.asked_for_ref = self.pipeline.asks_for_ref() || self.memory.asked_for_ref();
        let remembered = self.memory.remembered().into_iter();
        record.remembered = remembered
            .map(|(key, value)| (self.masks.apply(&key), self.masks.apply_in(value)))
            .collect();
        record.artifacts = self.memory.artifacts();
        for artifact in &mut record.artifacts {
            artifact.path = self.masks.apply(&artifact.path);
        }
        skip_reason
    }

    /// Returns true if a step requested the removal of the export.
    pub(in crate::engine) fn discards_export(&self) -> bool {
        self.memory.discards_export()
    }

    /// Removes the export.
    pub(in crate::engine) fn remove_export(&self, build: &Build, reporter: &mut JobReporter) {
        match build.discard() {
            Ok(not_removed) => not_removed.into_iter().for_each(|it| reporter.warn(it.to_string())),
            Err(error) => {
                reporter.warn(format!("cannot remove the export: {}", error.report()));
            }
        }
    }

    /// Returns true if a step has a config or hook callbacks.
    pub(super) fn has_work(&self, name: StepName) -> bool {
        self.pipeline.step(name).is_some() || self.effects.hook_count(name) > 0
    }

    /// Returns the outcome that stops all further steps except `after_all`, if the job is canceled
    /// or late.
    pub(super) fn stopped(&self) -> Option<Outcome> {
        if self.context.cancel.is_canceled() {
            return Some(Outcome::Canceled);
        }
        let deadline = self.info.limits.deadline;
        deadline.filter(|deadline| self.effects.now() >= *deadline).map(|_| Outcome::TimedOut)
    }

    pub(super) fn cancel_view(&self, name: StepName) -> CancelView {
        let threshold = if name == Hook::AfterAll.into() { 2 } else { 1 };
        self.context.cancel.with_threshold(threshold)
    }

    /// Returns the phase that begins with this step. A phase begins with its `before_*` hook, if
    /// that has something to do.
    pub(super) fn opened_phase(&self, name: StepName) -> Option<Phase> {
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
        (name == before || !self.has_work(before)).then_some(phase)
    }
}

impl Steps<'_> {
    /// Calls the hook callbacks of the embedding program, which run first.
    pub(super) fn hooks(
        &mut self,
        name: StepName,
        so_far: Outcome,
        cancel: &CancelView,
    ) -> StepEnd {
        let StepName::Hook(hook) = name else { return StepEnd::of(Outcome::Success) };
        if self.effects.hook_count(name) == 0 {
            return StepEnd::of(Outcome::Success);
        }
        let deadline = self.step_context(name, None).deadline;
        let context = self.request(name, deadline, cancel);
        if let Err(stop) = self.reporter.flush(&context) {
            return StepEnd::of(stop);
        }
        let answer = self.effects.hooks(hook, so_far, &context);
        for (name, value) in answer.vars {
            self.vars.set_fact(&name, value);
        }
        self.vars.allow_unknown(answer.may_set_more);
        match (answer.failed, answer.skipped) {
            (Some(error), _) => StepEnd::error(end_of_hook(&context, &error), error),
            (None, Some(reason)) => StepEnd::skipped_by_host(reason),
            (None, None) => StepEnd::of(Outcome::Success),
        }
    }

    /// Runs the config's part of a step, if its conditions are met.
    pub(super) fn configured(
        &mut self,
        step: &Step,
        so_far: Outcome,
        cancel: &CancelView,
    ) -> StepEnd {
        match self.unmet(step) {
            Ok(None) => {}
            Ok(Some(unmet)) => {
                if let Some(phase) = step.name.decides().filter(|_| unmet.by.counts_as_passed()) {
                    self.memory.note_unchanged(phase);
                }
                return StepEnd::left_out(unmet);
            }
            Err(error) => return StepEnd::error(Outcome::Error, error),
        }
        let after = match self.after_phase(step.name, so_far) {
            Ok(after) => after,
            Err(error) => return StepEnd::error(Outcome::Error, error),
        };
        let context = self.step_context(step.name, after);
        let host = Arc::new(self.host(&context, cancel));
        let mut end = match &step.body {
            Body::Commands(commands) => self.commands(step, commands, &context, &host),
            Body::Function(_) => self.scripts.run(step.name, context, host.clone()),
        };
        (end.commands, end.omitted_commands) = host.command_log.records();
        if end.outcome == Outcome::TimedOut {
            end.name_command(host.command_log.timed_out_command());
        }
        end
    }

    /// Runs a list of commands until one fails.
    pub(super) fn commands(
        &self,
        step: &Step,
        commands: &[Template],
        context: &StepContext,
        host: &Arc<StepHost>,
    ) -> StepEnd {
        let limits = RequestLimits { deadline: context.deadline, ..RequestLimits::default() };
        let secrets = match secret_variables(step, &**host, &limits) {
            Ok(secrets) => secrets,
            Err(denied) => return StepEnd::denied(denied),
        };
        for template in commands {
            if host.is_canceled(false) {
                return StepEnd::of(Outcome::Canceled);
            }
            let mut command = match self.command(step, template, context, host) {
                Ok(command) => command,
                // A placeholder may call a function of the embedding program.
                Err(error) => return StepEnd::denied(Denied::of_host(error)),
            };
            command.env.extend(secrets.iter().cloned());
            match host.command(&command) {
                Ok(end) if end.passed => {}
                Ok(end) => return StepEnd::of_command(&end),
                Err(denied) => return StepEnd::denied(denied),
            }
        }
        StepEnd::of(Outcome::Success)
    }

    /// Fills in the placeholders of a command.
    pub(super) fn command(
        &self,
        step: &Step,
        template: &Template,
        context: &StepContext,
        host: &Arc<StepHost>,
    ) -> Result<StepCommand, Error> {
        let fill = |text: &Template| {
            self.scripts.interpolate(text, &self.pipeline.name, context, host.clone())
        };
        let mut command = StepCommand::new(Program::Shell(fill(template)?));
        command.cwd = step.cwd.as_ref().map(&fill).transpose()?;
        for (key, value) in &step.env {
            command.env.push((key.clone(), Some(fill(value)?)));
        }
        command.retries = step.retries;
        command.deadline = context.deadline;
        Ok(command)
    }

    pub(super) fn step_context(&self, name: StepName, after: Option<AfterPhase>) -> StepContext {
        let (pipeline, now) = (self.pipeline, self.effects.now());
        StepContext::new(&self.info, name, pipeline, &self.progress, after, &self.vars, now)
    }

    /// Returns the additional facts for a hook that follows a phase.
    pub(super) fn after_phase(
        &self,
        name: StepName,
        so_far: Outcome,
    ) -> Result<Option<AfterPhase>, Error> {
        if name.decides().is_some() {
            return Ok(None);
        }
        let previous = self.memory.previous(&*self.lookups)?;
        Ok(Some(AfterPhase { so_far, previous }))
    }

    pub(super) fn host(&self, context: &StepContext, cancel: &CancelView) -> StepHost {
        StepHost {
            context: self.request(context.step, None, cancel),
            env: context.env.clone(),
            nice: self.nice,
            shows_commands: self.by_hand,
            command_timeout: self.command_timeout,
            effects: self.effects.clone(),
            lookups: self.lookups.clone(),
            reporter: self.reporter.clone(),
            memory: self.memory.clone(),
            change_check: self.info.change_check.clone(),
            masks: self.masks.clone(),
            command_log: CommandLog::default(),
        }
    }

    /// Returns the context of a request of this step.
    pub(super) fn request(
        &self,
        step: StepName,
        deadline: Option<Instant>,
        cancel: &CancelView,
    ) -> RequestContext {
        RequestContext { step, deadline, cancel: cancel.clone(), ..self.context.clone() }
    }

    /// Masks secrets in the result of a step. Everything sent to a reporter was masked before.
    pub(super) fn mask(&self, result: &mut StepResult) {
        let clean = |text: String| self.masks.apply(&text);
        result.record.error = result.record.error.take().map(clean);
        result.reason = result.reason.take().map(clean);
        for command in &mut result.record.commands {
            command.command = self.masks.apply(&command.command);
        }
        let failures = result.failures.iter_mut().map(|failed| &mut failed.failure);
        for failure in result.record.failures.iter_mut().chain(failures) {
            failure.message = self.masks.apply(&failure.message);
            for text in [&mut failure.label, &mut failure.place, &mut failure.command] {
                *text = text.take().map(clean);
            }
        }
    }
}

/// Returns the result of a phase that is left out before its first hook. First its conditions
/// decide. Then the secrets that it names must be allowed, and those of its `before_*` hook, if
/// that would run.
pub(in crate::engine) fn left_out_of(
    phase: &Step,
    before: Option<&Step>,
    unmet: &dyn Fn(&Step) -> Result<Option<Unmet>, Error>,
    check_secret: &dyn Fn(&str) -> Result<(), Denied>,
) -> Result<Option<StepEnd>, Error> {
    if let Some(unmet) = unmet(phase)? {
        return Ok(Some(StepEnd::left_out(unmet)));
    }
    let before = match before {
        Some(hook) => unmet(hook)?.is_none().then_some(hook),
        None => None,
    };
    let mut secrets = [phase].into_iter().chain(before).flat_map(|step| &step.secrets);
    Ok(secrets.find_map(|name| check_secret(name).err()).map(StepEnd::denied))
}

/// Returns the outcome of a failed hook callback. After a cancellation or a deadline, the callback
/// did not fail by itself. A fault of the embedding program comes before the deadline, because it
/// may have used up the time.
pub(super) fn end_of_hook(context: &RequestContext, error: &Error) -> Outcome {
    match () {
        () if context.is_canceled() => Outcome::Canceled,
        () if error.is_host_fault() => Outcome::Error,
        () if context.is_late() => Outcome::TimedOut,
        () => Outcome::Failure,
    }
}

/// Returns the secrets of a step as environment variables.
pub(super) fn secret_variables(
    step: &Step,
    host: &dyn Host,
    limits: &RequestLimits,
) -> Result<Vec<EnvChange>, Denied> {
    let variable = |name: &String| {
        let value = host.secret(name, limits.clone())?;
        let text = String::from_utf8(value).ok().filter(|text| !text.contains('\0'));
        let text = text.ok_or_else(|| {
            let message = format!(
                "the secret `{name}` cannot be an environment variable: it is not UTF-8, or \
                 contains a NUL"
            );
            Denied::refused(message)
        })?;
        Ok((name.clone(), Some(text)))
    };
    step.secrets.iter().map(variable).collect()
}
