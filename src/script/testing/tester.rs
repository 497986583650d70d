//! [`Tester`]: `t`, the argument of tests.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use rhai::{Dynamic, Position};

use super::{
    expectation::{Expectation, Place, suggestion},
    fake_commit::FakeCommit,
    fake_stage::{FakeStage, refused},
    fakes::{Answer, Fake, FakeCall},
    result::{CallResult, Recorded, ResultObject, command_notes, line},
};
use crate::{
    model::{
        commit::Commit,
        error::Error,
        function::{HostFunction, Value},
        outcome::Outcome,
        record::StepFailure,
        script::{TestEnd, TestSteps},
        step::{Effects, Facts, Lookups, Reporter, StepResult},
    },
    script::{
        api::registry,
        syntax::script::Script,
        values::thrown::{Thrown, throw},
    },
    util::{lock::lock, suggestion::did_you_mean, threads::on_big_thread},
};

const TOO_LATE: &str = "the test took longer than one minute; it may be in an endless loop";

/// The steps that a call of `t` runs, with their seams.
pub(crate) struct TestJob<'a> {
    pub(crate) script: &'a Script,
    pub(crate) functions: &'a [HostFunction],
    pub(crate) steps: TestSteps,
    pub(crate) facts: Facts,
    /// The commit for functions of the embedding program.
    pub(crate) commit: Commit,
    /// Environment variables instead of those of this process.
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) remembered: BTreeMap<String, Value>,
    pub(crate) effects: Arc<dyn Effects>,
    pub(crate) lookups: Arc<dyn Lookups>,
    pub(crate) reporter: Arc<dyn Reporter>,
}

/// Runs the steps of a test in the same way as those of a run.
pub(crate) trait StepRunner: Send + Sync {
    /// Runs steps on this thread, which has a stack as large as a worker's.
    fn run(&self, job: TestJob<'_>) -> TestEnd;
}

/// The state of one test.
pub(super) struct Stage {
    runner: Arc<dyn StepRunner>,
    pipeline: Script,
    functions: Vec<HostFunction>,
    pub(super) deadline: Instant,
    fakes: Mutex<Vec<Fake>>,
    fake_calls: Mutex<Vec<FakeCall>>,
    remembered: Mutex<BTreeMap<String, Value>>,
    /// The reason why the test cannot continue. A script cannot catch it.
    abort: Mutex<Option<String>>,
    /// The first expectation that was not met, with the position of its call.
    unmet: Mutex<Option<(Expectation, Place)>>,
    /// The result of the last call of a step.
    last: Mutex<Option<Arc<CallResult>>>,
    /// The commands of all steps.
    ran: Mutex<Vec<String>>,
    printed: Mutex<Vec<String>>,
}

/// The object `t`. Clones share their state.
#[derive(Clone)]
pub(super) struct Tester(pub(super) Arc<Stage>);

impl Tester {
    pub(super) fn new(
        runner: Arc<dyn StepRunner>,
        pipeline: Script,
        functions: Vec<HostFunction>,
        deadline: Instant,
    ) -> Self {
        Self(Arc::new(Stage {
            runner,
            pipeline,
            functions,
            deadline,
            fakes: Mutex::default(),
            fake_calls: Mutex::default(),
            remembered: Mutex::default(),
            abort: Mutex::default(),
            unmet: Mutex::default(),
            last: Mutex::default(),
            ran: Mutex::default(),
            printed: Mutex::default(),
        }))
    }

