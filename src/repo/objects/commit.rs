//! Reads commits as git does.
//!
//! libgit2 refuses a commit because of one line that git ignores: a time that is too large, an address
//! without `>`, or no author. Old repositories often contain such commits. Here, a commit needs only a
//! tree and parents. A field that cannot be read is empty.

use encoding_rs::Encoding;
use git2::{Commit, ErrorCode, ObjectType, Oid, Repository};

use crate::util::state_file;

/// A commit. Some fields of a malformed commit cannot be read.
pub(in crate::repo) enum StoredCommit<'repo> {
    Whole(Commit<'repo>),
    Malformed(MalformedCommit),
}

/// A commit that libgit2 refuses.
pub(in crate::repo) struct MalformedCommit {
    tree: Oid,
    parents: Vec<Oid>,
    text: Vec<u8>,
    /// Where the message begins.
    body: usize,
}

/// An author or committer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::repo) struct Person {
    pub(in crate::repo) name: Vec<u8>,
    pub(in crate::repo) email: Vec<u8>,
}

impl Person {
    pub(in crate::repo) fn is_empty(&self) -> bool {
        self.name.is_empty() && self.email.is_empty()
    }
}

/// Reads a commit, even if libgit2 refuses it.
pub(in crate::repo) fn stored(git: &Repository, id: Oid) -> Result<StoredCommit<'_>, git2::Error> {
    match git.find_commit(id) {
        Ok(commit) => Ok(StoredCommit::Whole(commit)),
        Err(error) if error.code() == ErrorCode::NotFound => Err(error),
        Err(error) => malformed(git, id).map(StoredCommit::Malformed).ok_or(error),
    }
}

/// Reads a commit that libgit2 refuses. Returns `None` if it is missing, damaged, or not a commit for
/// git either.
fn malformed(git: &Repository, id: Oid) -> Option<MalformedCommit> {
    let odb = git.odb().ok()?;
    let object = odb.read(id).ok().filter(|object| object.kind() == ObjectType::Commit)?;
    let mut commit = MalformedCommit::parse(object.data())?;
    if let Some(parents) = grafted(git, id) {
        commit.parents = parents;
    }
    Some(commit)
}

/// Returns the parents that replace the commit's own: no parents at the boundary of a shallow clone, or
/// those that a graft names. libgit2 does the same for well-formed commits.
fn grafted(git: &Repository, id: Oid) -> Option<Vec<Oid>> {
    let read = |name: &str| {
        let text = state_file::read_foreign(&git.commondir().join(name)).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    };
    let (id, grafts) = (id.to_string(), read("info/grafts"));
    if read("shallow").lines().any(|line| line.trim() == id) {
        return Some(Vec::new());
    }
    let line = grafts.lines().find_map(|line| line.trim().strip_prefix(&id))?;
    line.split_whitespace().map(|parent| parent.parse().ok()).collect()
}

impl MalformedCommit {
    fn parse(text: &[u8]) -> Option<Self> {
        let (tree, mut rest) = id_line(text, b"tree ")?;
        let mut parents = Vec::new();
        while rest.starts_with(b"parent ") {
            let (parent, after) = id_line(rest, b"parent ")?;
            parents.push(parent);
            rest = after;
        }
        let end = text.windows(2).position(|pair| pair == b"\n\n");
        let body = end.map_or(text.len(), |end| end + 2);
        Some(Self { tree, parents, text: text.to_vec(), body })
    }

    fn header(&self) -> &[u8] {
        // Exclude the empty line before the message.
        self.text.get(..self.body.saturating_sub(1)).unwrap_or_default()
    }
}

/// Parses a line with an id. Returns the id and the bytes after the line.
fn id_line<'t>(text: &'t [u8], field: &[u8]) -> Option<(Oid, &'t [u8])> {
    let (digits, rest) = text.strip_prefix(field)?.split_at_checked(40)?;
    let id = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((id, rest.strip_prefix(b"\n")?))
}

