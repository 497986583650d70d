//! The functions, objects and constants of the script API, as tables. Registration, checks and the
//! reference use them.
//!
//! | file | contents |
//! |---|---|
//! | `types` | the types of parameters and results |
//! | `registry` | functions, properties of `ctx`, constants and options |
//! | `tester` | the API of pipeline tests |

pub(in crate::script) mod registry;
pub(in crate::script) mod tester;
pub(in crate::script) mod types;
