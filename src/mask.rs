//! Masking: secrets taken out of whatever is shown or kept.

use std::sync::{Arc, PoisonError, RwLock};

/// What stands in a secret's place.
const MASK: &[u8] = b"***";

/// Shorter texts are not masked: they would take letters out of everything.
const BYTES_MIN: usize = 4;

/// The secrets in use, in every form in which they are masked. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Masks {
    forms: Arc<RwLock<Vec<Vec<u8>>>>,
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
        let mut forms = self.forms.write().unwrap_or_else(PoisonError::into_inner);
        for text in texts.into_iter().filter(|text| long(text)) {
            forms.push(text.to_vec());
            forms.extend(base64_forms(text).into_iter().filter(|form| long(form)));
        }
        // Longer forms first, so that a part never leaves the rest of the whole behind.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        complete
    }

    /// A text without secrets.
    pub(crate) fn apply(&self, text: &str) -> String {
        if self.is_empty() {
            return text.to_owned();
        }
        String::from_utf8_lossy(&self.masked(text.as_bytes()).0).into_owned()
    }

    /// True if a text holds a secret, in any form.
    pub(crate) fn holds(&self, text: &str) -> bool {
        !self.is_empty() && self.apply(text) != text
    }

    /// A masker for one stream of output.
    pub(crate) fn stream(&self) -> MaskedStream {
        MaskedStream { masks: self.clone(), held: Vec::new() }
    }

    fn is_empty(&self) -> bool {
        self.forms.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The bytes with every form replaced, and where the rest begins that may be the beginning of
    /// one.
    fn masked(&self, bytes: &[u8]) -> (Vec<u8>, usize) {
        let forms = self.forms.read().unwrap_or_else(PoisonError::into_inner);
        let mut first = [false; 256];
        for byte in forms.iter().filter_map(|form| form.first()) {
            if let Some(mark) = first.get_mut(usize::from(*byte)) {
                *mark = true;
            }
        }
        let mut clean = Vec::with_capacity(bytes.len());
        let mut at = 0;
        let mut open = None;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let begins = rest.first().is_some_and(|byte| first[usize::from(*byte)]);
            if begins {
                if let Some(form) = forms.iter().find(|form| rest.starts_with(form)) {
                    clean.extend_from_slice(MASK);
                    at += form.len();
                    open = None;
                    continue;
                }
                if open.is_none() && forms.iter().any(|form| form.starts_with(rest)) {
                    open = Some((at, clean.len()));
                }
            }
            clean.extend(rest.first());
            at += 1;
        }
        match open {
            Some((at, length)) => {
                clean.truncate(length);
                clean.extend_from_slice(bytes.get(at..).unwrap_or_default());
                (clean, bytes.len() - at)
            }
            None => (clean, 0),
        }
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
        let (mut clean, open) = self.masks.masked(&self.held);
        self.held = clean.split_off(clean.len() - open);
        clean
    }

    /// What is left at the end.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.held)
    }
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
}
