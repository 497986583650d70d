//! Replaces the functions of strings whose result can be much longer than their arguments.
//!
//! The language checks the size of a result only after it has created the result. By then it may have
//! filled the memory, and a deadline cannot interrupt a function of the language. So these functions
//! check the size first. Their results are the same as those of the language's own functions.

use std::sync::{Arc, OnceLock};

use rhai::{
    Array, Dynamic, Engine, EvalAltResult, FuncRegistration, ImmutableString, Module, Position,
};

use super::limits::{ARRAY_ELEMENTS_MAX, STRING_BYTES_MAX};
use crate::script::values::thrown::Thrown;

/// Registers these functions in place of the language's own.
pub(in crate::script) fn register(engine: &mut Engine) {
    static MODULE: OnceLock<Arc<Module>> = OnceLock::new();
    engine.register_global_module(MODULE.get_or_init(|| module().into()).clone());
}

/// Returns the error for a string that would exceed the limit of scripts.
pub(in crate::script) fn too_long() -> Thrown {
    EvalAltResult::ErrorDataTooLarge("Length of string".to_owned(), Position::NONE).into()
}

fn module() -> Module {
    let mut module = Module::new();
    FuncRegistration::new("pad").with_purity(false).set_into_module(&mut module, pad);
    replacements(&mut module);
    let pure = |name: &str| FuncRegistration::new(name).with_purity(true);
    pure("to_chars").set_into_module(&mut module, |text: &mut ImmutableString| {
        array_of(text.chars().map(Dynamic::from))
    });
    pure("split").set_into_module(&mut module, |text: &mut ImmutableString| {
        array(text, text.split_whitespace())
    });
    pure("split")
        .set_into_module(&mut module, |text: &mut ImmutableString, at: ImmutableString| {
            array(text, text.split(at.as_str()))
        });
    pure("split").set_into_module(&mut module, |text: &mut ImmutableString, at: char| {
        array(text, text.split(at))
    });
    pure("split").set_into_module(
        &mut module,
        |text: &mut ImmutableString, at: ImmutableString, segments: i64| {
            array(text, text.splitn(count(segments), at.as_str()))
        },
    );
    pure("split").set_into_module(
        &mut module,
        |text: &mut ImmutableString, at: char, segments: i64| {
            array(text, text.splitn(count(segments), at))
        },
    );
    backward_splits(&mut module);
    module
}

fn backward_splits(module: &mut Module) {
    let pure = || FuncRegistration::new("split_rev").with_purity(true);
    pure().set_into_module(module, |text: &mut ImmutableString, at: ImmutableString| {
        array(text, text.rsplit(at.as_str()))
    });
    pure().set_into_module(module, |text: &mut ImmutableString, at: char| {
        array(text, text.rsplit(at))
    });
    pure().set_into_module(
        module,
        |text: &mut ImmutableString, at: ImmutableString, segments: i64| {
            array(text, text.rsplitn(count(segments), at.as_str()))
        },
    );
    pure().set_into_module(module, |text: &mut ImmutableString, at: char, segments: i64| {
        array(text, text.rsplitn(count(segments), at))
    });
}

fn replacements(module: &mut Module) {
    let changing = || FuncRegistration::new("replace").with_purity(false);
    changing().set_into_module(
        module,
        |text: &mut ImmutableString, from: ImmutableString, to: ImmutableString| {
            replace(text, &from, &to)
        },
    );
    changing().set_into_module(
        module,
        |text: &mut ImmutableString, from: char, to: ImmutableString| {
            replace(text, from.encode_utf8(&mut [0; 4]), &to)
        },
    );
    changing().set_into_module(
        module,
        |text: &mut ImmutableString, from: ImmutableString, to: char| {
            replace(text, &from, to.encode_utf8(&mut [0; 4]))
        },
    );
    changing().set_into_module(module, |text: &mut ImmutableString, from: char, to: char| {
        replace(text, from.encode_utf8(&mut [0; 4]), to.encode_utf8(&mut [0; 4]))
    });
}

/// Returns the maximum number of parts. As in the language, zero and negative numbers mean one.
fn count(segments: i64) -> usize {
    usize::try_from(segments).unwrap_or(0).max(1)
}

/// Returns the parts of a text as an array. As in the language, an empty text has one part.
fn array<'t>(text: &str, parts: impl Iterator<Item = &'t str>) -> Result<Array, Thrown> {
    if text.is_empty() {
        return array_of(std::iter::once(ImmutableString::new().into()));
    }
    array_of(parts.map(|part| ImmutableString::from(part).into()))
}

