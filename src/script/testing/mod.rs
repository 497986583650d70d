//! Tests of a pipeline: the functions `test_*` of a script beside it.
//!
//! A test never runs anything. It calls phases of the pipeline with a commit that it makes up, its
//! commands end as the test says, and it looks at what the phases asked for: so it is the same on
//! every machine, and takes milliseconds.
//!
//! `suite` (a file of tests, and how one is run), `tester` (`t`, what tests are given), `methods` (what
//! it can be asked for), `api` (the same as tables), `expectation` (what was not met), `result` (what a phase came to),
//! `fake_commit`, `fakes` (how commands end), `fake_stage` (what a phase acts on).

mod api;
mod expectation;
mod fake_commit;
mod fake_stage;
mod fakes;
mod methods;
mod result;
mod suite;
mod tester;

pub(crate) use self::api::{COMMIT_KEYS, METHODS, RESULT, RESULT_KEYS};
pub(crate) use self::tester::{StepRunner, TestJob};

pub(crate) use self::suite::Suite;
pub(super) use self::suite::{commit_fault, method_counts, method_names, refusal};
