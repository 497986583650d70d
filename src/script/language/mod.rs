//! The language with its limits, without tinyci's functions.
//!
//! | file | contents |
//! |---|---|
//! | `limits` | the limits of a script |
//! | `engine` | an engine with every limit set |
//! | `lists` | functions of arrays that call a function of the script |
//! | `append` | functions that add to an array in little time |
//! | `nesting` | the limit of nested values |
//! | `strings` | functions of strings that compute the size of their result first |

pub(in crate::script) mod append;
pub(in crate::script) mod engine;
pub(in crate::script) mod limits;
pub(in crate::script) mod lists;
pub(in crate::script) mod nesting;
pub(in crate::script) mod strings;
