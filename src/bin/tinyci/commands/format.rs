//! The placeholders of `results --format`, a subset of those of `git log`.

use std::str::Chars;

use jiff::Timestamp;
use tinyci::{Commit, Record};

use crate::console::{failure::Failure, terminal::one_line};

/// The placeholders, for `--help`.
pub(crate) const PLACEHOLDERS: &str = "\
Placeholders of --format, as in git log:
  %H   commit id                    %N   verdict: success, failure or skipped
  %h   abbreviated commit id        %D   branch
  %s   subject                      %ct  commit time, seconds since 1970
  %an  author name                  %cI  commit time, ISO 8601
  %ae  author email                 %n   newline
  %%   a percent sign";

/// A valid format.
#[derive(Debug)]
pub(crate) struct Format {
    pieces: Vec<Piece>,
}

#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    Id,
    ShortId,
    Subject,
    AuthorName,
    AuthorAddress,
    Branch,
    CommitSeconds,
    CommitTime,
    Word,
}

impl Format {
    /// Reads a format.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        let mut pieces = Vec::new();
        let mut rest = text.chars();
        while let Some(letter) = rest.next() {
            pieces.push(match letter {
                '%' => Piece::read(&mut rest)?,
                letter => Piece::Text(letter.to_string()),
            });
        }
        Ok(Self { pieces })
    }

    /// Returns true if it needs more than the record: the commit itself.
    pub(crate) fn needs_commit(&self) -> bool {
        use Piece::{AuthorAddress, AuthorName, CommitSeconds, CommitTime, Subject};
        let of_commit = [Subject, AuthorName, AuthorAddress, CommitSeconds, CommitTime];
        self.pieces.iter().any(|piece| of_commit.contains(piece))
    }

    /// Returns one line, in the bytes that git stores, except escapes and carriage returns. Placeholders of a deleted commit are empty.
    pub(crate) fn fill(&self, record: &Record, commit: Option<&Commit>) -> Vec<u8> {
        let mut line = Vec::new();
        for piece in &self.pieces {
            piece.fill(record, commit, &mut line);
        }
        line.push(b'\n');
        line
    }
}

impl Piece {
    /// Reads what follows a `%`.
    fn read(rest: &mut Chars<'_>) -> Result<Self, Failure> {
        let first = rest.next();
        let second = match first {
            Some('a' | 'c') => rest.next(),
            _ => None,
        };
        Ok(match (first, second) {
            (Some('H'), None) => Self::Id,
            (Some('h'), None) => Self::ShortId,
            (Some('s'), None) => Self::Subject,
            (Some('N'), None) => Self::Word,
            (Some('D'), None) => Self::Branch,
            (Some('n'), None) => Self::Text("\n".to_owned()),
            (Some('%'), None) => Self::Text("%".to_owned()),
            (Some('a'), Some('n')) => Self::AuthorName,
            (Some('a'), Some('e')) => Self::AuthorAddress,
            (Some('c'), Some('t')) => Self::CommitSeconds,
            (Some('c'), Some('I')) => Self::CommitTime,
            (first, second) => {
                let name: String = first.into_iter().chain(second).collect();
                let known = "%H %h %s %an %ae %ct %cI %D %N %n %%";
                let message =
                    format!("unknown placeholder `%{name}` in --format: expected one of {known}");
                return Err(Failure::usage(message));
            }
        })
    }

    fn fill(&self, record: &Record, commit: Option<&Commit>, line: &mut Vec<u8>) {
        let owned = |text: String| text.into_bytes();
        let bytes = match self {
            Self::Text(text) => return line.extend_from_slice(text.as_bytes()),
            Self::Id => owned(record.commit.to_string()),
            Self::ShortId => owned(record.commit.short()),
            Self::Word => owned(record.verdict().map_or("", |word| word.as_str()).to_owned()),
            Self::Branch => match &record.branch {
                Some(branch) => branch.as_bytes().to_vec(),
                None => Vec::new(),
            },
            Self::Subject => {
                commit.map_or_else(Vec::new, |commit| commit.subject.as_bytes().to_vec())
            }
            Self::AuthorName => author(commit).0.to_vec(),
            Self::AuthorAddress => author(commit).1.to_vec(),
            Self::CommitSeconds => {
                owned(commit.map_or_else(String::new, |commit| commit.time.to_string()))
            }
            Self::CommitTime => owned(commit.map_or_else(String::new, iso_time)),
        };
        line.extend_from_slice(&one_line(&bytes));
    }
}

/// Returns name and address from `Name <address>`.
fn author(commit: Option<&Commit>) -> (&[u8], &[u8]) {
    let author = commit.map_or(&b""[..], |commit| commit.author.as_bytes());
    split_author(author)
}

fn split_author(author: &[u8]) -> (&[u8], &[u8]) {
    match author.iter().rposition(|byte| *byte == b'<') {
        Some(at) => {
            let (name, address) = author.split_at(at);
            let address = address.strip_prefix(b"<").unwrap_or(address);
            (name.trim_ascii_end(), address.strip_suffix(b">").unwrap_or(address))
        }
        None => (author, b""),
    }
}

fn iso_time(commit: &Commit) -> String {
    Timestamp::from_second(commit.time).map(|time| time.to_string()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_placeholder_is_named() {
        for (text, name) in [("%H %x", "%x"), ("%at", "%at"), ("100%", "%"), ("%c", "%c")] {
            let failure = Format::parse(text).map(|_| ()).map_err(|failure| failure.to_string());
            let expected = format!("tinyci: unknown placeholder `{name}`");
            assert!(failure.is_err_and(|text| text.starts_with(&expected)), "{text}");
        }
    }

    #[test]
    fn only_placeholders_that_the_record_lacks_need_the_commit() {
        let needs = |text| Format::parse(text).map(|format| format.needs_commit()).ok();
        assert_eq!(needs("%H %h %N %D%n%%"), Some(false));
        assert_eq!(needs("%H %s"), Some(true));
    }

    #[test]
    fn authors_have_a_name_and_an_address() {
        assert_eq!(split_author(b"Ada L <ada@x.org>"), (&b"Ada L"[..], &b"ada@x.org"[..]));
        assert_eq!(split_author(b"nobody"), (&b"nobody"[..], &b""[..]));
    }
}
