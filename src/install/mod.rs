//! Installing the hook that starts a run, and taking it away again.
//!
//! | file | holds |
//! |---|---|
//! | `block` | what a hook script says, and where in a script it stands: pure text |
//! | `hooks` | [`install`] and [`uninstall`]: the files of a hooks folder |
//!
//! Absent on purpose: git's configuration. Which folder holds the hooks is the caller's to find
//! out.

mod block;
mod hooks;
mod repository;

pub use self::repository::{InstallOptions, Installed};
pub(crate) use self::repository::{install, uninstall};
