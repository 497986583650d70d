//! Masking: secrets taken out of whatever is shown or kept.
//!
//! A secret is found as it is, in base64, percent-encoded as in URLs, and with backslashes as in
//! JSON. Encoders differ in which bytes they escape, and in which case they write hexadecimal
//! digits. So escapes are read, not listed: one form of a secret matches whatever decodes to it.

use std::sync::{Arc, RwLock};

use crate::{model::function::Value, util::lock::unpoisoned};

/// What stands in a secret's place.
const MASK: &[u8] = b"***";

/// Shorter texts are not masked: they would take letters out of everything.
const BYTES_MIN: usize = 4;

/// The secrets in use, in every form in which they are masked. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Masks {
    forms: Arc<RwLock<Forms>>,
}

impl Masks {
    /// Adds a secret: its value, each of its lines, and their base64 forms. Says whether all of
    /// it can be masked; what is too short cannot.
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

    /// A text without secrets.
    pub(crate) fn apply(&self, text: &str) -> String {
        if self.is_empty() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.masked(text.as_bytes(), false).0).into_owned()
    }

    /// Whether a text holds a secret in any form.
    pub(crate) fn holds(&self, text: &str) -> bool {
        let forms = unpoisoned(self.forms.read());
        let at = |begin: usize| text.as_bytes().get(begin..).unwrap_or_default();
        (0..text.len()).any(|begin| matches!(forms.at(at(begin), false), Found::Whole(_)))
    }

    /// Whether a value, or one inside of it, holds a secret in any form. Keys count as well.
    pub(crate) fn holds_in(&self, value: &Value) -> bool {
        match value {
            Value::Null | Value::Bool(_) => false,
            // A secret of digits may have been read as a number.
            Value::Int(number) => self.holds(&number.to_string()),
            Value::Float(number) => self.holds(&number.to_string()),
            Value::String(text) => self.holds(text),
            Value::Array(list) => list.iter().any(|item| self.holds_in(item)),
            Value::Map(map) => {
                map.iter().any(|(key, value)| self.holds(key) || self.holds_in(value))
            }
        }
    }

    /// A value without secrets, in itself and in its keys.
    pub(crate) fn apply_in(&self, value: Value) -> Value {
        if !self.holds_in(&value) {
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
            // A number that is a secret.
            _ => Value::String(String::from_utf8_lossy(MASK).into_owned()),
        }
    }

    /// A masker for one stream of output.
    pub(crate) fn stream(&self) -> MaskedStream {
        MaskedStream { masks: self.clone(), held: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        unpoisoned(self.forms.read()).all.is_empty()
    }

    /// The bytes with every form replaced. Where `more` may follow, also the rest that may be the
    /// beginning of a form, which is left out.
    fn masked(&self, bytes: &[u8], more: bool) -> (Vec<u8>, Vec<u8>) {
        let forms = unpoisoned(self.forms.read());
        let mut clean = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while !rest.is_empty() {
            let plain = rest.iter().position(|byte| !forms.beginning_with(*byte).is_empty());
            let (plain, from) = rest.split_at(plain.unwrap_or(rest.len()));
            clean.extend_from_slice(plain);
            rest = match forms.at(from, more) {
                Found::Cut => return (clean, from.to_vec()),
                Found::Whole(length) => {
                    clean.extend_from_slice(MASK);
                    from.get(length..).unwrap_or_default()
                }
                Found::Nothing => {
                    clean.extend(from.first());
                    from.get(1..).unwrap_or_default()
                }
            };
        }
        (clean, Vec::new())
    }
}

/// One stream of output, cut anywhere: holds back what may be the beginning of a secret.
pub(crate) struct MaskedStream {
    masks: Masks,
    held: Vec<u8>,
}

impl MaskedStream {
    /// The bytes that can be shown now.
    pub(crate) fn push(&mut self, bytes: Vec<u8>) -> Vec<u8> {
        if self.masks.is_empty() {
            return bytes;
        }
        self.held.extend(bytes);
        let (clean, held) = self.masks.masked(&self.held, true);
        self.held = held;
        clean
    }

    /// What is left at the end.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        self.masks.masked(&std::mem::take(&mut self.held), false).0
    }
}

/// All forms, and which of them can begin with a byte.
#[derive(Default)]
struct Forms {
    all: Vec<Form>,
    by_first: Vec<Vec<usize>>,
}

