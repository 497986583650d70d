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

// Installing the hook that starts a run, and taking it away again.
//
// | file | holds |
// |---|---|
// | `block` | what a hook script says, and where in a script it stands: pure text |
// | `hooks` | the files of a hooks folder |
// | `push_options` | what lets people say something with a push |
// | `hidden_refs` | the refs that a push may not write |
// | `repository` | [`install`] and [`uninstall`]: the hook, and the refs that only the server writes |
// | `refspecs` | what has fetches leave tinyci's refs alone |
// | `remote` | [`setup_remote`]: what has a clone fetch verdicts |
//
// Absent on purpose: git's commands. The configuration is read and written in `repo`.

mod block;
mod hidden_refs;
mod hooks;
mod push_options;
mod refspecs;
mod remote;
mod repository;

pub(crate) use self::{
    hidden_refs::{forgeable, hides_refs},
    refspecs::{protect, warnings as refspec_warnings},
    remote::{setup_remote, undo_setup_remote},
    repository::{install, is_installed, uninstall},
};
pub use self::{
    remote::RemoteSetup,
    repository::{InstallOptions, InstallReport},
};
