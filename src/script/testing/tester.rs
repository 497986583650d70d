//! `t`: what tests are given.

use std::{
    any::TypeId,
    collections::BTreeMap,
    panic::resume_unwind,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use rhai::{Array, Dynamic, Engine, EvalAltResult, NativeCallContext, Position};

use super::{
    fake_commit::FakeCommit,
    fake_host::{FakeHost, refused},
    fakes::{Answer, Fake},
    result::{self, Done, Outcome, PhaseResult, command_notes, line},
};
use crate::{
    error::Error,
    function::{HostFunction, Value},
    interpolate::Vars,
    outcome::{Exit, Outcome as StepOutcome},
    pipeline::{Phase, StepName},
    run::Run,
    script::{
        call::kind,
        commands::placed,
        context::FailureFacts,
        literal::value_of,
        load::Script,
        registry, report,
        run::{PhaseCall, PhaseEnd, run},
        session::{Thrown, throw},
    },
    suggestion::{did_you_mean, did_you_mean_or_list},
};

/// As much as a worker has: phases recurse as deep as in a run, whatever the test did before.
const STACK_BYTES: usize = 32 << 20;

/// What one test shares.
pub(super) struct Stage {
    pipeline: Script,
    functions: Vec<HostFunction>,
    pub(super) deadline: Instant,
    fakes: Mutex<Vec<Fake>>,
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

/// What a test expected and did not find. A script that catches it does not make the test pass.
#[derive(Clone, Debug)]
struct Expectation {
    message: String,
    notes: Vec<String>,
}

impl Expectation {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), notes: Vec::new() }
    }

    fn with(self, notes: Vec<String>) -> Self {
        Self { notes, ..self }
    }

    // Not one of the errors that no script can catch: the engine forgets where those were.
    fn thrown(self, at: Position) -> Thrown {
        EvalAltResult::ErrorRuntime(Dynamic::from(self), at).into()
    }

    fn of(error: &EvalAltResult) -> Option<Self> {
        match error {
            EvalAltResult::ErrorRuntime(value, _) | EvalAltResult::ErrorTerminated(value, _) => {
                value.clone().try_cast()
            }
            _ => None,
        }
    }

    fn fail(self) -> Result<Dynamic, Thrown> {
        Err(self.thrown(Position::NONE))
    }
}

/// Where a test calls a method of `t`.
#[derive(Clone, Debug, Default)]
pub(super) struct Place {
    file: String,
    at: Position,
}

impl Place {
    /// An error here, as the engine would tell of it: files are known only of calls.
    fn around(&self, test: &str, expectation: Expectation) -> Thrown {
        let (file, thrown) = (self.file.clone(), expectation.thrown(self.at));
        EvalAltResult::ErrorInFunctionCall(test.to_owned(), file, thrown, Position::NONE).into()
    }
}

type Method = fn(&Tester, &[Dynamic], &Place) -> Result<Dynamic, Thrown>;

/// The methods of `t` beside those that have the name of a phase: how many arguments they take, and
/// what they do.
pub(super) const METHODS: [(&str, std::ops::RangeInclusive<usize>, Method); 8] = [
    ("fake", 2..=2, fake),
    ("run", 0..=1, run_all),
    ("expect", 1..=2, expect),
    ("expect_equal", 2..=2, expect_equal),
    ("expect_outcome", 2..=2, expect_outcome),
    ("expect_ran", 2..=3, expect_ran),
    ("expect_not_ran", 2..=2, expect_not_ran),
    ("expect_commands", 2..=2, expect_commands),
];

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Tester>("t");
    for (name, arguments, method) in METHODS {
        for count in arguments {
            add(engine, name, count, method);
        }
    }
    for phase in registry::phase_names() {
        for count in 0..=1 {
            add(engine, phase, count, move |tester, arguments, _| {
                tester.phase(phase, arguments.first())
            });
        }
    }
}

