//! The same command on another host.
//!
//! | file | contents |
//! |---|---|
//! | `forward` | the command over ssh: its words, and what it asks here |
//! | `ssh_address` | the address of a remote |

pub(crate) mod forward;
pub(crate) mod ssh_address;
