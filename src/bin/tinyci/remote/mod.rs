//! The same command on a server, over ssh.
//!
//! | file | contents |
//! |---|---|
//! | `forward` | the command over ssh: its arguments and its exit code |
//! | `ssh_address` | the address of a remote |

pub(crate) mod forward;
pub(crate) mod ssh_address;