/// What stands at the beginning of a text.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Found {
    Nothing,
    /// Perhaps a form, of which the text has only the beginning.
    Cut,
    /// A form, in so many bytes of the text.
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

    fn beginning_with(&self, byte: u8) -> &[usize] {
        self.by_first.get(usize::from(byte)).map_or(&[], Vec::as_slice)
    }

    /// What the text begins with: of several forms the longest, so that a part never leaves the
    /// rest of the whole behind. Where `more` may follow, one that may yet become longer counts
    /// as cut.
    fn at(&self, text: &[u8], more: bool) -> Found {
        let Some(first) = text.first() else { return Found::Nothing };
        let mut longest = Found::Nothing;
        let forms = self.beginning_with(*first).iter().filter_map(|index| self.all.get(*index));
        for found in forms.flat_map(|form| form.at(text)) {
            match (found, longest) {
                (Found::Cut, _) if more => return Found::Cut,
                (Found::Cut | Found::Nothing, _) => {}
                (Found::Whole(length), Found::Whole(known)) if length <= known => {}
                (Found::Whole(_), _) => longest = found,
            }
        }
        longest
    }
}

/// A text that is looked for, and whether encoders may write it in another way.
struct Form {
    bytes: Vec<u8>,
    escapable: bool,
}

impl Form {
    fn new(bytes: Vec<u8>) -> Self {
        let escapable = bytes.iter().any(|byte| is_escapable(*byte));
        Self { bytes, escapable }
    }

    /// The bytes with which a text can begin that has this form at its beginning.
    fn first_bytes(&self) -> impl Iterator<Item = u8> {
        let first = self.bytes.first().copied();
        let escapes = first.is_some_and(is_escapable).then_some(*b"%\\").into_iter().flatten();
        let escapes = escapes.filter(move |escape| Some(*escape) != first);
        first.into_iter().chain(escapes)
    }

    /// What the text has at its beginning in each way to write this form.
    fn at(&self, text: &[u8]) -> [Found; 3] {
        let plain = match text.len() < self.bytes.len() {
            true if self.bytes.starts_with(text) => Found::Cut,
            false if text.starts_with(&self.bytes) => Found::Whole(self.bytes.len()),
            _ => Found::Nothing,
        };
        match self.escapable {
            true => [plain, self.escaped_at(text, in_url), self.escaped_at(text, in_json)],
            false => [plain, Found::Nothing, Found::Nothing],
        }
    }

    /// The same where escapes stand for bytes. No step can be taken in two ways: a sign that
    /// begins an escape never stands for itself.
    fn escaped_at(&self, text: &[u8], read: fn(&[u8], u8) -> Unit) -> Found {
        let (mut form, mut rest) = (self.bytes.as_slice(), text);
        while let Some(wanted) = form.first().copied() {
            let (length, used) = match read(rest, wanted) {
                Unit::Byte(byte, used) if byte == wanted => (1, used),
                Unit::Letter(letter, used) => {
                    match form.starts_with(letter.encode_utf8(&mut [0; 4]).as_bytes()) {
                        true => (letter.len_utf8(), used),
                        false => return Found::Nothing,
                    }
                }
                Unit::End => return Found::Cut,
                Unit::HalfEscape if is_escapable(wanted) => return Found::Cut,
                Unit::Byte(..) | Unit::HalfEscape | Unit::Wrong => return Found::Nothing,
            };
            form = form.get(length..).unwrap_or_default();
            rest = rest.get(used..).unwrap_or_default();
        }
        Found::Whole(text.len() - rest.len())
    }
}

/// What stands at the beginning of an encoded text, and how many bytes of it that takes.
enum Unit {
    Byte(u8, usize),
    Letter(char, usize),
    /// The text is at its end.
    End,
    /// It ends inside of an escape.
    HalfEscape,
    /// An escape that means nothing, or a letter that nobody escapes.
    Wrong,
}

/// No encoder escapes letters and digits. All else some do and some do not.
fn is_escapable(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric()
}

/// Percent-encoding, in which a space may also be `+`.
fn in_url(text: &[u8], wanted: u8) -> Unit {
    match text {
        [] => Unit::End,
        [b'+', ..] if wanted == b' ' => Unit::Byte(b' ', 1),
        [b'%', high, low, ..] => match hex(&[*high, *low]) {
            Some(code) => code.try_into().map_or(Unit::Wrong, |byte| escaped_byte(byte, 3)),
            None => Unit::Wrong,
        },
        [b'%', ..] => Unit::HalfEscape,
        [byte, ..] => Unit::Byte(*byte, 1),
    }
}

/// The escapes of JSON. Shells have that of a sign by a backslash, too.
fn in_json(text: &[u8], _wanted: u8) -> Unit {
    match text {
        [] => Unit::End,
        [b'\\'] => Unit::HalfEscape,
        [b'\\', b'u', digits @ ..] => letter(digits),
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

/// The letter behind `\u`: four digits, or twice four where it takes two UTF-16 units.
fn letter(text: &[u8]) -> Unit {
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
        Some(Ok(letter)) if !letter.is_ascii_alphanumeric() => Unit::Letter(letter, used),
        _ => Unit::Wrong,
    }
}

/// The number that these hexadecimal digits are, in either case.
fn hex(digits: &[u8]) -> Option<u16> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let number = digits.iter().try_fold(0, |number, byte| Some(number * 16 + digit(byte)?))?;
    number.try_into().ok()
}

