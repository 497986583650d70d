//! Options of libgit2 for the whole process. Only a program may set them.

use super::environment;

/// Makes reading repositories faster, for this whole process.
///
/// Call it before anything else uses libgit2, and before other threads change the environment.
///
/// Makes git's configuration what `GIT_CONFIG_GLOBAL`, `GIT_CONFIG_COUNT` and their like say now, and
/// skips a file of the user's that may not be read, as git does.
///
/// Lets libgit2 open partial clones, whose missing objects it does not fetch: reading one is an error
/// that says how to get them. Switches off libgit2's check of every object against its hash, and its cache of objects, which
/// a walk over a history only fills. Both are settings of libgit2 that all its users in the
/// process share: a git server must keep them, so the library does not touch them by itself. The
/// `tinyci` program calls this; a program of yours may, if nothing else in it uses libgit2.
pub fn tune_process() {
    git2::opts::strict_hash_verification(false);
    git2::opts::enable_caching(false);
    // SAFETY: the list belongs to libgit2, which nothing else uses yet, as the documentation demands.
    // If it cannot be extended, partial clones stay refused.
    let _ = unsafe { git2::opts::set_extensions(&["partialclone"]) };
    for (level, _) in environment::unreadable_user_files() {
        // SAFETY: as above. Without a path libgit2 looks for no such file.
        let _ = unsafe { git2::opts::set_search_path(level, "") };
    }
    environment::capture();
}
