//! What concerns the whole process, and so belongs to a program and not to a library.

/// Makes reading repositories faster, for this whole process.
///
/// Switches off libgit2's check of every object against its hash, and its cache of objects, which
/// a walk over a history only fills. Both are settings of libgit2 that all its users in the
/// process share: a git server must keep them, so the library does not touch them by itself. The
/// `tinyci` program calls this; a program of yours may, if nothing else in it uses libgit2.
pub fn tune_process() {
    git2::opts::strict_hash_verification(false);
    git2::opts::enable_caching(false);
}
