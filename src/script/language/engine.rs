//! Creates the engine that runs scripts, with its limits.
//!
//! All crates of a program share one build of rhai, with all the features that any of them enables.
//! Some features remove limits or parts of the language. So each is probed before a script runs.

#![expect(deprecated, reason = "rhai marks the sight of each token so to call it volatile")]

use std::sync::OnceLock;

use rhai::{
    Engine, Module, OptimizationLevel, Scope, Shared, Token,
    packages::{Package, StandardPackage},
};

use super::{
    append,
    limits::{
        ARRAY_ELEMENTS_MAX, CALLS_MAX, DEPTH_MAX, MAP_ENTRIES_MAX, OPERATIONS_MAX,
        STRING_BYTES_MAX, STRINGS_INTERNED_MAX,
    },
    lists, nesting, strings,
};
use crate::{
    model::error::{Error, ErrorKind},
    script::{errors::script_error, syntax::imports::MODULES_MAX},
};

/// Returns an engine with the language's own functions and every limit.
pub(in crate::script) fn engine() -> Engine {
    let mut engine = Engine::new_raw();
    engine.register_global_module(standard_functions());
    engine
        // The optimizer panics on some invalid scripts, and may call functions while it compiles.
        .set_optimization_level(OptimizationLevel::None)
        .set_strict_variables(true)
        .set_fail_on_invalid_map_property(true)
        .set_max_operations(OPERATIONS_MAX)
        .set_max_call_levels(CALLS_MAX)
        .set_max_expr_depths(DEPTH_MAX, DEPTH_MAX)
        .set_max_string_size(STRING_BYTES_MAX)
        .set_max_array_size(ARRAY_ELEMENTS_MAX)
        .set_max_map_size(MAP_ENTRIES_MAX)
        .set_max_modules(MODULES_MAX + 1)
        // Otherwise `+=` would not call the function in `append`.
        .set_fast_operators(false)
        .set_max_strings_interned(STRINGS_INTERNED_MAX)
        .disable_symbol("eval")
        // A library must not write to stdout. The runner sets `print` and `debug`.
        .on_print(|_| {})
        .on_debug(|_, _, _| {});
    engine.on_parse_token(|token, _, _| own_word(token));
    script_error::register(&mut engine);
    nesting::limit(&mut engine);
    lists::register(&mut engine);
    append::register(&mut engine);
    strings::register(&mut engine);
    engine.set_module_resolver(rhai::module_resolvers::DummyModuleResolver::new());
    engine
}

/// Turns the reserved word `with` into a name. The language does not use the word, but tinyci has a
/// function of this name.
pub(in crate::script) fn own_word(token: Token) -> Token {
    match token {
        Token::Reserved(word) if *word == "with" => Token::Identifier(word),
        token => token,
    }
}

/// Returns the language's own functions. Registering thousands of them takes longer than most
/// steps, and they are the same in every engine, so all engines share them.
fn standard_functions() -> Shared<Module> {
    static STANDARD: OnceLock<StandardPackage> = OnceLock::new();
    STANDARD.get_or_init(StandardPackage::new).as_shared_module()
}

/// A part of the language that a feature of rhai removes, and a script that shows if it is there.
struct Probe {
    feature: &'static str,
    script: &'static str,
    is_expected: fn(bool) -> bool,
}

/// The limits and parts that tinyci relies on. `is_expected` takes true if the script ended without
/// an error.
const PROBES: [Probe; 5] = [
    Probe { feature: "unchecked", script: "loop { }", is_expected: |passed| !passed },
    Probe { feature: "no_index", script: "let a = [1, 2]; a[1]", is_expected: |passed| passed },
    Probe { feature: "no_object", script: "let m = #{ a: 1 }; m.a", is_expected: |passed| passed },
    Probe { feature: "no_function", script: "fn f(x) { x } f(1)", is_expected: |passed| passed },
    Probe {
        feature: "no_closure",
        script: "let a = 1; let f = || a; f.call()",
        is_expected: |passed| passed,
    },
];

/// Returns an error if this program's rhai lacks limits or parts of the language.
///
/// With `no_module`, `only_i32` or `no_float`, this module does not compile.
pub(crate) fn probe() -> Result<(), Error> {
    let mut engine = engine();
    // With the feature `unchecked`, only this ends the loop.
    engine
        .set_max_operations(1_000)
        .on_progress(|steps| (steps > 100_000).then(rhai::Dynamic::default));
    let broken = PROBES.iter().find(|probe| {
        let passed = match engine.run_with_scope(&mut Scope::new(), probe.script) {
            Ok(()) => true,
            // `on_progress` ended it, so the limit does not work.
            Err(error) => matches!(*error, rhai::EvalAltResult::ErrorTerminated(..)),
        };
        !(probe.is_expected)(passed)
    });
    match broken {
        None => Ok(()),
        Some(probe) => {
            let message = format!(
                "this program was built with the feature `{}` of the crate rhai, which removes \
                 limits that scripts need; build it without that feature",
                probe.feature
            );
            Err(Error::new(ErrorKind::Unsupported, message))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_build_of_rhai_keeps_its_limits() {
        probe().unwrap();
    }

    #[test]
    fn every_limit_ends_what_exceeds_it() {
        let cases = [
            ("loop { }", "Too many operations"),
            ("fn f(n) { f(n + 1) } f(0)", "Stack overflow"),
            ("let s = \"x\"; loop { s += s; }", "Length of string too large"),
            ("let a = [1]; loop { a += a; }", "Size of array/BLOB too large"),
            (
                "let m = #{}; for i in 0..10001 { m[i.to_string()] = i; } m += #{};",
                "Size of object map too large",
            ),
            ("eval(\"1\")", "'eval' is disabled"),
            ("let m = #{}; m.nothing", "nothing"),
            ("nothing", "Undefined variable: nothing"),
            ("import \"x\" as x;", "Module not found"),
        ];
        for (script, expected) in cases {
            let error =
                engine().run(script).map_or_else(|error| error.to_string(), |()| String::new());
            assert!(error.contains(expected), "{script}: {error}");
        }
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        let error = engine().run(&deep).map_or_else(|error| error.to_string(), |()| String::new());
        assert!(error.contains("exceeds"), "{error}");
    }

    #[test]
    fn a_script_that_breaks_the_optimizer_is_merely_wrong() {
        let error = engine().run("const M = #{ a: 1 }; M.a = 2;").unwrap_err().to_string();
        assert!(error.contains("M"), "{error}");
    }
}
