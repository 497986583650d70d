//! Old builds become archives: `builds/<name>/` becomes `builds/<name>.tar.gz`.
//!
//! At no moment is a build neither there nor in a whole archive. The archive is written beside its
//! place (`….tar.gz.new`), brought to disk and renamed; then the folder is renamed aside
//! (`….removed`), and only then taken apart: a half-removed folder under a build's own name would
//! be archived over the good archive by the next call. What a killed call leaves under those two
//! names, and what did not go, the next one clears away. No other name below `builds/` is touched.
//!
//! | file | holds |
//! |---|---|
//! | `packed_artifacts` | artifacts in an archive |
//! | `pack` | which builds, and one build packed |
//! | `archive` | the bytes of an archive |
//! | `restore` | a build out of its archive again |

mod archive;
mod pack;
mod packed_artifacts;
mod restore;

pub(crate) use self::{
    packed_artifacts::{each_packed, packed_list},
    restore::restore,
};

pub(crate) use self::pack::compact;
pub use self::pack::{CompactOptions, CompactReport, CompactedBuild};
