//! The terminal: output, questions, signals, exit codes.
//!
//! | file | contents |
//! |---|---|
//! | `exit_codes` | every exit code, with its meaning for each command |
//! | `failure` | why a command failed, with its exit code |
//! | `question` | a question on the terminal |
//! | `signals` | the effect of Ctrl-C and of a closed terminal |
//! | `terminal` | standard output and error: color, progress, closed pipes |
//! | `transcript` | the lines of a run, as they happen |
//! | `visible` | control characters of others, made visible |

pub(crate) mod exit_codes;
pub(crate) mod failure;
pub(crate) mod question;
#[allow(unsafe_code, reason = "a signal handler must be async-signal-safe, which no type can show")]
pub(crate) mod signals;
pub(crate) mod terminal;
pub(crate) mod transcript;
pub(crate) mod visible;
