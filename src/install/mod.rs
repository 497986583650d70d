//! Installing the git hook that starts a run, and setting up clones.
//!
//! [`Engine::install`](crate::Engine::install) and
//! [`Engine::setup_remote`](crate::Engine::setup_remote) return what they changed.
//!
//! ```no_run
//! use tinyci::{Engine, install::InstallOptions};
//!
//! let report = Engine::open("/srv/git/app.git")?.install(&InstallOptions::new())?;
//! for note in &report.notes {
//!     println!("{note}");
//! }
//! # Ok::<(), tinyci::Error>(())
//! ```

// Installing and removing the hook that starts a run:
//
// | file | holds |
// |---|---|
// | `block` | the block in a hook script: pure text |
// | `hooks` | the files of a hooks directory |
// | `push_options` | enabling push options |
// | `repository` | [`install`] and [`uninstall`]: the hook, and the refs that only the server writes |
// | `refspecs` | refspecs that protect tinyci's refs from fetches |
// | `remote` | [`setup_remote`]: refspecs of a clone that fetch verdicts |
//
// This module runs no git commands. Module `repo` reads and writes the configuration.

mod block;
mod hooks;
mod push_options;
mod refspecs;
mod remote;
mod repository;

pub(crate) use self::{
    refspecs::{protect, warnings as refspec_warnings},
    remote::{setup_remote, undo_setup_remote},
    repository::{forgeable, hides_refs, install, is_installed, uninstall},
};
pub use self::{
    remote::RemoteSetup,
    repository::{InstallOptions, InstallReport},
};
