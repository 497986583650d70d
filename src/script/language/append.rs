//! Adds one or a few values to an array, in time that does not grow with the array.
//!
//! After each call that may change a value, the language counts all elements of its first argument. If
//! an array grows to ten thousand values, it would be counted ten thousand times. These functions have
//! the added value as their first argument, and count the array themselves, less often.

use std::{
    any::TypeId,
    mem,
    sync::{Arc, OnceLock},
};

use rhai::{
    Array, Blob, Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Map, Module,
    NativeCallContext, Position, RhaiFunc, Shared,
};

use super::limits::ARRAY_ELEMENTS_MAX;
use crate::script::values::thrown::throw;

/// An array is counted again when it has grown by one part in this many.
const COUNTS_PER_LENGTH: usize = 16;

/// A value with more elements than this is counted at once.
const SMALL_MAX: usize = 64;

/// Replaces the language's functions in an engine by these.
pub(in crate::script) fn register(engine: &mut Engine) {
    static MODULE: OnceLock<Arc<Module>> = OnceLock::new();
    engine.register_global_module(MODULE.get_or_init(|| module().into()).clone());
}

type Context<'a> = NativeCallContext<'a>;

fn module() -> Module {
    let mut module = Module::new();
    set(&mut module, "push", TypeId::of::<Dynamic>(), |list, value| list.push(value));
    set(&mut module, "append", TypeId::of::<Array>(), extend);
    set(&mut module, "+=", TypeId::of::<Dynamic>(), extend);
    module.build_index();
    module
}

/// Appends the elements of another array, or a single value.
fn extend(list: &mut Array, value: Dynamic) {
    match value.try_cast_result::<Array>() {
        Ok(values) => list.extend(values),
        Err(value) => list.push(value),
    }
}

fn set(module: &mut Module, name: &str, takes: TypeId, add: fn(&mut Array, Dynamic)) {
    let func = move |context: Option<Context<'_>>, arguments: &mut [&mut Dynamic]| {
        let context =
            context.ok_or_else(|| throw("the function was called without its context"))?;
        let [list, value] = arguments else { return Ok(Dynamic::UNIT) };
        let value = mem::take(*value).flatten();
        let is_small = is_small(&value, &mut { SMALL_MAX });
        let must_count = {
            let list = &mut *list
                .write_lock::<Array>()
                .ok_or_else(|| throw("the value to add to is not an array"))?;
            let before = list.len();
            add(list, value);
            if list.len() > ARRAY_ELEMENTS_MAX {
                let what = "Size of array/BLOB".to_owned();
                return Err(EvalAltResult::ErrorDataTooLarge(what, Position::NONE).into());
            }
            !is_small || is_counted(before, list.len())
        };
        if must_count {
            context.engine().ensure_data_size_within_limits(list)?;
        }
        arguments.swap(0, 1);
        Ok(Dynamic::UNIT)
    };
    let func = RhaiFunc::Method {
        func: Shared::new(func),
        has_context: true,
        is_pure: false,
        is_volatile: false,
    };
    let types = [TypeId::of::<Array>(), takes];
    FuncRegistration::new(name).in_global_namespace().set_into_module_raw(module, types, func);
}

/// Returns true if an array that grew from one length to another has to be counted.
fn is_counted(before: usize, after: usize) -> bool {
    let every = (after.next_power_of_two() / COUNTS_PER_LENGTH).max(1);
    before / every != after / every
}

/// Returns true if a value is so small that it can be counted later.
fn is_small(value: &Dynamic, rest: &mut usize) -> bool {
    let size = match () {
        () if value.is_string() => {
            value.read_lock::<ImmutableString>().map_or(0, |it| it.len() / 16)
        }
        () if value.is_blob() => value.read_lock::<Blob>().map_or(0, |it| it.len()),
        () => 1,
    };
    let Some(left) = rest.checked_sub(size) else { return false };
    *rest = left;
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().all(|value| is_small(value, rest));
    }
    value.read_lock::<Map>().is_none_or(|map| map.values().all(|value| is_small(value, rest)))
}

#[cfg(test)]
mod tests {
    use super::is_counted;
    use crate::script::language::engine;

    fn text(script: &str) -> String {
        let value = engine::engine().eval::<rhai::Dynamic>(script);
        value.map_or_else(|error| error.to_string(), |value| value.to_string())
    }

    #[test]
    fn lists_grow_as_the_language_lets_them() {
        for (script, expected) in [
            ("let l = []; l.push(1); l.push([2]); push(l, 3); l", "[1, [2], 3]"),
            (
                "let l = [1]; l += 2; l += [3, 4]; l += [[5]]; l += \"x\"; l",
                "[1, 2, 3, 4, [5], \"x\"]",
            ),
            ("let l = [1]; l.append([2, 3]); l.append([]); l", "[1, 2, 3]"),
            ("let m = #{ l: [] }; m.l.push(1); m.l += 2; m[\"l\"].push(3); m.l", "[1, 2, 3]"),
            ("let l = [[]]; l[0].push(7); l[0] += 8; l", "[[7, 8]]"),
            ("let l = []; let f = |x| l.push(x); f.call(1); f.call(2); l += 3; l", "[1, 2, 3]"),
            ("let l = [1]; let k = l; k.push(2); l += l; [l, k]", "[[1, 1], [1, 2]]"),
            ("let l = [1, 2].map(|x| { let k = [x]; k.push(x); k }); l", "[[1, 1], [2, 2]]"),
            ("let s = \"a\"; s += \"b\"; let n = 1; n += 2; n *= 3; `${s}${n}`", "ab9"),
        ] {
            assert_eq!(text(script), expected, "{script}");
        }
        for (script, expected) in [
            ("const L = [1]; L.push(2);", "constant"),
            ("const L = [1]; L += 2;", "constant"),
            ("let l = []; for i in 0..100_001 { l.push(i); }", "Size of array"),
            ("let l = []; for i in 0..100_001 { l += i; }", "Size of array"),
            ("let l = [1]; loop { l.append(l); }", "Size of array"),
            ("let k = []; k.pad(50, 0); let l = []; loop { l.push(k); }", "Size of array"),
            ("let k = []; k.pad(900, 0); let l = []; loop { l += [k]; }", "Size of array"),
            (
                "let t = \"x\"; t.pad(1000, \"x\"); let l = []; loop { l.push(t); }",
                "Length of string",
            ),
            ("let m = #{ a: 1, b: 2 }; let l = []; loop { l.push(m); }", "Size of object map"),
        ] {
            assert!(text(script).contains(expected), "{script}: {}", text(script));
        }
    }

    /// Returns how many values are counted while an array grows to this length one by one.
    fn looked_at(length: usize) -> usize {
        (1..=length).filter(|after| is_counted(after - 1, *after)).sum()
    }

    #[test]
    fn growing_twice_as_long_looks_at_twice_as_much() {
        for length in [1_000, 10_000, 50_000] {
            assert!(looked_at(2 * length) < 3 * looked_at(length), "{length}");
            assert!(looked_at(length) < 32 * length, "{length}");
        }
    }
}
