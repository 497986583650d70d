//! The language with its limits, without tinyci's functions.
//!
//! | file | contents |
//! |---|---|
//! | `limits` | the limits of a script |
//! | `engine` | an engine with every limit set |
//! | `lists` | functions of arrays that call a function of the script |
//! | `append` | functions that add to an array in little time |
//! | `nesting` | the limit of nested values |

pub(in crate::script) mod append;
pub(in crate::script) mod engine;
pub(in crate::script) mod limits;
pub(in crate::script) mod lists;
pub(in crate::script) mod nesting;
