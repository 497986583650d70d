//! Functions of arrays and maps that call a function of the script and pass its errors on.
//!
//! The language's own versions ignore errors of a comparer. They also wrap other errors, so that a
//! script could catch its limits. These versions differ only in that, and in the values that a
//! comparer may return.

use std::{
    cmp::Ordering,
    mem,
    sync::{Arc, OnceLock},
};

use rhai::{Array, Dynamic, Engine, FnPtr, FuncRegistration, Map, Module};

use crate::script::values::{
    kind::kind,
    thrown::{Thrown, bare, throw},
};

type Context<'a> = rhai::NativeCallContext<'a>;

/// Replaces the language's functions in an engine by these.
pub(in crate::script) fn register(engine: &mut Engine) {
    static MODULE: OnceLock<Arc<Module>> = OnceLock::new();
    engine.register_global_module(MODULE.get_or_init(|| module().into()).clone());
}

fn module() -> Module {
    let mut module = Module::new();
    let pure = |name: &str| FuncRegistration::new(name).with_purity(true);
    let changing = |name: &str| FuncRegistration::new(name).with_purity(false);
    for name in ["sort", "sort_by"] {
        changing(name).set_into_module(&mut module, sort);
    }
    for name in ["order", "order_by"] {
        changing(name).set_into_module(&mut module, order);
    }
    changing("dedup").set_into_module(&mut module, dedup);
    changing("for_each").set_into_module(&mut module, for_each);
    pure("map").set_into_module(&mut module, map);
    pure("filter").set_into_module(&mut module, filter);
    pure("index_of")
        .set_into_module(&mut module, |call: Context<'_>, list: &mut Array, f: FnPtr| {
            position("index_of", &call, list, &f, 0)
        });
    pure("index_of").set_into_module(
        &mut module,
        |call: Context<'_>, list: &mut Array, f: FnPtr, start: i64| {
            position("index_of", &call, list, &f, start)
        },
    );
    pure("find").set_into_module(&mut module, |call: Context<'_>, list: &mut Array, f: FnPtr| {
        find(call, list, f, 0)
    });
    pure("find").set_into_module(&mut module, find);
    pure("find_map")
        .set_into_module(&mut module, |call: Context<'_>, list: &mut Array, f: FnPtr| {
            find_map(call, list, f, 0)
        });
    pure("find_map").set_into_module(&mut module, find_map);
    pure("some").set_into_module(&mut module, |call: Context<'_>, list: &mut Array, f: FnPtr| {
        position("some", &call, list, &f, 0).map(|found| found >= 0)
    });
    pure("all").set_into_module(&mut module, all);
    pure("reduce").set_into_module(&mut module, |call: Context<'_>, list: &mut Array, f: FnPtr| {
        reduce(call, list, f, Dynamic::UNIT)
    });
    pure("reduce").set_into_module(&mut module, reduce);
    pure("reduce_rev")
        .set_into_module(&mut module, |call: Context<'_>, list: &mut Array, f: FnPtr| {
            reduce_rev(call, list, f, Dynamic::UNIT)
        });
    pure("reduce_rev").set_into_module(&mut module, reduce_rev);
    pure("zip").set_into_module(&mut module, zip);
    changing("drain")
        .set_into_module(&mut module, |call: Context<'_>, list: &mut Array, f: FnPtr| {
            divide("drain", &call, list, &f, true)
        });
    changing("retain")
        .set_into_module(&mut module, |call: Context<'_>, list: &mut Array, f: FnPtr| {
            divide("retain", &call, list, &f, false)
        });
    pure("map").set_into_module(&mut module, map_of_map);
    pure("filter").set_into_module(&mut module, filter_map);
    changing("drain").set_into_module(&mut module, |call: Context<'_>, map: &mut Map, f: FnPtr| {
        divide_map("drain", &call, map, &f, true)
    });
    changing("retain")
        .set_into_module(&mut module, |call: Context<'_>, map: &mut Map, f: FnPtr| {
            divide_map("retain", &call, map, &f, false)
        });
    module
}

/// Calls a function with an element, as `this` or as its first argument, followed by the index.
fn call_on(
    name: &str,
    call: &Context<'_>,
    f: &FnPtr,
    element: &mut Dynamic,
    index: usize,
) -> Result<Dynamic, Thrown> {
    let index = number(index).into();
    f.call_raw_with_extra_args(name, call, Some(element), [], [index], Some(0)).map_err(bare)
}

