//! Errors of running scripts: the objects that `catch` gets, and reports.
//!
//! | file | contents |
//! |---|---|
//! | `place` | the position where an error occurred |
//! | `trace` | the position of an error, and the calls that led to it |
//! | `command_error` | a failed command |
//! | `failure` | the failures of a step |
//! | `script_error` | the error of a function, and the string form of any error |
//! | `operation_limit` | the error of a step with too many operations |
//! | `parse_message` | messages for errors of the parser |
//! | `message` | messages for errors of a running script |
//! | `caught` | the language's errors as error objects |
//! | `report` | errors with excerpts |

pub(in crate::script) mod caught;
pub(in crate::script) mod command_error;
pub(in crate::script) mod failure;
pub(in crate::script) mod message;
pub(in crate::script) mod operation_limit;
pub(in crate::script) mod parse_message;
pub(in crate::script) mod place;
pub(in crate::script) mod report;
pub(in crate::script) mod script_error;
pub(in crate::script) mod trace;
