//! [`Source`]: the text of a config, with positions.

use std::cell::OnceCell;

use crate::model::error::{Error, ErrorKind, Position};

/// The maximum size of a config in bytes. Finding a position may require parsing the text again, so it
/// must not be large.
const BYTES_MAX: usize = 256 * 1024;

/// The text of a config. Offsets are in bytes, positions in lines and characters.
pub(super) struct Source<'a> {
    pub(super) text: &'a str,
    pub(super) name: &'a str,
    /// The offset of each line except the first. Computed when the first position is needed.
    lines: OnceCell<Vec<usize>>,
}

impl<'a> Source<'a> {
    /// Validates the bytes of a config. Removes a byte order mark.
    pub(super) fn new(bytes: &'a [u8], name: &'a str) -> Result<Self, Error> {
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        if bytes.len() > BYTES_MAX {
            let message = format!(
                "the config has {} bytes, but the limit is {BYTES_MAX}; move its commands to \
                 scripts in the repository",
                bytes.len()
            );
            return Err(Source::of("", name).error(0, message));
        }
        let source = match std::str::from_utf8(bytes) {
            Ok(text) => Source::of(text, name),
            Err(error) => return Err(not_utf8(bytes, error.valid_up_to(), name)),
        };
        match source.text.char_indices().find(|(_, letter)| !is_yaml_character(*letter)) {
            None => Ok(source),
            Some((offset, letter)) => {
                let code = u32::from(letter);
                let message = format!("the character U+{code:04X} is not allowed in YAML");
                Err(source.error(offset, message))
            }
        }
    }

    fn of(text: &'a str, name: &'a str) -> Self {
        Self { text, name, lines: OnceCell::new() }
    }

    /// Creates an error at this offset.
    pub(super) fn error(&self, offset: usize, message: impl Into<String>) -> Error {
        Error::new(ErrorKind::Config, message)
            .with_path(self.name)
            .with_position(self.position(offset))
    }

    /// Returns the line and column of this offset.
    pub(super) fn position(&self, offset: usize) -> Position {
        let before = self.text.get(..offset).unwrap_or(self.text);
        let lines = self.lines.get_or_init(|| line_begins(self.text));
        let line = lines.partition_point(|begin| *begin <= before.len());
        let begin = line.checked_sub(1).and_then(|last| lines.get(last)).copied().unwrap_or(0);
        let column = before.get(begin..).unwrap_or_default().chars().count();
        Position::new(line + 1, column + 1)
    }

    /// Returns the position of the first character of a string whose node begins at this offset.
    /// That is after its quote, or on the line after `|` and `>`, after the indentation.
    pub(super) fn text_position(&self, offset: usize, text: &str) -> Position {
        let offset = self.skip_properties(offset);
        let rest = self.rest(offset);
        match rest.chars().next() {
            Some('\'' | '"') => self.position(offset + 1),
            Some('|' | '>') => {
                let is_filled = |line: &&str| !line.trim().is_empty();
                let written = rest.lines().skip(1).find(is_filled).unwrap_or_default();
                let kept = text.lines().find(is_filled).unwrap_or_default();
                let indentation = leading_spaces(written).saturating_sub(leading_spaces(kept));
                Position::new(self.position(offset).line + 1, indentation + 1)
            }
            _ => self.position(offset),
        }
    }

    /// Returns a number or boolean as written: `1.10`, not 1.1.
    pub(super) fn plain(&self, offset: usize) -> &'a str {
        let rest = self.rest(self.skip_properties(offset));
        let ends = |letter: char| letter.is_whitespace() || matches!(letter, ',' | '}' | ']');
        rest.split(ends).next().unwrap_or_default()
    }

    /// Returns the character at this offset.
    pub(super) fn letter(&self, offset: usize) -> Option<char> {
        self.rest(offset).chars().next()
    }

    /// Returns the offset of a node's value, after its `&anchor` and `!tag`.
    fn skip_properties(&self, offset: usize) -> usize {
        let mut rest = self.rest(offset);
        while rest.starts_with(['&', '!', '#']) {
            let comment = rest.starts_with('#');
            let ends = |letter: char| {
                if comment { letter == '\n' || letter == '\r' } else { letter.is_whitespace() }
            };
            rest = rest.find(ends).and_then(|end| rest.get(end..)).unwrap_or_default().trim_start();
        }
        self.text.len() - rest.len()
    }

    fn rest(&self, offset: usize) -> &'a str {
        self.text.get(offset..).unwrap_or_default()
    }
}

/// Returns the offset of each line except the first.
fn line_begins(text: &str) -> Vec<usize> {
    let bytes = text.as_bytes();
    let ends_line = |(at, byte): &(usize, &u8)| {
        **byte == b'\n' || (**byte == b'\r' && bytes.get(at + 1) != Some(&b'\n'))
    };
    bytes.iter().enumerate().filter(ends_line).map(|(at, _)| at + 1).collect()
}

fn leading_spaces(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

fn not_utf8(bytes: &[u8], offset: usize, name: &str) -> Error {
    let valid = bytes.get(..offset).and_then(|valid| std::str::from_utf8(valid).ok());
    let valid = Source::of(valid.unwrap_or_default(), name);
    valid.error(offset, format!("byte {} is not UTF-8; save the file as UTF-8", offset + 1))
}

/// Returns true if YAML 1.1 calls the character printable.
fn is_yaml_character(letter: char) -> bool {
    matches!(letter,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}
