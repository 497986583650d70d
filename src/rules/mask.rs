//! Masks secrets in output and in stored text.
//!
//! A secret is found unchanged, in base64, percent-encoded as in URLs, and with backslashes as in
//! JSON. Encoders differ in the bytes that they escape and in the case of hexadecimal digits. So
//! tinyci decodes escapes while it compares, instead of listing all encoded forms.

use std::sync::{Arc, RwLock};

use crate::{model::function::Value, util::lock::unpoisoned};

/// The replacement of a secret.
const MASK: &[u8] = b"***";

/// The minimum length of a masked string, in bytes. Masking shorter ones would make all output
/// unreadable.
const BYTES_MIN: usize = 4;

/// The secrets in use, in every form that is masked. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Masks {
    forms: Arc<RwLock<Forms>>,
}

impl Masks {
    /// Adds a secret: its value, each of its lines, and their base64 forms. Returns false if a part
    /// is too short to be masked.
    pub(crate) fn add(&self, secret: &[u8]) -> bool {
        let trimmed = secret.trim_ascii();
        let lines = trimmed.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        let texts: Vec<&[u8]> = lines.chain([trimmed]).collect();
        let long = |text: &[u8]| text.len() >= BYTES_MIN;
        let complete = texts.iter().all(|text| text.is_empty() || long(text)) && long(trimmed);
        let mut forms = unpoisoned(self.forms.write());
        for text in texts.into_iter().filter(|text| long(text)) {
            forms.add(text.to_vec());
            base64_forms(text).into_iter().filter(|it| long(it)).for_each(|it| forms.add(it));
        }
        complete
    }

    /// Returns the text with all secrets masked.
    pub(crate) fn apply(&self, text: &str) -> String {
        if self.is_empty() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.masked(text.as_bytes(), false).0).into_owned()
    }

    /// Returns true if a text contains a secret in any form.
    pub(crate) fn has_secret(&self, text: &str) -> bool {
        let forms = unpoisoned(self.forms.read());
        let at = |begin: usize| text.as_bytes().get(begin..).unwrap_or_default();
        (0..text.len()).any(|begin| matches!(forms.match_at(at(begin), false), Match::Whole(_)))
    }

    /// Returns true if a value, including nested values and keys, contains a secret in any form.
    pub(crate) fn has_secret_in(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            // A secret of digits may have been read as a number.
            Value::Int(number) => self.has_secret(&number.to_string()),
            Value::Float(number) => self.has_secret(&number.to_string()),
            Value::String(text) => self.has_secret(text),
            Value::Array(list) => list.iter().any(|item| self.has_secret_in(item)),
            Value::Map(map) => {
                map.iter().any(|(key, value)| self.has_secret(key) || self.has_secret_in(value))
            }
        }
    }

    /// Returns the value with all secrets masked, also in keys.
    pub(crate) fn apply_in(&self, value: Value) -> Value {
        if !self.has_secret_in(&value) {
            return value;
        }
        match value {
            Value::Array(list) => {
                Value::Array(list.into_iter().map(|item| self.apply_in(item)).collect())
            }
            Value::Map(map) => map
                .into_iter()
                .map(|(key, value)| (self.apply(&key), self.apply_in(value)))
                .collect(),
            Value::String(text) => Value::String(self.apply(&text)),
            // The number is a secret.
            _ => Value::String(String::from_utf8_lossy(MASK).into_owned()),
        }
    }

    /// Returns a masker for one stream of output.
    pub(crate) fn stream(&self) -> MaskedStream {
        MaskedStream { masks: self.clone(), buffer: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        unpoisoned(self.forms.read()).all.is_empty()
    }

    /// Returns the bytes with every form replaced. If `more` may follow, also returns the rest that
    /// may be the beginning of a form, which is not in the first part.
    fn masked(&self, bytes: &[u8], more: bool) -> (Vec<u8>, Vec<u8>) {
        let forms = unpoisoned(self.forms.read());
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let plain = rest.iter().position(|byte| !forms.starting_with(*byte).is_empty());
            let (plain, from) = rest.split_at(plain.unwrap_or(rest.len()));
            clean.extend_from_slice(plain);
            rest = match forms.match_at(from, more) {
                Match::Cut => return (clean, from.to_vec()),
                Match::Whole(length) => {
                    clean.extend_from_slice(MASK);
                    from.get(length..).unwrap_or_default()
                }
                Match::Nothing => {
                    clean.extend(from.first());
                    from.get(1..).unwrap_or_default()
                }
            };
        }
        (clean, Vec::new())
    }
}

