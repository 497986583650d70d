//! Parsed scripts. Nothing in this directory runs a script.
//!
//! | file | contents |
//! |---|---|
//! | `unit` | one parsed file, and positions in it |
//! | `nodes` | the nodes of a syntax tree |
//! | `literal` | the values of literals |
//! | `literals` | all literals of a script |
//! | `imports` | the files that a script imports |
//! | `script` | [`Script`](script::Script): a script with its imports |
//! | `hits` | the positions that were executed |
//! | `coverage` | the lines that were executed |

pub(in crate::script) mod coverage;
pub(in crate::script) mod hits;
pub(in crate::script) mod imports;
pub(in crate::script) mod literal;
pub(in crate::script) mod literals;
pub(in crate::script) mod nodes;
pub(in crate::script) mod script;
pub(in crate::script) mod unit;
