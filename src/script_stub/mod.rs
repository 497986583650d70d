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

// What takes the place of `script` in builds without the feature `rhai`, with the same interface:
// so the engine is the same code in every build. Nothing here reads or runs a script; what would
// need one fails as `Unsupported`.
//
// | file | contents |
// |---|---|
// | `load` | scripts, of which there are none |
// | `placeholders` | `<%= … %>`, for plain names only |
// | `reference` | the reference of the script API |
// | `testing` | tests of a pipeline |

mod load;
mod placeholders;
mod reference;
mod testing;

pub(crate) use self::{
    load::{LastScript, PhaseCall, Script, check, check_tests, probe, refuse_clashes, run},
    placeholders::{ExpressionValidator, interpolate_template, may_be_expression},
    reference::definitions,
    testing::{Hits, StepRunner, Suite, TestJob},
};
pub use crate::model::test_report::{
    Coverage, FileCoverage, TestOptions, TestReport, TestResult, TestSource, UncoveredLines,
};
