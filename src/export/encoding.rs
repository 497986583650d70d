//! The encodings that `working-tree-encoding` may name.
//!
//! git uses iconv of the C library. Only encodings for which this module gives the same result as
//! glibc are supported. For others, the contents stay UTF-8, with a warning.

use encoding_rs as tables;

/// A supported encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Utf16(Order, Mark),
    Utf32(Order, Mark),
    Latin1,
    Table(&'static tables::Encoding),
}

/// The byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    Big,
    Little,
}

/// Whether a byte order mark (U+FEFF) comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    With,
    Without,
}

const NATIVE: Order = if cfg!(target_endian = "big") { Order::Big } else { Order::Little };

/// Returns true if the name is that of UTF-8, which needs no conversion.
pub(super) fn is_utf8(name: &[u8]) -> bool {
    name.eq_ignore_ascii_case(b"utf-8") || name.eq_ignore_ascii_case(b"utf8")
}

impl Encoding {
    /// Returns the encoding of this name, in the spellings of git and iconv.
    pub(super) fn named(name: &[u8]) -> Option<Self> {
        use {Mark::*, Order::*};
        let name = str::from_utf8(name).ok()?.to_ascii_uppercase();
        if let Some(rest) = name.strip_prefix("UTF") {
            return match rest.strip_prefix('-').unwrap_or(rest) {
                "16" => Some(Self::Utf16(NATIVE, With)),
                "16BE" => Some(Self::Utf16(Big, Without)),
                "16LE" => Some(Self::Utf16(Little, Without)),
                "16BE-BOM" => Some(Self::Utf16(Big, With)),
                "16LE-BOM" => Some(Self::Utf16(Little, With)),
                "32" => Some(Self::Utf32(NATIVE, With)),
                "32BE" => Some(Self::Utf32(Big, Without)),
                "32LE" => Some(Self::Utf32(Little, Without)),
                _ => None,
            };
        }
        if matches!(name.as_str(), "LATIN1" | "LATIN-1") {
            return Some(Self::Latin1);
        }
        for prefix in ["ISO-8859-", "ISO8859-", "ISO_8859-"] {
            if let Some(part) = name.strip_prefix(prefix) {
                return iso_8859(part);
            }
        }
        let page = name.strip_prefix("WINDOWS-").or_else(|| name.strip_prefix("CP"));
        Some(Self::Table(match (page, name.as_str()) {
            (Some("1250"), _) => tables::WINDOWS_1250,
            (Some("1251"), _) => tables::WINDOWS_1251,
            (Some("1252"), _) => tables::WINDOWS_1252,
            (Some("1253"), _) => tables::WINDOWS_1253,
            (Some("1254"), _) => tables::WINDOWS_1254,
            (Some("1256"), _) => tables::WINDOWS_1256,
            (Some("1257"), _) => tables::WINDOWS_1257,
            (_, "CP866") => tables::IBM866,
            (_, "CP949") => tables::EUC_KR,
            (_, "KOI8-R") => tables::KOI8_R,
            _ => return None,
        }))
    }

    /// Encodes the text. Returns `None` if it is not UTF-8 or has a character that the encoding
    /// lacks.
    pub(super) fn encode(self, text: &[u8]) -> Option<Vec<u8>> {
        let text = str::from_utf8(text).ok()?;
        let mark = |mark: Mark| (mark == Mark::With).then_some('\u{feff}');
        match self {
            Self::Utf16(order, with) => {
                let characters = mark(with).into_iter().chain(text.chars());
                let units = characters.flat_map(|character| {
                    let mut pair = [0; 2];
                    let units = character.encode_utf16(&mut pair).len();
                    pair.into_iter().take(units)
                });
                Some(units.flat_map(|unit| order.bytes16(unit)).collect())
            }
            Self::Utf32(order, with) => {
                let characters = mark(with).into_iter().chain(text.chars());
                Some(characters.flat_map(|character| order.bytes32(character.into())).collect())
            }
            Self::Latin1 => text
                .chars()
                .filter(is_not_tag)
                .map(|character| u8::try_from(character).ok())
                .collect(),
            Self::Table(table) => encode_by_table(table, text),
        }
    }
}

impl Order {
    fn bytes16(self, unit: u16) -> [u8; 2] {
        if self == Self::Big { unit.to_be_bytes() } else { unit.to_le_bytes() }
    }

    fn bytes32(self, unit: u32) -> [u8; 4] {
        if self == Self::Big { unit.to_be_bytes() } else { unit.to_le_bytes() }
    }
}

/// ISO 8859 has no part 12, and the crate's tables for parts 1 and 9 are those of Windows.
fn iso_8859(part: &str) -> Option<Encoding> {
    Some(Encoding::Table(match part {
        "1" => return Some(Encoding::Latin1),
        "2" => tables::ISO_8859_2,
        "3" => tables::ISO_8859_3,
        "4" => tables::ISO_8859_4,
        "5" => tables::ISO_8859_5,
        "6" => tables::ISO_8859_6,
        "7" => tables::ISO_8859_7,
        "8" => tables::ISO_8859_8,
        "10" => tables::ISO_8859_10,
        "13" => tables::ISO_8859_13,
        "14" => tables::ISO_8859_14,
        "15" => tables::ISO_8859_15,
        "16" => tables::ISO_8859_16,
        _ => return None,
    }))
}

/// The tables are those of browsers. They fill unused bytes of Windows' code pages with control
/// characters, but iconv does not.
fn encode_by_table(table: &'static tables::Encoding, text: &str) -> Option<Vec<u8>> {
    let is_control = |character: char| ('\u{80}'..='\u{9f}').contains(&character);
    if table.name().starts_with("windows-") && text.contains(is_control) {
        return None;
    }
    let text: String = text.chars().filter(is_not_tag).collect();
    let (bytes, _, has_unmappable) = table.encode(&text);
    (!has_unmappable).then(|| bytes.into_owned())
}

/// iconv drops tag characters that an encoding lacks.
fn is_not_tag(character: &char) -> bool {
    !('\u{e0000}'..='\u{e007f}').contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(name: &str, text: &str) -> Option<Vec<u8>> {
        Encoding::named(name.as_bytes()).unwrap().encode(text.as_bytes())
    }

    #[test]
    fn wide_encodings_have_their_order_and_mark() {
        assert_eq!(encode("utf16be", "a😀").unwrap(), b"\0a\xd8\x3d\xde\x00");
        assert_eq!(encode("UTF-16LE-BOM", "a").unwrap(), b"\xff\xfea\0");
        assert_eq!(encode("UTF-32LE", "a").unwrap(), b"a\0\0\0");
        assert_eq!(encode("UTF-32", "a").unwrap().len(), 8);
    }

    #[test]
    fn characters_that_an_encoding_lacks_are_not_written() {
        assert_eq!(encode("latin-1", "é").unwrap(), b"\xe9");
        assert_eq!(encode("ISO-8859-1", "€"), None);
        assert_eq!(encode("cp1252", "€").unwrap(), b"\x80");
        assert_eq!(encode("Windows-1252", "\u{81}"), None);
        assert_eq!(encode("KOI8-R", "Привет").unwrap(), b"\xf0\xd2\xc9\xd7\xc5\xd4");
        assert_eq!(Encoding::Latin1.encode(b"\xff"), None);
    }

    #[test]
    fn encodings_that_differ_from_iconv_are_not_supported() {
        for name in ["SHIFT-JIS", "GBK", "UTF-7", "UTF-32LE-BOM", "CP1255", "ISO-8859-12", "", "x"]
        {
            assert_eq!(Encoding::named(name.as_bytes()), None, "{name}");
        }
    }
}