fn call_on_entry(
    name: &str,
    call: &Context<'_>,
    f: &FnPtr,
    key: &str,
    value: &mut Dynamic,
) -> Result<Dynamic, Thrown> {
    f.call_raw_with_extra_args(name, call, Some(value), [key.into()], [], Some(1)).map_err(bare)
}

fn number(index: usize) -> i64 {
    i64::try_from(index).unwrap_or(i64::MAX)
}

fn is_true(value: &Dynamic) -> bool {
    value.as_bool().unwrap_or(false)
}

/// Returns the index to begin at. A negative start counts from the end.
fn begin(length: usize, start: i64) -> usize {
    let distance = usize::try_from(start.unsigned_abs()).unwrap_or(usize::MAX);
    if start < 0 { length.saturating_sub(distance) } else { distance.min(length) }
}

fn sort(call: Context<'_>, list: &mut Array, comparer: FnPtr) -> Result<(), Thrown> {
    *list = sorted(&call, list.clone(), &comparer)?;
    Ok(())
}

fn order(call: Context<'_>, list: &mut Array, comparer: FnPtr) -> Result<Array, Thrown> {
    sorted(&call, list.clone(), &comparer)
}

/// Sorts by merging. An error ends it, and an inconsistent comparer yields some order.
fn sorted(call: &Context<'_>, mut list: Array, comparer: &FnPtr) -> Result<Array, Thrown> {
    let mut width = 1;
    while width < list.len() {
        let mut merged = Array::with_capacity(list.len());
        let mut rest = list.into_iter();
        loop {
            let left: Array = rest.by_ref().take(width).collect();
            if left.is_empty() {
                break;
            }
            merge(call, comparer, left, rest.by_ref().take(width).collect(), &mut merged)?;
        }
        list = merged;
        width = width.saturating_mul(2);
    }
    Ok(list)
}

/// Merges two sorted arrays. Of equal elements, the left one comes first.
fn merge(
    call: &Context<'_>,
    comparer: &FnPtr,
    left: Array,
    right: Array,
    merged: &mut Array,
) -> Result<(), Thrown> {
    let mut left = left.into_iter().peekable();
    for element in right {
        while let Some(first) = left.peek() {
            if compare(call, comparer, &element, first)? == Ordering::Less {
                break;
            }
            merged.extend(left.next());
        }
        merged.push(element);
    }
    merged.extend(left);
    Ok(())
}

fn compare(
    call: &Context<'_>,
    comparer: &FnPtr,
    one: &Dynamic,
    other: &Dynamic,
) -> Result<Ordering, Thrown> {
    let order = comparer.call_raw(call, None, [one.clone(), other.clone()]).map_err(bare)?;
    if let Ok(number) = order.as_int() {
        return Ok(number.cmp(&0));
    }
    match order.as_bool() {
        Ok(true) => Ok(Ordering::Less),
        Ok(false) => Ok(Ordering::Greater),
        Err(_) => Err(throw(format!(
            "the function of `{}` must return a number (negative, 0 or positive) or a bool, not \
             {}",
            call.fn_name(),
            kind(&order)
        ))),
    }
}

fn dedup(call: Context<'_>, list: &mut Array, same: FnPtr) -> Result<(), Thrown> {
    let mut kept = Array::new();
    for element in list.iter() {
        let is_same = match kept.last() {
            Some(last) => {
                is_true(&same.call_raw(&call, None, [last.clone(), element.clone()]).map_err(bare)?)
            }
            None => false,
        };
        if !is_same {
            kept.push(element.clone());
        }
    }
    *list = kept;
    Ok(())
}

fn for_each(call: Context<'_>, list: &mut Array, f: FnPtr) -> Result<(), Thrown> {
    for (index, element) in list.iter_mut().enumerate() {
        let index = [number(index).into()];
        f.call_raw_with_extra_args("for_each", &call, Some(element), [], index, None)
            .map(drop)
            .map_err(bare)?;
    }
    Ok(())
}

fn map(call: Context<'_>, list: &mut Array, f: FnPtr) -> Result<Array, Thrown> {
    let elements = list.iter_mut().enumerate();
    elements.map(|(index, element)| call_on("map", &call, &f, element, index)).collect()
}

