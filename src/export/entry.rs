//! The type of a tree entry, and whether it may be written.
//!
//! The rules are those of git for a working tree with `core.protectHFS` and `core.protectNTFS` on.
//! A commit that git would not check out is not exported.

use std::fmt;

use crate::repo::TreeEntry;

/// The type of a tree entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    File { executable: bool },
    Link,
    Directory,
    Submodule,
}

/// The reason why an entry is refused: the end of a sentence that begins with its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Empty,
    Dots,
    Separator,
    GitDir,
    LinkedModules,
    Mode(u32),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("has an empty name"),
            Self::Dots => f.write_str("is named `.` or `..`"),
            Self::Separator => f.write_str("has a slash in its name"),
            Self::GitDir => f.write_str("is a name that some systems read as `.git`"),
            Self::LinkedModules => f.write_str(
                "is a symbolic link, and it or its directory has a name that some systems read as \
                 `.gitmodules`",
            ),
            Self::Mode(mode) => write!(f, "has the unknown mode {mode:06o}"),
        }
    }
}

/// Returns the type of the entry, or an error if its name or mode is not allowed. `dir` is the path of
/// its directory.
pub(super) fn check(entry: &TreeEntry, dir: &[u8]) -> Result<Kind, Refusal> {
    let name = entry.name.as_slice();
    match name {
        b"" => return Err(Refusal::Empty),
        b"." | b".." => return Err(Refusal::Dots),
        _ if name.contains(&b'/') => return Err(Refusal::Separator),
        _ if is_git_dir(name) => return Err(Refusal::GitDir),
        _ => {}
    }
    // Like git, ignore the permission bits that old versions wrote, such as 100664.
    match entry.mode & 0o170_000 {
        0o100_000 => Ok(Kind::File { executable: entry.mode & 0o100 != 0 }),
        0o120_000 if is_git_modules(name) || is_below_git_modules(dir) => {
            Err(Refusal::LinkedModules)
        }
        0o120_000 => Ok(Kind::Link),
        0o040_000 => Ok(Kind::Directory),
        0o160_000 => Ok(Kind::Submodule),
        _ => Err(Refusal::Mode(entry.mode)),
    }
}

/// Returns true if HFS+ or NTFS would treat the name as `.git`. A backslash separates directories
/// on NTFS.
fn is_git_dir(name: &[u8]) -> bool {
    name.split(|byte| *byte == b'\\').any(is_ntfs_git_dir) || is_hfs_name(name, ".git")
}

/// Returns true if HFS+ or NTFS would treat the name as `.gitmodules`. git refuses
/// such a link, so that the list of submodules is always a file of the commit itself.
fn is_git_modules(name: &[u8]) -> bool {
    is_ntfs_git_modules(name) || is_hfs_name(name, ".gitmodules")
}

/// git compares the name of each directory of the path too, but not with all that NTFS reads so.
fn is_below_git_modules(dir: &[u8]) -> bool {
    dir.split(|byte| *byte == b'/').any(|name| is_hfs_name(name, ".gitmodules"))
}

/// NTFS also calls `.gitmodules` `gitmod~1` to `gitmod~4`. If these names are taken, it shortens
/// `gi7eba`, then adds `~` and a number, to eight characters.
fn is_ntfs_git_modules(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    if lower.strip_prefix(b".gitmodules").is_some_and(ends_on_ntfs) {
        return true;
    }
    let Some((short, rest)) = lower.split_at_checked(8) else { return false };
    let Some(tilde) = short.iter().position(|byte| *byte == b'~') else { return false };
    let (word, number) = (&short[..tilde], &short[tilde + 1..]);
    let is_number =
        matches!(number, [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit));
    let is_usual = word == b"gitmod" && matches!(number, [b'1'..=b'4']);
    let is_fallback = is_number && b"gi7eba".starts_with(word);
    (is_usual || is_fallback) && ends_on_ntfs(rest)
}

/// Returns true if NTFS ignores this end of a name: dots and spaces, then nothing or a stream.
fn ends_on_ntfs(rest: &[u8]) -> bool {
    let before = rest.split(|byte| *byte == b':').next().unwrap_or_default();
    before.iter().all(|byte| matches!(byte, b'.' | b' '))
}

/// NTFS ignores trailing dots and spaces, has streams after a colon, and also calls `.git` `git~1`.
fn is_ntfs_git_dir(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    let rest = lower.strip_prefix(b".git").or_else(|| lower.strip_prefix(b"git~1"));
    rest.is_some_and(ends_on_ntfs)
}

