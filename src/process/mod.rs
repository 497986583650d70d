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
//! | `pipe` | its output |
//! | `watch` | its deadline and its cancellation |
//! | `guard` | ending commands if this process is killed, with the script `guard.sh` |
//! | `helper` | programs that tinyci runs itself: git, ssh-keygen, id |
//! | `account` | the accounts of this machine, by name and by uid |
//! | `reaper` | whether the host discards exit statuses, for C |
//! | `local_executor` | [`LocalExecutor`](local_executor::LocalExecutor): commands on this machine |
//!
//! Not here: `fork`, and code between fork and exec. Children start with `posix_spawn`, whose cost
//! does not grow with the size of the host. There are also no signal handlers, no waits for
//! children of the host, and no changes to this process itself. Processes that leave their process
//! group (`setsid`) cannot be ended. Commands have no terminal.

mod account;
mod child;
mod command;
mod group;
mod guard;
mod helper;
mod input;
pub(crate) mod local_executor;
mod pipe;
mod program;
#[cfg(feature = "capi")]
mod reaper;
mod spawn;
mod watch;

#[cfg(feature = "capi")]
pub(crate) use self::reaper::sigchld_is_ignored;
pub(crate) use self::{
    account::{name_of as account_name, number_of as account_number, own_number as own_account},
    command::{Context, run},
    guard::Guard,
    helper::{Answer, run_helper},
    program::{find as find_program, search_path},
};
