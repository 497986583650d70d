//! `t`, what tests are given: what it holds, and how it calls phases.

use std::{
    collections::BTreeMap,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use rhai::{Dynamic, Position};

use super::{
    expectation::{Expectation, Place, nearest},
    fake_commit::FakeCommit,
    fake_host::{FakeHost, refused},
    fakes::{Answer, Fake, FakeCall},
    result::{Done, PhaseResult, ResultObject, command_notes, line},
};
use crate::{
    error::Error,
    function::{HostFunction, Value},
    interpolate::Vars,
    outcome::{Exit, Outcome},
    pipeline::{Phase, StepName},
    run::Run,
    script::{
        context::FailureFacts,
        load::Script,
        registry,
        run::{PhaseCall, PhaseEnd, run},
        session::{Thrown, throw},
    },
    suggestion::did_you_mean,
};

/// As much as a worker has: phases recurse as deep as in a run, whatever the test did before.
const STACK_BYTES: usize = 32 << 20;

/// What one test shares.
pub(super) struct Stage {
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
    pub(super) fn new(pipeline: Script, functions: Vec<HostFunction>, deadline: Instant) -> Self {
        Self(Arc::new(Stage {
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
        part(&self.0).lock().unwrap_or_else(PoisonError::into_inner)
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
        Dynamic::from(Expectation::new("the test takes longer than a minute, though nothing waits"))
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
                "the results for `{glob}` are used up ({count} in all), and `{}` is a command more",
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

    pub(super) fn remember(&self, key: &str, value: Value) {
        self.locked(|it| &it.remembered).insert(key.to_owned(), value);
    }

    pub(super) fn recall(&self, key: &str) -> Option<Value> {
        self.locked(|it| &it.remembered).get(key).cloned()
    }

    /// Calls one phase.
    pub(super) fn phase(&self, phase: &str, commit: Option<&Dynamic>) -> Result<Dynamic, Thrown> {
        let pipeline = &self.0.pipeline;
        if pipeline.phase(phase).is_none() {
            let known: Vec<&str> =
                registry::phase_names().filter(|name| pipeline.phase(name).is_some()).collect();
            let message = format!("the pipeline has no `{phase}` (it has {})", known.join(", "));
            return Expectation::new(message).fail();
        }
        let mut commit = FakeCommit::of(commit)?;
        if phase == "deploy" && commit.facts.environment.is_none() {
            commit.facts.environment = Some("production".to_owned());
        }
        self.begin(&commit);
        let (_, result) = self.call(phase, &commit)?;
        self.finish(result)
    }

    /// What a commit remembers is there before its first phase.
    fn begin(&self, commit: &FakeCommit) {
        for (key, value) in &commit.remembered {
            self.remember(key, value.clone());
        }
    }

    fn finish(&self, result: PhaseResult) -> Result<Dynamic, Thrown> {
        let result = Arc::new(result);
        *self.locked(|it| &it.last) = Some(result.clone());
        Ok(Dynamic::from(ResultObject(result)))
    }

    fn call(&self, phase: &str, commit: &FakeCommit) -> Result<(Outcome, PhaseResult), Thrown> {
        let host = Arc::new(FakeHost::new(self.clone(), commit.clone(), phase));
        let mut facts = commit.facts.clone();
        facts.phase = phase.to_owned();
        let mut vars = Vars::default();
        for (name, value) in commit.known(phase) {
            vars.set_fact(name, value);
        }
        let stage = &self.0;
        let work = || {
            run(PhaseCall {
                script: &stage.pipeline,
                phase,
                facts,
                vars,
                host: host.clone(),
                deadline: Some(stage.deadline),
                functions: &stage.functions,
            })
        };
        let end = on_a_big_stack(work)?;
        let done = std::mem::take(&mut *host.done());
        self.locked(|it| &it.ran).extend(done.commands.iter().cloned());
        if let Some(message) = self.locked(|it| &it.broken).take() {
            let notes = command_notes(&done.commands);
            return Err(Expectation::new(message).with(notes).thrown(Position::NONE));
        }
        Ok((end.outcome, self.result_of(phase, end, done)))
    }

    /// Calls every step in its order, as a run would take them.
    pub(super) fn run_all(&self, mut commit: FakeCommit) -> Result<Dynamic, Thrown> {
        self.begin(&commit);
        let (mut steps, mut done, mut run) = (Vec::new(), Done::default(), Run::new());
        while let Some(step) = run.step() {
            if self.0.pipeline.phase(step.as_str()).is_none() {
                run.finish(Outcome::Success);
                continue;
            }
            let (outcome, result) = self.call(step.as_str(), &commit)?;
            note(&mut commit, step, outcome, &result);
            done.append(result.done.clone());
            steps.push(result);
            run.finish(outcome);
        }
        let outcome = run.outcome().name().to_owned();
        let decided = steps.iter().find(|step: &&PhaseResult| step.outcome == outcome);
        let reason = decided.and_then(|step| step.reason.clone());
        let remembered = self.locked(|it| &it.remembered).clone();
        let name = "run".to_owned();
        self.finish(PhaseResult { name, outcome, reason, done, remembered, steps })
    }

    fn result_of(&self, phase: &str, end: PhaseEnd, done: Done) -> PhaseResult {
        let outcome = if end.waits { "waiting" } else { end.outcome.name() };
        let reason = end.error.map(|error| match (error.path(), error.position()) {
            (Some(path), Some(at)) => format!("{} ({}:{at})", error.message(), path.display()),
            _ => error.message().to_owned(),
        });
        PhaseResult {
            name: phase.to_owned(),
            outcome: outcome.to_owned(),
            reason: reason.or(end.reason),
            done,
            remembered: self.locked(|it| &it.remembered).clone(),
            steps: Vec::new(),
        }
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
    thread::scope(|scope| {
        let builder = thread::Builder::new().name("tinyci test".to_owned()).stack_size(STACK_BYTES);
        let started = builder.spawn_scoped(scope, work);
        let started =
            started.map_err(|error| throw(format!("a phase cannot be started: {error}")))?;
        Ok(started.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Notes what became of a step, for the hooks after it.
fn note(commit: &mut FakeCommit, step: StepName, outcome: Outcome, result: &PhaseResult) {
    match step {
        StepName::Phase(Phase::Build) => commit.facts.build = Some(outcome.name().to_owned()),
        StepName::Phase(Phase::Test) => commit.facts.test = Some(outcome.name().to_owned()),
        StepName::Phase(Phase::Deploy) | StepName::Hook(_) => {}
    }
    if !matches!(outcome, Outcome::Failure | Outcome::TimedOut) {
        return;
    }
    let (command, code, tail) = match &result.done.failed {
        Some((command, Exit::Code(code), told)) => {
            (command.clone(), Some(i64::from(*code)), told.clone())
        }
        Some((command, _, told)) => (command.clone(), None, told.clone()),
        None => (result.reason.clone().unwrap_or_default(), None, String::new()),
    };
    commit.facts.failure = Some(FailureFacts { command, code, at: step.to_string(), tail });
}
