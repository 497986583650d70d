//! Converting a blob's contents to those of a file: `ident`, line endings and encoding, in git's
//! order.
//!
//! This does not use a crate, because every byte must be as with git. For example, git replaces the
//! value of an `$Id: … $` that was committed, and converts to UTF-16.

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

/// The line endings of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnds {
    /// As in the blob.
    Keep,
    /// CRLF for all contents.
    Crlf,
    /// CRLF if the contents look like text with only LF.
    CrlfIfText,
}

/// The conversion of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Conversion {
    line_ends: LineEnds,
    ident: bool,
    encoding: Option<Encoding>,
}

impl Conversion {
    /// Returns the conversion for these attributes and settings, and the attributes that are
    /// ignored.
    pub(super) fn of(
        assigned: Option<&Assigned>,
        settings: &Conversions,
    ) -> (Self, Vec<ExportWarning>) {
        let Some(assigned) = assigned else {
            let line_ends = LineEnds::unassigned(settings);
            return (Self { line_ends, ident: false, encoding: None }, Vec::new());
        };
        let mut ignored = Vec::new();
        if let State::Value(driver) = &assigned.filter {
            ignored.push(ExportWarning::Filter(driver.clone()));
        }
        let encoding = match &assigned.encoding {
            State::Value(name) if name.is_empty() || is_utf8(name) => None,
            State::Value(name) => Encoding::named(name).or_else(|| {
                ignored.push(ExportWarning::Encoding(name.clone()));
                None
            }),
            State::Set | State::Unset => {
                ignored.push(ExportWarning::NoEncoding);
                None
            }
            State::Unspecified => None,
        };
        let line_ends = LineEnds::assigned(assigned, settings);
        (Self { line_ends, ident: assigned.ident == State::Set, encoding }, ignored)
    }

    /// Returns true if the contents do not change, so that they need not be in memory.
    pub(super) fn is_none(&self) -> bool {
        self.line_ends == LineEnds::Keep && !self.ident && self.encoding.is_none()
    }

    /// Returns the contents of the file, and false if they could not be encoded as requested. `id`
    /// is the blob's id.
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
    /// Returns the line endings of a file without the attributes `text`, `crlf` and `eol`.
    fn unassigned(settings: &Conversions) -> Self {
        if settings.auto_crlf == AutoCrlf::Yes { Self::CrlfIfText } else { Self::Keep }
    }

    fn assigned(assigned: &Assigned, settings: &Conversions) -> Self {
        // `crlf` is the old name of `text`. It applies if `text` is not set.
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
                let stats = TextStats::of(contents);
                stats.lone_lf > 0 && stats.crlf == 0 && !stats.is_binary()
            }
        }
    }
}

/// The counts by which git distinguishes text from binary data.
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
        let mut stats = Self::default();
        let mut bytes = contents.iter().copied().peekable();
        while let Some(byte) = bytes.next() {
            match byte {
                b'\r' if bytes.next_if_eq(&b'\n').is_some() => stats.crlf += 1,
                b'\r' => stats.lone_cr += 1,
                b'\n' => stats.lone_lf += 1,
                // Texts may contain backspace, tab, form feed and escape.
                0x08 | b'\t' | 0x0c | 0x1b => stats.printable += 1,
                // DOS marked the end of a text with this byte.
                0x1a if bytes.peek().is_none() => {}
                0..0x20 | 0x7f => {
                    stats.nul += usize::from(byte == 0);
                    stats.unprintable += 1;
                }
                _ => stats.printable += 1,
            }
        }
        stats
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

/// Replaces `$Id$` and `$Id: … $` with `$Id: <blob> $`. Returns `None` if there is neither.
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

/// Returns the length of the keyword at the start, if it is git's. It must be on one line, without
/// spaces inside; those are of other version control systems.
fn ident_length(text: &[u8]) -> Option<usize> {
    const PREFIX: usize = "$Id:".len();
    if text.starts_with(b"$Id$") {
        return Some("$Id$".len());
    }
    let value = text.strip_prefix(b"$Id:")?;
    let value = value.split(|byte| *byte == b'$').next().filter(|it| it.len() < value.len())?;
    // A space at the start and the end is allowed: `$Id: 1234 $`.
    let inside = value.get(1..value.len().saturating_sub(1)).unwrap_or_default();
    let is_other_system = value.contains(&b'\n') || inside.contains(&b' ');
    (!is_other_system).then_some(PREFIX + value.len() + 1)
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
    fn only_ident_keywords_of_git_are_filled_in() {
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
    fn text_is_distinguished_from_binary() {
        let auto = LineEnds::CrlfIfText;
        assert!(auto.wants_crlf(b"a\nb\n") && auto.wants_crlf(b"dos\n\x1a"));
        for no in [&b"a"[..], b"a\r\nb\n", b"a\rb\n", b"a\0\n", b"\x01\n"] {
            assert!(!auto.wants_crlf(no), "{no:?}");
        }
        assert!(LineEnds::Crlf.wants_crlf(b"a\0\r\r\nb\n"));
        assert_eq!(with_crlf(b"a\r\nb\n\n"), b"a\r\nb\r\n\r\n");
    }
}