    fn locked<'a, T>(&'a self, part: fn(&Stage) -> &Mutex<T>) -> MutexGuard<'a, T> {
        lock(part(&self.0))
    }

    pub(super) fn print(&self, text: &str) {
        self.locked(|it| &it.printed).push(text.to_owned());
    }

    /// Returns what the test printed.
    pub(super) fn printed(&self) -> Vec<String> {
        self.locked(|it| &it.printed).clone()
    }

    pub(super) fn add_fake(&self, fake: Fake) {
        self.locked(|it| &it.fakes).push(fake);
    }

    /// Sets the result of a function of the embedding program for all calls.
    pub(super) fn add_fake_call(&self, fake: FakeCall) -> Result<(), Thrown> {
        let known: Vec<&str> = self.0.functions.iter().map(|it| it.name.as_str()).collect();
        if !known.contains(&fake.function.as_str()) {
            let hint = did_you_mean(&fake.function, known);
            let message =
                format!("the embedding program has no function `{}`{hint}", fake.function);
            return Err(throw(message));
        }
        self.locked(|it| &it.fake_calls).push(fake);
        Ok(())
    }

    /// Returns the result of a function of the embedding program, if the test set one.
    pub(super) fn call_answer(&self, function: &str) -> Option<Value> {
        let mut fakes = self.locked(|it| &it.fake_calls);
        let fake = fakes.iter_mut().find(|fake| fake.function == function)?;
        fake.used = true;
        Some(fake.value.clone())
    }

    /// Returns the result of the last call of a step.
    pub(super) fn last(&self) -> Option<Arc<CallResult>> {
        self.locked(|it| &it.last).clone()
    }

    pub(super) fn timeout_error(&self) -> Dynamic {
        Dynamic::from(Expectation::new(TOO_LATE))
    }

    /// Returns true if the time limit has passed, and aborts the test if so.
    pub(super) fn is_late(&self) -> bool {
        let is_late = Instant::now() >= self.0.deadline;
        if is_late {
            self.abort(TOO_LATE.to_owned());
        }
        is_late
    }

    /// Returns the result of a command, if the test set one.
    pub(super) fn answer(&self, command: &str) -> Option<Result<Answer, Error>> {
        let mut fakes = self.locked(|it| &it.fakes);
        let fake = fakes.iter_mut().find(|fake| fake.matches(command))?;
        let answer = fake.next();
        let (glob, count) = (fake.glob.clone(), fake.count());
        drop(fakes);
        Some(answer.ok_or_else(|| {
            let message = format!(
                "the test gives {count} results for `{glob}`, and `{}` needs another one",
                line(command)
            );
            self.abort(message)
        }))
    }

    /// Records that the test cannot continue, and returns the error for the step.
    pub(super) fn abort(&self, message: String) -> Error {
        self.locked(|it| &it.abort).get_or_insert_with(|| message.clone());
        refused(message)
    }

    /// Calls one step.
    pub(super) fn run_step(&self, name: &str, commit: Option<&Dynamic>) -> Result<Dynamic, Thrown> {
        let pipeline = &self.0.pipeline;
        if pipeline.step(name).is_none() {
            let known: Vec<&str> =
                registry::step_names().filter(|name| pipeline.step(name).is_some()).collect();
            let message = format!("the pipeline has no `{name}` (it has {})", known.join(", "));
            return Expectation::new(message).fail();
        }
        let mut commit = FakeCommit::of(commit)?;
        if name == "deploy" && commit.facts.environment.is_none() {
            commit.facts.environment = Some("production".to_owned());
        }
        let step = name.parse().map_err(|error: Error| throw(error.report()))?;
        let (_, _, mut steps) = self.call(TestSteps::One(step), commit)?;
        let result = steps.pop().unwrap_or_else(|| self.empty_result(name, "success"));
        self.finish(result)
    }

    /// Calls all steps in the order of a run.
    pub(super) fn run_all(&self, commit: FakeCommit) -> Result<Dynamic, Thrown> {
        let (outcome, skipped, steps) = self.call(TestSteps::All, commit)?;
        let outcome = outcome.name();
        let deciding = steps.iter().find(|step| step.outcome == outcome);
        let reason = deciding.and_then(|step| step.reason.clone()).or(skipped);
        let mut recorded = Recorded::default();
        steps.iter().for_each(|step| recorded.append(step.recorded.clone()));
        let failures = steps.iter().flat_map(|step| {
            step.failures.iter().map(|failure| format!("{}: {failure}", step.name))
        });
        let failures = failures.collect();
        self.finish(CallResult {
            reason,
            failures,
            recorded,
            steps,
            ..self.empty_result("run", outcome)
        })
    }

    fn empty_result(&self, name: &str, outcome: &str) -> CallResult {
        CallResult {
            name: name.to_owned(),
            outcome: outcome.to_owned(),
            reason: None,
            failures: Vec::new(),
            recorded: Recorded::default(),
            remembered: self.locked(|it| &it.remembered).clone(),
            steps: Vec::new(),
        }
    }

    fn finish(&self, result: CallResult) -> Result<Dynamic, Thrown> {
        let result = Arc::new(result);
        *self.locked(|it| &it.last) = Some(result.clone());
        Ok(Dynamic::from(ResultObject(result)))
    }

    /// Runs steps of the pipeline, with the values that the commit remembers.
    fn call(
        &self,
        steps: TestSteps,
        commit: FakeCommit,
    ) -> Result<(Outcome, Option<String>, Vec<CallResult>), Thrown> {
        let mut remembered = self.locked(|it| &it.remembered).clone();
        remembered.extend(commit.remembered.clone());
        let fake = Arc::new(FakeStage::new(self.clone(), commit.clone()));
        let stage = &self.0;
        let work = || {
            stage.runner.run(TestJob {
                script: &stage.pipeline,
                functions: &stage.functions,
                steps,
                facts: commit.facts.clone(),
                commit: commit.commit().unwrap_or_else(|_| commit.without_ids()),
                environment: &commit.env,
                remembered,
                effects: fake.clone(),
                lookups: fake.clone(),
                reporter: fake.clone(),
            })
        };
        let end = on_a_big_stack(work)?;
        if let Some((_, remembered)) = end.steps.last() {
            self.locked(|it| &it.remembered).clone_from(remembered);
        }
        let recorded = fake.take_steps();
        let commands = || recorded.iter().flat_map(|recorded| recorded.commands.iter().cloned());
        self.locked(|it| &it.ran).extend(commands());
        if let Some(message) = self.locked(|it| &it.abort).take() {
            let notes = command_notes(&commands().collect::<Vec<_>>());
            return Err(Expectation::new(message).with(notes).into_error(Position::NONE));
        }
        let results = end.steps.into_iter().zip(recorded);
        let result = |((step, remembered), recorded)| self.result_of(step, remembered, recorded);
        Ok((end.outcome, end.reason, results.map(result).collect()))
    }

    fn result_of(
        &self,
        step: StepResult,
        remembered: BTreeMap<String, Value>,
        recorded: Recorded,
    ) -> CallResult {
        let outcome =
            if step.awaits_approval { "awaiting_approval" } else { step.record.outcome.name() };
        let place = step.error.as_ref().and_then(|error| error.path().zip(error.position()));
        let reason = step.reason.map(|reason| match place {
            Some((path, at)) => format!("{reason} ({}:{at})", path.display()),
            None => reason,
        });
        let name = step.record.name.as_str();
        let failures = step.record.failures.iter().map(StepFailure::to_string).collect();
        CallResult { reason, failures, recorded, remembered, ..self.empty_result(name, outcome) }
    }

    /// Records an expectation that was not met, in case the test catches the error.
    pub(super) fn note_unmet(&self, error: &Thrown, place: &Place) {
        if let Some(expectation) = Expectation::of(error) {
            self.locked(|it| &it.unmet).get_or_insert_with(|| (expectation, place.clone()));
        }
    }

    /// Fails a test that ended normally but caught an expectation, or set results that nothing
    /// used. In the second case, either the test or the pipeline is wrong.
    pub(super) fn expect_nothing_left(&self, test: &str) -> Result<(), Thrown> {
        if let Some((expectation, place)) = self.locked(|it| &it.unmet).take() {
            return Err(place.error_here(test, expectation));
        }
        let unused = self.locked(|it| &it.fake_calls).iter().find(|fake| !fake.used).cloned();
        if let Some(fake) = unused {
            let expectation = Expectation::new(format!("nothing called `{}`", fake.function));
            return Err(fake.place.error_here(test, expectation));
        }
        let fakes = self.locked(|it| &it.fakes);
        let unused = fakes.iter().find_map(|fake| Some((fake, fake.unused()?)));
        let Some((fake, unused)) = unused else { return Ok(()) };
        let ran = self.locked(|it| &it.ran);
        let hint = if fake.used == 0 { suggestion(&fake.glob, &ran) } else { String::new() };
        let expectation = Expectation::new(format!("{unused}{hint}"));
        Err(fake.place.error_here(test, expectation.with(command_notes(&ran))))
    }
}

/// Runs a step on a stack as large as in a run.
fn on_a_big_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Thrown> {
    on_big_thread("tinyci test", work)
        .map_err(|error| throw(format!("a step cannot be started: {error}")))
}
