//! [`NotRemoved`]: a path that could not be removed.

use std::{fmt, path::PathBuf};

use super::error::Error;

/// A build that could not be removed, or packed and then removed.
///
/// Other builds are not affected, and the next call tries again. A build whose name ends in
/// `.removed` is partly deleted and no longer counts as a build.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotRemoved {
    /// The path of the build directory or archive, or of its remains.
    pub path: PathBuf,
    /// The reason, in a sentence that names the file or mount that prevents it.
    pub reason: String,
}

impl NotRemoved {
    pub(crate) fn new(path: impl Into<PathBuf>, error: &Error) -> Self {
        Self { path: path.into(), reason: error.report() }
    }
}

impl fmt::Display for NotRemoved {
    /// Writes one sentence, without a final period.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` stays: {}", self.path.display(), self.reason)
    }
}
