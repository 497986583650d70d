//! The text of a script or module, and positions in it.

use std::sync::Arc;

use crate::model::error::{Error, ErrorKind, Position};

/// Maximum size of a script in bytes. It also limits the cost of parsing.
const BYTES_MAX: usize = 256 * 1024;

/// One script file. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The name in errors: the path in the commit.
    pub(crate) name: Arc<str>,
    /// Its text as the parser reads it.
    pub(crate) text: Arc<str>,
    /// The insertions that turn this text into the text that is run: the position of each, and the
    /// number of characters. Ordered by position.
    inserted: Arc<[(Position, usize)]>,
}

impl Source {
    /// Reads the bytes of a file. The parser accepts neither a byte order mark nor a `#!` line: the
    /// first is dropped, the second becomes a comment, so line numbers stay the same.
    pub(crate) fn new(bytes: &[u8], name: &str) -> Result<Self, Error> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let fault = |message: String| Error::new(ErrorKind::Script, message).with_path(name);
        if bytes.len() > BYTES_MAX {
            let message = format!(
                "the script has {} bytes, but the limit is {BYTES_MAX}; move parts of it to \
                 modules, or to programs in the repository",
                bytes.len()
            );
            return Err(fault(message));
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
            let position = end_of(&String::from_utf8_lossy(valid));
            fault("the script is not UTF-8 here; save the file as UTF-8".to_owned())
                .with_position(position)
        })?;
        let text = match text.strip_prefix("#!") {
            // Not `///`, which would be a doc comment.
            Some(rest) => format!("// {}", rest.trim_start_matches('/')).into(),
            None => text.into(),
        };
        Ok(Self { name: name.into(), text, inserted: [].into() })
    }

    /// Returns the source with the insertions that were made in the text that is run.
    pub(in crate::script) fn with_inserted(self, inserted: Vec<(Position, usize)>) -> Self {
        Self { inserted: inserted.into(), ..self }
    }

    /// Converts a position in the text that is run into one in this text.
    pub(in crate::script) fn original(&self, at: Position) -> Position {
        let mut column = at.column;
        for (begin, length) in self.inserted.iter().filter(|(begin, _)| begin.line == at.line) {
            column = column.saturating_sub(*length).max(begin.column.min(column));
        }
        Position::new(at.line, column)
    }

    /// Returns this line, counted from 1, without its line end.
    pub(crate) fn line(&self, number: usize) -> Option<&str> {
        self.text.lines().nth(number.checked_sub(1)?)
    }

    /// Returns the character at this position.
    pub(crate) fn character(&self, position: Position) -> Option<char> {
        self.line(position.line)?.chars().nth(position.column.checked_sub(1)?)
    }

    /// Returns the word that begins at this position, or an empty string.
    pub(crate) fn word(&self, position: Position) -> &str {
        let line = self.line(position.line).unwrap_or_default();
        let begin = line.char_indices().nth(position.column.saturating_sub(1));
        let rest = begin.and_then(|(at, _)| line.get(at..)).unwrap_or_default();
        let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }
}

/// Returns the position after the end of a text.
fn end_of(text: &str) -> Position {
    let line = text.matches('\n').count() + 1;
    let column = text.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Position::new(line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_at_the_beginning_are_taken_away_and_lines_stay() {
        let source = Source::new("\u{feff}#!/usr/bin/env rhai\nfn build() {}\n".as_bytes(), "x");
        let source = source.unwrap();
        assert_eq!(&*source.text, "// usr/bin/env rhai\nfn build() {}\n");
        assert_eq!(source.line(2), Some("fn build() {}"));
        assert_eq!((source.line(0), source.line(3)), (None, None));
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let error = Source::new(b"fn a() {}\n  \xff", "x").unwrap_err();
        assert_eq!(error.to_string().split(": ").next(), Some("x:2:3"));
        let error = Source::new(&vec![b' '; BYTES_MAX + 1], "x").unwrap_err();
        assert!(error.message().contains("262145 bytes"), "{error}");
    }
}
