//! [`GlobFault`]: why a pattern cannot be one, or can never match.

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
    pub(super) fn never(index: usize, glob: &str, why: &str) -> Self {
        Self { index, message: format!("`{glob}` can never match: {why}") }
    }
}

/// A glob without the `!` in front that has it take matches away, and whether that is there.
pub(super) fn taken_away(glob: &str) -> (bool, &str) {
    glob.strip_prefix('!').map_or((false, glob), |rest| (true, rest))
}
