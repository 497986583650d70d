//! `t`, what tests are given: what it holds, and how it calls phases.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use rhai::{Dynamic, Position};

use super::{
    expectation::{Expectation, Place, nearest},
    fake_commit::FakeCommit,
    fake_stage::{FakeStage, refused},
    fakes::{Answer, Fake, FakeCall},
    result::{Done, PhaseResult, ResultObject, command_notes, line},
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

/// What a call of `t` asks to be run: steps of a script, with what stands behind them.
pub(crate) struct TestJob<'a> {
    pub(crate) script: &'a Script,
    pub(crate) functions: &'a [HostFunction],
    pub(crate) steps: TestSteps,
    pub(crate) facts: Facts,
    /// The same as functions of an embedding program see it.
    pub(crate) commit: Commit,
    /// What stands in the place of the environment of this process.
    pub(crate) environment: &'a BTreeMap<String, String>,
    pub(crate) remembered: BTreeMap<String, Value>,
    pub(crate) effects: Arc<dyn Effects>,
    pub(crate) lookups: Arc<dyn Lookups>,
    pub(crate) reporter: Arc<dyn Reporter>,
}

/// Runs what tests ask for, as the steps of a real run are run.
pub(crate) trait StepRunner: Send + Sync {
    /// Runs steps on this thread, which has a stack as large as a worker's.
    fn run(&self, job: TestJob<'_>) -> TestEnd;
}

/// What one test shares.
pub(super) struct Stage {
    runner: Arc<dyn StepRunner>,
    pipeline: Script,
    functions: Vec<HostFunction>,
    pub(super) deadline: Instant,
    fakes: Mutex<Vec<Fake>>,
    fake_calls: Mutex<Vec<FakeCall>>,
    remembered: Mutex<BTreeMap<String, Value>>,
    /// What the test failed to say, whatever the script makes of it.
    broken: Mutex<Option<String>>,
    /// The first expectation that was not met, and where.
    unmet: Mutex<Option<(Expectation, Place)>>,
    /// What the last phase that was called came to.
    last: Mutex<Option<Arc<PhaseResult>>>,
    /// The commands of all phases.
    ran: Mutex<Vec<String>>,
    printed: Mutex<Vec<String>>,
}

/// What tests call `t`. Clones share everything.
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
            broken: Mutex::default(),
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

    /// What the test printed.
    pub(super) fn printed(&self) -> Vec<String> {
        self.locked(|it| &it.printed).clone()
    }

    pub(super) fn add_fake(&self, fake: Fake) {
        self.locked(|it| &it.fakes).push(fake);
    }

    /// Has a function of the embedding program give this value whenever it is called.
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

    /// What a function of the embedding program gives, if the test says so.
    pub(super) fn call_answer(&self, function: &str) -> Option<Value> {
        let mut fakes = self.locked(|it| &it.fake_calls);
        let fake = fakes.iter_mut().find(|fake| fake.function == function)?;
        fake.used = true;
        Some(fake.value.clone())
    }

    /// What the last phase that was called came to.
    pub(super) fn last(&self) -> Option<Arc<PhaseResult>> {
        self.locked(|it| &it.last).clone()
    }

    pub(super) fn too_late(&self) -> Dynamic {
        Dynamic::from(Expectation::new(TOO_LATE))
    }

    /// The same where a step runs, which cannot go on then.
    pub(super) fn is_late(&self) -> bool {
        let is_late = Instant::now() >= self.0.deadline;
        if is_late {
            self.broken(TOO_LATE.to_owned());
        }
        is_late
    }

