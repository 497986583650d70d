//! `parallel` and `matrix`: tasks that run at the same time, each on its own thread.
//!
//! A closure captures variables by reference, and two threads cannot use one captured object. So
//! each task gets a copy of its function with copies of all captured values.

#![expect(deprecated, reason = "rhai marks the stored context of a call so to call it volatile")]

use std::{
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext};

use super::{
    call::Call,
    control::{labeled, stored},
};
use crate::{
    model::step::DryStage,
    script::{
        api::types::TASKS_MAX,
        errors::failure::{Failure, Failures},
        session::{ending::Stop, shared::Frame},
        values::{
            kind::plain_text,
            thrown::{Thrown, throw},
        },
    },
    util::{
        lock::{lock, unpoisoned},
        threads::big_thread,
    },
};

/// Maximum number of threads for tasks of a step, including nested tasks. If all are in use, tasks
/// run one after the other.
const THREADS_MAX: usize = 32;

/// A task to run.
struct Task {
    label: String,
    function: FnPtr,
    arguments: Vec<Dynamic>,
}

pub(in crate::script) fn parallel(
    call: &Call<'_>,
    arguments: &[Dynamic],
) -> Result<Dynamic, Thrown> {
    let [work, function @ ..] = arguments else { return Ok(Dynamic::UNIT) };
    match (work.read_lock::<Array>(), work.read_lock::<Map>(), function.first()) {
        (Some(items), None, Some(function)) => {
            let function = call.function("function", function)?;
            let tasks = items.iter().enumerate().map(|(index, item)| Task {
                label: plain_text(&item.flatten_clone()).unwrap_or_else(|| (index + 1).to_string()),
                function: copied_function(&function),
                arguments: vec![copied(item)],
            });
            let results = run(call, tasks.collect())?;
            Ok(Dynamic::from_array(results))
        }
        (None, Some(map), None) => {
            let task = |(name, function): (&rhai::Identifier, &Dynamic)| {
                let function = call.function(&format!("task `{name}`"), function)?;
                let function = copied_function(&function);
                Ok(Task { label: name.to_string(), function, arguments: Vec::new() })
            };
            let tasks: Result<Vec<Task>, Thrown> = map.iter().map(task).collect();
            let results = run(call, tasks?)?;
            Ok(Dynamic::from_map(map.keys().cloned().zip(results).collect()))
        }
        _ => {
            let message = "`parallel` takes an array and a function, `parallel(array, |item| …)`, \
                           or a map of functions, `parallel(#{ name: || … })`";
            Err(throw(message))
        }
    }
}

pub(in crate::script) fn matrix(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [axes, function] = arguments else { return Ok(Dynamic::UNIT) };
    let takes = "a map of arrays such as `#{ db: [\"a\", \"b\"] }`";
    let map = axes.read_lock::<Map>().ok_or_else(|| call.mistake("axes", takes, axes))?;
    let function = call.function("function", function)?;
    let mut combinations = vec![Map::new()];
    for (axis, values) in map.iter() {
        let values = values.flatten_clone();
        let list = values.read_lock::<Array>();
        let list =
            list.ok_or_else(|| call.mistake(&format!("axis `{axis}`"), "an array", &values))?;
        if combinations.len().saturating_mul(list.len()) > TASKS_MAX {
            return Err(too_many());
        }
        let with = |combination: &Map, value: &Dynamic| {
            let mut combination = combination.clone();
            combination.insert(axis.clone(), copied(value));
            combination
        };
        let next = combinations.iter().flat_map(|it| list.iter().map(move |value| with(it, value)));
        combinations = next.collect();
    }
    let tasks = combinations.into_iter().map(|combination| Task {
        label: combination_label(&combination),
        function: copied_function(&function),
        arguments: vec![Dynamic::from_map(combination)],
    });
    run(call, tasks.collect()).map(Dynamic::from_array)
}

fn combination_label(combination: &Map) -> String {
    let words = combination.iter().map(|(axis, value)| {
        let value = plain_text(value).unwrap_or_else(|| "…".to_owned());
        format!("{axis}={value}")
    });
    words.collect::<Vec<_>>().join(" ")
}

fn too_many() -> Thrown {
    throw(format!("`parallel` and `matrix` can run at most {TASKS_MAX} tasks"))
}

/// The result of a task that did not pass.
struct Unfinished {
    failures: Vec<Failure>,
    /// True if the time limit of a `timeout` around the tasks has passed.
    is_late: bool,
}

