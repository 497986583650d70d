//! [`Suite`]: a file of tests.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::{Duration, Instant},
};

use rhai::{CallFnOptions, Dynamic, Engine, EvalAltResult, NativeCallContext, Scope};

use super::{
    explain,
    fake_commit::FakeCommit,
    methods, result,
    tester::{StepRunner, Tester},
};
use crate::{
    model::{
        error::{Error, Position},
        function::{HostFunction, Value},
        script::Tree,
        test_report::TestResult,
    },
    script::{
        api::registry,
        errors::{message, report},
        functions::strings,
        language::engine,
        load::loading::Unknown,
        syntax::{imports::Modules, script::Script, unit::declared_at},
        text::excerpt,
        values::{
            conversion::dynamic_of,
            thrown::{Thrown, throw},
        },
    },
    util::threads::panic_text,
};

/// The prefix of a test's name.
pub(super) const PREFIX: &str = "test_";

/// Time limit of a test. Nothing in a test waits, so a longer one is an endless loop.
pub(super) const LIMIT: Duration = Duration::from_secs(60);

/// A file of tests.
pub(crate) struct Suite {
    pub(super) script: Script,
    pub(super) tests: Vec<(String, Position)>,
}

impl Suite {
    /// Reads a file of tests and its imports.
    pub(crate) fn load(
        bytes: &[u8],
        name: &str,
        tree: &dyn Tree,
        functions: &[HostFunction],
    ) -> Result<Self, Error> {
        Self::load_with(bytes, name, tree, functions, Unknown::Refused)
    }

    /// Reads a file of tests. With [`Unknown::Reported`], undefined names are accepted, because a
    /// check reports them.
    pub(in crate::script) fn load_with(
        bytes: &[u8],
        name: &str,
        tree: &dyn Tree,
        functions: &[HostFunction],
        unknown: Unknown,
    ) -> Result<Self, Error> {
        let script = Script::read(bytes, name, tree, functions, unknown)?;
        let mut tests = Vec::new();
        let own = script.main.ast.iter_fn_def().filter(|it| it.name.starts_with(PREFIX));
        for function in own {
            let source = &script.main.source;
            let at = declared_at(source, function);
            if function.params.len() != 1 {
                let message =
                    format!("a test takes one parameter; write `fn {}(t)`", function.name);
                return Err(excerpt::error(source, at, message));
            }
            tests.push((function.name.to_string(), at));
        }
        tests.sort_by_key(|(_, at)| (at.line, at.column));
        Ok(Self { script, tests })
    }

    /// Returns the parsed file and its imports.
    pub(in crate::script) fn script(&self) -> &Script {
        &self.script
    }

    /// Returns the names of its tests, in the order of the file.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.tests.iter().map(|(name, _)| name.as_str())
    }

    /// Runs the selected tests. The thread needs a stack as large as a worker's.
    pub(crate) fn run(
        &self,
        runner: &Arc<dyn StepRunner>,
        pipeline: &Script,
        functions: &[HostFunction],
        selected: impl Fn(&str) -> bool,
    ) -> Vec<TestResult> {
        let selected = self.tests.iter().filter(|(name, _)| selected(name));
        let run = |(name, position): &(String, Position)| {
            let clock = Instant::now();
            let (name, position) = (name.clone(), *position);
            let failure = self.run_one(runner, &name, position, pipeline, functions).err();
            TestResult { name, position, failure, duration: clock.elapsed() }
        };
        selected.map(run).collect()
    }

    pub(super) fn run_one(
        &self,
        runner: &Arc<dyn StepRunner>,
        name: &str,
        begin: Position,
        pipeline: &Script,
        functions: &[HostFunction],
    ) -> Result<(), Error> {
        let (runner, deadline) = (runner.clone(), Instant::now() + LIMIT);
        let stage = Tester::new(runner, pipeline.clone(), functions.to_vec(), deadline);
        let engine = self.engine(&stage);
        let work = || {
            let (ast, mut scope) = (&self.script.main.ast, Scope::new());
            let arguments = vec![Dynamic::from(stage.clone())];
            let options = CallFnOptions::default();
            engine.call_fn_with_options::<Dynamic>(options, &mut scope, ast, name, arguments)
        };
        let called = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let message = format!("the test could not go on: {}", panic_text(&*panic));
            Err(throw(message))
        });
        let ended = called.and_then(|_| stage.expect_nothing_left(name));
        ended.map_err(|thrown| {
            let describe = |error: &EvalAltResult| explain::explain(error, &self.script, &stage);
            report::located(&thrown, &self.script, name, begin, describe)
        })
    }

    /// Returns an engine with `t` and without functions that have effects.
    pub(super) fn engine(&self, stage: &Tester) -> Engine {
        let mut engine = engine::engine();
        methods::register(&mut engine);
        result::register(&mut engine);
        strings::register(&mut engine);
        for function in registry::FUNCTIONS {
            let Some(message) = refusal(function.name) else { continue };
            for arguments in function.counts() {
                refuse(&mut engine, function.name, arguments, message.clone());
            }
        }
        let printed = stage.clone();
        engine.on_print(move |text| printed.print(text));
        let printed = stage.clone();
        engine.on_debug(move |text, _, _| printed.print(text));
        let (watched, deadline) = (stage.clone(), stage.0.deadline);
        engine.on_progress(move |steps| {
            let late = steps.is_multiple_of(1024) && Instant::now() >= deadline;
            late.then(|| watched.timeout_error())
        });
        engine.set_module_resolver(Modules::new(self.script.modules.clone()));
        engine
    }
}

