//! The data of commits: ids, strings of git that may not be UTF-8, and [`Commit`].

use std::{borrow::Cow, fmt, str::FromStr};

use super::error::{Error, ErrorKind};
use crate::util::hex;

/// Defines an id type for git objects (SHA-1), such as [`CommitId`] and [`TreeId`].
macro_rules! object_id {
    ($(#[$doc:meta])* $name:ident, $noun:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name([u8; 20]);

        impl $name {
            /// Creates an id from its 20 bytes.
            pub fn from_bytes(bytes: [u8; 20]) -> Self {
                Self(bytes)
            }

            /// Returns the 20 bytes of the id.
            pub fn as_bytes(&self) -> &[u8; 20] {
                &self.0
            }

            /// Returns the first seven hexadecimal digits, for people.
            pub fn short(&self) -> String {
                self.to_string()[..7].to_owned()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&hex::encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }

        impl FromStr for $name {
            type Err = Error;

            /// Parses 40 hexadecimal digits. To resolve a short id or another revision, use an
            /// engine, which has a repository.
            fn from_str(text: &str) -> Result<Self, Error> {
                let mut bytes = [0; 20];
                hex::decode_into(text.as_bytes(), &mut bytes).ok_or_else(|| {
                    let message = format!("invalid {} id `{text}`: expected 40 hexadecimal digits", $noun);
                    Error::new(ErrorKind::InvalidArg, message)
                })?;
                Ok(Self(bytes))
            }
        }
    };
}

object_id! {
    /// The id of a commit.
    ///
    /// ```
    /// let id: tinyci::CommitId = "f40785cbc4422f39c36118fbae071932774cb5b6".parse()?;
    /// assert_eq!(id.short(), "f40785c");
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    CommitId, "commit"
}

object_id! {
    /// The id of a tree. Two commits with the same tree have the same files.
    TreeId, "tree"
}

/// A string as git stores it: bytes that are usually UTF-8.
///
/// `Display` shows U+FFFD for invalid parts; [`as_bytes`](GitString::as_bytes) returns the original
/// bytes.
#[derive(Clone, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GitString(Vec<u8>);

impl GitString {
    /// Creates a string from bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(bytes.into())
    }

    /// Returns the bytes as git stores them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Returns the string with U+FFFD in place of bytes that are not UTF-8.
    pub fn to_str_lossy(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.0)
    }
}

/// Returns the longest prefix of at most this many bytes that ends between two characters.
pub(crate) fn cut(text: &str, bytes_max: usize) -> &str {
    let most = bytes_max.min(text.len());
    (0..=most).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

impl fmt::Display for GitString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.to_str_lossy())
    }
}

impl fmt::Debug for GitString {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_str_lossy(), f)
    }
}

impl From<&str> for GitString {
    fn from(text: &str) -> Self {
        Self(text.into())
    }
}

impl PartialEq<str> for GitString {
    fn eq(&self, other: &str) -> bool {
        self.0 == other.as_bytes()
    }
}

impl PartialEq<&str> for GitString {
    fn eq(&self, other: &&str) -> bool {
        self.0 == other.as_bytes()
    }
}

/// A commit and its metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Commit {
    /// The id of the commit.
    pub id: CommitId,
    /// The id of its tree.
    pub tree: TreeId,
    /// The ids of its parents, in git's order.
    pub parents: Vec<CommitId>,
    /// The committer time, in seconds since 1970.
    pub time: i64,
    /// The author: `Name <address>`.
    pub author: GitString,
    /// The first paragraph of the message, on one line.
    pub subject: GitString,
    /// The whole message.
    pub message: GitString,
    /// The branch that the commit is tested for, without `refs/heads/`. It is the pushed branch,
    /// else HEAD's branch if that contains the commit, else the first branch by name that does.
    /// `None` if no branch contains it.
    pub branch: Option<GitString>,
}

impl Commit {
    /// Returns the name of its build directory below `builds/`: `<committer time>_<full id>`.
    pub fn build_name(&self) -> String {
        format!("{}_{}", self.time, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_parse_only_whole() {
        let text = "f40785cbc4422f39c36118fbae071932774cb5b6";
        let id: CommitId = text.parse().expect("forty digits");
        assert_eq!((id.to_string().as_str(), id.short().as_str()), (text, "f40785c"));
        for bad in ["", "f40785c", &text[1..], "g40785cbc4422f39c36118fbae071932774cb5b6"] {
            assert!(bad.parse::<CommitId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn text_is_cut_between_characters() {
        let cases = [(0, ""), (1, "a"), (2, "a"), (3, "aé"), (9, "aé")];
        for (bytes_max, expected) in cases {
            assert_eq!(cut("aé", bytes_max), expected, "{bytes_max}");
        }
    }

    #[test]
    fn text_that_is_not_utf8_keeps_its_bytes() {
        let text = GitString::new(*b"caf\xe9");
        assert_eq!(text.to_string(), "caf\u{fffd}");
        assert_eq!(text.as_bytes(), b"caf\xe9");
    }
}
