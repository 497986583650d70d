//! Errors of running scripts: what `catch` gets, and what people read.
//!
//! | file | contents |
//! |---|---|
//! | `place` | the place where an error arose |
//! | `trace` | the place of an error, and the calls that led there |
//! | `command_error` | a command that failed |
//! | `failure` | what failed in a phase |
//! | `script_error` | what a function refused, and what any error says as a string |
//! | `spent_steps` | the error of a phase that took all its steps |
//! | `parse_message` | errors of the parser in our words |
//! | `message` | errors of a running script in one sentence |
//! | `caught` | the language's errors, as `catch` gets them |
//! | `report` | errors with the lines that show them |

pub(in crate::script) mod caught;
pub(in crate::script) mod command_error;
pub(in crate::script) mod failure;
pub(in crate::script) mod message;
pub(in crate::script) mod parse_message;
pub(in crate::script) mod place;
pub(in crate::script) mod report;
pub(in crate::script) mod script_error;
pub(in crate::script) mod spent_steps;
pub(in crate::script) mod trace;
