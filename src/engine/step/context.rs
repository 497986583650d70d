//! [`StepContext`]: what a step sees. Pure, and made here alone, for YAML and for scripts, in real
//! runs, dry runs and pipeline tests.

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
    /// What is known of the commit, without what differs from step to step.
    pub(in crate::engine) facts: Facts,
    /// What passes of the environment of this process.
    pub(in crate::engine) passed: Variables,
    /// What commands get over that, as the engine was set up.
    pub(in crate::engine) env: Vec<EnvChange>,
    pub(in crate::engine) limits: JobLimits,
    pub(in crate::engine) judge: Arc<Judge>,
}

/// What `changed` rests on beside the paths: what judges the commit, and why it is judged.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Judge {
    /// The config and the modules that it imports, as paths. A changed one changes everything.
    files: Vec<String>,
    /// True if `changed` and `message` leave nothing out: the commit is judged anew.
    pub(in crate::engine) forced: bool,
}

impl Judge {
    pub(in crate::engine) fn new(pipeline: &Pipeline, forced: bool) -> Self {
        // One language may have taken the other's place.
        let configs = Format::ALL.map(|format| format.file_name().to_owned()).into_iter();
        let modules = pipeline.script.iter().flat_map(|script| script.modules.keys().cloned());
        Self { files: configs.chain(modules).collect(), forced }
    }

    /// True if a path changed that one of these globs matches. Without a green ancestor everything
    /// has changed.
    pub(super) fn finds(&self, changes: &Changes, globs: &[String]) -> Result<bool, Error> {
        Ok(self.forced || self.differ(changes, globs)?)
    }

    /// The same, whether the commit is judged anew or not.
    pub(super) fn differ(&self, changes: &Changes, globs: &[String]) -> Result<bool, Error> {
        let globs = PathGlobs::new(globs);
        let globs = globs.map_err(|fault| Error::new(ErrorKind::Config, fault.message))?;
        let judged_anew = || changes.paths.iter().any(|path| self.files.contains(path));
        let matches = |it: &ChangedPath| globs.matches(&it.bytes, it.is_directory);
        let everything = changes.base.is_none() || judged_anew();
        Ok(everything || changes.exact.iter().any(matches))
    }
}

impl JobInfo {
    pub(in crate::engine) fn new(
        EngineCall { shared, env }: EngineCall<'_>,
        facts: Facts,
        limits: JobLimits,
        judge: Judge,
    ) -> Self {
        let (passed, env) = (env.passed.clone(), shared.options.registrations.env.clone());
        Self { facts, passed, env, limits, judge: judge.into() }
    }
}

/// How long the steps of a job may take.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::engine) struct JobLimits {
    /// When all steps but `after_all` have to have ended.
    pub(in crate::engine) deadline: Option<Instant>,
    /// How long `after_all` may take.
    pub(in crate::engine) after_all: Option<Duration>,
    /// How long any one step may take, whatever its config says.
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

/// What a hook that follows a phase knows beside the rest.
pub(in crate::engine) struct AfterPhase {
    /// What becomes of the commit, as far as it is known.
    pub(in crate::engine) so_far: Outcome,
    /// The verdict of the first parent, in a word.
    pub(in crate::engine) previous: Option<String>,
}

/// What a step sees: its environment, its placeholders, its facts, and how long it may take.
pub(in crate::engine) struct StepContext {
    pub(in crate::engine) step: StepName,
    /// What every command gets, before what it sets itself.
    pub(in crate::engine) env: Variables,
    /// What placeholders can name.
    pub(in crate::engine) vars: Vars,
    /// What `ctx` knows.
    pub(in crate::engine) facts: Facts,
    /// When the step has to have ended.
    pub(in crate::engine) deadline: Option<Instant>,
}

impl StepContext {
    /// What a step of a pipeline sees that begins `now`, after steps that came to `progress`. `own`
    /// are the variables of the embedding program so far.
    pub(in crate::engine) fn new(
        info: &JobInfo,
        step: StepName,
        pipeline: &Pipeline,
        progress: &Progress,
        after: Option<AfterPhase>,
        own: &Vars,
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
        let mut vars = own.clone();
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

/// `after_all` has limits of its own.
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
        JobInfo { facts, passed: Variables::new(), env, limits, judge: Arc::default() }
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
    fn the_nearest_limit_holds_and_after_all_has_its_own() {
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