fn filter(call: Context<'_>, list: &mut Array, f: FnPtr) -> Result<Array, Thrown> {
    let mut kept = Array::new();
    for (index, element) in list.iter_mut().enumerate() {
        if is_true(&call_on("filter", &call, &f, element, index)?) {
            kept.push(element.clone());
        }
    }
    Ok(kept)
}

/// Returns the index of the first element for which the function returns true, or -1.
fn position(
    name: &str,
    call: &Context<'_>,
    list: &mut Array,
    f: &FnPtr,
    start: i64,
) -> Result<i64, Thrown> {
    let start = begin(list.len(), start);
    for (index, element) in list.iter_mut().enumerate().skip(start) {
        if is_true(&call_on(name, call, f, element, index)?) {
            return Ok(number(index));
        }
    }
    Ok(-1)
}

fn find(call: Context<'_>, list: &mut Array, f: FnPtr, start: i64) -> Result<Dynamic, Thrown> {
    let found = position("find", &call, list, &f, start)?;
    let found = usize::try_from(found).ok().and_then(|index| list.get(index));
    Ok(found.cloned().unwrap_or_default())
}

fn find_map(call: Context<'_>, list: &mut Array, f: FnPtr, start: i64) -> Result<Dynamic, Thrown> {
    let start = begin(list.len(), start);
    for (index, element) in list.iter_mut().enumerate().skip(start) {
        let value = call_on("find_map", &call, &f, element, index)?;
        if !value.is_unit() {
            return Ok(value);
        }
    }
    Ok(Dynamic::UNIT)
}

