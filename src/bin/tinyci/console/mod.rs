//! What a command shares with the terminal that started it, and with no other command.
//!
//! | file | contents |
//! |---|---|
//! | `failure` | why a command could not do its work, and the exit code |
//! | `question` | a question on the terminal |
//! | `signals` | what Ctrl-C and a lost terminal do |
//! | `terminal` | standard output and error: color, progress, a reader that hangs up |
//! | `transcript` | the lines of a run, as they happen |

pub(crate) mod failure;
pub(crate) mod question;
pub(crate) mod signals;
pub(crate) mod terminal;
pub(crate) mod transcript;
