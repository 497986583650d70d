//! Parts of commits: text that may not be UTF-8, ids of trees, and exported files.
//!
//! [`Commit`](crate::Commit) and [`CommitId`](crate::CommitId) are at the root of the crate.
//!
//! ```
//! use tinyci::{Commit, commit::GitString};
//!
//! fn headline(commit: &Commit) -> String {
//!     let subject: &GitString = &commit.subject;
//!     format!("{} {subject}", commit.id.short())
//! }
//! ```

pub use crate::{
    engine::Export,
    model::commit::{GitString, TreeId},
};