fn array_of(parts: impl Iterator<Item = Dynamic>) -> Result<Array, Thrown> {
    let parts: Array = parts.take(ARRAY_ELEMENTS_MAX + 1).collect();
    if parts.len() <= ARRAY_ELEMENTS_MAX {
        return Ok(parts);
    }
    let what = "Size of array/BLOB".to_owned();
    Err(EvalAltResult::ErrorDataTooLarge(what, Position::NONE).into())
}

fn replace(text: &mut ImmutableString, from: &str, to: &str) -> Result<(), Thrown> {
    // The language replaces nothing in an empty text, although it contains an empty text.
    if text.is_empty() {
        return Ok(());
    }
    let found = text.matches(from).count();
    let added = found.saturating_mul(to.len().saturating_sub(from.len()));
    if text.len().saturating_add(added) > STRING_BYTES_MAX {
        return Err(too_long());
    }
    if found > 0 {
        *text = text.replace(from, to).into();
    }
    Ok(())
}

/// Appends a string repeatedly until the text has this many characters. An empty string adds nothing.
fn pad(text: &mut ImmutableString, length: i64, padding: ImmutableString) -> Result<(), Thrown> {
    let wanted = usize::try_from(length).unwrap_or(0);
    if wanted > STRING_BYTES_MAX {
        return Err(too_long());
    }
    let missing = wanted.saturating_sub(text.chars().count());
    let added: String = padding.chars().cycle().take(missing).collect();
    if text.len() + added.len() > STRING_BYTES_MAX {
        return Err(too_long());
    }
    if !added.is_empty() {
        *text += added.as_str();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rhai::packages::{Package, StandardPackage};

    use super::*;

    /// Returns the result of the language's own functions.
    fn of_language(script: &str) -> String {
        let mut engine = Engine::new_raw();
        StandardPackage::new().register_into_engine(&mut engine);
        said(&engine, script)
    }

    fn said(engine: &Engine, script: &str) -> String {
        engine.eval::<Dynamic>(script).map_or_else(|error| error.to_string(), |it| it.to_string())
    }

    #[test]
    fn they_give_what_those_of_the_language_give() {
        let engine = crate::script::language::engine::engine();
        let calls = [
            "split()",
            "split(\"b\")",
            "split('b')",
            "split(\"b\", 2)",
            "split('b', 2)",
            "split(\"b\", 0)",
            "split(\"b\", -1)",
            "split(\"\")",
            "split_rev(\"b\")",
            "split_rev('b')",
            "split_rev(\"b\", 2)",
            "split_rev('b', 2)",
            "split(2)",
            "split(-2)",
            "to_chars()",
        ];
        let changes = [
            "pad(12, \"xyz\")",
            "pad(2, \"xyz\")",
            "pad(-1, \"x\")",
            "pad(9, 'x')",
            "replace(\"b\", \"BB\")",
            "replace('b', \"BB\")",
            "replace(\"b\", 'B')",
            "replace('b', 'B')",
            "replace(\"\", \"-\")",
            "replace(\"q\", \"\")",
            "replace(\"ab\", \"\")",
        ];
        for text in ["", "b", "abcabc", " a b  c ", "\u{e9}b\u{1f600}"] {
            for call in calls {
                let script = format!("\"{text}\".{call}");
                assert_eq!(said(&engine, &script), of_language(&script), "{script}");
            }
            for change in changes {
                let script = format!("let s = \"{text}\"; s.{change}; s");
                assert_eq!(said(&engine, &script), of_language(&script), "{script}");
            }
        }
    }

    #[test]
    fn none_makes_more_than_a_script_may_have() {
        let engine = crate::script::language::engine::engine();
        let long = "let s = \"x\"; while s.len() < 8000000 { s += s; }";
        for (call, expected) in [
            ("s.replace(\"x\", s)", "Length of string too large"),
            ("s.replace('x', s)", "Length of string too large"),
            ("s.replace(\"\", s)", "Length of string too large"),
            ("s.pad(16777217, \"x\")", "Length of string too large"),
            ("s.pad(16777216, \"\u{1f600}\")", "Length of string too large"),
            ("s.split(\"\")", "Size of array/BLOB too large"),
            ("s.split(\"x\")", "Size of array/BLOB too large"),
            ("s.split('x')", "Size of array/BLOB too large"),
            ("s.split('x', 2000000)", "Size of array/BLOB too large"),
            ("s.split_rev(\"x\")", "Size of array/BLOB too large"),
            ("s.split_rev('x', 2000000)", "Size of array/BLOB too large"),
            ("s.to_chars()", "Size of array/BLOB too large"),
        ] {
            let said = said(&engine, &format!("{long} {call}"));
            assert!(said.contains(expected), "{call}: {said:.100}");
        }
        assert_eq!(said(&engine, "let s = \"a\"; s.pad(5, \"\"); s"), "a");
    }
}