/// The base64 forms in which a text can stand in a longer one: at each of three offsets, without
/// the letters that its neighbours have a part in.
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
        let letter = |byte: &u8| match byte {
            b'+' => b'-',
            b'/' => b'_',
            other => *other,
        };
        form.iter().map(letter).collect()
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
            let letter = LETTERS[(bits >> (18 - 6 * index)) as usize & 63];
            text.push(if index > chunk.len() { b'=' } else { letter });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Chance;

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
        // What Python's quote(safe='') makes of it, quote, quote_plus, encodeURIComponent,
        // encodeURI, and encoders that write small digits.
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
            assert!(masks.holds(&format!("x{form}")), "{form}");
        }
        for other in ["p%2Fss%20w%2Brd%3D%C3%A8~%27%25%21", "p%2", "p%2Gss%20w", "%70%2Fss"] {
            assert_eq!(masks.apply(other), other);
            assert!(!masks.holds(other));
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
        // Also where what is encoded is base64 already.
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
            assert!(masks.holds_in(&value), "{value:?}");
        }
        for value in [text("hunter"), Value::Int(1234), map("a", Value::Null)] {
            assert!(!masks.holds_in(&value), "{value:?}");
        }
    }

    #[test]
    fn a_text_is_read_in_time_that_grows_with_its_length() {
        // A key of many lines, and output of nothing but its beginnings and of half escapes.
        let key: Vec<String> =
            (0..40).map(|line| format!("{line:02}/{}", "\\%+".repeat(20))).collect();
        let masks = masks(&[&key.join("\n")]);
        let text = "01/\\%+\\%+%5C%25\\\\".repeat(10_000);
        let once = |text: &str| {
            let begun = std::time::Instant::now();
            assert_eq!(masks.apply(text), text);
            begun.elapsed()
        };
        // The fastest of three, since something else may run beside it.
        let time = |text: &str| (0..3).map(|_| once(text)).min();
        let (short, long) = (time(&text), time(&text.repeat(4)));
        assert!(long < short.map(|time| time * 12), "{short:?}, {long:?}");
    }

    /// Every way to write a secret that the masks promise to find.
    fn written(secret: &[u8], way: usize, before: &[u8]) -> Vec<u8> {
        let percent = |upper: bool| -> Vec<u8> {
            let encode = |byte: &u8| match (byte.is_ascii_alphanumeric(), upper) {
                (true, _) => vec![*byte],
                (false, true) => format!("%{byte:02X}").into_bytes(),
                (false, false) => format!("%{byte:02x}").into_bytes(),
            };
            secret.iter().flat_map(encode).collect()
        };
        match way {
            0 => secret.to_vec(),
            1 => percent(true),
            2 => percent(false),
            3 => serde_json::to_string(&String::from_utf8_lossy(secret)).unwrap().into_bytes(),
            _ => base64(&[before, secret].concat()),
        }
    }

    #[test]
    fn no_way_of_writing_and_no_cut_lets_a_secret_through() {
        const LETTERS: &[u8] = b"aB3 /+%&\"\\'$#.-_=";
        let mut chance = Chance::new(1);
        for round in 0..4_000 {
            let length = 8 + chance.below(24);
            let secret: Vec<u8> = (0..length).map(|_| *chance.one(LETTERS)).collect();
            let masks = Masks::default();
            if !masks.add(&secret) {
                continue;
            }
            let plain = |chance: &mut Chance| {
                let length = chance.below(12);
                (0..length).map(|_| *chance.one(b"xyz \n%\\+")).collect::<Vec<u8>>()
            };
            let (before, after) = (plain(&mut chance), plain(&mut chance));
            let form = written(&secret, chance.below(5), b"user:");
            // What an encoder wrote ends before an escape of the text around it could begin.
            let text = [&before, b" ".as_slice(), &form, b" ", &after].concat();
            let mut stream = masks.stream();
            let (mut shown, mut rest) = (Vec::new(), text.as_slice());
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at(1 + chance.below(rest.len().min(9)));
                shown.extend(stream.push(piece.to_vec()));
                rest = behind;
            }
            shown.extend(stream.finish());
            let whole = masks.masked(&text, false).0;
            assert_eq!(shown, whole, "round {round}: a cut changes nothing");
            let holds = |part: &[u8]| shown.windows(part.len()).any(|it| it == part);
            assert!(!holds(&secret), "round {round}: {:?}", String::from_utf8_lossy(&secret));
            assert!(holds(MASK), "round {round}: {:?}", String::from_utf8_lossy(&text));
        }
    }
}
