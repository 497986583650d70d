//! Parses the entries of a tree object from its bytes.
//!
//! The `Tree` of git2 allocates for every entry. A scan searches one tree per commit for one name,
//! and a notes tree can have hundreds of thousands of entries. So this file reads the bytes
//! directly.

use std::iter;

use git2::{ObjectType, OdbObject, Oid, Repository};

use crate::model::error::{Error, ErrorKind};
use crate::repo::repository::{FSCK, git_error};

/// One entry of a tree.
#[derive(Clone, Copy, Debug)]
pub(in crate::repo) struct Entry<'a> {
    pub(in crate::repo) mode: u32,
    pub(in crate::repo) name: &'a [u8],
    pub(in crate::repo) id: Oid,
}

impl Entry<'_> {
    pub(in crate::repo) fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }

    pub(in crate::repo) fn is_link(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }

    pub(in crate::repo) fn is_tree(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }
}

/// Iterates over the entries in these bytes, in git's order. Invalid bytes give `None` and end the
/// iteration.
pub(in crate::repo) fn entries(data: &[u8]) -> impl Iterator<Item = Option<Entry<'_>>> {
    let mut rest = data;
    iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let parsed = parse(rest);
        rest = parsed.map_or(&[], |(_, after)| after);
        Some(parsed.map(|(entry, _)| entry))
    })
}

/// Calls `each` with every entry of this tree in git's order, until it returns false.
pub(in crate::repo) fn each_entry(
    git: &Repository,
    tree: Oid,
    mut each: impl FnMut(Entry<'_>) -> bool,
) -> Result<(), Error> {
    let unreadable = |source| git_error(format!("tree `{tree}` is missing or broken"), source);
    let odb = git.odb().map_err(unreadable)?;
    let object = odb.read(tree).map_err(unreadable)?;
    if object.kind() != ObjectType::Tree {
        let message = format!("`{tree}` is a {}, not a tree", object.kind());
        return Err(wrong(&object, message));
    }
    for entry in entries(object.data()) {
        let entry = entry.ok_or_else(|| wrong(&object, format!("tree `{tree}` is malformed")))?;
        if !each(entry) {
            break;
        }
    }
    Ok(())
}

/// Returns the error for an object that is not what its commit requires. If the object matches its id,
/// the commit is at fault; otherwise the object is damaged.
pub(in crate::repo) fn wrong(object: &OdbObject<'_>, message: String) -> Error {
    let is_intact =
        Oid::hash_object(object.kind(), object.data()).is_ok_and(|id| id == object.id());
    let error = Error::new(ErrorKind::Git, message).with_hint(FSCK);
    if is_intact { error.with_commit_at_fault() } else { error }
}

/// Parses `<octal mode> <name> NUL <20 bytes>`, and returns the bytes that follow too.
fn parse(data: &[u8]) -> Option<(Entry<'_>, &[u8])> {
    let space = data.iter().position(|byte| *byte == b' ')?;
    let (mode, rest) = (parse_mode(data.get(..space)?)?, data.get(space + 1..)?);
    let nul = rest.iter().position(|byte| *byte == 0)?;
    let (name, rest) = (rest.get(..nul)?, rest.get(nul + 1..)?);
    let (id, after) = rest.split_at_checked(20)?;
    Some((Entry { mode, name, id: Oid::from_bytes(id).ok()? }, after))
}

/// Parses an octal mode as git writes it: six digits, or more with leading zeros.
fn parse_mode(digits: &[u8]) -> Option<u32> {
    let digits = std::str::from_utf8(digits).ok()?;
    digits.bytes().all(|digit| digit.is_ascii_digit()).then_some(())?;
    u32::from_str_radix(digits, 8).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn entries_are_those_that_git_lists() {
        let repo = TestRepo::new();
        repo.write("b/c", "x");
        repo.write("a file", "x");
        std::os::unix::fs::symlink("b", repo.path().join("link")).unwrap();
        repo.commit("x");
        let git = Repository::open(repo.path()).unwrap();
        let tree = git.head().unwrap().peel_to_tree().unwrap().id();
        let mut seen = Vec::new();
        each_entry(&git, tree, |entry| {
            let name = String::from_utf8(entry.name.to_vec()).unwrap();
            seen.push((name, entry.is_file(), entry.is_tree(), entry.id.to_string()));
            true
        })
        .unwrap();
        let id = |name: &str| repo.git(&["rev-parse", &format!("HEAD:{name}")]);
        let expected = [("a file", true, false), ("b", false, true), ("link", false, false)];
        let expected = expected.map(|(name, file, tree)| (name.to_owned(), file, tree, id(name)));
        assert_eq!(seen, expected);
    }

    #[test]
    fn what_is_no_tree_is_named() {
        let repo = TestRepo::new();
        let commit: Oid = repo.commit("x").parse().unwrap();
        let git = Repository::open(repo.path()).unwrap();
        let error = each_entry(&git, commit, |_| true).unwrap_err();
        assert!(error.to_string().contains(&commit.to_string()), "{error}");
        let absent: Oid = "0123456789012345678901234567890123456789".parse().unwrap();
        let error = each_entry(&git, absent, |_| true).unwrap_err();
        assert!(error.to_string().contains("0123456789"), "{error}");
    }

    #[test]
    fn a_malformed_entry_is_the_last() {
        let whole = [b"100644 a\0".as_slice(), &[1; 20]].concat();
        let counts = |data: &[u8]| {
            let found: Vec<_> = entries(data).collect();
            (found.iter().flatten().count(), found.iter().filter(|entry| entry.is_none()).count())
        };
        assert_eq!((counts(b""), counts(&whole)), ((0, 0), (1, 0)));
        for cut in 1..whole.len() {
            let two = [whole.as_slice(), &whole[..cut]].concat();
            assert_eq!(counts(&two), (1, 1), "cut at {cut}");
        }
        for mode in ["+644", "100648", "-1", "777777777777", "x"] {
            assert_eq!(parse_mode(mode.as_bytes()), None, "{mode}");
        }
        assert!(parse_mode(b"").is_none(), "nothing is no mode");
    }
}
