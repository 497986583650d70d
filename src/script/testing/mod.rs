//! Tests of a pipeline: the functions `test_*` of a script next to it.
//!
//! A test never runs a command. It calls steps of the pipeline with a commit that it defines, and
//! defines the results of commands. Then it checks which commands the steps ran. So a test has the
//! same result on every machine, and takes milliseconds.
//!
//! | file | contents |
//! |---|---|
//! | `suite` | a file of tests, and running one |
//! | `tester` | `t`, the argument of tests |
//! | `methods` | the methods of `t` |
//! | `result` | the result of a step |
//! | `expectation` | an expectation that was not met |
//! | `explain` | the message for a failed test |
//! | `fake_commit` | the commit of a test |
//! | `fakes` | the results of commands |
//! | `fake_stage` | the seams of a step in a test |

pub(in crate::script) mod expectation;
pub(in crate::script) mod explain;
pub(in crate::script) mod fake_commit;
pub(in crate::script) mod fake_stage;
pub(in crate::script) mod fakes;
pub(in crate::script) mod methods;
pub(in crate::script) mod result;
pub(in crate::script) mod suite;
pub(in crate::script) mod tester;
