//! Configs: from the text of `.tinyci.yml` to a [`Pipeline`].
//!
//! Three modules, each knowing only the ones before it: `source` (bytes to text with positions),
//! `document` (text to a tree of bounded size), `steps` (the tree to a pipeline). Nothing is read
//! from disk here, nothing is run, and no tag is filled in. `convert` goes the other way, from a
//! pipeline to the text of a script.
//!
//! | file | holds |
//! |---|---|
//! | `parse` | the ways in |
//! | `source` | bytes to text with positions |
//! | `document` | text to a tree of bounded size |
//! | `steps` | the tree to a pipeline |
//! | `when` | conditions |
//! | `deploy` | the rules of deployments |
//! | `convert` | a pipeline as the text of a script |

mod convert;
mod deploy;
mod document;
mod parse;
mod source;
mod steps;
mod when;

pub(crate) use self::parse::{parse_after_all, parse_yaml};