/// Masks one stream of output, split anywhere. It buffers bytes that may be the beginning of a
/// secret.
pub(crate) struct MaskedStream {
    masks: Masks,
    buffer: Vec<u8>,
}

impl MaskedStream {
    /// Adds bytes, and returns those that can be shown now.
    pub(crate) fn push(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if self.masks.is_empty() {
            return bytes;
        }
        self.buffer.extend(bytes);
        let (clean, buffer) = self.masks.masked(&self.buffer, true);
        self.buffer = buffer;
        clean
    }

    /// Returns the remaining bytes at the end.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.masks.masked(&std::mem::take(&mut self.buffer), false).0
    }
}

/// All forms, indexed by their possible first bytes.
#[derive(Default)]
struct Forms {
    all: Vec<Form>,
    by_first: Vec<Vec<usize>>,
}

/// The result of comparing a form with the beginning of a text.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Match {
    Nothing,
    /// The text ends within a possible form.
    Cut,
    /// The text begins with a form of this many bytes.
    Whole(usize),
}

impl Forms {
    fn add(&mut self, bytes: Vec<u8>) {
        if self.all.iter().any(|form| form.bytes == bytes) {
            return;
        }
        self.by_first.resize_with(256, Vec::new);
        let form = Form::new(bytes);
        for first in form.first_bytes() {
            if let Some(known) = self.by_first.get_mut(usize::from(first)) {
                known.push(self.all.len());
            }
        }
        self.all.push(form);
    }

    fn starting_with(&self, byte: u8) -> &[usize] {
        self.by_first.get(usize::from(byte)).map_or(&[], Vec::as_slice)
    }

    /// Returns the longest form at the beginning of the text, so that no part of a longer secret
    /// remains visible. If `more` may follow, a form that may become longer counts as incomplete.
    fn match_at(&self, text: &[u8], more: bool) -> Match {
        let Some(first) = text.first() else { return Match::Nothing };
        let mut longest = Match::Nothing;
        let forms = self.starting_with(*first).iter().filter_map(|index| self.all.get(*index));
        for found in forms.flat_map(|form| form.match_at(text)) {
            match (found, longest) {
                (Match::Cut, _) if more => return Match::Cut,
                (Match::Cut | Match::Nothing, _) => {}
                (Match::Whole(length), Match::Whole(known)) if length <= known => {}
                (Match::Whole(_), _) => longest = found,
            }
        }
        longest
    }
}

/// A string to find, and whether encoders may escape a part of it.
struct Form {
    bytes: Vec<u8>,
    escapable: bool,
}

impl Form {
    fn new(bytes: Vec<u8>) -> Self {
        let escapable = bytes.iter().any(|byte| is_escapable(*byte));
        Self { bytes, escapable }
    }

    /// Returns the possible first bytes of a text that begins with this form.
    fn first_bytes(&self) -> impl Iterator<Item = u8> {
        let first = self.bytes.first().copied();
        let escapes = first.is_some_and(is_escapable).then_some(*b"%\\").into_iter().flatten();
        let escapes = escapes.filter(move |escape| Some(*escape) != first);
        first.into_iter().chain(escapes)
    }

    /// Compares the beginning of the text with each encoding of this form.
    fn match_at(&self, text: &[u8]) -> [Match; 3] {
        let plain = match text.len() < self.bytes.len() {
            true if self.bytes.starts_with(text) => Match::Cut,
            false if text.starts_with(&self.bytes) => Match::Whole(self.bytes.len()),
            _ => Match::Nothing,
        };
        match self.escapable {
            true => [plain, self.escaped_at(text, in_url), self.escaped_at(text, in_json)],
            false => [plain, Match::Nothing, Match::Nothing],
        }
    }

