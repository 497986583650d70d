//! Real pushes to a server with the git hook.
//!
//! | file | tests |
//! |---|---|
//! | `hangup` | pushers who disconnect: the run continues |
//! | `refs` | what a push brings, and which of it is tested |
//! | `skip` | `git push -o ci.skip` |
//! | `story` | pushes, verdicts and a release over real ssh, from beginning to end |
//! | `together` | several pushes and runs at the same time |

#[cfg(target_os = "linux")]
mod hangup;
mod refs;
mod skip;
mod story;
mod together;
