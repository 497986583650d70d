//! Child processes: the only module that starts them. Build commands, and the few programs of the
//! machine that tinyci itself asks something.
//!
//! | file | holds |
//! |---|---|
//! | `command` | one command from its start to its end: the order in which the others act |
//! | `program` | which file a command names, and what is said where it can't be started |
//! | `spawn` | how it is started: a session of its own, its descriptors, its signals |
//! | `input` | what it reads |
//! | `child` | the process itself: whether it runs, how it ended |
//! | `group` | it and all that it started: what signals go to |
//! | `escapees` | what left the group |
//! | `orphans` | children of this process that it did not start |
//! | `proc_table` | the processes of the machine |
//! | `pipe` | what it writes, on its way to whoever asked |
//! | `watch` | its deadline and its cancel |
//! | `guard` | what ends it should this whole process be killed, and `guard.sh`, which does |
//! | `helper` | a program that tinyci asks: git, ssh-keygen, id |
//! | `account` | the accounts of this machine, by name and by number |
//! | `reaper` | whether the host lets exit statuses be known at all, for C |
//! | `local_executor` | [`LocalExecutor`](local_executor::LocalExecutor): commands on this machine |
//!
//! What is not here: no `fork` and no code between fork and exec (children start through
//! `posix_spawn`, whose price does not grow with the host), no signal handlers, no waiting for
//! children that are not ours, nothing that changes this process itself unless its program asks for
//! it. On systems without a `/proc`, a process that leaves its group (`setsid`) is out of reach. No
//! command has a terminal.

mod account;
mod child;
mod command;
mod escapees;
mod group;
mod guard;
mod helper;
mod input;
pub(crate) mod local_executor;
mod orphans;
mod pipe;
#[cfg(target_os = "linux")]
mod proc_table;
mod program;
#[cfg(feature = "capi")]
#[allow(unsafe_code, reason = "`rustix` cannot ask how SIGCHLD is handled")]
mod reaper;
#[allow(unsafe_code, reason = "`rustix` has no `posix_spawn`")]
mod spawn;
mod watch;

pub use self::orphans::adopt_orphans;
#[cfg(feature = "capi")]
pub(crate) use self::reaper::sigchld_is_ignored;
pub(crate) use self::{
    account::{name_of as account_name, number_of as account_number, own_number as own_account},
    command::{Context, run},
    guard::Guard,
    helper::{Answer, ask},
    program::{find as find_program, search_path},
};
