//! The text of a script or module, and what stands where in it.

use std::sync::Arc;

use crate::model::error::{Error, ErrorKind, Position};

/// More than this is not a script; it also bounds what parsing one may cost.
const BYTES_MAX: usize = 256 * 1024;

/// One script file. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// What errors call it: its path in the commit.
    pub(crate) name: Arc<str>,
    /// Its text as the parser reads it.
    pub(crate) text: Arc<str>,
    /// What stands in the text that is run beside this one: before which place, and how many letters.
    /// Ordered by place.
    inserted: Arc<[(Position, usize)]>,
}

impl Source {
    /// Takes the bytes of a file, without a byte order mark, and with a `#!` line made a comment:
    /// the parser takes neither, and lines keep their numbers.
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

    /// The same where another text is run, which has more letters before these places.
    pub(in crate::script) fn with_inserted(self, inserted: Vec<(Position, usize)>) -> Self {
        Self { inserted: inserted.into(), ..self }
    }

    /// Where a place of the text that is run stands in this one.
    pub(in crate::script) fn original(&self, at: Position) -> Position {
        let mut column = at.column;
        for (begin, length) in self.inserted.iter().filter(|(begin, _)| begin.line == at.line) {
            column = column.saturating_sub(*length).max(begin.column.min(column));
        }
        Position::new(at.line, column)
    }

    /// This line, from 1, without its end.
    pub(crate) fn line(&self, number: usize) -> Option<&str> {
        self.text.lines().nth(number.checked_sub(1)?)
    }

    /// The letter at this place.
    pub(crate) fn letter(&self, position: Position) -> Option<char> {
        self.line(position.line)?.chars().nth(position.column.checked_sub(1)?)
    }

    /// The word that begins at this place; empty where none does.
    pub(crate) fn word(&self, position: Position) -> &str {
        let line = self.line(position.line).unwrap_or_default();
        let begin = line.char_indices().nth(position.column.saturating_sub(1));
        let rest = begin.and_then(|(at, _)| line.get(at..)).unwrap_or_default();
        let end = rest.find(|it: char| !it.is_alphanumeric() && it != '_').unwrap_or(rest.len());
        rest.get(..end).unwrap_or_default()
    }
}

/// The place right behind a text.
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
