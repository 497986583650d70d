//! Globs: which paths and names a config, a script or a setting means.
//!
//! `paths` (as in `.gitignore`, with `{a,b}` beside) and its `braces`, `artifact_pattern` (paths and
//! globs of files to keep), `names` (branches, tags,
//! messages, commands: `*` stands for any letters), `faults` (globs of names that can never match).
//! Whoever takes a glob from a person asks for its fault first: a condition that can never hold
//! would be false without a word.
//!
//! | file | holds |
//! |---|---|
//! | `glob_fault` | why a pattern cannot be one, or can never match |

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
