//! Exporting: a commit's tree as a directory, equal to `git archive <commit> | tar -x`.
//!
//! | file | holds |
//! |---|---|
//! | `walk` | the walk down the tree, which writes each entry |
//! | `entry` | which names and modes may be written |
//! | `directory` | one open directory, and undoing an export |
//! | `attributes` | the attributes of a path |
//! | `conversion` | line endings and `ident` |
//! | `placeholder` | filling in `export-subst` |
//! | `warning` | attributes that the export ignores, each reported once |
//! | `checkout` | the entry point |
//! | `encoding` | encodings of working trees |
//!
//! Deliberately not supported: attributes from the machine's configuration, and external filters.
//! `export-ignore` hides the tests of many projects, so it only applies on request. The export
//! never follows symbolic links, and resolves no path below the target.

mod attributes;
mod checkout;
mod conversion;
mod directory;
mod encoding;
mod entry;
mod placeholder;
mod walk;
mod warning;

pub(crate) use self::checkout::{ExportOptions, export};
