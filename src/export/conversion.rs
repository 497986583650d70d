//! From a blob's contents to a file's: `ident`, line ends, encoding, in git's order.
//!
//! Our own rather than a crate's, because each must come out as git's to the last byte: git drops
//! an `$Id: … $` that was committed filled in, and converts to UTF-16.

use std::borrow::Cow;

use crate::{
    export::{
        attributes::{Assigned, State},
        encoding::{Encoding, is_utf8},
        warning::ExportWarning,
    },
    model::commit::TreeId,
    repo::{AutoCrlf, Conversions},
};

/// Which files get CRLF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnds {
    /// As in the blob.
    Keep,
    /// CRLF whatever the contents.
    Crlf,
    /// CRLF if the contents look like text that has only LF.
    CrlfIfText,
}

/// What is done to one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conversion {
    line_ends: LineEnds,
    ident: bool,
    encoding: Option<Encoding>,
}

impl Conversion {
    /// What these attributes and settings ask for, and what of it is not done.
    pub(super) fn of(
        assigned: Option<&Assigned>,
        settings: &Conversions,
    ) -> (Self, Vec<ExportWarning>) {
        let Some(assigned) = assigned else {
            let line_ends = LineEnds::unassigned(settings);
            return (Self { line_ends, ident: false, encoding: None }, Vec::new());
        };
        let mut undone = Vec::new();
        if let State::Value(driver) = &assigned.filter {
            undone.push(ExportWarning::Filter(driver.clone()));
        }
        let encoding = match &assigned.encoding {
            State::Value(name) if name.is_empty() || is_utf8(name) => None,
            State::Value(name) => Encoding::named(name).or_else(|| {
                undone.push(ExportWarning::Encoding(name.clone()));
                None
            }),
            State::Set | State::Unset => {
                undone.push(ExportWarning::NoEncoding);
                None
            }
            State::Unspecified => None,
        };
        let line_ends = LineEnds::assigned(assigned, settings);
        (Self { line_ends, ident: assigned.ident == State::Set, encoding }, undone)
    }

    /// Whether the contents stay as they are, so that they need not be in memory.
    pub(super) fn is_none(&self) -> bool {
        self.line_ends == LineEnds::Keep && !self.ident && self.encoding.is_none()
    }

    /// The contents of the file, and whether they could be encoded as asked. `id` is the blob's.
    pub(super) fn apply<'a>(&self, contents: &'a [u8], id: [u8; 20]) -> (Cow<'a, [u8]>, bool) {
        let mut result = Cow::Borrowed(contents);
        if self.ident
            && let Some(filled) = fill_ident(&result, id)
        {
            result = Cow::Owned(filled);
        }
        if self.line_ends.wants_crlf(&result) {
            result = Cow::Owned(with_crlf(&result));
        }
        let Some(encoding) = self.encoding.filter(|_| !result.is_empty()) else {
            return (result, true);
        };
        match encoding.encode(&result) {
            Some(encoded) => (Cow::Owned(encoded), true),
            None => (result, false),
        }
    }
}

impl LineEnds {
    /// For a file without `text`, `crlf` and `eol`.
    fn unassigned(settings: &Conversions) -> Self {
        if settings.auto_crlf == AutoCrlf::Yes { Self::CrlfIfText } else { Self::Keep }
    }

    fn assigned(assigned: &Assigned, settings: &Conversions) -> Self {
        // `crlf` is the old name of `text`, heeded where that says nothing.
        let is_understood = |state: &&State| match state {
            State::Unspecified => false,
            State::Set | State::Unset => true,
            State::Value(word) => matches!(word.as_slice(), b"input" | b"auto"),
        };
        let text = Some(&assigned.text).filter(is_understood);
        let text = text.or_else(|| Some(&assigned.crlf).filter(is_understood));
        let eol = match &assigned.eol {
            State::Value(word) if word == b"crlf" => Some(true),
            State::Value(word) if word == b"lf" => Some(false),
            _ => None,
        };
        let is_auto = matches!(text, Some(State::Value(word)) if word == b"auto");
        let is_crlf = match (text, eol) {
            (Some(State::Unset), _) => false,
            (_, Some(is_crlf)) => is_crlf,
            (None, None) => return Self::unassigned(settings),
            // `text=input` means LF.
            (Some(State::Value(_)), None) if !is_auto => false,
            _ => match settings.auto_crlf {
                AutoCrlf::Yes => true,
                AutoCrlf::Input => false,
                AutoCrlf::No => settings.eol_is_crlf,
            },
        };
        match (is_crlf, is_auto) {
            (false, _) => Self::Keep,
            (true, false) => Self::Crlf,
            (true, true) => Self::CrlfIfText,
        }
    }

    fn wants_crlf(self, contents: &[u8]) -> bool {
        match self {
            Self::Keep => false,
            Self::Crlf => TextStats::of(contents).lone_lf > 0,
            Self::CrlfIfText => {
                let census = TextStats::of(contents);
                census.lone_lf > 0 && census.crlf == 0 && !census.is_binary()
            }
        }
    }
}

