//! Parses configs in YAML (`.tinyci.yml`) to a [`Pipeline`].
//!
//! Each of these modules uses only the ones before it: `source` (bytes to text with positions),
//! `document` (text to a tree), `steps` (the tree to a pipeline). They read no files, run nothing,
//! and fill in no placeholders. `convert` converts a pipeline to a script.
//!
//! | file | contents |
//! |---|---|
//! | `parse` | the entry points |
//! | `source` | bytes to text with positions |
//! | `document` | text to a tree of limited size |
//! | `steps` | the tree to a pipeline |
//! | `when` | conditions |
//! | `deploy` | the rules of deployments |
//! | `convert` | a pipeline to a script |

mod convert;
mod deploy;
mod document;
mod parse;
mod source;
mod steps;
mod when;

pub(crate) use self::parse::{parse_after_all, parse_yaml};