impl StoredCommit<'_> {
    pub(in crate::repo) fn tree_id(&self) -> Oid {
        match self {
            Self::Whole(commit) => commit.tree_id(),
            Self::Malformed(commit) => commit.tree,
        }
    }

    /// Returns the parents, in git's order. Those beyond the boundary of a shallow clone are not
    /// listed.
    pub(in crate::repo) fn parent_ids(&self) -> Vec<Oid> {
        match self {
            Self::Whole(commit) => commit.parent_ids().collect(),
            Self::Malformed(commit) => commit.parents.clone(),
        }
    }

    /// Returns the committer's time in seconds since 1970, or 0 if it cannot be read.
    pub(in crate::repo) fn seconds(&self) -> i64 {
        match self {
            Self::Whole(commit) => commit.time().seconds(),
            Self::Malformed(_) => self.field(b"committer ").and_then(seconds).unwrap_or_default(),
        }
    }

    /// Returns the lines before the message.
    pub(in crate::repo) fn header(&self) -> &[u8] {
        match self {
            Self::Whole(commit) => commit.raw_header_bytes(),
            Self::Malformed(commit) => commit.header(),
        }
    }

    /// Returns the message as it is stored, up to its first NUL.
    pub(in crate::repo) fn raw_message(&self) -> &[u8] {
        match self {
            Self::Whole(commit) => commit.message_raw_bytes(),
            Self::Malformed(commit) => {
                let message = commit.text.get(commit.body..).unwrap_or_default();
                message.split(|byte| *byte == 0).next().unwrap_or_default()
            }
        }
    }

    /// Returns the message without empty lines at its start, in UTF-8 if its encoding is known.
    pub(in crate::repo) fn message(&self) -> Vec<u8> {
        let message = self.raw_message();
        let start = message.iter().take_while(|byte| **byte == b'\n').count();
        self.to_utf8(message.get(start..).unwrap_or_default())
    }

    /// Returns the first paragraph of the message as one line.
    pub(in crate::repo) fn subject(&self) -> Vec<u8> {
        let message = self.message();
        let lines = message.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines.skip_while(|line| line.is_empty());
        lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join(&b' ')
    }

    /// Empty if it cannot be read.
    pub(in crate::repo) fn author(&self) -> Person {
        self.person(b"author ")
    }

    /// Empty if it cannot be read.
    pub(in crate::repo) fn committer(&self) -> Person {
        self.person(b"committer ")
    }

    /// Returns descriptions of the fields that cannot be read. Most commits have none.
    pub(in crate::repo) fn unreadable(&self) -> Vec<&'static str> {
        let of = |field: &[u8], person, time| {
            let line = self.field(field);
            let is_person = line.is_some_and(|line| person_of(line).is_some());
            let is_time = line.and_then(seconds).is_some();
            [(!is_person).then_some(person), (is_person && !is_time).then_some(time)]
        };
        match self {
            Self::Whole(_) => Vec::new(),
            Self::Malformed(_) => [
                of(b"author ", "its author", "the time of its author"),
                of(b"committer ", "its committer", "the time of its committer"),
            ]
            .into_iter()
            .flatten()
            .flatten()
            .collect(),
        }
    }

    fn person(&self, field: &[u8]) -> Person {
        let person = self.field(field).and_then(person_of).unwrap_or_default();
        Person { name: self.to_utf8(&person.name), email: self.to_utf8(&person.email) }
    }

    fn field(&self, field: &[u8]) -> Option<&[u8]> {
        self.header().split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(field))
    }

    /// Converts text from the encoding that the header names, as git does. Returns text unchanged if it
    /// is not valid in that encoding, or the encoding is unknown.
    fn to_utf8(&self, text: &[u8]) -> Vec<u8> {
        let named = self.field(b"encoding ").map(<[u8]>::trim_ascii);
        let Some(name) = named.filter(|_| !text.is_ascii()) else { return text.to_vec() };
        let is_latin1 = [&b"iso-8859-1"[..], b"iso8859-1", b"iso_8859-1", b"latin1", b"latin-1"]
            .iter()
            .any(|latin1| name.eq_ignore_ascii_case(latin1));
        // The WHATWG tables, which `encoding_rs` uses, take this name for windows-1252.
        if is_latin1 {
            return encoding_rs::mem::decode_latin1(text).into_owned().into_bytes();
        }
        let decoded = Encoding::for_label(name)
            .and_then(|table| table.decode_without_bom_handling_and_without_replacement(text));
        decoded.map_or_else(|| text.to_vec(), |text| text.into_owned().into_bytes())
    }
}

