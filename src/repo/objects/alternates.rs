//! Finds the directories that contain a repository's objects: its own, and those that it borrows from
//! (`objects/info/alternates`).

use std::{
    ffi::OsStr,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use crate::util::state_file;

/// The maximum length of a chain of such directories. git has the same limit.
const DEPTH_MAX: usize = 5;

/// Returns the repository's own object directory, followed by the existing ones that it borrows from.
/// Each is listed once.
pub(in crate::repo) fn object_dirs(common_dir: &Path) -> Vec<PathBuf> {
    let mut dirs = vec![common_dir.join("objects")];
    let mut depths = vec![0];
    let mut at = 0;
    while let (Some(dir), Some(depth)) = (dirs.get(at).cloned(), depths.get(at).copied()) {
        at += 1;
        if depth > DEPTH_MAX {
            continue;
        }
        // Ignore a list that cannot be read. A missing object is reported when it is needed.
        let listed = state_file::read_foreign(&dir.join("info/alternates")).unwrap_or_default();
        for line in listed.split(|byte| *byte == b'\n') {
            let Some(other) = alternate(&dir, line) else { continue };
            if other.is_dir() && !dirs.contains(&other) {
                dirs.push(other);
                depths.push(depth + 1);
            }
        }
    }
    dirs
}

/// Returns the directory that a line names. A relative path starts at the directory with the list.
fn alternate(dir: &Path, line: &[u8]) -> Option<PathBuf> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    if line.is_empty() || line.starts_with(b"#") {
        return None;
    }
    let path = match line.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) {
        Some(quoted) => std::ffi::OsString::from_vec(unquoted(quoted)?),
        None => OsStr::from_bytes(line).to_owned(),
    };
    let path = dir.join(path);
    Some(path.canonicalize().unwrap_or(path))
}

/// Returns the text that git quoted as a C string, as it does for names with special characters.
fn unquoted(text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = text.iter().copied();
    let mut plain = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        plain.push(match bytes.next()? {
            b'a' => 7,
            b'b' => 8,
            b't' => b'\t',
            b'n' => b'\n',
            b'v' => 11,
            b'f' => 12,
            b'r' => b'\r',
            literal @ (b'"' | b'\\') => literal,
            high @ b'0'..=b'3' => {
                let digit = |byte: u8| (b'0'..=b'7').contains(&byte).then(|| byte - b'0');
                let (middle, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                (high - b'0') << 6 | middle << 3 | low
            }
            _ => return None,
        });
    }
    Some(plain)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::{repo::repository::Repo, testing::TestRepo};

    /// Tests a clone that borrows from a clone that borrows: the objects of both are found, in every
    /// form of the lists.
    #[test]
    fn what_is_borrowed_is_found_as_git_finds_it() {
        let lender = TestRepo::new();
        let first = lender.commit("first");
        lender.git(&["gc", "-q"]);
        let second = lender.commit("second");
        let outside = lender.outside();
        let clone = |from: &Path, name: &str| {
            let to = outside.join(name);
            let (from, path) = (from.to_str().unwrap(), to.to_str().unwrap());
            lender.git(&["clone", "-q", "--shared", "--bare", from, path]);
            to
        };
        let middle = clone(lender.path(), "middle \"é.git");
        let last = clone(&middle, "last.git");
        let quoted = "# a comment\n\n\"../../middle \\\"\\303\\251.git/objects\"\n/absent\n";
        let lists = [None, Some("../../middle \"é.git/objects\n"), Some(quoted)];
        for list in lists {
            if let Some(list) = list {
                fs::write(last.join("objects/info/alternates"), list).unwrap();
            }
            let mut git = lender.command_in(&last);
            let output = git.args(["cat-file", "-t", &second]).output().unwrap();
            assert!(output.status.success(), "{list:?}: git does not find it");
            let repo = Repo::open(&last).unwrap();
            for commit in [&first, &second] {
                assert_eq!(repo.resolve(commit).unwrap().to_string(), *commit, "{list:?}");
            }
        }
        fs::write(last.join("objects/info/alternates"), ".\n../objects\n").unwrap();
        assert_eq!(object_dirs(&last).len(), 1, "a circle");
    }

    #[test]
    fn quotes_are_those_of_c() {
        assert_eq!(unquoted(br#"a\t\"\\\303\251"#).unwrap(), "a\t\"\\é".as_bytes());
        for wrong in [r"\", r"\x", r"\30", r"\308", r"\777"] {
            assert_eq!(unquoted(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
