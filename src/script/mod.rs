//! Tests of scripts: which to run, and their results.
//!
//! [`Engine::test_pipeline`](crate::Engine::test_pipeline) and
//! [`Checker::test`](crate::check::Checker::test) run them.
//!
//! ```no_run
//! use tinyci::{Engine, script::TestOptions};
//!
//! let engine = Engine::open("/srv/git/app.git")?;
//! let report = engine.test_pipeline(&TestOptions::revision("main"))?;
//! assert!(report.passed());
//! # Ok::<(), tinyci::Error>(())
//! ```

// Scripts: the only module that names rhai. No type of rhai leaves it.
//
// Each directory imports those above it in this table, and none below.
//
// | directory | contents |
// |---|---|
// | `text` | the text of scripts, and searches in strings |
// | `api` | the functions, objects and constants of scripts, as tables |
// | `values` | script values, and errors as values |
// | `syntax` | parsed scripts |
// | `errors` | the error that `catch` gets, and error reports |
// | `language` | the rhai engine with its limits |
// | `load` | from bytes to a parsed script |
// | `session` | the state that the functions of a running step share |
// | `functions` | the functions that scripts call |
// | `run` | running one step |
// | `testing` | tests of a pipeline |
// | `check` | checks of a script before it runs |
// | `definitions` | the reference of the script API |
//
// These modules do not use git, child processes or files. The caller provides a `Tree` to load a
// script from and a `Host` to act on.

mod api;
mod check;
mod definitions;
mod errors;
mod functions;
mod language;
mod load;
mod run;
mod session;
mod syntax;
mod testing;
mod text;
mod values;

pub(crate) use self::{
    check::{
        check_script::{check, check_tests},
        expression::{ExpressionValidator, may_be_expression},
    },
    definitions::reference::definitions,
    functions::host::refuse_clashes,
    language::engine::probe,
    load::last::LastScript,
    run::{
        step::{StepCall, run},
        template::interpolate_template,
    },
    syntax::{hits::Hits, script::Script},
    testing::{
        suite::Suite,
        tester::{StepRunner, TestJob},
    },
};

pub use crate::model::test_report::{
    Coverage, FileCoverage, TestOptions, TestReport, TestResult, TestSource, UncoveredLines,
};

#[cfg(test)]
mod tests;