/// Runs all tasks to their ends. If any failed, the error contains all failures.
fn run(call: &Call<'_>, tasks: Vec<Task>) -> Result<Array, Thrown> {
    if tasks.len() > TASKS_MAX {
        return Err(too_many());
    }
    let outer = call.session.frame();
    let next = AtomicUsize::new(0);
    let ended: Vec<Mutex<Option<Result<Dynamic, Unfinished>>>> =
        tasks.iter().map(|_| Mutex::default()).collect();
    let clock = TaskClock::new(call.session.host.dry());
    let work = |context: &NativeCallContext<'_>| {
        while let Some((index, task, place)) = next_of(&next, &tasks, &ended) {
            let result = clock.during(|| run_task(call, context, index, task, &outer));
            *lock(place) = Some(result);
        }
    };
    // A dry run gains nothing from threads, and its output is always the same if tasks run in
    // sequence.
    let max = if call.session.host.dry().is_some() { 0 } else { THREADS_MAX };
    let threads = call.session.acquire_threads(tasks.len(), max);
    let contexts: Vec<_> = (0..threads).map(|_| stored(&call.context)).collect();
    thread::scope(|scope| {
        for context in &contexts {
            let builder = big_thread("tinyci task");
            let work = || work(&context.create_context(call.engine()));
            if builder.spawn_scoped(scope, work).is_err() {
                break;
            }
        }
    });
    call.session.release_threads(threads);
    // The remaining tasks run here if there were no free threads or none could be started.
    work(&call.context);
    clock.end();
    collect(call, ended)
}

/// The simulated time of tasks in a dry run. They would wait at the same time, so the longest wait
/// counts.
struct TaskClock<'d> {
    dry: Option<&'d dyn DryStage>,
    begun: Duration,
    longest: Mutex<Duration>,
}

impl<'d> TaskClock<'d> {
    fn new(dry: Option<&'d dyn DryStage>) -> Self {
        let begun = dry.map_or(Duration::ZERO, |dry| dry.clock().waited());
        Self { dry, begun, longest: Mutex::new(begun) }
    }

    fn during<T>(&self, work: impl FnOnce() -> T) -> T {
        let Some(dry) = self.dry else { return work() };
        dry.clock().set_waited(self.begun);
        let done = work();
        let mut longest = lock(&self.longest);
        *longest = dry.clock().waited().max(*longest);
        done
    }

    fn end(&self) {
        if let Some(dry) = self.dry {
            dry.clock().set_waited(*lock(&self.longest));
        }
    }
}

fn next_of<'t, T>(
    next: &AtomicUsize,
    tasks: &'t [Task],
    places: &'t [T],
) -> Option<(usize, &'t Task, &'t T)> {
    let index = next.fetch_add(1, Ordering::SeqCst);
    Some((index, tasks.get(index)?, places.get(index)?))
}

fn run_task(
    call: &Call<'_>,
    context: &NativeCallContext<'_>,
    index: usize,
    task: &Task,
    outer: &Frame,
) -> Result<Dynamic, Unfinished> {
    let order = outer.order.iter().copied().chain([u32::try_from(index).unwrap_or(u32::MAX)]);
    let frame = Frame { in_task: true, order: order.collect(), ..labeled(outer, &task.label) };
    let session = call.session;
    session.within(frame.clone(), || {
        let work = || task.function.call_raw(context, None, task.arguments.clone());
        session.scope(call.engine(), frame, work).map_err(|error| Unfinished {
            is_late: matches!(Stop::of(&error), Some(Stop::BlockTimedOut(_))),
            failures: session.failures(&error),
        })
    })
}

/// Returns the results of all tasks, or an error with all failures.
fn collect(
    call: &Call<'_>,
    ended: Vec<Mutex<Option<Result<Dynamic, Unfinished>>>>,
) -> Result<Array, Thrown> {
    let (mut values, mut unfinished) = (Array::new(), Vec::new());
    let all = ended.len();
    for place in ended {
        match unpoisoned(place.into_inner()) {
            Some(Ok(value)) => values.push(value),
            Some(Err(error)) => unfinished.push(error),
            None => {}
        }
    }
    if unfinished.is_empty() {
        return Ok(values);
    }
    let tasks = Some((unfinished.len(), all));
    let is_late = unfinished.iter().any(|it| it.is_late);
    let failures = unfinished.into_iter().flat_map(|it| it.failures);
    let failures = failures.map(|failure| Failure { tasks, ..failure }).collect();
    let error = if is_late {
        Stop::BlockTimedOut(failures).into_error()
    } else {
        Failures::into_error(failures)
    };
    call.session.combine(Err(error), Vec::new()).map(|_| values)
}

/// Copies a function and its captured values.
fn copied_function(function: &FnPtr) -> FnPtr {
    let mut copy = function.clone();
    copy.set_curry(function.iter_curry().map(copied).collect::<Vec<_>>());
    copy
}

/// Copies a value so that it shares nothing with the original.
fn copied(value: &Dynamic) -> Dynamic {
    let value = value.flatten_clone();
    if let Some(function) = value.read_lock::<FnPtr>() {
        return Dynamic::from(copied_function(&function));
    }
    if let Some(list) = value.read_lock::<Array>() {
        return Dynamic::from_array(list.iter().map(copied).collect());
    }
    if let Some(map) = value.read_lock::<Map>() {
        let entries = map.iter().map(|(key, value)| (key.clone(), copied(value)));
        return Dynamic::from_map(entries.collect());
    }
    value
}