/// Returns true if HFS+ reads the name as `meant`. It ignores these characters in names.
fn is_hfs_name(name: &[u8], meant: &str) -> bool {
    // HFS+ cannot store names that are not UTF-8.
    let Ok(name) = str::from_utf8(name) else { return false };
    let visible = name.chars().filter(|character| {
        !matches!(character, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{206a}'..='\u{206f}' | '\u{feff}')
    });
    visible.map(|character| character.to_ascii_lowercase()).eq(meant.chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &[u8], mode: u32) -> Result<Kind, Refusal> {
        check(&TreeEntry { mode, name: name.to_vec(), id: [0; 20] }, b"")
    }

    #[test]
    fn names_that_lead_out_or_to_git_are_refused() {
        for (name, refusal) in [
            ("", Refusal::Empty),
            (".", Refusal::Dots),
            ("..", Refusal::Dots),
            ("a/b", Refusal::Separator),
            ("/etc", Refusal::Separator),
            (".git", Refusal::GitDir),
            (".GiT", Refusal::GitDir),
            (".git. .", Refusal::GitDir),
            (".git::$INDEX_ALLOCATION", Refusal::GitDir),
            ("GIT~1", Refusal::GitDir),
            ("git~1 ", Refusal::GitDir),
            ("a\\.git", Refusal::GitDir),
            (".git\\hooks", Refusal::GitDir),
            (".g\u{200c}it", Refusal::GitDir),
            ("\u{feff}.Git\u{206f}", Refusal::GitDir),
        ] {
            assert_eq!(checked(name.as_bytes(), 0o100_644), Err(refusal), "{name:?}");
        }
    }

    #[test]
    fn a_link_in_the_place_of_git_s_list_of_submodules_is_refused_and_a_file_is_not() {
        for name in [
            ".gitmodules",
            ".GitModules",
            ".gitmodules . .",
            ".gitmodules::$DATA",
            "GITMOD~1",
            "gitmod~4 ",
            "GI7EBA~1",
            "gi7e~123:x",
            ".git\u{200c}modules",
        ] {
            let name = name.as_bytes();
            assert_eq!(checked(name, 0o120_000), Err(Refusal::LinkedModules), "{name:?}");
            assert!(checked(name, 0o100_644).is_ok(), "{name:?}");
        }
        for name in
            [".gitmodules2", ".gitignore", ".gitattributes", "gitmod~5", "gi7eba~0", "gitmodules"]
        {
            assert_eq!(checked(name.as_bytes(), 0o120_000), Ok(Kind::Link), "{name:?}");
        }
    }

    #[test]
    fn odd_names_are_names() {
        for name in [
            ".gitignore",
            ".gitmodules",
            "git",
            "git~2",
            "...",
            " ",
            "-rf",
            "a\nb",
            "a\\b",
            "~",
            ".gi\u{301}t",
            "com1",
        ] {
            assert!(checked(name.as_bytes(), 0o100_644).is_ok(), "{name:?}");
        }
        assert!(checked(b"\xff\xfe", 0o100_644).is_ok());
    }

    #[test]
    fn modes_are_those_of_git() {
        let plain = Ok(Kind::File { executable: false });
        for (mode, expected) in [
            (0o100_644, plain),
            (0o100_664, plain),
            (0o100_755, Ok(Kind::File { executable: true })),
            (0o120_000, Ok(Kind::Link)),
            (0o040_000, Ok(Kind::Directory)),
            (0o160_000, Ok(Kind::Submodule)),
            (0, Err(Refusal::Mode(0))),
            (0o140_000, Err(Refusal::Mode(0o140_000))),
            (0o020_644, Err(Refusal::Mode(0o020_644))),
        ] {
            assert_eq!(checked(b"a", mode), expected, "{mode:o}");
        }
    }

    #[test]
    fn links_below_a_directory_like_git_modules_are_refused() {
        let at = |dir: &str| {
            check(&TreeEntry { mode: 0o120_000, name: b"a".to_vec(), id: [0; 20] }, dir.as_bytes())
        };
        for dir in [".gitmodules", "b/.GitModules", ".gitmodules/b", ".git\u{200c}modules"] {
            assert_eq!(at(dir), Err(Refusal::LinkedModules), "{dir}");
        }
        for dir in ["", "b", ".gitmodules2", "gitmod~1", ".gitmodules "] {
            assert_eq!(at(dir), Ok(Kind::Link), "{dir}");
        }
    }
}
