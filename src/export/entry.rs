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
    Mode(u32),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("has an empty name"),
            Self::Dots => f.write_str("is named `.` or `..`"),
            Self::Separator => f.write_str("has a slash in its name"),
            Self::GitDir => f.write_str("is a name that some systems read as `.git`"),
            Self::Mode(mode) => write!(f, "has the unknown mode {mode:06o}"),
        }
    }
}

/// Returns the type of the entry, or an error if its name or mode is not allowed.
pub(super) fn check(entry: &TreeEntry) -> Result<Kind, Refusal> {
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
        0o120_000 => Ok(Kind::Link),
        0o040_000 => Ok(Kind::Directory),
        0o160_000 => Ok(Kind::Submodule),
        _ => Err(Refusal::Mode(entry.mode)),
    }
}

/// Returns true if HFS+ or NTFS would treat the name as `.git`. A backslash separates directories
/// on NTFS.
fn is_git_dir(name: &[u8]) -> bool {
    name.split(|byte| *byte == b'\\').any(is_ntfs_git_dir) || is_hfs_git_dir(name)
}

/// NTFS ignores trailing dots and spaces, has streams after a colon, and also calls `.git` `git~1`.
fn is_ntfs_git_dir(name: &[u8]) -> bool {
    let lower = name.to_ascii_lowercase();
    let rest = lower.strip_prefix(b".git").or_else(|| lower.strip_prefix(b"git~1"));
    let rest = rest.and_then(|rest| rest.split(|byte| *byte == b':').next());
    rest.is_some_and(|rest| rest.iter().all(|byte| matches!(byte, b'.' | b' ')))
}

/// HFS+ ignores these characters in names.
fn is_hfs_git_dir(name: &[u8]) -> bool {
    // HFS+ cannot store names that are not UTF-8.
    let Ok(name) = str::from_utf8(name) else { return false };
    let visible = name.chars().filter(|character| {
        !matches!(character, '\u{200c}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{206a}'..='\u{206f}' | '\u{feff}')
    });
    visible.map(|character| character.to_ascii_lowercase()).eq(".git".chars())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(name: &[u8], mode: u32) -> Result<Kind, Refusal> {
        check(&TreeEntry { mode, name: name.to_vec(), id: [0; 20] })
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
}
