//! Compacting: old builds become archives, `builds/<name>/` becomes `builds/<name>.tar.gz`.
//!
//! At every moment, a build exists as a directory or as a complete archive. First, the archive is
//! written to `….tar.gz.new`, synced and renamed. Then the directory is renamed to `….removed`, and
//! only then deleted. Otherwise the next call could pack a half-deleted directory over the good
//! archive. The next call removes files with these two suffixes that an interrupted call left. No
//! other name in `builds/` is touched.
//!
//! | file | holds |
//! |---|---|
//! | `packed_artifacts` | artifacts in an archive |
//! | `pack` | selecting builds, and packing one |
//! | `archive` | writing an archive |
//! | `restore` | unpacking a build |

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
