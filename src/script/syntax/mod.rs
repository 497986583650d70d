//! Parsed scripts. Nothing here runs one.
//!
//! | file | contents |
//! |---|---|
//! | `unit` | one parsed file, and places in it |
//! | `nodes` | the nodes of a syntax tree |
//! | `literal` | constants as they are written |
//! | `literals` | everything that a script wrote itself |
//! | `imports` | the files that a script imports |
//! | `script` | [`Script`](script::Script): a script with its imports |
//! | `hits` | the places that were entered |
//! | `coverage` | which lines that makes |

pub(in crate::script) mod coverage;
pub(in crate::script) mod hits;
pub(in crate::script) mod imports;
pub(in crate::script) mod literal;
pub(in crate::script) mod literals;
pub(in crate::script) mod nodes;
pub(in crate::script) mod script;
pub(in crate::script) mod unit;
