//! `parallel` and `matrix`: branches that really run at once, each on a thread of its own.
//!
//! A closure captures variables by reference, and two threads that use one captured object fail.
//! So each branch gets a copy of its function in which every captured value is a copy too.

#![expect(deprecated, reason = "rhai marks the stored context of a call so to call it volatile")]

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use rhai::{Array, Dynamic, FnPtr, Map, NativeCallContext};

use super::{
    call::Call,
    commands::plain_text,
    control::{labelled, stored},
    session::{Frame, Stop, Thrown, throw},
};
use crate::{
    answer::panic_text,
    error::{Error, ErrorKind},
};

/// How many branches of a phase run on threads of their own, those of branches included. Where all
/// are taken, branches run one after the other.
const THREADS_MAX: usize = 32;

/// How many branches there can be: a matrix grows fast.
const BRANCHES_MAX: usize = 1_000;

/// As much as a worker has: scripts recurse in branches too.
const STACK_BYTES: usize = 32 << 20;

/// One branch before it runs.
struct Branch {
    label: String,
    function: FnPtr,
    arguments: Vec<Dynamic>,
}

pub(super) fn parallel(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [work, function @ ..] = arguments else { return Ok(Dynamic::UNIT) };
    match (work.read_lock::<Array>(), work.read_lock::<Map>(), function.first()) {
        (Some(items), None, Some(function)) => {
            let function = call.function("function", function)?;
            let branches = items.iter().enumerate().map(|(index, item)| Branch {
                label: plain_text(&item.flatten_clone()).unwrap_or_else(|| (index + 1).to_string()),
                function: copied_function(&function),
                arguments: vec![copied(item)],
            });
            let results = run(call, branches.collect())?;
            Ok(Dynamic::from_array(results))
        }
        (None, Some(map), None) => {
            let branch = |(name, function): (&rhai::Identifier, &Dynamic)| {
                let function = call.function(&format!("work `{name}`"), function)?;
                let function = copied_function(&function);
                Ok(Branch { label: name.to_string(), function, arguments: Vec::new() })
            };
            let branches: Result<Vec<Branch>, Thrown> = map.iter().map(branch).collect();
            let results = run(call, branches?)?;
            Ok(Dynamic::from_map(map.keys().cloned().zip(results).collect()))
        }
        _ => {
            let message = "`parallel` takes a list and a function, `parallel(list, |item| …)`, or a \
                           map of functions, `parallel(#{ name: || … })`";
            Err(throw(message))
        }
    }
}

pub(super) fn matrix(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [axes, function] = arguments else { return Ok(Dynamic::UNIT) };
    let takes = "a map of lists such as `#{ db: [\"a\", \"b\"] }`";
    let map = axes.read_lock::<Map>().ok_or_else(|| call.mistake("axes", takes, axes))?;
    let function = call.function("function", function)?;
    let mut combinations = vec![Map::new()];
    for (axis, values) in map.iter() {
        let values = values.flatten_clone();
        let list = values.read_lock::<Array>();
        let list =
            list.ok_or_else(|| call.mistake(&format!("axis `{axis}`"), "a list", &values))?;
        if combinations.len().saturating_mul(list.len()) > BRANCHES_MAX {
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
    let branches = combinations.into_iter().map(|combination| Branch {
        label: combination_label(&combination),
        function: copied_function(&function),
        arguments: vec![Dynamic::from_map(combination)],
    });
    run(call, branches.collect()).map(Dynamic::from_array)
}

fn combination_label(combination: &Map) -> String {
    let words = combination.iter().map(|(axis, value)| {
        let value = plain_text(value).unwrap_or_else(|| "…".to_owned());
        format!("{axis}={value}")
    });
    words.collect::<Vec<_>>().join(" ")
}

fn too_many() -> Thrown {
    throw(format!("there are more than the {BRANCHES_MAX} branches that can be had"))
}

/// Runs all branches to their ends. The first that failed, in their order, is the error.
fn run(call: &Call<'_>, branches: Vec<Branch>) -> Result<Array, Thrown> {
    if branches.len() > BRANCHES_MAX {
        return Err(too_many());
    }
    let outer = call.session.frame();
    let next = AtomicUsize::new(0);
    let ended: Vec<Mutex<Option<Result<Dynamic, Thrown>>>> =
        branches.iter().map(|_| Mutex::default()).collect();
    let work = |context: &NativeCallContext<'_>| {
        while let Some((branch, place)) = next_of(&next, &branches, &ended) {
            let result = run_branch(call, context, branch, outer.clone());
            *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(result);
        }
    };
    // Where nothing is done nothing is gained by doing it at once, and one after the other what is
    // written down is always the same.
    let max = if call.session.host.dry().is_some() { 0 } else { THREADS_MAX };
    let threads = call.session.take_threads(branches.len(), max);
    let contexts: Vec<_> = (0..threads).map(|_| stored(&call.context)).collect();
    thread::scope(|scope| {
        for context in &contexts {
            let builder =
                thread::Builder::new().name("tinyci branch".into()).stack_size(STACK_BYTES);
            let work = || work(&context.create_context(call.engine()));
            if builder.spawn_scoped(scope, work).is_err() {
                break;
            }
        }
    });
    call.session.give_threads(threads);
    // What is left where no thread was free, or none could be started.
    work(&call.context);
    collect(ended)
}

fn next_of<'b, T>(
    next: &AtomicUsize,
    branches: &'b [Branch],
    places: &'b [T],
) -> Option<(&'b Branch, &'b T)> {
    let index = next.fetch_add(1, Ordering::SeqCst);
    Some((branches.get(index)?, places.get(index)?))
}

fn run_branch(
    call: &Call<'_>,
    context: &NativeCallContext<'_>,
    branch: &Branch,
    outer: Frame,
) -> Result<Dynamic, Thrown> {
    let work = || branch.function.call_raw(context, None, branch.arguments.clone());
    let work = || catch_unwind(AssertUnwindSafe(work));
    let frame = Frame { in_branch: true, ..labelled(outer, &branch.label) };
    call.session.within(frame, work).unwrap_or_else(|panic| {
        let message = format!("a branch panicked: {}", panic_text(&*panic));
        Err(Stop::Fault(Arc::new(Error::new(ErrorKind::Panic, message))).thrown())
    })
}

/// What all branches returned, or the error of one: the gravest, and of several such the first.
fn collect(ended: Vec<Mutex<Option<Result<Dynamic, Thrown>>>>) -> Result<Array, Thrown> {
    let mut values = Array::new();
    let mut errors = Vec::new();
    for place in ended {
        match place.into_inner().unwrap_or_else(PoisonError::into_inner) {
            Some(Ok(value)) => values.push(value),
            Some(Err(error)) => errors.push(error),
            None => {}
        }
    }
    let rank = |error: &Thrown| Stop::of(error).map_or(0, |stop| stop.rank());
    // The last of the greatest, seen from behind.
    errors.into_iter().rev().max_by_key(rank).map_or(Ok(values), Err)
}

/// A function whose captured values are its own.
fn copied_function(function: &FnPtr) -> FnPtr {
    let mut copy = function.clone();
    copy.set_curry(function.iter_curry().map(copied).collect::<Vec<_>>());
    copy
}

/// A value that shares nothing with the script that it comes from.
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
