//! Tests of a pipeline: the functions `test_*` of a script beside it.
//!
//! A test never runs anything. It calls phases of the pipeline with a commit that it makes up, its
//! commands end as the test says, and it looks at what the phases asked for. So a test is the same on
//! every machine, and takes milliseconds.
//!
//! | file | contents |
//! |---|---|
//! | `suite` | a file of tests, and how one is run |
//! | `tester` | `t`, what tests are given |
//! | `methods` | what tests can ask it for |
//! | `result` | the result of a phase |
//! | `expectation` | an expectation that was not met |
//! | `explain` | why a test failed, in a sentence |
//! | `fake_commit` | the commit that a test makes up |
//! | `fakes` | how commands end |
//! | `fake_stage` | what a phase acts on |

pub(in crate::script) mod expectation;
pub(in crate::script) mod explain;
pub(in crate::script) mod fake_commit;
pub(in crate::script) mod fake_stage;
pub(in crate::script) mod fakes;
pub(in crate::script) mod methods;
pub(in crate::script) mod result;
pub(in crate::script) mod suite;
pub(in crate::script) mod tester;
