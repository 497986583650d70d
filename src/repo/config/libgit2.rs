//! Sets options of libgit2 for the whole process. Only a program may set them.

use std::path::PathBuf;

use git2::ConfigLevel;

use super::environment;

/// Makes reading repositories faster, for this whole process.
///
/// Call it before anything else uses libgit2, and before other threads change the environment.
///
/// Applies git's configuration from the environment (`GIT_CONFIG_GLOBAL`, `GIT_CONFIG_COUNT` and the
/// related variables) as it is now. Like git, ignores the user's configuration files that this account
/// may not read.
///
/// Lets libgit2 open partial clones. libgit2 does not fetch their missing objects: reading one is an
/// error that says how to get them.
///
/// Switches off libgit2's check of every object against its hash, and its cache of objects, because a
/// walk over a history only fills it. All users of libgit2 in the process share these settings, and a
/// git server must keep them. So the library does not change them by itself. The `tinyci` program calls
/// this; your program may call it if nothing else in it uses libgit2.
pub fn tune_process() {
    git2::opts::strict_hash_verification(false);
    git2::opts::enable_caching(false);
    // SAFETY: the list belongs to libgit2, which nothing else uses yet, as the documentation requires.
    // If it cannot be extended, libgit2 still refuses partial clones.
    let _ = unsafe { git2::opts::set_extensions(&["partialclone"]) };
    for (level, _) in environment::unreadable_user_files() {
        // SAFETY: as above. With an empty path, libgit2 does not look for the file.
        let _ = unsafe { git2::opts::set_search_path(level, "") };
    }
    environment::capture();
}

/// Returns the directories in which libgit2 looks for the configuration files of a level.
pub(super) fn searched(level: ConfigLevel) -> Vec<PathBuf> {
    // SAFETY: only `tune_process` changes the list, before anything else uses libgit2.
    let list = unsafe { git2::opts::get_search_path(level) };
    let list = list.ok().and_then(|list| list.into_string().ok()).unwrap_or_default();
    std::env::split_paths(&list).filter(|dir| !dir.as_os_str().is_empty()).collect()
}
