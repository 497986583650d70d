//! Globs of paths and names, for configs, scripts and settings.
//!
//! Check each glob from a user for faults first. A condition that can never be true would otherwise
//! be false without a message.
//!
//! | file | contents |
//! |---|---|
//! | `paths` | globs of paths as in `.gitignore`, with `{a,b}` |
//! | `braces` | expanding `{a,b}` |
//! | `artifact_pattern` | paths and globs of files to keep |
//! | `names` | globs of branches, tags, messages, commands: `*` matches any characters |
//! | `faults` | globs of names that can never match |
//! | `glob_fault` | why a pattern is invalid or can never match |

mod artifact_pattern;
mod braces;
mod faults;
mod glob_fault;
mod names;
mod paths;

pub(crate) use self::{
    artifact_pattern::{ArtifactPattern, select},
    faults::{Names, names_fault, ref_fault, secret_ref_fault},
    names::{text_matches, text_matches_list, texts_are_disjoint},
    paths::{PathGlobs, path_of_text},
};

pub(crate) use self::glob_fault::GlobFault;
#[cfg(test)]
mod tests;