/// What git counts to tell text from anything else.
#[derive(Debug, Default)]
struct TextStats {
    nul: usize,
    lone_cr: usize,
    lone_lf: usize,
    crlf: usize,
    printable: usize,
    unprintable: usize,
}

impl TextStats {
    fn of(contents: &[u8]) -> Self {
        let mut census = Self::default();
        let mut bytes = contents.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\r' if bytes.next_if_eq(&b'\n').is_some() => census.crlf += 1,
                b'\r' => census.lone_cr += 1,
                b'\n' => census.lone_lf += 1,
                // Backspace, tab, form feed and escape are found in texts.
                0x08 | b'\t' | 0x0c | 0x1b => census.printable += 1,
                // DOS ended a text so.
                0x1a if bytes.peek().is_none() => {}
                0..0x20 | 0x7f => {
                    census.nul += usize::from(byte == 0);
                    census.unprintable += 1;
                }
                _ => census.printable += 1,
            }
        }
        census
    }

    fn is_binary(&self) -> bool {
        self.lone_cr > 0 || self.nul > 0 || self.printable / 128 < self.unprintable
    }
}

fn with_crlf(contents: &[u8]) -> Vec<u8> {
    let mut result = Vec::with_capacity(contents.len() + contents.len() / 16);
    let mut before = 0;
    for byte in contents {
        if *byte == b'\n' && before != b'\r' {
            result.push(b'\r');
        }
        result.push(*byte);
        before = *byte;
    }
    result
}

/// `$Id$` and a filled-in `$Id: … $` become `$Id: <blob> $`. None if there is neither.
fn fill_ident(contents: &[u8], id: [u8; 20]) -> Option<Vec<u8>> {
    let filled = format!("$Id: {} $", TreeId::from_bytes(id));
    let mut result = Vec::new();
    let mut rest = contents;
    while let Some(start) = rest.iter().position(|byte| *byte == b'$') {
        let (before, keyword) = rest.split_at(start);
        result.extend_from_slice(before);
        if let Some(length) = ident_length(keyword) {
            result.extend_from_slice(filled.as_bytes());
            rest = keyword.get(length..).unwrap_or_default();
        } else {
            result.push(b'$');
            rest = keyword.get(1..).unwrap_or_default();
        }
    }
    result.extend_from_slice(rest);
    (result != contents).then_some(result)
}

/// The length of the keyword that begins here, if it is one of git's: on one line, and with no
/// space inside, which other version control systems have.
fn ident_length(text: &[u8]) -> Option<usize> {
    const PREFIX: usize = "$Id:".len();
    if text.starts_with(b"$Id$") {
        return Some("$Id$".len());
    }
    let value = text.strip_prefix(b"$Id:")?;
    let value = value.split(|byte| *byte == b'$').next().filter(|it| it.len() < value.len())?;
    // A space may come first and last: `$Id: 1234 $`.
    let inside = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
    let is_foreign = value.contains(&b'\n') || inside.contains(&b' ');
    (!is_foreign).then_some(PREFIX + value.len() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ident(text: &str) -> String {
        let filled = fill_ident(text.as_bytes(), [0x12; 20]);
        let filled =
            filled.map_or_else(|| text.to_owned(), |it| String::from_utf8_lossy(&it).into());
        filled.replace(&"12".repeat(20), "ID")
    }

    #[test]
    fn ident_is_filled_in_on_one_line_and_without_foreign_ones() {
        for (text, expected) in [
            ("a $Id$ b", "a $Id: ID $ b"),
            ("$Id: old $$Id$", "$Id: ID $$Id: ID $"),
            ("$Id:$", "$Id: ID $"),
            ("$$Id$$", "$$Id: ID $$"),
            ("$Id: a.c,v 1.2 joe $", "$Id: a.c,v 1.2 joe $"),
            ("$Id: a\n$Id$", "$Id: a\n$Id: ID $"),
            ("$Id: open", "$Id: open"),
            ("$Idx$ $I $", "$Idx$ $I $"),
            ("$Id", "$Id"),
        ] {
            assert_eq!(ident(text), expected, "{text:?}");
        }
    }

    #[test]
    fn text_is_told_from_the_rest() {
        let auto = LineEnds::CrlfIfText;
        assert!(auto.wants_crlf(b"a\nb\n") && auto.wants_crlf(b"dos\n\x1a"));
        for no in [&b"a"[..], b"a\r\nb\n", b"a\rb\n", b"a\0\n", b"\x01\n"] {
            assert!(!auto.wants_crlf(no), "{no:?}");
        }
        assert!(LineEnds::Crlf.wants_crlf(b"a\0\r\r\nb\n"));
        assert_eq!(with_crlf(b"a\r\nb\n\n"), b"a\r\nb\r\n\r\n");
    }
}
