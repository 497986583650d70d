//! Limits how deep values may be nested and how large a map may grow.
//!
//! The language limits the sizes of arrays and maps, but not how often a closure captures another.
//! Values are copied and dropped by recursion, so a chain of a hundred thousand closures would
//! overflow the stack and end the process. So values are measured when a script uses a variable,
//! because nothing grows without that. The same callback turns the value that `catch` got into an
//! error object.

#![expect(deprecated, reason = "rhai marks the sight of each variable so to call it volatile")]

use std::{
    hash::{BuildHasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};

use rhai::{Array, Dynamic, Engine, EvalAltResult, FnPtr, Map};

use super::limits::MAP_ENTRIES_MAX;
use crate::script::errors::caught;

/// Maximum nesting. Data and closures that people write are far below it.
const DEPTH_MAX: usize = 128;

/// Number of values that are measured in a closure. Closures are measured at every use, because
/// they contain few values.
const CLOSURE_VALUES_MAX: usize = 1_000;

/// Arrays and maps are measured at one use in this many, at random, and less often the larger they
/// are. That costs little, and a script cannot choose which use is measured.
const USES_PER_LOOK: usize = 64;

/// Number of values that are measured in an array or map.
const VALUES_MAX: usize = 20_000;

/// Limits the nesting of values in an engine.
pub(in crate::script) fn limit(engine: &mut Engine) {
    limit_and(engine, || Ok(()));
}

/// Limits the nesting, and calls `also` first: the language has only one callback for both.
pub(in crate::script) fn limit_and(
    engine: &mut Engine,
    also: impl Fn() -> Result<(), Box<EvalAltResult>> + Send + Sync + 'static,
) {
    let random = RandomState::new();
    let uses = AtomicU64::new(0);
    engine.on_var(move |name, _, context| {
        also()?;
        let value = context.scope().get(name).filter(|value| !is_being_changed(value));
        let Some(value) = value else { return Ok(None) };
        if let Some(error) = caught::of_catch(value) {
            return Ok(Some(error));
        }
        let length = length(value);
        // The language checks the size after an assignment of a map, but not after `map[key] =
        // value`.
        if value.is_map() && length > Some(MAP_ENTRIES_MAX) {
            let what = "Size of object map".to_owned();
            return Err(EvalAltResult::ErrorDataTooLarge(what, rhai::Position::NONE).into());
        }
        let (one_in, mut rest) = match length {
            None if value.is_fnptr() => (1, CLOSURE_VALUES_MAX),
            None => return Ok(None),
            Some(length) => (USES_PER_LOOK + length / 8, VALUES_MAX),
        };
        let chance = random.hash_one(uses.fetch_add(1, Ordering::Relaxed));
        if !chance.is_multiple_of(one_in as u64) {
            return Ok(None);
        }
        if is_deeper(value, DEPTH_MAX, &mut rest) {
            let message = format!(
                "`{name}` contains values nested more than {DEPTH_MAX} deep, or a closure that \
                 captures itself"
            );
            // As with all limits, no script can catch it.
            return Err(EvalAltResult::ErrorTerminated(message.into(), rhai::Position::NONE).into());
        }
        Ok(None)
    });
}

/// Returns the number of direct elements of an array or map.
fn length(value: &Dynamic) -> Option<usize> {
    let list = value.read_lock::<Array>().map(|list| list.len());
    list.or_else(|| value.read_lock::<Map>().map(|map| map.len()))
}

/// Returns true if a value is shared and locked. For other values, `is_locked` would inspect
/// everything in them.
fn is_being_changed(value: &Dynamic) -> bool {
    value.is_shared() && value.is_locked()
}

/// Returns true if a value is nested deeper than `depth`, within the `rest` of values to measure.
fn is_deeper(value: &Dynamic, depth: usize, rest: &mut usize) -> bool {
    *rest = rest.saturating_sub(1);
    // A value that is being changed is measured at its next use.
    if *rest == 0 || is_being_changed(value) {
        return false;
    }
    let Some(depth) = depth.checked_sub(1) else { return true };
    if let Some(function) = value.read_lock::<FnPtr>() {
        return function.iter_curry().any(|value| is_deeper(value, depth, rest));
    }
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().any(|value| is_deeper(value, depth, rest));
    }
    value
        .read_lock::<Map>()
        .is_some_and(|map| map.values().any(|value| is_deeper(value, depth, rest)))
}

#[cfg(test)]
mod tests {
    fn fault(script: &str) -> String {
        let mut engine = crate::script::language::engine::engine();
        engine.set_max_operations(100_000);
        engine.run(script).map_or_else(
            |error| crate::script::errors::message::message(&error, None),
            |()| "none".to_owned(),
        )
    }

    #[test]
    fn what_grows_without_end_is_stopped_while_it_is_small() {
        for script in [
            "let f = || 1; loop { let g = f; f = || g; }",
            "let f = || 1; loop { let g = [f]; f = || g; }",
            "let g = []; loop { let h = [|| g]; g = h; }",
            "let f = || 1; loop { let g = #{ f: f }; f = || g; }",
            "fn wrap(f) { || f } let f = || 1; loop { f = wrap(f); }",
            "let f = Fn(\"x\"); loop { f = Fn(\"x\").curry(f); }",
            "let f = || 1; f = || f; f",
        ] {
            assert!(fault(script).contains("more than 128 deep"), "{script}: {}", fault(script));
        }
        for script in [
            "let l = []; loop { l = [l]; }",
            "let m = #{}; loop { m = #{ m: m }; }",
            "let l = []; loop { l = [[], l, 1]; }",
        ] {
            assert!(fault(script).contains("more than 128 deep"), "{script}: {}", fault(script));
        }
    }

    #[test]
    fn maps_do_not_grow_entry_by_entry_beyond_their_limit() {
        let grow = "let m = #{}; for i in 0..10010 { m[i.to_string()] = i; } m.len()";
        assert!(fault(grow).contains("grows too large"), "{}", fault(grow));
        let full = "let m = #{}; for i in 0..9999 { m[i.to_string()] = i; } m.len()";
        assert_eq!(fault(full), "none");
    }

    #[test]
    fn ordinary_closures_and_data_are_left_alone() {
        for script in [
            "let l = []; for i in 0..2000 { l.push([i, #{ a: i }]); } for i in 0..2000 { l[i]; }",
            "let a = 1; let f = || a; let g = || f.call(); for i in 0..100 { g.call(); }",
            "let l = [1]; for i in 0..100 { l = [l[0]]; }",
            "let n = 0; let add = |x| { n += x; }; for i in 0..100 { add.call(i); }",
        ] {
            assert_eq!(fault(script), "none", "{script}");
        }
    }
}