    /// How a command ends, if the test says anything about it.
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
            self.broken(message)
        }))
    }

    /// Notes that the test cannot go on, and gives back what the phase is told.
    pub(super) fn broken(&self, message: String) -> Error {
        self.locked(|it| &it.broken).get_or_insert_with(|| message.clone());
        refused(message)
    }

    /// Calls one phase.
    pub(super) fn phase(&self, phase: &str, commit: Option<&Dynamic>) -> Result<Dynamic, Thrown> {
        let pipeline = &self.0.pipeline;
        if pipeline.phase(phase).is_none() {
            let known: Vec<&str> =
                registry::step_names().filter(|name| pipeline.phase(name).is_some()).collect();
            let message = format!("the pipeline has no `{phase}` (it has {})", known.join(", "));
            return Expectation::new(message).fail();
        }
        let mut commit = FakeCommit::of(commit)?;
        if phase == "deploy" && commit.facts.environment.is_none() {
            commit.facts.environment = Some("production".to_owned());
        }
        let step = phase.parse().map_err(|error: Error| throw(error.report()))?;
        let (_, _, mut steps) = self.call(TestSteps::One(step), commit)?;
        let result = steps.pop().unwrap_or_else(|| self.nothing_done(phase, "success"));
        self.finish(result)
    }

    /// Calls every step in its order, as a run would take them.
    pub(super) fn run_all(&self, commit: FakeCommit) -> Result<Dynamic, Thrown> {
        let (outcome, skipped, steps) = self.call(TestSteps::All, commit)?;
        let outcome = outcome.name();
        let decided = steps.iter().find(|step| step.outcome == outcome);
        let reason = decided.and_then(|step| step.reason.clone()).or(skipped);
        let mut done = Done::default();
        steps.iter().for_each(|step| done.append(step.done.clone()));
        let failures = steps.iter().flat_map(|step| {
            step.failures.iter().map(|failure| format!("{}: {failure}", step.name))
        });
        let failures = failures.collect();
        self.finish(PhaseResult {
            reason,
            failures,
            done,
            steps,
            ..self.nothing_done("run", outcome)
        })
    }

    fn nothing_done(&self, name: &str, outcome: &str) -> PhaseResult {
        PhaseResult {
            name: name.to_owned(),
            outcome: outcome.to_owned(),
            reason: None,
            failures: Vec::new(),
            done: Done::default(),
            remembered: self.locked(|it| &it.remembered).clone(),
            steps: Vec::new(),
        }
    }

    fn finish(&self, result: PhaseResult) -> Result<Dynamic, Thrown> {
        let result = Arc::new(result);
        *self.locked(|it| &it.last) = Some(result.clone());
        Ok(Dynamic::from(ResultObject(result)))
    }

    /// Runs steps of the pipeline; what the commit remembers is there before the first.
    fn call(
        &self,
        steps: TestSteps,
        commit: FakeCommit,
    ) -> Result<(Outcome, Option<String>, Vec<PhaseResult>), Thrown> {
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
                commit: commit.commit().unwrap_or_else(|_| commit.nameless()),
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
        let done = fake.take_steps();
        let commands = || done.iter().flat_map(|done| done.commands.iter().cloned());
        self.locked(|it| &it.ran).extend(commands());
        if let Some(message) = self.locked(|it| &it.broken).take() {
            let notes = command_notes(&commands().collect::<Vec<_>>());
            return Err(Expectation::new(message).with(notes).thrown(Position::NONE));
        }
        let results = end.steps.into_iter().zip(done);
        let result = |((step, remembered), done)| self.result_of(step, remembered, done);
        Ok((end.outcome, end.reason, results.map(result).collect()))
    }

    fn result_of(
        &self,
        step: StepResult,
        remembered: BTreeMap<String, Value>,
        done: Done,
    ) -> PhaseResult {
        let outcome =
            if step.awaits_approval { "awaiting_approval" } else { step.record.outcome.name() };
        let place = step.error.as_ref().and_then(|error| error.path().zip(error.position()));
        let reason = step.reason.map(|reason| match place {
            Some((path, at)) => format!("{reason} ({}:{at})", path.display()),
            None => reason,
        });
        let name = step.record.name.as_str();
        let failures = step.record.failures.iter().map(StepFailure::to_string).collect();
        PhaseResult { reason, failures, done, remembered, ..self.nothing_done(name, outcome) }
    }

    /// Keeps an expectation that was not met, should the test catch it.
    pub(super) fn note_unmet(&self, error: &Thrown, place: &Place) {
        if let Some(expectation) = Expectation::of(error) {
            self.locked(|it| &it.unmet).get_or_insert_with(|| (expectation, place.clone()));
        }
    }

    /// A test that came to its end has passed, unless it caught an expectation that was not met, or
    /// scripted what nothing asked for: then either it or the pipeline is wrong.
    pub(super) fn expect_nothing_left(&self, test: &str) -> Result<(), Thrown> {
        if let Some((expectation, place)) = self.locked(|it| &it.unmet).take() {
            return Err(place.around(test, expectation));
        }
        let unused = self.locked(|it| &it.fake_calls).iter().find(|fake| !fake.used).cloned();
        if let Some(fake) = unused {
            let expectation = Expectation::new(format!("nothing called `{}`", fake.function));
            return Err(fake.place.around(test, expectation));
        }
        let fakes = self.locked(|it| &it.fakes);
        let complaint = fakes.iter().find_map(|fake| Some((fake, fake.complaint()?)));
        let Some((fake, complaint)) = complaint else { return Ok(()) };
        let ran = self.locked(|it| &it.ran);
        let hint = if fake.used == 0 { nearest(&fake.glob, &ran) } else { String::new() };
        let expectation = Expectation::new(format!("{complaint}{hint}"));
        Err(fake.place.around(test, expectation.with(command_notes(&ran))))
    }
}

/// Runs a phase where it has as much room as in a run.
fn on_a_big_stack<T: Send>(work: impl FnOnce() -> T + Send) -> Result<T, Thrown> {
    on_big_thread("tinyci test", work)
        .map_err(|error| throw(format!("a step cannot be started: {error}")))
}
