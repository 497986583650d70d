//! Checks that state files are opened in one place, `src/util/state_file.rs`, which does not block
//! and does not follow symbolic links.

use super::sources::sources;

/// The directories whose code opens files of the state, of builds or of git.
const MODULES: [&str; 5] = ["workspace/", "repo/", "builds/", "install/", "util/"];

/// The calls that open a file by its path.
const OPENERS: [&str; 8] = [
    "File::open(",
    "File::create(",
    "File::options()",
    "OpenOptions::new()",
    "fs::read(",
    "fs::read_to_string(",
    "fs::write(",
    "fs::copy(",
];

/// The files that may make such calls, with the number of calls and the reason.
const ALLOWED: [(&str, usize, &str); 10] = [
    ("util/state_file.rs", 99, "the one place"),
    ("workspace/log_trim.rs", 1, "creates a new file"),
    ("workspace/artifacts.rs", 2, "the files of a build, opened in the same way, and a new copy"),
    ("workspace/mounts.rs", 2, "the system's list of mounts, and a directory above an own one"),
    ("workspace/remove.rs", 1, "the directory above what is removed"),
    ("repo/objects/loose.rs", 1, "objects of git, opened in the same way"),
    ("repo/objects/new_objects.rs", 1, "creates a new file, which no link can stand for"),
    ("repo/objects/description.rs", 1, "an index of git's packs"),
    ("workspace/layout.rs", 1, "git's info/exclude, which was read before"),
    ("util/sharing.rs", 0, "opens with flags of its own"),
];

#[test]
fn files_of_the_state_are_opened_in_one_place() {
    for (file, text) in sources() {
        if !MODULES.iter().any(|module| file.starts_with(module)) {
            continue;
        }
        let lines = text.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
        let opens = |line: &&str| OPENERS.iter().any(|opener| line.contains(opener));
        let found: Vec<&str> = lines.filter(opens).collect();
        let allowed = ALLOWED.iter().find(|(name, ..)| *name == file).map_or(0, |it| it.1);
        assert!(
            found.len() <= allowed,
            "src/{file} opens files itself: {found:#?}; use `util::state_file`, or say in this test \
             why not"
        );
    }
}