    /// Compares the beginning of the text while decoding escapes. Decoding is unambiguous: a
    /// character that begins an escape never represents itself.
    fn escaped_at(&self, text: &[u8], read: fn(&[u8], u8) -> Unit) -> Match {
        let (mut form, mut rest) = (self.bytes.as_slice(), text);
        while let Some(expected) = form.first().copied() {
            let (length, used) = match read(rest, expected) {
                Unit::Byte(byte, used) if byte == expected => (1, used),
                Unit::Char(character, used) => {
                    match form.starts_with(character.encode_utf8(&mut [0; 4]).as_bytes()) {
                        true => (character.len_utf8(), used),
                        false => return Match::Nothing,
                    }
                }
                Unit::End => return Match::Cut,
                Unit::HalfEscape if is_escapable(expected) => return Match::Cut,
                Unit::Byte(..) | Unit::HalfEscape | Unit::Wrong => return Match::Nothing,
            };
            form = form.get(length..).unwrap_or_default();
            rest = rest.get(used..).unwrap_or_default();
        }
        Match::Whole(text.len() - rest.len())
    }
}

/// The first unit of an encoded text, and its length in bytes.
enum Unit {
    Byte(u8, usize),
    Char(char, usize),
    /// The end of the text.
    End,
    /// An incomplete escape at the end of the text.
    HalfEscape,
    /// An invalid escape, or an escape of a character that encoders never escape.
    Wrong,
}

/// Returns true if some encoders escape this byte. None escapes letters and digits.
fn is_escapable(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric()
}

/// Decodes percent-encoding, in which `+` may represent a space.
fn in_url(text: &[u8], expected: u8) -> Unit {
    match text {
        [] => Unit::End,
        [b'+', ..] if expected == b' ' => Unit::Byte(b' ', 1),
        [b'%', high, low, ..] => match hex(&[*high, *low]) {
            Some(code) => code.try_into().map_or(Unit::Wrong, |byte| escaped_byte(byte, 3)),
            None => Unit::Wrong,
        },
        [b'%', ..] => Unit::HalfEscape,
        [byte, ..] => Unit::Byte(*byte, 1),
    }
}

/// Decodes the escapes of JSON. Shells also escape a character by a backslash.
fn in_json(text: &[u8], _wanted: u8) -> Unit {
    match text {
        [] => Unit::End,
        [b'\\'] => Unit::HalfEscape,
        [b'\\', b'u', digits @ ..] => decode_char(digits),
        [b'\\', short, ..] => match short {
            b'b' => Unit::Byte(0x08, 2),
            b'f' => Unit::Byte(0x0c, 2),
            b'n' => Unit::Byte(b'\n', 2),
            b'r' => Unit::Byte(b'\r', 2),
            b't' => Unit::Byte(b'\t', 2),
            sign => escaped_byte(*sign, 2),
        },
        [byte, ..] => Unit::Byte(*byte, 1),
    }
}

fn escaped_byte(byte: u8, used: usize) -> Unit {
    if is_escapable(byte) { Unit::Byte(byte, used) } else { Unit::Wrong }
}

/// Decodes the character after `\u`: four digits, or twice four for two UTF-16 units.
fn decode_char(text: &[u8]) -> Unit {
    let Some(first) = text.get(..4) else { return Unit::HalfEscape };
    let Some(first) = hex(first) else { return Unit::Wrong };
    let (units, used) = match (first, text.get(4..10)) {
        (0xd800..0xdc00, None) => return Unit::HalfEscape,
        (0xd800..0xdc00, Some([b'\\', b'u', second @ ..])) => match hex(second) {
            Some(second) => (vec![first, second], 12),
            None => return Unit::Wrong,
        },
        _ => (vec![first], 6),
    };
    match char::decode_utf16(units).next() {
        Some(Ok(character)) if !character.is_ascii_alphanumeric() => Unit::Char(character, used),
        _ => Unit::Wrong,
    }
}

/// Parses hexadecimal digits in either case.
fn hex(digits: &[u8]) -> Option<u16> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let number = digits.iter().try_fold(0, |number, byte| Some(number * 16 + digit(byte)?))?;
    number.try_into().ok()
}

/// Returns the base64 forms of a text within a longer text: one for each of three offsets, without
/// the characters that adjacent bytes affect.
fn base64_forms(text: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = vec![base64(text)];
    for offset in 0..3 {
        let shifted: Vec<u8> = std::iter::repeat_n(0, offset).chain(text.iter().copied()).collect();
        let encoded = base64(&shifted);
        let begin = (offset * 8).div_ceil(6);
        let end = shifted.len() * 8 / 6;
        forms.extend(encoded.get(begin..end).map(<[u8]>::to_vec));
    }
    let url = |form: &Vec<u8>| -> Vec<u8> {
        let url_safe = |byte: &u8| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        };
        form.iter().map(url_safe).collect()
    };
    let in_urls: Vec<Vec<u8>> = forms.iter().map(url).collect();
    forms.extend(in_urls);
    forms
}

