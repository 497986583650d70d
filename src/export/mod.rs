//! A commit's tree as a folder, equal to `git archive <commit> | tar -x`.
//!
//! | file | holds |
//! |---|---|
//! | `walk` | the walk down the tree, which writes as it goes |
//! | `entry` | which names and modes may be written |
//! | `folder` | one open folder, and taking back what was written |
//! | `attributes` | which attributes a path has |
//! | `conversion` | line ends, `ident`; `encoding` has the encodings |
//! | `placeholder` | what `export-subst` fills in |
//! | `warning` | what is left undone, said once |
//! | `checkout` | the whole tree, written to a directory |
//! | `encoding` | encodings of working trees |
//!
//! Absent on purpose: the machine's own attributes, external filters, and `export-ignore`, which
//! hides the tests of many a project and is heeded only on request. Nothing in a tree is ever
//! followed, and no path is resolved below the target.

mod attributes;
mod checkout;
mod conversion;
mod encoding;
mod entry;
mod folder;
mod placeholder;
mod walk;
mod warning;

pub(crate) use self::checkout::{ExportOptions, export};
