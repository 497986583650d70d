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
// | `text` | texts of scripts, and texts that are searched |
// | `api` | what scripts find beside the language, as tables |
// | `values` | values of scripts, and errors as values |
// | `syntax` | parsed scripts |
// | `errors` | what `catch` gets, and what people read of it |
// | `language` | the language with its limits |
// | `load` | from bytes to a script |
// | `session` | what the functions of a running phase share |
// | `functions` | the functions that scripts call |
// | `run` | one phase |
// | `testing` | tests of a pipeline |
// | `check` | what is wrong, found before anything runs |
// | `definitions` | the reference of the script API |
//
// Absent here: git, child processes, files. A script is loaded through a
// `Tree` and acts through
// a `Host`, both given by the caller.

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
        phase::{PhaseCall, run},
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
