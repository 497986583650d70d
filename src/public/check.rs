//! Configs and scripts without a run: validating them, and the script API reference.
//!
//! A [`Checker`] needs a directory, not a repository. To check the config of a commit, use
//! [`Engine::check`](crate::Engine::check).
//!
//! ```
//! use tinyci::{Format, check::{Checker, Severity}};
//!
//! let report = Checker::new(".").check("build: make\ntset: x\n", Format::Yaml, ".tinyci.yml")?;
//! let problem = &report.problems[0];
//! assert_eq!((problem.position.map(|at| at.line), problem.severity), (Some(2), Severity::Error));
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::{
    engine::{Checker, DefinitionsFormat},
    model::check_report::{CheckReport, Problem, Severity},
};