fn all(call: Context<'_>, list: &mut Array, f: FnPtr) -> Result<bool, Thrown> {
    for (index, element) in list.iter_mut().enumerate() {
        if !is_true(&call_on("all", &call, &f, element, index)?) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn reduce(
    call: Context<'_>,
    list: &mut Array,
    f: FnPtr,
    first: Dynamic,
) -> Result<Dynamic, Thrown> {
    list.iter_mut().enumerate().try_fold(first, |result, (index, element)| {
        let index = [number(index).into()];
        let reduced =
            f.call_raw_with_extra_args("reduce", &call, Some(element), [result], index, Some(1));
        reduced.map_err(bare)
    })
}

fn reduce_rev(
    call: Context<'_>,
    list: &mut Array,
    f: FnPtr,
    first: Dynamic,
) -> Result<Dynamic, Thrown> {
    list.iter_mut().enumerate().rev().try_fold(first, |result, (index, element)| {
        let index = [number(index).into()];
        let reduced = f.call_raw_with_extra_args(
            "reduce_rev",
            &call,
            Some(element),
            [result],
            index,
            Some(1),
        );
        reduced.map_err(bare)
    })
}

fn zip(call: Context<'_>, list: &mut Array, other: Array, f: FnPtr) -> Result<Array, Thrown> {
    let pairs = list.iter().zip(other).enumerate();
    let zipped = pairs.map(|(index, (one, other))| {
        let index = [number(index).into()];
        f.call_raw_with_extra_args("zip", &call, None, [one.clone(), other], index, None)
    });
    zipped.map(|value| value.map_err(bare)).collect()
}

/// Removes and returns the elements for which the function returns `takes`.
fn divide(
    name: &str,
    call: &Context<'_>,
    list: &mut Array,
    f: &FnPtr,
    takes: bool,
) -> Result<Array, Thrown> {
    let (mut kept, mut taken) = (Array::new(), Array::new());
    let mut rest = mem::take(list).into_iter().enumerate();
    let ended = rest.by_ref().try_for_each(|(index, mut element)| {
        let answer = call_on(name, call, f, &mut element, index);
        let is_taken = answer.as_ref().is_ok_and(|answer| is_true(answer) == takes);
        if is_taken { &mut taken } else { &mut kept }.push(element);
        answer.map(drop)
    });
    kept.extend(rest.map(|(_, element)| element));
    *list = kept;
    ended.map(|()| taken)
}

fn map_of_map(call: Context<'_>, map: &mut Map, f: FnPtr) -> Result<Map, Thrown> {
    let entries = map.iter_mut();
    let mapped =
        entries.map(|(key, value)| Ok((key.clone(), call_on_entry("map", &call, &f, key, value)?)));
    mapped.collect()
}

fn filter_map(call: Context<'_>, map: &mut Map, f: FnPtr) -> Result<Map, Thrown> {
    let mut kept = Map::new();
    for (key, value) in map.iter_mut() {
        if is_true(&call_on_entry("filter", &call, &f, key, value)?) {
            kept.insert(key.clone(), value.clone());
        }
    }
    Ok(kept)
}

fn divide_map(
    name: &str,
    call: &Context<'_>,
    map: &mut Map,
    f: &FnPtr,
    takes: bool,
) -> Result<Map, Thrown> {
    let (mut kept, mut taken) = (Map::new(), Map::new());
    let mut rest = mem::take(map).into_iter();
    let ended = rest.by_ref().try_for_each(|(key, mut value)| {
        let answer = call_on_entry(name, call, f, &key, &mut value);
        let is_taken = answer.as_ref().is_ok_and(|answer| is_true(answer) == takes);
        if is_taken { &mut taken } else { &mut kept }.insert(key, value);
        answer.map(drop)
    });
    kept.extend(rest);
    *map = kept;
    ended.map(|()| taken)
}

#[cfg(test)]
mod tests {
    use rhai::{Dynamic, Engine, packages::Package};

    /// Scripts that use each of the functions in each form.
    const USES: [&str; 35] = [
        "let l = [3, 1, 2]; l.sort(|a, b| a - b); l",
        "let l = [3, 1, 2]; l.sort(|a, b| a < b); l",
        "let l = [3, 1, 2]; l.sort_by(|a, b| b - a); l",
        "[3, 1, 2].order(|a, b| a - b)",
        "let l = [5, 3, 9, 1, 1, 8]; [l.order_by(|a, b| b - a), l]",
        "let l = [[1, 1], [0, 2], [1, 3], [0, 4]]; l.sort(|a, b| a[0] - b[0]); l",
        "let l = [[1, 1], [0, 2], [1, 3], [0, 4]]; l.sort(|a, b| a[0] < b[0]); l",
        "let l = [1, 2, 2, 3, 1, 4]; l.dedup(|a, b| a >= b); l",
        "let l = [1, 2, 2, 2, 3]; l.dedup(|a, b| a == b); l",
        "let l = [1, 2]; l.for_each(|i| this += i); l",
        "[1, 2].map(|x| x * 2)",
        "[1, 2].map(|x, i| x * i)",
        "[1, 2].map(|| this * 2)",
        "[1, 2, 3].filter(|x| x > 1)",
        "[1, 2, 3].filter(|x, i| i > 1)",
        "[1, 2, 3].index_of(|x| x > 1)",
        "[1, 2, 3].index_of(|x| x > 0, 1)",
        "[1, 2, 3].index_of(|x| x > 0, -1)",
        "[1, 2, 3].index_of(|x| x > 5)",
        "[1, 2, 3].find(|x| x > 1)",
        "[[1, 2, 3].find(|x| x > 1, 2), [1, 2, 3].find(|x| x > 1, 7)]",
        "[1, 2, 3].find_map(|x| if x > 1 { x * 10 })",
        "[1, 2, 3].find_map(|x| if x > 1 { x * 10 }, -1)",
        "[[1, 2].some(|x| x > 1), [].some(|x| true), [1].some(|x| 1)]",
        "[[1, 2].all(|x| x > 1), [].all(|x| false), [1].all(|x| x > 0)]",
        "[1, 2, 3].reduce(|sum, x| if sum == () { x } else { sum + x })",
        "[1, 2, 3].reduce(|sum, x, i| sum + x * i, 10)",
        "[\"a\", \"b\"].reduce_rev(|sum, x| sum + x, \"\")",
        "[1, 2].reduce_rev(|sum, x, i| [sum, x, i])",
        "[1, 2].zip([3, 4], |a, b| a + b)",
        "[1, 2].zip([3, 4], |a, b, i| a + b * i)",
        "let l = [1, 2, 3, 4]; [l.drain(|x| x > 2), l]",
        "let l = [1, 2, 3, 4]; [l.retain(|x, i| i > 2), l]",
        "let m = #{ a: 1, b: 2 }; [m.map(|k, v| k + v), m.filter(|k, v| v > 1), m.filter(|k| this < 2)]",
        "let m = #{ a: 1, b: 2, c: 3 }; [m.drain(|k, v| v > 2), m.retain(|k, v| k == \"a\"), m]",
    ];

    /// Calls that always call their function, each with `g()` in it.
    const CALLS: [&str; 21] = [
        "[1, 2].order(|a, b| g())",
        "[1, 2].order_by(|a, b| g())",
        "let l = [1, 2]; l.sort(|a, b| g())",
        "let l = [1, 2]; l.sort_by(|a, b| g())",
        "let l = [1, 2]; l.dedup(|a, b| g())",
        "[1].for_each(|| g())",
        "[1].map(|x| g())",
        "[1].filter(|x| g())",
        "[1].index_of(|x| g())",
        "[1].find(|x| g())",
        "[1].find_map(|x| g())",
        "[1].some(|x| g())",
        "[1].all(|x| g())",
        "[1].reduce(|s, x| g())",
        "[1].reduce_rev(|s, x| g())",
        "[1].zip([1], |a, b| g())",
        "[1].drain(|x| g())",
        "[1].retain(|x| g())",
        "#{ a: 1 }.map(|k, v| g())",
        "#{ a: 1 }.filter(|k, v| g())",
        "#{ a: 1 }.drain(|k, v| g())",
    ];

    fn run(engine: &Engine, script: &str) -> String {
        engine
            .eval::<Dynamic>(script)
            .map_or_else(|error| error.to_string(), |it| format!("{it:?}"))
    }

    #[test]
    fn they_do_what_the_language_s_own_do() {
        let (mut replaced, own) = (Engine::new_raw(), Engine::new());
        rhai::packages::StandardPackage::new().register_into_engine(&mut replaced);
        crate::script::language::lists::register(&mut replaced);
        for script in USES {
            assert_eq!(run(&replaced, script), run(&own, script), "{script}");
        }
        let constant = "const L = [2, 1]; [L.map(|x| x), L.filter(|x| x > 1), L.find(|x| x > 1)]";
        assert_eq!(run(&replaced, constant), run(&own, constant));
    }

    #[test]
    fn each_passes_errors_on_and_what_it_works_on_is_whole() {
        let engine = crate::script::language::engine::engine();
        for call in CALLS {
            let script = call.replace("g()", "{ throw \"no\"; }");
            assert!(run(&engine, &script).contains("no"), "{script}");
        }
        let whole = "let l = [3, 1, 2]; let n = 0;
            for name in [\"sort\", \"drain\", \"retain\", \"dedup\"] {
                try { switch name {
                    \"sort\" => l.sort(|a, b| { throw 1; }),
                    \"drain\" => { l.drain(|x| if x == 1 { throw 1; } else { false }); },
                    \"retain\" => { l.retain(|x| if x == 1 { throw 1; } else { true }); },
                    \"dedup\" => l.dedup(|a, b| { throw 1; }),
                } } catch { n += 1; }
            }
            [l, n]";
        assert_eq!(run(&engine, whole), "[[3, 1, 2], 4]");
    }

    /// An inconsistent comparer neither panics nor loses an element.
    #[test]
    fn any_comparer_gives_all_elements() {
        let mut engine = crate::script::language::engine::engine();
        engine.set_max_operations(0);
        for comparer in ["1", "-1", "0", "true", "false", "(a * 7919 + b * 104729) % 3 - 1"] {
            let script = format!(
                "let l = []; for i in 0..200 {{ l.push(i); }} l.sort(|a, b| {comparer}); l.sort(); l"
            );
            let all: Vec<String> = (0..200).map(|it| it.to_string()).collect();
            assert_eq!(run(&engine, &script), format!("[{}]", all.join(", ")), "{comparer}");
        }
        let error = run(&engine, "[1, 2].order(|a, b| \"x\")");
        assert!(error.contains("negative, 0 or positive"), "{error}");
    }

    /// Otherwise `try` would continue after a limit.
    #[test]
    fn no_limit_can_be_caught_through_them() {
        let mut engine = crate::script::language::engine::engine();
        engine.set_max_operations(100_000).on_print(|_| panic!("it went on"));
        for limit in ["f(0)", "loop { }", "let s = \"x\"; loop { s += s; }"] {
            for call in CALLS {
                let script = format!(
                    "fn f(n) {{ f(n + 1) }} fn g() {{ {limit} }} try {{ {call}; }} catch {{ }} print(1);"
                );
                assert!(engine.run(&script).is_err(), "{call}: {limit}");
            }
        }
    }
}
