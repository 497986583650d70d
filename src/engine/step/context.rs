//! [`StepContext`]: what a step sees. It is computed here alone and without side effects, for YAML
//! and scripts, in real runs, dry runs and pipeline tests.

use crate::{
    engine::context::engine_call::EngineCall,
    model::{
        cancel::CancelView,
        error::{Error, ErrorKind},
        executor::EnvChange,
        outcome::Outcome,
        pipeline::{Format, Hook, Pipeline, StepName},
        step::{ChangedPath, Changes, Facts, Progress},
        work_limits::WorkLimits,
    },
    rules::{
        environment::{StepEnv, Variables},
        glob::PathGlobs,
        interpolate::Vars,
    },
};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use super::conditions::step_tag;

/// What all steps of a job have in common.
pub(in crate::engine) struct JobInfo {
    /// The facts about the commit that are the same for all steps.
    pub(in crate::engine) facts: Facts,
    /// The inherited environment variables.
    pub(in crate::engine) passed: Variables,
    /// Changes to the inherited environment, as the engine's builder set them.
    pub(in crate::engine) env: Vec<EnvChange>,
    pub(in crate::engine) limits: JobLimits,
    pub(in crate::engine) change_check: Arc<ChangeCheck>,
}

/// The inputs of a `changed` condition, in addition to the changed paths.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct ChangeCheck {
    /// The paths of the config and of the modules that it imports. If one of them changed,
    /// everything counts as changed.
    files: Vec<String>,
    /// True if `changed` and `message` are ignored, because the job is a retry or a rebuild.
    pub(in crate::engine) forced: bool,
}

impl ChangeCheck {
    pub(in crate::engine) fn new(pipeline: &Pipeline, forced: bool) -> Self {
        // All formats count, because the config may have moved from one to another.
        let configs = Format::ALL.map(|format| format.file_name().to_owned()).into_iter();
        let modules = pipeline.script.iter().flat_map(|script| script.modules.keys().cloned());
        Self { files: configs.chain(modules).collect(), forced }
    }

    /// Returns true if the condition is ignored or a path changed that one of these globs matches.
    /// Without a green ancestor, everything counts as changed.
    pub(super) fn is_met(&self, changes: &Changes, globs: &[String]) -> Result<bool, Error> {
        Ok(self.forced || self.has_changes(changes, globs)?)
    }

    /// As [`is_met`](Self::is_met), but also checks the paths if the condition is ignored.
    pub(super) fn has_changes(&self, changes: &Changes, globs: &[String]) -> Result<bool, Error> {
        let globs = PathGlobs::new(globs);
        let globs = globs.map_err(|fault| Error::new(ErrorKind::Config, fault.message))?;
        let config_changed = || changes.paths.iter().any(|path| self.files.contains(path));
        let matches = |it: &ChangedPath| globs.matches(&it.bytes, it.is_directory);
        let everything = changes.base.is_none() || config_changed();
        Ok(everything || changes.exact.iter().any(matches))
    }
}

impl JobInfo {
    pub(in crate::engine) fn new(
        EngineCall { shared, env }: EngineCall<'_>,
        facts: Facts,
        limits: JobLimits,
        change_check: ChangeCheck,
    ) -> Self {
        let (passed, env) = (env.passed.clone(), shared.options.registrations.env.clone());
        Self { facts, passed, env, limits, change_check: change_check.into() }
    }
}

/// Time limits of the steps of a job.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct JobLimits {
    /// The deadline of all steps except `after_all`.
    pub(in crate::engine) deadline: Option<Instant>,
    /// The time limit of `after_all`.
    pub(in crate::engine) after_all: Option<Duration>,
    /// The time limit of each single step, in addition to that of its config.
    pub(in crate::engine) each: Option<Duration>,
}

impl JobLimits {
    /// Limits that begin now: as long for the steps as for `after_all` again.
    pub(in crate::engine) fn from_now(limit: Option<Duration>) -> Self {
        let deadline = limit.and_then(|limit| Instant::now().checked_add(limit));
        Self { deadline, after_all: limit, each: None }
    }

    /// The same for what tinyci does itself before the steps.
    pub(in crate::engine) fn of_work(self, cancel: &CancelView) -> WorkLimits {
        WorkLimits::new(cancel, self.deadline)
    }
}

/// Additional facts for a hook that follows a phase.
pub(in crate::engine) struct AfterPhase {
    /// The outcome of the commit so far.
    pub(in crate::engine) so_far: Outcome,
    /// The verdict of the first parent, as its name.
    pub(in crate::engine) previous: Option<String>,
}

