//! [`NotRemoved`]: what housekeeping passed over.

use std::{fmt, path::PathBuf};

use super::error::Error;

/// Something that was to be removed, or packed and then removed, and is still there.
///
/// It holds up nothing else, and the next call tries again. Of a build whose name ends in
/// `.removed` a part is gone; it counts as a build no more.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct NotRemoved {
    /// Where it is: a build's folder or archive, or what is left of one.
    pub path: PathBuf,
    /// Why, in a sentence that names the file or the mount in its way.
    pub reason: String,
}

impl NotRemoved {
    pub(crate) fn new(path: impl Into<PathBuf>, error: &Error) -> Self {
        Self { path: path.into(), reason: error.report() }
    }
}

impl fmt::Display for NotRemoved {
    /// One sentence, without a final period.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` stays: {}", self.path.display(), self.reason)
    }
}
