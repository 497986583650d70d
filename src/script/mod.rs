//! Tests of scripts: which to run, and their results.
//!
//! [`Engine::test_pipeline`](crate::Engine::test_pipeline) and
//! [`Checker::test`](crate::check::Checker::test) run them. Only in builds with the feature `rhai`.
//!
//! ```no_run
//! use tinyci::{Engine, script::TestOptions};
//!
//! let engine = Engine::open("/srv/git/app.git")?;
//! let report = engine.test_pipeline(&TestOptions::revision("main"))?;
//! assert!(report.passed());
//! # Ok::<(), tinyci::Error>(())
//! ```

// Scripts: the only module that knows rhai. No type of rhai leaves it.
//
// | file | holds |
// |---|---|
// | `source` | bytes to text |
// | `imports` | what a script imports |
// | `load` | from bytes to a [`Script`] for which nothing more has to be read |
// | `last` | a script that is not parsed twice |
// | `constants` | those whose names are nearly right |
// | `registry` | all that a script finds beside the language, as tables |
// | `types` | what values can be |
// | `functions` | an engine that has them |
// | `call` | the arguments of a call |
// | `lists` | callbacks whose errors pass |
// | `append` | lists that grow in little time |
// | `context` | `ctx` |
// | `commands` | `sh` and its like |
// | `control` | `retry`, `timeout`, `defer`, `skip` and their like |
// | `with` | `with` |
// | `parallel` | `parallel` and `matrix` |
// | `files` | the files of the commit |
// | `errors` | what `catch` gets |
// | `secret` | secrets, as a script holds them |
// | `literal` | values as literals |
// | `run` | one phase |
// | `session` | what its functions share |
// | `ending` | what stops it, and what counts |
// | `failure` | what failed in it |
// | `tags` | `<%= … %>` |
// | `untrusted` | what others chose is not run |
// | `shell_quotes` | what a text is within the quotes of a shell |
// | `literals` | what the script wrote itself |
// | `needles` | many texts looked for at once |
// | `message`, `report`, `excerpt` | errors |
// | `check` | what is wrong, before anything runs |
// | `definitions` | the reference |
// | `testing` | files of tests beside a script |
// | `coverage` | where scripts went |
// | `limits`, `parse_cost`, `nesting` | what all of it may cost |
// | `entry` | the call of a phase as a program |
// | `unknown` | outputs that a plan does not know |
// | `texts` | `matches` and `join` |
// | `steps` | how many steps a phase may take |
//
// Absent here: git, child processes, files. A script is loaded through a [`Tree`] and acts through
// a [`Host`](crate::model::step::Host), both given by the caller.

mod append;
mod call;
mod check;
mod commands;
mod constants;
mod context;
mod control;
mod coverage;
mod definitions;
mod ending;
mod entry;
mod errors;
mod excerpt;
mod failure;
mod files;
mod functions;
mod imports;
mod last;
mod limits;
mod lists;
mod literal;
mod literals;
mod load;
mod message;
mod needles;
mod nesting;
mod parallel;
pub(in crate::script) mod parse_cost;
mod registry;
mod report;
mod run;
mod secret;
mod session;
mod shell_quotes;
mod source;
mod steps;
mod tags;
mod testing;
mod texts;
mod types;
mod unknown;
mod untrusted;
mod with;

pub(crate) use self::{
    check::{check, check_tests},
    coverage::Hits,
    definitions::Definitions,
    functions::refuse_clashes,
    imports::{Tree, TreeFile},
    last::LastScript,
    limits::probe,
    load::Script,
    run::{PhaseCall, PhaseEnd, run},
    tags::{ExpressionValidator, interpolate_template},
    testing::{StepRunner, Suite, TestEnd, TestJob, TestSteps},
};

pub use crate::model::test_report::{
    Coverage, FileCoverage, MissedLines, TestOptions, TestReport, TestResult, TestSource,
};

#[cfg(test)]
mod tests;
