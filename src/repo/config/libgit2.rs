//! Options of libgit2 for the whole process. Only a program may set them.

/// Makes reading repositories faster, for this whole process.
///
/// Turns off two features of libgit2: the check of every object against its hash, and the object
/// cache, which a walk over the history only fills. All users of libgit2 in the process share these
/// settings, and a git server needs them. So the library never calls this function. The `tinyci`
/// program does. Your program can call it if nothing else in the process uses libgit2.
pub fn tune_process() {
    git2::opts::strict_hash_verification(false);
    git2::opts::enable_caching(false);
}
