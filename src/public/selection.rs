//! Parts of a selection: which commits, and how long to wait for another run.
//!
//! [`Selection`](crate::Selection) is at the root of the crate.
//!
//! ```
//! use std::time::Duration;
//! use tinyci::{Selection, selection::Wait};
//!
//! let selection = Selection::revision("main").wait(Wait::AtMost(Duration::from_secs(60)));
//! assert_eq!(selection.wait, Wait::AtMost(Duration::from_secs(60)));
//! ```

pub use crate::model::selection::{RefUpdate, Selector, Wait};