/// Returns the error for a function of the API that tests cannot call, or `None` if they can. If a
/// test could call `sh`, it might run a command by mistake.
pub(in crate::script) fn refusal(name: &str) -> Option<String> {
    (!matches!(name, "print" | "debug") && !registry::is_string_function(name)).then(|| {
        format!(
            "`{name}` is for pipelines and cannot be called in a test; call a step, such as \
             `t.build(#{{ branch: \"main\" }})`"
        )
    })
}

/// Returns the error for one key of a commit in a test. `value` is `None` if it is not a literal.
pub(in crate::script) fn commit_fault(key: &str, value: Option<Value>) -> Option<String> {
    if value.is_none() && FakeCommit::has(key) {
        return None;
    }
    let value = value.map(dynamic_of).unwrap_or_default();
    let commit = Dynamic::from_map([(key.into(), value)].into_iter().collect());
    let fault = FakeCommit::of(Some(&commit)).err()?;
    Some(message::message(&fault, None))
}

/// Returns the names of the methods of `t` and of results.
pub(in crate::script) fn method_names() -> Vec<&'static str> {
    let own = methods::METHODS.iter().map(|(name, ..)| *name);
    own.chain(result::METHODS).chain(registry::step_names()).collect()
}

/// Returns the numbers of arguments that a method takes.
pub(in crate::script) fn method_counts(name: &str) -> impl Iterator<Item = usize> {
    let own = methods::METHODS.iter().filter(move |(it, ..)| *it == name);
    let own = own.flat_map(|(_, arguments, _)| arguments.clone());
    let of_results = result::METHODS.iter().filter(move |it| **it == name).map(|_| 1);
    let steps = registry::step_names().filter(move |it| *it == name).flat_map(|_| 0..=1);
    own.chain(of_results).chain(steps)
}

pub(super) fn refuse(engine: &mut Engine, name: &'static str, arguments: usize, message: String) {
    let types = vec![std::any::TypeId::of::<Dynamic>(); arguments];
    let refusal = move |_: NativeCallContext<'_>, _: &mut [&mut Dynamic]| {
        Err::<Dynamic, Thrown>(throw(message.clone()))
    };
    engine.register_raw_fn(name, types, refusal);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::testing::{fake_commit, fakes};

    /// The tables of the guide name everything that a test can use.
    #[test]
    fn the_guide_knows_it_all() {
        let guide = include_str!("../../guide/scripts.md");
        let methods = methods::METHODS.iter().map(|(name, ..)| format!("`t.{name}("));
        let of_results = result::METHODS.iter().map(|name| format!("`{name}("));
        let names = fake_commit::KEYS.iter().chain(&fakes::KEYS).chain(&result::PROPERTIES);
        let names = names.map(|name| format!("`{name}`"));
        for name in methods.chain(of_results).chain(names) {
            assert!(guide.contains(&name), "{name}");
        }
    }
}