fn base64(bytes: &[u8]) -> Vec<u8> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = Vec::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            let digit = LETTERS[(bits >> (18 - 6 * index)) as usize & 63];
            text.push(if index > chunk.len() { b'=' } else { digit });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masks(secrets: &[&str]) -> Masks {
        let masks = Masks::default();
        secrets.iter().for_each(|secret| {
            masks.add(secret.as_bytes());
        });
        masks
    }

    #[test]
    fn base64_is_that_of_the_standard() {
        for (text, expected) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v")] {
            assert_eq!(base64(text.as_bytes()), expected.as_bytes());
        }
    }

    #[test]
    fn values_lines_and_base64_forms_are_taken_out() {
        let masks = masks(&["hunter2222\n", "line one\nline two\n"]);
        for (text, expected) in [
            ("x hunter2222 y", "x *** y"),
            ("hunter2222hunter2222", "******"),
            ("hunter222", "hunter222"),
            ("at line two.", "at ***."),
            ("line one\nline two", "***"),
            ("basic: dTpodW50ZXIyMjIy", "basic: dTp***"),
            ("aHVudGVyMjIyMg==", "***"),
        ] {
            assert_eq!(masks.apply(text), expected, "{text}");
        }
    }

    #[test]
    fn a_secret_cut_into_pieces_is_found_and_nothing_is_lost() {
        let masks = masks(&["hunter2222"]);
        for cut in 0..=16 {
            let text = b"a hunter2222 hun";
            let mut stream = masks.stream();
            let mut shown = stream.push(text[..cut.min(text.len())].to_vec());
            shown.extend(stream.push(text[cut.min(text.len())..].to_vec()));
            shown.extend(stream.finish());
            assert_eq!(String::from_utf8_lossy(&shown), "a *** hun", "{cut}");
        }
        let mut bytewise = masks.stream();
        let mut shown = Vec::new();
        for byte in b"hhunter2222!" {
            shown.extend(bytewise.push(vec![*byte]));
        }
        assert_eq!(String::from_utf8_lossy(&shown), "h***!");
    }

    #[test]
    fn what_is_short_is_not_masked_and_said_so() {
        let masks = Masks::default();
        assert!(!masks.add(b"abc"));
        assert!(!masks.add(b"long enough\nab\n"));
        assert!(masks.add(b"long enough\n"));
        assert_eq!(masks.apply("abc long enough"), "abc ***");
    }

    #[test]
    fn url_encoded_forms_are_taken_out() {
        // The results of Python's quote(safe=''), quote and quote_plus, of encodeURIComponent and
        // encodeURI, and of encoders with lowercase digits.
        let masks = masks(&["p/ss w+rd=é~'%!"]);
        for form in [
            "p%2Fss%20w%2Brd%3D%C3%A9~%27%25%21",
            "p/ss%20w%2Brd%3D%C3%A9~%27%25%21",
            "p%2Fss+w%2Brd%3D%C3%A9%7E%27%25%21",
            "p%2Fss%20w%2Brd%3D%C3%A9~'%25!",
            "p/ss%20w+rd=%C3%A9~'%25!",
            "p%2fss%20w%2brd%3d%c3%a9~%27%25%21",
        ] {
            assert_eq!(masks.apply(&format!("?a={form}&b")), "?a=***&b", "{form}");
            assert!(masks.has_secret(&format!("x{form}")), "{form}");
        }
        for other in ["p%2Fss%20w%2Brd%3D%C3%A8~%27%25%21", "p%2", "p%2Gss%20w", "%70%2Fss"] {
            assert_eq!(masks.apply(other), other);
            assert!(!masks.has_secret(other));
        }
    }

    #[test]
    fn json_escaped_forms_are_taken_out() {
        let secret = "a\"b\\c/d<é\u{1f600}\te\u{7}";
        let masks = masks(&[secret]);
        let of_serde = serde_json::to_string(secret).unwrap_or_default();
        for form in [
            of_serde.trim_matches('"'),
            r#"a\"b\\c\/d\u003c\u00e9\ud83d\ude00\te\u0007"#,
            r#"a\"b\\c/d\u003C\u00E9\uD83D\uDE00\u0009e\u0007"#,
            r#"a\u0022b\u005cc\u002fd<é😀\te\u0007"#,
        ] {
            assert_eq!(masks.apply(&format!("{{\"x\":\"{form}\"}}")), "{\"x\":\"***\"}", "{form}");
        }
        for other in [r#"a\"b\\c\/d<é\ud83d"#, r#"a\"b\\c\/d<é\ud83dx"#, r#"a\qb"#] {
            assert_eq!(masks.apply(other), other);
        }
    }

    #[test]
    fn lines_are_found_in_json_as_one_text() {
        let masks = masks(&["-----BEGIN KEY-----\nAbc+/d==\n-----END KEY-----\n"]);
        let text = r#"{"key":"-----BEGIN KEY-----\nAbc+/d==\n-----END KEY-----\n"}"#;
        assert_eq!(masks.apply(text), r#"{"key":"***\n"}"#);
        assert_eq!(masks.apply("k=Abc%2B%2Fd%3D%3D"), "k=***");
        // The encoded text may itself be base64.
        assert_eq!(masks.apply("QWJjKy9kPT0%3D"), "***");
        assert_eq!(masks.apply("QWJjKy9kPT0="), "***");
    }

    #[test]
    fn encoded_secrets_cut_into_pieces_are_found() {
        let masks = masks(&["/a b\"é😀%\\"]);
        let texts = [
            "50% x%2Fa%20b%22%C3%A9%F0%9F%98%80%25%5C.",
            r#"50% x/a b\"\u00e9\ud83d\ude00%\\."#,
            "50% x/a b\"é😀%\\.",
        ];
        for text in texts {
            for cut in 0..text.len() {
                let (before, behind) = text.as_bytes().split_at(cut);
                let mut stream = masks.stream();
                let mut shown = stream.push(before.to_vec());
                shown.extend(stream.push(behind.to_vec()));
                shown.extend(stream.finish());
                assert_eq!(String::from_utf8_lossy(&shown), "50% x***.", "{text} {cut}");
            }
        }
    }

    #[test]
    fn what_is_held_at_the_end_is_masked() {
        let masks = masks(&["hunter2", "hunter2222"]);
        let mut stream = masks.stream();
        assert_eq!(stream.push(b"a hunter2".to_vec()), b"a ");
        assert_eq!(stream.finish(), b"***");
        assert_eq!(stream.push(b"a hunter222".to_vec()), b"a ");
        assert_eq!(stream.push(b"2".to_vec()), b"***");
    }

    #[test]
    fn values_are_looked_through() {
        let masks = masks(&["hunter2222", "12345678"]);
        let text = |text: &str| Value::String(text.to_owned());
        let map = |key: &str, value| Value::Map([(key.to_owned(), value)].into());
        for value in [
            text("x hunter2222"),
            Value::Int(12_345_678),
            Value::Float(12_345_678.5),
            Value::Array(vec![Value::Null, text("aHVudGVyMjIyMg==")]),
            map("a", Value::Array(vec![map("hunter2222", Value::Bool(true))])),
        ] {
            assert!(masks.has_secret_in(&value), "{value:?}");
        }
        for value in [text("hunter"), Value::Int(1234), map("a", Value::Null)] {
            assert!(!masks.has_secret_in(&value), "{value:?}");
        }
    }

    #[test]
    fn a_text_is_read_in_time_that_grows_with_its_length() {
        // A key of many lines, and output with only its beginnings and incomplete escapes.
        let key: Vec<String> =
            (0..40).map(|line| format!("{line:02}/{}", "\\%+".repeat(20))).collect();
        let masks = masks(&[&key.join("\n")]);
        let text = "01/\\%+\\%+%5C%25\\\\".repeat(10_000);
        let once = |text: &str| {
            let begun = std::time::Instant::now();
            assert_eq!(masks.apply(text), text);
            begun.elapsed()
        };
        // The fastest of three runs, because other processes may run at the same time.
        let time = |text: &str| (0..3).map(|_| once(text)).min();
        let (short, long) = (time(&text), time(&text.repeat(4)));
        assert!(long < short.map(|time| time * 12), "{short:?}, {long:?}");
    }
}
