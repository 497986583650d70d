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

// Replaces `script` in builds without the feature `rhai`, with the same interface, so that the
// engine has the same code in every build. Operations that need a script fail as `Unsupported`.
//
// | file | contents |
// |---|---|
// | `load` | loading scripts, which always fails |
// | `placeholders` | `<%= … %>`, for plain names only |
// | `reference` | the reference of the script API |
// | `testing` | tests of a pipeline |

mod load;
mod placeholders;
mod reference;
mod testing;

pub(crate) use self::{
    load::{LastScript, Script, StepCall, check, check_tests, probe, refuse_clashes, run},
    placeholders::{ExpressionValidator, interpolate_template, may_be_expression},
    reference::definitions,
    testing::{Hits, StepRunner, Suite, TestJob},
};
pub use crate::model::test_report::{
    Coverage, FileCoverage, TestOptions, TestReport, TestResult, TestSource, UncoveredLines,
};
