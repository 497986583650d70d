//! The language with its limits, without our functions.
//!
//! | file | contents |
//! |---|---|
//! | `limits` | how much a script may take |
//! | `engine` | an engine with every limit set |
//! | `lists` | functions of lists that call a function of the script |
//! | `append` | lists that grow in little time |
//! | `strings` | functions of strings that know the size of their result first |
//! | `nesting` | how deep values may contain each other |

pub(in crate::script) mod append;
pub(in crate::script) mod engine;
pub(in crate::script) mod limits;
pub(in crate::script) mod lists;
pub(in crate::script) mod nesting;
pub(in crate::script) mod strings;
