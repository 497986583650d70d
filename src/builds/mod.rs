//! Old builds: packing and removing them, and files written from commits.
//!
//! [`Engine::compact`](crate::Engine::compact) and [`Engine::prune`](crate::Engine::prune) take the
//! options, and never touch a build that a run uses or that is deployed.
//!
//! ```no_run
//! use tinyci::{CancelToken, Engine, builds::PruneOptions};
//!
//! let engine = Engine::open("/srv/git/app.git")?;
//! let report = engine.prune(&PruneOptions::new().keep(20), &CancelToken::new())?;
//! println!("freed {} bytes", report.freed_bytes());
//! # Ok::<(), tinyci::Error>(())
//! ```

// Everything that packs, restores and removes builds after their job:
//
// | file | holds |
// |---|---|
// | `compact` | packing into archives, and unpacking |
// | `prune` | removing |

pub(crate) mod compact;
pub(crate) mod prune;

pub use self::{
    compact::{CompactOptions, CompactReport, CompactedBuild},
    prune::{ProtectedBuild, PruneOptions, PruneReport, PrunedBuild},
};
pub use crate::{model::not_removed::NotRemoved, rules::retention::PruneReason};
