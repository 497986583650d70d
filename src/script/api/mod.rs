//! What scripts find beside the language, as tables. Registration, checks and the reference read them.
//!
//! | file | contents |
//! |---|---|
//! | `types` | the types of parameters and results |
//! | `registry` | functions, properties of `ctx`, constants and options |
//! | `tester` | what tests of a pipeline find |

pub(in crate::script) mod registry;
pub(in crate::script) mod tester;
pub(in crate::script) mod types;
