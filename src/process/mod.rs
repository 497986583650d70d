//! Child processes. Only this module starts them: the commands of builds, and a few programs that
//! tinyci itself runs.
//!
//! | file | contents |
//! |---|---|
//! | `command` | running one command from its start to its end, with the parts below |
//! | `program` | finding a command's program, and messages if it cannot start |
//! | `spawn` | starting it with its own session, descriptors and signals |
//! | `input` | its standard input |
//! | `child` | the process and its state |
//! | `group` | its process group, which signals are sent to |
//! | `escapees` | what left the group |
//! | `orphans` | children of this process that it did not start |
//! | `proc_table` | the processes of the machine |
//! | `pipe` | its output |
//! | `watch` | its deadline and its cancellation |
//! | `guard` | ending commands if this process is killed, with the script `guard.sh` |
//! | `helper` | programs that tinyci runs itself: git, ssh-keygen, id |
//! | `account` | the accounts of this machine, by name and by uid |
//! | `reaper` | whether the host discards exit statuses, for C |
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
    helper::{Answer, run_helper},
    program::{find as find_program, search_path},
};