/// Parses `Name <address> …`, as git does.
fn person_of(line: &[u8]) -> Option<Person> {
    let open = line.iter().position(|byte| *byte == b'<')?;
    let (name, rest) = (line.get(..open)?, line.get(open + 1..)?);
    let close = rest.iter().position(|byte| *byte == b'>')?;
    let (name, email) = (name.trim_ascii(), rest.get(..close)?.trim_ascii());
    Some(Person { name: name.to_vec(), email: email.to_vec() })
}

/// Returns the seconds after the last address of the line, or `None` if they are not a valid number.
fn seconds(line: &[u8]) -> Option<i64> {
    let end = line.iter().rposition(|byte| *byte == b'>')?;
    let time = std::str::from_utf8(line.get(end + 1..)?).ok()?;
    time.split_whitespace().next()?.parse().ok()
}

/// Returns the object that a tag names.
pub(in crate::repo) fn tagged(tag: &[u8]) -> Option<Oid> {
    id_line(tag, b"object ").map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use std::{io::Write, process::Stdio};

    use super::*;
    use crate::{
        repo::repository::Repo,
        testing::{TestRepo, succeed},
    };

    /// Stores a commit with this text, even if git considers it invalid.
    fn store(repo: &TestRepo, text: &[u8]) -> Oid {
        let mut command = repo.command();
        command.args(["hash-object", "-t", "commit", "--literally", "-w", "--stdin"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text).unwrap();
        succeed("hash-object", &child.wait_with_output().unwrap()).parse().unwrap()
    }

    /// Returns a commit with these lines in place of author and committer.
    fn with_lines(repo: &TestRepo, lines: &[u8], message: &[u8]) -> Oid {
        let (tree, parent) =
            (repo.git(&["rev-parse", "HEAD^{tree}"]), repo.git(&["rev-parse", "HEAD"]));
        let start = format!("tree {tree}\nparent {parent}\n");
        store(repo, &[start.as_bytes(), lines, b"\n", message].concat())
    }

    /// Returns the fields of a commit as git reads them and as tinyci reads them, one per line.
    fn both(repo: &TestRepo, id: Oid) -> (String, String) {
        let format = "--format=%T%n%P%n%an%n%ae%n%cn%n%ce%n%s";
        let log = repo.git(&["log", "-1", "--encoding=UTF-8", format, &id.to_string()]);
        let git = Repo::open(repo.path()).unwrap().git;
        let commit = stored(&git, id).unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        let parents: Vec<_> = commit.parent_ids().iter().map(Oid::to_string).collect();
        let (author, committer) = (commit.author(), commit.committer());
        let lines = [
            commit.tree_id().to_string(),
            parents.join(" "),
            text(author.name),
            text(author.email),
            text(committer.name),
            text(committer.email),
            text(commit.subject()),
        ];
        (log, lines.join("\n").trim_end().to_owned())
    }

    #[test]
    fn malformed_commits_are_read_as_git_reads_them() {
        let repo = TestRepo::new();
        repo.commit("root");
        let good = "A B <a@b> 1334833756 -0700";
        for line in [
            "A <a@b> 18446744073709548016 +0100",
            "A <a@b> 9223372036854775808 +0100",
            "A 1334833756 -0700",
            "A <a@b\n> 1334833756 -0700",
            "A <a@b> ",
            "A <a@b>",
            "<> 1334833756 -0700",
            "A <a@b> soon -0700",
            "",
        ] {
            for (author, committer) in [(line, good), (good, line), (line, line)] {
                let lines = format!("author {author}\ncommitter {committer}\n");
                let id = with_lines(&repo, lines.as_bytes(), b"subject\nof two lines\n\nbody\n");
                let (log, ours) = both(&repo, id);
                assert_eq!(ours, log, "{lines:?}");
            }
        }
        for lines in ["", "author A <a@b> 1 +0000\n", "committer A <a@b> 1 +0000\n", "x y\n z\n"] {
            let (log, ours) = both(&repo, with_lines(&repo, lines.as_bytes(), b"subject\n"));
            assert_eq!(ours, log, "{lines:?}");
        }
        let lines = format!("author {good}\ncommitter {good}\n");
        let (log, ours) = both(&repo, with_lines(&repo, lines.as_bytes(), b"with\0a NUL\n"));
        assert_eq!(ours, log);
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let repo = TestRepo::new();
        repo.commit("root");
        let git = Repo::open(repo.path()).unwrap().git;
        let cases = [
            ("author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n", vec![]),
            (
                "author A <a@b> 18446744073709548016 +0000\ncommitter A <a@b> 7 +0000\n",
                vec!["the time of its author"],
            ),
            ("author A\ncommitter A <a@b> 7 +0000\n", vec!["its author"]),
            ("", vec!["its author", "its committer"]),
        ];
        for (lines, expected) in cases {
            let commit = stored(&git, with_lines(&repo, lines.as_bytes(), b"x\n")).unwrap();
            assert_eq!(commit.unreadable(), expected, "{lines}");
        }
    }

    #[test]
    fn a_commit_without_a_tree_stays_refused() {
        let repo = TestRepo::new();
        let git = Repo::open(repo.path()).unwrap().git;
        let people = "author A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nx\n";
        for start in ["", "tree x\n", "tree 4b825dc642cb6eb9a060e54bf8d69288fbee490\n"] {
            let id = store(&repo, format!("{start}{people}").as_bytes());
            assert!(stored(&git, id).is_err(), "{start}");
        }
    }

    #[test]
    fn a_malformed_commit_at_the_edge_of_a_shallow_clone_has_no_parents() {
        let repo = TestRepo::new();
        repo.commit("root");
        let id = with_lines(&repo, b"author A\ncommitter A\n", b"edge\n");
        std::fs::write(repo.path().join(".git/shallow"), format!("{id}\n")).unwrap();
        let git = Repo::open(repo.path()).unwrap().git;
        assert_eq!(stored(&git, id).unwrap().parent_ids(), []);
    }

    #[test]
    fn text_is_shown_in_the_encoding_that_the_commit_names() {
        let repo = TestRepo::new();
        repo.commit("root");
        let cases: [(&str, &[u8]); 6] = [
            ("ISO-8859-1", b"gr\xfcn \x80"),
            ("ISO-8859-15", b"\xa4 gr\xfcn"),
            ("KOI8-R", b"\xda\xc5\xcc"),
            ("Shift_JIS", b"\x97\xce"),
            ("EUC-JP", b"\xce\xd0"),
            ("UTF-8", "grün".as_bytes()),
        ];
        for (encoding, subject) in cases {
            let person = [b"Gr\xfcn <a@b> 1 +0000\n".as_slice()].concat();
            let person =
                if encoding.starts_with("ISO") { person } else { b"A <a@b> 1 +0000\n".to_vec() };
            let header = format!("encoding {encoding}\n");
            let lines = [b"author ".as_slice(), &person, b"committer ", &person, header.as_bytes()];
            let (log, ours) =
                both(&repo, with_lines(&repo, &lines.concat(), &[subject, b"\n"].concat()));
            assert_eq!(ours, log, "{encoding}");
        }
    }
}