fn add(
    engine: &mut Engine,
    name: &'static str,
    count: usize,
    method: impl Fn(&Tester, &[Dynamic], &Place) -> Result<Dynamic, Thrown> + Send + Sync + 'static,
) {
    let mut types = vec![TypeId::of::<Tester>()];
    types.extend(vec![TypeId::of::<Dynamic>(); count]);
    engine.register_raw_fn(
        name,
        types,
        move |context: NativeCallContext<'_>, arguments: &mut [&mut Dynamic]| {
            let at = context.call_position();
            let mut values = arguments.iter().map(|it| it.flatten_clone());
            let tester = values.next().and_then(|it| it.try_cast::<Tester>());
            let tester = tester.ok_or_else(|| throw("a test's `t` is not what it was given"))?;
            let values: Vec<Dynamic> = values.collect();
            let file = context.call_source().unwrap_or_default().to_owned();
            let place = Place { file, at };
            let done = method(&tester, &values, &place).map_err(|error| placed(error, at));
            done.inspect_err(|error| tester.note_unmet(error, &place))
        },
    );
}

impl Tester {
    pub(super) fn new(pipeline: Script, functions: Vec<HostFunction>, deadline: Instant) -> Self {
        Self(Arc::new(Stage {
            pipeline,
            functions,
            deadline,
            fakes: Mutex::default(),
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
    fn phase(&self, phase: &str, commit: Option<&Dynamic>) -> Result<Dynamic, Thrown> {
        let pipeline = &self.0.pipeline;
        if !pipeline.has_phase(phase) {
            let known: Vec<&str> =
                registry::phase_names().filter(|name| pipeline.has_phase(name)).collect();
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
        Ok(Dynamic::from(Outcome(result)))
    }

    fn call(&self, phase: &str, commit: &FakeCommit) -> Result<(StepOutcome, PhaseResult), Thrown> {
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
    fn note_unmet(&self, error: &Thrown, place: &Place) {
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

/// `t.run(commit)`: every step in its order, as a run would take them.
fn run_all(tester: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let mut commit = FakeCommit::of(arguments.first())?;
    tester.begin(&commit);
    let (mut steps, mut done, mut run) = (Vec::new(), Done::default(), Run::new());
    while let Some(step) = run.step() {
        if !tester.0.pipeline.has_phase(step.as_str()) {
            run.finish(StepOutcome::Success);
            continue;
        }
        let (outcome, result) = tester.call(step.as_str(), &commit)?;
        note(&mut commit, step, outcome, &result);
        done.append(result.done.clone());
        steps.push(result);
        run.finish(outcome);
    }
    let outcome = run.outcome().name().to_owned();
    let decided = steps.iter().find(|step: &&PhaseResult| step.outcome == outcome);
    let reason = decided.and_then(|step| step.reason.clone());
    let remembered = tester.locked(|it| &it.remembered).clone();
    let name = "run".to_owned();
    tester.finish(PhaseResult { name, outcome, reason, done, remembered, steps })
}

/// Notes what became of a step, for the hooks after it.
fn note(commit: &mut FakeCommit, step: StepName, outcome: StepOutcome, result: &PhaseResult) {
    match step {
        StepName::Phase(Phase::Build) => commit.facts.build = Some(outcome.name().to_owned()),
        StepName::Phase(Phase::Test) => commit.facts.test = Some(outcome.name().to_owned()),
        StepName::Hook(_) => {}
    }
    if !matches!(outcome, StepOutcome::Failure | StepOutcome::TimedOut) {
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

fn first(arguments: &[Dynamic]) -> Dynamic {
    arguments.first().cloned().unwrap_or_default()
}

fn text(what: &str, value: Option<&Dynamic>) -> Result<String, Thrown> {
    let value = value.cloned().unwrap_or_default();
    let found = kind(&value);
    value.into_string().map_err(|_| throw(format!("{what} is a text, not {found}")))
}

/// The result that an expectation is about.
fn result_in(value: &Dynamic) -> Result<Arc<PhaseResult>, Thrown> {
    let result = value.clone().try_cast::<Outcome>();
    let found = kind(value);
    let result = result.ok_or_else(|| {
        throw(format!("expected the result of a phase, such as that of `t.build()`, not {found}"))
    });
    result.map(|it| it.0)
}

/// `t.fake(glob, result)`
fn fake(tester: &Tester, arguments: &[Dynamic], at: &Place) -> Result<Dynamic, Thrown> {
    let glob = text("the first argument of `fake`, a glob over commands,", arguments.first())?;
    let result = arguments.get(1).cloned().unwrap_or_default();
    let fake = Fake::new(glob, &result, at.clone())?;
    tester.locked(|it| &it.fakes).push(fake);
    Ok(Dynamic::UNIT)
}

/// `t.expect(truth, message?)`
fn expect(tester: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let truth = first(arguments);
    let holds = truth
        .as_bool()
        .map_err(|_| throw(format!("`expect` takes `true` or `false`, not {}", kind(&truth))))?;
    if holds {
        return Ok(Dynamic::UNIT);
    }
    let message = match arguments.get(1) {
        Some(message) => message.to_string(),
        None => "expected this to hold".to_owned(),
    };
    let last = tester.locked(|it| &it.last).clone();
    Expectation::new(message).with(last.map(|it| it.notes()).unwrap_or_default()).fail()
}

/// A value as a script would write it.
fn shown(value: &Dynamic) -> String {
    value_of(value).map_or_else(|| kind(value).to_owned(), |value| value.literal())
}

/// `t.expect_equal(actual, expected)`
fn expect_equal(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let [actual, expected] = arguments else { return Ok(Dynamic::UNIT) };
    let (Some(one), Some(other)) = (value_of(actual), value_of(expected)) else {
        let odd = if value_of(actual).is_none() { actual } else { expected };
        return Err(throw(format!("`expect_equal` cannot compare {}", kind(odd))));
    };
    if one == other {
        return Ok(Dynamic::UNIT);
    }
    let notes =
        vec![format!("expected: {}", shown(expected)), format!("actual:   {}", shown(actual))];
    Expectation::new("the values differ").with(notes).fail()
}

/// `t.expect_outcome(result, word)`
fn expect_outcome(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    const WORDS: [&str; 5] = ["success", "failure", "timed_out", "skipped", "waiting"];
    let result = result_in(&first(arguments))?;
    let word = text("an outcome", arguments.get(1))?;
    if !WORDS.contains(&word.as_str()) {
        let hint = did_you_mean_or_list(&word, &WORDS);
        return Err(throw(format!("there is no outcome `{word}`{hint}")));
    }
    if result.outcome == word {
        return Ok(Dynamic::UNIT);
    }
    let message = format!("expected the outcome {word}, and it is {}", result.outcome);
    Expectation::new(message).with(result.notes()).fail()
}

/// `t.expect_ran(result, glob, times?)`
fn expect_ran(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let result = result_in(&first(arguments))?;
    let glob = text("a glob over commands", arguments.get(1))?;
    let times = arguments.get(2).map(|times| {
        let count = times.as_int().ok().and_then(|it| usize::try_from(it).ok());
        count.ok_or_else(|| throw("how often a command ran is a number from 0"))
    });
    let (found, times) = (result.count(&glob), times.transpose()?);
    let message = match times {
        _ if Some(found) == times => return Ok(Dynamic::UNIT),
        Some(times) => format!("expected `{glob}` to run {times} times, and it ran {found} times"),
        None if found > 0 => return Ok(Dynamic::UNIT),
        None => format!("no command matches `{glob}`"),
    };
    let hint = if found == 0 { nearest(&glob, &result.done.commands) } else { String::new() };
    Expectation::new(format!("{message}{hint}")).with(result.notes()).fail()
}

/// `t.expect_not_ran(result, glob)`
fn expect_not_ran(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let result = result_in(&first(arguments))?;
    let glob = text("a glob over commands", arguments.get(1))?;
    if result.count(&glob) == 0 {
        return Ok(Dynamic::UNIT);
    }
    let message = format!("expected no command to match `{glob}`");
    Expectation::new(message).with(result.notes()).fail()
}

/// `t.expect_commands(result, globs)`: all that ran, in order.
fn expect_commands(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let result = result_in(&first(arguments))?;
    let list = arguments.get(1).and_then(|it| it.clone().try_cast::<Array>());
    let list = list.ok_or_else(|| throw("the expected commands are a list of globs"))?;
    let globs: Result<Vec<String>, Thrown> =
        list.iter().map(|glob| text("a glob over commands", Some(glob))).collect();
    let (globs, actual) = (globs?, &result.done.commands);
    let matches = |glob: &String, command: &String| {
        crate::glob::text_matches(glob.as_bytes(), command.as_bytes())
    };
    let same = globs.iter().zip(actual).take_while(|(glob, it)| matches(glob, it)).count();
    if same == globs.len() && same == actual.len() {
        return Ok(Dynamic::UNIT);
    }
    let mut notes: Vec<String> =
        actual.iter().take(same).map(|it| format!("  {}", line(it))).collect();
    notes.extend(globs.iter().skip(same).map(|glob| format!("- {glob}")));
    notes.extend(actual.iter().skip(same).map(|it| format!("+ {}", line(it))));
    let message = format!(
        "other commands ran than expected, from the {} on (`-` expected, `+` ran)",
        ordinal(same + 1)
    );
    Expectation::new(message).with(notes).fail()
}

fn ordinal(number: usize) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        more => format!("{more}th"),
    }
}

/// The command that was most likely meant by a glob that matches none.
fn nearest(glob: &str, commands: &[String]) -> String {
    let word = glob.trim_matches('*');
    let length = word.chars().count();
    let begins: Vec<String> = commands.iter().map(|it| it.chars().take(length).collect()).collect();
    did_you_mean(word, begins.iter().map(String::as_str))
}

/// Why a test failed: the sentence and its notes.
pub(super) fn explain(
    error: &EvalAltResult,
    suite: &Script,
    tester: &Tester,
) -> (String, Vec<String>) {
    let printed = tester.locked(|it| &it.printed);
    let printed: Vec<String> = printed.iter().map(|text| format!("printed: {text}")).collect();
    if let Some(Expectation { message, notes }) = Expectation::of(error) {
        return (message, [notes, printed].concat());
    }
    let message = match error {
        EvalAltResult::ErrorFunctionNotFound(signature, _) => {
            let message = unknown_method(signature);
            message.unwrap_or_else(|| report::message(error, Some(suite)))
        }
        EvalAltResult::ErrorDotExpr(text, _) if text.contains("'result'") => {
            let property = text.split('\'').nth(1).unwrap_or_default();
            let hint = did_you_mean_or_list(property, &result::PROPERTIES);
            format!("a result has no property `{property}`{hint}")
        }
        other => report::message(other, Some(suite)),
    };
    (message, printed)
}

/// What is said of a method of `t` or of a result that does not exist, or not with these arguments.
fn unknown_method(signature: &str) -> Option<String> {
    let (name, arguments) = signature.split_once(" (")?;
    let arguments = arguments.trim_end_matches(')');
    let owner = arguments.split(", ").next()?;
    let count = arguments.split(", ").count() - 1;
    let known: Vec<&str> = match owner {
        "t" => METHODS.iter().map(|(name, ..)| *name).chain(registry::phase_names()).collect(),
        "result" => result::METHODS.to_vec(),
        _ => return None,
    };
    if known.contains(&name) {
        return Some(format!("`{owner}.{name}` cannot be called with {count} arguments"));
    }
    let hint = did_you_mean_or_list(name, &known);
    Some(format!("`{owner}` has no `{name}`{hint}"))
}
