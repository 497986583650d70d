//! Build commands as child processes: the only room that starts them.
//!
//! | file | holds |
//! |---|---|
//! | `command` | one command from its start to its end: the order in which the others act |
//! | `program` | which file a command names, and what is said where it can't be started |
//! | `spawn` | how it is started: a session of its own, its descriptors, its signals |
//! | `input` | what it reads |
//! | `child` | the process itself: whether it runs, how it ended |
//! | `group` | it and all that it started: what signals go to |
//! | `pipe` | what it writes, on its way to whoever asked |
//! | `watch` | its deadline and its cancel |
//! | `guard` | what ends it should this whole process be killed, and `guard.sh`, which does |
//! | `reaper` | whether the host lets exit statuses be known at all, for C |
//!
//! What is not here: no `fork` and no code between fork and exec (children start through
//! `posix_spawn`, whose price does not grow with the host), no signal handlers, no waiting for
//! children that are not ours, nothing that changes this process itself. Whoever leaves its
//! process group (`setsid`) is out of reach. No command has a terminal.

mod child;
mod command;
mod group;
mod guard;
mod input;
mod pipe;
mod program;
#[cfg(feature = "capi")]
mod reaper;
mod spawn;
#[cfg(test)]
mod testing;
mod watch;

#[cfg(feature = "capi")]
pub(crate) use self::reaper::statuses_are_thrown_away;
pub(crate) use self::{
    command::{Context, run},
    guard::Guard,
    program::{find as find_program, search_path},
};
