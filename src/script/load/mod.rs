//! From bytes to a [`Script`](super::syntax::script::Script).
//!
//! | file | contents |
//! |---|---|
//! | `loading` | parsing a script, its imports and its constants |
//! | `constants` | constants with nearly the right name |
//! | `parse_cost` | the limit on the cost of parsing a file |
//! | `last` | a cache of one parsed script |

pub(in crate::script) mod constants;
pub(in crate::script) mod last;
pub(in crate::script) mod loading;
pub(in crate::script) mod parse_cost;
