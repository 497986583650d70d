//! What the tests share.
//!
//! | file | holds |
//! |---|---|
//! | `processes` | processes that a test did not start itself |
//! | `program` | the program `tinyci`, as a person runs it |
//! | `random` | the seed of tests that chance decides |
//! | `server` | a server with the git hook, a clone, and pushes between them |
//! | `small_disk` | a disk that is soon full |
//! | `sshd` | a real sshd |
//! | `stage` | a repository with an engine |
//!
//! What the tests of the library use too is in `src/testing/`.

#[cfg(all(feature = "cli", target_os = "linux"))]
pub(crate) mod processes;
#[cfg(feature = "cli")]
pub(crate) mod program;
#[cfg(all(feature = "cli", target_os = "linux"))]
pub(crate) mod random;
#[cfg(feature = "cli")]
pub(crate) mod server;
#[cfg(feature = "cli")]
pub(crate) mod small_disk;
#[cfg(feature = "cli")]
pub(crate) mod sshd;
pub(crate) mod stage;
#[path = "../../../src/testing/mod.rs"]
mod testing;

pub(crate) use self::testing::*;
