//! [`Visible`]: makes control characters from other sources visible before they reach a terminal.
//!
//! Command output, logs, subjects and file names can contain any bytes. Some sequences would write to
//! the clipboard, change the title, move the cursor or make the terminal send input. Only colors (SGR,
//! `ESC [ … m`), tabs, newlines and carriage returns are passed on.
//!
//! Characters that change the direction of text are made visible too, because they could show the rest
//! of a line in a misleading order. Letters of right-to-left scripts are passed on.

/// The maximum length of the numbers in a color sequence that is passed on.
const COLOR_MAX: usize = 64;

/// A filter for one stream. It keeps an incomplete sequence until the rest arrives.
#[derive(Debug, Default)]
pub(crate) struct Visible {
    held: Vec<u8>,
    /// True if a color is on.
    colored: bool,
}

impl Visible {
    /// Returns the bytes to show. Keeps an incomplete sequence at the end until the next call.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = [std::mem::take(&mut self.held), bytes.to_vec()].concat();
        let mut shown = Vec::with_capacity(bytes.len());
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let length = match next(rest) {
                Next::Plain(length) => {
                    shown.extend(rest.iter().take(length));
                    length
                }
                Next::Color { length, on } => {
                    shown.extend(rest.iter().take(length));
                    self.colored = on;
                    length
                }
                Next::Control { length, letter } => {
                    show(letter, &mut shown);
                    length
                }
                Next::Direction { length, letter } => {
                    shown.extend_from_slice(direction(letter).as_bytes());
                    length
                }
                Next::Incomplete => {
                    self.held = bytes.split_off(at);
                    break;
                }
            };
            at += length;
        }
        shown
    }

    /// Returns the rest at the end of the stream, and resets the color if one is on.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let mut shown = Vec::new();
        for byte in std::mem::take(&mut self.held) {
            match byte {
                ..0x20 | 0x7f..=0x9f => show(byte, &mut shown),
                byte => shown.push(byte),
            }
        }
        if std::mem::take(&mut self.colored) {
            shown.extend_from_slice(b"\x1b[0m");
        }
        shown
    }
}

/// Returns the text with visible control characters, except newlines and tabs. For messages.
pub(crate) fn visible(text: &str) -> String {
    visible_except(text, &['\n', '\t'])
}

/// Returns the text with visible control characters, except tabs. For names and the lines of tables.
pub(crate) fn visible_line(text: &str) -> String {
    visible_except(text, &['\t'])
}

