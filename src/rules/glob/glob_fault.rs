//! [`GlobFault`]: why a pattern is invalid or can never match.

/// Why a list of globs can never match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GlobFault {
    /// The index of the glob in the list.
    pub(crate) index: usize,
    /// The reason and a suggestion, in one sentence.
    pub(crate) message: String,
}

impl GlobFault {
    /// Returns the error for a glob that matches nothing, with the reason.
    pub(super) fn never_matches(index: usize, glob: &str, why: &str) -> Self {
        Self { index, message: format!("`{glob}` can never match: {why}") }
    }
}

/// Returns whether a glob has a `!` in front that removes matches, and the glob without it.
pub(super) fn split_negation(glob: &str) -> (bool, &str) {
    glob.strip_prefix('!').map_or((false, glob), |rest| (true, rest))
}
