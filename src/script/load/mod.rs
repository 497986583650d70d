//! From bytes to a [`Script`](super::syntax::script::Script).
//!
//! | file | contents |
//! |---|---|
//! | `loading` | parsing a script, its imports and its constants |
//! | `constants` | constants whose names are nearly right |
//! | `parse_cost` | how much parsing a file may cost |
//! | `last` | a script that is not parsed twice |

pub(in crate::script) mod constants;
pub(in crate::script) mod last;
pub(in crate::script) mod loading;
pub(in crate::script) mod parse_cost;