fn visible_except(text: &str, passing: &[char]) -> String {
    let mut shown = Vec::new();
    for letter in text.chars() {
        match u8::try_from(u32::from(letter)) {
            Ok(byte) if letter.is_control() && !passing.contains(&letter) => show(byte, &mut shown),
            _ if is_direction(letter) => shown.extend_from_slice(direction(letter).as_bytes()),
            _ => shown.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    String::from_utf8_lossy(&shown).into_owned()
}

/// Returns true if the character begins or ends text of another direction.
fn is_direction(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns the code point of a character in Unicode's notation, such as `<U+202E>`.
fn direction(letter: char) -> String {
    format!("<U+{:04X}>", u32::from(letter))
}

/// The first element of some bytes.
enum Next {
    /// Bytes that are shown as they are.
    Plain(usize),
    /// A sequence that switches colors on or off.
    Color { length: usize, on: bool },
    /// A control character.
    Control { length: usize, letter: u8 },
    /// A character that changes the direction of text.
    Direction { length: usize, letter: char },
    /// An incomplete sequence or character.
    Incomplete,
}

fn next(bytes: &[u8]) -> Next {
    match bytes {
        [b'\n' | b'\t' | b'\r' | b' '..=b'~', ..] => {
            let is_plain = |byte: &&u8| matches!(byte, b'\n' | b'\t' | b'\r' | b' '..=b'~');
            Next::Plain(bytes.iter().take_while(is_plain).count())
        }
        [0x1b, rest @ ..] => color(rest),
        [letter @ (..0x20 | 0x7f), ..] => Next::Control { length: 1, letter: *letter },
        _ => character(bytes),
    }
}

/// Parses the bytes after an escape: `[`, numbers and `m`, or anything else.
fn color(rest: &[u8]) -> Next {
    const ESCAPE: Next = Next::Control { length: 1, letter: 0x1b };
    let Some((b'[', rest)) = rest.split_first() else {
        return if rest.is_empty() { Next::Incomplete } else { ESCAPE };
    };
    let is_number = |byte: &&u8| matches!(byte, b'0'..=b'9' | b';' | b':');
    let numbers: Vec<u8> = rest.iter().take_while(is_number).copied().collect();
    match rest.get(numbers.len()) {
        _ if numbers.len() > COLOR_MAX => ESCAPE,
        None => Next::Incomplete,
        Some(b'm') if !conceals(&numbers) => {
            let is_off = numbers.iter().all(|byte| matches!(byte, b'0' | b';'));
            Next::Color { length: numbers.len() + 3, on: !is_off }
        }
        Some(_) => ESCAPE,
    }
}

/// Returns true if the numbers of a sequence make text invisible (8). As part of a color, 8 does not.
fn conceals(numbers: &[u8]) -> bool {
    let mut fields = numbers.split(|byte| *byte == b';');
    while let Some(field) = fields.next() {
        match field {
            b"38" | b"48" | b"58" => match fields.next() {
                Some(b"5") => drop(fields.next()),
                Some(b"2") => drop(fields.nth(2)),
                _ => {}
            },
            _ if field.iter().skip_while(|byte| **byte == b'0').eq(b"8") => return true,
            _ => {}
        }
    }
    false
}

/// Parses a character of several bytes. A byte that is not valid UTF-8 is shown unchanged, unless a
/// terminal with another encoding would interpret it as a control character.
fn character(bytes: &[u8]) -> Next {
    let first = bytes.first().copied().unwrap_or_default();
    let length = match first {
        0xc2..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xf4 => 4,
        _ => 1,
    };
    let text = bytes.get(..length.min(bytes.len())).unwrap_or_default();
    match (std::str::from_utf8(text), text) {
        (Ok(_), [0xc2, letter @ 0x80..=0x9f]) => Next::Control { length, letter: *letter },
        (Ok(text), _) => match text.chars().next().filter(|letter| is_direction(*letter)) {
            Some(letter) => Next::Direction { length, letter },
            None => Next::Plain(length),
        },
        (Err(error), _) if error.error_len().is_none() && text.len() == bytes.len() => {
            Next::Incomplete
        }
        (Err(_), _) if (0x80..=0x9f).contains(&first) => Next::Control { length: 1, letter: first },
        (Err(_), _) => Next::Plain(1),
    }
}

/// Appends a control character in visible form: `^[` as in git and `cat -v`, or `<9b>` from 128 on.
fn show(letter: u8, shown: &mut Vec<u8>) {
    match letter {
        0x80.. => shown.extend_from_slice(format!("<{letter:02x}>").as_bytes()),
        0x7f => shown.extend_from_slice(b"^?"),
        _ => shown.extend_from_slice(&[b'^', letter ^ 0x40]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[(&[u8], &[u8])] = &[
        (b"plain \t text\r\n", b"plain \t text\r\n"),
        (b"\x1b[1;31mred\x1b[0m", b"\x1b[1;31mred\x1b[0m"),
        (b"\x1b[38;5;8mgray\x1b[m", b"\x1b[38;5;8mgray\x1b[m"),
        (b"\x1b[38;2;8;8;8mx\x1b[m", b"\x1b[38;2;8;8;8mx\x1b[m"),
        (b"\x1b[4:3mx\x1b[m", b"\x1b[4:3mx\x1b[m"),
        (b"\x1b[8mhidden", b"^[[8mhidden"),
        (b"\x1b[0;08mhidden", b"^[[0;08mhidden"),
        (b"\x1b]52;c;aGk=\x07", b"^[]52;c;aGk=^G"),
        (b"\x1b]0;title\x1b\\", b"^[]0;title^[\\"),
        (b"\x1bP$q\x1b\\\x1b[2J\x1b[6n\x1bc", b"^[P$q^[\\^[[2J^[[6n^[c"),
        (b"\x1b[?1m\x1b[>4;2m\x1b[1 m", b"^[[?1m^[[>4;2m^[[1 m"),
        (b"\x1b\x1b[1mx\x1b[m", b"^[\x1b[1mx\x1b[m"),
        ("\u{9b}2J\u{9d}0;x\u{9c}".as_bytes(), b"<9b>2J<9d>0;x<9c>"),
        (b"\x9b2J\xe2\x9b2J", b"<9b>2J\xe2<9b>2J"),
        ("a\u{85}\u{a0}ä€😀\u{39b}".as_bytes(), "a<85>\u{a0}ä€😀\u{39b}".as_bytes()),
        (b"\0\x07\x08\x0b\x0c\x0e\x7f\xff", b"^@^G^H^K^L^N^?\xff"),
        (
            "a\u{202e}b\u{202a}\u{2066}c\u{2069}\u{200f}\u{202f}\u{2065}\u{5d0}".as_bytes(),
            "a<U+202E>b<U+202A><U+2066>c<U+2069>\u{200f}\u{202f}\u{2065}\u{5d0}".as_bytes(),
        ),
        (b"\xc2", b"\xc2"),
        (b"\x1b[12", b"^[[12"),
        (b"\xf0\x9f", b"\xf0<9f>"),
    ];

    #[test]
    fn only_colors_pass_however_the_bytes_are_cut() {
        for (bytes, expected) in CASES {
            for cut in 0..=bytes.len() {
                for other in cut..=bytes.len() {
                    let mut filter = Visible::default();
                    let pieces = [&bytes[..cut], &bytes[cut..other], &bytes[other..]];
                    let mut shown: Vec<u8> =
                        pieces.iter().flat_map(|piece| filter.pass(piece)).collect();
                    shown.extend(filter.finish());
                    let text = |bytes: &[u8]| bytes.escape_ascii().to_string();
                    assert_eq!(text(&shown), text(expected), "cut at {cut} and {other}");
                }
            }
        }
    }

    #[test]
    fn a_color_that_is_left_on_ends_with_the_stream() {
        let mut filter = Visible::default();
        assert_eq!(filter.pass(b"\x1b[31mred"), b"\x1b[31mred");
        assert_eq!(filter.finish(), b"\x1b[0m");
        assert_eq!(filter.finish(), b"");
    }

    #[test]
    fn a_long_sequence_is_not_kept() {
        let mut filter = Visible::default();
        let shown = filter.pass(&[b"\x1b[".to_vec(), vec![b'1'; 1000]].concat());
        assert_eq!(shown.len(), 1003);
    }

    #[test]
    fn messages_have_lines_and_nothing_else() {
        let text = "a\tb\nc\r\u{1b}[31m\u{9b}ä\u{2067}";
        assert_eq!(visible(text), "a\tb\nc^M^[[31m<9b>ä<U+2067>");
        assert_eq!(visible_line(text), "a\tb^Jc^M^[[31m<9b>ä<U+2067>");
    }
}