/// What a step sees: its environment, its placeholders, its facts and its deadline.
pub(in crate::engine) struct StepContext {
    pub(in crate::engine) step: StepName,
    /// The environment of every command, before the command's own changes.
    pub(in crate::engine) env: Variables,
    /// The variables that placeholders can refer to.
    pub(in crate::engine) vars: Vars,
    /// The contents of the script variable `ctx`.
    pub(in crate::engine) facts: Facts,
    /// The deadline of the step.
    pub(in crate::engine) deadline: Option<Instant>,
}

impl StepContext {
    /// Computes the context of a step that begins `now`, after steps with this `progress`.
    /// `host_vars` contains the variables of the embedding program so far.
    pub(in crate::engine) fn new(
        info: &JobInfo,
        step: StepName,
        pipeline: &Pipeline,
        progress: &Progress,
        after: Option<AfterPhase>,
        host_vars: &Vars,
        now: Instant,
    ) -> Self {
        let (outcome, previous) = after.map(|it| (it.so_far, it.previous)).unzip();
        let facts = Facts {
            step: step.to_string(),
            progress: progress.clone(),
            step_tag: step_tag(pipeline, &info.facts, step),
            outcome: outcome.map(|outcome| outcome.name().to_owned()),
            previous: previous.flatten(),
            ..info.facts.clone()
        };
        let mut vars = host_vars.clone();
        for (name, value) in facts.named() {
            vars.set_fact(name, value);
        }
        let env = StepEnv {
            passed: &info.passed,
            build_dir: Path::new(&facts.build_dir),
            facts: &facts.variables(),
            host: &info.env,
        };
        let env = env.variables();
        let timeout = pipeline.step(step).and_then(|step| step.timeout);
        let deadline = deadline(info.limits, step, timeout, now);
        Self { step, env, vars, facts, deadline }
    }
}

/// Returns the earliest of the deadlines that apply. `after_all` has its own limit in place of the
/// job's.
fn deadline(
    limits: JobLimits,
    step: StepName,
    timeout: Option<Duration>,
    now: Instant,
) -> Option<Instant> {
    let after = |limit: Option<Duration>| limit.and_then(|limit| now.checked_add(limit));
    let of_job = match step {
        StepName::Hook(Hook::AfterAll) => after(limits.after_all),
        _ => limits.deadline,
    };
    [after(timeout), after(limits.each), of_job].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;
    use crate::model::pipeline::Phase;

    fn info(limits: JobLimits) -> JobInfo {
        let facts = Facts { commit: "c0ffee".into(), build_dir: "/b".into(), ..Facts::default() };
        let env = vec![("CI".to_owned(), Some("builder".to_owned())), ("PAGER".to_owned(), None)];
        JobInfo { facts, passed: Variables::new(), env, limits, change_check: Arc::default() }
    }

    #[test]
    fn the_environment_the_placeholders_and_ctx_say_the_same() {
        let (progress, now) = (Progress::default(), Instant::now());
        let mut own = Vars::new();
        assert!(own.set("release", "42").is_ok());
        let step = StepName::from(Phase::Build);
        let pipeline = Pipeline::new(Format::Yaml, "x", [], Vec::new());
        let info = info(JobLimits::default());
        let context = StepContext::new(&info, step, &pipeline, &progress, None, &own, now);
        assert_eq!(context.vars.get("commit"), Some("c0ffee"));
        assert_eq!(context.vars.get("release"), Some("42"));
        assert_eq!(context.vars.get("environment"), None, "nothing is deployed");
        let of = |name: &str| context.env.get(OsStr::new(name))?.to_str().map(str::to_owned);
        assert_eq!(of("TINYCI_STEP").as_deref(), Some("build"));
        assert_eq!(context.facts.step, "build");
        assert_eq!(of("GIT_CEILING_DIRECTORIES").as_deref(), Some("/b"));
        assert_eq!(of("CI").as_deref(), Some("builder"), "the embedding program has the last word");
    }

    #[test]
    fn the_earliest_deadline_applies_and_after_all_has_its_own() {
        let now = Instant::now();
        let second = Duration::from_secs(1);
        let limits = JobLimits {
            deadline: now.checked_add(5 * second),
            after_all: Some(7 * second),
            each: None,
        };
        let of = |limits, step: StepName, timeout| {
            deadline(limits, step, timeout, now).map(|at| at - now)
        };
        let (build, last) = (Phase::Build.into(), Hook::AfterAll.into());
        assert_eq!(of(limits, build, None), Some(5 * second));
        assert_eq!(of(limits, build, Some(2 * second)), Some(2 * second));
        assert_eq!(of(limits, last, None), Some(7 * second));
        assert_eq!(of(JobLimits::default(), last, None), None);
        let each = JobLimits { each: Some(second), ..limits };
        assert_eq!(of(each, last, Some(2 * second)), Some(second));
    }
}
