//! The command line, as a person types it.
//!
//! | file | tests |
//! |---|---|
//! | `cancel` | `cancel` and `skip` |
//! | `check` | `check` |
//! | `exit_codes` | the exit code of every way to end |
//! | `guide` | the commands in the guide and the README |
//! | `remote` | `-r`: the same over ssh |
//! | `results` | `results` and `log` |
//! | `run` | `run`: its output and its exit codes |
//! | `status` | `status` |
//! | `terminal` | what others wrote, and the terminal |
//! | `usage` | help, and command lines that are not valid |

#[cfg(target_os = "linux")]
mod cancel;
mod check;
mod exit_codes;
mod guide;
mod remote;
mod results;
mod run;
mod status;
mod terminal;
mod usage;
