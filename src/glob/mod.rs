//! Globs: which paths and names a config, a script or a setting means.
//!
//! `paths` (as in `.gitignore`, with `{a,b}` beside) and its `braces`, `artifact_pattern` (paths and
//! globs of files to keep), `names` (branches, tags,
//! messages, commands: `*` stands for any letters), `faults` (globs of names that can never match).
//! Whoever takes a glob from a person asks for its fault first: a condition that can never hold
//! would be false without a word.

mod artifact_pattern;
mod braces;
mod faults;
mod names;
mod paths;

#[cfg(any(feature = "rhai", test))]
pub(crate) use self::paths::path_of_text;
pub(crate) use self::{
    artifact_pattern::{ArtifactPattern, select},
    faults::{Names, names_fault, ref_fault, secret_ref_fault},
    names::{text_matches, text_matches_list, texts_are_disjoint},
    paths::PathGlobs,
};

/// Why a list of globs can never match as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GlobFault {
    /// Which of the list it is.
    pub(crate) index: usize,
    /// Why, and what to write instead, in one sentence.
    pub(crate) message: String,
}

impl GlobFault {
    /// A glob that matches nothing, for this reason.
    fn never(index: usize, glob: &str, why: &str) -> Self {
        Self { index, message: format!("`{glob}` can never match: {why}") }
    }
}

/// A glob without the `!` in front that has it take matches away, and whether that is there.
fn taken_away(glob: &str) -> (bool, &str) {
    glob.strip_prefix('!').map_or((false, glob), |rest| (true, rest))
}

#[cfg(test)]
mod tests;
